// SPDX-License-Identifier: MIT
// `--log NAME`, as far as the name tells what is wrong.
import { LogError } from "../engine/log.ts";
import { checkLogName } from "../engine/open-log.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError } from "./io.ts";

/** @returns it. @throws CommandError (usage) */
export function readLogName(log: string): string {
  try {
    checkLogName(log);
    return log;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    throw new CommandError(exitCodes.usage, `--log: ${error.message}`);
  }
}
