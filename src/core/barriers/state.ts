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
import type { StateCommand, StateWait } from "./commands.ts";
import type { Common } from "./common.ts";
import type { Failure, Waiter } from "./place.ts";
import { StateCounter, type StateTarget } from "./state-counter.ts";

type Wait = Omit<StateWait, "kind">;

export class StateKind {
  readonly #common: Common;

  constructor(common: Common) {
    this.#common = common;
  }

  /** A signal or a wait that `refusal` has nothing against. */
  arrive(scope: Scope, edge: EdgeState, command: StateCommand, turn: Turn): void {
    const counter = scope.states.get(command.barrier) ?? open(scope, command.barrier, turn.nowUs);
    if (command.kind === "state-wait") {
      if (command.target > counter.value) this.#wait(counter, edge, command, turn);
      else this.#answer(counter, edge, command, "crossed", turn);
      return;
    }
    const { connection } = command;
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
    for (const target of counter.signal()) this.#end(target, "crossed", undefined, turn);
    if (waits && command.target < value) this.#answer(counter, edge, command, "crossed", turn);
  }

  /** B4. The signals stay. */
  leave(waiter: Waiter): void {
    const target = targetOf(waiter);
    this.#common.detach(waiter);
    target.counter.remove(target, waiter, this.#common.limits.namesInReportMax);
    if (target.waiters.size === 0) this.#common.nobodyWaits(target);
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
    for (const target of [...counter.targets.values()]) {
      target.error = failure.error;
      this.#end(target, outcome, failure.reason, turn);
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
    const release = { ...facts, part: target, outcome, error };
    const hasFailed = outcome === "failed" && failure !== undefined;
    turn.release([{ edge, connection }], hasFailed ? { ...release, ...failure } : release);
  }

  #end(target: StateTarget, outcome: BarrierOutcome, reason: string | undefined, turn: Turn): void {
    const standing = { expected: target.part, missing: this.#common.missing(target) };
    const waiters = target.counter.take(target);
    this.#common.tellEnd(target, waiters, { outcome, reason }, standing, turn);
  }
}

function open(scope: Scope, name: string, nowUs: number): StateCounter {
  const counter = new StateCounter(scope.name, name, nowUs);
  scope.states.set(name, counter);
  return counter;
}

function targetOf({ barrier }: Waiter): StateTarget {
  assert(barrier.kind === "state", "the waiter of another kind");
  return barrier;
}
