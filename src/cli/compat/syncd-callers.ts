// SPDX-License-Identifier: MIT
// Which node calls a sync server whose node has a network of its own: by the address it calls from.
// The run writes them into a file, again when nodes come.
import { readFileSync } from "node:fs";

/**
 * @param file JSON object from address to node
 * @param own the node that the server is on
 */
export class SyncdCallers {
  readonly #file: string;
  readonly #own: string;
  #nodes: ReadonlyMap<string, string>;

  /** @throws Error when the file cannot be read */
  constructor(file: string, own: string) {
    this.#file = file;
    this.#own = own;
    this.#nodes = parseAddresses(readFileSync(file, "utf8"), file);
  }

  /** The file is read again for somebody unknown: nobody else calls than nodes. */
  nodeOf(peer: string): string | undefined {
    const plain = peer.startsWith("::ffff:") ? peer.slice("::ffff:".length) : peer;
    if (plain.startsWith("127.")) return this.#own;
    const known = this.#nodes.get(plain);
    if (known !== undefined) return known;
    try {
      this.#nodes = parseAddresses(readFileSync(this.#file, "utf8"), this.#file);
    } catch {
      // It is being written, or gone with the run: then the caller stays unknown.
    }
    return this.#nodes.get(plain);
  }
}

/** @throws Error for what is no JSON object */
export function parseAddresses(json: string, name: string): ReadonlyMap<string, string> {
  const value: unknown = JSON.parse(json);
  if (typeof value !== "object" || value === null) {
    throw new Error(`${name} must be a JSON object from address to node`);
  }
  return new Map(Object.entries(value).map(([address, node]) => [address, String(node)]));
}
