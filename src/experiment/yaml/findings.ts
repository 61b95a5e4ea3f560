// SPDX-License-Identifier: MIT
// The findings about a document: each place and message once, at most `diagnosticsMax`.

import { diagnosticsMax } from "../limits.ts";
import type { Diagnostic, SourcePosition } from "../model.ts";

export class Findings {
  readonly #list: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  readonly #places = new Set<string>();
  #dropped = 0;
  errors = 0;

  /** Adds an error; `hint` says what to do. */
  error(at: SourcePosition, code: string, message: string, hint?: string): void {
    this.add({ severity: "error", code, message, at, ...(hint === undefined ? {} : { hint }) });
  }

  warn(at: SourcePosition, code: string, message: string, hint?: string): void {
    this.add({ severity: "warning", code, message, at, ...(hint === undefined ? {} : { hint }) });
  }

  add(finding: Diagnostic): void {
    const { line, column } = finding.at;
    const key = `${line}:${column}:${finding.code}:${finding.message}`;
    if (this.#seen.has(key)) return;
    // The keys of findings that are only counted would be the memory that the bound saves.
    if (this.#seen.size < diagnosticsMax * 4) {
      this.#seen.add(key);
      if (finding.severity === "error") this.#places.add(placeOf(finding.at));
    }
    if (finding.severity === "error") this.errors += 1;
    if (this.#list.length < diagnosticsMax) this.#list.push(finding);
    else this.#dropped += 1;
  }

  /** Whether there is an error at this very place: what follows from it needs no saying. */
  hasErrorAt(at: SourcePosition): boolean {
    return this.#places.has(placeOf(at));
  }

  /** All findings in order of place, and how many more there were. */
  finish(): readonly Diagnostic[] {
    const sorted = this.#list.toSorted(
      (a, b) => a.at.line - b.at.line || a.at.column - b.at.column,
    );
    const at = sorted.at(-1)?.at;
    if (this.#dropped === 0 || at === undefined) return sorted;
    const message = `${this.#dropped} more findings are not shown`;
    return [...sorted, { severity: "note", code: "TOO_MANY_FINDINGS", message, at }];
  }
}

/** Of what is no text the file is a path of names. */
const placeOf = ({ file, line, column }: SourcePosition): string => `${file}:${line}:${column}`;
