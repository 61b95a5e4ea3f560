// SPDX-License-Identifier: MIT
// The scheduler of one experiment as a life of its own: its log, the core on it, its static data
// and what it says of itself. A process has one (cli/compat/event-sched.ts); where the static data
// come from, it cannot tell. [EMULAB-EVENTS 2.2, 2.5, D8]
import type { LastingCredentials } from "../client/event-credentials.ts";
import { resolveLimits } from "../core/limits.ts";
import { SqliteLog } from "../engine/sqlite-log.ts";
import type { Clock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { connectLastingEdge } from "../host/local-link.ts";
import type { Logger } from "../host/logger.ts";
import type { Bus } from "../wire/event/bus.ts";
import type { AgendaSource } from "./agenda-source.ts";
import { LogTeller } from "./log-teller.ts";
import { Scheduler } from "./scheduler.ts";
import type { SchedulerLines } from "./scheduler-lines.ts";
import { forNewEpoch, SchedulerRecall } from "./scheduler-recall.ts";

export interface SchedulerProcessOptions {
  /** `pid/eid` */
  readonly experiment: string;
  readonly data: AgendaSource;
  readonly bus: Bus;
  readonly credentials: LastingCredentials;
  readonly sender: string;
  readonly clock: Clock;
  readonly clockName: string;
  /** File of its log. */
  readonly logFile: string;
  /**
   * `new`: event time begins anew, with numbers of orders that no agent has had (O1). `continue`:
   * go on from the log, if there is one.
   */
  readonly epoch: "new" | "continue";
  readonly lines: SchedulerLines;
  readonly logger: Logger;
  /** A run in another process is told what becomes of events, and may ask. */
  readonly withRun: boolean;
  /** Time 0 lies this far behind the word that starts time. */
  readonly startAheadUs?: number;
}

/** States of an experiment in which its events may run. [EMULAB-EVENTS 2.2 step 9] */
const startableStates = ["activating", "active", "modify_reswap"];
const edge = "scheduler";

export class SchedulerProcess {
  readonly #options: SchedulerProcessOptions;
  readonly #log: SqliteLog;
  readonly #host: Host;
  #scheduler: Scheduler | undefined;
  readonly #teller: LogTeller | undefined;
  /** Sequences and timelines whose start boss was told of, one after the other. */
  #telling: Promise<void> = Promise.resolve();

  private constructor(options: SchedulerProcessOptions) {
    const { clock, logFile, logger, experiment, sender } = options;
    this.#options = options;
    this.#log = SqliteLog.open({ file: logFile, nowUs: clock.nowUs });
    const limits = resolveLimits();
    this.#host = new Host({ log: this.#log, clock, limits, logger, steadyTicks: true });
    if (!options.withRun) return;
    this.#teller = new LogTeller({
      ...{ edge, by: { experiment, sender } },
      pending: () => {
        const { pendingEvents, waitingEvents = 0 } = this.#host.describe(experiment);
        return pendingEvents - waitingEvents;
      },
    });
  }

  /**
   * Resolves when requests are heard.
   * @throws Error with a sentence: the state is not one to run events in, the log is in use, the
   * bus or boss is not there.
   */
  static async start(options: SchedulerProcessOptions): Promise<SchedulerProcess> {
    const life = new SchedulerProcess(options);
    try {
      await life.#begin();
      return life;
    } catch (error) {
      await life.close();
      throw error;
    }
  }

  /** Ends in order; what is planned stays in the log for who goes on. */
  async close(): Promise<void> {
    this.#scheduler?.leave();
    await this.#telling;
    this.#host.abandon();
    await this.#log.close();
  }

  async #begin(): Promise<void> {
    const { experiment, data, lines, clock, bus, credentials, sender, clockName } = this.#options;
    const { startAheadUs, epoch } = this.#options;
    const teller = this.#teller;
    const recall = new SchedulerRecall(edge);
    const stopSeeing = this.#host.observe(recall.see);
    if (this.#teller !== undefined) this.#host.observe(this.#teller.see);
    await this.#host.start();
    stopSeeing();
    const before = recall.recalled();
    const isAnew = epoch === "new" && before !== undefined;
    const recalled = isAnew ? forNewEpoch(before) : before;
    const state = await data.state();
    if (!startableStates.includes(state)) {
      throw new Error(`${experiment} is ${state}; swap it in before its events are scheduled`);
    }
    const { agents, load, addresses, problems } = await data.agenda();
    for (const agent of agents) lines.agent(agent);
    for (const text of problems) lines.warning(text);
    this.#host.observe((_entry, { observed }) => {
      for (const effect of observed) {
        lines.observed(effect);
        if (effect.kind === "object-started" && effect.scope === experiment) {
          this.#tellStart(effect.name, clock.wallMs() / 1_000);
        }
        if (effect.kind === "object-ended" && effect.objectType !== "GROUP") {
          this.#tellStart(effect.name, undefined);
        }
      }
    });
    const host = this.#host;
    this.#scheduler = await Scheduler.open({
      ...{ experiment, bus, credentials, sender, clock, clockName },
      ...(recalled === undefined ? {} : { recalled }),
      connect: (handler) =>
        connectLastingEdge(host, edge, handler, {
          incarnation: recalled?.incarnation,
          seenSequence: recalled?.seenSequence,
        }),
      hostOf: (object) => addresses.get(object) ?? "*",
      onEffect: (effect) => {
        lines.told(effect);
        if (effect.kind === "time-started") this.#tellStart("", clock.wallMs() / 1_000);
      },
      onWarning: (text) => lines.warning(text),
      onRequest: (request) => lines.request(request),
      ...(startAheadUs === undefined ? {} : { startAheadUs }),
      ...(teller === undefined ? {} : { teller }),
    });
    if (recalled?.isLoaded !== true) {
      if (isAnew) this.#scheduler.submit({ kind: "agenda-halt", scope: experiment });
      this.#scheduler.submit({ kind: "open-scope", scope: experiment, nodes: [] });
      this.#scheduler.load(load);
    }
    // What is idle between two epochs must not be taken for the end of the second one.
    if (isAnew) await new Promise<void>((resolve) => clock.endOfTurn(resolve));
    // While it is being swapped in, boss says when, by an event. [EMULAB-EVENTS 2.2 step 11]
    if (state === "active" && recalled?.isStarted !== true) this.#scheduler.startTime();
  }

  /** Names that begin like this are the scheduler's own. [EMULAB-EVENTS 2.8 TIMELINE] */
  #tellStart(name: string, seconds: number | undefined): void {
    if (name.startsWith("__")) return;
    const { data, lines } = this.#options;
    this.#telling = this.#telling
      .then(() => data.setStart(name, seconds))
      .catch((error: unknown) => lines.warning(`boss was not told of a start: ${String(error)}`));
  }
}
