// SPDX-License-Identifier: MIT
// A file that holds a key, a token, certificates or a name: never more of it is read than such a
// file has.
import { closeSync, openSync, readSync } from "node:fs";

/** More than the certificates of every authority of a machine have. */
const smallFileBytesMax = 2 * 1024 * 1024;

/** @throws Error of the system, or one that says that it is too large */
export function readSmallFile(file: string): string {
  const fd = openSync(file, "r");
  try {
    const chunks: Buffer[] = [];
    for (let bytes = 0; ; ) {
      const chunk = Buffer.alloc(64 * 1024);
      const read = readSync(fd, chunk);
      if (read === 0) return Buffer.concat(chunks).toString("utf8");
      bytes += read;
      if (bytes > smallFileBytesMax) throw new Error("it is larger than 2 MiB");
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
}
