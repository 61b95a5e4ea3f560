// SPDX-License-Identifier: MIT
// Files that hosts give back, written where they would be had the nodes been here: below `nodes/`
// or `proj/` of the results, and nowhere else.
//
//   F1. What nodes of two hosts have written under one name of the shared directory are two files:
//       the second has the name of its host behind it.
import { type FileMessage, partsOfResult } from "../../wire/node-link/index.ts";
import type { NodeLink } from "./node-link.ts";
import { openBelow, receiveFile } from "./received-files.ts";

export class ResultFiles {
  readonly #out: string;
  readonly #warn: (text: string) => void;
  /** Path -> host that it came from. */
  readonly #from = new Map<string, string>();

  constructor(out: string, warn: (text: string) => void) {
    this.#out = out;
    this.#warn = warn;
  }

  receive(host: string, link: NodeLink, message: FileMessage): void {
    const opened = this.#open(host, message);
    receiveFile(link, message, opened, (text) => this.#warn(`${host}: ${text}`));
  }

  /** @returns why not, as a clause */
  #open(host: string, { path, mode }: FileMessage): number | string {
    const parts = partsOfResult(path);
    if (parts === undefined) return "it is no name of a result";
    const first = this.#from.get(path);
    this.#from.set(path, first ?? host);
    // F1.
    const isSecond = parts[0] === "proj" && first !== undefined && first !== host;
    const suffix = isSecond ? `.${host.replaceAll(/[^\w.-]/g, "_")}` : "";
    return openBelow(this.#out, [...parts.slice(0, -1), `${parts.at(-1)}${suffix}`], mode);
  }
}
