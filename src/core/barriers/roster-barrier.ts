// SPDX-License-Identifier: MIT
// Roster: a barrier for participants with names. Each phase of it is complete when every member has
// arrived; then the next begins, until the last. Owns who is a member and how each of them is.
//
//   R1. A phase is complete when each member has arrived in it, and nobody else can.
//   R2. A member waits with one connection at most.
//   R3. A member is dead from the moment that it is known; only an arrival in its name ends that.
import type { RosterMember } from "./commands.ts";
/** One of those who are expected. */
import { PlaceState } from "./place.ts";
import type { RosterRules } from "./rules.ts";

export interface Member {
  readonly name: string;
  readonly group: string | undefined;
  state: "expected" | "arrived" | "dead";
  /** Since when it is so, in log time. */
  sinceUs: number;
  /** Why it is dead. */
  reason: string;
  /** The edge it last came by; "" before that. When it ends, the member is dead. */
  edge: string;
  incarnation: number;
}

/** All who wait in one phase. */
export class RosterPhase extends PlaceState {
  readonly kind = "roster";
  readonly roster: RosterBarrier;
  /** 1 for the first. */
  readonly part: number;
  readonly createdUs: number;

  constructor(roster: RosterBarrier, phase: number, createdUs: number) {
    super();
    this.roster = roster;
    this.part = phase;
    this.createdUs = createdUs;
  }

  get scope(): string {
    return this.roster.scope;
  }

  get name(): string {
    return this.roster.name;
  }

  get generation(): number {
    return this.roster.generation;
  }
}

export class RosterBarrier {
  readonly kind = "roster";
  readonly scope: string;
  readonly name: string;
  readonly generation: number;
  readonly rules: RosterRules;
  readonly members: Map<string, Member> = new Map();
  /** The phase that members arrive in now. */
  phase: RosterPhase;
  /** Of the phase before. */
  lastError = 0;

  constructor(
    place: Pick<PlaceState, "scope" | "name" | "generation" | "createdUs">,
    rules: RosterRules,
    phase = 1,
  ) {
    this.scope = place.scope;
    this.name = place.name;
    this.generation = place.generation;
    this.rules = rules;
    this.phase = new RosterPhase(this, phase, place.createdUs);
  }

  add({ name, group }: RosterMember, nowUs: number): void {
    const nobody = { reason: "", edge: "", incarnation: 0 };
    this.members.set(name, { name, group, state: "expected", sinceUs: nowUs, ...nobody });
  }

  /** R1. */
  isComplete(): boolean {
    return this.members.size > 0 && this.phase.waiters.size === this.members.size;
  }

  /** The next phase, in which everybody who lives is expected. */
  beginPhase(nowUs: number): void {
    this.lastError = this.phase.error;
    this.phase = new RosterPhase(this, this.phase.part + 1, nowUs);
    for (const member of this.members.values()) {
      if (member.state === "arrived") {
        member.state = "expected";
        member.sinceUs = nowUs;
      }
    }
  }

  /** Members that have not arrived, the dead ones among them. */
  *absent(): Iterable<Member> {
    for (const member of this.members.values()) if (member.state !== "arrived") yield member;
  }
}
