// SPDX-License-Identifier: MIT
// Makes the directory that results go to, or says in a sentence why it cannot be.
import { accessSync, constants, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { errorText } from "../core/text.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError } from "./io.ts";

/**
 * A directory of its own, empty and writable; those above it are made as needed.
 *
 * @returns its absolute path.
 * @throws CommandError when it cannot be made or holds something already.
 */
export function makeOutputDirectory(path: string): string {
  const out = resolve(path);
  const problem = makeLevels(out) ?? unusable(out);
  if (problem !== undefined) {
    throw new CommandError(
      exitCodes.cannotCreate,
      `cannot make the output directory ${out}: ${problem}; choose another with --out`,
    );
  }
  if (readdirSync(out).length === 0) return out;
  throw new CommandError(
    exitCodes.cannotCreate,
    `${out} is not empty, and results are never overwritten; remove it or choose another with --out`,
  );
}

/** Level by level: the recursive call of the platform never returns where /proc answers ENOENT. */
function makeLevels(out: string): string | undefined {
  const absent: string[] = [];
  let existing = out;
  while (!existsSync(existing)) {
    absent.push(existing);
    existing = dirname(existing);
  }
  for (const level of absent.reverse()) {
    try {
      mkdirSync(level);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (code !== "EEXIST") return describe(code, dirname(level), error);
    }
  }
  return undefined;
}

function unusable(out: string): string | undefined {
  if (!statSync(out).isDirectory()) return "there is a file of that name";
  try {
    accessSync(out, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch {
    return "you may not write to it";
  }
}

function describe(code: string, above: string, error: unknown): string {
  switch (code) {
    case "EACCES":
    case "EPERM":
      return `you may not write to ${above}`;
    case "EROFS":
      return `the file system of ${above} is read-only`;
    case "ENOENT":
      return `nothing can be made in ${above}`;
    case "ENOTDIR":
      return `${above} is not a directory`;
    case "ENOSPC":
    case "EDQUOT":
      return "no space is left on the device";
    case "ENAMETOOLONG":
      return "the name is too long";
    default:
      return errorText(error);
  }
}
