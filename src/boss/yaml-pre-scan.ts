// SPDX-License-Identifier: MIT
// A look at a text before the YAML package reads it: the package takes microseconds for each sign
// and keeps every error, so that a text of nothing but signs would hold the command for long. It
// knows no quotes, so its bounds are far above those of the tree.

import { yamlMarksMax, yamlOpenMax } from "../experiment/index.ts";

/** What is refused without being read. */
export interface ScanFault {
  readonly offset: number;
  readonly code: "YAML_DEPTH" | "YAML_NODES" | "NOT_TEXT";
  readonly message: string;
}

const signs: ReadonlySet<string> = new Set(",[]{}&*!%#\"'\n");

/** @returns the first reason not to read the text; undefined when it may be read */
export function preScan(text: string): ScanFault | undefined {
  let marks = 0;
  let open = 0;
  let excess = 0;
  let chain = 0;
  for (let offset = 0; offset < text.length; offset += 1) {
    const ch = text[offset] ?? "";
    if (ch === "\0") return { offset, code: "NOT_TEXT", message: "this is not a text file" };
    if (signs.has(ch)) {
      marks += 1;
      // Anchors, tags and quotes without anything between them are as bad as keys of keys.
      chain = "&*!%#\"'".includes(ch) ? chain + 1 : 0;
      if (ch === "[" || ch === "{") open += 1;
      else if (ch === "]" || ch === "}") {
        if (open > 0) open -= 1;
        else excess += 1;
      }
    } else if ((ch === ":" || ch === "-" || ch === "?") && isBlank(text[offset + 1])) {
      marks += 1;
      chain += 1;
    } else continue;
    if (Math.max(open, excess, chain) > yamlOpenMax) {
      const message = `more than ${yamlOpenMax} lists and maps are opened or closed in a row`;
      return { offset, code: "YAML_DEPTH", message };
    }
    if (marks > yamlMarksMax) {
      const message = `more than ${yamlMarksMax} signs that mean something to YAML`;
      return { offset, code: "YAML_NODES", message };
    }
  }
  return undefined;
}

function isBlank(ch: string | undefined): boolean {
  return ch === undefined || ch === " " || ch === "\t" || ch === "\n" || ch === "\r";
}
