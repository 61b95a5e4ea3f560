// SPDX-License-Identifier: MIT
// What went wrong with a result file, in words that say what to do. Errors of results are values:
// a run that cannot be written down still ends in order.

/** The error a run carries when a result could not be written. */
export interface OutputError {
  readonly code: "OUTPUT";
  readonly message: string;
}

const remedies: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "no space left on the device; free some or choose another directory with --out"],
  ["EDQUOT", "the disk quota is used up; free some or choose another directory with --out"],
  ["EROFS", "the file system is read-only; choose another directory with --out"],
  ["EACCES", "permission denied; choose a directory you may write to with --out"],
  ["EPERM", "permission denied; choose a directory you may write to with --out"],
  ["ENOENT", "the directory does not exist (removed during the run?); choose another with --out"],
  ["ENOTDIR", "a part of the path is not a directory; choose another directory with --out"],
  ["EISDIR", "there is a directory of that name; remove it or choose another with --out"],
  ["EMFILE", "too many open files; raise the limit (`ulimit -n`) and run again"],
  ["EIO", "the device reported an error; choose a directory on another disk with --out"],
]);

/** Describes a failure to write `path`. */
export function outputError(path: string, error: unknown): OutputError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason =
    remedies.get(code) ??
    `${error instanceof Error ? error.message : String(error)}; try another directory with --out`;
  return { code: "OUTPUT", message: `cannot write ${path}: ${reason}` };
}
