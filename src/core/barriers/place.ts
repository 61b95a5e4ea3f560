// SPDX-License-Identifier: MIT
// A place is where parties wait for one outcome: a count barrier, one target of a state, a quorum,
// the phase of a roster. What all kinds share is here: who waits and since when. When a place is
// complete is the business of its kind.
import type { Participant } from "../command.ts";
import { Digest } from "../digest.ts";
import type { EdgeState } from "../edge-table.ts";
import type { BarrierKind, ParticipantRecord } from "../effect.ts";
import type { CountBarrier } from "./count-barrier.ts";
import type { QuorumBarrier } from "./quorum-barrier.ts";
import type { RosterPhase } from "./roster-barrier.ts";
import type { Deadline } from "./rules.ts";
import type { StateTarget } from "./state-counter.ts";

export abstract class PlaceState {
  abstract readonly kind: BarrierKind;
  abstract readonly scope: string;
  abstract readonly name: string;
  abstract readonly generation: number;
  /** The target of a state, the phase of a roster; 0 where there is but one place. */
  abstract readonly part: number;
  abstract readonly createdUs: number;
  /** What everybody who waits is told: the largest error brought (B3). */
  error = 0;
  /** Timer id of the "who is missing" warning, 0 when not set or already given. */
  warningTimer = 0;
  warned = false;
  /** When all of it is over, if nobody has ended it before. */
  deadline: Deadline | undefined;
  /** Timer id of that instant, 0 when it does not run. */
  deadlineTimer = 0;
  /** In order of arrival. */
  readonly waiters: Set<Waiter> = new Set();
  /** Those who wait at controllers below. */
  waitingBelow = 0;
  /** Of those who wait and are hashed (`digestOf`). */
  readonly hashed: Digest = new Digest();
  /** Parties for the record that do not wait any more, or never did; the oldest dropped. */
  readonly gone: ParticipantRecord[] = [];
}

/** How a place is found. */
export type PlaceKey = Pick<PlaceState, "kind" | "name" | "part">;

/** One connection that waits. */
export interface Waiter {
  /** Who asks for it; one with a key may move (X1). */
  edge: EdgeState;
  connection: number;
  readonly barrier: Place;
  readonly who: Participant;
  readonly error: number;
  /** What its leaving takes from a count: -1 for a wait, n for a waiting init of n; else 0. */
  readonly contribution: number;
  readonly arrivedUs: number;
  /** What it takes to tell it, 0 for one that goes on when it hears of it. */
  readonly leadUs: number;
  /** Timer id of its deadline, 0 for none. */
  timeoutTimer: number;
  /** Whether it is in the digest of its place. */
  isHashed: boolean;
}

/** The places there are, by kind. */
export type Place = CountBarrier | StateTarget | QuorumBarrier | RosterPhase;

/** How somebody ended a barrier for everybody. */
export interface Failure {
  readonly error: number;
  readonly reason?: string | undefined;
}

/** Puts a party on the list of a place. */
export function enlist(place: Place, waiter: Waiter): void {
  if (waiter.error > place.error) place.error = waiter.error;
  place.waiters.add(waiter);
}

/**
 * Of those who wait (D11). A party is hashed when a digest is asked for, and then once: most of
 * them have gone before, and the hash is the costliest part of an arrival.
 */
export function digestOf(place: Place): Digest {
  for (const waiter of place.waiters) {
    if (waiter.isHashed) continue;
    waiter.isHashed = true;
    place.hashed.addRow(describeWaiter(waiter), 1);
  }
  return place.hashed;
}

/** Takes a party off the list. @returns false when it was not on it. */
export function strike(place: Place, waiter: Waiter, goneMax: number): boolean {
  if (!place.waiters.delete(waiter)) return false;
  unhash(waiter);
  recordGone(place, { who: waiter.who, arrivedUs: waiter.arrivedUs, left: true }, goneMax);
  return true;
}

/** Before what is hashed of it changes. */
export function unhash(waiter: Waiter): void {
  if (waiter.isHashed) waiter.barrier.hashed.addRow(describeWaiter(waiter), -1);
  waiter.isHashed = false;
}

/** Takes off one who goes on while others stay. */
export function release(place: Place, waiter: Waiter): void {
  place.waiters.delete(waiter);
  if (waiter.isHashed) place.hashed.addRow(describeWaiter(waiter), -1);
}

/**
 * Everybody who waits, in order of arrival; nobody does afterwards. A place that released its
 * waiters is over, so that its digest is not followed any more.
 */
export function takeAll(place: Place): readonly Waiter[] {
  const released = [...place.waiters];
  place.waiters.clear();
  return released;
}

export function recordGone(place: Place, record: ParticipantRecord, goneMax: number): void {
  if (place.gone.length >= goneMax) place.gone.shift();
  place.gone.push(record);
}

export function recordOf(waiter: Waiter): ParticipantRecord {
  return { who: waiter.who, arrivedUs: waiter.arrivedUs, left: false };
}

function describeWaiter(waiter: Waiter): string {
  const { edge, connection, contribution, error, arrivedUs, leadUs } = waiter;
  const lead = leadUs === 0 ? "" : ` ${leadUs}`;
  return `${edge.name} ${connection} ${contribution} ${error} ${arrivedUs}${lead}`;
}

/** How a party is named to people: its own name, or the little that is known (B10). */
export function nameParticipant(who: Participant): string {
  if (who.name !== undefined) return who.name;
  return `anonymous, from ${who.node ?? who.address}`;
}
