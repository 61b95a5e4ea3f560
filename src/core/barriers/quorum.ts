// SPDX-License-Identifier: MIT
// The commands of quorums, and what becomes of them at one controller. [GNUNET-BARRIERS 3, 5, 10]
// What controllers say to each other about them is in quorum-tree.ts.
//
//   B1 nobody goes on before the root has crossed and its driver has answered; B2, B3 one outcome
//   for all; B4 who leaves is uncounted until the barrier has crossed, and changes nothing from
//   then on (D9); B8 a name is free again when its barrier is over, and who comes too late is told
//   how it ended.
import { assert } from "../assert.ts";
import type { EdgeState } from "../edge-table.ts";
import type { BarrierOutcome, QuorumStatus } from "../effect.ts";
import type { Refusal } from "../refusal.ts";
import { invalid } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import { requotesVersion } from "../version.ts";
import type { QuorumChange, QuorumEcho, QuorumInit, QuorumWait } from "./commands.ts";
import type { Common } from "./common.ts";
import { isInteger } from "./common.ts";
import type { Failure, Waiter } from "./place.ts";
import { enlist, strike, takeAll } from "./place.ts";
import type { QuorumCreator } from "./quorum-barrier.ts";
import { QuorumBarrier } from "./quorum-barrier.ts";
import type { Deadline, Quorum } from "./rules.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { QuorumUp } from "./tree-messages.ts";

/** How a quorum ends, and where that was decided. */
export interface QuorumEnd extends Failure {
  readonly outcome: BarrierOutcome;
  /** The controller at which it failed. */
  readonly controller?: string;
  /** It was said by the controller above, and need not be said back. */
  readonly isFromAbove?: boolean;
}

interface QuorumPlan {
  readonly quorum: Quorum;
  readonly creator: QuorumCreator;
  readonly deadline?: Deadline | undefined;
}

export class QuorumKind {
  readonly #common: Common;
  readonly #links: TreeLinks;

  constructor(common: Common, links: TreeLinks) {
    this.#common = common;
    this.#links = links;
  }

  /** An init that `initRefusal` has nothing against. */
  init(scope: Scope, edge: EdgeState, command: QuorumInit, turn: Turn): void {
    const { barrier: name, connection, quorum, echo, deadline } = command;
    const { name: edgeName, incarnation } = edge;
    edge.creators.set(connection, { scope: scope.name, barrier: name });
    const creator = { kind: "driver", edge: edgeName, incarnation, connection, echo } as const;
    this.open(scope, name, { quorum, creator, deadline }, turn);
  }

  /** Makes one and asks every sub-controller to. Its name is free. */
  open(scope: Scope, name: string, { quorum, creator, deadline }: QuorumPlan, turn: Turn): void {
    const generation = scope.nextGeneration("quorum", name);
    const place = { scope: scope.name, name, generation, createdUs: turn.nowUs };
    const barrier = new QuorumBarrier(place, quorum, creator);
    scope.quorums.set(name, barrier);
    // Before it may cross: from then on no deadline takes it back.
    if (deadline !== undefined) this.#common.setDeadline(barrier, deadline, turn.nowUs);
    for (const child of scope.tree.children.keys()) this.askChild(barrier, child, turn);
    this.advance(barrier, turn);
  }

  /** A sub-controller is expected from now on. */
  askChild(barrier: QuorumBarrier, child: string, turn: Turn): void {
    const scope = this.#common.scopeOf(barrier);
    const { name, generation: key, quorum } = barrier;
    barrier.children.set(child, "asked");
    if (barrier.initTimer === 0) {
      const purpose = { kind: "quorum-init", scope: scope.name, barrier: name } as const;
      const dueUs = turn.nowUs + this.#common.limits.quorumInitUs;
      barrier.initTimer = this.#common.timers.set(dueUs, purpose);
    }
    this.#links.sayDown(scope, child, { kind: "init", barrier: name, key, quorum }, turn);
  }

