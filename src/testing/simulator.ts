// SPDX-License-Identifier: MIT
// Simulator: one seed, one history. Draws what clients do and what breaks from the seed, lets it
// happen to the shipped code under virtual time, and has the history judged. The same seed gives
// the same run to the last line.
//
// A line of the trace is `SECONDS WHO WHAT`:
//   cN            a client: what it asks and where, how it ends (answered N, leaves, is closed)
//   NODE/syncd    a sync server in a process of its own: starts, dies, is stopped, goes on
//   direct        an edge without a wire in a process of its own, whose waits have deadlines
//   core          the server with the log: starts, dies, releases; its warnings
//   log           the machine of the log: its clock is set
//   link          a connection between an edge and the core: is cut, is held back, is whole again
//   run           the run itself: the faults of this seed, the calm at the end
import { Digest } from "../core/digest.ts";
import { resolveLimits } from "../core/limits.ts";
import { Random } from "../core/random.ts";
import type { SyncRequest } from "../wire/emulab-sync/index.ts";
import { HistoryChecker } from "./history-checker.ts";
import type { EdgeProcess } from "./simulated-world.ts";
import { World } from "./simulated-world.ts";

/** Faults by name; a run has those it is given. */
export const faultNames = [
  "cut-link",
  "hold-link",
  "crash-core",
  "kill-edge",
  "stop-edge",
  "set-clock",
  "slow-log",
  "refusing-log",
  "doubtful-log",
  "slow-network",
  "pieces",
] as const;
export type FaultName = (typeof faultNames)[number];

export interface SimulationOptions {
  readonly seed: number;
  /** Things that clients do. */
  readonly operations: number;
  /** Absent: the seed draws them. */
  readonly faults?: readonly FaultName[];
  /** Gets every line of the trace. */
  readonly onLine?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly problems: readonly string[];
  /** Of all lines of the trace: equal for equal runs. */
  readonly digest: string;
  readonly clients: number;
  readonly answered: number;
  readonly crossings: number;
  readonly faults: readonly FaultName[];
  readonly virtualSeconds: number;
  /** How often each fault struck in each state, `crash-core/waiting,appending`. */
  readonly coverage: ReadonlyMap<string, number>;
}

const barriers = ["a", "b", "c", "d"] as const;
/** What the seed's faults are drawn with. */
const faultChance = 0.6;
const secondUs = 1_000_000;
/** An edge's lease, and then some: after this much calm whatever was lost is given up. */
const calmUs = 60 * secondUs;

