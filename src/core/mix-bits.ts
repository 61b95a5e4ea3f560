// SPDX-License-Identifier: MIT
// Spreads the bits of a hash. What it gives is in digests that servers compare and decides in which
// log a scope is, so it never changes.

/** The last step of MurmurHash3 for 32 bits: each bit of the hash changes about half of them. */
export function mixBits(hash: number): number {
  let bits = hash ^ (hash >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
