// SPDX-License-Identifier: MIT
// The orders that a scheduler has sent out and that are not over: which agents' reports fit them,
// and what the core is to be told. Owns the numbers that orders have on the bus; publishes nothing.
//
//   T1. A report counts once for each object, and what the core is told is what the agents said.
//   T2. An order has the number that the core gave it, so that it has the same after a restart.
//   T3. What the core has ended is over, and so is that of which a sender is told by the log: what
//       agents say of it later reaches nobody, who may have been told another end (E2 of
//       scheduler.ts).
//   T4. What an agent has given back never fires, whoever took it back: a scheduler may have died
//       before its log held that the agent had fallen silent.
import type { AgendaOrder } from "../core/agenda/commands.ts";
import type { Fire } from "../core/agenda/effects.ts";
import { waitsForCompletion } from "../core/agenda/event-types.ts";
import { isIgnored, whyOf } from "../wire/event/orders.ts";
import { eventsLimits } from "./events-limits.ts";

export interface OpenOrder {
  /** Its number on the bus. */
  readonly fire: number;
  readonly order: Fire;
  /** TOKEN on the bus. */
  readonly token: number;
  /** Objects that have not fired. */
  readonly unfired: Set<string>;
  /** Objects that have not completed. */
  readonly uncompleted: Set<string>;
  /** Objects that have given it back. */
  readonly givenBack: Set<string>;
  firedUs: number;
  /** When members of a group obeyed, as far as they did. */
  readonly doneUs: number[];
  /** The first that was not `done`, by name for a group. */
  outcome: string;
  isRevoked: boolean;
}

/** An order of a life before this one, as its log has it. */
export interface RecalledOrder {
  readonly fire: Fire;
  readonly unfired: ReadonlySet<string>;
  readonly uncompleted: ReadonlySet<string>;
  /** 0 when it has not fired. */
  readonly firedUs: number;
}

export class OpenOrders {
  readonly #orders = new Map<number, OpenOrder>();
  /** Occurrence -> its order. */
  readonly #items = new Map<number, OpenOrder>();
  /** T3; the oldest go. */
  readonly #over: Set<number>;
  readonly #isToldByLog: (open: OpenOrder) => boolean;

  /**
   * @param over orders that the core has ended in a life before this one
   * @param isToldByLog whether the sender of an order is told its end by the log (T3)
   */
  constructor(
    over: readonly number[] = [],
    isToldByLog: (open: OpenOrder) => boolean = () => false,
  ) {
    this.#over = new Set(over);
    this.#isToldByLog = isToldByLog;
  }

  /** T2. */
  add(order: Fire, token: number | undefined): OpenOrder {
    const fire = order.token;
    const names = objectsOf(order);
    const open: OpenOrder = {
      ...{ fire, order, token: token ?? fire, firedUs: 0, outcome: "done", isRevoked: false },
      doneUs: [],
      unfired: new Set(names),
      uncompleted: new Set(names),
      givenBack: new Set(),
    };
    this.#orders.set(fire, open);
    this.#items.set(order.item, open);
    if (this.#orders.size > eventsLimits.ordersMax) {
      const [oldest = fire] = this.#orders.keys();
      this.#forget(oldest);
    }
    return open;
  }

  recall({ fire, unfired, uncompleted, firedUs }: RecalledOrder, token: number | undefined): void {
    const open = this.add(fire, token);
    open.firedUs = firedUs;
    for (const name of objectsOf(fire)) {
      if (!uncompleted.has(name)) open.uncompleted.delete(name);
      if (!unfired.has(name)) open.unfired.delete(name);
    }
  }

  /** It has been asked back in a life before this one. */
  markRevoked(fire: number): void {
    const open = this.#orders.get(fire);
    if (open !== undefined) open.isRevoked = true;
  }

  get(fire: number): OpenOrder | undefined {
    return this.#orders.get(fire);
  }

  /** T3. @returns the order that the core has ended before agents have. */
  endItem(item: number): OpenOrder | undefined {
    const open = this.#items.get(item);
    if (open === undefined) return undefined;
    this.#forget(open.fire);
    this.noteOver(open.fire);
    return open;
  }

