// SPDX-License-Identifier: MIT
// Rosters over a tree of controllers (D9): each controller knows the members that come to it and
// to those below, says up once that all of them have come, and is told once that all have
// everywhere. Owns what the messages mean; what is said is in roster-parts.ts.
//
//   W6. A part decides nothing: what the rules make of a death or a deadline there, the root does.
//       So nobody is told that a phase has failed which the root has crossed.
//   W7. A controller that is lost is the death of all members of its part, by the roster's rules.
import { unreachable } from "../assert.ts";
import { overLimit } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import { newMembersVersion } from "../version.ts";
import type { Common } from "./common.ts";
import { missingBehind, missingOfPart } from "./report.ts";
import type { RosterKind } from "./roster.ts";
import type { RosterBarrier, RosterPart } from "./roster-barrier.ts";
import { completeOf, type RosterParts } from "./roster-parts.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { RosterDown, RosterNews, RosterUp } from "./tree-messages.ts";
import type { TreeReports } from "./tree-reports.ts";

interface RosterTreeParts {
  readonly common: Common;
  readonly rosters: RosterKind;
  readonly parts: RosterParts;
  readonly links: TreeLinks;
  readonly reports: TreeReports;
}

export class RosterTree {
  readonly #with: RosterTreeParts;

  constructor(parts: RosterTreeParts) {
    this.#with = parts;
  }

  takeFromAbove(scope: Scope, message: RosterDown, turn: Turn): void {
    const { rosters, common } = this.#with;
    const { parent } = scope.tree;
    if (message.kind === "roster-open") {
      this.#open(scope, message, turn);
      return;
    }
    if (message.kind === "roster-dead") {
      rosters.dead(scope, message, turn, "parts");
      return;
    }
    const roster = partOf(scope, message);
    if (roster === undefined) return; // W1
    switch (message.kind) {
      case "roster-change":
        roster.changes += 1;
        // What was said of it before was said of others.
        roster.isReported = false;
        if (roster.missingAbove !== undefined && common.bothFollow(parent, newMembersVersion)) {
          const { namesInReportMax: max } = common.limits;
          roster.missingAbove = missingBehind(roster.missingAbove, message, max);
        }
        rosters.exchange(roster, message, turn);
        return;
      case "roster-crossed":
        if (message.phase === roster.phase.part) rosters.cross(roster, message, turn);
        return;
      case "roster-ended": {
        const { outcome, error, missing } = message;
        const reason = message.reason === "" ? undefined : message.reason;
        rosters.finish(roster, outcome, { error, reason }, turn, missing);
        return;
      }
      default:
        unreachable(message);
    }
  }

