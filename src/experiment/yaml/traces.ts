// SPDX-License-Identifier: MIT
// What is written down of the packets of a link, both ways: the words of a document and the values
// of the model.

import type { TraceWish } from "../model.ts";
import { integerIn } from "./context.ts";
import type { PlainValue } from "./emit.ts";
import { child, type DocumentNode, textOf } from "./tree.ts";

export const traceKinds: readonly TraceWish["kind"][] = ["headers", "packets", "counts"];

/** What a document says of a trace; undefined when it says nothing, or something wrong. */
export function traceIn(node: DocumentNode | undefined): TraceWish | undefined {
  if (node?.kind !== "text" && node?.kind !== "map") return undefined;
  const said = textOf(node.kind === "map" ? child(node, "kind") : node) ?? "headers";
  const kind = traceKinds.find((one) => one === said);
  if (kind === undefined) return undefined;
  const bytes = integerIn(node, "bytes");
  const expression = textOf(child(node, "expression"))?.trim() ?? "";
  return {
    kind,
    ...(bytes === undefined ? {} : { bytes }),
    ...(expression === "" ? {} : { expression }),
  };
}

/** The shortest words for it. */
export function printTrace({ kind, bytes, expression }: TraceWish): PlainValue {
  if (bytes === undefined && expression === undefined) return kind;
  return {
    map: [
      ["kind", kind],
      ...(bytes === undefined ? [] : [["bytes", bytes] as const]),
      ...(expression === undefined ? [] : [["expression", expression] as const]),
    ],
  };
}

export function isSameTrace(a: TraceWish, b: TraceWish): boolean {
  return (
    a.kind === b.kind &&
    a.bytes === b.bytes &&
    a.expression === b.expression &&
    a.inDatabase === b.inDatabase
  );
}
