// SPDX-License-Identifier: MIT
// The event system of a run as `muster run` puts it together (core with its log, scheduler, bus
// with a door, the agent of the run, its firing thread, a node with programs), and agendas that it
// plays. What fired is read from the log, as a run reads it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgendaAgent, AgendaLoad, TimedEvent } from "../../src/core/agenda/commands.ts";
import type { EventFired } from "../../src/core/agenda/effects.ts";
import { resolveLimits } from "../../src/core/limits.ts";
import { MemoryLog } from "../../src/engine/memory-log.ts";
import type { Experiment, Program } from "../../src/experiment/model.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { newRunId, newSecret } from "../../src/host/ids.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { EventPerformer } from "../../src/testbed/agents/event-performer.ts";
import { ThreadFireClock } from "../../src/testbed/agents/firing/thread-fire-clock.ts";
import { Preloader } from "../../src/testbed/agents/preloader.ts";
import { ProgramAgent } from "../../src/testbed/agents/program-agent.ts";
import { type NodeBackend, startProcessNodes } from "../../src/testbed/nodes/index.ts";
import { RunEvents, type RunOrder } from "../../src/testbed/run-events.ts";

export const experiment = "bench/events";

/** Beside the object whose orders its thread meets, each process has one that is told of them. */
export const toldName = (name: string): string => `${name}-told`;

const clock = systemClock;
/** Time 0 of an agenda, from when it is loaded: as far as events are sent out ahead, and some. */
const startAheadUs = 700_000;

export interface EventRunParts {
  readonly tools: Readonly<Record<string, string>>;
  readonly programs: readonly string[];
  readonly command: string;
}

export interface Agenda {
  readonly agents: readonly AgendaAgent[];
  readonly main: readonly TimedEvent[];
  readonly groups?: AgendaLoad["groups"];
  /** Its agents are in other processes. */
  readonly isElsewhere?: boolean;
}

/** When the agenda counted from, monotonic microseconds, and what fired. */
export interface Played {
  readonly zeroUs: number;
  readonly fired: readonly EventFired[];
}

