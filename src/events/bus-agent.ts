// SPDX-License-Identifier: MIT
// An agent at the bus: hears the orders for its objects, keeps each until its instant, has it
// performed and reports. Owns which orders are armed and which were had before; does not own what
// performing one means, nor how exactly an instant is met. [EMULAB-EVENTS 2.8, 4.3]
//
//   A1. An order is performed once for each object, also when it comes twice or from a scheduler
//       that has lost its memory; a repeat is answered as the first was.
//   A2. An order fires never before it is due; equal instants in the order of their coming.
//   A3. A revoke is answered with the truth: an order that has begun to fire has fired, and one
//       that was taken back, or was never had, fires never. So is a repeat of such an order.
//   A4. Each order that fires is reported with FIRED and then completed; where it is over when it
//       has fired, in one.
//   A5. Who was cut off for longer than the bus remembers says so, and is told again (R4 of
//       agent-roll.ts).
import type { EventCredentials } from "../client/event-credentials.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { Bus, PlacedNotification } from "../wire/event/bus.ts";
import { attributeNames, getText, type Notification } from "../wire/event/notification.ts";
import {
  formatAlive,
  formatCompletion,
  formatFired,
  formatRevoked,
  type Order,
  type OrderSender,
  orderTypes,
  parseClockAnswer,
  parseOrder,
  type Report,
  whyOf,
} from "../wire/event/orders.ts";
import { ArmedOrders } from "./armed-orders.ts";
import { eventsLimits, eventsTime } from "./events-limits.ts";
import { RefusedNotices } from "./refused-notices.ts";
import { ServerClock } from "./server-clock.ts";
import { SteadyPublisher } from "./steady-publisher.ts";
import { SteadySubscription } from "./steady-subscription.ts";

/** The end of the work that an order asked for. */
export interface Completion {
  /** 0 for success. */
  readonly error: number;
  /** Why it failed; `""` for success. */
  readonly text: string;
}

/** What came of an order. `done` resolves with its completion, or with the error number of it. */
export interface Performed {
  /** Monotonic microseconds at which it took effect. */
  readonly firedMonotonicUs: number;
  /** `done`, `skipped`, `cancelled`, `unknown: WHY`, `failed: WHY` or `ignored: WHY`. */
  readonly outcome: string;
  readonly done: Promise<number | Completion>;
}

/** An order that its performer fires by itself, at the instant it was given. */
export interface ArmedOrder {
  /** Undefined: it was taken back or let go before it fired; who still wants it asks when due. */
  readonly performed: Promise<Performed | undefined>;
  /** The answer is the truth, and the same however often it is asked. */
  takeBack(): "revoked" | "already fired";
}

/** Tells when an instant has come; a FireClock of the testbed is one. */
export interface OrderClock {
  /** @returns what stops it: the answer is the truth, and the same however often it is asked. */
  at(
    dueUs: number,
    action: { readonly kind: "tell" },
    onFired: () => void,
  ): () => "revoked" | "already fired";
}

export interface BusAgentOptions {
  /** Its own name, unique in the experiment. */
  readonly name: string;
  /** `pid/eid` */
  readonly experiment: string;
  /** What obeys through it. */
  readonly objects: readonly string[];
  readonly bus: Bus;
  readonly credentials: EventCredentials;
  /** IPv4 address that reports name as their sender's. */
  readonly sender: string;
  readonly clock: Clock;
  /** Names the monotonic clock of this machine since its start. */
  readonly clockName: string;
  readonly fire: OrderClock;
  /** Never rejects. */
  readonly perform: (order: Order) => Promise<Performed>;
  /**
   * Orders that are not due yet are offered to the performer, who meets an instant better than it
   * can be told of one. Undefined: it is to be told when the instant has come.
   *
   * @param dueUs monotonic microseconds of the own clock
   */
  readonly arm?: (order: Order, dueUs: number) => ArmedOrder | undefined;
  readonly onWarning: (text: string) => void;
}

