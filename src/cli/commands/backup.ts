// SPDX-License-Identifier: MIT
// `muster backup` and `muster restore`: a log with its topics and snapshots, as of one moment, in a
// directory; also while servers use it. Nothing that is there is written over.
// Exit status: 0 done, 1 it cannot be done, 64 wrong names, 65 the backup is damaged or newer, 66
// it is not there.
import { resolve } from "node:path";
import {
  type BackupList,
  logsOf,
  makeBackup,
  NoSuchBackup,
  readBackup,
} from "../../engine/backup.ts";
import { LogError } from "../../engine/log.ts";
import { maskNatsName } from "../../engine/nats-place.ts";
import { fileOf, isKeptLog, isSharedLog, natsPlace } from "../../engine/open-log.ts";
import { systemClock } from "../../host/clock.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { readLogName } from "../log-name.ts";

export interface BackupArguments {
  readonly directory: string;
  readonly log: string;
  readonly natsCreds?: string;
  readonly json: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function backupCommand(argv: BackupArguments, io: CommandIo): Promise<number> {
  const { directory, log } = argv;
  checkDirectory(directory);
  checkLog(log);
  const list = await guarded(exitCodes.failed, () =>
    makeBackup(
      directory,
      async (folder) => {
        if (isSharedLog(log)) {
          const { saveNats } = await import("../../engine/nats-backup.ts");
          const saved = await saveNats(natsPlace(log, argv), folder, systemClock);
          return { kind: "nats", of: maskNatsName(log), ...saved };
        }
        const { saveSqlite } = await import("../../engine/sqlite-backup.ts");
        const saved = await saveSqlite(fileOf(log), folder);
        return { kind: "sqlite", of: `sqlite:${fileOf(log)}`, ...saved };
      },
      systemClock.wallMs(),
    ),
  );
  tell(list, argv, io, `${resolve(directory)} has the log ${list.of} ${upTo(list)}`);
  return exitCodes.ok;
}

/** @returns the exit status. @throws CommandError */
export async function restoreCommand(argv: BackupArguments, io: CommandIo): Promise<number> {
  const { directory, log } = argv;
  checkDirectory(directory);
  checkLog(log);
  const list = await guarded(exitCodes.refused, () => readBackup(directory));
  const kind = isSharedLog(log) ? "nats" : "sqlite";
  if (list.kind !== kind) {
    const its = list.kind === "nats" ? "nats://HOST:PORT/STREAM" : "sqlite:FILE";
    const message = `${directory} is of a log at ${list.of}; it is restored to another one of its kind: --log ${its}`;
    throw new CommandError(exitCodes.usage, message);
  }
  if (kind === "nats") {
    const { checkRestored } = await import("../../engine/nats-backup.ts");
    await guarded(exitCodes.usage, async () => checkRestored(natsPlace(log, argv), list));
  }
  await guarded(exitCodes.failed, async () => {
    if (kind === "nats") {
      const { restoreNats } = await import("../../engine/nats-backup.ts");
      await restoreNats(natsPlace(log, argv), directory, list);
    } else {
      const { restoreSqlite } = await import("../../engine/sqlite-backup.ts");
      await restoreSqlite(directory, fileOf(log));
    }
  });
  tell(list, argv, io, `${maskNatsName(log)} has the log of ${list.of} ${upTo(list)}`);
  return exitCodes.ok;
}

function upTo(list: BackupList): string {
  const heads = logsOf(list).map(({ head }) => head);
  if (heads.length === 1) return `up to entry ${list.head}`;
  return `in ${heads.length} shards, up to entries ${heads.join(", ")}`;
}

function tell(list: BackupList, { json }: BackupArguments, io: CommandIo, line: string): void {
  io.stdout(json ? `${JSON.stringify(list, null, 2)}\n` : `${line}\n`);
}

/** An empty name would be that of the current directory. @throws CommandError */
function checkDirectory(directory: string): void {
  if (directory !== "") return;
  throw new CommandError(exitCodes.usage, "the directory of the backup has no name; give one");
}

/** @throws CommandError */
function checkLog(log: string): void {
  readLogName(log);
  if (isKeptLog(log)) return;
  const message =
    "a log in memory ends with its server; give --log sqlite:FILE or nats://HOST:PORT";
  throw new CommandError(exitCodes.usage, message);
}

async function guarded<T>(status: number, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    const isMissing = error instanceof NoSuchBackup;
    throw new CommandError(isMissing ? exitCodes.noInput : status, error.message);
  }
}
