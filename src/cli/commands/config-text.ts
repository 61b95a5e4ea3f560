// SPDX-License-Identifier: MIT
// The text of a configuration file: a file, or what comes on a pipe while a bounded time passes,
// such as of a shell's `<(COMMAND)`. It is read before anything is started.
//
//   C1. Nobody is waited for without end, and no more is read than is asked for.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isatty } from "node:tty";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { reasonOf } from "../source-file.ts";

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

/** For whoever writes to a pipe to be done. */
const pipeMs = 10_000;
const lookMs = 20;

/** @throws CommandError */
export function readConfigText(file: string, bytesMax: number, limitMs: number = pipeMs): string {
  try {
    // With a pipe by name this does not wait for one who writes.
    const descriptor = openSync(file, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    try {
      if (isatty(descriptor)) throw new Refusal("it is a terminal; write it to a file first");
      return readAtMost(descriptor, bytesMax, limitMs);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const why = error instanceof Refusal ? error.message : reasonOf(error);
    throw new CommandError(exitCodes.noInput, `cannot read ${file}: ${why}`);
  }
}

class Refusal extends Error {}

function readAtMost(descriptor: number, bytesMax: number, limitMs: number): string {
  const isPipe = fstatSync(descriptor).isFIFO();
  const bytes = Buffer.alloc(bytesMax);
  let length = 0;
  // Time that was waited: who was stopped meanwhile has not waited.
  for (let waitedMs = 0; length < bytesMax; ) {
    const count = readSome(descriptor, bytes.subarray(length));
    length += count ?? 0;
    // A pipe that nobody has written to may have its writer yet to come.
    const isAwaited = count === undefined || (count === 0 && isPipe && length === 0);
    if (count === 0 && !isAwaited) break;
    if (!isAwaited) continue;
    if (waitedMs >= limitMs) {
      const why = `nobody has written all of it within ${limitMs / 1_000} s`;
      throw new Refusal(`${why}; write it to a file first`);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lookMs);
    waitedMs += lookMs;
  }
  return bytes.toString("utf8", 0, length);
}

/** @returns undefined when there may be more, and is not yet. */
function readSome(descriptor: number, into: Uint8Array): number | undefined {
  try {
    return readSync(descriptor, into, 0, into.length, null);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return undefined;
    throw error;
  }
}
