// SPDX-License-Identifier: MIT
// Where the plan of an experiment is kept: its scheduler's log, a file of its directory or a stream
// of NATS of its own, from which a scheduler on another machine goes on. Reads what a user has
// named; what a scheduler does with the log is scheduler-process.ts.
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { LogEntry } from "../core/command.ts";
import { errorText } from "../core/text.ts";
import { type Log, type LogClock, LogError } from "../engine/log.ts";
import {
  checkLogName,
  checkSharedLog,
  isSharedLog,
  openLog,
  removePlan,
} from "../engine/open-log.ts";
import { SqliteLog } from "../engine/sqlite-log.ts";
import { readSmallFile } from "../host/small-file.ts";
import { parseExperiment } from "./launch/index.ts";

export interface PlanPlace {
  /** `pid/eid` */
  readonly experiment: string;
  /** A log on NATS; undefined: the file. */
  readonly name: string | undefined;
  readonly natsCreds: string | undefined;
  /** Where it is when it is on this machine. */
  readonly file: string;
}

export interface OpenedPlan {
  readonly log: Log;
  /** A scheduler of another machine may have it: the last one that begins goes on with it. */
  readonly isShared: boolean;
}

/** What `--plan` takes, for help texts and errors. */
export const planNames = "nats://HOST:PORT[/STREAM], or a file that has such a name";

/** The longest name of a plan in a file, bytes. */
const planFileBytesMax = 4_096;

/**
 * The name of a plan, which a file may have in place of the command line: everybody on the machine
 * can read that, and the name may have a password.
 * @throws LogError (definite) for what is no plan
 */
export function readPlanName(given: string, directory: string): string {
  if (isSharedLog(given)) return checked(given);
  if (/^(?:memory$|sqlite:)/.test(given)) throw notPlan(`--plan takes ${planNames}`);
  const path = isAbsolute(given) ? given : join(directory, given);
  let text: string;
  try {
    text = readSmallFile(path).slice(0, planFileBytesMax).trim();
  } catch (error) {
    const why = errorText(error);
    throw notPlan(`the plan's name cannot be read: ${why}; --plan takes ${planNames}`);
  }
  if (!isSharedLog(text)) throw notPlan(`${path} has no name of a plan: nats://HOST:PORT[/STREAM]`);
  return checked(text);
}

/** @throws LogError (definite), with what to do. */
export async function openPlan(place: PlanPlace, clock: LogClock): Promise<OpenedPlan> {
  const { name, file } = place;
  if (name === undefined) {
    return { log: SqliteLog.open({ file, nowUs: clock.nowUs }), isShared: false };
  }
  return { log: await openLog(name, clock, optionsOf(place)), isShared: true };
}

/**
 * Deletes it from NATS, when nobody is to go on with it. @returns whether there was one
 * @throws LogError also when a scheduler has it, unless it is forced
 */
export async function forgetPlan(place: PlanPlace, isForced: boolean): Promise<boolean> {
  if (place.name === undefined) return false;
  return await removePlan(place.name, { ...optionsOf(place), isForced });
}

/** Whether there is one; nothing is made. @throws LogError (definite), with what to do. */
export async function hasPlan(place: PlanPlace): Promise<boolean> {
  const { name, file } = place;
  return name === undefined ? existsSync(file) : await checkSharedLog(name, optionsOf(place));
}

/** What it holds, from its first entry to the last that is there now. @throws LogError */
export async function readPlan(
  { log }: OpenedPlan,
  deliver: (entry: LogEntry) => void,
): Promise<void> {
  const head = await log.head();
  if (head === 0) return;
  await new Promise<void>((resolve, reject) => {
    const deliverAll = (entries: readonly LogEntry[]): void => {
      for (const entry of entries) if (entry.sequence <= head) deliver(entry);
      if ((entries.at(-1)?.sequence ?? 0) < head) return;
      reader.stop();
      resolve();
    };
    const reader = log.read(1, deliverAll, reject);
  });
}

function optionsOf({ experiment, natsCreds }: PlanPlace) {
  if (parseExperiment(experiment) === undefined) {
    const form = "letters, digits, _ and -, at most 63";
    throw notPlan(`${experiment} cannot have a plan on NATS: each of its names has ${form}`);
  }
  return { natsCreds, plan: experiment };
}

function checked(name: string): string {
  checkLogName(name);
  return name;
}

function notPlan(message: string): LogError {
  return new LogError(message, { definite: true });
}
