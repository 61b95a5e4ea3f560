// SPDX-License-Identifier: MIT
// A file that holds a key, a token, certificates or a name: never more of it is read than such a
// file has, and a pipe that nobody writes to holds nobody up. A pipe that is written to is one, as
// shells have for the output of a command.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** More than the certificates of every authority of a machine have. */
const smallFileBytesMax = 2 * 1024 * 1024;
/** How long a pipe may say nothing, milliseconds: signals are not heard meanwhile. */
const pipeMsMax = 5_000;
const chunkBytes = 64 * 1024;
const napMs = 5;

/**
 * @param patienceMs for a pipe that says nothing
 * @throws Error of the system, or one that says that it is too large, or that nothing comes
 */
export function readSmallFile(file: string, patienceMs: number = pipeMsMax): string {
  const fd = openWithoutWaiting(file);
  try {
    const bytes = readPatiently(fd, smallFileBytesMax + 1, patienceMs);
    if (bytes === undefined) throw new Error("it is no file, and nothing comes from it");
    if (bytes.length > smallFileBytesMax) throw new Error("it is larger than 2 MiB");
    return bytes.toString("utf8");
  } finally {
    closeSync(fd);
  }
}

/**
 * Opens it to be read by `readPatiently`: a pipe that nobody has opened to write would hold up the
 * whole process. @throws Error of the system
 */
export function openWithoutWaiting(file: string): number {
  return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
}

/**
 * @param bytesMax no more is read
 * @param patienceMs waited in all for what is yet to come, by the naps that were made: who was
 *   stopped meanwhile has not waited
 * @returns undefined when not all has come in that time
 * @throws Error of the system
 */
export function readPatiently(
  fd: number,
  bytesMax: number,
  patienceMs: number,
): Buffer | undefined {
  const isPipe = fstatSync(fd).isFIFO();
  const chunks: Buffer[] = [];
  let [length, leftMs] = [0, patienceMs];
  while (length < bytesMax) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, bytesMax - length));
    const read = readNow(fd, chunk);
    // A pipe that nobody has written to may have its writer yet to come.
    if (read === 0 && !(isPipe && length === 0)) break;
    if (read === 0 || read === undefined) {
      if (leftMs <= 0) return undefined;
      leftMs -= napMs;
      nap();
      continue;
    }
    length += read;
    chunks.push(chunk.subarray(0, read));
  }
  return Buffer.concat(chunks);
}

/** @returns undefined where nothing has come yet */
function readNow(fd: number, chunk: Buffer): number | undefined {
  try {
    return readSync(fd, chunk);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return undefined;
    throw error;
  }
}

function nap(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, napMs);
}
