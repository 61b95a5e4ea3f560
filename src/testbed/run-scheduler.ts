// SPDX-License-Identifier: MIT
// The scheduler of a split run as a process: the run's own child, or started by the launcher where
// a daemon keeps the run. Owns the files between the two; what is said over the bus is elsewhere.
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import type { LogEntry } from "../core/command.ts";
import { errorText } from "../core/text.ts";
import type { RunAgenda } from "../events/index.ts";
import {
  type Account,
  AttendedScheduler,
  type Controlled,
  type HelperEnding,
  type LaunchAction,
  LaunchError,
  LaunchedScheduler,
  parseExperiment,
  resolveLaunchLimits,
  runHelper,
} from "../events/launch/index.ts";
import type { Clock } from "../host/clock.ts";

/** How the scheduler of a run is started. */
export interface SplitOptions {
  /** Whom it runs as; undefined: the user of the run. */
  readonly account: Account | undefined;
  /** The command. */
  readonly scheduler: string;
  /** Under a daemon; undefined: it is a child of the run. */
  readonly launch?: LaunchPlace | undefined;
}

export interface LaunchPlace {
  /** Of pid files. */
  readonly runDirectory: string;
  /** The experiment's, on ops; the account's own. */
  readonly directory: string;
  /** What tells a scheduler that it is about to be stopped; undefined: nothing does. */
  readonly tevc: string | undefined;
}

export interface RunSchedulerOptions {
  readonly split: SplitOptions;
  /** `pid/eid` */
  readonly experiment: string;
  /** For the scheduler of a run that is its own daemon. */
  readonly directory: string;
  readonly eventKey: string;
  /** Port of the bus, on this machine. */
  readonly port: number;
  readonly clock: Clock;
  readonly onNote: (text: string) => void;
  readonly onLost: (message: string) => void;
  readonly onChange: (isThere: boolean) => void;
}

export interface ControlOptions {
  /** The scheduler says more in its log. */
  readonly debug: boolean;
}

const address = "127.0.0.1";
/** Below the directory of the scheduler. */
const agendaFile = "agenda.json";
const launchedAgenda = `tbdata/${agendaFile}`;
const logFile = "tbdata/event-sched.sqlite";
const logFiles = ["", "-wal", "-shm"].map((end) => logFile + end);
/** What tevc waits for each, and what it may take besides. [EMULAB-EVENTS 7.5] */
const farewellSeconds = [
  ["__ns_swapout", 3],
  ["__ns_teardown", 5],
] as const;
const farewellExtraMs = 5_000;
/**
 * Ours says when it listens, which may take long on a busy machine: what it is told before that is
 * lost.
 */
const ownLimits = resolveLaunchLimits();

export class RunScheduler {
  readonly #options: RunSchedulerOptions;
  readonly #directory: string;
  #process: AttendedScheduler | LaunchedScheduler | undefined;

  private constructor(options: RunSchedulerOptions) {
    this.#options = options;
    this.#directory = options.split.launch?.directory ?? options.directory;
  }

  /** Resolves when it listens. @throws LaunchError */
  static async start(options: RunSchedulerOptions, agenda: RunAgenda): Promise<RunScheduler> {
    const scheduler = new RunScheduler(options);
    const { launch } = options.split;
    const text = JSON.stringify(agenda);
    scheduler.#process = await (launch === undefined
      ? scheduler.#attend(text)
      : scheduler.#launch(launch, text));
    return scheduler;
  }

  /** @throws LaunchError */
  async control(action: LaunchAction, { debug }: ControlOptions): Promise<Controlled> {
    if (this.#process instanceof LaunchedScheduler) {
      return await this.#process.control(action, debug ? ["-d"] : []);
    }
    throw new LaunchError("NOT_YET", "the scheduler of this run starts and ends with it");
  }

