// SPDX-License-Identifier: MIT
// Collects the findings about a file and prints one with its source line and a caret.

import { printable } from "../core/text.ts";
import { diagnosticsMax, excerptCharactersMax, excerptSourceMax } from "./limits.ts";
import type { Diagnostic } from "./model.ts";
import type { SourceMap } from "./tcl/origin.ts";

/** What there is to say besides the place. */
export interface Finding {
  readonly severity: Diagnostic["severity"];
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Source offsets of the calls that led there. */
  readonly via?: readonly number[];
}

/** The findings of one run: each place and message once, at most `diagnosticsMax`. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];
  readonly #sources: SourceMap;
  readonly #seen = new Set<string>();
  errors = 0;

  constructor(sources: SourceMap) {
    this.#sources = sources;
  }

  /** No further finding will be shown. */
  get isFull(): boolean {
    return this.list.length >= diagnosticsMax;
  }

  /** Adds a finding at a source offset. */
  add(offset: number, finding: Finding): void {
    const key = `${offset}\n${finding.code}\n${finding.message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    if (finding.severity === "error") this.errors += 1;
    if (this.isFull) return;
    const via = finding.via ?? [];
    const at = this.#sources.position(offset);
    const isElsewhere = at.file !== this.#sources.position(0).file;
    const excerpt = this.#sources.lineText(offset).slice(0, excerptSourceMax);
    this.list.push({
      severity: finding.severity,
      code: finding.code,
      message: finding.message,
      at,
      ...(isElsewhere ? { excerpt } : {}),
      ...(finding.hint === undefined ? {} : { hint: finding.hint }),
      ...(via.length === 0 ? {} : { via: via.map((call) => this.#sources.position(call)) }),
    });
  }

  /** The findings in order of place, with a note when there may be more. */
  finish(): readonly Diagnostic[] {
    const sorted = this.list.toSorted((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
    if (!this.isFull) return sorted;
    const message = `only the first ${diagnosticsMax} findings are shown`;
    const at = this.#sources.position(0);
    return [...sorted, { severity: "note", code: "TOO_MANY_FINDINGS", message, at }];
  }
}

/**
 * A finding for people: `file:line:column: error[CODE]: message`, the source line, a caret under
 * the word at fault, where it was called from, and what to do.
 * @param source text of the file the finding is about
 */
export function formatDiagnostic(diagnostic: Diagnostic, source: string): string {
  const { file, line, column } = diagnostic.at;
  const head = `${printable(file)}:${line}:${column}: ${diagnostic.severity}[${diagnostic.code}]`;
  const lines = [`${head}: ${printable(diagnostic.message)}`];
  const text = diagnostic.excerpt ?? lineOf(source, line);
  if (text !== undefined && text.trim() !== "") {
    const from = column > excerptCharactersMax ? column - 41 : 0;
    const shown = text.slice(from, from + excerptCharactersMax);
    const gutter = `${line}`.padStart(5);
    // Tabs stay tabs above the caret, so that it lands under its column in any terminal.
    const indent = shown.slice(0, Math.max(0, column - 1 - from)).replace(/[^\t]/g, " ");
    lines.push(`${gutter} | ${printable(shown)}`, `      | ${indent}^`);
  }
  for (const call of diagnostic.via ?? []) {
    lines.push(`      = called from ${printable(call.file)}:${call.line}:${call.column}`);
  }
  if (diagnostic.hint !== undefined) lines.push(`      = ${printable(diagnostic.hint)}`);
  return lines.join("\n");
}

function lineOf(source: string, line: number): string | undefined {
  let start = 0;
  for (let at = 1; at < line; at += 1) {
    const next = source.indexOf("\n", start);
    if (next < 0) return undefined;
    start = next + 1;
  }
  const end = source.indexOf("\n", start);
  return source.slice(start, end < 0 ? source.length : end).replace(/\r$/, "");
}
