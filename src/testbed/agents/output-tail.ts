// SPDX-License-Identifier: MIT
// The end of a program's output, for messages.
import { closeSync, fstatSync, readSync } from "node:fs";
import { openRegularFile } from "../nodes/regular-file.ts";

/** The last `bytesMax` bytes of a file as text; `""` when it cannot be read. */
export function readTail(file: string, bytesMax: number): string {
  return readExistingTail(file, bytesMax) ?? "";
}

/** The same; undefined when it cannot be read. */
export function readExistingTail(file: string, bytesMax: number): string | undefined {
  const descriptor = openRegularFile(file, "read");
  if (typeof descriptor === "string") return undefined;
  try {
    const { size } = fstatSync(descriptor);
    const length = Math.min(size, bytesMax);
    const buffer = Buffer.alloc(length);
    readSync(descriptor, buffer, 0, length, size - length);
    return buffer.toString("utf8");
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
