// SPDX-License-Identifier: MIT
// The text of a configuration file: a file, or what comes on a pipe while a bounded time passes,
// such as of a shell's `<(COMMAND)`. It is read before anything is started.
import { closeSync } from "node:fs";
import { isatty } from "node:tty";
import { openWithoutWaiting, readPatiently } from "../../host/small-file.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { reasonOf } from "../source-file.ts";

/** For whoever writes to a pipe to be done. */
const pipeMs = 10_000;

/** @throws CommandError */
export function readConfigText(file: string, bytesMax: number, limitMs: number = pipeMs): string {
  try {
    const descriptor = openWithoutWaiting(file);
    try {
      if (isatty(descriptor)) throw new Refusal("it is a terminal; write it to a file first");
      const bytes = readPatiently(descriptor, bytesMax, limitMs);
      if (bytes !== undefined) return bytes.toString("utf8");
      const why = `nobody has written all of it within ${limitMs / 1_000} s`;
      throw new Refusal(`${why}; write it to a file first`);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const why = error instanceof Refusal ? error.message : reasonOf(error);
    throw new CommandError(exitCodes.noInput, `cannot read ${file}: ${why}`);
  }
}

class Refusal extends Error {}