/** Runs one seed to its end. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const run = new Run(options);
  await run.go();
  return run.result();
}

class Run {
  readonly #options: SimulationOptions;
  readonly #random: Random;
  readonly #faults: ReadonlySet<FaultName>;
  readonly #checker: HistoryChecker;
  readonly #world: World;
  readonly #digest = new Digest();
  readonly #coverage = new Map<string, number>();
  #lines = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    const drawn = faultNames.filter(() => this.#random.chance(faultChance));
    this.#faults = new Set(options.faults ?? drawn);
    const limits = resolveLimits();
    this.#checker = new HistoryChecker(limits);
    const has = (name: FaultName, value: number): number => (this.#faults.has(name) ? value : 0);
    this.#world = new World({
      random: this.#random,
      limits,
      checker: this.#checker,
      logFaults: {
        appendDelayMsMax: has("slow-log", 40),
        deliveryDelayMsMax: has("slow-log", 40),
        definiteFailure: has("refusing-log", 0.05),
        indefiniteFailure: has("doubtful-log", 0.05),
      },
      networkFaults: { delayMsMax: has("slow-network", 30), pieces: has("pieces", 0.2) },
      trace: (who, what) => this.#trace(who, what),
    });
  }

  async go(): Promise<void> {
    const world = this.#world;
    this.#trace("run", `faults: ${[...this.#faults].join(" ") || "none"}`);
    world.start();
    await world.clock.pass(secondUs);
    for (let done = 0; done < this.#options.operations; done += 1) {
      this.#operate();
      await world.clock.pass(this.#gapUs());
    }
    this.#trace("run", "calm: nothing breaks from here on");
    world.calm();
    await world.clock.pass(calmUs);
    this.#checker.checkDeadlines(world.clients);
    for (const edge of world.edges) world.clear(edge);
    await world.clock.pass(calmUs);
    this.#checker.finish(world.clients, (client) => world.excused.has(client));
  }

  result(): SimulationResult {
    const { clients, clock } = this.#world;
    return {
      seed: this.#options.seed,
      problems: this.#checker.problems,
      digest: this.#digest.toString(),
      clients: clients.length,
      answered: clients.filter(({ ending }) => ending?.kind === "answered").length,
      crossings: this.#checker.crossings,
      faults: [...this.#faults],
      virtualSeconds: Math.trunc(clock.elapsedUs / secondUs),
      coverage: this.#coverage,
    };
  }

  #gapUs(): number {
    const draw = this.#random.below(100);
    if (draw < 60) return this.#random.below(5_000);
    if (draw < 97) return this.#random.below(100_000);
    return this.#random.below(3_000_000);
  }

  #operate(): void {
    const random = this.#random;
    const world = this.#world;
    const draw = random.below(1000);
    if (draw < 100) {
      const { waiting } = world;
      if (waiting.length > 0) random.pick(waiting).leave();
    } else if (draw < 104) world.clear(random.pick(world.edges));
    else if (draw < 134) this.#break();
    else this.#arrive();
  }

  #arrive(): void {
    const random = this.#random;
    const world = this.#world;
    const edge = random.pick([...world.edges, world.local]);
    const name = random.pick(barriers);
    if (edge.direct !== undefined && random.chance(0.5)) {
      world.arriveAtKind(edge, name, random);
      return;
    }
    const error = random.chance(0.8) ? 0 : random.below(240);
    const request: SyncRequest = random.chance(0.32)
      ? { kind: "init", name, count: 1 + random.below(3), waits: random.chance(0.5), error }
      : { kind: "wait", name, error };
    if (edge.direct === undefined) world.arriveByWire(edge, request, random);
    else {
      const timeoutUs = random.chance(0.4) ? random.below(5_000_000) : undefined;
      world.arriveDirectly(edge, request, timeoutUs);
    }
  }

  /** One of the faults of this run strikes. */
  #break(): void {
    const random = this.#random;
    const world = this.#world;
    const edge = random.pick(world.edges);
    const strikes: Partial<Record<FaultName, () => void>> = {
      "cut-link": () => {
        this.#trace("link", `of ${edge.name} is cut`);
        world.cutLink(edge);
      },
      "hold-link": () => this.#holdLink(edge),
      "crash-core": () => {
        world.crashCore();
        world.clock.after(this.#downMs(), () => world.startCore());
      },
      "kill-edge": () => {
        world.killEdge(edge);
        world.clock.after(this.#downMs(), () => world.startEdge(edge));
      },
      "stop-edge": () => {
        world.stopEdge(edge);
        world.clock.after(this.#downMs(), () => world.resumeEdge(edge));
      },
      "set-clock": () => world.stepClock((random.chance(0.5) ? 3600 : -3600) * secondUs),
    };
    const names = faultNames.filter((name) => this.#faults.has(name) && name in strikes);
    if (names.length === 0) return;
    const name = random.pick(names);
    const state = world.waiting.length > 0 ? "waiting" : "idle";
    const key = `${name}/${world.isCoreUp ? state : "core-down"}`;
    this.#coverage.set(key, (this.#coverage.get(key) ?? 0) + 1);
    strikes[name]?.();
  }

  #holdLink(edge: EdgeProcess): void {
    const { link } = edge;
    this.#trace("link", `of ${edge.name} is held back`);
    this.#world.holdLink(edge);
    this.#world.clock.after(this.#downMs(), () => {
      if (edge.isStopped && edge.link === link) return;
      this.#trace("link", `of ${edge.name} is whole again`);
      link?.heal();
    });
  }

  /** Mostly shorter than a lease, now and then longer. */
  #downMs(): number {
    return this.#random.chance(0.2) ? this.#random.below(20_000) : this.#random.below(2_000);
  }

  #trace(who: string, what: string): void {
    this.#lines += 1;
    const seconds = (
      this.#world === undefined ? 0 : this.#world.clock.elapsedUs / secondUs
    ).toFixed(6);
    const line = `${seconds} ${who} ${what}`;
    this.#digest.addRow(`${this.#lines} ${line}`, 1);
    this.#options.onLine?.(line);
  }
}
