// SPDX-License-Identifier: MIT
// A document as plain values with their places: what the YAML front end reads, whoever parsed the
// text. Keeping the parser of the syntax outside leaves this layer without packages.

import type { SourcePosition } from "../model.ts";

/** A value that is no list and no map. `text` is what the file says, so that 1.10 stays 1.10. */
export interface ScalarNode {
  readonly kind: "text" | "number" | "boolean" | "null";
  readonly text: string;
  readonly at: SourcePosition;
}

export interface ListNode {
  readonly kind: "list";
  readonly items: readonly DocumentNode[];
  readonly at: SourcePosition;
}

/** One `key: value`; keys are unique within their map. */
export interface MapEntry {
  readonly key: string;
  readonly keyAt: SourcePosition;
  readonly value: DocumentNode;
}

export interface MapNode {
  readonly kind: "map";
  readonly entries: readonly MapEntry[];
  readonly at: SourcePosition;
}

export type DocumentNode = ScalarNode | ListNode | MapNode;

/** The entry of a map with this key. */
export function entryOf(node: DocumentNode | undefined, key: string): MapEntry | undefined {
  return node?.kind === "map" ? node.entries.find((entry) => entry.key === key) : undefined;
}

/** The value under a key, or undefined when it is absent or left empty. */
export function child(node: DocumentNode | undefined, key: string): DocumentNode | undefined {
  const value = entryOf(node, key)?.value;
  return value?.kind === "null" ? undefined : value;
}

/** The text of a value that is one. */
export function textOf(node: DocumentNode | undefined): string | undefined {
  return node?.kind === "text" ? node.text : undefined;
}

/** The texts of a value that is one or a list of them, with their places. */
export function textsOf(node: DocumentNode | undefined): readonly ScalarNode[] {
  if (node?.kind === "text") return [node];
  if (node?.kind !== "list") return [];
  return node.items.filter((item): item is ScalarNode => item.kind === "text");
}

/** What a value is, for people. */
export function describeKind(node: DocumentNode): string {
  switch (node.kind) {
    case "text":
      return `the text "${shortened(node.text)}"`;
    case "number":
      return `the number ${shortened(node.text)}`;
    case "boolean":
      return node.text;
    case "null":
      return "nothing";
    case "list":
      return "a list";
    case "map":
      return "a map";
  }
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
