// SPDX-License-Identifier: MIT
// A small file that a user of a command has named.
import { errorText } from "../core/text.ts";
import { readSmallFile } from "../host/small-file.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError } from "./io.ts";

/** @throws CommandError */
export function readNamedFile(file: string): string {
  try {
    return readSmallFile(file);
  } catch (error) {
    const why = errorText(error);
    throw new CommandError(exitCodes.noInput, `cannot read ${file}: ${why}`);
  }
}
