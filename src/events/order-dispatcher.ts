// SPDX-License-Identifier: MIT
// Sends orders to the agents that are to obey them, and asks for them back. What agents say of
// orders comes to the scheduler; which orders are open is in open-orders.ts.
import type { Fire, Revoke } from "../core/agenda/effects.ts";
import { waitsForCompletion } from "../core/agenda/event-types.ts";
import type { Command } from "../core/command.ts";
import type { Clock } from "../host/clock.ts";
import {
  formatOrder,
  formatRevoke,
  type OrderInstant,
  type OrderSender,
} from "../wire/event/orders.ts";
import type { AgentRoll, RecalledAgent } from "./agent-roll.ts";
import { type OpenOrder, type OpenOrders, objectsOf } from "./open-orders.ts";
import type { SteadyPublisher } from "./steady-publisher.ts";

export interface OrderDispatcherOptions {
  readonly by: OrderSender;
  readonly clock: Clock;
  readonly orders: OpenOrders;
  readonly roll: AgentRoll;
  readonly publisher: SteadyPublisher;
  /** Control address of the node an object is on, or `*`. */
  readonly hostOf: (object: string) => string;
  /** An instant of the monotonic clock, for agents. */
  readonly instant: (stampUs: number) => OrderInstant;
  readonly submit: (command: Command) => void;
}

export class OrderDispatcher {
  readonly #options: OrderDispatcherOptions;

  constructor(options: OrderDispatcherOptions) {
    this.#options = options;
  }

  /** A new order, to whoever serves its objects. */
  order(fire: Fire, token: number | undefined): void {
    this.send(this.#options.orders.add(fire, token), objectsOf(fire));
  }

  /** @param only the agents that are to obey, in these lives; whoever serves it when absent */
  send(open: OpenOrder, objects: readonly string[], only: readonly RecalledAgent[] = []): void {
    const { by, roll, publisher, hostOf } = this.#options;
    const { order, fire, token } = open;
    const { event, dueStampUs, whenLate, toleranceUs } = order;
    const due = this.#options.instant(dueStampUs);
    const skipAfterUs = whenLate === "skip" ? toleranceUs : undefined;
    const { type: objtype, event: eventtype, args } = event;
    for (const objname of objects) {
      const life = only.find((agent) => agent.objects.includes(objname))?.life;
      const facts = { fire, token, objtype, objname, eventtype, args, due, skipAfterUs, life };
      publisher.publish(formatOrder(facts, hostOf(objname), by), ({ matched }) => {
        if (matched === 0) this.#unheard(open, objname);
        else if (!roll.speaksFor(objname)) this.#sentToOld(open, objname);
      });
    }
  }

  /** What they have not answered for good, as they may not have had it; they know what they had. */
  repeat(agents: readonly RecalledAgent[]): void {
    const theirs = new Set(agents.flatMap(({ objects }) => objects));
    for (const open of this.#options.orders.all()) {
      const names = [...open.uncompleted].filter((name) => theirs.has(name));
      // Behind its revoke nobody begins with it.
      if (open.isRevoked) this.takeBack(open, names);
      this.send(open, names, agents);
    }
  }

  revoke(revoke: Revoke): void {
    const { orders, submit, clock, roll } = this.#options;
    const open = orders.get(revoke.token);
    const { scope, token } = revoke;
    if (open === undefined || open.firedUs > 0) {
      submit({ kind: "agenda-revoked", scope, token, fired: true });
      return;
    }
    open.isRevoked = true;
    for (const objname of open.uncompleted) {
      this.#askBack(open, objname, () => {
        // Nobody has it, so that nobody fires it, unless an agent has that is only cut off.
        if (roll.isServed(objname)) return;
        this.#tell(orders.revoked(open, objname, false, clock.nowUs()));
      });
    }
  }

  /** For the core it is over: an agent that was only cut off must not fire it when it is back. */
  takeBackFrom(objects: readonly string[]): void {
    for (const open of this.#options.orders.all()) this.takeBack(open, objects);
  }

  takeBack(open: OpenOrder, objects: Iterable<string>): void {
    const theirs = [...objects].filter((name) => open.unfired.has(name));
    for (const name of theirs) this.#askBack(open, name, () => undefined);
  }

  /**
   * An old agent tells completions of what sequences wait for, and of START, and nothing else: that
   * it was sent is all that will be known.
   */
  #sentToOld(open: OpenOrder, objname: string): void {
    const { orders, clock } = this.#options;
    const { event, dueStampUs } = open.order;
    if (waitsForCompletion(event)) return;
    const firedUs = Math.max(dueStampUs, clock.nowUs());
    this.#tell(orders.fired(open, objname, { firedUs, outcome: "sent" }));
  }

  /** Nobody will ever answer, unless an agent is cut off that goes on where it was. */
  #unheard(open: OpenOrder, objname: string): void {
    const { orders, clock, roll } = this.#options;
    if (roll.isServed(objname)) return;
    const why = `no agent of ${objname} is on the bus; is its node up?`;
    this.#tell(orders.never(open, objname, why, clock.nowUs()));
  }

  #askBack(open: OpenOrder, objname: string, onUnheard: () => void): void {
    const { by, publisher, hostOf } = this.#options;
    const { fire, token, order } = open;
    const report = { fire, token, objtype: order.event.type, objname };
    publisher.publish(formatRevoke(report, hostOf(objname), by), ({ matched }) => {
      if (matched === 0) onUnheard();
    });
  }

  #tell(commands: readonly Command[]): void {
    for (const command of commands) this.#options.submit(command);
  }
}
