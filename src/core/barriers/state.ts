// SPDX-License-Identifier: MIT
// The commands of states: signals and waits for a target. [TESTGROUND-SYNC 4]
//
//   B1 nobody is released before the counter has reached the target; B3 one outcome for all who
//   wait for one target; B4 who leaves waits no more, and what was signalled stays.
import { assert } from "../assert.ts";
import type { EdgeState } from "../edge-table.ts";
import type { BarrierOutcome } from "../effect.ts";
import type { Refusal } from "../refusal.ts";
import { invalid } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import { statesVersion } from "../version.ts";
import type { StateCommand, StateWait } from "./commands.ts";
import type { Common } from "./common.ts";
import type { Failure, Waiter } from "./place.ts";
import { StateCounter, type StateTarget } from "./state-counter.ts";
import { type OwnSegment, type Segment, StateShares } from "./state-shares.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { TreeReports } from "./tree-reports.ts";

type Wait = Omit<StateWait, "kind">;

export class StateKind {
  readonly #common: Common;
  readonly #reports: TreeReports;
  readonly #links: TreeLinks;

  constructor(common: Common, reports: TreeReports, links: TreeLinks) {
    this.#common = common;
    this.#reports = reports;
    this.#links = links;
  }

  /** A signal or a wait that `refusal` has nothing against. */
  arrive(scope: Scope, edge: EdgeState, command: StateCommand, turn: Turn): void {
    const known = scope.states.get(command.barrier);
    const counter = known ?? open(scope, command.barrier, turn.nowUs);
    // That it is there is known at the root as well, whose orders are about it.
    if (known === undefined && this.#reports.isBelow(scope)) this.touch(scope, counter);
    if (command.kind === "state-wait") {
      if (command.target > counter.value) this.#wait(counter, edge, command, turn);
      else this.#answer(counter, edge, command, "crossed", turn);
      return;
    }
    const { connection } = command;
    if (this.#reports.isBelow(scope)) {
      this.#signalAbove(scope, counter, edge, command, turn);
      return;
    }
    const value = counter.value + 1;
    const waits = command.kind === "state-signal-and-wait";
    turn.tell(edge, {
      ...{ kind: "signalled", scope: scope.name, barrier: counter.name, connection, value },
    });
    if (command.who.node !== undefined && scope.hasNode(command.who.node)) {
      counter.nodes.add(command.who.node);
    }
    // Before the signal counts: one that reaches its own target is released with the others.
    if (waits && command.target >= value) this.#wait(counter, edge, command, turn, value);
    for (const target of counter.signal()) this.endTarget(target, "crossed", undefined, turn);
    if (waits && command.target < value) this.#answer(counter, edge, command, "crossed", turn);
  }

  /** The root gives it its number; who waits is told of before, and released with the others. */
  #signalAbove(
    scope: Scope,
    counter: StateCounter,
    edge: EdgeState,
    command: Exclude<StateCommand, { readonly kind: "state-wait" }>,
    turn: Turn,
  ): void {
    const { name, incarnation } = edge;
    const { connection } = command;
    const waits = command.kind === "state-signal-and-wait" ? command : undefined;
    const isReached = waits !== undefined && waits.target <= counter.value;
    const { target = 0, error = 0 } = waits ?? {};
    const isNumbered = this.#common.version() >= statesVersion;
    const segment: Segment & OwnSegment = {
      ...{ report: 0, edge: name, incarnation, connection },
      ...(isReached && !isNumbered ? { wait: { target, error } } : {}),
    };
    const shares = sharesOf(counter);
    shares.segments.push(segment);
    const { node } = command.who;
    if (node !== undefined && scope.hasNode(node)) counter.nodes.add(node);
    if (waits !== undefined && !isReached) this.#wait(counter, edge, waits, turn);
    else if (waits !== undefined && isNumbered) this.#hold(counter, edge, waits, turn);
    const waiter = isNumbered ? edge.waiters.get(connection) : undefined;
    if (waiter !== undefined) shares.awaitNumber(waiter, segment, { isOver: isReached, error });
    this.touch(scope, counter);
  }

  /** G2: what it waits for is reached, and it waits for its number. */
  #hold(counter: StateCounter, edge: EdgeState, command: Wait, { nowUs }: Turn): void {
    const target = counter.placeFor(command.target, nowUs);
    counter.hold(target, this.#common.createWaiter(target, edge, command, 0, nowUs));
  }

  /** G2: it has its number, or will have none. */
  goOn(waiter: Waiter): void {
    const target = targetOf(waiter);
    this.#common.detach(waiter);
    target.counter.letGo(target, waiter);
    if (target.isIdle) this.#common.nobodyWaits(target);
  }

  touch(scope: Scope, { name }: StateCounter): void {
    this.#reports.touch(scope, `state ${name}`);
  }

  /** Who waits for a target has changed, where a controller above is to know. */
  #wantsChanged(target: StateTarget): void {
    const scope = this.#common.scopeOf(target);
    if (!this.#reports.isBelow(scope)) return;
    sharesOf(target.counter).dirty.add(target.part);
    this.touch(scope, target.counter);
  }