  wait(scope: Scope, edge: EdgeState, command: QuorumWait, turn: Turn): void {
    const barrier = scope.quorums.get(command.barrier);
    if (barrier === undefined) {
      this.#answerLate(scope, edge, command, turn);
      return;
    }
    enlist(barrier, this.#common.createWaiter(barrier, edge, command, 0, turn.nowUs));
    this.advance(barrier, turn);
  }

  /** The driver has answered: whoever waits goes on. */
  echo(scope: Scope | undefined, edge: EdgeState, command: QuorumEcho, turn: Turn): void {
    const { connection } = command;
    const barrier = scope?.quorums.get(command.barrier);
    const refusal = echoRefusal(barrier, edge, command);
    if (refusal === undefined && barrier !== undefined) this.#release(barrier, turn);
    else turn.tell(edge, { kind: "refused", connection, ...(refusal ?? unknown(command.barrier)) });
  }

  change(scope: Scope | undefined, edge: EdgeState, command: QuorumChange, turn: Turn): void {
    const { connection, quorum } = command;
    const barrier = scope?.quorums.get(command.barrier);
    const refusal = quorumRefusal(quorum) ?? changeRefusal(barrier, command.barrier);
    if (refusal !== undefined || barrier === undefined || scope === undefined) {
      turn.tell(edge, { kind: "refused", connection, ...(refusal ?? unknown(command.barrier)) });
      return;
    }
    turn.tell(edge, { kind: "acknowledged", connection });
    this.requote(barrier, quorum, turn);
  }

  /** Another quorum for a barrier that has not crossed, here and below. */
  requote(barrier: QuorumBarrier, quorum: Quorum, turn: Turn): void {
    const scope = this.#common.scopeOf(barrier);
    const { name, generation: key } = barrier;
    barrier.quorum = quorum;
    for (const child of barrier.children.keys()) {
      if (this.#asksAnew(barrier, child)) continue;
      // M10. Both sides have to know of it.
      const link = scope.tree.children.get(child);
      const isCounted = this.#common.bothFollow(link, requotesVersion);
      const counted = isCounted ? { changes: barrier.countChange(child) } : {};
      const facts = { barrier: name, key, quorum, ...counted };
      this.#links.sayDown(scope, child, { kind: "change", ...facts }, turn);
    }
    this.advance(barrier, turn);
  }

  /** M10. Who has never been met has not been asked yet, and is asked for what it is now. */
  #asksAnew(quorumBarrier: QuorumBarrier, child: string): boolean {
    if (this.#common.version() < requotesVersion) return false;
    const link = this.#common.scopeOf(quorumBarrier).tree.children.get(child);
    if (link?.speaks !== 0) return false;
    const { name: barrier, generation: key, quorum } = quorumBarrier;
    return link.revise((message) =>
      message.kind === "init" && message.barrier === barrier && message.key === key
        ? { ...message, quorum }
        : undefined,
    );
  }

  /** B4. */
  leave(waiter: Waiter, turn: Turn): void {
    const barrier = barrierOf(waiter);
    this.#remove(waiter);
    this.advance(barrier, turn);
  }

  leaveTogether(waiters: readonly Waiter[], turn: Turn): void {
    for (const waiter of waiters) this.#remove(waiter);
    for (const barrier of new Set(waiters.map(barrierOf))) this.advance(barrier, turn);
  }

  /** B9. */
  timeOut(waiter: Waiter, turn: Turn): void {
    this.#common.tellTimeout(waiter, turn);
    this.leave(waiter, turn);
  }

  /** The connection that made it is gone. One who need not answer need not be there. */
  driverLost(barrier: QuorumBarrier, turn: Turn): void {
    const { creator } = barrier;
    if (creator.kind !== "driver") return;
    this.#forgetCreator(barrier);
    barrier.creator = { kind: "gone" };
    if (creator.echo === "automatic") return;
    this.finish(barrier, { outcome: "failed", error: 0, reason: "its driver was lost" }, turn);
  }

  /** D9: the driver has been asked and has not answered. */
  echoDue(barrier: QuorumBarrier, turn: Turn): void {
    barrier.echoTimer = 0;
    const reason = `its driver did not answer within ${seconds(this.#common.limits.quorumEchoUs)}`;
    this.finish(barrier, { outcome: "failed", error: 0, reason }, turn);
  }

  /** Not every sub-controller has answered the init. */
  initDue(barrier: QuorumBarrier, turn: Turn): void {
    barrier.initTimer = 0;
    const { limits } = this.#common;
    const names = barrier.behind("initialised");
    const listed = names.slice(0, limits.namesInReportMax).join(", ");
    const reason = `initialisation timed out after ${seconds(limits.quorumInitUs)}: no answer from ${listed}`;
    const controller = names[0] ?? "";
    this.finish(barrier, { outcome: "failed", error: 0, reason, controller }, turn);
  }

  /** Its own deadline. */
  expire(barrier: QuorumBarrier, turn: Turn): void {
    const reason = "its deadline has passed";
    this.finish(barrier, { outcome: "timeout", error: barrier.error, reason }, turn);
  }

  end(barrier: QuorumBarrier, outcome: "cancelled" | "failed", failure: Failure, turn: Turn): void {
    this.finish(barrier, { outcome, ...failure }, turn);
  }

  /** Q3. The number of peers has changed. */
  peersChanged(scope: Scope, turn: Turn): void {
    for (const barrier of [...scope.quorums.values()]) this.advance(barrier, turn);
  }

  /** What follows from the state of the barrier; to be called after each change of it. */
  advance(barrier: QuorumBarrier, turn: Turn): void {
    if (barrier.status === "initialising") {
      if (barrier.behind("initialised").length > 0) return;
      barrier.status = "open";
      this.#tellInitialised(barrier, turn);
    }
    if (barrier.initTimer !== 0 && barrier.behind("initialised").length === 0) {
      this.#common.timers.clear(barrier.initTimer);
      barrier.initTimer = 0;
    }
    if (barrier.status !== "open") return;
    const scope = this.#common.scopeOf(barrier);
    const isReached = barrier.isReached(scope.peers);
    const { creator, name } = barrier;
    if (creator.kind !== "parent") {
      if (isReached) this.#cross(barrier, turn);
    } else if (isReached !== barrier.isReported) {
      barrier.isReported = isReached;
      const about = { barrier: name, key: creator.key };
      this.#links.sayUp(
        scope,
        isReached ? reachedOf(barrier, creator.key) : { kind: "unreached", ...about },
        turn,
      );
    }
  }

  /** The point of no return (D9). */
  #cross(barrier: QuorumBarrier, turn: Turn): void {
    barrier.status = "crossed";
    barrier.crossedError = barrier.error;
    this.#common.clearDeadline(barrier);
    this.#tellDriver(barrier, { status: "crossed", error: barrier.error }, turn);
    const { creator, scope, name } = barrier;
    if (creator.kind !== "driver" || creator.echo === "automatic") {
      this.#release(barrier, turn);
      return;
    }
    const purpose = { kind: "quorum-echo", scope, barrier: name } as const;
    const dueUs = turn.nowUs + this.#common.limits.quorumEchoUs;
    barrier.echoTimer = this.#common.timers.set(dueUs, purpose);
  }

