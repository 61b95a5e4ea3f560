// SPDX-License-Identifier: MIT
// The commands of rosters: who arrives, leaves, dies, comes late, and what that does by the rules
// that the roster was opened with.
//
//   B1 nobody goes on before each member has arrived; B2, B3 one outcome for all of a phase; B4 who
//   leaves is expected again; B10 who is missing is known by name, and so is who is dead.
import { assert } from "../assert.ts";
import type { EdgeState } from "../edge-table.ts";
import type { BarrierOutcome, Presence } from "../effect.ts";
import type { Refusal } from "../refusal.ts";
import { invalid } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import { namesGoVersion } from "../version.ts";
import type { RosterArrive } from "./commands.ts";
import type { Common } from "./common.ts";
import type { RosterChange, RosterDead, RosterMember, RosterOpen } from "./orders.ts";
import type { Failure, Waiter } from "./place.ts";
import { enlist, strike, takeAll } from "./place.ts";
import { listMembers } from "./report.ts";
import type { Member, RosterPhase } from "./roster-barrier.ts";
import { RosterBarrier } from "./roster-barrier.ts";
import type { RosterParts } from "./roster-parts.ts";
import { changeRefusal, lateRefusal, membersRefusal, rulesRefusal } from "./roster-refusals.ts";
import type { RosterDown } from "./tree-messages.ts";

type PartOpen = Extract<RosterDown, { readonly kind: "roster-open" }>;
type Dead = Pick<RosterDead, "participant" | "reason" | "unlessArrived">;

export class RosterKind {
  readonly #common: Common;
  readonly #parts: RosterParts;

  constructor(common: Common, parts: RosterParts) {
    this.#common = common;
    this.#parts = parts;
  }

  open(scope: Scope, edge: EdgeState, command: RosterOpen, turn: Turn): void {
    const { barrier: name, members, rules, connection } = command;
    const generation = scope.nextGeneration("roster", name);
    const place = { scope: scope.name, name, generation, createdUs: turn.nowUs };
    const roster = new RosterBarrier(place, rules);
    scope.rosters.set(name, roster);
    this.#parts.add(roster, members, turn);
    this.#startDeadline(roster, turn);
    if (roster.parts.size === 0) {
      turn.tell(edge, { kind: "acknowledged", connection });
      return;
    }
    // When all controllers have their parts: who is told of it comes, and is not refused there.
    const { name: asker, incarnation } = edge;
    roster.opener = { edge: asker, incarnation, connection };
  }

  /** A part of one that was opened at a controller above. */
  openPart(scope: Scope, message: PartOpen, turn: Turn): void {
    const { barrier: name, key, generation, phase, members, rules, isWhole } = message;
    const place = { scope: scope.name, name, generation, createdUs: turn.nowUs };
    const roster = new RosterBarrier(place, rules, phase);
    [roster.key, roster.isWhole] = [key, isWhole];
    scope.rosters.set(name, roster);
    this.#parts.add(roster, members, turn);
    this.#startDeadline(roster, turn);
  }

  arrive(scope: Scope, edge: EdgeState, command: RosterArrive, turn: Turn): void {
    const { barrier: name, connection, who, phase } = command;
    const roster = scope.rosters.get(name);
    if (roster === undefined) {
      this.#answerLate(scope, edge, command, turn);
      return;
    }
    if (phase !== undefined && phase < roster.phase.part && roster.rules.whenLate === "pass") {
      this.#pass(roster, edge, { connection, phase }, turn);
      return;
    }
    const member = roster.members.get(who.name ?? "");
    assert(member !== undefined, "a stranger is refused");
    this.#bind(roster, member, edge);
    setState(member, "arrived", turn.nowUs);
    const waiter = this.#common.createWaiter(roster.phase, edge, command, 0, turn.nowUs);
    enlist(roster.phase, waiter);
    this.settle(roster, turn);
  }