  /** B4. The signals stay. */
  leave(waiter: Waiter): void {
    const target = targetOf(waiter);
    const isOver = target.counter.shares?.forget(waiter) === true;
    if (isOver) target.held -= 1;
    this.#common.detach(waiter);
    target.counter.remove(target, waiter, this.#common.limits.namesInReportMax);
    if (target.waiters.size === 0) this.#common.nobodyWaits(target);
    if (!isOver) this.#wantsChanged(target);
  }

  leaveTogether(waiters: readonly Waiter[]): void {
    for (const waiter of waiters) this.leave(waiter);
  }

  /** B9. */
  timeOut(waiter: Waiter, turn: Turn): void {
    this.#common.tellTimeout(waiter, turn);
    this.leave(waiter);
  }

  /**
   * Ends the waits there are; the counter goes on. Of one that has failed, also those that would
   * follow.
   */
  end(counter: StateCounter, outcome: "cancelled" | "failed", failure: Failure, turn: Turn): void {
    if (outcome === "failed") counter.failure = failure;
    // Where numbers are still to come, the scope ends, and with it the wait for them.
    for (const waiter of [...(counter.shares?.unnumbered.keys() ?? [])]) {
      if (counter.shares?.forget(waiter) === true) targetOf(waiter).held -= 1;
    }
    for (const target of [...counter.targets.values()]) {
      target.error = failure.error;
      this.endTarget(target, outcome, failure.reason, turn);
    }
  }

  refusal(scope: Scope | undefined, edge: EdgeState, command: StateCommand): Refusal | undefined {
    const counter = scope?.states.get(command.barrier);
    const waits = command.kind !== "state-signal";
    const { barrier, connection, who } = command;
    const arrival = waits ? command : { barrier, connection, who, error: 0 };
    const waiters = waits ? (counter?.waiting ?? 0) : undefined;
    const target = { exists: counter !== undefined, waiters };
    const refusal = this.#common.refusal(scope, edge, arrival, target);
    if (refusal !== undefined || !waits || Number.isSafeInteger(command.target)) return refusal;
    return invalid(`the target must be an integer, not ${command.target}`);
  }

  /** @param value what the counter is about to be, for one who signals and waits. */
  #wait(
    counter: StateCounter,
    edge: EdgeState,
    command: Wait,
    turn: Turn,
    value: number = counter.value,
  ): void {
    if (counter.failure !== undefined && command.target > value) {
      this.#answer(counter, edge, command, "failed", turn);
      return;
    }
    const target = counter.obtain(command.target, turn.nowUs);
    counter.add(target, this.#common.createWaiter(target, edge, command, 0, turn.nowUs));
    this.#wantsChanged(target);
  }

  /** One who does not have to wait. */
  #answer(
    { scope, name, failure }: StateCounter,
    edge: EdgeState,
    { target, error, connection }: Wait,
    outcome: "crossed" | "failed",
    turn: Turn,
  ): void {
    const facts = { scope, barrier: name, barrierKind: "state", generation: 1 } as const;
    const release = { kind: "released", ...facts, part: target, outcome, error } as const;
    const hasFailed = outcome === "failed" && failure !== undefined;
    turn.release([{ edge, connection }], hasFailed ? { ...release, ...failure } : release);
  }

  /** One target is over. */
  endTarget(
    target: StateTarget,
    outcome: BarrierOutcome,
    reason: string | undefined,
    turn: Turn,
  ): void {
    if (target.isOver) return;
    const standing = { expected: target.part, missing: this.#common.missing(target) };
    this.#tellBelow(target, outcome, reason, turn);
    const waiters = target.counter.take(target, outcome === "crossed");
    this.#common.tellEnd(target, waiters, { outcome, reason }, standing, turn);
  }

  #tellBelow(
    { counter, part: target, error }: StateTarget,
    outcome: BarrierOutcome,
    reason: string | undefined,
    turn: Turn,
  ): void {
    const scope = this.#common.scopes.get(counter.scope);
    const wants = counter.shares?.wants.get(target);
    if (scope === undefined || wants === undefined) return;
    counter.shares?.wants.delete(target);
    for (const child of wants.keys()) {
      const ends = [{ target, outcome, error, reason: reason ?? "" }];
      const told = { barrier: counter.name, report: 0, first: 0, value: counter.value, ends };
      this.#links.sayDown(scope, child, { kind: "state-told", ...told }, turn);
    }
  }
}

export function sharesOf(counter: StateCounter): StateShares {
  counter.shares ??= new StateShares();
  return counter.shares;
}

export function open(scope: Scope, name: string, nowUs: number): StateCounter {
  const counter = new StateCounter(scope.name, name, nowUs);
  scope.states.set(name, counter);
  return counter;
}

function targetOf({ barrier }: Waiter): StateTarget {
  assert(barrier.kind === "state", "the waiter of another kind");
  return barrier;
}
