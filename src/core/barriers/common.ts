// SPDX-License-Identifier: MIT
// What the kinds of barriers have in common: arrivals and why they are refused, deadlines and
// warnings of those who wait, and how an ending is told. A kind decides when something ends.
//
//   B2 every waiter gets exactly one outcome; B9 a wait with a deadline ends by it; B10 a long wait
//   is told of once.
import type { BarrierCondition } from "../agenda/commands.ts";
import { assert } from "../assert.ts";
import type { Participant } from "../command.ts";
import type { EdgeState, EdgeTable } from "../edge-table.ts";
import type { BarrierKind, BarrierOutcome, Presence } from "../effect.ts";
import type { Limits } from "../limits.ts";
import { waitTimeoutUsMax } from "../limits.ts";
import type { Refusal } from "../refusal.ts";
import { invalid, overLimit } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { ScopeTable } from "../scope-table.ts";
import { utf8Length } from "../text.ts";
import type { Timers } from "../timers.ts";
import type { Release, Turn } from "../turn.ts";
import { cutsVersion, endReasonsVersion } from "../version.ts";
import type { Place, Waiter } from "./place.ts";
import { recordOf, unhash } from "./place.ts";
import { arrivedNames, listParties, missingNames } from "./report.ts";
import type { Deadline } from "./rules.ts";
import type { TreeLink } from "./tree.ts";

/**
 * What a barrier lacked. Of one that everybody left it is told as it was before they left:
 * afterwards nobody is expected any more, and nobody is missing.
 */
export interface Standing {
  readonly expected: number;
  readonly missing: readonly string[];
}

export interface Ending {
  readonly outcome: BarrierOutcome;
  /** Why, in the words of who ended it. */
  readonly reason?: string | undefined;
  /** For those who waited; the record has it by its participants. */
  readonly presence?: Presence | undefined;
}

/** Told once of each ending (D8). It must not touch barriers. */
export type BarrierEndedListener = (scope: Scope, end: BarrierCondition, turn: Turn) => void;

/** What every arrival says. */
export interface ArrivalFacts {
  readonly barrier: string;
  readonly connection: number;
  readonly who: Participant;
  readonly error: number;
  readonly timeoutUs?: number;
  readonly leadUs?: number;
}

/** What an arrival finds. */
interface Target {
  /** Whether there is a barrier of this name and kind. */
  readonly exists: boolean;
  /** Those who wait where it would wait; undefined for one that does not wait. */
  readonly waiters: number | undefined;
}

export interface CommonParts {
  readonly limits: Limits;
  readonly timers: Timers;
  readonly edges: EdgeTable;
  readonly scopes: ScopeTable;
  readonly onEnded: BarrierEndedListener;
  /** What the log has been raised to (D12). */
  readonly version: () => number;
}

export class Common {
  readonly limits: Limits;
  readonly timers: Timers;
  readonly edges: EdgeTable;
  readonly scopes: ScopeTable;
  readonly version: () => number;
  readonly #onEnded: BarrierEndedListener;

  constructor({ limits, timers, edges, scopes, onEnded, version }: CommonParts) {
    this.limits = limits;
    this.timers = timers;
    this.edges = edges;
    this.scopes = scopes;
    this.version = version;
    this.#onEnded = onEnded;
  }

  /** Whether this log and the one at the other end of a link are both of that version or newer. */
  bothFollow(link: Pick<TreeLink, "speaks"> | undefined, version: number): boolean {
    return Math.min(link?.speaks ?? 0, this.version()) >= version;
  }

  /** A place goes before its scope does. */
  scopeOf(place: Place): Scope {
    const scope = this.scopes.get(place.scope);
    assert(scope !== undefined, "a place has a scope");
    return scope;
  }

