// SPDX-License-Identifier: MIT
// The events of a simulated run (D8): the shipped scheduler of one experiment on a log of its own,
// the shipped agents of two nodes, and the users' bus between them, each in a process that may die
// and on a line that may be cut. Senders ask for events; what becomes of each is written down.
//
//   A1. A request is completed, whatever has died, with 0 or with an error: once, or after the end
//       or a cut of the scheduler more than once, with the same (docs/internals/event-survival.md).
//   A2. It is performed at most once, and not before its instant.
//   A3. What is completed with 0 was performed.
//   A4. Events of one object are performed in the order of their instants, and those of one instant
//       in the order in which they were asked for, unless a line was cut or somebody has died. What
//       is asked for so late that the log has it when a later one is performed comes behind that.
//   A5. An event that was cancelled, as who asked for that was told, is not performed.
import { type ControlOptions, controlEvents, listEvents } from "../../client/event-control.ts";
import { createCredentials, type LastingCredentials } from "../../client/event-credentials.ts";
import type { AgendaLoad } from "../../core/agenda/commands.ts";
import { resolveLimits } from "../../core/limits.ts";
import type { Random } from "../../core/random.ts";
import { resolveBusLimits } from "../../engine/bus-limits.ts";
import { MemoryBus } from "../../engine/memory-bus.ts";
import { MemoryLog } from "../../engine/memory-log.ts";
import { BusAgent, type Performed } from "../../events/bus-agent.ts";
import { Scheduler } from "../../events/scheduler.ts";
import { SchedulerRecall } from "../../events/scheduler-recall.ts";
import { eventHash } from "../../host/event-hash.ts";
import { Host } from "../../host/host.ts";
import { connectLastingEdge } from "../../host/local-link.ts";
import { TimerFireClock } from "../../testbed/agents/firing/fire-clock.ts";
import type { PlacedNotification } from "../../wire/event/bus.ts";
import {
  type Address,
  attributeNames,
  createNotification,
  getInt32,
  getText,
  int32Attribute,
  type Notification,
  textAttribute,
  toScheduleRequest,
} from "../../wire/event/notification.ts";
import type { Order } from "../../wire/event/orders.ts";
import { DelayingLog, type LogFaults } from "../delaying-log.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { VirtualProcess } from "../virtual-process.ts";
import { BusLine } from "./bus-line.ts";

const experiment = "p/e";
const edge = "scheduler";
const sender = "192.0.2.1";
const key = new TextEncoder().encode("0123456789abcdef0123456789abcdef");

/** Objects by the agent that performs their events. */
export const agendaObjects: Readonly<Record<string, readonly string[]>> = {
  x0: ["a", "b"],
  x1: ["c"],
};

export interface AgendaWorldOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly logFaults: Partial<LogFaults>;
  readonly trace: (who: string, what: string) => void;
  readonly complain: (rule: string, text: string) => void;
}

/** The log has what was asked for, and what it refused once or twice, within this. */
const logWithinUs = 1_000_000;

/** From the token of an event to that of the next one of the same step. */
const nextOfStep = 1_000_000;

interface Asked {
  readonly object: string;
  isCancelled: boolean;
  /** Monotonic, as is the instant that it is asked for. */
  readonly askedUs: number;
  readonly dueUs: number;
  /** How many had been performed when it was first ordered; undefined when it was not. */
  orderedAt: number | undefined;
  readonly performedUs: number[];
  readonly errors: number[];
}

interface Agent {
  readonly name: string;
  process: VirtualProcess;
  line: BusLine;
  agent: BusAgent | undefined;
}

export class AgendaWorld {
  readonly #options: AgendaWorldOptions;
  readonly #bus = new MemoryBus({ epoch: "bus", limits: resolveBusLimits() });
  readonly #log: MemoryLog;
  readonly #asked = new Map<number, Asked>();
  /** In their order: several may be performed at one instant. */
  readonly #performed: number[] = [];
  readonly #agents: readonly Agent[];
  #line: BusLine = new BusLine(this.#bus);
  #process: VirtualProcess;
  #host: Host | undefined;
  #slowLog: DelayingLog | undefined;
  #logFaults: Partial<LogFaults>;
  #nonces = 0;
  #isTroubled = false;
  /** What a scheduler has said before its end, the next one may say again. */
  #maySayAgain = false;

