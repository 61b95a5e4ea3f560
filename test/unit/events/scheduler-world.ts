// SPDX-License-Identifier: MIT
// A scheduler with its agents, its bus and its core in one process under virtual time: what the
// tests of src/events move by hand. Everything but clock, bus and performers is the shipped code.
import {
  createCredentials,
  type EventCredentials,
  type LastingCredentials,
} from "../../../src/client/event-credentials.ts";
import { requestAttribute } from "../../../src/client/event-request.ts";
import type { OwnNotifications } from "../../../src/client/own-notifications.ts";
import type { AgendaLoad } from "../../../src/core/agenda/commands.ts";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { type Limits, resolveLimits } from "../../../src/core/limits.ts";
import { type BusLimits, resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import type { Log } from "../../../src/engine/log.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { BusAgent, type BusAgentOptions, type Performed } from "../../../src/events/bus-agent.ts";
import { Scheduler } from "../../../src/events/scheduler.ts";
import { SchedulerRecall } from "../../../src/events/scheduler-recall.ts";
import { eventHash } from "../../../src/host/event-hash.ts";
import { Host } from "../../../src/host/host.ts";
import { connectLastingEdge } from "../../../src/host/local-link.ts";
import { TimerFireClock } from "../../../src/testbed/agents/firing/fire-clock.ts";
import type {
  Bus,
  Published,
  Subscribed,
  Subscriber,
  Subscription,
} from "../../../src/wire/event/bus.ts";
import { BusError } from "../../../src/wire/event/bus.ts";
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
} from "../../../src/wire/event/notification.ts";
import type { Order } from "../../../src/wire/event/orders.ts";
import { FakeClock } from "../record/fake-clock.ts";

export const experiment = "p/e";
export const schedulerEdge = "scheduler";
const key = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const sender = "192.0.2.1";

/** A monotonic clock, and a wall clock that can be set. */
export class WorldClock extends FakeClock {
  wallOffsetMs = 1_087_824_345_700;

  override wallMs(): number {
    return this.wallOffsetMs + Math.floor(this.nowUs() / 1_000);
  }
}

/**
 * A bus whose line to one of its clients can be cut: nothing goes, nothing comes, nothing is lost.
 */
