// SPDX-License-Identifier: MIT
// Who is missing at a barrier, in words (B10). The old clients are anonymous, so the best that can
// be said of them is how many are missing and from which nodes nobody has come.
import type { BarrierDescription } from "../description.ts";
import type { Scope } from "../scope.ts";
import type { CountBarrier } from "./count-barrier.ts";
import type { Place } from "./place.ts";
import { nameParticipant } from "./place.ts";

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
 */
export function missingNames(scope: Scope, barrier: CountBarrier, max: number): readonly string[] {
  if (barrier.count === 0) return [];
  if (barrier.count < 0) return [`somebody to open it for ${-barrier.count}`];
  const unseen = unseenNodes(scope, barrier);
  if (unseen.length > barrier.count) {
    const more = unseen.length > max ? ` and ${unseen.length - max} more` : "";
    const which = barrier.count === 1 ? "one" : String(barrier.count);
    const from = `from ${which} of ${unseen.slice(0, max).join(", ")}${more}`;
    return [`${barrier.count} anonymous, ${from}`];
  }
  const named = unseen.slice(0, max).map((node) => `anonymous, from ${node}`);
  const rest = barrier.count - named.length;
  return rest === 0 ? named : [...named, `${rest} more, anonymous`];
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
