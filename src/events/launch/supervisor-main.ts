// SPDX-License-Identifier: MIT
// The supervisor as a process: started by the launcher, outlives it, names itself in the pid file.
// It gets what to do as one JSON argument, reads what the scheduler is to find from a line of its
// standard input, and says on descriptor 3 how the first start went. An attendant is told on
// standard output, and is gone when standard input ends: then the scheduler ends, too.
import { closeSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import type { Account } from "./account.ts";
import type { ExperimentName } from "./experiment-name.ts";
import { closeInheritedDescriptors } from "./inherited-descriptors.ts";
import type { LaunchLimits } from "./launch-limits.ts";
import { PidFile } from "./pid-file.ts";
import { identifyProcess } from "./process-identity.ts";
import { rotateLog, writeNote } from "./scheduler-log.ts";
import { prepareSetting, type SchedulerSetting } from "./scheduler-setting.ts";
import { startAs } from "./supervised-process.ts";
import { type Epoch, type StartOutcome, Supervisor, type SupervisorEnd } from "./supervisor.ts";

export interface Supervision {
  readonly experiment: ExperimentName;
  readonly runDirectory: string;
  /** Absent: the user of this process. */
  readonly account?: Account;
  /** The scheduler and its arguments. */
  readonly argv: readonly string[];
  /** What runs beside it, as the same user: each a command with a name for the log. */
  readonly companions: readonly Companion[];
  readonly log: string;
  readonly epoch: Epoch;
  readonly limits: LaunchLimits;
  readonly isAttended: boolean;
}

/** What an attendant is told: a line of JSON each. */
export type AttendantWord =
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "end"; readonly end: SupervisorEnd };

export interface Companion {
  readonly name: string;
  readonly argv: readonly string[];
}

/** What is said on descriptor 3: one line of JSON, and the end. */
export type SupervisorAnswer = StartOutcome | { readonly kind: "failed"; readonly message: string };

const answerDescriptor = 3;
const attendantDescriptor = 1;

async function main(supervision: Supervision): Promise<void> {
  const { experiment, account, argv, limits } = supervision;
  closeInheritedDescriptors(answerDescriptor);
  const input = createInterface({ input: process.stdin });
  let stopAlone = (): void => undefined;
  let isAlone = false;
  input.once("close", () => {
    isAlone = supervision.isAttended;
    if (isAlone) stopAlone();
  });
  const setting = await readSetting(input);
  const tell = (word: AttendantWord): void => {
    if (supervision.isAttended) tellAttendant(word);
  };
  try {
    prepareSetting(setting, account);
    const log = rotateLog(supervision.log, account);
    const note = (text: string): void => {
      const time = new Date(systemClock.wallMs()).toISOString();
      writeNote(log, `${time} supervisor[${process.pid}]: ${text}`);
      tell({ kind: "note", text });
    };
    const self = identifyProcess(process.pid);
    if (self === undefined) throw new Error("/proc is not mounted on this machine; mount it");
    const supervise = (
      { name, argv }: Companion,
      report: (outcome: StartOutcome) => void,
    ): Supervisor => {
      const start = (epoch: Epoch) => startAs(account, argv, log, epoch);
      return new Supervisor({ clock: systemClock, ...{ name, limits, note, report, start } });
    };
    const companions = supervision.companions.map((one) =>
      supervise(one, (outcome) => note(`${one.name} ${describeOutcome(outcome)}`)),
    );
    const ends: Promise<unknown>[] = [];
    const scheduler = supervise({ name: "the scheduler", argv }, (outcome) => {
      answer(outcome);
      if (outcome.kind === "started") ends.push(...companions.map((one) => one.run("new")));
    });
    const stopCompanions = (): void => {
      if (ends.length > 0) for (const one of companions) one.stop();
    };
    const stop = (): void => {
      scheduler.stop();
      stopCompanions();
    };
    for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, stop);
    process.on("SIGHUP", () => undefined);
    const file = new PidFile(supervision.runDirectory, experiment);
    file.write(self);
    stopAlone = stop;
    const running = scheduler.run(supervision.epoch);
    if (isAlone) stop();
    const end = await running;
    tell({ kind: "end", end });
    stopCompanions();
    await Promise.all(ends);
    if (end === "stopped") note("all has ended");
    // Nobody died: who wanted the scheduler wants it no more.
    if (isAlone) file.removeOwn(self);
  } catch (error) {
    answer({ kind: "failed", message: errorText(error) });
  }
}

/** The first line; nothing when there is none. */
function readSetting(input: ReturnType<typeof createInterface>): Promise<SchedulerSetting> {
  return new Promise((resolve) => {
    input.once("line", (line) => resolve(JSON.parse(line) as SchedulerSetting));
    input.once("close", () => resolve({}));
  });
}

function tellAttendant(word: AttendantWord): void {
  try {
    writeSync(attendantDescriptor, `${JSON.stringify(word)}\n`);
  } catch {
    // It is gone, which standard input says.
  }
}

function describeOutcome(outcome: StartOutcome): string {
  return outcome.kind === "started" ? "runs" : outcome.how;
}

function answer(what: SupervisorAnswer): void {
  try {
    writeSync(answerDescriptor, `${JSON.stringify(what)}\n`);
    closeSync(answerDescriptor);
  } catch {
    // The launcher is gone; the log says the same.
  }
}

await main(JSON.parse(process.argv[2] ?? "") as Supervision);
// What a scheduler has left behind elsewhere may hold its descriptors, and with them this process.
process.exit();
