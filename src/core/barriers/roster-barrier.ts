// SPDX-License-Identifier: MIT
// Roster: a barrier for participants with names. Each phase of it is complete when every member has
// arrived; then the next begins, until the last. Owns who is a member and how each of them is.
//
//   R1. A phase is complete when each member has arrived in it, and nobody else can; in a tree,
//       when each controller below with a part of it has said so, too.
//   R2. A member waits with one connection at most.
//   R3. A member is dead from the moment that it is known; only an arrival in its name ends that.
import type { RosterMember } from "./orders.ts";
/** One of those who are expected. */
import { PlaceState } from "./place.ts";
import type { RosterRules } from "./rules.ts";
import type { Asker } from "./tree.ts";

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

/** The members that come to a controller below, and to those below it. */
export interface RosterPart {
  /** By which that controller calls it; another one each time that it is told of. */
  key: number;
  /** By name; `at` is a path from that controller on. */
  readonly members: Map<string, RosterMember>;
  /** `asked`: it has not said yet that it has its part. */
  state: "asked" | "open" | "complete" | "lost";
  /** Why it is lost. */
  reason: string;
  /** How many there are, as it has said; those that are dead may be no members any more. */
  size: number;
  /** Changes that were sent to it. */
  changes: number;
  /** Who is missing there, once it has said so. */
  missing: readonly string[] | undefined;
  /** What it was told of who is missing. */
  told: string;
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
  /** By which the controller above knows it; 0 where it was opened. */
  key = 0;
  /** Of controllers below. */
  readonly parts: Map<string, RosterPart> = new Map();
  /** All of its members were told of. */
  isWhole = true;
  /** The controller above was told that this part is complete. */
  isReported = false;
  /** Changes that were taken from above. */
  changes = 0;
  /** Who is to be told when all controllers have their parts. */
  opener: Asker | undefined;
  /** Who is missing over the whole tree, as the controller above has said. */
  missingAbove: readonly string[] | undefined;
  /** What the one above was told of who is missing. */
  told = "";
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
    if (!this.isWhole || this.phase.waiters.size !== this.members.size) return false;
    for (const { state } of this.parts.values()) if (state !== "complete") return false;
    return this.size > 0 || this.key !== 0;
  }

  /** Members, here and below. */
  get size(): number {
    let { size } = this.members;
    for (const part of this.parts.values()) size += part.size;
    return size;
  }

  /** The next phase, in which everybody who lives is expected. */
  beginPhase(nowUs: number): void {
    this.lastError = this.phase.error;
    this.isReported = false;
    this.missingAbove = undefined;
    for (const part of this.parts.values()) {
      if (part.state === "complete") part.state = "open";
      part.missing = undefined;
    }
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
