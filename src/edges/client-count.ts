// SPDX-License-Identifier: MIT
// How many connections a listener has, in all and of one client by its address: the quota of every
// door whose protocol knows no other name of a client.
//
//   const counts = new ClientCount({ max, perClientMax });
//   const over = counts.admit(socket); // "all", "client" or undefined; counted until it closes
import type { Socket } from "node:net";

export interface ClientCountOptions {
  readonly max: number;
  readonly perClientMax: number;
}

export class ClientCount {
  readonly #options: ClientCountOptions;
  readonly #byClient = new Map<string, number>();
  #count = 0;

  constructor(options: ClientCountOptions) {
    this.#options = options;
  }

  /**
   * Counts a connection until it closes. @returns which bound it is over, if it is: close it then
   */
  admit(socket: Pick<Socket, "remoteAddress" | "once">): "all" | "client" | undefined {
    const client = socket.remoteAddress ?? "";
    const count = this.#byClient.get(client) ?? 0;
    if (this.#count >= this.#options.max) return "all";
    if (count >= this.#options.perClientMax) return "client";
    this.#count += 1;
    this.#byClient.set(client, count + 1);
    socket.once("close", () => {
      this.#count -= 1;
      const left = (this.#byClient.get(client) ?? 1) - 1;
      if (left === 0) this.#byClient.delete(client);
      else this.#byClient.set(client, left);
    });
    return undefined;
  }
}
