// SPDX-License-Identifier: MIT
// The end of a program's output, for messages.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** The last `bytesMax` bytes of a file as text; `""` when it cannot be read. */
export function readTail(file: string, bytesMax: number): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const { size } = fstatSync(descriptor);
    const length = Math.min(size, bytesMax);
    const buffer = Buffer.alloc(length);
    readSync(descriptor, buffer, 0, length, size - length);
    return buffer.toString("utf8");
  } catch {
    return "";
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
