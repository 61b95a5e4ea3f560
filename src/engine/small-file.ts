// SPDX-License-Identifier: MIT
// A file that holds a key, a token, certificates or a name: never more of it is read than such a
// file has, and a pipe that nobody writes to holds nobody up. A pipe that is written to is one, as
// shells have for the output of a command.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** More than the certificates of every authority of a machine have. */
const smallFileBytesMax = 2 * 1024 * 1024;
/** How long a pipe may say nothing, milliseconds: signals are not heard meanwhile. */
const pipeMsMax = 5_000;
const napMs = 5;

/**
 * @param patienceMs for a pipe that says nothing
 * @throws Error of the system, or one that says that it is too large, or that nothing comes
 */
export function readSmallFile(file: string, patienceMs: number = pipeMsMax): string {
  // Without the flag a pipe that nobody has opened to write holds up the whole process.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const isPipe = fstatSync(fd).isFIFO();
    const chunks: Buffer[] = [];
    for (let [bytes, leftMs] = [0, patienceMs]; ; ) {
      const chunk = Buffer.alloc(64 * 1024);
      const read = readNow(fd, chunk);
      if (read === 0 && !(isPipe && bytes === 0)) return Buffer.concat(chunks).toString("utf8");
      if (read === 0 || read === undefined) {
        if (leftMs <= 0) throw new Error("it is no file, and nothing comes from it");
        leftMs -= napMs;
        nap();
        continue;
      }
      bytes += read;
      if (bytes > smallFileBytesMax) throw new Error("it is larger than 2 MiB");
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
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
