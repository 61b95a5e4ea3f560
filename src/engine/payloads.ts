// SPDX-License-Identifier: MIT
// Where the messages of topics lie (D11): beside the log, written before the entry that names them,
// so that the log stays small and can be cut, and a message can still be read from the first.
//
//   Y1. `write` resolves when the message is as durable as an entry of the log that goes with it.
//   Y2. An id is given once, also over restarts: a log that is read again frees what it freed.
//   Y3. What is read is what was written, or an error: the hash is compared.
import { createHash } from "node:crypto";
import type { PayloadRef } from "../core/command.ts";
import { LogError } from "./log.ts";

/** Where a message lies, as the core says. */
export type Place = Pick<PayloadRef, "id" | "hash">;

export interface Payloads {
  /** Of the id that was given last; 0 for none. */
  readonly lastId: number;
  /** Stores a message. @throws LogError */
  write(message: Uint8Array): Promise<PayloadRef>;
  /**
   * Messages in the order of `places`: as many as `bytesMax` has room for, and at least one.
   * @throws LogError (definite) when one is not there, or is not what was written.
   */
  read(places: readonly Place[], bytesMax: number): Promise<readonly Uint8Array[]>;
  /** Deletes; what is not there is passed over. @throws LogError; nothing is deleted then. */
  free(ids: readonly number[]): void;
  /**
   * Deletes what nothing refers to: a process may end between a message and its entry.
   * @throws LogError; nothing is deleted then.
   */
  keepOnly(ids: Iterable<number>): void | Promise<void>;
  /**
   * Brings `lastId` up to date where others write, too.
   * @param named an id that the log names; who is asked and does not have it yet is asked again
   */
  refresh?(named: number): Promise<void>;
  /** Resolves when what was freed is deleted, where that takes time. */
  settled?(): Promise<void>;
  /** Why what is acknowledged might not stay, where others can change that. */
  examine?(): string | undefined;
  close(): Promise<void>;
}

/** The first 48 bits of SHA-256: the largest part that a number holds. */
export function hashOf(message: Uint8Array): number {
  return createHash("sha256").update(message).digest().readUIntBE(0, 6);
}

/** Y3. @throws LogError */
export function checkMessage<T extends Uint8Array>(message: T | undefined, { id, hash }: Place): T {
  if (message !== undefined && hashOf(message) === hash) return message;
  const what = message === undefined ? "is missing" : "is not the one that was written";
  throw new LogError(`message ${id} ${what}; restore the topics' file with its log`, {
    definite: true,
  });
}

/** Beside a log in memory: nothing survives the process. */
export class MemoryPayloads implements Payloads {
  readonly #messages = new Map<number, Buffer>();
  #lastId = 0;

  get lastId(): number {
    return this.#lastId;
  }

  get size(): number {
    return this.#messages.size;
  }

  write(message: Uint8Array): Promise<PayloadRef> {
    this.#lastId += 1;
    this.#messages.set(this.#lastId, Buffer.from(message));
    const ref = { id: this.#lastId, bytes: message.length, hash: hashOf(message) };
    return Promise.resolve(ref);
  }

  read(places: readonly Place[], bytesMax: number): Promise<readonly Uint8Array[]> {
    const messages: Buffer[] = [];
    let bytes = 0;
    for (const place of places) {
      // Nothing comes between: memory is not compared with what was written to it.
      const message = this.#messages.get(place.id);
      if (message === undefined) return Promise.reject(missing(place));
      bytes += message.length;
      if (messages.length > 0 && bytes > bytesMax) break;
      messages.push(message);
    }
    return Promise.resolve(messages);
  }

  free(ids: readonly number[]): void {
    for (const id of ids) this.#messages.delete(id);
  }

  keepOnly(ids: Iterable<number>): void {
    const kept = new Set(ids);
    for (const id of this.#messages.keys()) if (!kept.has(id)) this.#messages.delete(id);
  }

  close(): Promise<void> {
    this.#messages.clear();
    return Promise.resolve();
  }
}

function missing({ id }: Place): LogError {
  return new LogError(`message ${id} is missing`, { definite: true });
}