  constructor(options: AgendaWorldOptions) {
    this.#options = options;
    const { clock } = options;
    this.#logFaults = options.logFaults;
    this.#log = new MemoryLog({ nowUs: () => clock.nowUs() });
    this.#process = new VirtualProcess(clock);
    this.#agents = Object.keys(agendaObjects).map((name) => ({
      ...{ name, process: new VirtualProcess(clock), line: new BusLine(this.#bus) },
      agent: undefined,
    }));
  }

  get asked(): number {
    return this.#asked.size;
  }

  async start(): Promise<void> {
    await this.#bus.subscribe(
      { address: undefined, slow: "end" },
      { onNotifications: (some) => this.#hear(some), onGap: ignore, onEnd: ignore },
    );
    this.startScheduler();
    for (const { name } of this.#agents) this.startAgent(name);
  }

  startScheduler(): void {
    if (this.#host !== undefined) return;
    const { clock, random } = this.#options;
    const process = new VirtualProcess(clock);
    this.#process = process;
    this.#line = new BusLine(this.#bus);
    const log = new DelayingLog({ inner: this.#log, clock, random, faults: this.#logFaults });
    this.#slowLog = log;
    const logger = { log: ignore };
    const limits = resolveLimits();
    const host = new Host({ log, clock: process.clock, limits, logger, steadyTicks: true });
    this.#host = host;
    this.#options.trace("sched", "starts");
    void this.#open(host, process);
  }

  /** As kill -9 does. */
  killScheduler(): void {
    if (this.#host === undefined) return;
    this.#isTroubled = true;
    this.#maySayAgain = true;
    this.#options.trace("sched", "dies");
    this.#host.abandon();
    this.#process.kill();
    this.#slowLog?.kill();
    this.#line.cut();
    this.#host = undefined;
  }

  cutScheduler(): () => void {
    this.#maySayAgain = true;
    return this.#cut(this.#line, "sched");
  }

  startAgent(name: string): void {
    const one = this.#agents.find((agent) => agent.name === name);
    if (one === undefined || one.agent !== undefined) return;
    const { clock } = this.#options;
    one.process = new VirtualProcess(clock);
    one.line = new BusLine(this.#bus);
    const own = one.process.clock;
    const { line: bus } = one;
    this.#options.trace(name, "starts");
    void BusAgent.open({
      ...{ name, experiment, objects: agendaObjects[name] ?? [], bus, sender, clock: own },
      ...{ clockName: "machine", credentials: this.#credentials(), onWarning: ignore },
      fire: new TimerFireClock(own),
      perform: (order) => this.#perform(one, order),
    }).then((agent) => {
      if (own === one.process.clock) one.agent = agent;
    });
  }

  killAgent(name: string): void {
    const one = this.#agents.find((agent) => agent.name === name);
    if (one?.agent === undefined) return;
    this.#isTroubled = true;
    this.#options.trace(name, "dies");
    one.agent.stop();
    one.agent = undefined;
    one.process.kill();
    one.line.cut();
  }

  cutAgent(name: string): () => void {
    const one = this.#agents.find((agent) => agent.name === name);
    return one === undefined ? ignore : this.#cut(one.line, name);
  }

  /** Somebody asks for an event, as tevc does, or for several at one instant. */
  ask(step: number, object: string, inMs: number, times = 1): void {
    const { clock, trace } = this.#options;
    const atMs = clock.wallMs() + inMs;
    const askedUs = clock.elapsedUs;
    const dueUs = askedUs + (atMs * 1_000 - clock.nowUs());
    for (let time = 0; time < times; time += 1) {
      const token = step + time * nextOfStep;
      trace(`e${token}`, `asks for ${object} RUN in ${inMs} ms`);
      const asked = { object, isCancelled: false, askedUs, dueUs, orderedAt: undefined };
      this.#asked.set(token, { ...asked, ...nothingYet() });
      void this.#bus.publish(this.#credentials().sign(this.#request(token, object, atMs)));
    }
  }

  #request(token: number, object: string, atMs: number): Notification {
    const address: Address = { expt: experiment, objname: object, eventtype: "RUN", scheduler: 1 };
    const extra = [
      textAttribute(attributeNames.args, `COMMAND=e${token}`),
      int32Attribute(attributeNames.token, token),
    ];
    const notification = createNotification(address, { sender, layout: "2011", extra });
    return toScheduleRequest(notification, timeOf(atMs));
  }

  /** Somebody looks for it among the events that are planned, and asks that it is cancelled. */
  cancel(token: number): void {
    const asked = this.#asked.get(token);
    if (asked === undefined) return;
    const { trace } = this.#options;
    trace(`e${token}`, "is to be cancelled");
    void this.#cancelListed(token).then((result) => {
      trace(`e${token}`, `who cancels it is told: ${result}`);
      if (result === "cancelled") asked.isCancelled = true;
    });
  }

  async #cancelListed(token: number): Promise<string> {
    const { clock } = this.#options;
    const options: ControlOptions = {
      ...{ bus: this.#bus, credentials: this.#credentials(), sender, experiment },
      runtime: {
        nowUs: () => clock.nowUs(),
        after: (delayMs, callback) => clock.after(delayMs, callback),
        randomBytes: (count) => this.#nonce(count),
      },
      now: () => timeOf(clock.wallMs()),
    };
    const listed = await listEvents(options);
    if (listed.kind !== "listed") return listed.kind;
    const event = listed.list.events.find(({ args }) => args.trim() === `COMMAND=e${token}`);
    if (event === undefined) return "it is not planned";
    const outcome = await controlEvents(options, { kind: "cancel", id: event.id });
    return outcome.kind === "done" ? outcome.result : outcome.kind;
  }

  calm(): void {
    this.#logFaults = {};
    this.#slowLog?.calm();
    this.#line.mend();
    for (const { line } of this.#agents) line.mend();
    this.startScheduler();
    for (const { name } of this.#agents) this.startAgent(name);
  }

  /** There was time enough. */
  finish(): void {
    const { complain } = this.#options;
    for (const [token, { object, dueUs, performedUs, errors, isCancelled }] of this.#asked) {
      const who = `e${token} (${object})`;
      const isOnce = errors.length === 1 || (this.#maySayAgain && errors.length > 0);
      if (!isOnce) complain("A1", `${who} was completed ${errors.length} times`);
      if (new Set(errors).size > 1) complain("A1", `${who} was completed with ${errors.join()}`);
      if (performedUs.length > 1)
        complain("A2", `${who} was performed ${performedUs.length} times`);
      const early = performedUs.find((us) => us < dueUs);
      if (early !== undefined) complain("A2", `${who} was performed ${dueUs - early} us early`);
      if (isCancelled && performedUs.length > 0)
        complain("A5", `${who} was cancelled, and performed`);
      if (errors[0] === 0 && performedUs.length === 0) complain("A3", `${who} was not performed`);
    }
    if (!this.#isTroubled) this.#checkOrder();
  }

  /** A4. */
  #checkOrder(): void {
    const all = this.#performed.flatMap((token, at) => {
      const asked = this.#asked.get(token);
      return asked === undefined ? [] : [{ token, at, ...asked }];
    });
    for (const [place, one] of all.entries()) {
      const before = all.slice(0, place);
      const late = before.find((was) => was.object === one.object && isBehind(was, one));
      if (late === undefined) continue;
      this.#options.complain("A4", `e${late.token} was performed before e${one.token}`);
    }
  }

  async #open(host: Host, process: VirtualProcess): Promise<void> {
    const recall = new SchedulerRecall(edge);
    const stopSeeing = host.observe(recall.see);
    await host.start();
    stopSeeing();
    if (this.#host !== host) return;
    const recalled = recall.recalled();
    const scheduler = await Scheduler.open({
      ...{ experiment, bus: this.#line, credentials: this.#credentials(), sender },
      ...{ clock: process.clock, clockName: "machine", hostOf: () => "*" },
      ...(recalled === undefined ? {} : { recalled }),
      connect: (handler) =>
        connectLastingEdge(host, edge, handler, {
          incarnation: recalled?.incarnation,
          seenSequence: recalled?.seenSequence,
        }),
      ...{ onEffect: ignore, onWarning: ignore },
    });
    if (recalled?.isLoaded === true || this.#host !== host) return;
    scheduler.submit({ kind: "open-scope", scope: experiment, nodes: [] });
    scheduler.load(agendaLoad);
    scheduler.submit({ kind: "agenda-start", scope: experiment });
  }

  async #perform({ name, process }: Agent, order: Order): Promise<Performed> {
    const { clock, random, trace } = this.#options;
    const token = tokenOf(order.args);
    const firedMonotonicUs = clock.nowUs();
    if (!process.isDead) {
      this.#performed.push(token);
      this.#asked.get(token)?.performedUs.push(clock.elapsedUs);
      trace(name, `performs e${token}`);
    }
    const workMs = random.below(500);
    const done = new Promise<number>((resolve) => {
      process.clock.after(workMs, () => resolve(0));
    });
    return { firedMonotonicUs, outcome: "done", done };
  }

  #cut(line: BusLine, who: string): () => void {
    this.#isTroubled = true;
    this.#options.trace(who, "has lost its line to the bus");
    line.cut();
    return () => {
      this.#options.trace(who, "has its line to the bus again");
      line.mend();
    };
  }

  #hear(some: readonly PlacedNotification[]): void {
    for (const { notification } of some) {
      const eventtype = getText(notification, attributeNames.eventtype);
      if (getInt32(notification, attributeNames.scheduler) !== 0) continue;
      const args = getText(notification, attributeNames.args) ?? "";
      if (eventtype === "RUN") this.#ordered(tokenOf(args));
      if (eventtype !== "COMPLETE") continue;
      const [, error, token] = /ERROR=(-?\d+) CTOKEN=(\d+)/.exec(args) ?? [];
      this.#asked.get(Number(token))?.errors.push(Number(error));
      this.#options.trace(`e${token}`, `is completed with ${error}`);
    }
  }

  #ordered(token: number): void {
    const asked = this.#asked.get(token);
    if (asked !== undefined) asked.orderedAt ??= this.#performed.length;
  }

  #credentials(): LastingCredentials {
    const made = createCredentials({
      ...{ experiment, key, hash: eventHash },
      wallUs: () => BigInt(this.#options.clock.wallMs()) * 1_000n,
      randomBytes: (count) => this.#nonce(count),
    });
    if (typeof made === "string") throw new Error(made);
    return made;
  }

  #nonce(count: number): Uint8Array {
    this.#nonces += 1;
    const bytes = new Uint8Array(count);
    new DataView(bytes.buffer).setUint32(0, this.#nonces);
    return bytes;
  }
}

function nothingYet(): { readonly performedUs: number[]; readonly errors: number[] } {
  return { performedUs: [], errors: [] };
}

/** A4. */
interface InTurn extends Pick<Asked, "askedUs" | "dueUs" | "orderedAt"> {
  readonly token: number;
  /** Its place among those that were performed. */
  readonly at: number;
}

/** A4: whether the second is to be performed first. */
function isBehind(one: InTurn, other: InTurn): boolean {
  if (one.dueUs === other.dueUs) {
    const isOfStep = (one.token - other.token) % nextOfStep === 0;
    return isOfStep && one.token > other.token;
  }
  const isLate = other.askedUs > one.dueUs - logWithinUs && (other.orderedAt ?? 0) > one.at;
  return one.dueUs > other.dueUs && !isLate;
}

/** What was asked for is told by its arguments. */
function tokenOf(args: string): number {
  return Number(/e(\d+)/.exec(args)?.[1] ?? Number.NaN);
}

function timeOf(ms: number): { readonly seconds: number; readonly microseconds: number } {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, microseconds: (ms - seconds * 1_000) * 1_000 };
}

const agendaLoad: AgendaLoad = {
  ...{ kind: "agenda-load", scope: experiment, groups: [], main: [] },
  ...{ timelines: [], sequences: [] },
  agents: Object.values(agendaObjects)
    .flat()
    .map((name) => ({ name, type: "PROGRAM", node: "n" })),
};

function ignore(): void {}
