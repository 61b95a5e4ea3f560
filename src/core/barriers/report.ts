// SPDX-License-Identifier: MIT
// Who is missing at a barrier, in words (B10). The old clients are anonymous, so the best that can
// be said of them is how many are missing and from which nodes nobody has come.
import { unreachable } from "../assert.ts";
import type { Participant } from "../command.ts";
import type { BarrierDescription, MemberFacts } from "../description.ts";
import type { Presence } from "../effect.ts";
import type { Barrier, Scope } from "../scope.ts";
import type { CountBarrier } from "./count-barrier.ts";
import type { CountShares } from "./count-shares.ts";
import type { RosterMember } from "./orders.ts";
import type { Place, Waiter } from "./place.ts";
import { nameParticipant } from "./place.ts";
import type { QuorumBarrier } from "./quorum-barrier.ts";
import type { Member, RosterBarrier } from "./roster-barrier.ts";
import type { StateCounter } from "./state-counter.ts";

type IsCut = (controller: string) => boolean;

/** Names of those who wait, in order of arrival, at most `max` and then a number. */
export function arrivedNames(barrier: Place, max: number): readonly string[] {
  const names: string[] = [];
  for (const waiter of barrier.waiters) {
    if (names.length === max) {
      names.push(`${barrier.waiters.size - max} more`);
      break;
    }
    names.push(nameParticipant(waiter.who));
  }
  return names;
}

/**
 * Who has not come, an entry each as far as that is known; empty when nobody is missing:
 * `anonymous, from NODE`, `1 anonymous, from one of A, B` where more nodes than parties are
 * missing, `2 more, anonymous` where no node is left to name, `somebody to open it for 2` for waits
 * that nobody has initialised.
 * @param isCut whether the link to a controller is cut; what is known of it may be old
 */
export function missingNames(
  scope: Scope,
  place: Place,
  max: number,
  isCut: IsCut = () => false,
): readonly string[] {
  switch (place.kind) {
    case "count":
      if (place.shares !== undefined && scope.tree.isBelow)
        return missingAbove(scope, place.shares);
      if (place.count < 0) return [`somebody to open it for ${-place.count}`];
      return missingFrom(unseenNodes(scope, nodesOf(place)), place.count, max);
    case "state": {
      const { counter, part: target } = place;
      return missingFrom(unseenNodes(scope, counter.nodes), target - counter.value, max);
    }
    case "quorum":
      return missingAtQuorum(scope, place, max);
    case "roster":
      return missingAtTree(scope, place.roster, max, isCut);
    default:
      return unreachable(place);
  }
}

/** What the controller above has said; until then it is not known here. */
function missingAbove({ tree }: Scope, { above }: CountShares): readonly string[] {
  return above?.missing ?? [`not known yet to the controller above, ${tree.parent?.name ?? ""}`];
}

/** Over the whole tree, when the controller above has said so. */
function missingAtTree(
  { tree }: Scope,
  roster: RosterBarrier,
  max: number,
  isCut: IsCut,
): readonly string[] {
  const { missingAbove, key } = roster;
  if (key === 0 || missingAbove === undefined) return missingOfPart(roster, max, isCut);
  const { name = "" } = tree.parent ?? {};
  if (!isCut(name)) return missingAbove;
  return [...missingAbove, `as ${name} said before its link was cut; not known since`];
}

/** Those of controllers below, too, as they have said it; before, anybody of theirs. */
export function missingOfPart(roster: RosterBarrier, max: number, isCut: IsCut): readonly string[] {
  const { parts } = roster;
  const own = missingAtRoster(roster, max);
  if (parts.size === 0) return own;
  const names = [...own];
  let more = 0;
  for (const [child, { state, members, missing, reason }] of parts) {
    if (state === "complete") continue;
    const dead = state === "lost" ? ` (dead: ${reason})` : "";
    const since = state !== "lost" && isCut(child) ? ", not known since its link was cut" : "";
    for (const name of missing ?? [...members.values()].map((one) => `${nameOf(one)}${dead}`)) {
      if (names.length < max) names.push(`${name}, at ${child}${since}`);
      else more += 1;
    }
  }
  return more === 0 ? names : [...names, `${more} more`];
}

