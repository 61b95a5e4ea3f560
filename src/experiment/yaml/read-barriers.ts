// SPDX-License-Identifier: MIT
// Barriers of a document: who must come, until when, and what it means when they do not.

import type { BarrierDeclaration, BarrierRule, SourcePosition } from "../model.ts";
import { durationIn, integerIn, percentageIn, type ReadContext } from "./context.ts";
import { barrierMembersMax, barriersMax } from "./limits.ts";
import { child, type DocumentNode, type MapEntry, textOf, textsOf } from "./tree.ts";

/** Takes the names of barriers, so that what waits for them may stand before them. */
export function declareBarriers(context: ReadContext, tree: DocumentNode | undefined): void {
  const entries = tree?.kind === "map" ? tree.entries : [];
  for (const { key, keyAt } of entries) context.declare(key, "barrier", keyAt);
  const last = entries[barriersMax];
  if (last === undefined) return;
  const message = `one experiment has at most ${barriersMax} barriers`;
  context.findings.error(last.keyAt, "YAML_LIMIT", message, "Use a barrier more than once.");
}

export function readBarriers(
  context: ReadContext,
  tree: DocumentNode | undefined,
  groups: ReadonlyMap<string, readonly string[]>,
): BarrierDeclaration[] {
  return (tree?.kind === "map" ? tree.entries : []).map((entry) => {
    return readBarrier(context, entry, groups);
  });
}

function readBarrier(
  context: ReadContext,
  { key, keyAt, value }: MapEntry,
  groups: ReadonlyMap<string, readonly string[]>,
): BarrierDeclaration {
  const members = new Set<string>();
  for (const reference of textsOf(child(value, "members"))) {
    const named = context.resolve(reference, ["node", "program", "group"], `barrier ${key}`);
    if (!context.countWaits(named.length, reference.at)) break;
    for (const name of named) for (const each of groups.get(name) ?? [name]) members.add(each);
  }
  if (members.size > barrierMembersMax) {
    const message = `a barrier has at most ${barrierMembersMax} members`;
    context.findings.error(keyAt, "YAML_LIMIT", message);
  }
  for (const name of members) {
    if (context.kindOf(name) !== "link") continue;
    const hint = "Members are nodes and programs.";
    context.findings.error(keyAt, "YAML_REFERENCE", `${name} is a link and cannot arrive`, hint);
  }
  const failure = textOf(child(value, "onFailure"));
  return {
    name: key,
    rule: readRule(context, value, members.size, keyAt),
    members: [...members],
    deadlineUs: durationIn(value, "deadline") ?? 0,
    onFailure: failure === "stop" || failure === "continue" ? failure : "fail",
    at: keyAt,
  };
}

function readRule(
  { findings }: ReadContext,
  value: DocumentNode,
  members: number,
  at: SourcePosition,
): BarrierRule {
  const count = integerIn(value, "count");
  const share = percentageIn(value, "quorum");
  const hasMembers = child(value, "members") !== undefined;
  if (value.kind === "map" && !hasMembers && count === undefined) {
    const hint = "Add members: [...], or count: 5 for anybody.";
    findings.error(at, "YAML_MISSING", "a barrier needs members or a count", hint);
  }
  if (count !== undefined && share !== undefined) {
    const place = child(value, "quorum")?.at ?? at;
    findings.error(place, "YAML_RULE", "count and quorum exclude each other", "Keep one.");
  }
  if (count !== undefined && hasMembers && count > members && members > 0) {
    const message = `only ${members} can come, and count asks for ${count}`;
    findings.error(child(value, "count")?.at ?? at, "YAML_RULE", message, "Lower it.");
  }
  const whenDead = textOf(child(value, "whenDead"));
  if (whenDead !== undefined && (share !== undefined || count !== undefined)) {
    const place = child(value, "whenDead")?.at ?? at;
    const message = "whenDead is for barriers that all members must reach";
    findings.error(place, "YAML_RULE", message, "Leave it out, or count and quorum.");
  }
  if (share === 0) {
    const place = child(value, "quorum")?.at ?? at;
    findings.error(place, "YAML_RULE", "a quorum of 0% waits for nobody", "Write 1% or more.");
  }
  if (share !== undefined) return { kind: "quorum", share };
  if (count !== undefined) return { kind: "count", count };
  return whenDead === "shrink" || whenDead === "wait"
    ? { kind: "roster", whenDead }
    : { kind: "roster" };
}