  #open(
    scope: Scope,
    message: Extract<RosterDown, { readonly kind: "roster-open" }>,
    turn: Turn,
  ): void {
    const { rosters, links, parts, reports } = this.#with;
    const { barrier, key, members, isWhole } = message;
    const known = partOf(scope, message);
    const refusal = known === undefined ? this.#openRefusal(scope, barrier) : undefined;
    if (refusal !== undefined) {
      const end = { outcome: "failed", reason: refusal } as const;
      links.sayUp(scope, { kind: "roster-failed", barrier, key, ...end }, turn);
      return;
    }
    if (known === undefined) rosters.openPart(scope, message, turn);
    else {
      known.isWhole = isWhole;
      parts.add(known, members, turn);
    }
    const roster = partOf(scope, message);
    if (roster === undefined) return;
    reports.expectNews(scope, turn);
    const refused = parts.refusal(scope, members);
    if (refused !== undefined) rosters.fail(roster, refused.message, turn);
    else this.#advance(roster, turn);
  }

  #openRefusal(scope: Scope, name: string): string | undefined {
    const { limits } = this.#with.common;
    const where = scope.tree.name;
    if (scope.rosters.has(name)) return `a roster ${name} is open already at ${where}`;
    if (scope.openBarriers < limits.barriersPerScopeMax) return undefined;
    const what = `too many barriers are open at ${where}`;
    return overLimit(limits, "barriersPerScopeMax", what).message;
  }

  /** When every controller has its part, whoever opened it is told. */
  #advance(roster: RosterBarrier, turn: Turn): void {
    const { parts, rosters, common } = this.#with;
    const isOpen = ![...roster.parts.values()].some(({ state }) => state === "asked");
    if (isOpen && roster.isWhole && roster.key !== 0) parts.sayOpened(roster, turn);
    const { opener } = roster;
    if (isOpen && opener !== undefined) {
      roster.opener = undefined;
      parts.answer(common.scopeOf(roster.phase), opener, undefined, turn);
    }
    rosters.settle(roster, turn);
  }

  /** M7. What is said of a part when it is said again that it was complete. */
  renewed(scope: Scope, said: Extract<RosterUp, { readonly kind: "roster-complete" }>): RosterUp {
    const { barrier, key, phase } = said;
    const roster = partOf(scope, said);
    const holds = roster?.isReported === true && roster.phase.part === phase;
    return holds ? completeOf(roster) : { kind: "roster-incomplete", barrier, key, phase };
  }

  takeFromBelow(scope: Scope, child: string, message: RosterUp, turn: Turn): void {
    if (message.kind === "roster-news") {
      this.#hearBelow(scope, child, message.rosters);
      return;
    }
    const roster = scope.rosters.get(message.barrier);
    const part = roster?.parts.get(child);
    if (roster === undefined || part?.key !== message.key || part.state === "lost") return; // W1
    const { rosters, reports, parts } = this.#with;
    switch (message.kind) {
      case "roster-opened":
        if (part.state === "asked") part.state = "open";
        reports.expectNews(scope, turn);
        this.#advance(roster, turn);
        return;
      case "roster-complete":
        if (message.phase !== roster.phase.part || message.changes !== part.changes) return;
        if (part.state === "asked") return;
        [part.state, part.size] = ["complete", message.size];
        if (message.error > roster.phase.error) roster.phase.error = message.error;
        if (!rosters.isDeserted(roster, `at ${child}`, turn)) rosters.settle(roster, turn);
        return;
      case "roster-incomplete":
        if (message.phase === roster.phase.part && part.state === "complete") part.state = "open";
        if (roster.key !== 0) rosters.settle(roster, turn);
        return;
      case "roster-failed":
        this.#failed(roster, message, turn);
        return;
      case "roster-left":
        for (const name of message.names) part.members.delete(name);
        part.size = part.members.size;
        if (roster.key !== 0) parts.sayLeft(roster, message.names, turn);
        rosters.isDeserted(roster, `at ${child}`, turn);
        return;
      case "roster-lost":
        this.#lost(roster, child, `the sub-controller ${child}: ${message.reason}`, turn);
        return;
      default:
        unreachable(message);
    }
  }

  /** W6. */
  #failed(
    roster: RosterBarrier,
    { outcome, reason }: Extract<RosterUp, { readonly kind: "roster-failed" }>,
    turn: Turn,
  ): void {
    const { rosters, parts } = this.#with;
    if (roster.key !== 0) parts.sayFailed(roster, { outcome, reason }, turn);
    else if (outcome === "failed") rosters.fail(roster, reason, turn);
    else rosters.expire(roster.phase, turn);
  }

  /** W7. */
  #lost(roster: RosterBarrier, child: string, reason: string, turn: Turn): void {
    const { rosters, common } = this.#with;
    const part = roster.parts.get(child);
    if (part === undefined || part.state === "lost") return;
    const { whenDead } = roster.rules;
    if (whenDead === "fail") {
      const [first] = part.members.keys();
      // It is told as the others are, in case that it lives.
      rosters.fail(roster, first === undefined ? reason : `${first} is dead: ${reason}`, turn);
      return;
    }
    this.#with.parts.tellLost(roster, child, reason, turn);
    [part.state, part.reason] = ["lost", reason];
    if (common.version() >= newMembersVersion) part.missing = undefined;
    if (whenDead === "shrink") {
      roster.parts.delete(child);
      if (rosters.isDeserted(roster, reason, turn)) return;
    }
    this.#advance(roster, turn);
  }

  childLost(scope: Scope, child: string, reason: string, turn: Turn): void {
    for (const roster of [...scope.rosters.values()]) this.#lost(roster, child, reason, turn);
  }

  /** It is there again: of rosters that wait for it, it gets its part anew. */
  childMet(scope: Scope, child: string, turn: Turn): void {
    for (const roster of [...scope.rosters.values()]) {
      const part = roster.parts.get(child);
      if (part?.state !== "lost") continue;
      part.reason = "";
      this.#with.parts.tellOpen(roster, child, turn);
    }
  }

  parentLost(scope: Scope, reason: string, turn: Turn): void {
    const { rosters, parts } = this.#with;
    for (const roster of [...scope.rosters.values()]) {
      if (roster.key === 0) continue;
      // In case that it is lost on this side only.
      parts.sayLost(roster, reason, turn);
      rosters.finish(roster, "failed", { error: 0, reason }, turn);
    }
  }

  /** B10. For each controller below; undefined when there is no part that may need news. */
  tellNews(scope: Scope, turn: Turn): ReadonlyMap<string, readonly RosterNews[]> | undefined {
    const { common, links } = this.#with;
    const isCounted = common.bothFollow(scope.tree.parent, newMembersVersion);
    const down = new Map<string, RosterNews[]>();
    const up: RosterNews[] = [];
    let isAnybody = false;
    const max = common.limits.treeReportMax;
    const isCut = common.cutsIn(scope);
    for (const roster of scope.rosters.values()) {
      const { name: barrier, key } = roster;
      isAnybody ||= key !== 0 || roster.parts.size > 0;
      const missing = missingOfPart(roster, common.limits.namesInReportMax, isCut);
      const { phase, changes } = roster;
      const about = isCounted ? { phase: phase.part, changes } : {};
      const text = JSON.stringify([phase.part, missing, ...(isCounted ? [changes] : [])]);
      if (key !== 0 && roster.told !== text && up.length < max) {
        roster.told = text;
        up.push({ barrier, key, missing, ...about });
      }
      const whole = key === 0 ? missing : roster.missingAbove;
      for (const [child, part] of whole === undefined ? [] : roster.parts) {
        const said = down.get(child) ?? [];
        if (!isNews(part, JSON.stringify([roster.phase.part, whole])) || said.length >= max)
          continue;
        said.push({ barrier, key: part.key, missing: whole ?? [] });
        down.set(child, said);
      }
    }
    if (up.length > 0) links.sayUp(scope, { kind: "roster-news", rosters: up }, turn);
    return isAnybody ? down : undefined;
  }

  hearAbove(scope: Scope, rosters: readonly RosterNews[]): void {
    for (const news of rosters) {
      const roster = partOf(scope, news);
      if (roster !== undefined) roster.missingAbove = news.missing;
    }
  }

  #hearBelow(scope: Scope, child: string, rosters: readonly RosterNews[]): void {
    for (const { barrier, key, missing, phase, changes } of rosters) {
      const roster = scope.rosters.get(barrier);
      const part = roster?.parts.get(child);
      if (roster === undefined || part?.key !== key) continue;
      // It says so anew of the phase and the members that there are now.
      if (phase !== undefined && phase !== roster.phase.part) continue;
      if (changes !== undefined && changes !== part.changes) continue;
      part.missing = missing;
    }
  }
}

function isNews(part: RosterPart, text: string): boolean {
  if (part.state === "lost" || part.told === text) return false;
  part.told = text;
  return true;
}

/** W1. */
function partOf(
  scope: Scope,
  { barrier, key }: { readonly barrier: string; readonly key: number },
): RosterBarrier | undefined {
  const roster = scope.rosters.get(barrier);
  return roster !== undefined && roster.key !== 0 && roster.key === key ? roster : undefined;
}