/**
 * What was said of who is missing from a roster, as it holds behind a change: who was added has not
 * come, whatever was said of those of that name before, and nobody waits for who was taken out.
 */
export function missingBehind(
  said: readonly string[],
  { add, remove }: { readonly add: readonly RosterMember[]; readonly remove: readonly string[] },
  max: number,
): readonly string[] {
  const changed = new Set([...add.map(({ name }) => name), ...remove]);
  const kept = said.filter((each) => !changed.has(plainName(each)));
  return [...kept, ...add.map(nameOf)].slice(0, max);
}

/** Of `NAME`, `NAME of GROUP`, `NAME (dead: why)`, `NAME, at CONTROLLER`. */
function plainName(said: string): string {
  return said.replace(/(?: of | \(dead: |, at ).*$/s, "");
}

function nameOf({ name, group }: { readonly name: string; readonly group?: string | undefined }) {
  return group === undefined ? name : `${name} of ${group}`;
}

/** By name: `NAME`, `NAME of GROUP`, `NAME (dead: why)`. */
function missingAtRoster(roster: RosterBarrier, max: number): readonly string[] {
  const names: string[] = [];
  let more = 0;
  for (const { name, group, state, reason } of roster.absent()) {
    const whole = nameOf({ name, group });
    if (names.length === max) more += 1;
    else names.push(state === "dead" ? `${whole} (dead: ${reason})` : whole);
  }
  return more === 0 ? names : [...names, `${more} more`];
}

/** Peers of this controller, and the controllers below that have not reached it. */
function missingAtQuorum(scope: Scope, barrier: QuorumBarrier, max: number): readonly string[] {
  const behind = barrier.behind("reached");
  const controllers = behind.slice(0, max).map((name) => `the sub-controller ${name}`);
  if (behind.length > max) controllers.push(`${behind.length - max} more sub-controllers`);
  const seen = new Set<string>();
  for (const { who } of barrier.waiters) {
    if (who.name !== undefined) seen.add(who.name);
    if (who.node !== undefined) seen.add(who.node);
  }
  const missing = barrier.needed(scope.peers) - barrier.waiters.size;
  const absent = [...scope.peers.names].filter((name) => !seen.has(name));
  return [...missingFrom(absent, missing, max), ...controllers];
}

/** @param unseen the nodes that nobody has come from. @param count how many are missing. */
function missingFrom(unseen: readonly string[], count: number, max: number): readonly string[] {
  if (count <= 0) return [];
  if (unseen.length > count) {
    const more = unseen.length > max ? ` and ${unseen.length - max} more` : "";
    const which = count === 1 ? "one" : String(count);
    const from = `from ${which} of ${unseen.slice(0, max).join(", ")}${more}`;
    return [`${count} anonymous, ${from}`];
  }
  const named = unseen.slice(0, max).map((node) => `anonymous, from ${node}`);
  const rest = count - named.length;
  return rest === 0 ? named : [...named, `${rest} more, anonymous`];
}

/** Those of controllers below, too. */
function nodesOf(barrier: CountBarrier): ReadonlySet<string> {
  const own = nodesAt(barrier);
  if (barrier.shares === undefined) return own;
  const rows = [...barrier.shares.rows.values()];
  return new Set([...own, ...rows.flatMap(({ nodes }) => [...nodes])]);
}

function nodesAt(place: Place): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const { who } of place.waiters) if (who.node !== undefined) seen.add(who.node);
  for (const { who, left } of place.gone) {
    if (!left && who.node !== undefined) seen.add(who.node);
  }
  return seen;
}

function unseenNodes(scope: Scope, seen: ReadonlySet<string>): readonly string[] {
  return scope.nodes.filter((node) => !seen.has(node));
}

export function describeBarrier(scope: Scope, barrier: Barrier, max: number): BarrierDescription {
  switch (barrier.kind) {
    case "count":
      return {
        ...describePlace(scope, barrier, max),
        expected: barrier.shares?.above?.expected ?? barrier.expected,
        count: barrier.shares?.above?.count ?? barrier.count,
        ...(barrier.waitingBelow === 0 ? {} : { arrivedBelow: barrier.waitingBelow }),
      };
    case "state":
      return describeState(scope, barrier, max);
    case "quorum":
      return describeQuorum(scope, barrier, max);
    case "roster":
      return describeRoster(scope, barrier, max);
    default:
      return unreachable(barrier);
  }
}

