// SPDX-License-Identifier: MIT
// A backup of a log with what lies beside it: a directory with a file for each, and a list of them
// with their hashes. Owns that form; what is in the files is the business of sqlite-backup.ts and
// nats-backup.ts.
//
//   A1. The directory has its name when all is in it and on the disk: what is there is whole.
//   A2. Nothing is restored of a backup that is not what was written.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { LogError } from "./log.ts";

/** A newer one is refused. */
export const backupFormat = 1;

/** What a backup has a file of. */
export const backupParts = ["log", "topics", "snapshots"] as const;
export type BackupPart = (typeof backupParts)[number];

export interface BackupFile {
  readonly bytes: number;
  /** SHA-256, hex. */
  readonly hash: string;
  /** What is needed to restore it besides its bytes. */
  readonly about?: unknown;
}

export interface BackupList {
  readonly format: number;
  readonly kind: "sqlite" | "nats";
  /** The log's name, without secrets. */
  readonly of: string;
  /** Milliseconds since 1970. */
  readonly madeMs: number;
  /** The entries that are in it; the state before the first is in a snapshot. */
  readonly first: number;
  readonly head: number;
  readonly files: Readonly<Record<BackupPart, BackupFile>>;
}

const listName = "backup.json";

/**
 * Makes a backup. `fill` writes the files into the directory that it is given.
 * @throws LogError (definite) when there is something, or it cannot be made; nothing is left then
 */
export async function makeBackup(
  directory: string,
  fill: (folder: string) => Promise<Omit<BackupList, "format" | "files" | "madeMs"> & About>,
  madeMs: number,
): Promise<BackupList> {
  const target = resolve(directory);
  const folder = join(dirname(target), `.${basename(target)}.partial`);
  try {
    if ((await entriesOf(target)) > 0) {
      throw new LogError(`${directory} is not empty; name a directory that is not there`, {
        definite: true,
      });
    }
    await rm(folder, { recursive: true, force: true });
    // What clients said to each other is not for every user of the machine.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { about, ...rest } = await fill(folder);
    const files: Partial<Record<BackupPart, BackupFile>> = {};
    for (const part of backupParts) {
      files[part] = { ...(await measure(join(folder, part))), about: about?.[part] };
    }
    const list = { format: backupFormat, madeMs, ...rest, files } as BackupList;
    await writeFile(join(folder, listName), `${JSON.stringify(list, null, 2)}\n`);
    for (const name of [...backupParts, listName]) await sync(join(folder, name));
    await sync(folder);
    await rm(target, { recursive: true, force: true });
    await rename(folder, target);
    await sync(dirname(target));
    return list;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    if (error instanceof LogError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new LogError(`the backup cannot be written: ${why}`, { definite: true, cause: error });
  }
}

interface About {
  readonly about?: Readonly<Partial<Record<BackupPart, unknown>>>;
}

/** What is in a backup, compared with its hashes (A2). @throws LogError (definite) */
export async function readBackup(directory: string): Promise<BackupList> {
  const wrong = (why: string): LogError => new LogError(why, { definite: true });
  let list: BackupList;
  try {
    list = JSON.parse(await readFile(join(directory, listName), "utf8")) as BackupList;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw wrong(`${directory} is no backup of Muster, or is damaged (${why})`);
  }
  if (list.format > backupFormat) {
    const what = `format ${list.format}, this one reads ${backupFormat}`;
    throw wrong(`${directory} was made by a newer Muster (${what}); use that version`);
  }
  for (const part of backupParts) {
    const [said, found] = [
      list.files[part],
      await measure(join(directory, part)).catch(() => null),
    ];
    if (found === null) throw wrong(`${directory} is damaged: ${part} is missing; use another one`);
    if (found.hash !== said.hash) {
      throw wrong(`${directory} is damaged: ${part} is not what was written; use another one`);
    }
  }
  return list;
}

/** Writes what was written to the disk. */
export async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function measure(path: string): Promise<BackupFile> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { bytes: (await stat(path)).size, hash: hash.digest("hex") };
}

async function entriesOf(folder: string): Promise<number> {
  try {
    return (await readdir(folder)).length;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}
