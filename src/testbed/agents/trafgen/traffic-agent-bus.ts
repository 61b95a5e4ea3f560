// SPDX-License-Identifier: MIT
// One end of one flow at a bus. The source obeys orders and reports them, as an agent of a run
// does; the sink only listens, and opens its end when time starts or before anything is sent.
// [EMULAB-EVENTS 6]
//
//   B1. What comes is obeyed in the order of its coming (T1 of the agent).
//   B2. The source alone says that it obeys for the flow: two agents of one object would take each
//       other down.
import type { EventCredentials } from "../../../client/event-credentials.ts";
import { BusAgent, type OrderClock, type Performed } from "../../../events/index.ts";
import type { Cancel, Clock } from "../../../host/clock.ts";
import type { Bus } from "../../../wire/event/bus.ts";
import {
  attributeNames,
  getInt32,
  getText,
  type Notification,
} from "../../../wire/event/notification.ts";
import { AgentSubscriptions } from "../agent-subscriptions.ts";
import { TrafficEvents } from "../traffic-events.ts";
import type { TrafficAgent } from "./traffic-agent.ts";
import { trafficTime } from "./traffic-limits.ts";

export interface TrafficAgentBusOptions {
  readonly bus: Bus;
  readonly traffic: TrafficAgent;
  readonly role: "source" | "sink";
  /** Of the flow, as events name it. */
  readonly name: string;
  /** `pid/eid` */
  readonly experiment: string;
  /** IPv4 address that reports name as their sender's. */
  readonly sender: string;
  /** One more for each call: what one has taken is no replay for another. */
  readonly credentials: () => EventCredentials;
  readonly clock: Clock;
  readonly clockName: string;
  readonly fire: OrderClock;
  /** Tells what came of an event. */
  readonly onPerformed: (what: string, outcome: string) => void;
  readonly onWarning: (text: string) => void;
}

export class TrafficAgentBus {
  readonly #options: TrafficAgentBusOptions;
  readonly #events: TrafficEvents;
  readonly #subscriptions: AgentSubscriptions;
  #orders: BusAgent | undefined;
  /** What comes meanwhile waits behind it (B1). */
  #sinkFirst: Promise<void> = Promise.resolve();
  #cancelSetUp: Cancel = () => undefined;

  private constructor(options: TrafficAgentBusOptions) {
    this.#options = options;
    this.#events = new TrafficEvents(options);
    this.#subscriptions = new AgentSubscriptions({
      ...{ ...options, credentials: options.credentials() },
      hear: (notification) => this.#hear(notification),
    });
  }

  /** Resolves when everything that is sent from now on is heard. @throws BusError */
  static async attach(options: TrafficAgentBusOptions): Promise<TrafficAgentBus> {
    const attached = new TrafficAgentBus(options);
    const { name, role } = options;
    await attached.#subscriptions.add({ objtype: "TIME", eventtype: "START" });
    await attached.#subscriptions.add({ objname: name, eventtype: trafficEvents });
    if (role === "source") await attached.#serve();
    return attached;
  }

  /** Says that it goes, and is gone. */
  async close(): Promise<void> {
    this.#cancelSetUp();
    this.#subscriptions.close();
    await this.#orders?.close();
  }

  async #serve(): Promise<void> {
    const { bus, name, experiment, sender, clock, clockName, fire, credentials, onWarning } =
      this.#options;
    this.#orders = await BusAgent.open({
      ...{ bus, experiment, sender, clock, clockName, fire, onWarning },
      ...{ name: `trafgen-${name}`, objects: [name], credentials: credentials() },
      perform: ({ eventtype, args }) => this.#perform(eventtype, args),
    });
  }

  /** The sink hears orders here, the source what has no token. */
  #hear(notification: Notification): void {
    const event = textOf(notification, attributeNames.eventtype);
    if (textOf(notification, attributeNames.objtype) === "TIME") void this.#startTime();
    else if (this.#options.role === "sink") {
      if (setsUp.has(event)) void this.#perform(event, "");
    } else if (getInt32(notification, attributeNames.token) === undefined) {
      void this.#perform(event, textOf(notification, attributeNames.args));
    }
  }

  /** A source whose sink is not there yet tries again a little later. [EMULAB-EVENTS 6] */
  async #startTime(): Promise<void> {
    const { traffic, name, clock, role, onPerformed } = this.#options;
    this.#cancelSetUp();
    const [fault] = await traffic.startTime();
    onPerformed("TIME START", fault === undefined ? "done" : `failed: ${fault}`);
    if (fault === undefined || role === "sink") return;
    this.#cancelSetUp = clock.after(trafficTime.sourceSetUpMs, () => {
      const again = traffic.reset(name);
      void again.then(({ outcome }) => onPerformed("TIME START, again", outcome));
    });
  }

  /** Both ends hear RESET: a connection to the sink that is about to close would be lost. */
  #letSinkGoFirst(): void {
    const { clock, role } = this.#options;
    if (role === "sink") return;
    this.#sinkFirst = new Promise((resolve) => {
      clock.after(trafficTime.sourceSetUpMs, resolve);
    });
  }

  async #perform(event: string, args: string): Promise<Performed> {
    const { name, onPerformed } = this.#options;
    // What is sent now is not to be stopped by the set-up that was put off.
    if (setsUp.has(event)) this.#cancelSetUp();
    if (event === "RESET") this.#letSinkGoFirst();
    await this.#sinkFirst;
    const performed = await this.#events.perform(
      { id: 0, object: name, type: "TRAFGEN", event, args },
      {},
    );
    onPerformed(`${event} ${args}`.trim(), performed.outcome);
    return performed;
  }
}

/** What opens an end that is not open. */
const setsUp: ReadonlySet<string> = new Set(["START", "RESET"]);
const trafficEvents = "START,STOP,MODIFY,RESET";

function textOf(notification: Notification, name: string): string {
  return getText(notification, name) ?? "";
}
