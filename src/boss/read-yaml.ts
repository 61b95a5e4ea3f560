// SPDX-License-Identifier: MIT
// The text of a YAML file as the plain tree that experiment/ reads: anchors, merge keys and places
// are resolved here, so that the package for the syntax stays out of the pure layers.
//   L1. A tree has at most `yamlNodesMax` values, aliases followed, and `yamlDepthMax` levels.
//   L2. Shared parts of a tree are shared in memory: an alias costs no copy.

import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
} from "yaml";
import {
  type Diagnostic,
  type DocumentNode,
  fileBytesMax,
  type MapEntry,
  type ParseResult,
  parseYamlExperiment,
  type ScalarNode,
  type SourcePosition,
  yamlDepthMax,
  yamlNodesMax,
} from "../experiment/index.ts";
import { preScan } from "./yaml-pre-scan.ts";

/** What the text of a file gives. */
export interface YamlText {
  /** Undefined when there is no document to read. */
  readonly tree: DocumentNode | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** What a caller may say besides the text. */
export interface YamlLoadOptions {
  readonly file: string;
  /** Name of the experiment when the file gives none. */
  readonly defaultEid: string;
  readonly pid?: string | undefined;
  readonly eid?: string | undefined;
  readonly presets?: readonly (readonly [name: string, value: string])[];
}

/**
 * Reads the text of a YAML experiment file.
 * @returns the experiment, or why there is none; never throws for any text
 */
export function readYamlExperiment(source: string, options: YamlLoadOptions): ParseResult {
  const { tree, diagnostics } = parseYamlText(source, options.file);
  return parseYamlExperiment(tree, {
    pid: "muster",
    eid: options.defaultEid,
    override: { pid: options.pid, eid: options.eid },
    presets: options.presets ?? [],
    syntax: diagnostics,
  });
}

/** The document of a text. */
export function parseYamlText(source: string, file: string): YamlText {
  const lines = new LineCounter();
  const place = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const reader = new TreeReader(place);
  if (source.length > fileBytesMax) {
    reader.error(0, "FILE_TOO_LARGE", `the file is larger than ${fileBytesMax} bytes`);
    return { tree: undefined, diagnostics: reader.diagnostics };
  }
  const fault = preScan(source);
  if (fault !== undefined) {
    noteLines(source, fault.offset, lines);
    reader.error(fault.offset, fault.code, fault.message);
    return { tree: undefined, diagnostics: reader.diagnostics };
  }
  try {
    // Unique keys are checked by the reader: the package compares each key with every other.
    const document = parseDocument(source, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
    });
    for (const { pos, code, message } of [...document.errors, ...document.warnings].slice(0, 100)) {
      const [what, hint] = code === "MULTIPLE_DOCS" ? secondDocument : [firstLine(message)];
      reader.error(pos[0], "YAML_SYNTAX", what, hint);
    }
    const tree = document.contents === null ? undefined : reader.read(document.contents, 0);
    if (tree === undefined && reader.diagnostics.length === 0) {
      reader.error(0, "YAML_EMPTY", "the file holds no experiment", "Begin with nodes:");
    }
    return { tree: reader.isFull ? undefined : tree, diagnostics: reader.diagnostics };
  } catch (error) {
    // The package descends by calling itself: brackets without end use up the stack.
    if (!(error instanceof RangeError)) throw error;
    reader.error(0, "YAML_DEPTH", `more than ${yamlDepthMax} lists and maps inside each other`);
    return { tree: undefined, diagnostics: reader.diagnostics };
  }
}

/** The package speaks of functions of its own. */
const secondDocument = [
  "a second document begins here, and a file has one",
  "Take the line --- away, or give each document a file of its own.",
] as const;

/** Tells the counter of the lines up to a place: without the package's reading it knows none. */
function noteLines(source: string, end: number, lines: LineCounter): void {
  lines.addNewLine(0);
  for (let at = source.indexOf("\n"); at >= 0 && at < end; at = source.indexOf("\n", at + 1)) {
    lines.addNewLine(at + 1);
  }
}

/** Walks the document in the order of the text, so that an alias finds the anchor before it. */
class TreeReader {
  readonly diagnostics: Diagnostic[] = [];
  /** L1. Set when a bound was passed; the tree is then no use. */
  isFull = false;
  readonly #place: (offset: number) => SourcePosition;
  readonly #anchors = new Map<string, DocumentNode | "open">();
  /** Values in each part of the tree, aliases followed. */
  readonly #sizes = new Map<DocumentNode, number>();

  constructor(place: (offset: number) => SourcePosition) {
    this.#place = place;
  }

  error(offset: number, code: string, message: string, hint?: string): void {
    const at = this.#place(offset);
    const more = hint === undefined ? {} : { hint };
    this.diagnostics.push({ severity: "error", code, message, at, ...more });
  }

