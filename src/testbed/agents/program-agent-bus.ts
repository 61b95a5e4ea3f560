// SPDX-License-Identifier: MIT
// The program agent of one node at a bus. Orders, reports and their repeats are the bus agent's, as
// in a run; here is what only an agent on its own has: the start of time, RELOAD of itself, events
// of senders that give no token, and a life after which another follows. [EMULAB-EVENTS 4.3, 4.4]
//
//   A1. What comes after the start of time begins when that is over.
//   A2. A program is started once for an order, also by the agent after this one: with a journal,
//       which is the program agent's (D7).
//   A3. A RELOAD is completed before the next agent says that it is there: who is told of a new
//       life takes what the old one had for lost.
import type { EventCredentials } from "../../client/event-credentials.ts";
import { errorText } from "../../core/text.ts";
import { type ArmedOrder, BusAgent, type OrderClock, type Performed } from "../../events/index.ts";
import type { Clock } from "../../host/clock.ts";
import { getArg } from "../../wire/event/args.ts";
import type { Bus } from "../../wire/event/bus.ts";
import {
  attributeNames,
  getInt32,
  getText,
  type Notification,
} from "../../wire/event/notification.ts";
import { formatCompletion, type Order } from "../../wire/event/orders.ts";
import { parseProgramArgs } from "../../wire/event/program-args.ts";
import { AgentSubscriptions } from "./agent-subscriptions.ts";
import { ignored } from "./performed.ts";
import type { ProgramAgent, ProgramResult } from "./program-agent.ts";
import { programAgentOf } from "./program-agent-name.ts";

export interface ProgramAgentBusOptions {
  readonly bus: Bus;
  readonly agent: ProgramAgent;
  /** Names of the agent's programs. */
  readonly programs: readonly string[];
  /** `pid/eid` */
  readonly experiment: string;
  /** Name of the node, for events to the agent itself. */
  readonly node: string;
  /** IPv4 address that answers name as their sender's. */
  readonly sender: string;
  /** One more for each call: what one has taken is no replay for another. */
  readonly credentials: () => EventCredentials;
  readonly clock: Clock;
  readonly clockName: string;
  readonly fire: OrderClock;
  /** A RELOAD that the agent before this one was asked for. */
  readonly reloaded?: PendingReload | undefined;
  /**
   * RELOAD: the configuration is to be read again. Resolves with the names of the programs when
   * that was done; who leaves it to the next agent never does.
   */
  readonly onReload: (pending: PendingReload) => Promise<readonly string[]>;
  readonly onWarning: (text: string) => void;
}

/** What a RELOAD is completed with. */
export interface PendingReload {
  readonly token: number;
  readonly fire: number;
}

/** MODIFY too: the old agent had a handler for it and forgot to ask (fault 23). */
const programEvents = "RUN,START,STOP,HALT,KILL,MODIFY";
/** Names in one subscription: far below what its text may take. [EMULAB-EVENTS 1.4] */
const namesPerSubscription = 50;

export class ProgramAgentBus {
  readonly #options: ProgramAgentBusOptions;
  readonly #credentials: EventCredentials;
  readonly #subscriptions: AgentSubscriptions;
  #orders: BusAgent | undefined;
  #programs: readonly string[] = [];
  /** Completions that are to come. */
  readonly #open = new Set<Promise<unknown>>();
  /** A1. */
  #beginning: Promise<void> = Promise.resolve();