  /**
   * Makes a waiter with its deadline and the warning of its place; the kind puts it on the list.
   */
  createWaiter(
    place: Place,
    edge: EdgeState,
    arrival: ArrivalFacts,
    contribution: number,
    nowUs: number,
  ): Waiter {
    const { connection, who, error, timeoutUs, leadUs = 0 } = arrival;
    // Written out, here and in all that is made for each of many: a spread is another object.
    const waiter: Waiter = {
      edge,
      connection,
      barrier: place,
      who,
      error,
      contribution,
      arrivedUs: nowUs,
      leadUs,
      timeoutTimer: 0,
      isHashed: false,
    };
    if (timeoutUs !== undefined) {
      const purpose = { kind: "wait-timeout", edge: edge.name, connection } as const;
      waiter.timeoutTimer = this.timers.set(nowUs + timeoutUs, purpose);
    }
    if (place.warningTimer === 0 && !place.warned) this.#setWarning(place, nowUs);
    edge.waiters.set(connection, waiter);
    this.scopeOf(place).waiters += 1;
    this.onArrival(place, nowUs);
    return waiter;
  }

  /** B2: a connection that is forgotten here cannot be reached by a second outcome. */
  detach(waiter: Waiter): void {
    if (waiter.edge.waiters.delete(waiter.connection)) this.scopeOf(waiter.barrier).waiters -= 1;
    if (waiter.timeoutTimer !== 0) this.timers.clear(waiter.timeoutTimer);
  }

  /** X1. It waits on as it did, for another connection. */
  move(waiter: Waiter, edge: EdgeState, connection: number): void {
    unhash(waiter);
    waiter.edge.waiters.delete(waiter.connection);
    waiter.edge = edge;
    waiter.connection = connection;
    edge.waiters.set(connection, waiter);
    if (waiter.timeoutTimer === 0) return;
    const purpose = { kind: "wait-timeout", edge: edge.name, connection } as const;
    this.timers.replace(waiter.timeoutTimer, purpose);
  }

  /** B10. Said once per place, when the oldest of those who wait *now* has waited that long. */
  warn(place: Place, turn: Turn): void {
    const max = this.limits.namesInReportMax;
    place.warningTimer = 0;
    const [oldest] = place.waiters;
    if (oldest === undefined) return;
    const waitedUs = turn.nowUs - oldest.arrivedUs;
    if (waitedUs < this.limits.warnAfterUs) {
      // Whoever the timer was set for has left since.
      this.#setWarning(place, oldest.arrivedUs);
      return;
    }
    place.warned = true;
    const missing = this.missing(place);
    const { nowUs } = turn;
    turn.observe({
      kind: "wait-warning",
      scope: place.scope,
      barrier: place.name,
      waitedUs,
      arrived: arrivedNames(place, max),
      missing,
      presence: { nowUs, ...listParties(place, place.waiters, missing, max) },
    });
  }

  /** Nobody waits any more: there is nobody to warn of, or to end the wait of. */
  nobodyWaits(place: Place): void {
    this.clearWarning(place);
    if (place.deadline?.since !== "opening" && place.waitingBelow === 0) this.#stopDeadline(place);
  }

  /** Those who stay when others go on are warned of as if they had just come. */
  watchAgain(place: Place): void {
    const [oldest] = place.waiters;
    if (oldest !== undefined && place.warningTimer === 0) this.#setWarning(place, oldest.arrivedUs);
  }

  setDeadline(place: Place, deadline: Deadline, nowUs: number): void {
    this.#stopDeadline(place);
    place.deadline = deadline;
    const waiting = place.waiters.size + place.waitingBelow;
    if (deadline.since === "opening" || waiting > 0) this.#runDeadline(place, nowUs);
  }

  clearDeadline(place: Place): void {
    this.#stopDeadline(place);
    place.deadline = undefined;
  }

  deadlineRefusal(deadline: Deadline | undefined): Refusal | undefined {
    if (deadline === undefined) return undefined;
    const { us } = deadline;
    if (isInteger(us, 0) && us <= waitTimeoutUsMax) return undefined;
    const range = `from 0 to ${waitTimeoutUsMax}`;
    return invalid(`the deadline must be whole microseconds, ${range}, not ${us}`);
  }

