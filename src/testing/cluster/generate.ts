// SPDX-License-Identifier: MIT
// Draws the steps of a run from its seed: who asks what by which door, and what breaks when.
import { Random } from "../../core/random.ts";
import { BesideDrawer } from "./beside.ts";
import { drawChange } from "./changes.ts";
import { MakesDrawer } from "./makes.ts";
import {
  type Ask,
  type AskStep,
  agendaStrikes,
  type DoorName,
  type FaultName,
  type FaultRates,
  faultNames,
  type Script,
  type Step,
  type StepWork,
  snapshotStrikes,
  strikeNames,
  treeStrikes,
} from "./script.ts";

/** Rates of a fault that is asked for by name alone. */
export const usualRates: Readonly<Record<FaultName, number>> = {
  ...{ delay: 1, "lose-datagrams": 0.2, "double-datagrams": 0.1, "reorder-datagrams": 0.2 },
  ...{ "slow-log": 1, "lose-appends": 0.01, "refuse-appends": 0.01 },
  ...{ "lose-acknowledgements": 0.01, "double-appends": 0.02 },
  ...{ "cut-client": 0.01, "part-client": 0.006, "cut-log": 0.004, "part-log": 0.003 },
  ...{ "log-away": 0.001, crash: 0.004, drain: 0.002, pause: 0.004 },
  ...{ "step-log-clock": 0.002, "step-server-clock": 0.002, "crash-client": 0.004 },
  ...{ "crash-scheduler": 0.003, "cut-scheduler": 0.003, "crash-agent": 0.003, "cut-agent": 0.004 },
  ...{ snapshots: 1, "slow-snapshots": 1, "lose-snapshots": 0.03 },
  ...{ "crash-snapshot": 0.003, "damage-snapshot": 0.002 },
  ...{ trees: 1, "cut-tree": 0.006, "part-tree": 0.004 },
  ...{ "unequal-limits": 1, "cut-uplink": 0.006 },
};

/** What the faults of a seed are drawn with, when nobody names them. */
const faultChance = 0.5;
/** Most seeds are of one cluster, whose servers say what the models of one server say. */
const treesChance = 0.2;
const sessionsAtOnce = 8;
/** Of the steps that ask for something. */
const eventChance = 0.04;
const cancelEventChance = 0.01;
const changeChance = 0.03;
/** Of the requests at HTTP doors. */
const idChance = 0.6;
const objects = ["a", "b", "c"] as const;
const names = ["a", "b", "c"] as const;
const members = ["m0", "m1", "m2"] as const;
const scopes = ["s1", "s1", "s2"] as const;

/** The faults that a seed has, each with its usual rate. */
export function drawFaults(seed: number): FaultRates {
  const random = new Random(seed ^ 0x5eed);
  const drawn = faultNames.filter((name) =>
    random.chance(name === "trees" ? treesChance : faultChance),
  );
  return Object.fromEntries(drawn.map((name) => [name, usualRates[name]]));
}

export function generate(options: {
  readonly seed: number;
  readonly operations: number;
  readonly servers: number;
  readonly faults: FaultRates;
}): Script {
  const { seed, operations, servers, faults } = options;
  const drawer = new Drawer(seed, servers, faults);
  return { seed, servers, faults, steps: drawer.draw(operations) };
}

class Drawer {
  readonly #random: Random;
  /** Of events: what else is drawn does not depend on them. */
  readonly #ofEvents: Random;
  /** Of snapshots, likewise. */
  readonly #ofSnapshots: Random;
  /** Of links between controllers, likewise. */
  readonly #ofTrees: Random;
  readonly #ofUplinks: Random;
  /** Of requests that are asked for again, likewise. */
  readonly #ofIds: Random;
  /** At controllers of a tree, likewise. */
  readonly #ofTreeIds: Random;
  /** Of changes of whom a barrier is for, likewise. */
  readonly #ofChanges: Random;
  /** Of what is asked for between other steps, which are what they would be without it. */
  readonly #beside: BesideDrawer;
  /** Of one cluster: among those, likewise. */
  readonly #makes: MakesDrawer | undefined;
  readonly #servers: number;
  readonly #faults: FaultRates;
  readonly #steps: Step[] = [];
  readonly #sessions: number[] = [];
  #lastSession = 0;
  /** Steps that have asked for an event. */
  readonly #eventSteps: number[] = [];

  constructor(seed: number, servers: number, faults: FaultRates) {
    this.#random = new Random(seed);
    this.#ofEvents = new Random(seed ^ 0xe7e27);
    this.#ofSnapshots = new Random(seed ^ 0x5afe5);
    this.#ofTrees = new Random(seed ^ 0x7ee5);
    this.#ofUplinks = new Random(seed ^ 0x0b1c);
    this.#ofIds = new Random(seed ^ 0x1d1d1);
    this.#ofTreeIds = new Random(seed ^ 0x7ee1d);
    this.#ofChanges = new Random(seed ^ 0xc4a9e);
    const isTree = (faults.trees ?? 0) > 0;
    this.#beside = new BesideDrawer({ seed, servers, isTree, names, members });
    if (!isTree) this.#makes = new MakesDrawer({ seed, servers, names, members });
    this.#servers = servers;
    this.#faults = faults;
  }