  private constructor(options: ProgramAgentBusOptions) {
    this.#options = options;
    this.#credentials = options.credentials();
    this.#subscriptions = new AgentSubscriptions({
      ...{ ...options, credentials: this.#credentials },
      hear: (notification) => this.#hear(notification),
    });
  }

  /** Resolves when everything that is sent from now on is heard. @throws BusError */
  static async attach(options: ProgramAgentBusOptions): Promise<ProgramAgentBus> {
    const attached = new ProgramAgentBus(options);
    await attached.#attach();
    return attached;
  }

  /** Resolves when all that runs has ended and is reported, but for a RELOAD. */
  async settle(): Promise<void> {
    await this.#orders?.settle();
    while (this.#open.size > 0) await Promise.all(this.#open);
    await this.#orders?.settle();
  }

  /** Nothing is heard any more; what ends now is still reported. */
  stop(): void {
    this.#subscriptions.close();
    this.#orders?.stop();
  }

  /** Says that it goes, and is gone. */
  async close(): Promise<void> {
    this.stop();
    await this.#orders?.close();
  }

  async #attach(): Promise<void> {
    const { bus, experiment, sender, node, programs, reloaded } = this.#options;
    // A3.
    if (reloaded !== undefined) {
      const report = { ...reloaded, objtype: "PROGRAM", objname: this.#own() };
      const said = formatCompletion(report, { error: 0, why: "" }, { experiment, sender });
      await bus.publish(this.#credentials.sign(said));
    }
    const { clock, clockName, fire, credentials, onWarning } = this.#options;
    await this.#subscriptions.add({ objtype: "TIME", eventtype: "START" });
    this.#orders = await BusAgent.open({
      ...{ bus, experiment, sender, clock, clockName, fire, onWarning },
      ...{ name: `program-agent-${node}`, objects: [this.#own()], credentials: credentials() },
      perform: (order) => this.#perform(order),
      arm: (order, dueUs) => this.#arm(order, dueUs),
    });
    await this.#serve(programs);
  }

  async #serve(programs: readonly string[]): Promise<void> {
    const fresh = programs.filter((name) => !this.#programs.includes(name));
    this.#programs = [...this.#programs, ...fresh];
    for (let at = 0; at < fresh.length; at += namesPerSubscription) {
      const objname = fresh.slice(at, at + namesPerSubscription).join(",");
      await this.#subscriptions.add({ objtype: "PROGRAM", objname, eventtype: programEvents });
    }
    if (fresh.length > 0) await this.#orders?.serve(fresh);
  }

  /** What is no order; a forged one is counted by who hears orders. */
  #hear(notification: Notification): void {
    const event = textOf(notification, attributeNames.eventtype);
    if (textOf(notification, attributeNames.objtype) === "TIME") this.#startTime();
    else if (getInt32(notification, attributeNames.token) === undefined) {
      void this.#obey({ ...factsOf(notification), eventtype: event });
    }
  }

  #startTime(): void {
    this.#beginning = this.#beginning.then(() => this.#options.agent.startTime());
  }

  /** The firing thread lets a loaded program go by itself (D15). */
  #arm(order: Order, dueUs: number): ArmedOrder | undefined {
    const { objname, eventtype, token, args } = order;
    if (!isStart(eventtype) || objname === this.#own()) return undefined;
    const how = { token, id: keyOf(order), dueUs };
    const armed = this.#options.agent.arm(objname, parseProgramArgs(args), how);
    const performed = armed?.performed.then((one) => (one === undefined ? one : this.#note(one)));
    if (armed === undefined || performed === undefined) return undefined;
    return { performed, takeBack: armed.takeBack };
  }

  async #perform(order: Order): Promise<Performed> {
    if (order.objname === this.#own()) return this.#reload(order);
    return this.#note(await this.#obey({ ...order, key: keyOf(order) }));
  }

  #note(performed: Performed): Performed {
    this.#open.add(performed.done);
    void performed.done.then(() => this.#open.delete(performed.done));
    return performed;
  }

  #reload({ eventtype, token, fire }: Order): Performed {
    const { clock, onReload, onWarning } = this.#options;
    if (eventtype !== "RELOAD") {
      return ignored(clock.nowUs(), `there is no event ${eventtype} for program agents`);
    }
    const done = onReload({ token, fire }).then(
      async (programs) => {
        await this.#serve(programs);
        return 0;
      },
      (error: unknown) => {
        const text = errorText(error);
        onWarning(`the configuration was not read again: ${text}`);
        return { error: -1, text };
      },
    );
    return { firedMonotonicUs: clock.nowUs(), outcome: "done", done };
  }

  /** A1, A2. */
  async #start({ objname, args, token, key }: Asked): Promise<ProgramResult> {
    await this.#beginning;
    const how = {
      ...(token === undefined ? {} : { token }),
      ...(key === undefined ? {} : { id: key }),
    };
    return await this.#options.agent.start(objname, parseProgramArgs(args), how);
  }

  async #obey(asked: Asked): Promise<Performed> {
    const { agent, clock, onWarning } = this.#options;
    const { objname, eventtype } = asked;
    const result = await this.#resultOf(asked, agent);
    if (result === undefined) {
      return ignored(clock.nowUs(), `there is no event ${eventtype} for programs`);
    }
    if (result.outcome !== "done") onWarning(`${objname}: ${result.outcome}`);
    return result;
  }

  async #resultOf(asked: Asked, agent: ProgramAgent): Promise<ProgramResult | undefined> {
    const { objname, eventtype, args } = asked;
    switch (eventtype) {
      case "START":
      case "RUN":
        return await this.#start(asked);
      case "HALT":
        return agent.halt(objname);
      case "MODIFY":
        return agent.modify(objname, parseProgramArgs(args));
      case "STOP":
        return agent.stop(objname);
      case "KILL":
        return agent.kill(objname, getArg(args, "SIGNAL") ?? "TERM");
      default:
        return undefined;
    }
  }

  #own(): string {
    return programAgentOf(this.#options.node);
  }
}

interface Asked {
  readonly objname: string;
  readonly eventtype: string;
  readonly args: string;
  readonly token?: number | undefined;
  /** Of an order that may be repeated. */
  readonly key?: string | undefined;
}

function factsOf(notification: Notification): Asked {
  const { objname, eventtype, args } = attributeNames;
  return {
    objname: textOf(notification, objname),
    eventtype: textOf(notification, eventtype),
    args: textOf(notification, args),
  };
}

function textOf(notification: Notification, name: string): string {
  return getText(notification, name) ?? "";
}

function isStart(eventtype: string): boolean {
  return eventtype === "START" || eventtype === "RUN";
}

/**
 * One order and its repeats, and no other one: numbers of orders begin anew with each log of a
 * scheduler, its clocks do not.
 */
function keyOf({ objname, fire, due: { monotonic, wallUs } }: Order): string {
  if (monotonic === undefined) return `${objname} ${fire} ${wallUs}`;
  return `${objname} ${fire} ${monotonic.us} ${monotonic.clock}`;
}
