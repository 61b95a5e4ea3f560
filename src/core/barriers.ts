// SPDX-License-Identifier: MIT
// The barrier commands: what an arrival, a leave, a deadline and a cancel do to the barriers of a
// scope. Owns the link between connections and the barriers they wait at.
//
//   B1 nobody is released before the condition holds; B2 every waiter gets exactly one outcome;
//   B3 one error for all; B4 who leaves is uncounted, and a leave that completes releases the rest;
//   B5 an initialised count outlives its waiters; B9 a wait with a deadline ends by it.
import type { BarrierCondition } from "./agenda/commands.ts";
import type { CancelAll, CancelBarrier, CountInit, CountWait } from "./command.ts";
import type { CountBarrier, Waiter } from "./count-barrier.ts";
import type { EdgeState } from "./edge-table.ts";
import type { BarrierOutcome, ParticipantRecord } from "./effect.ts";
import type { Limits } from "./limits.ts";
import { barrierCountMax, waitTimeoutUsMax } from "./limits.ts";
import type { Refusal } from "./refusal.ts";
import { invalid, overLimit } from "./refusal.ts";
import { arrivedNames, missingNames } from "./report.ts";
import type { Scope } from "./scope.ts";
import { utf8Length } from "./text.ts";
import type { Timers } from "./timers.ts";
import type { Turn } from "./turn.ts";

/**
 * What a barrier lacked. Of one that everybody left it is told as it was before they left:
 * afterwards nobody is expected any more, and nobody is missing.
 */
interface Standing {
  readonly expected: number;
  readonly missing: readonly string[];
}

/** Told once of each generation, when it has ended (D8). It must not touch barriers. */
export type BarrierEndedListener = (scope: Scope, end: BarrierCondition, turn: Turn) => void;

export class Barriers {
  readonly #limits: Limits;
  readonly #timers: Timers;
  readonly #onEnded: BarrierEndedListener;

  constructor(limits: Limits, timers: Timers, onEnded: BarrierEndedListener) {
    this.#limits = limits;
    this.#timers = timers;
    this.#onEnded = onEnded;
  }