/**
 * An order that was had, and what was reported of it so far. There are up to `ordersMax` of them:
 * reports are kept as what they say, and nothing of an order is once it has fired.
 */
interface Had {
  takeBack: () => "revoked" | "already fired";
  isGivenBack?: true;
  fired?: Parameters<typeof formatFired>[1];
  completed?: Parameters<typeof formatCompletion>[1];
}

/** Names in one subscription: far below what its text may take. [EMULAB-EVENTS 1.4] */
const namesPerSubscription = 50;

export class BusAgent {
  readonly #options: BusAgentOptions;
  readonly #by: OrderSender;
  /** When it was opened, by the clock of its machine. */
  readonly #life: string;
  readonly #publisher: SteadyPublisher;
  readonly #server: ServerClock;
  readonly #subscriptions: SteadySubscription[] = [];
  readonly #refused: RefusedNotices;
  #objects: readonly string[];
  /** By number of the order and object; the oldest go. */
  readonly #had = new Map<string, Had>();
  readonly #armed = new ArmedOrders();
  /** What has begun to fire and is not reported yet. */
  readonly #firing = new Set<Promise<void>>();
  #cancelAlive: Cancel = () => undefined;
  #reportedPosition = 0;
  /** How often orders may have been lost on their way here. */
  #gaps = 0;
  #isStopped = false;
  #isClosed = false;