  /** Somebody has come, here or below. */
  onArrival(place: Place, nowUs: number): void {
    const { deadline, deadlineTimer } = place;
    if (deadline?.since === "last-arrival") this.#stopDeadline(place);
    else if (deadline?.since !== "first-arrival" || deadlineTimer !== 0) return;
    this.#runDeadline(place, nowUs);
  }

  #runDeadline(place: Place, nowUs: number): void {
    const { scope, name: barrier, kind: barrierKind, part, deadline } = place;
    if (deadline === undefined) return;
    const purpose = { kind: "barrier-deadline", scope, barrier, barrierKind, part } as const;
    place.deadlineTimer = this.timers.set(nowUs + deadline.us, purpose);
  }

  #stopDeadline(place: Place): void {
    if (place.deadlineTimer !== 0) this.timers.clear(place.deadlineTimer);
    place.deadlineTimer = 0;
  }

  /** There is no wait to warn of. */
  clearWarning(place: Place): void {
    if (place.warningTimer !== 0) this.timers.clear(place.warningTimer);
    place.warningTimer = 0;
  }

  /** How the place ended for these, in the words of an effect. */
  releaseOf(place: Place, outcome: BarrierOutcome, reason?: string): Release {
    const { scope, name, kind, part, generation, error } = place;
    return {
      kind: "released",
      scope,
      barrier: name,
      generation,
      outcome,
      error,
      barrierKind: kind,
      ...(hasParts(kind) ? { part } : {}),
      ...(reason === undefined ? {} : { reason }),
    };
  }

  /** B8. What of the reason for an end is remembered for who comes too late. */
  reasonKept(reason: string | undefined): string | undefined {
    return this.version() >= endReasonsVersion ? reason : undefined;
  }

  missing(place: Place): readonly string[] {
    const scope = this.scopeOf(place);
    return missingNames(scope, place, this.limits.namesInReportMax, this.cutsIn(scope));
  }

  /** B10. Of the links of a scope which are cut: what is known of those behind them may be old. */
  cutsIn({ tree }: Scope): (controller: string) => boolean {
    if (this.version() < cutsVersion) return () => false;
    return (name) => {
      const link = tree.get(name);
      return link?.isMet !== true || !this.edges.isThere(link);
    };
  }

  /** B9, B10. One who has waited long enough is told who was there and who was not. */
  tellTimeout(waiter: Waiter, turn: Turn): void {
    const place = waiter.barrier;
    const missing = this.missing(place);
    const { nowUs } = turn;
    const lists = listParties(place, place.waiters, missing, this.limits.namesInReportMax);
    waiter.timeoutTimer = 0;
    const release = this.releaseOf(place, "timeout");
    turn.release([waiter], { ...release, missing, presence: { nowUs, ...lists } });
  }

  /** B2, B3. Tells an ending to everybody it concerns; the waiters were taken off the list. */
  tellEnd(
    place: Place,
    waiters: readonly Waiter[],
    { outcome, reason, presence }: Ending,
    standing: Standing,
    turn: Turn,
  ): void {
    for (const waiter of waiters) this.detach(waiter);
    this.clearWarning(place);
    this.#stopDeadline(place);
    const release = this.releaseOf(place, outcome, reason);
    // Who was too late with the others is told whom they waited for.
    const { missing } = standing;
    const told = presence ?? this.presenceAt(place, waiters, { outcome, missing }, turn);
    turn.release(waiters, {
      ...release,
      ...(outcome === "timeout" ? { missing } : {}),
      ...(told === undefined ? {} : { presence: told }),
      ...goOf(waiters, outcome, turn),
    });
    turn.observe({
      ...release,
      kind: "barrier-closed",
      ...standing,
      closedUs: turn.nowUs,
      participants: [...place.gone, ...waiters.map(recordOf)],
    });
    this.#onEnded(this.scopeOf(place), { barrier: place.name, outcome }, turn);
  }

  /** Who was there and who was not, if the end is one at which that is told. */
  presenceAt(
    place: Place,
    waiters: readonly Waiter[],
    { outcome, missing }: { readonly outcome: BarrierOutcome; readonly missing: readonly string[] },
    { nowUs }: Turn,
  ): Presence | undefined {
    if ((outcome !== "timeout" && outcome !== "failed") || place.kind === "roster")
      return undefined;
    return { nowUs, ...listParties(place, waiters, missing, this.limits.namesInReportMax) };
  }

  /** Why this arrival is refused, if it is. `scope` is undefined when it does not exist yet. */
  refusal(
    scope: Scope | undefined,
    edge: EdgeState,
    command: ArrivalFacts,
    { exists, waiters }: Target,
  ): Refusal | undefined {
    const { limits } = this;
    if (edge.waiters.has(command.connection)) return invalid("this connection waits already");
    if (edge.creators.has(command.connection)) return invalid("this connection is a driver");
    if (command.barrier.length === 0) return invalid("the barrier has no name");
    if (utf8Length(command.barrier) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the barrier's name is too long");
    }
    const { node = "", name = "" } = command.who;
    if (utf8Length(node) > limits.nameBytesMax || utf8Length(name) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the name of the participant or node is too long");
    }
    if (scope && !exists && scope.openBarriers >= limits.barriersPerScopeMax) {
      return overLimit(limits, "barriersPerScopeMax", "too many barriers are open");
    }
    if (waiters !== undefined && waiters >= limits.waitersPerBarrierMax) {
      return overLimit(limits, "waitersPerBarrierMax", "too many parties wait at this barrier");
    }
    const waitsInScope = waiters === undefined ? 0 : (scope?.waiters ?? 0);
    if (waitsInScope >= limits.waitersPerScopeMax) {
      return overLimit(limits, "waitersPerScopeMax", "too many parties wait in this scope");
    }
    const { error, timeoutUs = 0, leadUs = 0 } = command;
    if (!isInteger(error, 0)) return invalid(`error must be an integer, 0 or more, not ${error}`);
    if (!isInteger(timeoutUs, 0) || timeoutUs > waitTimeoutUsMax) {
      const range = `from 0 to ${waitTimeoutUsMax}`;
      return invalid(`the timeout must be whole microseconds, ${range}, not ${timeoutUs}`);
    }
    if (!isInteger(leadUs, 0)) return invalid(`the lead must be whole microseconds, not ${leadUs}`);
    if (leadUs > limits.togetherLeadUsMax) {
      return overLimit(limits, "togetherLeadUsMax", "the lead is too long");
    }
    return undefined;
  }

  #setWarning(place: Place, sinceUs: number): void {
    const { scope, name, kind, part } = place;
    const purpose = {
      kind: "wait-warning",
      scope,
      barrier: name,
      barrierKind: kind,
      part,
    } as const;
    place.warningTimer = this.timers.set(sinceUs + this.limits.warnAfterUs, purpose);
  }
}

/** The instant at which they go on together, on the clock of the log, if any asked for one. */
function goOf(
  waiters: readonly Waiter[],
  outcome: BarrierOutcome,
  { stampUs }: Turn,
): { readonly goUs?: number } {
  if (outcome !== "crossed") return {};
  let leadUs = 0;
  for (const waiter of waiters) if (waiter.leadUs > leadUs) leadUs = waiter.leadUs;
  return leadUs === 0 ? {} : { goUs: stampUs + leadUs };
}

/** Whether one name has more than one place. */
function hasParts(kind: BarrierKind): boolean {
  return kind === "state" || kind === "roster";
}

/** Whether it is an integer that arithmetic keeps exact, and not below `min`. */
export function isInteger(value: number, min: number): boolean {
  return Number.isSafeInteger(value) && value >= min;
}
