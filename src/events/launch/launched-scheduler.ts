// SPDX-License-Identifier: MIT
// The scheduler of a run under a daemon: started by the launcher, with a pid file, so that whoever
// may can stop it and start another; and ended when the daemon is gone. Other than an attended one
// it can be stopped and replaced while its run goes on.
//
//   D1. There is one at most, whoever starts it.
//   D2. A supervisor that is gone without a word is replaced, and the scheduler goes on from its
//       log; one that was stopped by others stays stopped.
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import { type Clock, sleep } from "../../host/clock.ts";
import type { Account } from "./account.ts";
import { type ExperimentName, formatExperiment } from "./experiment-name.ts";
import { LaunchError } from "./launch-error.ts";
import type { LaunchLimits } from "./launch-limits.ts";
import {
  type AttendedEnd,
  type Farewell,
  type LaunchAction,
  type LaunchRequest,
  launch,
} from "./launcher.ts";
import type { SchedulerSetting } from "./scheduler-setting.ts";

export interface LaunchedOptions {
  readonly experiment: ExperimentName;
  /** Whom it runs as; undefined: the user of this process. */
  readonly account: Account | undefined;
  /** Where pid files are. */
  readonly runDirectory: string;
  /** The scheduler's own, and its user's. */
  readonly directory: string;
  /** Path below the directory -> what the scheduler reads there. */
  readonly files: Readonly<Record<string, string>>;
  /** Paths below the directory that belong to runs before this one. */
  readonly stale: readonly string[];
  /** The scheduler and its arguments. */
  readonly argv: readonly string[];
  /** Run as its user before it is stopped while the run goes on. */
  readonly farewells: readonly Farewell[];
  readonly clock: Clock;
  readonly limits: LaunchLimits;
  readonly onNote: (text: string) => void;
  /** It runs no more and will not again, without having been asked to stop. */
  readonly onLost: (message: string) => void;
  /** Somebody has stopped it, or it has started again. */
  readonly onChange: (isThere: boolean) => void;
}

export interface Controlled {
  /** Another one than before, if there was one. */
  readonly isStarted: boolean;
  /** What there is to say about it. */
  readonly said: string;
}

/** How often is looked for the end of another's. */
const lookMs = 100;
/** Below the directory. */
const logName = "logs/event-sched.log";

export class LaunchedScheduler {
  readonly #options: LaunchedOptions;
  /** The supervisor that counts; of others it does not matter how they end. */
  #current: object | undefined;
  #failures = 0;
  #isClosed = false;
  /** One action after the other. */
  #acting: Promise<unknown> = Promise.resolve();

  private constructor(options: LaunchedOptions) {
    this.#options = options;
  }

  /** Resolves when it listens. @throws LaunchError */
  static async start(options: LaunchedOptions): Promise<LaunchedScheduler> {
    const launched = new LaunchedScheduler(options);
    const { directory, files, stale, clock, limits, experiment, runDirectory } = options;
    const setting = { directory, folders: ["logs"], files, stale };
    const deadlineUs = clock.nowUs() + limits.stopMs * 1_000;
    // One of a daemon that has died just now is ending.
    while (!(await launched.#launch("start", [], setting)).isStarted) {
      if (clock.nowUs() > deadlineUs) {
        const name = formatExperiment(experiment);
        const message = `a scheduler of ${name} runs already, which is not this run's`;
        throw new LaunchError("BUSY", `${message}; stop the process in ${runDirectory} first`);
      }
      await sleep(clock, lookMs);
    }
    return launched;
  }

  /** @throws LaunchError */
  async control(action: LaunchAction, argv: readonly string[] = []): Promise<Controlled> {
    const { farewells } = this.#options;
    const act = this.#acting.then(() => this.#launch(action, farewells, {}, argv));
    this.#acting = act.catch(() => undefined);
    return await act;
  }

  /** Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isClosed = true;
    await this.#acting;
    try {
      await this.#launch("stop", [], {});
    } catch (error) {
      if (!(error instanceof LaunchError)) throw error;
      this.#options.onNote(error.message);
    }
  }

  async #launch(
    action: LaunchAction,
    farewells: readonly Farewell[],
    setting: SchedulerSetting,
    more: readonly string[] = [],
  ): Promise<Controlled> {
    const { experiment, account, runDirectory, directory, argv, clock, limits } = this.#options;
    const { onChange } = this.#options;
    const said: string[] = [];
    const [program = "", ...rest] = argv;
    const self = {};
    if (action !== "start") this.#current = undefined;
    const request: LaunchRequest = {
      ...{ experiment, account, runDirectory, log: join(directory, logName), setting, farewells },
      ...{ scheduler: [program, ...more, ...rest], companions: [] },
      attendant: {
        onBegin: () => {
          this.#current = self;
        },
        onNote: (text) => {
          if (this.#current === self) this.#note(text);
        },
        onEnd: (end) => {
          if (this.#current === self) void this.#ended(end);
        },
      },
    };
    const say = (line: string): unknown => said.push(line);
    const isStarted = await launch(action, request, { clock, limits, say });
    if (!this.#isClosed && (isStarted || action === "stop")) onChange(isStarted);
    return { isStarted, said: said.join("\n") };
  }

  /** D2. */
  async #ended(end: AttendedEnd): Promise<void> {
    if (this.#isClosed) return;
    const { limits, clock, directory, onLost, onChange } = this.#options;
    const log = join(directory, logName);
    switch (end) {
      case "stopped":
      case "ended":
        this.#note("the scheduler was stopped by somebody; eventsys_control start begins anew");
        onChange(false);
        return;
      case "died at once":
        return;
      case "gave up":
        onLost(`the scheduler ended again and again, so that no events fire any more; see ${log}`);
        return;
      case "lost":
        this.#failures += 1;
        if (this.#failures > limits.restartsMax) {
          onLost(`the supervisor of the scheduler is killed again and again; see ${log}`);
          return;
        }
        this.#note("the supervisor of the scheduler is gone; another one is started");
        await sleep(clock, limits.restartMsMin);
        if (!this.#isClosed) await this.#again();
    }
  }

  async #again(): Promise<void> {
    try {
      await this.control("start");
    } catch (error) {
      const why = errorText(error);
      this.#options.onLost(`the scheduler cannot be started again: ${why}`);
    }
  }

  #note(text: string): void {
    if (!this.#isClosed) this.#options.onNote(text);
  }
}