  private constructor(options: BusAgentOptions) {
    const { experiment, sender, bus, clock, clockName, credentials, onWarning, name } = options;
    this.#options = options;
    this.#objects = options.objects;
    this.#by = { experiment, sender };
    this.#life = `${clockName} ${clock.nowUs()}`;
    const { sign } = credentials;
    this.#refused = new RefusedNotices(clock, onWarning);
    this.#publisher = new SteadyPublisher({ bus, clock, sign, onWarning });
    this.#server = new ServerClock({
      ...{ name, clock, clockName, by: this.#by },
      ask: (question) => this.#publisher.publish(question),
    });
  }

  /** Resolves when every order that is sent from now on is heard. @throws BusError */
  static async open(options: BusAgentOptions): Promise<BusAgent> {
    const agent = new BusAgent(options);
    const { experiment: expt, name } = options;
    const answers = { expt, objname: name, eventtype: orderTypes.clock, scheduler: 0 } as const;
    agent.#subscriptions.push(await agent.#subscribe(answers));
    await agent.#hearFor(options.objects);
    agent.#sayAlive();
    return agent;
  }

  /** From now on it serves these objects too. @throws BusError */
  async serve(objects: readonly string[]): Promise<void> {
    const fresh = objects.filter((name) => !this.#objects.includes(name));
    this.#objects = [...this.#objects, ...fresh];
    await this.#hearFor(fresh);
    if (this.#isClosed) return;
    this.#cancelAlive();
    this.#sayAlive();
  }

  /**
   * Resolves when what has begun to fire is reported; completions may still come.
   * @returns the position of the last report on the bus
   */
  async settle(): Promise<number> {
    // Once it is stopped, what is armed still is what has fired and did not say so yet.
    if (this.#isStopped) await this.#armed.drain();
    while (this.#firing.size > 0) await Promise.all(this.#firing);
    await this.#publisher.drain();
    return this.#reportedPosition;
  }

  /** Resolves when nothing is armed either. */
  async drain(): Promise<number> {
    await this.#armed.drain();
    return await this.settle();
  }

  /** Nothing fires any more; what has fired is still reported. */
  stop(): void {
    this.#isStopped = true;
    this.#armed.takeAllBack();
  }

  /** Says that it goes, and is gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.stop();
    this.#cancelAlive();
    this.#server.close();
    for (const subscription of this.#subscriptions) subscription.close();
    this.#refused.close();
    this.#publisher.publish(this.#alive(true));
    await this.#publisher.drain();
    this.#publisher.close();
  }

  async #hearFor(objects: readonly string[]): Promise<void> {
    const { experiment: expt } = this.#options;
    for (let at = 0; at < objects.length; at += namesPerSubscription) {
      const objname = objects.slice(at, at + namesPerSubscription).join(",");
      const exceptEventtypes = [...aboutObjects].join(",");
      const address = { expt, objname, exceptEventtypes, scheduler: 0 } as const;
      const subscription = await this.#subscribe(address);
      this.#subscriptions.push(subscription);
      // It was closed meanwhile, with those that there were.
      if (this.#isClosed) subscription.close();
    }
  }

  #subscribe(
    address: Parameters<typeof SteadySubscription.open>[0]["address"],
  ): Promise<SteadySubscription> {
    const { bus, clock, onWarning } = this.#options;
    return SteadySubscription.open({
      ...{ bus, clock, address, onWarning },
      onNotifications: (placed) => this.#hear(placed),
      onGap: () => {
        onWarning("the bus has forgotten what was sent here; asking for orders that are missing");
        this.#gaps += 1;
        this.#cancelAlive();
        this.#sayAlive();
      },
    });
  }

  #hear(placed: readonly PlacedNotification[]): void {
    for (const { notification } of placed) {
      const type = getText(notification, attributeNames.eventtype);
      // What the scheduler tells others about an object is no order for it.
      if (type === undefined || aboutObjects.has(type)) continue;
      if (!this.#options.credentials.verify(notification)) {
        this.#refused.add(getText(notification, attributeNames.objname) ?? "");
        continue;
      }
      const answer = type === orderTypes.clock ? parseClockAnswer(notification) : undefined;
      if (answer !== undefined) this.#server.hear(answer);
      const order = type === orderTypes.clock ? undefined : parseOrder(notification);
      if (order === undefined) continue;
      if (type === orderTypes.revoke) this.#revoke(order);
      else this.#order(order);
    }
  }

  /** A1. */
  #order(order: Order): void {
    const key = keyOf(order);
    const before = this.#had.get(key);
    if (before !== undefined) {
      if (before.isGivenBack) this.#publish(formatRevoked(order, false, this.#by));
      else this.#report(order, before);
      return;
    }
    // What the life before may have obeyed: the scheduler hears of this one, and ends it.
    const isOfOther = order.life !== undefined && order.life !== this.#life;
    if (this.#isStopped || isOfOther) return;
    const had: Had = { takeBack: hasFired };
    this.#remember(key, had);
    const dueUs = this.#server.toOwn(order.due);
    const met = this.#offer(order, dueUs);
    if (met === undefined) {
      this.#armToTell(order, had, dueUs);
      return;
    }
    had.takeBack = met.takeBack;
    const { takeBack } = met;
    this.#armed.add(key, { object: order.objname, dueUs, isMet: true, takeBack });
    void met.performed.then((performed) => {
      // Taken back by who may, it is not here any more; otherwise its performer must be told.
      if (!this.#armed.has(key)) return;
      if (performed === undefined) this.#armToTell(order, had, dueUs);
      else this.#fired(order, had, () => this.#say(order, had, performed));
    });
  }

  /** What would be skipped when it is late is left to who compares the clock then. */
  #offer(order: Order, dueUs: number): ArmedOrder | undefined {
    const { arm, clock } = this.#options;
    const isForNow = dueUs <= clock.nowUs();
    if (isForNow || order.skipAfterUs !== undefined) return undefined;
    return this.#armed.isFree(order.objname) ? arm?.(order, dueUs) : undefined;
  }

  #armToTell(order: Order, had: Had, dueUs: number): void {
    const key = keyOf(order);
    this.#armed.remove(key);
    if (this.#isStopped) return;
    this.#armed.overtake(order.objname, dueUs);
    // A clock that calls back at once has fired before it says what stops it.
    let hasBegun = false;
    const takeBack = this.#options.fire.at(dueUs, { kind: "tell" }, () => {
      hasBegun = true;
      this.#fired(order, had, () => this.#perform(order, had, dueUs));
    });
    if (hasBegun) return;
    had.takeBack = takeBack;
    this.#armed.add(key, { object: order.objname, dueUs, isMet: false, takeBack });
  }

  #fired(order: Order, had: Had, act: () => Promise<void> | void): void {
    this.#armed.remove(keyOf(order));
    had.takeBack = hasFired;
    const firing = Promise.resolve(act()).finally(() => this.#firing.delete(firing));
    this.#firing.add(firing);
  }

  /** A3. */
  #revoke(order: Order): void {
    const key = keyOf(order);
    const had = this.#had.get(key);
    // What comes after its own revoke must not fire: the bus keeps the order, a scheduler that
    // repeats itself may not.
    const hadFired = had !== undefined && had.takeBack() === "already fired";
    if (!hadFired) {
      this.#remember(key, { takeBack: isRevoked, isGivenBack: true });
      this.#armed.remove(key);
    }
    this.#publish(formatRevoked(order, hadFired, this.#by));
  }

  async #perform(order: Order, had: Had, dueUs: number): Promise<void> {
    const { clock, perform } = this.#options;
    const nowUs = clock.nowUs();
    const isSkipped = order.skipAfterUs !== undefined && nowUs - dueUs > order.skipAfterUs;
    const performed = isSkipped ? skippedAt(nowUs) : await perform(order);
    await this.#say(order, had, performed);
  }

  async #say(
    order: Order,
    had: Had,
    { firedMonotonicUs, outcome, done }: Performed,
  ): Promise<void> {
    const firedUs = this.#server.toServer(firedMonotonicUs);
    had.fired = { firedUs, dueUs: order.due.monotonic?.us, outcome };
    if (outcome === "skipped") {
      this.#report(order, had);
      return;
    }
    let isFiredSaid = false;
    void done.then((end) => {
      const { error, text } = typeof end === "number" ? { error: end, text: "" } : end;
      had.completed = { error, why: text === "" ? whyOf(outcome) : text };
      if (isFiredSaid) this.#report(order, { completed: had.completed });
    });
    // What is over already says so first.
    await undefined;
    isFiredSaid = true;
    this.#report(order, had);
  }

  #report(order: Order, { fired, completed }: Pick<Had, "fired" | "completed">): void {
    // An old scheduler, which names no clock, knows COMPLETE only.
    const isInOne = order.due.monotonic !== undefined && fired !== undefined;
    const whole = isInOne && completed !== undefined ? { ...fired, completed } : fired;
    if (whole !== undefined) this.#publish(formatFired(order, whole, this.#by));
    if (completed === undefined || isInOne) return;
    this.#publish(formatCompletion(order, completed, this.#by));
  }

  #publish(report: Notification): void {
    this.#publisher.publish(report, ({ place }) => {
      this.#reportedPosition = place.position;
    });
  }

  #remember(key: string, had: Had): void {
    this.#had.set(key, had);
    if (this.#had.size <= eventsLimits.ordersMax) return;
    const [oldest = key] = this.#had.keys();
    // What is armed fires all the same; only its repeats are not known any more.
    this.#had.delete(oldest);
  }

  #sayAlive(): void {
    const { clock } = this.#options;
    this.#publisher.publish(this.#alive(false));
    this.#cancelAlive = clock.after(eventsTime.aliveMs, () => this.#sayAlive());
  }

  #alive(isGoing: boolean): Notification {
    const { name: agent } = this.#options;
    const own = { life: this.#life, objects: this.#objects, gaps: this.#gaps };
    return formatAlive({ agent, ...own, isGoing }, this.#by);
  }
}

/** One for all orders: what fired holds on to nothing. */
const hasFired = () => "already fired" as const;
const isRevoked = () => "revoked" as const;

/** The core completes what was skipped. */
function skippedAt(nowUs: number): Performed {
  return { firedMonotonicUs: nowUs, outcome: "skipped", done: Promise.resolve(0) };
}

/** Events of a type that the scheduler sends to whoever waits, under the name of an object. */
const aboutObjects: ReadonlySet<string> = new Set(["COMPLETE", "ACCEPTED", "REFUSED"]);

function keyOf({ fire, objname }: Pick<Report, "fire" | "objname">): string {
  return `${fire} ${objname}`;
}
