// SPDX-License-Identifier: MIT
// Cuts a byte stream into messages. [GNUNET-BARRIERS 2.1] Owns sizes only: what a message says is
// decode.ts.
//
//   F1. The messages depend on the bytes alone, not on how they were cut into chunks.
//   F2. What is kept is at most one message that is not whole, and grows with what has come, not
//       with the size it declares.
//   F3. After a size that cannot be, nothing more is read.
import { headerBytes, messageBytesMax } from "./constants.ts";

export interface FramerResult {
  /** Whole messages with their headers, in order; views of the chunk where that was possible. */
  readonly messages: readonly Uint8Array[];
  /** Why nothing more will be read, if so: which clause is broken. */
  readonly fault?: string;
}

const keptBytesMin = 64;

export class MessageFramer {
  readonly #bytesMax: number;
  #kept: Uint8Array = new Uint8Array(0);
  #keptBytes = 0;
  #fault: string | undefined;

  /** @param bytesMax messages above this size are a fault. */
  constructor(bytesMax: number = messageBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of a message that is not whole yet. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  push(chunk: Uint8Array): FramerResult {
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length && this.#fault === undefined) {
      at =
        this.#keptBytes === 0
          ? this.#take(chunk, at, messages)
          : this.#addToKept(chunk, at, messages);
    }
    return this.#fault === undefined ? { messages } : { messages, fault: this.#fault };
  }

  /** Takes a message that begins in the chunk. @returns where the next one begins. */
  #take(chunk: Uint8Array, at: number, messages: Uint8Array[]): number {
    const left = chunk.length - at;
    const size = left < headerBytes ? undefined : sizeAt(chunk, at);
    if (size !== undefined && !this.#accepts(size)) return chunk.length;
    if (size === undefined || left < size) {
      this.#keep(chunk.subarray(at));
      return chunk.length;
    }
    messages.push(chunk.subarray(at, at + size));
    return at + size;
  }

  /** Adds to the message that is kept, its header first. @returns where the rest begins. */
  #addToKept(chunk: Uint8Array, at: number, messages: Uint8Array[]): number {
    const isHeader = this.#keptBytes < headerBytes;
    const wanted = isHeader ? headerBytes : sizeAt(this.#kept, 0);
    const end = Math.min(chunk.length, at + wanted - this.#keptBytes);
    this.#keep(chunk.subarray(at, end));
    if (this.#keptBytes < wanted) return end;
    const size = sizeAt(this.#kept, 0);
    if (isHeader && !this.#accepts(size)) return end;
    if (this.#keptBytes === size) {
      messages.push(this.#kept.subarray(0, size));
      this.#drop();
    }
    return end;
  }

  #keep(part: Uint8Array): void {
    const needed = this.#keptBytes + part.length;
    if (needed > this.#kept.length) {
      const grown = new Uint8Array(Math.max(keptBytesMin, needed, this.#kept.length * 2));
      grown.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = grown;
    }
    this.#kept.set(part, this.#keptBytes);
    this.#keptBytes = needed;
  }

  /** A new buffer next time: the message that was made here may still be held. */
  #drop(): void {
    this.#kept = new Uint8Array(0);
    this.#keptBytes = 0;
  }

  /** F3. */
  #accepts(size: number): boolean {
    if (size >= headerBytes && size <= this.#bytesMax) return true;
    this.#drop();
    const range = `from ${headerBytes} to ${this.#bytesMax} bytes`;
    this.#fault = `[GNUNET-BARRIERS 2.1] a message has ${range}, its header says ${size}`;
    return false;
  }
}

function sizeAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
