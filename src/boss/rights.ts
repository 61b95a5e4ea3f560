// SPDX-License-Identifier: MIT
// Who may do what to an experiment. Pure: a table over the trust of a user in the project.
//
//   A1. Root may do everything.
//   A2. Who swapped an experiment in may always stop it, whatever became of the membership.
//   A3. Who is no member of the project sees nothing of it.

/** From least to most; each may what those before it may. */
export const trusts = ["user", "trusted", "leader"] as const;
export type Trust = (typeof trusts)[number];

export const actions = [
  "see",
  "read-output",
  "swap-in",
  "modify",
  "swap-out",
  "set-members",
] as const;
export type Action = (typeof actions)[number];

/** Somebody who asks, as the project knows them. */
export interface Actor {
  readonly name: string;
  readonly unixUid: number;
  /** Membership in the project of the experiment; undefined for none. */
  readonly trust: Trust | undefined;
}

interface Rule {
  /** The least trust that is enough by itself. */
  readonly trust: Trust;
  /** Whether having swapped the experiment in is enough. */
  readonly swapper: boolean;
  readonly words: string;
}

const table: Readonly<Record<Action, Rule>> = {
  see: { trust: "user", swapper: true, words: "see" },
  "read-output": { trust: "user", swapper: true, words: "read the output of" },
  "swap-in": { trust: "trusted", swapper: false, words: "swap in" },
  modify: { trust: "leader", swapper: true, words: "modify" },
  "swap-out": { trust: "leader", swapper: true, words: "stop" },
  "set-members": { trust: "leader", swapper: false, words: "change the members of" },
};

const whoMay: Readonly<Record<Trust, string>> = {
  user: "a member of the project",
  trusted: "a trusted member or a leader of the project",
  leader: "a leader of the project",
};

export type Judgement =
  | { readonly kind: "allowed" }
  | { readonly kind: "refused"; readonly message: string };

/**
 * @param what the experiment, `pid/eid`, or for `set-members` the project
 * @param swapper who swapped it in; null when it is swapped out
 */
export function judge(
  actor: Actor,
  action: Action,
  what: string,
  swapper: string | null,
): Judgement {
  const rule = table[action];
  if (actor.unixUid === 0) return { kind: "allowed" };
  if (rule.swapper && swapper === actor.name) return { kind: "allowed" };
  const rank = actor.trust === undefined ? -1 : trusts.indexOf(actor.trust);
  if (rank >= trusts.indexOf(rule.trust)) return { kind: "allowed" };
  const others = rule.swapper ? [`who swapped it in (${swapper ?? "nobody now"})`] : [];
  const who = [...others, whoMay[rule.trust], "root"].join(", ");
  const message = `${actor.name} may not ${rule.words} ${what}; who may: ${who}`;
  return { kind: "refused", message };
}

export function isTrust(text: string): text is Trust {
  return trusts.some((trust) => trust === text);
}