export class Line implements Bus {
  readonly #bus: Bus;
  #isCut = false;
  readonly #subscriptions = new Set<{ end: () => void }>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  cut(): void {
    this.#isCut = true;
    for (const { end } of [...this.#subscriptions]) end();
  }

  mend(): void {
    this.#isCut = false;
  }

  async publish(notification: Notification): Promise<Published> {
    if (this.#isCut) throw new BusError("unavailable", "the line is cut");
    return this.#bus.publish(notification);
  }

  async subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    if (this.#isCut) throw new BusError("unavailable", "the line is cut");
    const subscribed = await this.#bus.subscribe(subscription, subscriber);
    const entry = {
      end: () => {
        this.#subscriptions.delete(entry);
        const { place } = subscribed;
        subscribed.close();
        subscriber.onEnd("the line is cut", place);
      },
    };
    this.#subscriptions.add(entry);
    return {
      get place() {
        return subscribed.place;
      },
      close: () => {
        this.#subscriptions.delete(entry);
        subscribed.close();
      },
    };
  }
}

export interface PerformedOrder extends Order {
  readonly atUs: number;
}

/** What a test asks of the scheduler, as tevc does. */
export interface Asking {
  readonly objname: string;
  readonly objtype?: string;
  readonly eventtype: string;
  readonly args?: string;
  readonly inMs?: number;
  readonly token?: number;
  /** Its MUSTER_REQUEST. */
  readonly question?: string;
  readonly timeline?: string;
  readonly credentials?: EventCredentials;
  /** IPv4 address that it names as its sender's. */
  readonly from?: string;
}

export class SchedulerWorld {
  readonly clock = new WorldClock();
  readonly bus: MemoryBus;
  readonly log: MemoryLog = new MemoryLog({ nowUs: () => this.clock.nowUs() });
  schedulerLine: Line;
  readonly warnings: string[] = [];
  readonly effects: EdgeEffect[] = [];
  readonly performed: PerformedOrder[] = [];
  /** Everything that was published, as `EVENTTYPE OBJNAME ARGS`. */
  readonly said: Notification[] = [];
  readonly #ends = new Map<string, (error: number) => void>();
  /** What an object answers that does not obey. */
  readonly outcomes = new Map<string, string>();
  requestsPerSenderMax: number | undefined;
  /** Of its core, where they are not the usual ones. */
  limits: Partial<Limits> = {};
  host: Host | undefined;
  scheduler: Scheduler | undefined;

  constructor(busLimits: Partial<BusLimits> = {}) {
    this.bus = new MemoryBus({ epoch: "bus", limits: resolveBusLimits(busLimits) });
    this.schedulerLine = new Line(this.bus);
  }

  credentials(bytes: Uint8Array = key, own?: OwnNotifications): LastingCredentials {
    const made = createCredentials({
      ...{ experiment, key: bytes, hash: eventHash, ...(own === undefined ? {} : { own }) },
      wallUs: () => BigInt(this.clock.wallMs()) * 1_000n,
      randomBytes: (count) => this.#nonce(count),
    });
    if (typeof made === "string") throw new Error(made);
    return made;
  }

  #nonces = 0;
  #nonce(count: number): Uint8Array {
    this.#nonces += 1;
    const bytes = new Uint8Array(count);
    new DataView(bytes.buffer).setUint32(0, this.#nonces);
    return bytes;
  }

  /** Everything that goes over the bus is written down. */
  async watch(): Promise<void> {
    await this.bus.subscribe(
      { address: undefined, slow: "end" },
      {
        onNotifications: (placed) => {
          for (const { notification } of placed) this.said.push(notification);
        },
        onGap: () => undefined,
        onEnd: () => undefined,
      },
    );
  }

  /** A life of the scheduler: the first, or one after a crash. */
  async startScheduler(load?: AgendaLoad, log: Log = this.log): Promise<void> {
    const { clock } = this;
    const logger = { log: () => undefined };
    const limits = resolveLimits(this.limits);
    const host = new Host({ log, clock, limits, logger, steadyTicks: true });
    const recall = new SchedulerRecall(schedulerEdge);
    const stopSeeing = host.observe(recall.see);
    this.host = host;
    await this.until(host.start());
    const recalled = recall.recalled();
    stopSeeing();
    this.scheduler = await Scheduler.open({
      ...{ experiment, clock, sender, bus: this.schedulerLine, credentials: this.credentials() },
      ...{ clockName: "machine", hostOf: () => "*" },
      ...(recalled === undefined ? {} : { recalled }),
      ...(this.requestsPerSenderMax === undefined
        ? {}
        : { requestsPerSenderMax: this.requestsPerSenderMax }),
      connect: (handler) =>
        connectLastingEdge(host, schedulerEdge, handler, {
          incarnation: recalled?.incarnation,
          seenSequence: recalled?.seenSequence,
        }),
      onEffect: (effect) => this.effects.push(effect),
      onWarning: (text) => this.warnings.push(text),
    });
    if (recalled?.isLoaded !== true && load !== undefined) {
      this.scheduler.submit({ kind: "open-scope", scope: experiment, nodes: [] });
      this.scheduler.load(load);
      this.scheduler.submit({ kind: "agenda-start", scope: experiment });
    }
    await this.pass(0);
  }

  /** As kill -9 would: nothing more is appended, heard or said. */
  crashScheduler(): void {
    this.host?.abandon();
    this.schedulerLine.cut();
    this.schedulerLine = new Line(this.bus);
  }

  async startAgent(
    name: string,
    objects: readonly string[],
    options: Partial<Pick<BusAgentOptions, "bus" | "clockName" | "fire" | "perform" | "arm">> = {},
  ): Promise<BusAgent> {
    const { clock } = this;
    const { bus = this.bus, clockName = "machine", arm } = options;
    const agent = await BusAgent.open({
      ...{ name, experiment, objects, bus, sender, clock, clockName },
      credentials: this.credentials(),
      fire: options.fire ?? new TimerFireClock(clock),
      perform: options.perform ?? ((order) => this.#perform(order)),
      ...(arm === undefined ? {} : { arm }),
      onWarning: (text) => this.warnings.push(text),
    });
    await this.pass(0);
    return agent;
  }

  /** The work of an object ends. */
  end(objname: string, error: number): void {
    this.#ends.get(objname)?.(error);
  }

  async ask(asking: Asking): Promise<void> {
    await this.send(asking);
    await this.pass(0);
  }

  /** Asks, and lets nobody act on it yet. */
  async send(asking: Asking): Promise<void> {
    const { from = sender } = asking;
    const { objname, eventtype, args = "", inMs = 0, token, question, timeline } = asking;
    const address: Address = {
      ...(asking.objtype === undefined ? {} : { objtype: asking.objtype }),
      ...{ expt: experiment, objname, eventtype, scheduler: 1 },
      ...(timeline === undefined ? {} : { timeline }),
    };
    const extra = [
      textAttribute(attributeNames.args, args),
      ...(token === undefined ? [] : [int32Attribute(attributeNames.token, token)]),
      ...(question === undefined ? [] : [textAttribute(requestAttribute, question)]),
    ];
    const notification = createNotification(address, { sender: from, layout: "2011", extra });
    const atMs = this.clock.wallMs() + inMs;
    const seconds = Math.floor(atMs / 1_000);
    const at = { seconds, microseconds: (atMs - seconds * 1_000) * 1_000 };
    const { sign } = asking.credentials ?? this.credentials();
    await this.bus.publish(sign(toScheduleRequest(notification, at)));
  }

  /** What was said of this type, as `OBJNAME ARGS`. */
  live(eventtype: string): readonly string[] {
    return this.said
      .filter((one) => getText(one, attributeNames.eventtype) === eventtype)
      .filter((one) => getInt32(one, attributeNames.scheduler) === 0)
      .map((one) => {
        const args = getText(one, attributeNames.args) ?? "";
        return `${getText(one, attributeNames.objname)}${args === "" ? "" : ` ${args.trim()}`}`;
      });
  }

  async pass(ms: number): Promise<void> {
    const endUs = this.clock.nowUs() + ms * 1_000;
    do {
      this.clock.advanceTo(Math.min(endUs, this.clock.nowUs() + 10_000));
      for (let turn = 0; turn < 6; turn += 1) {
        await settle();
        this.clock.endTurn();
      }
    } while (this.clock.nowUs() < endUs);
    await settle();
  }

  /** Passes turns, and no time, until it has come. */
  async until<Result>(promise: Promise<Result>): Promise<Result> {
    let isDone = false;
    const done = promise.finally(() => {
      isDone = true;
    });
    while (!isDone) await this.pass(0);
    return done;
  }

  async #perform(order: Order): Promise<Performed> {
    const atUs = this.clock.nowUs();
    this.performed.push({ ...order, atUs });
    const outcome = this.outcomes.get(order.objname);
    if (outcome !== undefined) {
      return { firedMonotonicUs: atUs, outcome, done: Promise.resolve(-1) };
    }
    const done = new Promise<number>((resolve) => this.#ends.set(order.objname, resolve));
    return { firedMonotonicUs: atUs, outcome: "done", done };
  }
}

/** An agenda with programs and what is given. */
export function agendaOf(programs: readonly string[], part: Partial<AgendaLoad> = {}): AgendaLoad {
  return {
    ...{ kind: "agenda-load", scope: experiment, groups: [], main: [] },
    ...{ timelines: [], sequences: [] },
    agents: programs.map((name) => ({ name, type: "PROGRAM", node: "n" })),
    ...part,
  };
}

/** Everything that waits for nothing but its turn has had it. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
