// SPDX-License-Identifier: MIT
// One run of an experiment on this machine: core, nodes, sync server, programs, and the end of it.
// Orders the parts and says what happens as run events; everything it knows about barriers and
// planned events comes from the core as effects.
//
//   R1. Whatever happens, the nodes are taken down and `run-ended` is said last, once.
//   R2. Barriers are ended before programs are stopped, so that a report names who really waited.
import { type AgendaEvent, type AgendaLoad, clearedError } from "../core/command.ts";
import type { EdgeEffect, Fire } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";
import { MemoryLog } from "../engine/memory-log.ts";
import type { Tables } from "../experiment/index.ts";
import type { Experiment } from "../experiment/model.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { CoreLink } from "../host/core-link.ts";
import { Host } from "../host/host.ts";
import { newSecret } from "../host/ids.ts";
import { LinkListener } from "../host/link-listener.ts";
import type { Logger } from "../host/logger.ts";
import { countTimedEvents, planAgenda } from "./agenda-plan.ts";
import { EventPerformer } from "./agents/event-performer.ts";
import { Preloader } from "./agents/preloader.ts";
import { ProgramAgent } from "./agents/program-agent.ts";
import { BarrierWatch } from "./barrier-watch.ts";
import { describeNeverStarted } from "./never-started.ts";
import type { NodeBoot } from "./node-boot.ts";
import type { NodeBackend, NodeMode } from "./nodes/index.ts";
import { joinNames } from "./record/words.ts";
import type { EndedBy, RunEventBody, RunWatcher } from "./run-event.ts";
import { bootRunNodes, startRunNodes, syncPort } from "./run-nodes.ts";
import { StuckDetector } from "./stuck-detector.ts";
import type { SyncServer } from "./sync-server.ts";
import { startSyncServer } from "./sync-server.ts";
import { TimeBase } from "./time-base.ts";

export interface RunOptions {
  readonly experiment: Experiment;
  /** Table rows of the file, for what nodes ask and the model does not hold; YAML has none. */
  readonly tables?: Tables | undefined;
  /** The experiment file, as the user named it. */
  readonly file: string;
  /** The command line that repeats the run, if there is one. */
  readonly command?: string;
  /** Directory of the experiment file, absolute: nodes see it as `/proj/<pid>/data`. */
  readonly projectFiles: string;
  readonly runId: string;
  /** Absolute; made by the caller. */
  readonly out: string;
  readonly seed: number;
  /** Ends the run this long after time 0; 0 for never. */
  readonly durationSeconds: number;
  /** Ends the run when all programs have waited this long for who cannot come; 0: never. */
  readonly stuckSeconds: number;
  readonly nodeMode?: NodeMode;
  /** Command name on the nodes -> executable; `emulab-syncd` among them. */
  readonly tools: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly watch: RunWatcher;
  /** Ends the run as interrupted. */
  readonly interrupt: AbortSignal;
}

interface Ending {
  readonly endedBy: EndedBy;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Runs the experiment to its end. Never rejects for what the experiment does. */
export async function runExperiment(options: RunOptions): Promise<void> {
  await new Run(options).run();
}

class Run {
  readonly #options: RunOptions;
  readonly #scope: string;
  readonly #host: Host;
  readonly #time = new TimeBase();
  readonly #barriers: BarrierWatch;
  #held: { readonly body: RunEventBody; readonly monotonicUs: number }[] = [];
  #backend: NodeBackend | undefined;
  #syncServer: SyncServer | undefined;
  #boot: NodeBoot | undefined;
  #programs: ProgramAgent | undefined;
  #performer: EventPerformer | undefined;
  #listener: LinkListener | undefined;
  #link: CoreLink | undefined;
  /** Timers of the run; none may outlive it. */
  readonly #timers: Cancel[] = [];
  #agendaIdle = false;
  #ending: Ending | undefined;
  #end: (ending: Ending) => void = () => undefined;
  readonly #ended: Promise<Ending>;

