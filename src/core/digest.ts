// SPDX-License-Identifier: MIT
// A 128-bit digest of state, kept as a sum over rows so that it follows each change without a walk
// (D11). Own hash: the core may not import node:crypto. It finds replicas that differ; it does not
// resist an attacker.
import { mixBits } from "./mix-bits.ts";

/** Four lanes of 32 bits. Signed, so that each is a small integer and no number on the heap. */
export class Digest {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** Adds a row (`sign` 1) or takes it away again (`sign` -1). */
  addRow(text: string, sign: 1 | -1): void {
    // Kept within 32 bits, signed: each is a register then and no float.
    let a = 0x9e3779b9 | 0;
    let b = 0x85ebca6b | 0;
    let c = 0xc2b2ae35 | 0;
    let d = 0x27d4eb2f;
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul((b << 5) ^ (b >>> 27) ^ unit, 0x5bd1e995);
      c = Math.imul((c + unit) | 0, 0xcc9e2d51) ^ (c >>> 15);
      d = (Math.imul(d ^ (unit + index), 0x1b873593) + a) | 0;
    }
    this.#add(mixBits(a ^ text.length), mixBits(b ^ a), mixBits(c ^ b), mixBits(d ^ c), sign);
  }

  /** Adds all of another digest. */
  addDigest(other: Digest): void {
    this.#add(other.#a, other.#b, other.#c, other.#d, 1);
  }

  #add(a: number, b: number, c: number, d: number, sign: 1 | -1): void {
    this.#a = (this.#a + sign * a) | 0;
    this.#b = (this.#b + sign * b) | 0;
    this.#c = (this.#c + sign * c) | 0;
    this.#d = (this.#d + sign * d) | 0;
  }

  /** 32 hex digits. */
  toString(): string {
    return [this.#a, this.#b, this.#c, this.#d]
      .map((lane) => (lane >>> 0).toString(16).padStart(8, "0"))
      .join("");
  }
}
