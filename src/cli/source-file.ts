// SPDX-License-Identifier: MIT
// The text of an experiment file or a catalogue: a regular file, or standard input, never more than
// an experiment file may have. A pipe by name is refused: reading it could wait for ever.

import { constants } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { isProgramFile } from "../boss/file-language.ts";
import { decode } from "../boss/read-beside.ts";
import { fileBytesMax } from "../experiment/index.ts";
import { exitCodes } from "./exit-codes.ts";
import { LoadError } from "./load-error.ts";
import { readProgram } from "./typescript-file.ts";

export { LoadError } from "./load-error.ts";

/** Some of what the kernel calls a regular file waits for more, as /proc/kmsg does. */
export const withoutWaiting: number = constants.O_RDONLY | constants.O_NONBLOCK;

/** Names of standard input. */
const standardInput: ReadonlySet<string> = new Set(["-", "/dev/stdin"]);

/** Standard input gives its text once, and a series reads its file for each run. */
let inputText: Promise<string> | undefined;

/**
 * @returns the text, of a TypeScript file the YAML it comes to: UTF-8, or one character per byte.
 * @throws LoadError
 */
export async function readSource(file: string): Promise<string> {
  try {
    if (standardInput.has(file)) {
      inputText ??= readStandardInput(file);
      return await inputText;
    }
    const status = await stat(file);
    if (!status.isFile() && !status.isDirectory()) {
      const message = `${file}: it is not a regular file; write it to a file first`;
      throw new LoadError(message, exitCodes.noInput);
    }
    // The size is asked for first: a huge file must not be read to be refused.
    if (status.size > fileBytesMax) throw tooLarge(file, `${status.size} bytes are`);
    if (status.isFile() && isProgramFile(file)) return await readProgram(file);
    return decode(await readFile(file, { flag: withoutWaiting }));
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw new LoadError(`${file}: ${reasonOf(error)}`, exitCodes.noInput);
  }
}

async function readStandardInput(file: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > fileBytesMax) throw tooLarge(file, "this is");
    chunks.push(chunk);
  }
  return decode(Buffer.concat(chunks));
}

function tooLarge(file: string, what: string): LoadError {
  const limit = fileBytesMax / 1024 / 1024;
  const help = "make it shorter with loops and procedures";
  const message = `${file}: ${what} more than the ${limit} MiB an experiment file may have; ${help}`;
  return new LoadError(message, exitCodes.failed);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; check the path",
  EACCES: "no permission to read it; check its mode with ls -l",
  EISDIR: "it is a directory; name the file inside it",
  ENOTDIR: "a part of the path is not a directory; check the path",
  ELOOP: "too many symbolic links; check the path",
  EAGAIN: "it has no end; write what is in it to a file first",
  ENAMETOOLONG: "the name is too long; check the path",
};

/** Why a file could not be read, and what to do. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return reasons[code] ?? `it cannot be read: ${error instanceof Error ? error.message : error}`;
}
