// SPDX-License-Identifier: MIT
// The parts that a roster has at controllers below: which member is of which, and what is said to
// them and to the controller above. One message down and one up for each of them and phase.
import type { Refusal } from "../refusal.ts";
import { invalid } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import { newMembersVersion, treesVersion } from "../version.ts";
import type { Common } from "./common.ts";
import type { RosterMember } from "./orders.ts";
import { missingBehind } from "./report.ts";
import type { RosterBarrier, RosterPart } from "./roster-barrier.ts";
import type { Asker } from "./tree.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { RosterDown, RosterUp } from "./tree-messages.ts";

/** Members by the controller below that they come to; "" for this one. */
type Split = ReadonlyMap<string, readonly RosterMember[]>;

interface EndFacts {
  readonly outcome: "failed" | "cancelled" | "timeout";
  readonly error: number;
  readonly reason: string;
  readonly missing: readonly string[];
}

export class RosterParts {
  readonly #common: Common;
  readonly #links: TreeLinks;

  constructor(common: Common, links: TreeLinks) {
    this.#common = common;
    this.#links = links;
  }

  /** Why these members cannot be told of at the controllers that they come to. */
  refusal(scope: Scope | undefined, members: readonly RosterMember[]): Refusal | undefined {
    for (const child of split(members).keys()) {
      if (child === "") continue;
      const link = scope?.tree.children.get(child);
      const name = scope?.tree.name ?? "";
      if (link === undefined) {
        return invalid(`no controller ${child} has joined${name === "" ? "" : ` ${name}`}`);
      }
      if (this.#common.bothFollow(link, treesVersion)) continue;
      const why = link.speaks === 0 ? "has not answered yet" : "knows no rosters of a tree";
      return { code: "unavailable", message: `the controller ${child} ${why}` };
    }
    return undefined;
  }

  /** New members: those of this controller are added, others told of. */
  add(roster: RosterBarrier, members: readonly RosterMember[], turn: Turn): void {
    for (const [child, those] of split(members)) {
      if (child === "") {
        for (const member of those) roster.add(member, turn.nowUs);
        continue;
      }
      const known = roster.parts.get(child);
      const part = known ?? newPart();
      for (const member of those) part.members.set(member.name, member);
      part.size += those.length;
      if (known === undefined) {
        roster.parts.set(child, part);
        this.tellOpen(roster, child, turn);
      } else this.#tellChange(roster, child, { add: those, remove: [] }, turn);
    }
  }

  /** @returns whether it was one of a controller below, which is told. */
  remove(roster: RosterBarrier, name: string, turn: Turn): boolean {
    for (const [child, part] of roster.parts) {
      if (!part.members.delete(name)) continue;
      if (part.size > 0) part.size -= 1;
      this.#tellChange(roster, child, { add: [], remove: [name] }, turn);
      return true;
    }
    return false;
  }

  /** All of a part, from the phase that is on. */
  tellOpen(roster: RosterBarrier, child: string, turn: Turn): void {
    const part = roster.parts.get(child);
    if (part === undefined) return;
    const scope = this.#common.scopeOf(roster.phase);
    scope.tree.lastKey += 1;
    [part.key, part.state, part.changes] = [scope.tree.lastKey, "asked", 0];
    const members = [...part.members.values()];
    const { rules: all, generation } = roster;
    // A deadline since the opening is that of the root alone.
    const { deadline, ...rest } = all;
    const rules = deadline?.since === "first-arrival" ? all : rest;
    const { key } = part;
    const about = { barrier: roster.name, key, generation, phase: roster.phase.part, rules };
    const { treeReportMax } = this.#common.limits;
    for (let first = 0; first === 0 || first < members.length; first += treeReportMax) {
      const isWhole = first + treeReportMax >= members.length;
      const some = members.slice(first, first + treeReportMax);
      const facts = { kind: "roster-open", ...about, members: some, isWhole } as const;
      this.#links.sayDown(scope, child, facts, turn);
    }
  }

  tellDead(
    scope: Scope,
    roster: RosterBarrier,
    dead: {
      readonly participant: string;
      readonly reason: string;
      readonly unlessArrived: boolean;
    },
    turn: Turn,
  ): void {
    for (const [child, { members }] of roster.parts) {
      if (!members.has(dead.participant)) continue;
      this.#links.sayDown(scope, child, { kind: "roster-dead", ...dead }, turn);
    }
  }

  tellCrossed(
    roster: RosterBarrier,
    facts: { readonly phase: number; readonly error: number; readonly isOver: boolean },
    turn: Turn,
  ): void {
    this.#sayToAll(roster, (about) => ({ kind: "roster-crossed", ...about, ...facts }), turn);
  }

  tellEnded(roster: RosterBarrier, end: EndFacts, turn: Turn): void {
    this.#sayToAll(roster, (about) => ({ kind: "roster-ended", ...about, ...end }), turn);
  }

  /** One that is lost here may not know it. */
  tellLost(roster: RosterBarrier, child: string, reason: string, turn: Turn): void {
    const scope = this.#common.scopeOf(roster.phase);
    const { key } = roster.parts.get(child) ?? { key: 0 };
    const end = { outcome: "failed", error: 0, reason, missing: [] } as const;
    const message = { kind: "roster-ended", barrier: roster.name, key, ...end } as const;
    this.#links.sayDown(scope, child, message, turn);
  }

  /** To the controller above: everybody of this part has come, or not any more. */
  report(roster: RosterBarrier, turn: Turn): void {
    const isComplete = roster.isComplete();
    if (isComplete === roster.isReported) return;
    roster.isReported = isComplete;
    const scope = this.#common.scopeOf(roster.phase);
    const { name: barrier, key, phase } = roster;
    const incomplete = { kind: "roster-incomplete", barrier, key, phase: phase.part } as const;
    this.#links.sayUp(scope, isComplete ? completeOf(roster) : incomplete, turn);
  }

  /** Who opened it, here or below, is told. */
  answer(
    scope: Scope,
    opener: Asker,
    refusal: Pick<Refusal, "code" | "message"> | undefined,
    turn: Turn,
  ): void {
    this.#links.answer(scope, opener, refusal, turn);
  }

  sayOpened(roster: RosterBarrier, turn: Turn): void {
    const { name: barrier, key } = roster;
    const scope = this.#common.scopeOf(roster.phase);
    this.#links.sayUp(scope, { kind: "roster-opened", barrier, key }, turn);
  }

  sayFailed(
    roster: RosterBarrier,
    end: { readonly outcome: "failed" | "timeout"; readonly reason: string },
    turn: Turn,
  ): void {
    const { name: barrier, key } = roster;
    const scope = this.#common.scopeOf(roster.phase);
    this.#links.sayUp(scope, { kind: "roster-failed", barrier, key, ...end }, turn);
  }

  /** They are dead, and not members any more. */
  sayLeft(roster: RosterBarrier, names: readonly string[], turn: Turn): void {
    const { name: barrier, key } = roster;
    const scope = this.#common.scopeOf(roster.phase);
    this.#links.sayUp(scope, { kind: "roster-left", barrier, key, names }, turn);
  }

  sayLost(roster: RosterBarrier, reason: string, turn: Turn): void {
    const { name: barrier, key } = roster;
    const scope = this.#common.scopeOf(roster.phase);
    this.#links.sayUp(scope, { kind: "roster-lost", barrier, key, reason }, turn);
  }

  #tellChange(
    roster: RosterBarrier,
    child: string,
    change: { readonly add: readonly RosterMember[]; readonly remove: readonly string[] },
    turn: Turn,
  ): void {
    const part = roster.parts.get(child);
    if (part === undefined || part.state === "lost") return;
    part.changes += 1;
    if (part.state === "complete") part.state = "open";
    const scope = this.#common.scopeOf(roster.phase);
    const link = scope.tree.children.get(child);
    // They have not come, whatever was said of the others.
    if (part.missing !== undefined && this.#common.bothFollow(link, newMembersVersion)) {
      part.missing = missingBehind(part.missing, change, this.#common.limits.namesInReportMax);
    }
    const about = { barrier: roster.name, key: part.key };
    const message = { kind: "roster-change", ...about, ...change } as const;
    this.#links.sayDown(scope, child, message, turn);
  }

  #sayToAll(
    roster: RosterBarrier,
    messageOf: (about: { readonly barrier: string; readonly key: number }) => RosterDown,
    turn: Turn,
  ): void {
    const scope = this.#common.scopeOf(roster.phase);
    for (const [child, { state, key }] of roster.parts) {
      if (state === "lost") continue;
      this.#links.sayDown(scope, child, messageOf({ barrier: roster.name, key }), turn);
    }
  }
}

