// SPDX-License-Identifier: MIT
// The barrier commands: what an arrival, a leave, a deadline and a cancel do to the barriers of a
// scope. Owns the link between connections and the barriers they wait at.
//
//   B1 nobody is released before the condition holds; B2 every waiter gets exactly one outcome;
//   B3 one error for all; B4 who leaves is uncounted, and a leave that completes releases the rest;
//   B5 an initialised count outlives its waiters; B9 a wait with a deadline ends by it.
import type { ErrorCode } from "./code.ts";
import type { CancelAll, CountInit, CountWait } from "./command.ts";
import type { CountBarrier, Waiter } from "./count-barrier.ts";
import type { EdgeState } from "./edge-table.ts";
import type { BarrierOutcome, ParticipantRecord } from "./effect.ts";
import type { Limits } from "./limits.ts";
import { barrierCountMax, limitMessage } from "./limits.ts";
import { arrivedNames, missingNames } from "./report.ts";
import type { Scope } from "./scope.ts";
import { utf8Length } from "./text.ts";
import type { Timers } from "./timers.ts";
import type { Turn } from "./turn.ts";

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

export class Barriers {
  readonly #limits: Limits;
  readonly #timers: Timers;

  constructor(limits: Limits, timers: Timers) {
    this.#limits = limits;
    this.#timers = timers;
  }

  /** An init or a wait. [EMULAB-SYNC 3] */
  arrive(scope: Scope, edge: EdgeState, command: CountInit | CountWait, turn: Turn): void {
    const known = scope.barriers.get(command.barrier);
    const refusal = this.#refusal(scope, known, edge, command);
    if (refusal !== undefined) {
      turn.tell(edge, { kind: "refused", connection: command.connection, ...refusal });
      return;
    }
    const barrier = known ?? scope.open(command.barrier, turn.nowUs);
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
    const { barrier } = waiter;
    this.#detach(waiter);
    barrier.removeWaiter(waiter, this.#limits.namesInReportMax);
    if (!barrier.isComplete()) return;
    // Nobody left and nothing initialised: the barrier is as if it had never been asked for.
    this.#end(scope, barrier, barrier.waiters.size > 0 ? "crossed" : "cancelled", turn);
  }

  /** B9. The deadline of one wait: it is taken back and told who was missing. */
  timeOut(scope: Scope, waiter: Waiter, turn: Turn): void {
    const { barrier } = waiter;
    const missing = missingNames(scope, barrier, this.#limits.namesInReportMax);
    waiter.timeoutTimer = 0;
    turn.release([waiter], { ...this.#release(scope, barrier, "timeout"), missing });
    this.leave(scope, waiter, turn);
  }

  /** B10. Said once per barrier. */
  warn(scope: Scope, barrier: CountBarrier, turn: Turn): void {
    const max = this.#limits.namesInReportMax;
    barrier.warningTimer = 0;
    barrier.warned = true;
    turn.observe({
      kind: "wait-warning",
      scope: scope.name,
      barrier: barrier.name,
      waitedUs: this.#limits.warnAfterUs,
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
    if (barrier.warningTimer === 0 && !barrier.warned) {
      const purpose = {
        kind: "wait-warning",
        scope: barrier.scope,
        barrier: barrier.name,
      } as const;
      barrier.warningTimer = this.#timers.set(nowUs + this.#limits.warnAfterUs, purpose);
    }
    edge.waiters.set(connection, waiter);
    barrier.addWaiter(waiter);
  }

  /** B2: the connections are forgotten here, so that a second outcome cannot reach them. */
  #end(scope: Scope, barrier: CountBarrier, outcome: BarrierOutcome, turn: Turn): void {
    const max = this.#limits.namesInReportMax;
    const missing = missingNames(scope, barrier, max);
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
      expected: barrier.expected,
      closedUs: turn.nowUs,
      participants: [...barrier.gone, ...waiters.map(recordOf)],
      missing,
    });
  }

  #release(scope: Scope, barrier: CountBarrier, outcome: BarrierOutcome) {
    const { name, generation, error } = barrier;
    return { scope: scope.name, barrier: name, generation, outcome, error };
  }

  #detach(waiter: Waiter): void {
    waiter.edge.waiters.delete(waiter.connection);
    if (waiter.timeoutTimer !== 0) this.#timers.clear(waiter.timeoutTimer);
  }

  #refusal(
    scope: Scope,
    barrier: CountBarrier | undefined,
    edge: EdgeState,
    command: CountInit | CountWait,
  ): Refusal | undefined {
    const limits = this.#limits;
    if (edge.waiters.has(command.connection)) {
      return { code: "invalid", message: "this connection waits already" };
    }
    if (command.barrier.length === 0 || utf8Length(command.barrier) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the barrier's name is empty or too long");
    }
    if (barrier === undefined && scope.barriers.size >= limits.barriersPerScopeMax) {
      return overLimit(limits, "barriersPerScopeMax", "too many barriers are open");
    }
    if (barrier !== undefined && barrier.waiters.size >= limits.waitersPerBarrierMax) {
      return overLimit(limits, "waitersPerBarrierMax", "too many parties wait at this barrier");
    }
    if (!isInteger(command.error, 0) || (command.timeoutUs ?? 0) < 0) {
      return { code: "invalid", message: "error and timeout must be 0 or more" };
    }
    return command.kind === "count-init" ? countRefusal(barrier, command.count) : undefined;
  }
}

function countRefusal(barrier: CountBarrier | undefined, count: number): Refusal | undefined {
  if (!isInteger(count, 0) || count > barrierCountMax) {
    return {
      code: "invalid",
      message: `the count must be from 0 to ${barrierCountMax}, not ${count}`,
    };
  }
  if (barrier !== undefined && !barrier.canAdd(count)) {
    return { code: "invalid", message: `the sum of the counts would pass ${barrierCountMax}` };
  }
  return undefined;
}

function overLimit(limits: Limits, name: keyof Limits, what: string): Refusal {
  return { code: "limit", message: `${what}: ${limitMessage(limits, name)}` };
}

function isInteger(value: number, min: number): boolean {
  return Number.isSafeInteger(value) && value >= min;
}

function recordOf(waiter: Waiter): ParticipantRecord {
  return { who: waiter.who, arrivedUs: waiter.arrivedUs, left: false };
}