  /** An init or a wait that `refusal` has nothing against. [EMULAB-SYNC 3] */
  arrive(scope: Scope, edge: EdgeState, command: CountInit | CountWait, turn: Turn): void {
    const barrier = scope.barriers.get(command.barrier) ?? scope.open(command.barrier, turn.nowUs);
    if (command.kind === "count-init" && !command.waits) {
      barrier.addInit(command.count, command.who, turn.nowUs, this.#limits.namesInReportMax);
      turn.tell(edge, { kind: "acknowledged", connection: command.connection });
    } else {
      this.#wait(barrier, edge, command, turn.nowUs);
    }
    if (barrier.isComplete()) this.#end(scope, barrier, "crossed", turn);
  }

  /** B4. A connection that waits nowhere is ignored: it was released before it left. */
  leave(scope: Scope, waiter: Waiter, turn: Turn): void {
    this.#takeBack(scope, waiter, "cancelled", turn);
  }

  /**
   * B4 for all parties of an edge that ended. They leave at one instant: were they taken back one
   * by one, a barrier could cross in between on the count of somebody who is gone as well (B1).
   */
  leaveTogether(scopes: ReadonlyMap<string, Scope>, waiters: readonly Waiter[], turn: Turn): void {
    const barriers = new Set(waiters.map((waiter) => waiter.barrier));
    const standings = new Map<CountBarrier, Standing>();
    for (const barrier of barriers) {
      const scope = scopes.get(barrier.scope);
      if (scope !== undefined) standings.set(barrier, this.#standing(scope, barrier));
    }
    for (const waiter of waiters) this.#remove(waiter);
    for (const [barrier, standing] of standings) {
      const scope = scopes.get(barrier.scope);
      if (scope !== undefined) this.#settle(scope, barrier, "cancelled", turn, standing);
    }
  }

  /** B9. The deadline of one wait: it is taken back and told who was missing. */
  timeOut(scope: Scope, waiter: Waiter, turn: Turn): void {
    const { barrier } = waiter;
    const missing = missingNames(scope, barrier, this.#limits.namesInReportMax);
    waiter.timeoutTimer = 0;
    turn.release([waiter], { ...this.#release(scope, barrier, "timeout"), missing });
    this.#takeBack(scope, waiter, "timeout", turn);
  }

  /** B10. Said once per barrier, when the oldest of those who wait *now* has waited that long. */
  warn(scope: Scope, barrier: CountBarrier, turn: Turn): void {
    const max = this.#limits.namesInReportMax;
    barrier.warningTimer = 0;
    const [oldest] = barrier.waiters;
    if (oldest === undefined) return;
    const waitedUs = turn.nowUs - oldest.arrivedUs;
    if (waitedUs < this.#limits.warnAfterUs) {
      // Whoever the timer was set for has left since.
      this.#setWarning(barrier, oldest.arrivedUs);
      return;
    }
    barrier.warned = true;
    turn.observe({
      kind: "wait-warning",
      scope: scope.name,
      barrier: barrier.name,
      waitedUs,
      arrived: arrivedNames(barrier, max),
      missing: missingNames(scope, barrier, max),
    });
  }

  /** Ends every barrier of the scope for everybody. [EMULAB-SYNC 1 HUP] */
  cancelAll(scope: Scope, command: Pick<CancelAll, "error">, turn: Turn): void {
    for (const barrier of [...scope.barriers.values()]) {
      barrier.error = command.error;
      this.#end(scope, barrier, "cancelled", turn);
    }
  }

  /** Ends one barrier for everybody; one that is not open stays as it is. */
  cancel(scope: Scope, command: CancelBarrier, turn: Turn): void {
    const barrier = scope.barriers.get(command.barrier);
    if (barrier === undefined) return;
    barrier.error = command.error;
    this.#end(scope, barrier, "cancelled", turn);
  }

  #wait(
    barrier: CountBarrier,
    edge: EdgeState,
    command: CountInit | CountWait,
    nowUs: number,
  ): void {
    const { connection, who, error, timeoutUs } = command;
    const waiter: Waiter = {
      edge,
      connection,
      barrier,
      who,
      error,
      contribution: command.kind === "count-init" ? command.count : -1,
      arrivedUs: nowUs,
      timeoutTimer: 0,
    };
    if (timeoutUs !== undefined) {
      const purpose = { kind: "wait-timeout", edge: edge.name, connection } as const;
      waiter.timeoutTimer = this.#timers.set(nowUs + timeoutUs, purpose);
    }
    if (barrier.warningTimer === 0 && !barrier.warned) this.#setWarning(barrier, nowUs);
    edge.waiters.set(connection, waiter);
    barrier.addWaiter(waiter);
  }

  #setWarning(barrier: CountBarrier, sinceUs: number): void {
    const { scope, name } = barrier;
    const purpose = { kind: "wait-warning", scope, barrier: name } as const;
    barrier.warningTimer = this.#timers.set(sinceUs + this.#limits.warnAfterUs, purpose);
  }

  /** @param emptied what has become of the barrier if nobody waits and nothing is asked for. */
  #takeBack(scope: Scope, waiter: Waiter, emptied: BarrierOutcome, turn: Turn): void {
    const { barrier } = waiter;
    const standing = barrier.waiters.size === 1 ? this.#standing(scope, barrier) : undefined;
    this.#remove(waiter);
    this.#settle(scope, barrier, emptied, turn, standing);
  }

  #standing(scope: Scope, barrier: CountBarrier): Standing {
    const missing = missingNames(scope, barrier, this.#limits.namesInReportMax);
    return { expected: barrier.expected, missing };
  }

  #remove(waiter: Waiter): void {
    this.#detach(waiter);
    waiter.barrier.removeWaiter(waiter, this.#limits.namesInReportMax);
  }

  /** After parties left: the rest may have become complete. */
  #settle(
    scope: Scope,
    barrier: CountBarrier,
    emptied: BarrierOutcome,
    turn: Turn,
    before: Standing | undefined,
  ): void {
    if (barrier.isComplete()) {
      if (barrier.waiters.size > 0) this.#end(scope, barrier, "crossed", turn);
      else this.#end(scope, barrier, emptied, turn, before);
    } else if (barrier.waiters.size === 0 && barrier.warningTimer !== 0) {
      // B5 keeps the barrier, but nobody waits at it: there is no wait to warn of.
      this.#timers.clear(barrier.warningTimer);
      barrier.warningTimer = 0;
    }
  }

  /** B2: the connections are forgotten here, so that a second outcome cannot reach them. */
  #end(
    scope: Scope,
    barrier: CountBarrier,
    outcome: BarrierOutcome,
    turn: Turn,
    standing: Standing = this.#standing(scope, barrier),
  ): void {
    const waiters = barrier.release();
    for (const waiter of waiters) this.#detach(waiter);
    if (barrier.warningTimer !== 0) this.#timers.clear(barrier.warningTimer);
    scope.close(barrier, outcome, this.#limits.closedBarriersPerScopeMax);
    const release = this.#release(scope, barrier, outcome);
    turn.release(waiters, release);
    turn.observe({
      kind: "barrier-closed",
      ...release,
      barrierKind: "count",
      ...standing,
      closedUs: turn.nowUs,
      participants: [...barrier.gone, ...waiters.map(recordOf)],
    });
    this.#onEnded(scope, { barrier: barrier.name, outcome }, turn);
  }

  #release(scope: Scope, barrier: CountBarrier, outcome: BarrierOutcome) {
    const { name, generation, error } = barrier;
    return { scope: scope.name, barrier: name, generation, outcome, error };
  }