  draw(operations: number): readonly Step[] {
    for (let opened = 0; opened < sessionsAtOnce; opened += 1) this.#open(0);
    while (this.#steps.length < operations) {
      if (this.#drawEvent() || this.#drawSnapshotStrike() || this.#drawTreeStrike()) continue;
      if (this.#drawUplinkStrike() || this.#drawChange()) continue;
      const strike = this.#drawStrike();
      if (strike !== undefined) this.#add(strike);
      else this.#drawWork();
    }
    const steps = this.#beside.among(this.#steps);
    return this.#makes?.among(steps) ?? steps;
  }

  /** @returns whether one was drawn. */
  #drawEvent(): boolean {
    const random = this.#ofEvents;
    const session = 0;
    const fault = agendaStrikes.find((name) => random.chance(this.#faults[name] ?? 0));
    if (fault !== undefined) {
      const forMs = random.chance(0.2) ? random.below(20_000) : random.below(3_000);
      const server = random.below(2);
      this.#add({ do: "break", fault, server, session, forMs }, random.below(20_000));
      return true;
    }
    if (this.#eventSteps.length > 0 && random.chance(cancelEventChance)) {
      const step = random.pick(this.#eventSteps.slice(-4));
      this.#add({ do: "cancel-event", step }, random.below(20_000));
      return true;
    }
    if (!random.chance(eventChance)) return false;
    const inMs = random.chance(0.3) ? 0 : random.below(3_000);
    const times = random.chance(0.2) ? { times: 2 + random.below(3) } : {};
    this.#eventSteps.push(this.#steps.length);
    this.#add({ do: "event", object: random.pick(objects), inMs, ...times }, random.below(20_000));
    return true;
  }

  /** @returns whether one was drawn. */
  #drawSnapshotStrike(): boolean {
    const random = this.#ofSnapshots;
    if (this.#faults.snapshots === undefined) return false;
    const fault = snapshotStrikes.find((name) => random.chance(this.#faults[name] ?? 0));
    if (fault === undefined) return false;
    const forMs = random.chance(0.2) ? random.below(25_000) : random.below(3_000);
    this.#add({ do: "break", fault, server: random.below(6), session: 0, forMs }, 0);
    return true;
  }

  /** @returns whether one was drawn. */
  #drawChange(): boolean {
    const random = this.#ofChanges;
    if (!random.chance(changeChance)) return false;
    const by = { session: random.pick(this.#sessions) };
    const ask = drawChange(random, members);
    const barrier = random.pick(names);
    this.#add({ do: "ask", by, barrier, ask, error: 0 }, random.below(20_000));
    return true;
  }

  /** @returns whether one was drawn: a server, of those of a tree. */
  #drawUplinkStrike(): boolean {
    const random = this.#ofUplinks;
    if ((this.#faults.trees ?? 0) === 0) return false;
    if (!random.chance(this.#faults["cut-uplink"] ?? 0)) return false;
    // Mostly long enough for another server to take the link, now and then beyond its lease.
    const forMs = random.chance(0.7) ? random.below(9_000) : random.below(40_000);
    const server = random.below(this.#servers);
    this.#add({ do: "break", fault: "cut-uplink", server, session: 0, forMs }, 0);
    return true;
  }

  /** @returns whether one was drawn: a link, of those there are. */
  #drawTreeStrike(): boolean {
    const random = this.#ofTrees;
    if ((this.#faults.trees ?? 0) === 0) return false;
    const fault = treeStrikes.find((name) => random.chance(this.#faults[name] ?? 0));
    if (fault === undefined) return false;
    // Mostly shorter than the lease of a link, now and then longer.
    const forMs = random.chance(0.2) ? random.below(25_000) : random.below(3_000);
    this.#add({ do: "break", fault, server: random.below(6), session: 0, forMs }, 0);
    return true;
  }

  #drawStrike(): StepWork | undefined {
    const random = this.#random;
    const fault = strikeNames.find((name) => random.chance(this.#faults[name] ?? 0));
    if (fault === undefined) return undefined;
    // Mostly shorter than a lease, now and then longer.
    const forMs = random.chance(0.2) ? random.below(25_000) : random.below(3_000);
    const session = random.pick(this.#sessions);
    return { do: "break", fault, server: this.#server(), session, forMs };
  }

  #drawWork(): void {
    const random = this.#random;
    const draw = random.below(1000);
    if (draw < 80) {
      // Somebody who asked not long ago.
      const step = this.#steps.length - 1 - random.below(Math.min(40, this.#steps.length));
      this.#add({ do: "leave", step });
    } else if (draw < 84) this.#add({ do: "clear", server: this.#server() });
    else if (draw < 92) {
      const [session] = this.#sessions.splice(random.below(this.#sessions.length), 1);
      if (session !== undefined) this.#add({ do: "close", session });
      this.#open();
    } else this.#add(this.#drawAsk());
  }

  #open(afterUs?: number): void {
    this.#lastSession += 1;
    const session = this.#lastSession;
    this.#sessions.push(session);
    const scope = this.#random.pick(scopes);
    this.#add({ do: "open", session, server: this.#server(), scope }, afterUs);
  }

  #drawAsk(): AskStep {
    const random = this.#random;
    const barrier = random.pick(names);
    const error = random.chance(0.8) ? 0 : random.below(240);
    const timeout = random.chance(0.3) ? { timeoutMs: random.below(5_000) } : {};
    if (random.chance(0.6)) {
      const ask = this.#drawNative();
      const together = random.chance(0.05) ? { together: true as const } : {};
      const by = { session: random.pick(this.#sessions) };
      return { do: "ask", by, barrier, ask, error, ...timeout, ...together };
    }
    const doors: readonly DoorName[] = ["syncd", "syncd", "udp", "testground", "gnunet", "http"];
    const door = random.pick(doors);
    const ask = this.#drawOld(door);
    const by = { door, server: this.#server() };
    return { do: "ask", by, barrier, ask, error, ...timeout, ...this.#drawAgain(door) };
  }

  /** Whether it has an id, and where it is asked for again. */
  #drawAgain(door: DoorName): Pick<AskStep, "again"> {
    const isTree = (this.#faults.trees ?? 0) > 0;
    const random = isTree ? this.#ofTreeIds : this.#ofIds;
    if (door !== "http" || !random.chance(idChance)) return {};
    const server = random.pick([0, 1, 1, 2]);
    const patience = random.chance(0.4) ? { patienceMs: random.below(4_000) } : {};
    return { again: { server, ...patience } };
  }

  #drawNative(): Ask {
    const random = this.#random;
    const draw = random.below(100);
    if (draw < 12) return this.#drawInit();
    if (draw < 34) return { what: "count-wait" };
    if (draw < 40) return { what: "signal" };
    if (draw < 45) return { what: "state-wait", target: random.below(60) };
    if (draw < 50) return { what: "signal-and-wait", target: random.below(60) };
    if (draw < 54) {
      const percent = random.pick([34, 67, 100]);
      return { what: "quorum-init", percent, explicit: random.chance(0.5) };
    }
    if (draw < 62) return { what: "quorum-wait" };
    if (draw < 64) return { what: "peers", count: random.below(5) };
    if (draw < 68) return this.#drawRoster();
    if (draw < 80) return { what: "roster-arrive", member: random.pick(members) };
    if (draw < 81) return { what: "roster-dead", member: random.pick(members) };
    if (draw < 89) return { what: "publish" };
    if (draw < 92) return { what: "publish-and-wait", target: random.below(60) };
    if (draw < 96) return { what: "subscribe" };
    const kind = random.pick(["count", "state", "quorum", "roster"] as const);
    if (draw < 97) return { what: "fail", kind: kind === "count" ? "state" : kind };
    return draw < 98 ? { what: "cancel", kind } : { what: "describe" };
  }

  #drawInit(): Ask {
    const count = 1 + this.#random.below(3);
    return { what: "count-init", count, waits: this.#random.chance(0.5) };
  }

  #drawRoster(): Ask {
    const random = this.#random;
    return {
      what: "roster-open",
      members: members.slice(random.below(2)),
      phases: random.below(3),
      whenDead: random.pick(["fail", "shrink", "wait"] as const),
      whenLate: random.pick(["pass", "refuse", "next"] as const),
    };
  }

  #drawOld(door: DoorName): Ask {
    const random = this.#random;
    const draw = random.below(100);
    switch (door) {
      case "syncd":
      case "udp":
        return draw < 32 ? this.#drawInit() : { what: "count-wait" };
      case "testground":
        if (draw < 35) return { what: "signal" };
        if (draw < 70) return { what: "state-wait", target: random.below(60) };
        return draw < 90 ? { what: "publish" } : { what: "subscribe" };
      case "gnunet":
        if (draw < 30) {
          const percent = random.pick([34, 67, 100]);
          return { what: "quorum-init", percent, explicit: true };
        }
        return { what: "quorum-wait" };
      case "http":
        if (draw < 25) return this.#drawInit();
        if (draw < 60) return { what: "count-wait" };
        if (draw < 75) return { what: "signal" };
        return { what: "state-wait", target: random.below(60) };
    }
  }

  #server(): number {
    return this.#random.below(this.#servers);
  }

  #add(work: StepWork, afterUs: number = this.#gapUs()): void {
    this.#steps.push({ id: this.#steps.length, afterUs, ...work });
  }

  #gapUs(): number {
    const draw = this.#random.below(100);
    if (draw < 60) return this.#random.below(5_000);
    if (draw < 97) return this.#random.below(100_000);
    return this.#random.below(3_000_000);
  }
}
