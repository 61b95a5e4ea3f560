// SPDX-License-Identifier: MIT
// What a name of the file of a log stands for, asked before anything opens it.
import { statSync } from "node:fs";
import { errorText } from "../core/text.ts";
import { LogError } from "./log.ts";

/**
 * A pipe would hold up the process for ever before SQLite says anything, and of a device it says
 * that the disk fails. What is not there, or a directory, is left to it.
 * @throws LogError (definite)
 */
export function checkKind(file: string): void {
  let isOther: boolean;
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    isOther = stats !== undefined && !stats.isFile() && !stats.isDirectory();
  } catch (error) {
    const message = `cannot open ${file}: ${errorText(error)}; check the path, or name another file`;
    throw new LogError(message, { definite: true });
  }
  if (!isOther) return;
  const message = `${file} is a pipe, a device or a socket; name a file`;
  throw new LogError(message, { definite: true });
}