  #release(barrier: QuorumBarrier, turn: Turn): void {
    this.finish(barrier, { outcome: "crossed", error: barrier.crossedError }, turn);
  }

  /** B2. It is over here and below, and above or for the driver, too. */
  finish(barrier: QuorumBarrier, end: QuorumEnd, turn: Turn): void {
    const scope = this.#common.scopeOf(barrier);
    const standing = {
      expected: barrier.needed(scope.peers),
      missing: this.#common.missing(barrier),
    };
    const { outcome, reason } = end;
    for (const timer of [barrier.initTimer, barrier.echoTimer]) {
      if (timer !== 0) this.#common.timers.clear(timer);
    }
    barrier.error = end.error;
    this.#tellTree(scope, barrier, end, turn);
    this.#forgetCreator(barrier);
    scope.quorums.delete(barrier.name);
    const farewell = { outcome, reason: this.#common.reasonKept(reason) };
    scope.remember(barrier, farewell, this.#common.limits.closedBarriersPerScopeMax);
    const waiters = takeAll(barrier);
    const { missing } = standing;
    const presence = this.#common.presenceAt(barrier, waiters, { outcome, missing }, turn);
    this.#common.tellEnd(barrier, waiters, { outcome, reason, presence }, standing, turn);
    const status = outcome === "crossed" ? "released" : outcome;
    const { error, controller } = end;
    const name = controller ?? scope.tree.name;
    const where = outcome === "crossed" || name === "" ? {} : { controller: name };
    const why = reason === undefined ? {} : { reason };
    const who = presence === undefined ? {} : { missing, presence };
    this.#tellDriver(barrier, { status, error, ...why, ...where, ...who }, turn);
  }

  #tellTree(scope: Scope, barrier: QuorumBarrier, end: QuorumEnd, turn: Turn): void {
    const { name, generation, creator } = barrier;
    const { outcome, error, reason = "" } = end;
    const below = { barrier: name, key: generation, error };
    if (outcome === "crossed") {
      for (const child of barrier.children.keys()) {
        this.#links.sayDown(scope, child, { kind: "released", ...below }, turn);
      }
      return;
    }
    const controller = end.controller ?? scope.tree.name;
    const how = { outcome, reason, controller };
    for (const child of barrier.children.keys()) {
      this.#links.sayDown(scope, child, { kind: "ended", ...below, ...how }, turn);
    }
    if (creator.kind !== "parent" || end.isFromAbove === true) return;
    const above = { ...below, key: creator.key };
    this.#links.sayUp(scope, { kind: "failed", ...above, ...how }, turn);
  }

  #tellInitialised({ scope, name, creator, error }: QuorumBarrier, turn: Turn): void {
    const barrier = this.#common.scopes.get(scope)?.quorums.get(name);
    assert(barrier !== undefined, "it has just been made, or has heard from below");
    if (creator.kind === "parent") {
      const message = { kind: "initialised", barrier: name, key: creator.key } as const;
      this.#links.sayUp(this.#common.scopeOf(barrier), message, turn);
    } else this.#tellDriver(barrier, { status: "initialised", error }, turn);
  }

  #tellDriver(
    { creator, scope, name, generation }: QuorumBarrier,
    status: Omit<QuorumStatus, "kind" | "scope" | "barrier" | "generation" | "connection">,
    turn: Turn,
  ): void {
    if (creator.kind !== "driver") return;
    const { edge, incarnation, connection } = creator;
    const facts = { scope, barrier: name, generation, connection };
    turn.tell({ name: edge, incarnation }, { kind: "quorum-status", ...facts, ...status });
  }

  #forgetCreator({ creator }: QuorumBarrier): void {
    if (creator.kind !== "driver") return;
    this.#common.edges.get(creator.edge)?.creators.delete(creator.connection);
  }

  #remove(waiter: Waiter): void {
    const barrier = barrierOf(waiter);
    this.#common.detach(waiter);
    strike(barrier, waiter, this.#common.limits.namesInReportMax);
    if (barrier.waiters.size === 0) this.#common.nobodyWaits(barrier);
  }

  /** Who comes after the end is told how it ended; `waitRefusal` has seen that there is one. */
  #answerLate(scope: Scope, edge: EdgeState, command: QuorumWait, turn: Turn): void {
    const { barrier, connection } = command;
    const record = scope.closedRecord("quorum", barrier);
    assert(record !== undefined, "a wait at a barrier that never was is refused");
    const facts = { kind: "released", scope: scope.name, barrier, barrierKind: "quorum" } as const;
    const { passesLate: _, ...end } = record;
    turn.release([{ edge, connection }], { ...facts, ...end });
  }

  initRefusal(scope: Scope | undefined, edge: EdgeState, command: QuorumInit): Refusal | undefined {
    const { barrier, connection, who, quorum, deadline } = command;
    const exists = scope?.quorums.has(barrier) === true;
    const arrival = { barrier, connection, who, error: 0 };
    const target = { exists, waiters: undefined };
    const refusal =
      this.#common.refusal(scope, edge, arrival, target) ??
      quorumRefusal(quorum) ??
      this.#common.deadlineRefusal(deadline);
    if (refusal !== undefined || !exists) return refusal;
    return invalid(`a barrier ${barrier} is open already; wait for its end, or cancel it`);
  }

  waitRefusal(scope: Scope | undefined, edge: EdgeState, command: QuorumWait): Refusal | undefined {
    const barrier = scope?.quorums.get(command.barrier);
    const target = { exists: true, waiters: barrier?.waiters.size ?? 0 };
    const refusal = this.#common.refusal(scope, edge, command, target);
    if (refusal !== undefined || barrier !== undefined) return refusal;
    const isOver = scope?.closedRecord("quorum", command.barrier) !== undefined;
    return isOver ? undefined : unknown(command.barrier);
  }
}

