// SPDX-License-Identifier: MIT
// The commands of count barriers: what an arrival, a leave, a deadline and a cancel do to them.
//
//   B1 nobody is released before the condition holds; B3 one error for all; B4 who leaves is
//   uncounted, and a leave that completes releases the rest; B5 an initialised count outlives its
//   waiters.
import { assert } from "../assert.ts";
import type { EdgeState } from "../edge-table.ts";
import type { BarrierOutcome } from "../effect.ts";
import { barrierCountMax } from "../limits.ts";
import type { Refusal } from "../refusal.ts";
import { invalid } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import type { CountChange, CountInit, CountWait } from "./commands.ts";
import type { Common, Standing } from "./common.ts";
import { isInteger } from "./common.ts";
import { CountBarrier } from "./count-barrier.ts";
import type { Failure, Waiter } from "./place.ts";

export class CountKind {
  readonly #common: Common;

  constructor(common: Common) {
    this.#common = common;
  }

  /** An init or a wait that `refusal` has nothing against. [EMULAB-SYNC 3] */
  arrive(scope: Scope, edge: EdgeState, command: CountInit | CountWait, turn: Turn): void {
    const barrier = scope.counts.get(command.barrier) ?? open(scope, command.barrier, turn.nowUs);
    if (command.kind === "count-init" && !command.waits) {
      const { namesInReportMax } = this.#common.limits;
      barrier.addInit(command.count, command.who, turn.nowUs, namesInReportMax);
      turn.tell(edge, { kind: "acknowledged", connection: command.connection });
      this.#setDeadline(barrier, command, turn);
    } else {
      const contribution = command.kind === "count-init" ? command.count : -1;
      const { nowUs } = turn;
      barrier.addWaiter(this.#common.createWaiter(barrier, edge, command, contribution, nowUs));
      this.#setDeadline(barrier, command, turn);
    }
    if (barrier.isComplete()) this.#end(barrier, "crossed", turn);
  }

  /** B4. */
  leave(waiter: Waiter, turn: Turn): void {
    this.#takeBack(waiter, "cancelled", turn);
  }

  /**
   * B4 for all parties of an edge that ended. They leave at one instant: were they taken back one
   * by one, a barrier could cross in between on the count of somebody who is gone as well (B1).
   */
  leaveTogether(waiters: readonly Waiter[], turn: Turn): void {
    const standings = new Map<CountBarrier, Standing>();
    for (const waiter of waiters) {
      const barrier = barrierOf(waiter);
      if (!standings.has(barrier)) standings.set(barrier, this.#standing(barrier));
    }
    for (const waiter of waiters) this.#remove(waiter);
    for (const [barrier, standing] of standings) {
      this.#settle(barrier, "cancelled", turn, standing);
    }
  }

  /** B9. The deadline of one wait: it is taken back and told who was missing. */
  timeOut(waiter: Waiter, turn: Turn): void {
    this.#common.tellTimeout(waiter, turn);
    this.#takeBack(waiter, "timeout", turn);
  }

  /** Another number of parties, while people wait. */
  change(scope: Scope | undefined, edge: EdgeState, command: CountChange, turn: Turn): void {
    const { barrier: name, connection, expected } = command;
    const barrier = scope?.counts.get(name);
    const refusal = changeRefusal(barrier, name, expected);
    if (refusal !== undefined || barrier === undefined) {
      if (refusal !== undefined) turn.tell(edge, { kind: "refused", connection, ...refusal });
      return;
    }
    turn.tell(edge, { kind: "acknowledged", connection });
    barrier.count += expected - barrier.expected;
    barrier.expected = expected;
    if (barrier.isComplete()) this.#end(barrier, "crossed", turn);
  }

  /** Its own deadline: all who wait are told who is missing. */
  expire(barrier: CountBarrier, turn: Turn): void {
    this.#end(barrier, "timeout", turn);
  }

  #setDeadline(barrier: CountBarrier, command: CountInit | CountWait, { nowUs }: Turn): void {
    if (command.kind === "count-wait" || command.deadline === undefined) return;
    this.#common.setDeadline(barrier, command.deadline, nowUs);
  }

  /** Ends a barrier for everybody. [EMULAB-SYNC 1 HUP] */
  end(barrier: CountBarrier, outcome: "cancelled" | "failed", failure: Failure, turn: Turn): void {
    barrier.error = failure.error;
    this.#end(barrier, outcome, turn, this.#standing(barrier), failure.reason);
  }

  /** Why this arrival is refused, if it is. `scope` is undefined when it does not exist yet. */
  refusal(
    scope: Scope | undefined,
    edge: EdgeState,
    command: CountInit | CountWait,
  ): Refusal | undefined {
    const barrier = scope?.counts.get(command.barrier);
    // One who does not wait takes no place, and may be the one the full barrier is waiting for.
    const stays = command.kind === "count-wait" || command.waits;
    const waiters = stays ? (barrier?.waiters.size ?? 0) : undefined;
    const target = { exists: barrier !== undefined, waiters };
    const refusal = this.#common.refusal(scope, edge, command, target);
    if (refusal !== undefined || command.kind === "count-wait") return refusal;
    return countRefusal(barrier, command.count) ?? this.#common.deadlineRefusal(command.deadline);
  }

  /** @param emptied what has become of the barrier if nobody waits and nothing is asked for. */
  #takeBack(waiter: Waiter, emptied: BarrierOutcome, turn: Turn): void {
    const barrier = barrierOf(waiter);
    const standing = barrier.waiters.size === 1 ? this.#standing(barrier) : undefined;
    this.#remove(waiter);
    this.#settle(barrier, emptied, turn, standing);
  }

