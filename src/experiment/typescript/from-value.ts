// SPDX-License-Identifier: MIT
// A plain value as a document: what TypeScript files describe is read by the same code as YAML.
// There are no lines to point at, so the place of a value is its path, such as programs.probe.node.

import type { SourcePosition } from "../model.ts";
import { yamlDepthMax } from "../yaml/limits.ts";
import type { DocumentNode, MapEntry } from "../yaml/tree.ts";

/** The document of a value made of plain objects, arrays, texts, numbers and booleans. */
export function documentOf(value: unknown, path = "", depth = 0): DocumentNode {
  const at: SourcePosition = { file: path, line: 1, column: 1 };
  if (depth > yamlDepthMax || value === null || value === undefined) {
    return { kind: "null", text: "", at };
  }
  if (Array.isArray(value)) {
    const items = value.map((item, index) => documentOf(item, `${path}[${index}]`, depth + 1));
    return { kind: "list", items, at };
  }
  switch (typeof value) {
    case "string":
      return { kind: "text", text: value, at };
    case "number":
    case "bigint":
      return { kind: "number", text: String(value), at };
    case "boolean":
      return { kind: "boolean", text: String(value), at };
    case "object":
      return { kind: "map", entries: entriesOf(value, path, depth), at };
    default:
      return { kind: "null", text: "", at };
  }
}

function entriesOf(value: object, path: string, depth: number): MapEntry[] {
  return Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .map(([key, each]) => {
      const where = path === "" ? key : `${path}.${key}`;
      const keyAt = { file: where, line: 1, column: 1 };
      return { key, keyAt, value: documentOf(each, where, depth + 1) };
    });
}