/** What is said of a part of which everybody has come. */
export function completeOf(
  roster: RosterBarrier,
): Extract<RosterUp, { readonly kind: "roster-complete" }> {
  const { name: barrier, key, size, changes } = roster;
  const { part: phase, error } = roster.phase;
  return { kind: "roster-complete", barrier, key, phase, error, size, changes };
}

function newPart(): RosterPart {
  return {
    ...{ key: 0, members: new Map(), state: "asked", reason: "", size: 0, changes: 0 },
    ...{ missing: undefined, told: "" },
  };
}

/** By the first word of their paths, which is taken off. */
function split(members: readonly RosterMember[]): Split {
  const parts = new Map<string, RosterMember[]>();
  for (const { at = "", ...member } of members) {
    const path = at.split("/").filter((word) => word !== "");
    const [child = "", ...rest] = path;
    const there = parts.get(child) ?? [];
    there.push(rest.length === 0 ? member : { ...member, at: rest.join("/") });
    parts.set(child, there);
  }
  return parts;
}

/** Members as the controller above is asked for them: paths from there on. */
export function fromAbove(child: string, members: readonly RosterMember[]): RosterMember[] {
  return members.map((member) => {
    const { at = "" } = member;
    if (at.startsWith("/")) return member;
    return { ...member, at: at === "" ? child : `${child}/${at}` };
  });
}
