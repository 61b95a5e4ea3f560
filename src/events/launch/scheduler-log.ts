// SPDX-License-Identifier: MIT
// The log file of a scheduler. It lies in a directory that the user may write to, and that may be
// on a file server where root may nothing: all is done with the rights of the user (U1), and a link
// in the place of the log leads nowhere.
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { controlCharacters, errorText } from "../../core/text.ts";
import { type Account, withRightsOf } from "./account.ts";
import { LaunchError, systemCode } from "./launch-error.ts";

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } =
  constants;

/** Read by the members of the project. */
const logMode = 0o640;

/**
 * Keeps the log before as `PATH.old` and begins a new one.
 * @returns a descriptor. @throws LaunchError (UNSAFE)
 */
export function rotateLog(path: string, account: Account | undefined): number {
  const flags = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY;
  return withRightsOf(account, () => {
    try {
      renameSync(path, `${path}.old`);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw unusable(path, account, error);
    }
    try {
      return openSync(path, flags, logMode);
    } catch (error) {
      throw unusable(path, account, error);
    }
  });
}

/** A line of ours. The user may have filled the disk: what keeps his scheduler goes on without. */
export function writeNote(log: number, line: string): void {
  try {
    writeSync(log, `${line}\n`);
  } catch {
    // Nobody else could be told.
  }
}

/** The last of the log, for a terminal; empty when it cannot be read. */
export function readLogTail(path: string, account: Account | undefined, bytesMax: number): string {
  try {
    return withRightsOf(account, () => {
      const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
      try {
        const status = fstatSync(descriptor);
        if (!status.isFile()) return "";
        const bytes = Buffer.alloc(Math.min(bytesMax, status.size));
        const length = readSync(descriptor, bytes, 0, bytes.length, status.size - bytes.length);
        return forTerminal(bytes.toString("utf8", 0, length));
      } finally {
        closeSync(descriptor);
      }
    });
  } catch {
    return "";
  }
}

function forTerminal(text: string): string {
  const lines = text.split("\n");
  return lines.map((line) => line.replace(controlCharacters, "?")).join("\n");
}

function unusable(path: string, account: Account | undefined, error: unknown): LaunchError {
  const why = errorText(error);
  const who = account?.name ?? "this user";
  const message = `${who} cannot begin the log ${path}: ${why}; make its directory, writable by ${who}`;
  return new LaunchError("UNSAFE", message);
}