  constructor(options: RunOptions) {
    const { clock, limits, logger, experiment } = options;
    this.#options = options;
    this.#scope = `${experiment.pid}/${experiment.eid}`;
    const log = new MemoryLog({ nowUs: clock.nowUs, retain: false });
    this.#host = new Host({ log, clock, limits, logger, steadyTicks: true });
    this.#barriers = new BarrierWatch({
      host: this.#host,
      scope: this.#scope,
      clock,
      time: this.#time,
      say: (body, monotonicUs) => this.#say(body, monotonicUs),
    });
    this.#ended = new Promise((resolve) => {
      this.#end = (ending) => {
        this.#ending ??= ending;
        resolve(ending);
      };
    });
  }

  async run(): Promise<void> {
    const { interrupt } = this.#options;
    const onInterrupt = (): void => this.#end(interrupted);
    if (interrupt.aborted) onInterrupt();
    interrupt.addEventListener("abort", onInterrupt);
    try {
      await this.#swapIn();
      const agenda = planAgenda(this.#scope, this.#options.experiment);
      const preloader = this.#preload(agenda);
      if (this.#ending === undefined) await preloader.loadFirst();
      if (this.#ending === undefined) this.#start(agenda, preloader);
      await this.#ended;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#end({ endedBy: "failure", error: { code: "SWAP_IN", message } });
    } finally {
      interrupt.removeEventListener("abort", onInterrupt);
      await this.#swapOut();
    }
  }

  /** Core, nodes, sync server: everything before time 0. */
  async #swapIn(): Promise<void> {
    const { experiment, clock, runId, logger } = this.#options;
    await this.#host.start();
    this.#barriers.start();
    const secret = newSecret();
    const address = `@muster-${runId}`;
    const rights = { kind: "sync", scope: this.#scope } as const;
    const edge = `${experiment.syncServer}/syncd`;
    const admitted = experiment.syncServer === undefined ? [] : [{ edge, secret, rights }];
    this.#listener = new LinkListener({ host: this.#host, admitted, logger });
    await this.#listener.listen(address);
    const backend = await startRunNodes(this.#options, (body) => this.#say(body));
    this.#backend = backend;
    this.#sayStarted(backend);
    this.#programs = new ProgramAgent({
      backend,
      programs: experiment.programs,
      clock,
      onStarted: (event, monotonicUs) => this.#say(event, monotonicUs),
      onEnded: (event, monotonicUs) => {
        const startedUs = event.startedUs;
        this.#say({ ...event, startedUs: this.#time.fromMonotonic(startedUs) }, monotonicUs);
        this.#endIfIdle();
      },
    });
    this.#performer = new EventPerformer({
      experiment,
      programs: this.#programs,
      clock,
      onTerminate: () => this.#end({ endedBy: "terminate", error: null }),
      onMessage: (text) => this.#say({ type: "message", level: "info", node: null, text }),
    });
    await this.#startSyncServer(backend, { address, secret });
    if (this.#ending !== undefined) return;
    this.#boot = await bootRunNodes(this.#options, backend, (body) => this.#say(body));
  }

  async #startSyncServer(
    backend: NodeBackend,
    { address, secret }: { readonly address: string; readonly secret: string },
  ): Promise<void> {
    const { experiment, clock } = this.#options;
    if (experiment.syncServer === undefined || this.#ending !== undefined) return;
    this.#syncServer = await startSyncServer({
      backend,
      host: this.#host,
      node: experiment.syncServer,
      scope: this.#scope,
      executable: this.#options.tools["emulab-syncd"] ?? "emulab-syncd",
      port: syncPort,
      socket: address,
      secret,
      clock,
      onUnexpectedEnd: (message) => {
        this.#end({ endedBy: "failure", error: { code: "SYNC_SERVER_ENDED", message } });
      },
    });
  }

  #preload({ main }: AgendaLoad): Preloader {
    const load = async (event: AgendaEvent): Promise<void> => {
      await this.#performer?.load(event);
    };
    return new Preloader({ clock: this.#options.clock, events: main, load });
  }

  /** Time 0. */
  #start(agenda: AgendaLoad, preloader: Preloader): void {
    const { experiment, durationSeconds, clock } = this.#options;
    const link = this.#host.connectEdge("testbed", {
      onEffects: (effects) => this.#onEffects(effects),
    });
    this.#link = link;
    const nodes = experiment.nodes.map(({ name }) => name);
    link.submit({ kind: "open-scope", scope: this.#scope, nodes });
    link.submit(agenda);
    const zeroUs = clock.nowUs();
    this.#time.setZero(zeroUs);
    this.#sayHeld();
    link.submit({ kind: "agenda-start", scope: this.#scope });
    preloader.start(zeroUs);
    this.#timers.push(() => preloader.stop());
    if (durationSeconds > 0) {
      const end = (): void => this.#end({ endedBy: "duration", error: null });
      this.#timers.push(clock.after(durationSeconds * 1000, end));
    }
    this.#watchForStuck();
  }

  #onEffects(effects: readonly EdgeEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "fire") void this.#fire(effect);
      if (effect.kind === "refused" && effect.connection === 0) {
        const { message } = effect;
        this.#end({ endedBy: "failure", error: { code: "LIMIT", message } });
      }
      if (effect.kind === "agenda-idle") {
        this.#agendaIdle = true;
        this.#endIfIdle();
      }
    }
  }

  async #fire(fire: Fire): Promise<void> {
    const performer = this.#performer;
    if (performer === undefined || this.#ending !== undefined) return;
    const { firedMonotonicUs, outcome, done } = await performer.perform(fire.event);
    const { id, object, type, event, args } = fire.event;
    const firedUs = this.#time.fromMonotonic(firedMonotonicUs);
    const facts = { id, object, objectType: type, event, args, plannedUs: fire.plannedUs };
    this.#say({ type: "event-fired", ...facts, firedUs, outcome });
    const error = await done;
    const complete = { kind: "agenda-complete", scope: fire.scope, token: fire.token } as const;
    this.#link?.submit({ ...complete, error });
  }

  #endIfIdle(): void {
    if (!this.#agendaIdle || this.#programs === undefined) return;
    if (this.#programs.active().length === 0) this.#end({ endedBy: "idle", error: null });
  }

  #watchForStuck(): void {
    const { stuckSeconds, clock } = this.#options;
    if (stuckSeconds === 0) return;
    const detector = new StuckDetector(stuckSeconds * 1_000_000);
    const check = (): void => {
      if (this.#ending !== undefined || this.#programs === undefined) return;
      const state = this.#host.describe(this.#scope);
      const programs = this.#programs;
      const isDone = (node: string): boolean => programs.isDone(node);
      const message = detector.check(clock.nowUs(), state, programs.active(), isDone);
      if (message === undefined) this.#timers[timer] = clock.after(1_000, check);
      else this.#end({ endedBy: "failure", error: { code: "BARRIER_STUCK", message } });
    };
    const timer = this.#timers.push(clock.after(1_000, check)) - 1;
  }

  /** R1, R2. */
  async #swapOut(): Promise<void> {
    const { clock } = this.#options;
    const ending = this.#ending ?? interrupted;
    for (const cancel of this.#timers) cancel();
    if (!this.#time.isSet) this.#time.setZero(clock.nowUs());
    if (this.#backend === undefined) this.#sayStarted(undefined);
    this.#sayHeld();
    this.#programs?.beginEnd();
    this.#link?.submit({ kind: "close-scope", scope: this.#scope, error: clearedError });
    await this.#link?.close();
    await this.#programs?.stopAll();
    this.#syncServer?.stop();
    this.#boot?.stop();
    await this.#backend?.stop();
    this.#listener?.close();
    this.#barriers.stop();
    await this.#host.close();
    this.#say({ type: "run-ended", ...ending });
  }

  /** @param backend undefined when there are no nodes, because they could not be set up. */
  #sayStarted(backend: NodeBackend | undefined): void {
    const { experiment, runId, seed, out, file, command, clock } = this.#options;
    this.#say({
      type: "run-started",
      runId,
      seed,
      out,
      file,
      ...(command === undefined ? {} : { command }),
      experiment: this.#scope,
      startedWallMs: clock.wallMs(),
      zeroMonotonicUs: this.#time.zeroMonotonicUs,
      syncServer: experiment.syncServer ?? null,
      backend: { nodes: "process", links: "none", shell: backend?.shell ?? "" },
      nodes: experiment.nodes.map(({ name }) => ({
        name,
        addresses: backend?.nodes.get(name)?.addresses ?? [],
      })),
      programs: experiment.programs.map(({ name, node }) => ({ name, node })),
      eventsPlanned: countTimedEvents(experiment),
      lost: [...(backend?.lost ?? []), ...describeUnshaped(experiment)],
    });
    const text = describeNeverStarted(experiment, file);
    if (text !== undefined) this.#say({ type: "message", level: "warning", node: null, text });
  }

  /** Time 0 is known. */
  #sayHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const { body, monotonicUs } of held) this.#say(rebase(body, this.#time), monotonicUs);
  }

  #say(body: RunEventBody, monotonicUs: number = this.#options.clock.nowUs()): void {
    if (!this.#time.isSet) this.#held.push({ body, monotonicUs });
    else this.#options.watch({ ...body, atUs: this.#time.fromMonotonic(monotonicUs) });
  }
}

const interrupted: Ending = {
  endedBy: "interrupt",
  error: { code: "INTERRUPTED", message: "the run was interrupted before it had ended" },
};

function describeUnshaped({ links }: Experiment): string[] {
  if (links.length === 0) return [];
  const names = joinNames(links.map(({ name }) => name));
  const which = links.length === 1 ? `link ${names} is` : `links ${names} are`;
  return [`${which} not shaped: no delay, bandwidth limit or loss is applied`];
}

/** What was said before time 0 was known carries monotonic times; they are turned now. */
function rebase(body: RunEventBody, time: TimeBase): RunEventBody {
  if (body.type === "run-started") return { ...body, zeroMonotonicUs: time.zeroMonotonicUs };
  if (body.type !== "program-ended") return body;
  return { ...body, startedUs: time.fromMonotonic(body.startedUs) };
}