  #detach(waiter: Waiter): void {
    waiter.edge.waiters.delete(waiter.connection);
    if (waiter.timeoutTimer !== 0) this.#timers.clear(waiter.timeoutTimer);
  }

  /** Why this arrival is refused, if it is. `scope` is undefined when it does not exist yet. */
  refusal(
    scope: Scope | undefined,
    edge: EdgeState,
    command: CountInit | CountWait,
  ): Refusal | undefined {
    const limits = this.#limits;
    const barrier = scope?.barriers.get(command.barrier);
    if (edge.waiters.has(command.connection)) return invalid("this connection waits already");
    if (command.barrier.length === 0) return invalid("the barrier has no name");
    if (utf8Length(command.barrier) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the barrier's name is too long");
    }
    const { node = "", name = "" } = command.who;
    if (utf8Length(node) > limits.nameBytesMax || utf8Length(name) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the name of the participant or node is too long");
    }
    if (scope && !barrier && scope.barriers.size >= limits.barriersPerScopeMax) {
      return overLimit(limits, "barriersPerScopeMax", "too many barriers are open");
    }
    // One who does not wait takes no place, and may be the one the full barrier is waiting for.
    const stays = command.kind === "count-wait" || command.waits;
    if (stays && barrier && barrier.waiters.size >= limits.waitersPerBarrierMax) {
      return overLimit(limits, "waitersPerBarrierMax", "too many parties wait at this barrier");
    }
    const { error, timeoutUs = 0 } = command;
    if (!isInteger(error, 0)) return invalid(`error must be an integer, 0 or more, not ${error}`);
    if (!isInteger(timeoutUs, 0) || timeoutUs > waitTimeoutUsMax) {
      const range = `from 0 to ${waitTimeoutUsMax}`;
      return invalid(`the timeout must be whole microseconds, ${range}, not ${timeoutUs}`);
    }
    return command.kind === "count-init" ? countRefusal(barrier, command.count) : undefined;
  }
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

function isInteger(value: number, min: number): boolean {
  return Number.isSafeInteger(value) && value >= min;
}

function recordOf(waiter: Waiter): ParticipantRecord {
  return { who: waiter.who, arrivedUs: waiter.arrivedUs, left: false };
}
