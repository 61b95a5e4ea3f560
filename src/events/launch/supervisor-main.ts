// SPDX-License-Identifier: MIT
// The supervisor as a process: started by the launcher, outlives it, names itself in the pid file.
// It gets what to do as one JSON argument, and says on descriptor 3 how the first start went.
import { closeSync, writeSync } from "node:fs";
import { systemClock } from "../../host/clock.ts";
import type { Account } from "./account.ts";
import type { ExperimentName } from "./experiment-name.ts";
import { closeInheritedDescriptors } from "./inherited-descriptors.ts";
import type { LaunchLimits } from "./launch-limits.ts";
import { PidFile } from "./pid-file.ts";
import { identifyProcess } from "./process-identity.ts";
import { rotateLog, writeNote } from "./scheduler-log.ts";
import { startAs } from "./supervised-process.ts";
import { type Epoch, type StartOutcome, Supervisor } from "./supervisor.ts";

export interface Supervision {
  readonly experiment: ExperimentName;
  readonly runDirectory: string;
  readonly account: Account;
  /** The scheduler and its arguments. */
  readonly argv: readonly string[];
  /** What runs beside it, as the same user: each a command with a name for the log. */
  readonly companions: readonly Companion[];
  readonly log: string;
  readonly epoch: Epoch;
  readonly limits: LaunchLimits;
}

export interface Companion {
  readonly name: string;
  readonly argv: readonly string[];
}

/** What is said on descriptor 3: one line of JSON, and the end. */
export type SupervisorAnswer = StartOutcome | { readonly kind: "failed"; readonly message: string };

const answerDescriptor = 3;

async function main(supervision: Supervision): Promise<void> {
  const { experiment, account, argv, limits } = supervision;
  closeInheritedDescriptors(answerDescriptor);
  try {
    const log = rotateLog(supervision.log, account);
    const note = (text: string): void => {
      const time = new Date(systemClock.wallMs()).toISOString();
      writeNote(log, `${time} supervisor[${process.pid}]: ${text}`);
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
    new PidFile(supervision.runDirectory, experiment).write(self);
    const end = await scheduler.run(supervision.epoch);
    stopCompanions();
    await Promise.all(ends);
    if (end === "stopped") note("all has ended");
  } catch (error) {
    answer({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
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