function describeRoster(scope: Scope, roster: RosterBarrier, max: number): BarrierDescription {
  const { phase, rules } = roster;
  return {
    ...describePlace(scope, phase, max),
    expected: roster.size,
    count: roster.size - phase.waiters.size,
    roster: { phase: phase.part, rules, ...listMembers(roster, max) },
  };
}

/**
 * Who had come to a place, and who had not.
 * @param waiters those who wait there, also when they were taken off its list.
 * @param missing as `missingNames` has it.
 */
export function listParties(
  place: Place,
  waiters: Iterable<Waiter>,
  missing: readonly string[],
  max: number,
): Pick<Presence, "arrived" | "missing" | "dead"> {
  if (place.kind === "roster") return listMembers(place.roster, max);
  const arrived: MemberFacts[] = [];
  for (const { who, arrivedUs } of waiters) {
    if (arrived.length === max) break;
    arrived.push({ name: nameParticipant(who), sinceUs: arrivedUs });
  }
  const sinceUs = place.createdUs;
  return { arrived, missing: missing.map((name) => ({ name, sinceUs })), dead: [] };
}

/** Its members by what they are; each list holds at most `max`. */
export function listMembers(
  { members }: RosterBarrier,
  max: number,
): Pick<Presence, "arrived" | "missing" | "dead"> {
  const lists = { arrived: [], expected: [], dead: [] } as Record<Member["state"], MemberFacts[]>;
  for (const { name, group, state, sinceUs, reason } of members.values()) {
    if (lists[state].length === max) continue;
    const facts = group === undefined ? { name, sinceUs } : { name, group, sinceUs };
    lists[state].push(state === "dead" ? { ...facts, reason } : facts);
  }
  const { arrived, expected: missing, dead } = lists;
  return { arrived, missing, dead };
}

function describeQuorum(scope: Scope, barrier: QuorumBarrier, max: number): BarrierDescription {
  const { quorum, status, children } = barrier;
  const expected = barrier.needed(scope.peers);
  const controllers = [...children].slice(0, max).map(([name, progress]) => ({ name, progress }));
  return {
    ...describePlace(scope, barrier, max),
    expected,
    count: Math.max(0, expected - barrier.waiters.size),
    quorum: { quorum, status, peers: scope.peers.size, controllers },
  };
}

/** Of those who wait for the smallest target, and how many wait for others. */
function describeState(scope: Scope, counter: StateCounter, max: number): BarrierDescription {
  const { value, name, createdUs } = counter;
  const targets = [...counter.targets.values()].sort((a, b) => a.part - b.part);
  const [first] = targets;
  const rows = targets.slice(0, max).map(({ part, waiters }) => ({
    target: part,
    waiting: waiters.size,
  }));
  const facts = { value, targets: rows };
  const idle = {
    kind: "state",
    ...{ scope: scope.name, name, generation: 1, error: 0 },
    ...{ sinceUs: createdUs, waiting: [], missing: [], expected: 0, count: 0 },
  } as const;
  if (first === undefined) return { ...idle, arrived: 0, state: facts };
  return {
    ...describePlace(scope, first, max),
    expected: first.part,
    count: Math.max(0, first.part - value),
    arrived: counter.waiting,
    state: facts,
  };
}

function describePlace(
  scope: Scope,
  place: Place,
  max: number,
): Omit<BarrierDescription, "expected" | "count"> {
  const waiting: { who: Participant; error: number; arrivedUs: number }[] = [];
  for (const { who, error, arrivedUs } of place.waiters) {
    if (waiting.length === max) break;
    waiting.push({ who, error, arrivedUs });
  }
  const { name, kind, generation, error, createdUs } = place;
  return {
    kind,
    ...{ scope: scope.name, name, generation, error, waiting },
    arrived: place.waiters.size,
    sinceUs: createdUs,
    missing: missingNames(scope, place, max),
  };
}
