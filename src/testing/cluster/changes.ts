// SPDX-License-Identifier: MIT
// Changes of whom a barrier is for while parties wait: what is drawn, and how a program asks for
// it.
import type { QuorumSize } from "../../client/quorum-barrier.ts";
import type { Session } from "../../client/session.ts";
import type { Random } from "../../core/random.ts";

export type Change =
  | { readonly what: "count-change"; readonly expected: number }
  | ({ readonly what: "quorum-change" } & QuorumSize)
  | {
      readonly what: "roster-change";
      readonly add: readonly string[];
      readonly remove: readonly string[];
      /** Over HTTP: who is added is of a group of the name of the request. */
      readonly isGrouped?: true;
    };

/** So that each change is often one that can be made: more or fewer than there are now. */
export function drawChange(random: Random, members: readonly string[]): Change {
  const kind = random.pick(["count", "quorum", "roster"] as const);
  if (kind === "count") return { what: "count-change", expected: random.below(10) };
  if (kind === "quorum") {
    if (random.chance(0.3)) return { what: "quorum-change", count: random.below(4) };
    return { what: "quorum-change", percent: random.pick([0, 34, 67, 100]) };
  }
  return drawRosterChange(random, members);
}

export function drawRosterChange(
  random: Random,
  members: readonly string[],
): Extract<Change, { what: "roster-change" }> {
  const how = random.pick(["add", "remove", "renew", "replace"] as const);
  const name = random.pick(members);
  const other = how === "renew" ? name : random.pick(members);
  return {
    what: "roster-change",
    add: how === "remove" ? [] : [other],
    remove: how === "add" ? [] : [name],
  };
}

export interface Asking {
  readonly signal: AbortSignal;
  /** Where controllers are a tree: the path of the one that a member comes to. */
  readonly homeOf: ((member: string) => string) | undefined;
}

/** Resolves when it is acknowledged. @throws MusterError */
export function askChange(
  session: Session,
  barrier: string,
  change: Change,
  { signal, homeOf }: Asking,
): Promise<void> {
  switch (change.what) {
    case "count-change":
      return session.countBarrier(barrier).change(change.expected, { signal });
    case "quorum-change":
      return session.quorumBarrier(barrier).change(change, { signal });
    case "roster-change": {
      const add = change.add.map((name) =>
        homeOf === undefined ? name : { name, at: homeOf(name) },
      );
      return session.rosterBarrier(barrier).change({ add, remove: change.remove }, { signal });
    }
  }
}
