// SPDX-License-Identifier: MIT
// The order in which a Tcl 8.6 string hash table hands out its entries. Old experiment files depend
// on it: addresses are given out in this order. [EMULAB-NS 11.4]
//   h = 9h + byte (mod 2^32); 4 buckets, a power of 4 each time the count reaches three times the
//   buckets; new entries go to the head of their bucket; growing walks old buckets in order.

/** A table that remembers Tcl's order under insertion, removal and growth. */
export class HashOrder {
  #buckets: string[][] = [[], [], [], []];
  #count = 0;

  /** Adds a key that is not in the table. */
  insert(key: string): void {
    this.#put(key);
    this.#count += 1;
    if (this.#count >= 3 * this.#buckets.length) this.#grow();
  }

  /** Removes a key, if it is there; the table does not shrink. */
  remove(key: string): void {
    const bucket = this.#bucket(key);
    const at = bucket.indexOf(key);
    if (at < 0) return;
    bucket.splice(at, 1);
    this.#count -= 1;
  }

  /** Keys in traversal order: buckets from 0 on, newest first within one. */
  keys(): string[] {
    // A bucket is kept oldest first, so that adding is cheap.
    return this.#buckets.flatMap((bucket) => bucket.toReversed());
  }

  #bucket(key: string): string[] {
    const index = hashOf(key) & (this.#buckets.length - 1);
    return this.#buckets[index] ?? [];
  }

  #put(key: string): void {
    this.#bucket(key).push(key);
  }

  #grow(): void {
    const keys = this.keys();
    const size = this.#buckets.length * 4;
    this.#buckets = Array.from({ length: size }, () => []);
    for (const key of keys) this.#put(key);
  }
}

/** Keys in table order when they were inserted in the order given. */
export function hashOrder(keys: readonly string[]): string[] {
  const table = new HashOrder();
  for (const key of keys) table.insert(key);
  return table.keys();
}

function hashOf(key: string): number {
  let hash = 0;
  for (const byte of utf8Bytes(key)) hash = (Math.imul(hash, 9) + byte) >>> 0;
  return hash;
}

/** UTF-8 of a text; written out because the pure layers have no TextEncoder. */
function utf8Bytes(text: string): number[] {
  const bytes: number[] = [];
  for (const ch of text) {
    const code = ch.codePointAt(0) ?? 0;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) {
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    } else {
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f));
      bytes.push(0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    }
  }
  return bytes;
}