  read(node: Node | null, depth: number, offset = 0): DocumentNode {
    const start = node?.range?.[0] ?? offset;
    const at = this.#place(start);
    if (this.isFull || node === null) return { kind: "null", text: "", at };
    if (depth > yamlDepthMax) {
      this.isFull = true;
      const message = `more than ${yamlDepthMax} lists and maps inside each other`;
      this.error(start, "YAML_DEPTH", message);
      return { kind: "null", text: "", at };
    }
    if (isAlias(node)) return this.#follow(node.source, start);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, "open");
    const tree = this.#readContent(node, depth, at);
    if (anchor !== undefined) this.#anchors.set(anchor, tree);
    return this.#count(tree, start);
  }

  #readContent(node: Node, depth: number, at: SourcePosition): DocumentNode {
    if (isSeq(node)) {
      const items = node.items.map((item) => this.read(item as Node | null, depth + 1));
      return { kind: "list", items, at };
    }
    if (isMap(node)) return { kind: "map", entries: this.#readEntries(node.items, depth), at };
    return isScalar(node) ? scalarNode(node, at) : { kind: "null", text: "", at };
  }

  /** L1. Counts a part with all that its aliases stand for. */
  #count(tree: DocumentNode, offset: number): DocumentNode {
    const parts = tree.kind === "list" ? tree.items : tree.kind === "map" ? valuesOf(tree) : [];
    let size = 1;
    for (const part of parts) size += this.#sizes.get(part) ?? 1;
    this.#sizes.set(tree, size);
    if (size > yamlNodesMax && !this.isFull) {
      this.isFull = true;
      const message = `the file stands for more than ${yamlNodesMax} values`;
      this.error(offset, "YAML_NODES", message, "Aliases count with all that they repeat.");
    }
    return tree;
  }

  #follow(name: string, offset: number): DocumentNode {
    const found = this.#anchors.get(name);
    if (found !== undefined && found !== "open") return found;
    const [message, hint] =
      found === "open"
        ? [`*${name} is inside &${name} itself`, "A value cannot contain itself."]
        : [`there is no anchor &${name} before this alias`, "Define it above."];
    this.error(offset, "YAML_ALIAS", message, hint);
    return { kind: "null", text: "", at: this.#place(offset) };
  }

  #readEntries(pairs: readonly Pair[], depth: number): MapEntry[] {
    const entries = new Map<string, MapEntry>();
    const merged: { readonly tree: DocumentNode; readonly offset: number }[] = [];
    for (const pair of pairs) {
      const keyNode = pair.key as Node | null;
      const offset = keyNode?.range?.[0] ?? 0;
      if (!isScalar(keyNode)) {
        this.error(offset, "YAML_KEY", "a key must be a word", "Write key: value.");
        continue;
      }
      const key = keyNode.source ?? String(keyNode.value ?? "");
      const value = this.read(pair.value as Node | null, depth + 1, keyNode.range?.[1] ?? offset);
      if (key === "<<" && keyNode.type === "PLAIN") {
        merged.push({ tree: value, offset });
        continue;
      }
      const earlier = entries.get(key);
      if (earlier === undefined) entries.set(key, { key, keyAt: this.#place(offset), value });
      else {
        const hint = `The other one is at line ${earlier.keyAt.line}; only one can count.`;
        this.error(offset, "YAML_DUPLICATE_KEY", `"${key}" stands here twice`, hint);
      }
    }
    for (const { tree, offset } of merged) this.#merge(entries, tree, offset);
    return [...entries.values()];
  }

  /** `<<`: what the map itself says comes first, then the merged maps in their order. */
  #merge(entries: Map<string, MapEntry>, tree: DocumentNode, offset: number): void {
    const maps = tree.kind === "list" ? tree.items : [tree];
    for (const map of maps) {
      if (map.kind !== "map") {
        this.error(offset, "YAML_MERGE", "<< takes a map or a list of maps", "Write <<: *name.");
        continue;
      }
      for (const entry of map.entries) {
        if (!entries.has(entry.key)) entries.set(entry.key, entry);
      }
    }
  }
}

function valuesOf(tree: { readonly entries: readonly MapEntry[] }): readonly DocumentNode[] {
  return tree.entries.map(({ value }) => value);
}

function scalarNode(node: Scalar, at: SourcePosition): ScalarNode {
  const { value } = node;
  if (value === null || value === undefined) return { kind: "null", text: "", at };
  const source = node.source ?? String(value);
  switch (typeof value) {
    case "number":
    case "bigint":
      return { kind: "number", text: source, at };
    case "boolean":
      return { kind: "boolean", text: String(value), at };
    default:
      return { kind: "text", text: String(value), at };
  }
}

/** The package's message without the excerpt that it may carry. */
function firstLine(message: string): string {
  return message.split("\n")[0] ?? message;
}
