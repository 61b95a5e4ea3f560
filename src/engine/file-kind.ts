// SPDX-License-Identifier: MIT
// What a name of the file of a log stands for, asked before anything opens it.
import { lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
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

/**
 * The one name that a file has behind symbolic links, also of one that is not there yet: what lies
 * beside it, its lock above all, is the same by whichever name it was given. What is no file keeps
 * its name, by which it is refused.
 */
export function realName(file: string): string {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats !== undefined) return stats.isFile() ? realpathSync(file) : file;
    const target = lstatSync(file, { throwIfNoEntry: false }) && readlinkSync(file);
    if (target !== undefined) return realName(resolve(dirname(file), target));
    return join(realpathSync(dirname(file)), basename(file));
  } catch {
    // A folder that is not there, a circle of links: it is said when it is opened.
    return file;
  }
}

/** SQLite would keep a write-ahead log for each of its names. @throws LogError (definite) */
export function checkLinks(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile() || stats.nlink < 2) return;
  const what = `${file} has another name as well (a hard link), by which another server may have it`;
  const help = "remove the other name, or copy the file and name the copy";
  throw new LogError(`${what}; ${help}`, { definite: true });
}
