// SPDX-License-Identifier: MIT
// Why a roster is not opened or changed as somebody wants it.
import type { Limits } from "../limits.ts";
import type { Refusal } from "../refusal.ts";
import { invalid, overLimit } from "../refusal.ts";
import type { ClosedBarrier } from "../scope.ts";
import { utf8Length } from "../text.ts";
import { isInteger } from "./common.ts";
import type { RosterChange, RosterMember } from "./orders.ts";
import type { RosterBarrier } from "./roster-barrier.ts";
import type { RosterRules } from "./rules.ts";

export function membersRefusal(
  members: readonly RosterMember[],
  limits: Limits,
): Refusal | undefined {
  if (members.length === 0) return invalid("a roster has members");
  return namesRefusal(members, new Set(), limits);
}

export function rulesRefusal({ phases }: RosterRules): Refusal | undefined {
  if (isInteger(phases, 0)) return undefined;
  return invalid(`the number of phases must be an integer, 0 or more, not ${phases}`);
}

export function changeRefusal(
  roster: RosterBarrier | undefined,
  { add, remove }: RosterChange,
  limits: Limits,
): Refusal | undefined {
  if (roster === undefined) return undefined;
  const names = new Set(roster.members.keys());
  for (const { members } of roster.parts.values())
    for (const name of members.keys()) names.add(name);
  for (const name of remove) {
    if (!names.delete(name)) return invalid(`${name} is not expected at ${roster.name}`);
  }
  if (names.size + add.length === 0) return invalid("a roster has members; cancel it instead");
  return namesRefusal(add, names, limits);
}

export function lateRefusal(name: string, { outcome, reason }: ClosedBarrier): Refusal {
  const why = reason === undefined ? "" : `: ${reason}`;
  return { code: "unknown", message: `the roster ${name} is over (${outcome})${why}` };
}

/** @param names those there are already; those of `members` are added. */
function namesRefusal(
  members: readonly RosterMember[],
  names: Set<string>,
  limits: Limits,
): Refusal | undefined {
  if (names.size + members.length > limits.membersPerRosterMax) {
    return overLimit(limits, "membersPerRosterMax", "too many members");
  }
  for (const { name, group = "" } of members) {
    if (name === "") return invalid("a member has a name");
    if (utf8Length(name) > limits.nameBytesMax || utf8Length(group) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the name of a member or group is too long");
    }
    if (names.has(name)) return invalid(`${name} is a member already`);
    names.add(name);
  }
  return undefined;
}