  /** Other members, while people wait. */
  change(scope: Scope | undefined, edge: EdgeState, command: RosterChange, turn: Turn): void {
    const { barrier: name, connection, add, remove } = command;
    const roster = scope?.rosters.get(name);
    const refusal =
      changeRefusal(roster, command, this.#common.limits) ?? this.#partsRefusal(scope, add, roster);
    if (refusal !== undefined || roster === undefined) {
      turn.tell(edge, { kind: "refused", connection, ...(refusal ?? unknown(name)) });
      return;
    }
    turn.tell(edge, { kind: "acknowledged", connection });
    this.exchange(roster, { add, remove }, turn);
  }

  exchange(
    roster: RosterBarrier,
    { add, remove }: Pick<RosterChange, "add" | "remove">,
    turn: Turn,
  ): void {
    for (const gone of remove) {
      if (!this.#parts.remove(roster, gone, turn)) this.#dismiss(roster, gone, turn);
    }
    this.#parts.add(roster, add, turn);
    this.settle(roster, turn);
  }

  /**
   * Somebody knows that a participant is dead, in all rosters of the scope.
   * @param which those that were opened here, or parts of others
   */
  dead(scope: Scope, command: Dead, turn: Turn, which: "own" | "parts" = "own"): void {
    const { participant, reason, unlessArrived } = command;
    for (const roster of [...scope.rosters.values()]) {
      if ((roster.key === 0) !== (which === "own")) continue;
      const dead = { participant, reason, unlessArrived: unlessArrived === true };
      this.#parts.tellDead(scope, roster, dead, turn);
      const member = roster.members.get(participant);
      if (member === undefined || member.state === "dead") continue;
      if (unlessArrived === true && member.state === "arrived") continue;
      const waiter = waiterOf(roster, participant);
      // Whoever speaks for it is told, unless all are.
      if (waiter !== undefined) this.#dropWaiter(roster.phase, waiter, { error: 0, reason }, turn);
      this.#bury(roster, [member], reason, turn);
    }
  }

  /** X1. It has come by the edge that it waits for now. */
  moved(waiter: Waiter): void {
    const { roster } = phaseOf(waiter);
    const member = roster.members.get(waiter.who.name ?? "");
    if (member !== undefined) this.#bind(roster, member, waiter.edge);
  }

  /** X2. It has heard of a phase that is over by this edge, and is expected from there. */
  rejoin(scope: Scope, edge: EdgeState, { barrier, who }: RosterArrive, generation: number): void {
    const roster = scope.rosters.get(barrier);
    const member = roster?.members.get(who.name ?? "");
    if (roster?.phase.generation !== generation || member?.state !== "expected") return;
    this.#bind(roster, member, edge);
  }

  /** B4. It is expected again. */
  leave(waiter: Waiter, turn: Turn): void {
    const { roster } = phaseOf(waiter);
    this.#remove(waiter, turn.nowUs);
    if (roster.phase.waiters.size === 0) this.#common.nobodyWaits(roster.phase);
    if (roster.key !== 0) this.#parts.report(roster, turn);
  }

  /**
   * An edge has ended: whoever came by it last is dead, whether it waits now or not. All at one
   * instant: were they buried one by one, the rest could cross with somebody who is gone (B1).
   */
  edgeEnded(edge: EdgeState, waiters: readonly Waiter[], turn: Turn): void {
    for (const waiter of waiters) this.leave(waiter, turn);
    for (const { scope, barrier } of [...edge.rosters.values()]) {
      const roster = this.#common.scopes.get(scope)?.rosters.get(barrier);
      if (roster === undefined) continue;
      const members = [...roster.members.values()].filter(
        (one) => one.edge === edge.name && one.incarnation === edge.incarnation,
      );
      const living = members.filter(({ state }) => state !== "dead");
      if (living.length > 0) this.#bury(roster, living, "its connection was lost", turn);
    }
    edge.rosters.clear();
  }

  /** B9. */
  timeOut(waiter: Waiter, turn: Turn): void {
    this.#common.tellTimeout(waiter, turn);
    this.leave(waiter, turn);
  }

  /** The deadline of the phase. */
  expire(phase: RosterPhase, turn: Turn): void {
    const { roster } = phase;
    const reason = "its deadline has passed";
    if (roster.key === 0) this.finish(roster, "timeout", { error: phase.error }, turn);
    else this.#parts.sayFailed(roster, { outcome: "timeout", reason }, turn);
  }

  end(roster: RosterBarrier, outcome: "cancelled" | "failed", failure: Failure, turn: Turn): void {
    // A part ends by itself when its scope does; whoever else ends it asks the root to.
    if (roster.key !== 0) this.#parts.sayLost(roster, "its scope has ended there", turn);
    this.finish(roster, outcome, failure, turn);
  }

  openRefusal(scope: Scope | undefined, edge: EdgeState, command: RosterOpen): Refusal | undefined {
    const { barrier, connection, who, members, rules } = command;
    const { limits } = this.#common;
    const exists = scope?.rosters.has(barrier) === true;
    const target = { exists, waiters: undefined };
    const refusal =
      this.#common.refusal(scope, edge, { barrier, connection, who, error: 0 }, target) ??
      membersRefusal(members, limits) ??
      rulesRefusal(rules) ??
      this.#partsRefusal(scope, members, { rules }) ??
      this.#common.deadlineRefusal(rules.deadline);
    if (refusal !== undefined || !exists) return refusal;
    return invalid(`a roster ${barrier} is open already; change it, or end it`);
  }

  arriveRefusal(
    scope: Scope | undefined,
    edge: EdgeState,
    command: RosterArrive,
  ): Refusal | undefined {
    const roster = scope?.rosters.get(command.barrier);
    // A member waits once (R2), so that their number bounds that of the waiters.
    const refusal = this.#common.refusal(scope, edge, command, { exists: true, waiters: 0 });
    if (refusal !== undefined) return refusal;
    const { barrier, who, phase } = command;
    if (roster === undefined) {
      const record = scope?.closedRecord("roster", barrier);
      if (record === undefined) return unknown(barrier);
      return record.passesLate === true ? undefined : lateRefusal(barrier, record);
    }
    const { name } = who;
    if (name === undefined) return invalid("a roster is for participants with names");
    const member = roster.members.get(name);
    if (member === undefined) return invalid(strangerText(roster, name));
    const now = roster.phase.part;
    if (phase !== undefined && phase > now) {
      return invalid(`phase ${phase} of ${barrier} has not begun; it is in phase ${now}`);
    }
    if (phase !== undefined && phase < now) {
      if (roster.rules.whenLate === "pass") return undefined;
      if (roster.rules.whenLate === "refuse") {
        return invalid(`phase ${phase} of ${barrier} is over; it is in phase ${now}`);
      }
    }
    if (member.state === "arrived") return invalid(`${name} has arrived already`);
    return undefined;
  }

  settle(roster: RosterBarrier, turn: Turn): void {
    const { phase, rules, key } = roster;
    if (phase.waiters.size === 0) this.#common.nobodyWaits(phase);
    if (key !== 0) this.#parts.report(roster, turn);
    else if (roster.isComplete()) {
      const isOver = rules.phases !== 0 && phase.part >= rules.phases;
      this.cross(roster, { error: phase.error, isOver }, turn);
    }
  }

  /** The point of no return is behind: whoever waits goes on, here and below (D9). */
  cross(
    roster: RosterBarrier,
    { error, isOver }: { readonly error: number; readonly isOver: boolean },
    turn: Turn,
  ): void {
    const { phase } = roster;
    this.#parts.tellCrossed(roster, { phase: phase.part, error, isOver }, turn);
    if (isOver) {
      this.finish(roster, "crossed", { error }, turn);
      return;
    }
    phase.error = error;
    const waiters = takeAll(phase);
    const standing = { expected: roster.size, missing: [] };
    roster.beginPhase(turn.nowUs);
    this.#common.tellEnd(phase, waiters, { outcome: "crossed" }, standing, turn);
    this.#startDeadline(roster, turn);
    // A part that has lost everybody is complete at once.
    if (roster.key !== 0) this.#parts.report(roster, turn);
  }

  /** They are dead; the rules say what follows. */
  #bury(roster: RosterBarrier, members: readonly Member[], reason: string, turn: Turn): void {
    const { whenDead } = roster.rules;
    for (const member of members) {
      setState(member, "dead", turn.nowUs);
      member.reason = reason;
    }
    const [first] = members;
    if (whenDead === "fail" && first !== undefined) {
      this.fail(roster, `${first.name} is dead: ${reason}`, turn);
      return;
    }
    if (whenDead === "shrink") {
      for (const { name } of members) roster.members.delete(name);
      if (roster.key !== 0)
        this.#parts.sayLeft(
          roster,
          members.map(({ name }) => name),
          turn,
        );
      if (this.isDeserted(roster, reason, turn)) return;
    }
    this.settle(roster, turn);
  }

