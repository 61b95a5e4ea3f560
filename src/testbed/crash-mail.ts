// SPDX-License-Identifier: MIT
// Tells people of an experiment's troubles, by the mailer that reports go through: that its
// scheduler is gone [EMULAB-EVENTS 7.5], that a linktest has failed [LINKTEST 10].
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
  /** Whose experiment it is; undefined: the user of this process. */
  readonly user: string | undefined;
  /** `pid/eid` */
  readonly experiment: string;
  /** Directory in which the mailer runs. */
  readonly directory: string;
  readonly clock: Clock;
}

type CrashedRun = Pick<RunOptions, "mailer" | "out" | "split" | "clock">;

/** That its scheduler is gone. @returns what went wrong with the mail */
export function mailCrash(options: CrashMailOptions, message: string): Promise<string | undefined> {
  const subject = `Event Scheduler for ${options.experiment} died on ${hostname()}`;
  return mailAbout(options, subject, message);
}

/** To the user and, if that is another, to who keeps the testbed. @returns what went wrong */
export async function mailAbout(
  { mailer, user: swapper, directory, clock }: Omit<CrashMailOptions, "experiment">,
  subject: string,
  message: string,
): Promise<string | undefined> {
  if (mailer === undefined) return undefined;
  const words = splitWords(mailer);
  if (words === undefined || words.length === 0) return `${mailer} is no command line`;
  const { user, home } = currentUser();
  const to = [...new Set([swapper ?? user, user])].join(", ");
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
