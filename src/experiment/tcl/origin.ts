// SPDX-License-Identifier: MIT
// Where the characters of a script came from. A script is a piece of the file (exact), or a value
// that was put together while the file ran (then its characters map to the word that gave them).
// Source offsets are numbers in one space for all files of a run; `SourceMap` makes lines of them.

import type { SourcePosition } from "../model.ts";

/** From `text` (offset in the script) on: source offset `source`, character by character or not. */
export interface OriginSegment {
  readonly text: number;
  readonly source: number;
  readonly exact: boolean;
}

/** Segments in rising order of `text`; the first one starts at 0. Empty when nothing is known. */
export type Origin = readonly OriginSegment[];

/** The source offset of a script offset, or -1 when unknown. */
export function locateIn(origin: Origin, offset: number): number {
  const found = origin[segmentAt(origin, offset)];
  if (found === undefined) return -1;
  return found.exact ? found.source + (offset - found.text) : found.source;
}

/** The last segment that begins at the offset or before, else the first: a script may have many. */
function segmentAt(origin: Origin, offset: number): number {
  let low = 0;
  let high = origin.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((origin[middle]?.text ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The part of an origin that starts at `offset`, for a piece of text cut out of a script. */
export function originFrom(origin: Origin, offset: number): Origin {
  const base = locateIn(origin, offset);
  if (base < 0) return [];
  let exact = false;
  for (const segment of origin) if (segment.text <= offset) exact = segment.exact;
  const rest: OriginSegment[] = [{ text: 0, source: base, exact }];
  for (const segment of origin) {
    if (segment.text > offset) rest.push({ ...segment, text: segment.text - offset });
  }
  return rest;
}

interface SourceFile {
  readonly name: string;
  readonly text: string;
  readonly base: number;
  lines: number[] | undefined;
}

/** The files of one run and the offsets that belong to each. */
export class SourceMap {
  readonly #files: SourceFile[] = [];

  /** Adds a file and returns the source offset of its first character. */
  add(name: string, text: string): number {
    const last = this.#files.at(-1);
    const base = last === undefined ? 0 : last.base + last.text.length + 1;
    this.#files.push({ name, text, base, lines: undefined });
    return base;
  }

  /** Line and column (from 1) of a source offset; offsets outside any file give the start. */
  position(offset: number): SourcePosition {
    const file = this.#fileOf(offset);
    if (file === undefined) return { file: this.#files[0]?.name ?? "", line: 1, column: 1 };
    const at = offset - file.base;
    file.lines ??= lineStarts(file.text);
    let low = 0;
    let high = file.lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((file.lines[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { file: file.name, line: low + 1, column: at - (file.lines[low] ?? 0) + 1 };
  }

  /** The source text from `offset` on, at most `length` characters of the same file. */
  excerpt(offset: number, length: number): string {
    const file = this.#fileOf(offset);
    if (file === undefined) return "";
    return file.text.slice(offset - file.base, offset - file.base + length);
  }

  /** The whole line at `offset`. */
  lineText(offset: number): string {
    const file = this.#fileOf(offset);
    if (file === undefined) return "";
    const start = file.text.lastIndexOf("\n", offset - file.base - 1) + 1;
    const end = file.text.indexOf("\n", offset - file.base);
    return file.text.slice(start, end < 0 ? file.text.length : end).replace(/\r$/, "");
  }

  #fileOf(offset: number): SourceFile | undefined {
    if (offset < 0) return undefined;
    return this.#files.findLast((file) => file.base <= offset);
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
