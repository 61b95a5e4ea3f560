// SPDX-License-Identifier: MIT
// A scheduler that lives as long as the process that wants it, as a run does: watched by the same
// supervisor and started as its user in the same way as one of the launcher's, but by a child of
// this process. So a run that is killed leaves no scheduler, no supervisor and no pid file behind.
//
//   A1. When this process ends, however it does, the kernel ends the scheduler.
//   A2. What it writes goes to its log, opened with the rights of its user.
//   A3. Nothing is written once the log is closed: its descriptor may be another file's by then.
import { chownSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../host/clock.ts";
import type { Account } from "./account.ts";
import { LaunchError } from "./launch-error.ts";
import type { LaunchLimits } from "./launch-limits.ts";
import { rotateLog, writeNote } from "./scheduler-log.ts";
import { startAs } from "./supervised-process.ts";
import { type StartOutcome, Supervisor } from "./supervisor.ts";

export interface AttendedOptions {
  /** Whom it runs as; undefined: the user of this process. */
  readonly account: Account | undefined;
  /** Made for it, and its own; it must be able to reach it. */
  readonly directory: string;
  /** Name below the directory -> what the scheduler reads there. */
  readonly files: Readonly<Record<string, string>>;
  /** The scheduler and its arguments. */
  readonly argv: readonly string[];
  readonly clock: Clock;
  readonly limits: LaunchLimits;
  /** What befell it, for whoever watches. */
  readonly onNote: (text: string) => void;
  /** It runs no more and will not again, without having been asked to stop. */
  readonly onLost: (message: string) => void;
}

/** Below the directory. */
const logName = "event-sched.log";

export class AttendedScheduler {
  readonly #options: AttendedOptions;
  /** Undefined once it is closed (A3). */
  #log: number | undefined;
  readonly #started = Promise.withResolvers<StartOutcome>();
  readonly #supervisor: Supervisor;
  #end: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  private constructor(options: AttendedOptions) {
    const { account, argv, clock, limits, directory } = options;
    this.#options = options;
    prepare(options);
    const path = join(directory, logName);
    const log = account === undefined ? openSync(path, "ax", 0o640) : rotateLog(path, account);
    this.#log = log;
    this.#supervisor = new Supervisor({
      ...{ name: "the scheduler", clock, limits },
      start: (epoch) => startAs(account, argv, log, epoch),
      note: (text) => this.#note(text),
      report: (outcome) => this.#started.resolve(outcome),
    });
  }

  /** Resolves when it listens. @throws LaunchError */
  static async start(options: AttendedOptions): Promise<AttendedScheduler> {
    const attended = new AttendedScheduler(options);
    attended.#end = attended.#run();
    const outcome = await attended.#started.promise;
    if (outcome.kind === "started") return attended;
    await attended.stop();
    const log = join(options.directory, logName);
    const message = `the scheduler ${outcome.how} before it had started; ${lastLine(log)}; see ${log}`;
    throw new LaunchError("DIED", message);
  }

  /** Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#supervisor.stop();
    await this.#end;
  }

  async #run(): Promise<void> {
    const end = await this.#supervisor.run("new");
    if (this.#log !== undefined) closeSync(this.#log);
    this.#log = undefined;
    if (this.#isStopping || end === "stopped" || end === "died at once") return;
    const log = join(this.#options.directory, logName);
    const how = end === "ended" ? "has ended by itself" : "ended again and again";
    this.#options.onLost(`the scheduler ${how}, so that no events fire any more; see ${log}`);
  }

  #note(text: string): void {
    if (this.#log === undefined) return;
    const time = new Date(this.#options.clock.wallMs()).toISOString();
    writeNote(this.#log, `${time} supervisor[${process.pid}]: ${text}`);
    if (!this.#isStopping) this.#options.onNote(text);
  }
}

/** @throws LaunchError */
function prepare({ directory, account, files }: AttendedOptions): void {
  mkdirSync(directory, { mode: 0o750 });
  const owned = [directory];
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600, flag: "wx" });
    owned.push(path);
  }
  if (account === undefined) return;
  for (const path of owned) chownSync(path, account.uid, account.gid);
}

/** The words of the scheduler, as far as there are any. */
function lastLine(log: string): string {
  const lines = readFileSync(log, "utf8").split("\n");
  const own = lines.filter((line) => line !== "" && !line.includes(" supervisor["));
  return own.at(-1) ?? "it said nothing";
}
