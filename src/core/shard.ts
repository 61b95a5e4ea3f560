// SPDX-License-Identifier: MIT
// Which of the logs of a cluster a scope belongs to (D1). Every server, of every version, must give
// the same answer, or one scope would be in two logs: test/vectors/shards.md holds it to what it
// was.
import { mixBits } from "./mix-bits.ts";

/** One of the logs of a cluster. */
export interface Shard {
  /** 0 to `count` - 1. */
  readonly index: number;
  readonly count: number;
}

/** Each costs a server a loop, a lease and, on the first server, a thread. */
export const shardsMax = 64;

/**
 * The log of a scope: FNV-1a over the bytes of its name in UTF-8, whose bits are then mixed
 * (the last step of MurmurHash3), because the low ones alone spread names badly that differ in
 * their last character.
 * @param count of logs, fixed for a cluster
 */
export function shardOf(scope: string, count: number): number {
  if (count === 1) return 0;
  let hash = 0x811c9dc5;
  for (const character of scope) {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) hash = addByte(hash, point);
    else {
      // A lone surrogate has three bytes, as any other character of its size.
      const more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
      const mark = [0, 0xc0, 0xe0, 0xf0][more] ?? 0;
      hash = addByte(hash, mark | (point >>> (6 * more)));
      for (let left = more - 1; left >= 0; left -= 1) {
        hash = addByte(hash, 0x80 | ((point >>> (6 * left)) & 0x3f));
      }
    }
  }
  return mixBits(hash) % count;
}

function addByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}
