// SPDX-License-Identifier: MIT
// One run of a cluster: takes the steps of a script, lets them happen under virtual time, then lets
// nothing break any more and asks whether everything goes on. The same script gives the same run to
// the last line. docs/internals/simulator.md says what a line of the trace means.
import { resolveLimits } from "../../core/limits.ts";
import { Random } from "../../core/random.ts";
import { AgendaWorld, agendaObjects } from "./agenda-world.ts";
import type { SimulatedServer } from "./cluster-server.ts";
import { Controllers } from "./controllers.ts";
import type { AskStep, FaultName, Script, Step } from "./script.ts";

/** What a cluster is doing when a fault strikes; several at once. */
export const stateNames = [
  "idle",
  "waiting",
  "appending",
  "reading-the-log",
  "session-lost",
  "server-down",
  "most-down",
  "server-paused",
  "server-draining",
  "log-cut",
  "log-away",
  "writing-a-snapshot",
] as const;
export type StateName = (typeof stateNames)[number];

export interface RunOptions {
  readonly script: Script;
  /** Gets every line of the trace. */
  readonly onLine?: (line: string) => void;
}

export interface RunResult {
  readonly problems: readonly string[];
  readonly parties: number;
  readonly answered: number;
  readonly crossings: number;
  readonly entries: number;
  readonly virtualSeconds: number;
  /** How often each fault struck. */
  readonly struck: Readonly<Record<string, number>>;
  /** How often each fault struck in each state, `crash/waiting`. */
  readonly coverage: Readonly<Record<string, number>>;
}

const secondUs = 1_000_000;
/** The leases of servers, edges and sessions, and then some. */
const calmUs = 60 * secondUs;
/** Servers that begin before have joined by then, and said what they were told. */
const limitsUs = 25 * secondUs;
/** Within this, when nothing breaks, parties at all servers and doors meet. */
const probeUs = 10 * secondUs;
/** Steps of the run itself, after those of the script. */
const ownSteps = 1_000_000;

