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
import type { Common, Ending, Standing } from "./common.ts";
import { isInteger } from "./common.ts";
import { CountBarrier } from "./count-barrier.ts";
import { CountShares } from "./count-shares.ts";
import type { Failure, Waiter } from "./place.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { LastChange } from "./tree-messages.ts";
import type { TreeReports } from "./tree-reports.ts";

export class CountKind {
  readonly #common: Common;
  readonly #reports: TreeReports;
  readonly #links: TreeLinks;

  constructor(common: Common, reports: TreeReports, links: TreeLinks) {
    this.#common = common;
    this.#reports = reports;
    this.#links = links;
  }

  /** An init or a wait that `refusal` has nothing against. [EMULAB-SYNC 3] */
  arrive(scope: Scope, edge: EdgeState, command: CountInit | CountWait, turn: Turn): void {
    const barrier = scope.counts.get(command.barrier) ?? open(scope, command.barrier, turn.nowUs);
    const { namesInReportMax } = this.#common.limits;
    const shares = this.#sharesBelow(scope, barrier);
    if (command.kind === "count-init" && !command.waits) {
      barrier.addInit(command.count, command.who, turn.nowUs, namesInReportMax);
      if (shares !== undefined) shares.fresh.asked += command.count;
      shares?.see(command.who.node, namesInReportMax);
      turn.tell(edge, { kind: "acknowledged", connection: command.connection });
      this.#setDeadline(barrier, command, turn);
    } else {
      const contribution = command.kind === "count-init" ? command.count : -1;
      const { nowUs } = turn;
      const waiter = this.#common.createWaiter(barrier, edge, command, contribution, nowUs);
      barrier.addWaiter(waiter);
      shares?.came(waiter, namesInReportMax);
      this.#setDeadline(barrier, command, turn);
    }
    this.changed(scope, barrier, "came", turn);
  }

  /** What follows: it crosses, it ends because nobody is left, or the controller above is told. */
  changed(
    scope: Scope,
    barrier: CountBarrier,
    how: LastChange,
    turn: Turn,
    before?: Standing,
  ): void {
    if (this.#reports.isBelow(scope)) {
      sharesOf(barrier).lastChange = how;
      this.#reports.touch(scope, keyOf(barrier));
    } else if (barrier.isComplete()) {
      const isLeft = how !== "came" && barrier.waiters.size + barrier.waitingBelow === 0;
      const emptied = how === "left" ? "cancelled" : "timeout";
      this.#end(barrier, isLeft ? emptied : "crossed", turn, isLeft ? before : undefined);
      return;
    }
    // B5 keeps the barrier, but nobody waits at it.
    if (barrier.waiters.size === 0) this.#common.nobodyWaits(barrier);
  }

  /** B4. */
  leave(waiter: Waiter, turn: Turn): void {
    this.#takeBack(waiter, "left", turn);
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
    for (const waiter of waiters) this.#remove(waiter, "left");
    for (const [barrier, standing] of standings) {
      this.changed(this.#common.scopeOf(barrier), barrier, "left", turn, standing);
    }
  }

  /** B9. The deadline of one wait: it is taken back and told who was missing. */
  timeOut(waiter: Waiter, turn: Turn): void {
    this.#common.tellTimeout(waiter, turn);
    this.#takeBack(waiter, "timed-out", turn);
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
    const { deadline } = command;
    if (this.#reports.isBelow(this.#common.scopeOf(barrier))) sharesOf(barrier).deadline = deadline;
    else this.#common.setDeadline(barrier, deadline, nowUs);
  }

  /** Ends a barrier for everybody. [EMULAB-SYNC 1 HUP] */
  end(barrier: CountBarrier, outcome: "cancelled" | "failed", failure: Failure, turn: Turn): void {
    barrier.error = failure.error;
    const scope = this.#common.scopeOf(barrier);
    if (this.#reports.isBelow(scope)) this.#withdraw(scope, barrier, turn);
    this.#end(barrier, outcome, turn, this.#standing(barrier), failure.reason);
  }

  /** A controller is lost that has a part in it. */
  fail(barrier: CountBarrier, reason: string, turn: Turn): void {
    barrier.error = 0;
    this.#end(barrier, "failed", turn, this.#standing(barrier), reason);
  }

  /** Its scope ends here, and with it all parties that the controller above knows of. */
  #withdraw(scope: Scope, { name: barrier, shares }: CountBarrier, turn: Turn): void {
    const { round = 0 } = shares ?? {};
    if (round === 0) return;
    const nothing = { count: 0, expected: 0, waiting: 0, error: 0, hasCome: false, nodes: [] };
    const report = { barrier, round, ...nothing, last: "left" } as const;
    this.#links.sayUp(scope, { kind: "report", counts: [report] }, turn);
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

  /** @param how what has become of the barrier if nobody waits and nothing is asked for. */
  #takeBack(waiter: Waiter, how: LastChange, turn: Turn): void {
    const barrier = barrierOf(waiter);
    const standing = barrier.waiters.size === 1 ? this.#standing(barrier) : undefined;
    this.#remove(waiter, how);
    this.changed(this.#common.scopeOf(barrier), barrier, how, turn, standing);
  }

  /** Where a controller above decides, what it does not know yet is kept apart. */
  #sharesBelow(scope: Scope, barrier: CountBarrier): CountShares | undefined {
    return this.#reports.isBelow(scope) ? sharesOf(barrier) : undefined;
  }

  #standing(barrier: CountBarrier): Standing {
    const expected = barrier.shares?.above?.expected ?? barrier.expected;
    return { expected, missing: this.#common.missing(barrier) };
  }

  #remove(waiter: Waiter, how: LastChange): void {
    const barrier = barrierOf(waiter);
    this.#common.detach(waiter);
    barrier.removeWaiter(waiter, this.#common.limits.namesInReportMax);
    barrier.shares?.left(waiter, how);
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
    this.#tellBelow(scope, barrier, { outcome, reason }, standing, turn);
    scope.counts.delete(barrier.name);
    scope.remember(barrier, { outcome }, this.#common.limits.closedBarriersPerScopeMax);
    this.#common.tellEnd(barrier, waiters, { outcome, reason }, standing, turn);
  }

  /** All parts that have been told of are in it. */
  #tellBelow(
    scope: Scope,
    { name, generation, error, shares }: CountBarrier,
    { outcome, reason = "" }: Ending,
    standing: Standing,
    turn: Turn,
  ): void {
    for (const [child, { round, number: upTo }] of shares?.rows ?? []) {
      const facts = { barrier: name, round, upTo, generation, outcome, error, reason };
      this.#links.sayDown(scope, child, { kind: "count-ended", ...facts, ...standing }, turn);
    }
  }
}

export function sharesOf(barrier: CountBarrier): CountShares {
  barrier.shares ??= new CountShares();
  return barrier.shares;
}

function keyOf({ name }: CountBarrier): string {
  return `count ${name}`;
}

export function open(scope: Scope, name: string, nowUs: number): CountBarrier {
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