  /** Resolves when it has ended. */
  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** The agenda with which event time begins anew. @throws LaunchError (UNSAFE) */
  async keep(agenda: RunAgenda): Promise<void> {
    const isLaunched = this.#options.split.launch !== undefined;
    const path = join(this.#directory, isLaunched ? launchedAgenda : agendaFile);
    const text = JSON.stringify(agenda);
    const script = 'umask 077; cat >"$1.new" && mv "$1.new" "$1"';
    const { code } = await this.#asUser(["sh", "-c", script, "sh", path], text);
    if (code !== 0) throw new LaunchError("UNSAFE", `${path} cannot be written; is the disk full?`);
  }

  /** What its log holds, when it has ended; nothing of what cannot be read. */
  async readLog(): Promise<readonly LogEntry[]> {
    const { scheduler } = this.#options.split;
    const argv = [scheduler, "--print-log", join(this.#directory, logFile)];
    const { code, stdout } = await this.#asUser(argv, "");
    if (code !== 0) return [];
    return stdout.split("\n").flatMap((line) => parseEntry(line));
  }

  #attend(agenda: string): Promise<AttendedScheduler> {
    const { split, clock, eventKey, onNote, onLost } = this.#options;
    return AttendedScheduler.start({
      ...{ directory: this.#directory, clock, account: split.account },
      ...{ limits: ownLimits, onNote, onLost },
      files: { eventkey: eventKey, [agendaFile]: agenda },
      argv: this.#argv("eventkey", agendaFile),
    });
  }

  #launch({ runDirectory, tevc }: LaunchPlace, agenda: string): Promise<LaunchedScheduler> {
    const { split, clock, eventKey, port, experiment } = this.#options;
    const { onNote, onLost, onChange } = this.#options;
    const name = parseExperiment(experiment);
    if (name === undefined) {
      const message = `${experiment} cannot be the name of a pid file; choose shorter names`;
      throw new LaunchError("REFUSED", message);
    }
    const key = join(this.#directory, "tbdata/eventkey");
    const where = ["-s", address, "-p", String(port), "-k", key, "-e", experiment, "now"];
    const farewells = farewellSeconds.map(([object, seconds]) => ({
      argv: [tevc ?? "", "-w", "-t", String(seconds), ...where, object, "run"],
      timeoutMs: seconds * 1_000 + farewellExtraMs,
    }));
    prepareDirectory(this.#directory, split.account);
    return LaunchedScheduler.start({
      ...{ experiment: name, account: split.account, runDirectory, clock },
      ...{ directory: this.#directory, stale: logFiles, limits: ownLimits },
      ...{ onNote, onLost, onChange, farewells: tevc === undefined ? [] : farewells },
      files: {
        "tbdata/eventkey": eventKey,
        [launchedAgenda]: agenda,
        "tbdata/eventserver": `${address}:${port}\n`,
      },
      argv: this.#argv("tbdata/eventkey", launchedAgenda),
    });
  }

  #argv(key: string, agenda: string): string[] {
    const { split, port, experiment } = this.#options;
    const directory = this.#directory;
    return [
      ...[split.scheduler, "-s", address, "-p", String(port), "-k", join(directory, key)],
      ...["--run-agenda", join(directory, agenda), "--directory", directory],
      ...experiment.split("/"),
    ];
  }

  #asUser(argv: readonly string[], input: string): Promise<HelperEnding> {
    const { split, clock } = this.#options;
    return runHelper({ account: split.account, argv, input, clock, limits: ownLimits });
  }
}

/** Makes what is not there; what is another user's is put aside. Its parents are this user's. */
function prepareDirectory(directory: string, account: Account | undefined): void {
  try {
    makeOwnDirectory(directory, account);
  } catch (error) {
    const why = errorText(error);
    throw new LaunchError("UNSAFE", `cannot make ${directory}: ${why}; choose another --ops-dir`);
  }
}

function makeOwnDirectory(directory: string, account: Account | undefined): void {
  const parent = dirname(directory);
  // The user must get through, whatever this process masks.
  if (mkdirSync(parent, { recursive: true, mode: 0o755 }) !== undefined) {
    if (account !== undefined) for (const path of [parent, dirname(parent)]) chmodSync(path, 0o755);
  }
  const uid = account?.uid ?? process.geteuid?.() ?? 0;
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found !== undefined && (found.uid !== uid || !found.isDirectory())) {
    let number = 1;
    while (existsSync(`${directory}.${number}`)) number += 1;
    renameSync(directory, `${directory}.${number}`);
  } else if (found !== undefined) return;
  mkdirSync(directory, { mode: 0o750 });
  chmodSync(directory, 0o750);
  if (account !== undefined) chownSync(directory, account.uid, account.gid);
}

/** The user may have written anything there: it is read as text that may be broken. */
function parseEntry(line: string): readonly LogEntry[] {
  try {
    const entry = JSON.parse(line) as Partial<LogEntry> | null;
    const isEntry = typeof entry?.sequence === "number" && typeof entry.stampUs === "number";
    return isEntry && Array.isArray(entry.entry?.batches) ? [entry as LogEntry] : [];
  } catch {
    return [];
  }
}
