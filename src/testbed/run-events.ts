// SPDX-License-Identifier: MIT
// The event system of a run: its bus with a door on every node, the scheduler, and the agent that
// obeys for all nodes, in one process. What is planned and what programs ask for go the same way.
import type { AgendaEvent, AgendaLoad } from "../core/agenda/commands.ts";
import type { Command } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import { type ArmedOrder, BusAgent, type Performed, Scheduler } from "../events/index.ts";
import { readClockName } from "../host/clock-name.ts";
import type { CoreLink, EdgeHandler } from "../host/core-link.ts";
import type { Host } from "../host/host.ts";
import type { Order } from "../wire/event/orders.ts";
import type { FireClock } from "./agents/firing/fire-clock.ts";
import { type Announcement, objectsOf, RunBus, type RunBusOptions } from "./run-bus.ts";

/** An order with the agenda it comes from. */
export interface RunOrder extends Order {
  readonly scope: string;
  /** Number of its event; 0 where the scheduler is elsewhere. */
  readonly eventId: number;
}

/** What an order asks for, as the agents of a run take it. */
export function eventOf({ eventId: id, objname, objtype, eventtype, args }: RunOrder): AgendaEvent {
  return { id, object: objname, type: objtype, event: eventtype, args };
}

/** The number of an order names it for ever (O1, orders.ts); its token is the sender's choice. */
export function howOf({ scope, token, fire, objname }: RunOrder): {
  readonly scope: string;
  readonly token: number;
  readonly id: string;
} {
  return { scope, token, id: `${fire} ${objname}` };
}

export interface RunEventsOptions extends RunBusOptions {
  readonly host: Host;
  readonly fire: FireClock;
  /** Never rejects. */
  readonly perform: (order: RunOrder) => Promise<Performed>;
  /** Offered what is not due yet; undefined: it is to be told when it is. */
  readonly arm: (order: RunOrder, dueUs: number) => ArmedOrder | undefined;
  readonly onEffect: (effect: EdgeEffect) => void;
  readonly onWarning: (text: string) => void;
}

/** The agent of a run and its scheduler are at home here, whatever node an event is for. */
const sender = "127.0.0.1";
const agentName = "run";

/** Below the project directory of a run: HOST:PORT of its bus, for commands outside of it. */
export const eventServerFile = "tbdata/eventserver";

/** What a run needs of its event system, wherever its scheduler is. */
export type EventsOfRun = Pick<RunEvents, keyof RunEvents>;

export class RunEvents {
  readonly #options: RunEventsOptions;
  readonly #bus: RunBus;
  #scheduler: Scheduler | undefined;
  #agent: BusAgent | undefined;

  private constructor(options: RunEventsOptions) {
    this.#options = options;
    this.#bus = new RunBus(options);
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
  listenForNodes(): Promise<void> {
    return this.#bus.listenForNodes();
  }

  /** Whoever asks the agenda and wants answers. */
  connectEdge(edge: string, handler: EdgeHandler): Pick<CoreLink, "submit" | "close"> {
    return this.#options.host.connectEdge(edge, handler);
  }

  /** Events of an agenda that have not fired, and do not wait for a barrier. */
  pendingEvents(scope: string): number {
    const { pendingEvents, waitingEvents = 0 } = this.#options.host.describe(scope);
    return pendingEvents - waitingEvents;
  }

  get address(): string | undefined {
    return this.#bus.address;
  }

  /** Tells whoever listens. */
  announce(what: Announcement): void {
    this.#bus.announce(what);
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

  /** The same for what a modification brings. @throws Error where it cannot */
  serveMore(agenda: AgendaLoad): Promise<void> {
    return this.serve(agenda);
  }

  /** The agenda as it is planned now; where the scheduler is in this process, it has it. */
  async keep(_agenda: AgendaLoad): Promise<void> {}

  /** Resolves when what has begun to fire is in the log; completions may still come. */
  async settle(): Promise<void> {
    await this.#scheduler?.heard((await this.#agent?.settle()) ?? 0);
  }

  /** Resolves when nothing is armed either. */
  async drain(): Promise<void> {
    await this.#scheduler?.heard((await this.#agent?.drain()) ?? 0);
  }

  /** Whether the scheduler answers: this one is in this process. */
  async isHeard(): Promise<boolean> {
    return true;
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
    await this.#bus.close();
  }

  async #connect(): Promise<void> {
    const { experiment, host, clock, fire, perform, arm, onEffect, onWarning } = this.#options;
    const clockName = readClockName();
    const common = { experiment, bus: this.#bus.bus, sender, clock, clockName, onWarning };
    const scheduler = await Scheduler.open({
      ...{ ...common, onEffect, credentials: this.#bus.credentials() },
      connect: (handler) => host.connectEdge("testbed", handler),
      hostOf: (object) => this.#bus.hostOf(object),
    });
    this.#scheduler = scheduler;
    const named = (order: Order): RunOrder => {
      return { ...order, scope: experiment, eventId: scheduler.eventOf(order.fire) };
    };
    this.#agent = await BusAgent.open({
      ...{ ...common, fire, name: agentName, objects: [], credentials: this.#bus.credentials() },
      perform: (order) => perform(named(order)),
      arm: (order, dueUs) => arm(named(order), dueUs),
    });
  }
}