  /** T3. Its end is told by the log, and what agents say again is not. */
  noteOver(fire: number): void {
    this.#over.add(fire);
    if (this.#over.size <= eventsLimits.ordersMax) return;
    const [oldest = fire] = this.#over;
    this.#over.delete(oldest);
  }

  /** T3. */
  isOver(fire: number): boolean {
    return this.#over.has(fire);
  }

  /** What an agent means that knows tokens only: the oldest that fits. */
  findByToken(object: string, token: number): OpenOrder | undefined {
    for (const open of this.#orders.values()) {
      if (open.token === token && open.uncompleted.has(object)) return open;
    }
    return undefined;
  }

  /** @returns what the core is to be told; nothing for a repeat. */
  fired(
    open: OpenOrder,
    object: string,
    { firedUs, outcome }: { readonly firedUs: number; readonly outcome: string },
  ): AgendaOrder[] {
    if (!open.unfired.delete(object)) return [];
    const { order } = open;
    const { scope, token, members } = order;
    open.firedUs = Math.max(open.firedUs, firedUs);
    if (members.length > 0 && outcome === "done") open.doneUs.push(firedUs);
    if (open.outcome === "done" && outcome !== "done") {
      open.outcome = members.length === 0 ? outcome : outcome.replace(": ", `: ${object}: `);
    }
    const told: AgendaOrder[] = [];
    if (open.unfired.size === 0) {
      const facts = { scope, token, firedStampUs: open.firedUs, outcome: open.outcome };
      told.push({ kind: "agenda-fired", ...facts, ...skewOf(open) });
    }
    if (outcome === "skipped") {
      // The core completes what was skipped, all of it.
      if (members.length === 0) this.#forget(open.fire);
      else
        told.push(...this.completed(open, object, { error: -1, why: "it was skipped: too late" }));
      return told;
    }
    // Nobody completes it later, so that it has completed when it has fired.
    if (waitsForCompletion(order.event)) return told;
    const why = whyOf(outcome);
    const error = why === "" || isIgnored(why) ? 0 : -1;
    return [...told, ...this.completed(open, object, { error, why })];
  }

  /** @returns what the core is to be told; nothing for a repeat. */
  completed(
    open: OpenOrder,
    object: string,
    { error, why }: { readonly error: number; readonly why: string },
  ): AgendaOrder[] {
    if (!open.uncompleted.delete(object)) return [];
    const { scope, token, members } = open.order;
    if (open.uncompleted.size === 0) {
      this.#forget(open.fire);
      if (this.#isToldByLog(open)) this.noteOver(open.fire);
    }
    const member = members.length === 0 ? {} : { member: object };
    const text = why === "" ? {} : { text: why };
    return [{ kind: "agenda-complete", scope, token, error, ...member, ...text }];
  }

  /**
   * An agent's answer to a revoke.
   * @param atUs when it was heard, by the clock of the log
   * @returns what the core is to be told
   */
  revoked(open: OpenOrder, object: string, hadFired: boolean, atUs: number): AgendaOrder[] {
    if (!open.uncompleted.has(object)) return [];
    if (!open.isRevoked) {
      const why = `${object} has given it back: its agent was silent for too long`;
      return hadFired ? [] : this.never(open, object, why, atUs);
    }
    const { scope, token } = open.order;
    if (!hadFired) open.givenBack.add(object);
    const isAll = open.givenBack.size === open.uncompleted.size && open.givenBack.size > 0;
    if (isAll && open.unfired.size === open.givenBack.size && open.firedUs === 0) {
      this.#forget(open.fire);
      return [{ kind: "agenda-revoked", scope, token, fired: false }];
    }
    if (!hadFired) return [];
    open.isRevoked = false;
    // Some members of a group have fired: it has fired, and the others never will.
    const never = [...open.givenBack].flatMap((name) =>
      this.completed(open, name, { error: -1, why: `${name} was taken back before it fired` }),
    );
    return [{ kind: "agenda-revoked", scope, token, fired: true }, ...never];
  }

  /**
   * It was not obeyed, and never will be.
   * @param atUs when that was found, by the clock of the log
   * @returns what the core is to be told; nothing for who has fired
   */
  never(open: OpenOrder, object: string, why: string, atUs: number): AgendaOrder[] {
    if (!open.unfired.has(object)) return [];
    const failed = { firedUs: atUs, outcome: `failed: ${why}` };
    return [
      ...this.fired(open, object, failed),
      ...this.completed(open, object, { error: -1, why }),
    ];
  }

  all(): readonly OpenOrder[] {
    return [...this.#orders.values()];
  }

  /** The agenda is over. */
  closeScope(scope: string): void {
    for (const { fire, order } of this.all()) if (order.scope === scope) this.#forget(fire);
  }

  #forget(fire: number): void {
    const open = this.#orders.get(fire);
    if (open === undefined) return;
    this.#orders.delete(fire);
    // It may have been sent out again, under another number.
    if (this.#items.get(open.order.item) === open) this.#items.delete(open.order.item);
  }
}

/** The objects that an order is for. */
export function objectsOf({ members, event }: Fire): readonly string[] {
  return members.length === 0 ? [event.object] : members;
}

/** Nothing for one object, and for who has obeyed in the life of a scheduler before. */
function skewOf({ doneUs }: OpenOrder): { readonly skewUs?: number } {
  if (doneUs.length < 2) return {};
  const [first = 0, last = 0] = doneUs.reduce(
    ([low, high], us) => [Math.min(low, us), Math.max(high, us)] as const,
    [Infinity, -Infinity] as const,
  );
  return { skewUs: last - first };
}

/** Of what was never sent out: the number of its event, above all tokens that are sent. */
export function completionToken(item: number): number {
  return 0x1000_0000 + item;
}
