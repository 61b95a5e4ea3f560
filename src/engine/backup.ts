// SPDX-License-Identifier: MIT
// A backup of a log with what lies beside it: a directory with a file for each, and a list of them
// with their hashes. Owns that form; what is in the files is the business of sqlite-backup.ts and
// nats-backup.ts.
//
//   A1. The directory has its name when all is in it and on the disk: what is there is whole.
//   A2. Nothing is restored of a backup that is not what was written.
//   A3. A list of several logs has a format of its own, so that none of them is passed over by who
//       reads one: format and number of logs must agree.
//   A4. Two that make one backup at a time share no file: each fills a folder of its own, and one
//       of them gets the name.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errorText } from "../core/text.ts";
import { LogError } from "./log.ts";

/** Of a backup of one log, and of one of several; a newer one is refused. */
const backupFormats = { one: 1, several: 2 } as const;

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

/** One log. */
export interface BackedUpLog {
  /** The entries that are in it; the state before the first is in a snapshot. */
  readonly first: number;
  readonly head: number;
  readonly files: Readonly<Record<BackupPart, BackupFile>>;
}

export interface BackupList extends BackedUpLog {
  readonly format: number;
  readonly kind: "sqlite" | "nats";
  /** The log's name, without secrets. */
  readonly of: string;
  /** Milliseconds since 1970. */
  readonly madeMs: number;
  /** Of a cluster with several logs those behind the first, each in a directory `shard-N`. */
  readonly others?: readonly BackedUpLog[];
}

/** What was copied of one log. */
export interface SavedLog {
  readonly first: number;
  readonly head: number;
  /** What is needed to restore each file besides its bytes. */
  readonly about?: Readonly<Partial<Record<BackupPart, unknown>>>;
}

/** What was copied; that it belongs to one log or to several. */
export interface SavedLogs extends SavedLog {
  readonly kind: BackupList["kind"];
  readonly of: string;
  readonly others?: readonly SavedLog[];
}

const listName = "backup.json";
/** So old is what somebody left who was killed, and not what somebody is making. */
const leftMs = 86_400_000;

/** Where the files of one of several logs are. */
export function folderOfShard(folder: string, shard: number): string {
  return shard === 0 ? folder : join(folder, `shard-${shard}`);
}

/** The logs of a backup, by shard. */
export function logsOf(list: BackupList): readonly BackedUpLog[] {
  return [list, ...(list.others ?? [])];
}

/**
 * Makes a backup. `fill` writes the files into the directory that it is given.
 * @throws LogError (definite) when there is something, or it cannot be made; nothing is left then
 */
export async function makeBackup(
  directory: string,
  fill: (folder: string) => Promise<SavedLogs>,
  madeMs: number,
): Promise<BackupList> {
  const target = resolve(directory);
  const prefix = `.${basename(target)}.partial-`;
  const notEmpty = `${directory} is not empty; name a directory that is not there`;
  let folder: string | undefined;
  try {
    if ((await entriesOf(target)) > 0) throw new LogError(notEmpty, { definite: true });
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await removeLeft(dirname(target), prefix, madeMs);
    // A4. What clients said to each other is not for every user of the machine: 0700.
    folder = await mkdtemp(join(dirname(target), prefix));
    const { kind, of, others: saved = [], ...first } = await fill(folder);
    const [one, ...others] = await measureAll(folder, [first, ...saved]);
    const format = others.length === 0 ? backupFormats.one : backupFormats.several;
    const more = others.length === 0 ? {} : { others };
    const list = { format, madeMs, kind, of, ...one, ...more } as BackupList;
    await writeFile(join(folder, listName), `${JSON.stringify(list, null, 2)}\n`);
    await sync(join(folder, listName));
    await sync(folder);
    // Takes the place of an empty directory, and of nothing else.
    await rename(folder, target);
    await sync(dirname(target));
    return list;
  } catch (error) {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    if (error instanceof LogError) throw error;
    const isTaken = isCode(error, "ENOTEMPTY") || isCode(error, "EEXIST");
    if (isTaken) throw new LogError(notEmpty, { definite: true, cause: error });
    const why = errorText(error);
    throw new LogError(`the backup cannot be written: ${why}`, { definite: true, cause: error });
  }
}

/** What those have left of this backup who were killed. One that still writes there fails (A1). */
async function removeLeft(parent: string, prefix: string, nowMs: number): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const left = join(parent, name);
    const since = await stat(left).catch(() => undefined);
    if (since === undefined || nowMs - since.mtimeMs < leftMs) continue;
    // In one step, so that it gets its name whole or not at all.
    const away = join(parent, `${prefix}gone-${name.slice(prefix.length)}`);
    await rename(left, away).catch(() => undefined);
    await rm(away, { recursive: true, force: true });
  }
}

