// SPDX-License-Identifier: MIT
// Who is missing at a barrier, in words (B10). The old clients are anonymous, so the best that can
// be said of them is how many are missing and from which nodes nobody has come.
import type { CountBarrier } from "./count-barrier.ts";
import { nameParticipant } from "./count-barrier.ts";
import type { BarrierDescription } from "./description.ts";
import type { Scope } from "./scope.ts";

/** Names of those who wait, in order of arrival, at most `max` and then a number. */
export function arrivedNames(barrier: CountBarrier, max: number): readonly string[] {
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

/** Sentences that say who has not come; empty when nobody is missing. */
export function missingNames(scope: Scope, barrier: CountBarrier, max: number): readonly string[] {
  if (barrier.count === 0) return [];
  const unseen = unseenNodes(scope, barrier);
  const more = unseen.length > max ? ` and ${unseen.length - max} more` : "";
  const named = `nobody came yet from ${unseen.slice(0, max).join(", ")}${more}`;
  const from = unseen.length === 0 ? "anonymous" : named;
  if (barrier.count > 0) return [`${barrier.count} more to wait (${from})`];
  return [`an init that adds ${-barrier.count} (${from})`];
}

function unseenNodes(scope: Scope, barrier: CountBarrier): readonly string[] {
  if (scope.nodes.length === 0) return [];
  const seen = new Set<string>();
  for (const waiter of barrier.waiters)
    if (waiter.who.node !== undefined) seen.add(waiter.who.node);
  for (const record of barrier.gone) {
    if (!record.left && record.who.node !== undefined) seen.add(record.who.node);
  }
  return scope.nodes.filter((node) => !seen.has(node));
}

export function describeBarrier(
  scope: Scope,
  barrier: CountBarrier,
  max: number,
): BarrierDescription {
  const waiting: { who: CountWaiterWho; error: number; arrivedUs: number }[] = [];
  for (const { who, error, arrivedUs } of barrier.waiters) {
    if (waiting.length === max) break;
    waiting.push({ who, error, arrivedUs });
  }
  return {
    scope: scope.name,
    name: barrier.name,
    kind: "count",
    generation: barrier.generation,
    expected: barrier.expected,
    arrived: barrier.waiters.size,
    count: barrier.count,
    error: barrier.error,
    sinceUs: barrier.createdUs,
    waiting,
    missing: missingNames(scope, barrier, max),
  };
}

type CountWaiterWho = BarrierDescription["waiting"][number]["who"];