function unknown(name: string): Refusal {
  return { code: "unknown", message: `no quorum barrier ${name} is open; its driver makes it` };
}

function quorumRefusal(quorum: Quorum): Refusal | undefined {
  if (quorum.kind === "percent") {
    const { percent } = quorum;
    if (isInteger(percent, 0) && percent <= 100) return undefined;
    return invalid(`the percentage must be an integer from 0 to 100, not ${percent}`);
  }
  if (isInteger(quorum.count, 1)) return undefined;
  return invalid(`the count must be an integer, 1 or more, not ${quorum.count}`);
}

function echoRefusal(
  barrier: QuorumBarrier | undefined,
  { name, incarnation }: EdgeState,
  { connection }: QuorumEcho,
): Refusal | undefined {
  if (barrier === undefined) return undefined;
  const { creator, status } = barrier;
  const isDriver =
    creator.kind === "driver" &&
    creator.edge === name &&
    creator.incarnation === incarnation &&
    creator.connection === connection;
  if (!isDriver) return invalid("only who made the barrier lets its waiters go on");
  if (status !== "crossed") return invalid("the barrier has not crossed yet");
  return undefined;
}

function changeRefusal(barrier: QuorumBarrier | undefined, name: string): Refusal | undefined {
  if (barrier === undefined) return unknown(name);
  if (barrier.creator.kind === "parent") return invalid("it was made by the controller above");
  if (barrier.status === "crossed") return invalid("the barrier has crossed");
  return undefined;
}

/** What the controller above is told of one that is reached. */
export function reachedOf(
  { name: barrier, error, changes }: QuorumBarrier,
  key: number,
): Extract<QuorumUp, { readonly kind: "reached" }> {
  const counted = changes === 0 ? {} : { changes };
  return { kind: "reached", barrier, key, error, ...counted };
}

function barrierOf({ barrier }: Waiter): QuorumBarrier {
  assert(barrier.kind === "quorum", "the waiter of another kind");
  return barrier;
}

function seconds(us: number): string {
  return `${us / 1_000_000} s`;
}
