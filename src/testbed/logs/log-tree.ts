// SPDX-License-Identifier: MIT
// Walks over a directory of logs and makes directories for copies. Programs of the experiment may
// write to both, so nothing here follows a link or opens what is no regular file.
import { constants, type Stats } from "node:fs";
import { lstat, mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { newRunId } from "../../host/ids.ts";
import { isPassing } from "../agents/program-files.ts";

/** Files below one directory of logs; more are a program that went wild. */
export const logFilesMax = 100_000;
/** Directories within each other below it. */
export const logDepthMax = 32;
/** Begins the name of a file that is being written; such names are no logs. */
export const partialPrefix = ".loghole-";
/** Such a name. Process numbers would not do: nodes with name spaces have the same ones. */
export const newPartialName = (): string => `${partialPrefix}${newRunId()}`;

export interface LogEntry {
  /** Relative to the directory, with `/`. */
  readonly path: string;
  readonly kind: "file" | "link";
  readonly stats: Stats;
}

export interface LogTree {
  readonly entries: readonly LogEntry[];
  /** Sentences. */
  readonly problems: readonly string[];
}

/** Files and links below a directory in the order of their paths; none of no directory. */
export async function readLogTree(
  root: string | undefined,
  filesMax: number = logFilesMax,
): Promise<LogTree> {
  if (root === undefined) return { entries: [], problems: [] };
  const entries: LogEntry[] = [];
  const problems: string[] = [];
  await walk(root, "", { entries, problems, filesMax, depth: 0 });
  return { entries, problems: [...new Set(problems)] };
}

interface Walk {
  readonly entries: LogEntry[];
  readonly problems: string[];
  readonly filesMax: number;
  readonly depth: number;
}

async function walk(root: string, folder: string, state: Walk): Promise<void> {
  const { entries, problems, filesMax, depth } = state;
  const names = await readdir(join(root, folder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") problems.push(`${join(root, folder)}: ${error.message}`);
    return [];
  });
  for (const name of names.sort()) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (name.startsWith(partialPrefix) || isPassing(name)) continue;
    if (entries.length >= filesMax) {
      problems.push(`${root}: more than ${filesMax} files, the rest is left out; remove some`);
      return;
    }
    const stats = await lstat(join(root, path)).catch(() => undefined);
    // Gone since it was listed.
    if (stats === undefined) continue;
    if (stats.isFile()) entries.push({ path, kind: "file", stats });
    else if (stats.isSymbolicLink()) entries.push({ path, kind: "link", stats });
    else if (!stats.isDirectory()) {
      problems.push(`${join(root, path)}: neither a file nor a link, so it is left out`);
    } else if (depth < logDepthMax) await walk(root, path, { ...state, depth: depth + 1 });
    else problems.push(`${join(root, path)}: deeper than ${logDepthMax} directories, left out`);
  }
}

/** A directory that stays the one that was found, whatever is put in its place. */
export interface HeldDirectory {
  /** For this process and those that it starts, while it is held. */
  readonly at: string;
  /** For people. */
  readonly path: string;
}

/**
 * Makes the directories `parts` below `root`, which exists, one within the other, and lends the
 * last. Each is opened from the one above it and no link is followed: a program that puts another
 * in its place meanwhile has no say in where something is written.
 *
 * @throws Error with a sentence where one of them is something else; what `use` throws.
 */
export async function withDirectories<Result>(
  root: string,
  parts: readonly string[],
  use: (directory: HeldDirectory) => Promise<Result>,
): Promise<Result> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  let [path, held] = [root, await open(root, O_RDONLY | O_DIRECTORY)];
  // The number of the process, and not `self`: tar finds it by the same name.
  const at = (): string => `/proc/${process.pid}/fd/${held.fd}`;
  try {
    for (const part of parts) {
      path = join(path, part);
      await mkdir(join(at(), part)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
      const next = await open(join(at(), part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(() => {
        const what = "something has put another in its place, remove it";
        throw new Error(`${path} is not a directory; ${what}`);
      });
      await held.close();
      held = next;
    }
    return await use({ at: at(), path });
  } finally {
    await held.close();
  }
}

/**
 * The directory `parts` below `root`, or undefined where it, or one above it, is something else.
 */
export async function existingDirectory(
  root: string,
  parts: readonly string[],
): Promise<string | undefined> {
  let path = root;
  for (const part of parts) {
    path = join(path, part);
    const stats = await lstat(path).catch(() => undefined);
    if (stats?.isDirectory() !== true) return undefined;
  }
  return path;
}
