// SPDX-License-Identifier: MIT
// The event system of a run: its bus with a door on every node, the scheduler, and the agent that
// obeys for all nodes, in one process. What is planned and what programs ask for go the same way.
import { createCredentials, type LastingCredentials } from "../client/event-credentials.ts";
import type { AgendaLoad, TimedEvent } from "../core/agenda/commands.ts";
import { assert } from "../core/assert.ts";
import type { Command } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import { resolveBusLimits } from "../engine/bus-limits.ts";
import { MemoryBus } from "../engine/memory-bus.ts";
import { BusAgent, EventServer, OpsBus, type Performed, Scheduler } from "../events/index.ts";
import type { Clock } from "../host/clock.ts";
import { readClockName } from "../host/clock-name.ts";
import { eventHash } from "../host/event-hash.ts";
import type { Host } from "../host/host.ts";
import { newNonce, newRunId } from "../host/ids.ts";
import type { Logger } from "../host/logger.ts";
import type { Notification } from "../wire/event/notification.ts";
import type { Order } from "../wire/event/orders.ts";
import type { FireClock } from "./agents/firing/fire-clock.ts";
import type { NodeBackend } from "./nodes/index.ts";

/** An order with the agenda it comes from. */
export interface RunOrder extends Order {
  readonly scope: string;
}

export interface RunEventsOptions {
  /** `pid/eid` */
  readonly experiment: string;
  readonly host: Host;
  readonly backend: NodeBackend;
  /** Object -> its node, where it has one. */
  readonly nodeOf: (object: string) => string | undefined;
  readonly eventKey: string;
  readonly clock: Clock;
  readonly fire: FireClock;
  readonly logger: Logger;
  /** Never rejects. */
  readonly perform: (order: RunOrder) => Promise<Performed>;
  readonly onEffect: (effect: EdgeEffect) => void;
  readonly onWarning: (text: string) => void;
}

/** The agent of a run and its scheduler are at home here, whatever node an event is for. */
const sender = "127.0.0.1";
const agentName = "run";

/** Below the project directory of a run: HOST:PORT of its bus, for commands outside of it. */
export const eventServerFile = "tbdata/eventserver";

export class RunEvents {
  readonly #options: RunEventsOptions;
  readonly #bus: MemoryBus;
  readonly #server: EventServer;
  readonly #listening = new Set<string>();
  /** What scheduler and agent say to each other; programs come through the door. */
  readonly #own = new WeakSet<Notification>();
  #scheduler: Scheduler | undefined;
  #agent: BusAgent | undefined;

  private constructor(options: RunEventsOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.#bus = new MemoryBus({ epoch: newRunId(), limits: resolveBusLimits() });
    this.#server = new EventServer({ bus: new OpsBus(this.#bus), clock, logger });
  }

  /** Programs find the bus from here on. @throws Error with a sentence for the user */
  static async open(options: RunEventsOptions): Promise<RunEvents> {
    const events = new RunEvents(options);
    try {
      await events.listenForNodes();
      await events.#connect();
      return events;
    } catch (error) {
      await events.close();
      throw error;
    }
  }

  /** Opens the door for nodes that came since. @throws Error with a sentence for the user */
  async listenForNodes(): Promise<void> {
    const addresses = [...this.#options.backend.nodes.values()].map(({ calledAt }) => calledAt);
    const fresh = addresses.filter((address) => !this.#listening.has(address));
    for (const address of fresh) this.#listening.add(address);
    await this.#server.listen(fresh);
  }

  /** HOST:PORT at which the bus answers on this machine, while there is a node. */
  get address(): string | undefined {
    const [host] = this.#listening;
    return host === undefined ? undefined : `${host}:${this.#server.port}`;
  }

  submit(command: Command): void {
    this.#scheduler?.submit(command);
  }

  /** An agenda that `serve` was told of. */
  load(agenda: AgendaLoad): void {
    this.#scheduler?.load(agenda);
  }

  /** The agent obeys for everything that this agenda names. */
  async serve(agenda: AgendaLoad): Promise<void> {
    await this.#agent?.serve(objectsOf(agenda));
  }

  /** Resolves when what has begun to fire is in the log; completions may still come. */
  async settle(): Promise<void> {
    await this.#scheduler?.heard((await this.#agent?.settle()) ?? 0);
  }

  /** Resolves when nothing is armed either. */
  async drain(): Promise<void> {
    await this.#scheduler?.heard((await this.#agent?.drain()) ?? 0);
  }

  /** Nothing fires any more. */
  stop(): void {
    this.#agent?.stop();
  }

  /** The scheduler has told the core everything and is gone. */
  async closeScheduler(): Promise<void> {
    await this.#scheduler?.close();
  }

  async close(): Promise<void> {
    await this.closeScheduler();
    await this.#agent?.close();
    await this.#server.close();
    this.#bus.close();
  }

  async #connect(): Promise<void> {
    const { experiment, host, clock, fire, perform, onEffect, onWarning } = this.#options;
    const clockName = readClockName();
    const common = { experiment, bus: this.#bus, sender, clock, clockName, onWarning };
    const scheduler = await Scheduler.open({
      ...{ ...common, onEffect, credentials: this.#credentials() },
      connect: (handler) => host.connectEdge("testbed", handler),
      hostOf: (object) => this.#hostOf(object),
    });
    this.#scheduler = scheduler;
    this.#agent = await BusAgent.open({
      ...{ ...common, fire, name: agentName, objects: [], credentials: this.#credentials() },
      perform: (order) => perform({ ...order, scope: scheduler.scopeOf(order.fire) }),
    });
  }

  /** Each receiver has its own: what one has taken once is no replay for another. */
  #credentials(): LastingCredentials {
    const { experiment, eventKey, clock } = this.#options;
    const credentials = createCredentials({
      ...{ experiment, hash: eventHash, randomBytes: newNonce, own: this.#own },
      key: new TextEncoder().encode(eventKey),
      wallUs: () => BigInt(clock.wallMs()) * 1_000n,
    });
    assert(typeof credentials !== "string", "the key of a run is one that we made");
    return credentials;
  }

  #hostOf(object: string): string {
    const { backend, nodeOf } = this.#options;
    const node = nodeOf(object);
    const addresses = node === undefined ? undefined : backend.nodes.get(node)?.addresses;
    return addresses?.[0]?.loopback ?? "*";
  }
}

/** What agents obey for: not groups, timelines and sequences, which the core takes apart. */
function objectsOf({ agents, groups, main, timelines, sequences }: AgendaLoad): readonly string[] {
  const named = (events: readonly TimedEvent[]): string[] =>
    events.map(({ event }) => event.object);
  const all = [
    ...agents.map(({ name }) => name),
    ...named(main),
    ...timelines.flatMap(({ events }) => named(events)),
    ...sequences.flatMap(({ steps }) => named(steps)),
  ];
  const own = new Set([...groups, ...timelines, ...sequences].map(({ name }) => name));
  return [...new Set(all)].filter((name) => !own.has(name));
}