  #standing(barrier: CountBarrier): Standing {
    return { expected: barrier.expected, missing: this.#common.missing(barrier) };
  }

  #remove(waiter: Waiter): void {
    this.#common.detach(waiter);
    barrierOf(waiter).removeWaiter(waiter, this.#common.limits.namesInReportMax);
  }

  /** After parties left: the rest may have become complete. */
  #settle(
    barrier: CountBarrier,
    emptied: BarrierOutcome,
    turn: Turn,
    before: Standing | undefined,
  ): void {
    if (barrier.isComplete()) {
      if (barrier.waiters.size > 0) this.#end(barrier, "crossed", turn);
      else this.#end(barrier, emptied, turn, before);
    } else if (barrier.waiters.size === 0) {
      // B5 keeps the barrier, but nobody waits at it.
      this.#common.nobodyWaits(barrier);
    }
  }

  #end(
    barrier: CountBarrier,
    outcome: BarrierOutcome,
    turn: Turn,
    standing: Standing = this.#standing(barrier),
    reason?: string,
  ): void {
    const waiters = barrier.release();
    const scope = this.#common.scopeOf(barrier);
    scope.counts.delete(barrier.name);
    scope.remember(barrier, outcome, this.#common.limits.closedBarriersPerScopeMax);
    this.#common.tellEnd(barrier, waiters, { outcome, reason }, standing, turn);
  }
}

function open(scope: Scope, name: string, nowUs: number): CountBarrier {
  const generation = scope.nextGeneration("count", name);
  const barrier = new CountBarrier(scope.name, name, generation, nowUs);
  scope.counts.set(name, barrier);
  return barrier;
}

function barrierOf({ barrier }: Waiter): CountBarrier {
  assert(barrier.kind === "count", "the waiter of another kind");
  return barrier;
}

function changeRefusal(
  barrier: CountBarrier | undefined,
  name: string,
  expected: number,
): Refusal | undefined {
  if (barrier === undefined) {
    return { code: "unknown", message: `no count barrier ${name} is open` };
  }
  if (!isInteger(expected, 0) || expected > barrierCountMax) {
    return invalid(`the number must be from 0 to ${barrierCountMax}, not ${expected}`);
  }
  if (barrier.expected === 0) return invalid("nobody has opened it yet; open it with an init");
  const arrived = barrier.expected - barrier.count;
  if (expected >= arrived) return undefined;
  return invalid(`${arrived} are there already, more than ${expected}`);
}

function countRefusal(barrier: CountBarrier | undefined, count: number): Refusal | undefined {
  if (!isInteger(count, 0) || count > barrierCountMax) {
    return invalid(`the count must be from 0 to ${barrierCountMax}, not ${count}`);
  }
  if (barrier !== undefined && !barrier.canAdd(count)) {
    return invalid(`the sum of the counts would pass ${barrierCountMax}`);
  }
  return undefined;
}