  /** The rules end it: at once where it was opened, by its root when this is a part. */
  fail(roster: RosterBarrier, reason: string, turn: Turn): void {
    if (roster.key === 0) this.finish(roster, "failed", { error: 0, reason }, turn);
    else this.#parts.sayFailed(roster, { outcome: "failed", reason }, turn);
  }

  /** @returns whether nobody is left of the whole of it, so that it has failed. */
  isDeserted(roster: RosterBarrier, reason: string, turn: Turn): boolean {
    if (roster.key !== 0 || roster.size > 0) return false;
    this.finish(roster, "failed", { error: 0, reason: `nobody is left: ${reason}` }, turn);
    return true;
  }

  /** Not a member any more; if it waits, it is told so. */
  #dismiss(roster: RosterBarrier, name: string, turn: Turn): void {
    const waiter = waiterOf(roster, name);
    const reason = `${name} is not expected any more`;
    if (waiter !== undefined) this.#dropWaiter(roster.phase, waiter, { error: 0, reason }, turn);
    roster.members.delete(name);
  }

  #dropWaiter(phase: RosterPhase, waiter: Waiter, { error, reason }: Failure, turn: Turn): void {
    const release = this.#common.releaseOf(phase, "cancelled", reason);
    turn.release([waiter], { ...release, error });
    this.#remove(waiter, turn.nowUs);
  }

  /** @param known who is missing, as the controller above has said */
  finish(
    roster: RosterBarrier,
    outcome: BarrierOutcome,
    { error, reason }: Failure,
    turn: Turn,
    known?: readonly string[],
  ): void {
    const { phase, members, scope: scopeName, name } = roster;
    const missing = outcome === "crossed" ? [] : (known ?? this.#common.missing(phase));
    if (outcome !== "crossed") {
      this.#parts.tellEnded(roster, { outcome, error, reason: reason ?? "", missing }, turn);
    }
    this.#tellOpener(roster, outcome, reason, turn);
    const isTold = outcome === "timeout" || outcome === "failed";
    const presence = isTold ? this.#presence(roster, turn) : undefined;
    phase.error = error;
    this.#unbind(roster, members.values());
    const scope = this.#common.scopeOf(phase);
    assert(scope.name === scopeName, "B7");
    scope.rosters.delete(name);
    const passesLate = roster.rules.whenLate === "pass";
    const { closedBarriersPerScopeMax } = this.#common.limits;
    const kept = this.#common.reasonKept(reason);
    scope.remember(phase, { outcome, passesLate, reason: kept }, closedBarriersPerScopeMax);
    const standing = { expected: roster.size, missing };
    this.#common.tellEnd(phase, takeAll(phase), { outcome, reason, presence }, standing, turn);
  }

  /** It is over before all controllers had their parts. */
  #tellOpener(
    roster: RosterBarrier,
    outcome: BarrierOutcome,
    reason: string | undefined,
    turn: Turn,
  ): void {
    const { opener, name } = roster;
    if (opener === undefined) return;
    roster.opener = undefined;
    const code = outcome === "cancelled" ? "cancelled" : "failed";
    const message = `${name} has ended (${outcome})${reason === undefined ? "" : `: ${reason}`}`;
    this.#parts.answer(this.#common.scopeOf(roster.phase), opener, { code, message }, turn);
  }

  #partsRefusal(
    scope: Scope | undefined,
    members: readonly RosterMember[],
    roster: Pick<RosterBarrier, "rules"> | undefined,
  ): Refusal | undefined {
    const refusal = this.#parts.refusal(scope, members);
    if (refusal !== undefined || roster?.rules.deadline?.since !== "last-arrival") return refusal;
    if (!members.some(isElsewhere)) return undefined;
    const what = "a deadline since the last arrival is for a roster at one controller";
    return invalid(`${what}; take since opening or first-arrival`);
  }

  #presence(roster: RosterBarrier, { nowUs }: Turn): Presence {
    return { nowUs, ...listMembers(roster, this.#common.limits.namesInReportMax) };
  }

  #remove(waiter: Waiter, nowUs: number): void {
    const phase = phaseOf(waiter);
    this.#common.detach(waiter);
    strike(phase, waiter, this.#common.limits.namesInReportMax);
    const member = phase.roster.members.get(waiter.who.name ?? "");
    if (member?.state === "arrived") setState(member, "expected", nowUs);
  }

  #bind(roster: RosterBarrier, member: Member, edge: EdgeState): void {
    member.edge = edge.name;
    member.incarnation = edge.incarnation;
    edge.rosters.set(keyOf(roster), { scope: roster.scope, barrier: roster.name });
  }

  /** It is over. Who was a member, or came by another edge, may have been bound to any of them. */
  #unbind(roster: RosterBarrier, members: Iterable<Member>): void {
    const { edges, version } = this.#common;
    const key = keyOf(roster);
    if (version() < namesGoVersion) {
      for (const { edge } of members) edges.get(edge)?.rosters.delete(key);
    } else for (const { rosters } of edges.edges.values()) rosters.delete(key);
  }

  #startDeadline(roster: RosterBarrier, turn: Turn): void {
    const { deadline } = roster.rules;
    if (deadline !== undefined) this.#common.setDeadline(roster.phase, deadline, turn.nowUs);
  }

  /** A phase that is over; of the one before, the error is still known. */
  #pass(
    roster: RosterBarrier,
    edge: EdgeState,
    { connection, phase }: { readonly connection: number; readonly phase: number },
    turn: Turn,
  ): void {
    const error = phase === roster.phase.part - 1 ? roster.lastError : 0;
    const release = this.#common.releaseOf(roster.phase, "crossed");
    turn.release([{ edge, connection }], { ...release, part: phase, error });
  }

  #answerLate(scope: Scope, edge: EdgeState, command: RosterArrive, turn: Turn): void {
    const { barrier, connection } = command;
    const record = scope.closedRecord("roster", barrier);
    assert(record !== undefined, "an arrival at a roster that never was is refused");
    const { passesLate: _, ...end } = record;
    const facts = { kind: "released", scope: scope.name, barrier, barrierKind: "roster" } as const;
    turn.release([{ edge, connection }], { ...facts, ...end });
  }
}

function setState(member: Member, state: Member["state"], nowUs: number): void {
  member.state = state;
  member.sinceUs = nowUs;
  member.reason = "";
}

function isElsewhere({ at = "" }: RosterMember): boolean {
  return at.split("/").some((word) => word !== "");
}

function strangerText({ parts, name: barrier }: RosterBarrier, name: string): string {
  for (const [child, { members }] of parts) {
    const { at } = members.get(name) ?? {};
    if (!members.has(name)) continue;
    return `${name} is expected at the controller ${at === undefined ? child : `${child}/${at}`}`;
  }
  return `${name} is not expected at ${barrier}`;
}

function waiterOf(roster: RosterBarrier, name: string): Waiter | undefined {
  for (const waiter of roster.phase.waiters) if (waiter.who.name === name) return waiter;
  return undefined;
}

function phaseOf({ barrier }: Waiter): RosterPhase {
  assert(barrier.kind === "roster", "the waiter of another kind");
  return barrier;
}

function keyOf({ scope, name }: RosterBarrier): string {
  return JSON.stringify([scope, name]);
}

function unknown(name: string): Refusal {
  return { code: "unknown", message: `no roster ${name} is open; its driver opens it` };
}
