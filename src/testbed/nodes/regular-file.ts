// SPDX-License-Identifier: MIT
// Opens files in directories that programs of an experiment may write to. What lies there under a
// known name can be anything: opening a FIFO would wait for ever, and a link leads elsewhere.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants;

type Access = "read" | "append";

const flags: Readonly<Record<Access, number>> = {
  read: O_RDONLY,
  append: O_WRONLY | O_APPEND | O_CREAT,
};

/** What programs print is for its owner and group. [EMULAB-EVENTS 4.5] */
const outputMode = 0o640;

/** Never waits. @returns a descriptor for the caller to close, or why there is none. */
export function openRegularFile(path: string, access: Access): number | string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, flags[access] | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY, outputMode);
    if (fstatSync(descriptor).isFile()) return descriptor;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // A FIFO without a reader, a socket; a link.
    if (code !== "ENXIO" && code !== "ELOOP" && code !== "EISDIR") return String(error);
  }
  if (descriptor !== undefined) closeSync(descriptor);
  return `${path} is not a regular file; something has put another in its place, remove it`;
}

/** The text of a regular file of so many bytes at most; undefined for everything else. */
export function readRegularFile(path: string, bytesMax: number): string | undefined {
  const descriptor = openRegularFile(path, "read");
  if (typeof descriptor === "string") return undefined;
  try {
    const { size } = fstatSync(descriptor);
    if (size > bytesMax) return undefined;
    const bytes = Buffer.alloc(size);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes));
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