/** What is in the files of each, which are on the disk then. */
async function measureAll(
  folder: string,
  saved: readonly SavedLog[],
): Promise<readonly BackedUpLog[]> {
  const found: BackedUpLog[] = [];
  for (const [shard, { first, head, about }] of saved.entries()) {
    const files: Partial<Record<BackupPart, BackupFile>> = {};
    for (const part of backupParts) {
      const path = join(folderOfShard(folder, shard), part);
      files[part] = { ...(await measure(path)), about: about?.[part] };
      await sync(path);
    }
    await sync(folderOfShard(folder, shard));
    found.push({ first, head, files: files as BackedUpLog["files"] });
  }
  return found;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => !isCode(error, "ENOENT"),
  );
}

/** There is nothing of the name of a backup. */
export class NoSuchBackup extends LogError {
  constructor(directory: string, cause: unknown) {
    const message = `${directory} is not there; name the directory that muster backup has made`;
    super(message, { definite: true, cause });
  }
}

/** What is in a backup, compared with its hashes (A2). @throws LogError (definite) */
export async function readBackup(directory: string): Promise<BackupList> {
  const wrong = (why: string): LogError => new LogError(why, { definite: true });
  let list: BackupList;
  try {
    await sizeOf(join(directory, listName));
    const text = await readFile(join(directory, listName), "utf8");
    // What is no object has none of the members of one.
    list = Object(JSON.parse(text)) as BackupList;
  } catch (error) {
    const why = errorText(error);
    if (!(await isThere(directory))) throw new NoSuchBackup(directory, error);
    throw wrong(`${directory} is no backup of Muster, or is damaged (${why})`);
  }
  if (list.format > backupFormats.several) {
    const what = `format ${list.format}, this one reads ${backupFormats.several}`;
    throw wrong(`${directory} was made by a newer Muster (${what}); use that version`);
  }
  const objection = objectionTo(list);
  if (objection !== undefined)
    throw wrong(`${directory} is damaged: ${objection}; use another one`);
  for (const [shard, { files }] of logsOf(list).entries()) {
    const which = shard === 0 ? "" : `shard-${shard}/`;
    for (const part of backupParts) {
      const found = await measure(join(folderOfShard(directory, shard), part)).catch(() => null);
      const isSame = found?.hash === files[part].hash;
      if (isSame) continue;
      const what = found === null ? "is missing or no file" : "is not what was written";
      throw wrong(`${directory} is damaged: ${which}${part} ${what}; use another one`);
    }
  }
  return list;
}

/** A3, and what is read of a list before anything is done by it. */
function objectionTo(list: BackupList): string | undefined {
  const { format, kind, others } = list;
  if (format !== backupFormats.one && format !== backupFormats.several) {
    return `${listName} has no format`;
  }
  if (kind !== "sqlite" && kind !== "nats") return `${listName} says of no log what it is`;
  if (others !== undefined && (!Array.isArray(others) || others.length === 0)) {
    return `${listName} has others that are no logs`;
  }
  if (format === backupFormats.several && others === undefined) {
    return `${listName} has the format of several logs (${format}), and names one`;
  }
  if (format === backupFormats.one && others !== undefined) {
    return `${listName} has the format of one log (${format}), and names ${others.length + 1}`;
  }
  if (kind === "sqlite" && others !== undefined) {
    return `${listName} names several logs, and a log in a file is one`;
  }
  const isWhole = logsOf(list).every((log) =>
    backupParts.every((part) => typeof log?.files?.[part]?.hash === "string"),
  );
  if (!isWhole) return `${listName} does not name every file of a log with its hash`;
  if (kind === "sqlite" || logsOf(list).every(saysStreams)) return undefined;
  return `${listName} does not say of every file which stream it is`;
}

/** What NATS is told when it is to take them again. */
function saysStreams({ files }: BackedUpLog): boolean {
  return backupParts.every((part) => {
    const { config, state } = Object(files[part].about) as Readonly<Record<string, unknown>>;
    return typeof Object(config).name === "string" && typeof Object(state).last_seq === "number";
  });
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
  const bytes = await sizeOf(path);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { bytes, hash: hash.digest("hex") };
}

/** Reading a pipe would wait for who writes into it. @throws Error for what is no regular file */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isFile()) throw new Error(`${path} is no regular file`);
  return found.size;
}

async function entriesOf(folder: string): Promise<number> {
  try {
    return (await readdir(folder)).length;
  } catch (error) {
    if (isCode(error, "ENOENT")) return 0;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
