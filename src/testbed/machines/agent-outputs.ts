// SPDX-License-Identifier: MIT
// What programs of a host print, as it comes: they write to files, which never make them wait, and
// this follows the files and sends what is new.
//
//   O1. What a program has written before its end is sent before its end is.
import { closeSync, openSync, readSync } from "node:fs";
import type { Cancel, Clock } from "../../host/clock.ts";
import { pieceBytes } from "../../wire/node-link/index.ts";
import type { NodeLink } from "./node-link.ts";

/** How long what is printed may lie. */
const lookMs = 50;

interface Followed {
  readonly descriptor: number;
  readonly stream: number;
  at: number;
}

export class AgentOutputs {
  readonly #link: NodeLink;
  readonly #clock: Clock;
  readonly #followed = new Map<string, Followed>();
  readonly #buffer = Buffer.alloc(pieceBytes);
  #cancel: Cancel | undefined;
  #isClosed = false;

  constructor(link: NodeLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  /** The file is there and empty. @throws Error of the file system */
  follow(path: string, stream: number): void {
    if (this.#followed.has(path)) return;
    this.#followed.set(path, { descriptor: openSync(path, "r"), stream, at: 0 });
    this.#lookLater();
  }

  /** Nothing will be written there. */
  forget(path: string): void {
    const followed = this.#followed.get(path);
    this.#followed.delete(path);
    if (followed === undefined) return;
    closeSync(followed.descriptor);
    this.#link.send({ kind: "close", stream: followed.stream });
  }

  /** O1. */
  async flush(path: string): Promise<void> {
    const followed = this.#followed.get(path);
    while (followed !== undefined && !this.#isClosed && this.#send(followed)) {
      await this.#link.whenDrained();
    }
  }

  async flushAll(): Promise<void> {
    for (const path of [...this.#followed.keys()]) await this.flush(path);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    for (const path of [...this.#followed.keys()]) this.forget(path);
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#cancel ??= this.#clock.after(lookMs, () => {
      void this.#look().finally(() => {
        this.#cancel = undefined;
        if (this.#followed.size > 0) this.#lookLater();
      });
    });
  }

  async #look(): Promise<void> {
    for (const followed of [...this.#followed.values()]) {
      // One that prints without end leaves the others their turn.
      if (!this.#isClosed) this.#send(followed);
      await this.#link.whenDrained();
    }
  }

  /** @returns whether there may be more. */
  #send(followed: Followed): boolean {
    let count = 0;
    try {
      count = readSync(followed.descriptor, this.#buffer, 0, pieceBytes, followed.at);
    } catch {
      return false; // It has been forgotten meanwhile.
    }
    if (count === 0) return false;
    followed.at += count;
    this.#link.sendData(followed.stream, Buffer.from(this.#buffer.subarray(0, count)));
    return true;
  }
}
