// SPDX-License-Identifier: MIT
// The experiment file of a command that the daemon carries out: read where the user is, judged by
// the daemon, so that there is one truth about it.
import { readFile, stat } from "node:fs/promises";
import { isProgramFile } from "../../boss/file-language.ts";
import { decode } from "../../boss/index.ts";
import { fileBytesMax } from "../../experiment/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { LoadError } from "../load-error.ts";
import { reasonOf, withoutWaiting } from "../source-file.ts";
import { readProgram } from "../typescript-file.ts";

/** `NAME=VALUE` of `--set`. @throws CommandError */
export function parsePreset(text: string): readonly [string, string] {
  const cut = text.indexOf("=");
  if (cut > 0) return [text.slice(0, cut), text.slice(cut + 1)];
  const message = `--set ${text}: write --set 'opt(NAME)=VALUE' or --set NAME=VALUE`;
  throw new CommandError(exitCodes.usage, message);
}

/** @throws CommandError when it cannot be read or is too large to be an experiment file. */
export async function readExperimentFile(file: string): Promise<string> {
  try {
    // The size is asked for first: a huge file must not be read to be refused.
    const status = await stat(file);
    const { size } = status;
    if (!status.isFile() && !status.isDirectory()) {
      const message = `${file}: it is not a regular file; write it to a file first`;
      throw new CommandError(exitCodes.noInput, message);
    }
    if (size <= fileBytesMax && isProgramFile(file)) return await readProgram(file);
    if (size <= fileBytesMax) return decode(await readFile(file, { flag: withoutWaiting }));
    const message =
      `${file}: ${size} bytes are more than the ${fileBytesMax} an experiment file may have; ` +
      "make it shorter with loops and procedures";
    throw new CommandError(exitCodes.refused, message);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof LoadError) throw new CommandError(error.exitCode, error.message);
    throw new CommandError(exitCodes.noInput, `${file}: ${reasonOf(error)}`);
  }
}