export async function runScript(options: RunOptions): Promise<RunResult> {
  // Faults are met with errors, by the thousand, and nobody asks where they were made.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const run = new Run(options);
  try {
    await run.go();
    return run.result();
  } finally {
    run.end();
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** How often a fault struck, also by state. */
interface Struck {
  times: number;
  readonly inState: Map<StateName, number>;
}

class Run {
  readonly #options: RunOptions;
  readonly #world: Controllers;
  readonly #agenda: AgendaWorld;
  /** By fault: how often it struck, and in which states. */
  readonly #struck = new Map<FaultName, Struck>();
  readonly #steady: FaultName[] = [];

  constructor(options: RunOptions) {
    this.#options = options;
    const { seed, servers, faults } = options.script;
    this.#world = new Controllers({
      ...{ seed, servers, faults, limits: resolveLimits() },
      trace: (who, what) => this.#trace(who, what),
      onStruck: (fault) => this.#onStruck(fault),
    });
    this.#agenda = new AgendaWorld({
      ...{ clock: this.#world.clock, random: new Random(seed ^ 0xa6e2da) },
      logFaults: {
        appendDelayMsMax: faults["slow-log"] === undefined ? 0 : 40,
        definiteFailure: faults["refuse-appends"] ?? 0,
        indefiniteFailure: faults["lose-acknowledgements"] ?? 0,
      },
      trace: (who, what) => this.#trace(who, what),
      complain: (rule, text) => this.#world.complain(rule, text),
    });
    // These strike every message; that they were on is what there is to count.
    for (const fault of ["delay", "slow-log", "slow-snapshots"] as const) {
      if (faults[fault] !== undefined) this.#steady.push(fault);
    }
  }

  async go(): Promise<void> {
    const world = this.#world;
    const { steps, faults } = this.#options.script;
    const named = Object.entries(faults).map(([name, rate]) => `${name}=${rate}`);
    this.#trace("run", `faults: ${named.join(" ") || "none"}`);
    world.start();
    if (steps.some(({ do: what }) => what === "event")) await this.#agenda.start();
    await world.clock.pass(secondUs);
    await world.clock.passEach(this.#takeAll(steps));
    if (world.problems.length === 0) await this.#calm();
  }

  /** Yields how long it is until it is to go on. */
  *#takeAll(steps: readonly Step[]): Generator<number, void> {
    let isSettled = false;
    for (const step of steps) {
      // Sessions are let in before anybody asks.
      if (!isSettled && step.do !== "open") {
        yield secondUs;
        isSettled = true;
      }
      yield step.afterUs;
      const states = this.#steady.length === 0 ? [] : this.#states();
      for (const fault of this.#steady) this.#onStruck(fault, states);
      this.#take(step);
      if (this.#world.problems.length > 0) return;
    }
  }

  end(): void {
    this.#world.end();
  }

  result(): RunResult {
    const { parties, clock, problems, crossings, entries } = this.#world;
    return {
      problems,
      parties: parties.length,
      answered: parties.filter(({ end }) => end?.kind === "answered").length,
      crossings,
      entries,
      virtualSeconds: Math.trunc(clock.elapsedUs / secondUs),
      struck: Object.fromEntries([...this.#struck].map(([fault, { times }]) => [fault, times])),
      coverage: this.#coverage(),
    };
  }

  #coverage(): Record<string, number> {
    const coverage: Record<string, number> = {};
    for (const [fault, { inState }] of this.#struck) {
      for (const [state, times] of inState) coverage[`${fault}/${state}`] = times;
    }
    return coverage;
  }

  /** K7. */
  async #calm(): Promise<void> {
    const world = this.#world;
    this.#trace("run", "calm: nothing breaks from here on");
    world.calm();
    if (this.#agenda.asked > 0) this.#agenda.calm();
    await world.clock.pass(limitsUs);
    for (const one of world.worlds) one.levelLimits();
    await world.clock.pass(calmUs - limitsUs);
    for (const party of world.waiting) {
      if (!party.hasDeadline) continue;
      const what = `${party.name} at ${party.at} (${party.asked})`;
      world.complain("K7", `${what} still waits after its deadline`);
    }
    await this.#probe();
    for (const [index, scope] of ["s1", "s2"].entries()) {
      this.#trace("run", `cancels what is left in ${scope}`);
      const own = world.isTree ? world.worlds.map((_, at) => 100 + 2 * at + index) : [index];
      for (const session of own) world.program(ownSteps + session)?.client.cancelAll();
    }
    await world.clock.pass(probeUs);
    world.endSubscriptions();
    this.#agenda.finish();
    world.finish();
  }

  /** Somebody at each door of each server: all meet. */
  async #probe(): Promise<void> {
    const world = this.#world;
    const asks: AskStep["by"][] = [];
    for (let server = 0; server < world.servers.length; server += 1) {
      const session = ownSteps + server;
      world.openProgram(session, server, server === 1 ? "s2" : "s1");
      if (server !== 1) asks.push({ session });
      for (const door of ["syncd", "http", "udp"] as const) asks.push({ door, server });
    }
    if (world.isTree) this.#openEverywhere();
    // Of the other scope, by which what is left there is ended.
    else if (world.servers.length === 1) world.openProgram(ownSteps + 1, 0, "s2");
    await world.clock.pass(secondUs);
    const before = new Set(world.parties);
    for (const [index, by] of asks.entries()) {
      const isFirst = index === 0;
      const ask = isFirst
        ? ({ what: "count-init", count: asks.length - 1, waits: true } as const)
        : ({ what: "count-wait" } as const);
      this.#ask({ do: "ask", by, barrier: "probe", ask, error: 0, id: ownSteps + index });
    }
    await world.clock.pass(probeUs);
    const probes = world.parties.filter((party) => !before.has(party));
    const failed = probes.filter(({ end }) => end?.kind !== "answered");
    if (failed.length === 0 && probes.length === asks.length) return;
    const who = failed.map(({ at, end }) => `${at} ${JSON.stringify(end ?? "waits")}`).join(", ");
    const what = `${probes.length} of ${asks.length} could ask, without an answer: ${who}`;
    world.complain("K7", `after all faults not everybody meets: ${what}`);
  }

  /** Some barriers are those of one controller, and end where they are. */
  #openEverywhere(): void {
    const world = this.#world;
    for (const [index, { servers }] of world.worlds.entries()) {
      const first = servers[0] === undefined ? 0 : world.servers.indexOf(servers[0]);
      world.openProgram(ownSteps + 100 + 2 * index, first, "s1");
      world.openProgram(ownSteps + 101 + 2 * index, first, "s2");
    }
  }

  #take(step: Step): void {
    const world = this.#world;
    switch (step.do) {
      case "open":
        world.openProgram(step.session, step.server % world.servers.length, step.scope);
        return;
      case "close": {
        const program = world.program(step.session);
        if (program !== undefined) world.worldOfSession(step.session)?.closeProgram(program);
        return;
      }
      case "ask":
        this.#ask(step);
        return;
      case "leave": {
        const left = `c${step.step}`;
        const party = world.waiting.find(({ name }) => name === left);
        if (party === undefined) return;
        this.#trace(party.name, "leaves");
        party.leave();
        return;
      }
      case "event":
        this.#agenda.ask(step.id, step.object, step.inMs, step.times);
        return;
      case "cancel-event":
        this.#agenda.cancel(step.step);
        return;
      case "clear":
        world.clear(step.server);
        return;
      case "break":
        this.#break(step);
        return;
    }
  }

  #ask(step: AskStep & { readonly id: number }): void {
    if ("session" in step.by) this.#world.askProgram(step, step.by.session);
    else this.#world.askDoor(step, step.by.door, step.by.server);
  }

  #break(step: Extract<Step, { do: "break" }>): void {
    const { servers, clock } = this.#world;
    const server = servers[step.server % servers.length];
    if (server === undefined) return;
    const world = this.#world.worldOf(server);
    this.#onStruck(step.fault);
    const later = (act: () => void): void => void clock.after(step.forMs, act);
    switch (step.fault) {
      case "crash":
        this.#trace(server.name, "dies");
        server.kill();
        later(() => server.start());
        return;
      case "drain":
        server.drain();
        clock.after(step.forMs + 5_000, () => server.start());
        return;
      case "pause":
        world.pause(server);
        later(() => world.resume(server));
        return;
      case "log-away":
        this.#trace(world.logName, "is gone");
        world.logIsTrouble();
        world.log.leave();
        later(() => {
          this.#trace(world.logName, "is back");
          world.log.return();
          world.logIsTrouble();
        });
        return;
      case "step-log-clock": {
        const seconds = step.forMs % 2 === 0 ? 3_600 : -3_600;
        this.#trace(world.logName, `its clock is set by ${seconds} s`);
        world.logClockIsSet();
        world.log.step(seconds * secondUs);
        return;
      }
      case "step-server-clock": {
        const seconds = step.forMs % 2 === 0 ? 86_400 : -86_400;
        this.#trace(server.name, `its clock is set by ${seconds} s`);
        server.process.stepCalendar(seconds * 1_000);
        return;
      }
      case "crash-client":
        this.#world.worldOfSession(step.session)?.killProgram(step.session);
        return;
      case "crash-scheduler":
        this.#agenda.killScheduler();
        later(() => this.#agenda.startScheduler());
        return;
      case "cut-scheduler":
        later(this.#agenda.cutScheduler());
        return;
      case "crash-snapshot":
      case "damage-snapshot":
        this.#breakSnapshot(step);
        return;
      case "crash-agent":
      case "cut-agent":
        this.#breakAgent(step, later);
        return;
      case "cut-tree":
      case "part-tree":
        this.#breakLink(step, later);
        return;
      case "cut-uplink":
        later(this.#world.cutUplink(server));
        return;
      default:
        this.#breakLine(step, server, later);
        return;
    }
  }

  #breakAgent(
    { fault, server }: Extract<Step, { do: "break" }>,
    later: (act: () => void) => void,
  ): void {
    const names = Object.keys(agendaObjects);
    const name = names[server % names.length] ?? "";
    if (fault === "cut-agent") {
      later(this.#agenda.cutAgent(name));
      return;
    }
    this.#agenda.killAgent(name);
    later(() => this.#agenda.startAgent(name));
  }

  /** Of two controllers; where there are none nothing is struck. */
  #breakLink(
    { fault, server }: Extract<Step, { do: "break" }>,
    later: (act: () => void) => void,
  ): void {
    const { links } = this.#world;
    const link = links[server % Math.max(1, links.length)];
    if (fault === "cut-tree") {
      link?.cut();
      later(() => link?.mend());
    } else {
      link?.part();
      later(() => link?.heal());
    }
  }

  /** Who writes is killed when so many more messages of a snapshot are stored. */
  #breakSnapshot({ fault, server: messages, forMs }: Extract<Step, { do: "break" }>): void {
    const { worlds } = this.#world;
    const { snapshots, servers, clock, logName } = worlds[forMs % worlds.length] ?? {};
    if (fault === "damage-snapshot") {
      const lost = snapshots?.damage();
      if (lost === "part") this.#trace(logName ?? "", "a part of the newest snapshot is lost");
      if (lost === "index") this.#trace(logName ?? "", "the index of its snapshots is lost");
      return;
    }
    snapshots?.whenStored(1 + messages, (writer) => {
      const server = servers?.find(({ name }) => name === writer);
      this.#trace(writer, "dies while it writes a snapshot");
      server?.kill();
      snapshots.loseUnnamed();
      clock?.after(forMs, () => server?.start());
    });
  }

  #breakLine(
    { fault, session }: Extract<Step, { do: "break" }>,
    server: SimulatedServer,
    later: (act: () => void) => void,
  ): void {
    const world = this.#world.worldOf(server);
    const program = this.#world.program(session);
    const ofProgram = this.#world.worldOfSession(session);
    const { way, ways } = server;
    if (fault === "cut-client" && program !== undefined) ofProgram?.cutProgram(program);
    else if (fault === "part-client" && program !== undefined) {
      ofProgram?.part(program);
      later(() => ofProgram?.heal(program));
    } else if (fault === "cut-log" && way !== undefined) {
      this.#trace(server.name, "has lost its connection to the log");
      world.excuse(server, "its server was cut off from the log");
      for (const one of ways) one.cut();
      later(() => {
        this.#trace(server.name, "is connected to the log again");
        world.excuse(server, "its server was cut off from the log");
        for (const one of ways) one.mend();
        world.over(server);
      });
    } else if (fault === "part-log" && way !== undefined) {
      this.#trace(server.name, "hears nothing of the log, and the log nothing of it");
      world.excuse(server, "its server was cut off from the log");
      for (const one of ways) one.hold();
      later(() => {
        this.#trace(server.name, "hears the log again");
        world.excuse(server, "its server was cut off from the log");
        for (const one of ways) one.heal();
        world.over(server);
      });
    }
  }

  #onStruck(fault: FaultName, states: readonly StateName[] = this.#states()): void {
    const struck = this.#struck.get(fault) ?? { times: 0, inState: new Map() };
    this.#struck.set(fault, struck);
    struck.times += 1;
    const { inState } = struck;
    for (const state of states) inState.set(state, (inState.get(state) ?? 0) + 1);
  }

  #states(): readonly StateName[] {
    const { worlds, servers, hasWaiting } = this.#world;
    const inState = { down: 0, starting: 0, up: 0, paused: 0, draining: 0 };
    let isAppending = false;
    let isCut = false;
    for (const { state, way } of servers) {
      inState[state] += 1;
      isAppending ||= way !== undefined && way.appending > 0;
      isCut ||= way?.isBroken === true;
    }
    const { down, starting, paused, draining } = inState;
    const states: StateName[] = [];
    if (hasWaiting) states.push("waiting");
    if (isAppending) states.push("appending");
    if (starting > 0) states.push("reading-the-log");
    if (worlds.some(({ hasLostSession }) => hasLostSession)) states.push("session-lost");
    if (down > 0) states.push("server-down");
    if (down * 2 > servers.length) states.push("most-down");
    if (paused > 0) states.push("server-paused");
    if (draining > 0) states.push("server-draining");
    if (worlds.some(({ snapshots }) => snapshots?.isWriting)) states.push("writing-a-snapshot");
    if (worlds.some(({ log }) => log.isAway)) states.push("log-away");
    else if (isCut) states.push("log-cut");
    return states.length === 0 ? ["idle"] : states;
  }

  #trace(who: string, what: string): void {
    const { onLine } = this.#options;
    if (onLine === undefined) return;
    const us = this.#world === undefined ? 0 : this.#world.clock.elapsedUs;
    onLine(`${(us / secondUs).toFixed(6)} ${who} ${what}`);
  }
}