export class EventRun {
  readonly key = newSecret();
  readonly #out = mkdtempSync(join(tmpdir(), "muster-bench-"));
  readonly #host = new Host({
    ...{ log: new MemoryLog({ nowUs: clock.nowUs, retain: false }), clock },
    ...{ limits: resolveLimits(), logger: silentLogger, steadyTicks: true },
  });
  readonly #fire = new ThreadFireClock(clock);
  #backend: NodeBackend | undefined;
  #events: RunEvents | undefined;
  #programs: ProgramAgent | undefined;
  #performer: EventPerformer | undefined;
  #isEnding = false;
  #onFired: (fired: EventFired) => void = () => undefined;
  #onStarted: (zeroUs: number) => void = () => undefined;
  #onIdle: (scope: string) => void = () => undefined;

  static async open(parts: EventRunParts): Promise<EventRun> {
    const run = new EventRun();
    await run.#open(parts);
    return run;
  }

  /** HOST:PORT of the bus. */
  get address(): string {
    return this.#events?.address ?? "";
  }

  /** The directory with what programs print. */
  get logs(): string {
    return this.#backend?.nodes.get("n0")?.hostPath.localLogs ?? "";
  }

  async play(agenda: Agenda): Promise<Played> {
    // One scope for all: orders are told apart by the numbers that it counts on.
    const scope = experiment;
    const { agents, main, groups = [], isElsewhere = false } = agenda;
    const load: AgendaLoad = {
      ...{ kind: "agenda-load", scope, agents, groups, main, timelines: [], sequences: [] },
    };
    if (!isElsewhere) await this.#events?.serve(load);
    const preloader = new Preloader({
      ...{ clock, agenda: load },
      load: async (event) => this.#performer?.load(event),
    });
    await preloader.loadFirst();
    const fired: EventFired[] = [];
    const played = new Promise<Played>((resolve) => {
      let zeroUs = 0;
      this.#onStarted = (us) => {
        zeroUs = us;
        preloader.start(us);
      };
      this.#onFired = (one) => {
        if (one.scope === scope && one.token !== 0) fired.push(one);
      };
      this.#onIdle = (idle) => {
        if (idle === scope) resolve({ zeroUs, fired });
      };
    });
    this.#events?.load(load);
    this.#events?.submit({ kind: "agenda-start", scope, inUs: startAheadUs });
    return await played;
  }

  /** Agents elsewhere go now, which is no news. */
  beginEnd(): void {
    this.#isEnding = true;
  }

  async close(): Promise<void> {
    this.#events?.stop();
    await this.#programs?.stopAll();
    await this.#events?.close();
    this.#fire.close();
    await this.#backend?.stop();
    await this.#host.close();
    rmSync(this.#out, { recursive: true, force: true });
  }

  async #open({ tools, programs: names, command }: EventRunParts): Promise<void> {
    await this.#host.start();
    this.#host.observe((_entry, { observed }) => {
      for (const effect of observed) if (effect.kind === "event-fired") this.#onFired(effect);
    });
    const backend = await startProcessNodes({
      ...{ runId: newRunId(), pid: "bench", eid: "events", domain: "muster.local", seed: 1 },
      ...{ nodes: [{ name: "n0", links: [] }], links: [], syncServer: "n0", environment: [] },
      ...{ tools, clock, out: this.#out, onMessage: () => undefined },
    });
    this.#backend = backend;
    const programs: readonly Program[] = names.map((name) => ({
      ...{ name, node: "n0", command, isStartCommand: false, directory: "", timeoutSeconds: 0 },
      ...{ expectedExitCode: 0, shell: "sh", at: { file: "", line: 1, column: 1 } },
    }));
    const nobody = (): void => undefined;
    this.#programs = new ProgramAgent({
      ...{ backend, programs, clock, fire: this.#fire, journal: join(this.#out, "starts") },
      ...{ onStarted: nobody, onEnded: nobody },
    });
    this.#performer = new EventPerformer({
      ...{ experiment: experimentOf(programs), programs: this.#programs, clock },
    });
    await this.#openEvents(backend);
  }

  async #openEvents(backend: NodeBackend): Promise<void> {
    const performer = this.#performer;
    if (performer === undefined) return;
    this.#events = await RunEvents.open({
      ...{ experiment, backend, nodeOf: () => "n0", eventKey: this.key, clock },
      ...{ logger: silentLogger, host: this.#host, fire: this.#fire },
      perform: (order) => performer.perform(eventOf(order), howOf(order)),
      arm: (order, dueUs) => performer.arm(eventOf(order), { ...howOf(order), dueUs }),
      onEffect: (effect) => {
        if (effect.kind === "time-started") this.#onStarted(effect.zeroStampUs);
        if (effect.kind === "agenda-idle") this.#onIdle(effect.scope);
        if (effect.kind === "refused") throw new Error(effect.message);
      },
      onWarning: (text) => {
        if (!this.#isEnding) process.stderr.write(`bench: ${text}\n`);
      },
    });
    const submit = { kind: "open-scope", scope: experiment, nodes: ["n0"] } as const;
    this.#events.submit(submit);
  }
}

const eventOf = ({ objname, objtype, eventtype, args }: RunOrder) => ({
  ...{ id: 0, object: objname, type: objtype, event: eventtype, args },
});

const howOf = ({ scope, token, fire, objname }: RunOrder) => ({
  ...{ scope, token, id: `${fire} ${objname}` },
});

function experimentOf(programs: readonly Program[]): Experiment {
  return {
    ...{ pid: "bench", eid: "events", nodes: [], links: [], programs, groups: [], barriers: [] },
    ...{ events: [], sequences: [], timelines: [], simulator: "ns", syncServer: "n0" },
  } as unknown as Experiment;
}
