// SPDX-License-Identifier: MIT
// Tells people that the scheduler of an experiment is gone, by the mailer that reports go through.
// [EMULAB-EVENTS 7.5]
import { hostname } from "node:os";
import type { Clock } from "../host/clock.ts";
import { runLimited } from "./agents/limited-command.ts";
import { reportLimits } from "./agents/report-limits.ts";
import { splitWords } from "./agents/split-words.ts";
import { STANDARD_PATH } from "./nodes/system-programs.ts";
import { currentUser } from "./nodes/views.ts";
import type { RunOptions } from "./run-options.ts";

export interface CrashMailOptions {
  /** A command line; undefined: nobody is told. */
  readonly mailer: string | undefined;
  /** Whom the scheduler ran as; undefined: the user of this process. */
  readonly user: string | undefined;
  /** `pid/eid` */
  readonly experiment: string;
  /** Directory in which the mailer runs. */
  readonly directory: string;
  readonly clock: Clock;
}

type CrashedRun = Pick<RunOptions, "mailer" | "out" | "split" | "clock">;

/** To the user and, if that is another, to who keeps the testbed. @returns what went wrong */
export async function mailCrash(
  { mailer, user: swapper, experiment, directory, clock }: CrashMailOptions,
  message: string,
): Promise<string | undefined> {
  if (mailer === undefined) return undefined;
  const words = splitWords(mailer);
  if (words === undefined || words.length === 0) return `${mailer} is no command line`;
  const { user, home } = currentUser();
  const to = [...new Set([swapper ?? user, user])].join(", ");
  const subject = `Event Scheduler for ${experiment} died on ${hostname()}`;
  const { problem } = await runLimited({
    ...{ words, directory, clock, input: `To: ${to}\nSubject: ${subject}\n\n${message}\n` },
    environment: { PATH: STANDARD_PATH, USER: user, HOME: home ?? directory },
    interrupt: new AbortController().signal,
    msMax: reportLimits.commandMsMax,
    outputBytesMax: reportLimits.commandOutputBytesMax,
  });
  return problem;
}

/** The same for the scheduler of a run. */
export function mailCrashOfRun(
  { mailer, out: directory, split, clock }: CrashedRun,
  experiment: string,
  message: string,
): Promise<string | undefined> {
  const user = split?.account?.name;
  return mailCrash({ mailer, directory, clock, user, experiment }, message);
}
