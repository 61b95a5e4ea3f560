// SPDX-License-Identifier: MIT
// Files of packets, read by the format's own description and not by what wrote them.
import { readFileSync } from "node:fs";

/** How many bytes each packet had, in the order of the file. */
export function pcapSizes(path: string): readonly number[] {
  const file = readFileSync(path);
  const sizes: number[] = [];
  for (let at = 24; at + 16 <= file.length; at += 16 + file.readUInt32LE(at + 8)) {
    sizes.push(file.readUInt32LE(at + 12));
  }
  return sizes;
}
