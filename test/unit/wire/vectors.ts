// SPDX-License-Identifier: MIT
// Reads the vector tables of test/vectors: a Markdown table, one row a case.
import { readFileSync } from "node:fs";

/** Rows of the only table of a file, each as its cells; `\|` is a bar within one. */
export function readVectors(protocol: string, file: string): readonly (readonly string[])[] {
  const path = new URL(`../../vectors/${protocol}/${file}`, import.meta.url);
  const lines = readFileSync(path, "utf8").split("\n");
  return lines
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) => line.slice(1, line.lastIndexOf("|")).split(/(?<!\\)\|/))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll("\\|", "|")));
}

/** Bytes of `'text' 00*57 0a0b`. */
export function parseBytes(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const part of text.split(/ +/).filter((item) => item !== "")) {
    const repeated = /^([0-9a-f]{2})\*([0-9]+)$/.exec(part);
    if (repeated !== null) {
      const count = Number(repeated[2]);
      for (let index = 0; index < count; index += 1) bytes.push(Number.parseInt(repeated[1]!, 16));
    } else if (part.startsWith("'")) {
      bytes.push(...Buffer.from(part.slice(1, -1), "latin1"));
    } else {
      bytes.push(...Buffer.from(part, "hex"));
    }
  }
  return Uint8Array.from(bytes);
}
