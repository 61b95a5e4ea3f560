// SPDX-License-Identifier: MIT
// Files that hosts give back, written where they would be had the nodes been here. A host may have
// been anybody's: a file is below `nodes/` or `proj/` of the results, and links are not followed.
//
//   F1. What nodes of two hosts have written under one name of the shared directory are two files:
//       the second has the name of its host behind it.
import {
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type AgentMessage, partsOfResult } from "../../wire/node-link/index.ts";
import type { NodeLink } from "./node-link.ts";

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;

export class ResultFiles {
  readonly #out: string;
  readonly #warn: (text: string) => void;
  /** Path -> host that it came from. */
  readonly #from = new Map<string, string>();

  constructor(out: string, warn: (text: string) => void) {
    this.#out = out;
    this.#warn = warn;
  }

  receive(
    host: string,
    link: NodeLink,
    { stream, path, mode }: Extract<AgentMessage, { kind: "file" }>,
  ): void {
    const descriptor = this.#open(host, path, mode);
    if (typeof descriptor === "string") {
      this.#warn(`${host}: ${path} was not kept: ${descriptor}`);
      return;
    }
    let isOpen = true;
    const close = (): void => {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    };
    const isKept = link.openStream(stream, {
      data: (bytes) => {
        if (!isOpen) return;
        try {
          writeSync(descriptor, bytes);
        } catch (error) {
          this.#warn(`${host}: ${path} was not kept whole: ${String(error)}`);
          close();
        }
      },
      finish: () => {
        close();
        link.closeStream(stream);
      },
      close,
    });
    if (!isKept) close();
  }

  /** @returns why not, as a clause */
  #open(host: string, path: string, mode: number): number | string {
    const parts = partsOfResult(path);
    if (parts === undefined) return "it is no name of a result";
    const first = this.#from.get(path);
    const isSecond = parts[0] === "proj" && first !== undefined && first !== host;
    const [file = "", directories] = [parts.at(-1), parts.slice(0, -1)];
    const kept = isSecond ? `${file}.${host.replaceAll(/[^\w.-]/g, "_")}` : file;
    this.#from.set(path, first ?? host);
    try {
      let at = this.#out;
      for (const directory of directories) {
        at = join(at, directory);
        mkdirSync(at, { recursive: true });
        if (!lstatSync(at).isDirectory()) return `${at} is no directory`;
      }
      const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
      const descriptor = openSync(join(at, kept), flags, mode & 0o777);
      fchmodSync(descriptor, mode & 0o777);
      return descriptor;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
