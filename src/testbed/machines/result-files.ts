// SPDX-License-Identifier: MIT
// Files that hosts give back, written where they would be had the nodes been here: below `nodes/`
// or `proj/` of the results, and nowhere else.
//
//   F1. What nodes of two hosts have written under one name of the shared directory are two files:
//       the second has the name of its host behind it.
//   F2. A host gives when it is asked to, of its own nodes, and as much as the limits let it.
import { type FileMessage, nodeLinkLimits, partsOfResult } from "../../wire/node-link/index.ts";
import type { NodeLink } from "./node-link.ts";
import { openBelow, receiveFile } from "./received-files.ts";

/** A host that gives files back. */
export interface Giver {
  readonly name: string;
  readonly link: NodeLink;
  /** Its nodes; undefined until it is asked for their files. */
  readonly own: ReadonlySet<string> | undefined;
  loses(text: string): void;
}

interface Given {
  files: number;
  bytes: number;
}

export class ResultFiles {
  readonly #out: string;
  readonly #limits: { readonly filesMax: number; readonly filesBytesMax: number };
  /** Path -> host that it came from. */
  readonly #from = new Map<string, string>();
  /** By name of the host. */
  readonly #given = new Map<string, Given>();

  constructor(
    out: string,
    limits: { readonly filesMax: number; readonly filesBytesMax: number } = nodeLinkLimits,
  ) {
    this.#out = out;
    this.#limits = limits;
  }

  receive(host: Giver, message: FileMessage): void {
    const given = this.#given.get(host.name) ?? { files: 0, bytes: 0 };
    this.#given.set(host.name, given);
    const opened = this.#open(host, given, message);
    const lose = (text: string): void => host.loses(text);
    receiveFile(host.link, message, opened, lose, (bytes) => {
      given.bytes += bytes;
      return this.#bytesFault(given);
    });
  }

  /** @returns why not, as a clause */
  #open(host: Giver, given: Given, { path, mode }: FileMessage): number | string {
    const parts = partsOfResult(path);
    if (parts === undefined) return "it is no name of a result";
    const fault = this.#faultOf(host, given, parts);
    if (fault !== undefined) return fault;
    const first = this.#from.get(path);
    this.#from.set(path, first ?? host.name);
    // F1.
    const isSecond = parts[0] === "proj" && first !== undefined && first !== host.name;
    const suffix = isSecond ? `.${host.name.replaceAll(/[^\w.-]/g, "_")}` : "";
    return openBelow(this.#out, [...parts.slice(0, -1), `${parts.at(-1)}${suffix}`], mode);
  }

  /** F2. */
  #faultOf({ own }: Giver, given: Given, parts: readonly string[]): string | undefined {
    if (own === undefined) return "nobody has asked for it";
    if (parts[0] === "nodes" && !own.has(parts[1] ?? "")) return "it is of no node of this host";
    given.files += 1;
    const { filesMax } = this.#limits;
    if (given.files > filesMax) return `there are more than ${filesMax} files (filesMax)`;
    return this.#bytesFault(given);
  }

  #bytesFault({ bytes }: Given): string | undefined {
    const { filesBytesMax } = this.#limits;
    if (bytes <= filesBytesMax) return undefined;
    return `there are more than ${filesBytesMax} bytes (filesBytesMax)`;
  }
}
