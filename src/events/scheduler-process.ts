// SPDX-License-Identifier: MIT
// The scheduler of one experiment as a life of its own: its log, the core on it, its static data
// and what it says of itself. A process has one (cli/compat/event-sched.ts); where the static data
// come from, it cannot tell. [EMULAB-EVENTS 2.2, 2.5, D8]
//
//   P1. Of several schedulers of one plan the one that began last is the scheduler. The others end
//       when they read that in the log, and from there on nothing of theirs counts (E5 of
//       core/edge-table.ts): where a plan is a file, the file's lock lets one in.
//   P2. Who begins gives the core nothing before the log has it that he is the one: what the one
//       before him may still append then takes no number of his.
import type { LastingCredentials } from "../client/event-credentials.ts";
import type { LogEntry } from "../core/command.ts";
import { resolveLimits } from "../core/limits.ts";
import type { LogError } from "../engine/log.ts";
import type { Clock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { connectLastingEdge } from "../host/local-link.ts";
import type { Logger } from "../host/logger.ts";
import type { Bus } from "../wire/event/bus.ts";
import type { AgendaSource } from "./agenda-source.ts";
import type { LogInstants } from "./log-instants.ts";
import { LogTeller } from "./log-teller.ts";
import type { OpenedPlan } from "./open-plan.ts";
import { Scheduler } from "./scheduler.ts";
import type { SchedulerLines } from "./scheduler-lines.ts";
import { forNewEpoch, type Recalled, SchedulerRecall } from "./scheduler-recall.ts";

export interface SchedulerProcessOptions {
  /** `pid/eid` */
  readonly experiment: string;
  readonly data: AgendaSource;
  readonly bus: Bus;
  readonly credentials: LastingCredentials;
  readonly sender: string;
  readonly clock: Clock;
  readonly clockName: string;
  /** Its log, which is closed with it. */
  readonly plan: OpenedPlan;
  /** See LogInstants; of its log. */
  readonly instants: LogInstants;
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
  /** It has stopped by itself, since it was the scheduler. */
  readonly onStopped: (why: Stopped) => void;
}

export interface Stopped {
  /** Another scheduler has its plan, and goes on (P1). */
  readonly isReplaced: boolean;
  readonly message: string;
}

/** States of an experiment in which its events may run. [EMULAB-EVENTS 2.2 step 9] */
const startableStates = ["activating", "active", "modify_reswap"];
const edge = "scheduler";
/** What all schedulers of a shared plan are called in it (P1). */
const serverName = "scheduler";

export class SchedulerProcess {
  readonly #options: SchedulerProcessOptions;
  readonly #host: Host;
  #scheduler: Scheduler | undefined;
  /** P2. */
  #hasBegun = false;
  readonly #teller: LogTeller | undefined;
  /** Sequences and timelines whose start boss was told of, one after the other. */
  #telling: Promise<void> = Promise.resolve();

  private constructor(options: SchedulerProcessOptions) {
    const { clock, plan, instants, logger, experiment, sender } = options;
    this.#options = options;
    const shared = { server: serverName, whenReplaced: describeReplaced(experiment) };
    this.#host = new Host({
      ...{ log: plan.log, clock, limits: resolveLimits(), logger, steadyTicks: true },
      ...(plan.isShared ? shared : {}),
      onFailed: (error) => this.#onFailed(error),
    });
    if (!options.withRun) return;
    this.#teller = new LogTeller({
      ...{ edge, by: { experiment, sender } },
      ...(plan.isShared ? { toOwn: (stampUs: number) => instants.toOwn(stampUs) } : {}),
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
    await this.#options.plan.log.close();
  }

  /** Nothing more is sent. What fails before it is the scheduler is told by `start`. */
  #onFailed({ message }: LogError): void {
    this.#scheduler?.leave();
    const isReplaced = this.#host.wasReplaced;
    if (this.#hasBegun) this.#options.onStopped({ isReplaced, message });
  }

  /** P1. What does not count is not seen, either. */
  readonly #counted = (logged: LogEntry): LogEntry => {
    const { server } = logged.entry;
    if (server === undefined) return logged;
    const { incarnation } = this.#host.facts.placeOf(server.edge);
    if (incarnation === server.incarnation) return logged;
    return { ...logged, entry: { ...logged.entry, batches: [] } };
  };

  async #begin(): Promise<void> {
    const { experiment, data, lines, clock, epoch } = this.#options;
    const before = await this.#readPlan();
    const isAnew = epoch === "new" && before !== undefined;
    const recalled = isAnew ? forNewEpoch(before) : before;
    const state = await checkStartable(experiment, data);
    const { agents, load, addresses, problems } = await data.agenda();
    for (const agent of agents) lines.agent(agent);
    for (const text of problems) lines.warning(text);
    this.#watchObjects();
    const scheduler = await this.#openScheduler(recalled, addresses);
    this.#scheduler = scheduler;
    if (recalled?.isLoaded !== true) {
      if (isAnew) scheduler.submit({ kind: "agenda-halt", scope: experiment });
      scheduler.submit({ kind: "open-scope", scope: experiment, nodes: [] });
      scheduler.load(load);
    }
    // What is idle between two epochs must not be taken for the end of the second one.
    if (isAnew) await new Promise<void>((resolve) => clock.endOfTurn(resolve));
    // While it is being swapped in, boss says when, by an event. [EMULAB-EVENTS 2.2 step 11]
    if (state === "active" && recalled?.isStarted !== true) scheduler.startTime();
  }

  /** @returns what a scheduler before this one has left in the log */
  async #readPlan(): Promise<Recalled | undefined> {
    const teller = this.#teller;
    const recall = new SchedulerRecall(edge);
    const stopSeeing = this.#host.observe((logged, applied) =>
      recall.see(this.#counted(logged), applied),
    );
    if (teller !== undefined) {
      this.#host.observe((logged, applied) => teller.see(this.#counted(logged), applied));
    }
    await this.#host.start();
    await this.#host.joined();
    this.#hasBegun = true;
    stopSeeing();
    return recall.recalled();
  }

  #watchObjects(): void {
    const { experiment, lines, clock } = this.#options;
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
  }

  #openScheduler(
    recalled: Recalled | undefined,
    addresses: ReadonlyMap<string, string>,
  ): Promise<Scheduler> {
    const { experiment, lines, clock, bus, credentials, sender, clockName } = this.#options;
    const { startAheadUs, instants } = this.#options;
    const [host, teller] = [this.#host, this.#teller];
    return Scheduler.open({
      ...{ experiment, bus, credentials, sender, clock, clockName, instants },
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

/**
 * Before a plan is made for it, and when it is the scheduler's. @returns the state
 * @throws Error with a sentence: it is not one to run events in
 */
export async function checkStartable(
  experiment: string,
  data: Pick<AgendaSource, "state">,
): Promise<string> {
  const state = await data.state();
  if (startableStates.includes(state)) return state;
  throw new Error(`${experiment} is ${state}; swap it in before its events are scheduled`);
}

function describeReplaced(experiment: string): string {
  return `another scheduler of ${experiment} goes on with its plan; this one has ended`;
}
