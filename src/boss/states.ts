// SPDX-License-Identifier: MIT
// The states of an experiment and what leads from one to another. Pure: no time, no database.
//
//   S1. An experiment has nodes in every state but `swapped`.
//   S2. From every state a swap-out leads to `swapped`: nothing can be stuck.
//   S3. Only `lost` skips a step: the daemon that held the nodes is dead, and they are with it.

export const experimentStates = [
  "swapped",
  "activating",
  "active",
  "modify_reswap",
  "swapping",
] as const;
export type ExperimentState = (typeof experimentStates)[number];

export const transitions = [
  "swap-in",
  "activated",
  "modify",
  "modified",
  "swap-out",
  "swapped-out",
  "lost",
] as const;
export type Transition = (typeof transitions)[number];

interface Rule {
  readonly from: readonly ExperimentState[];
  readonly to: ExperimentState;
  /** What the transition is called when it is refused. */
  readonly words: string;
}

const table: Readonly<Record<Transition, Rule>> = {
  "swap-in": { from: ["swapped"], to: "activating", words: "be swapped in" },
  activated: { from: ["activating"], to: "active", words: "become active" },
  modify: { from: ["active"], to: "modify_reswap", words: "be modified" },
  /** Also for a modification that was undone: the experiment goes on as it was. */
  modified: { from: ["modify_reswap"], to: "active", words: "end its modification" },
  "swap-out": {
    from: ["activating", "active", "modify_reswap"],
    to: "swapping",
    words: "be swapped out",
  },
  "swapped-out": { from: ["swapping"], to: "swapped", words: "end its swap-out" },
  lost: {
    from: ["activating", "active", "modify_reswap", "swapping"],
    to: "swapped",
    words: "be lost",
  },
};

/** What the user can do about an experiment that is in the wrong state. */
const advice: Readonly<Record<ExperimentState, (name: string) => string>> = {
  swapped: (name) => `it has no nodes; start it with: muster up FILE (see muster status ${name})`,
  activating: (name) => `it is on its way up; wait for it, or stop it with: muster down ${name}`,
  active: (name) => `it is up already; stop it first with: muster down ${name}`,
  modify_reswap: (name) => `it is being modified; wait, or stop it with: muster down ${name}`,
  swapping: (name) => `it is on its way down; wait until muster status ${name} says swapped`,
};

export type Planned =
  | { readonly kind: "allowed"; readonly to: ExperimentState }
  | { readonly kind: "refused"; readonly message: string };

/** Whether `transition` may happen to experiment `name` in `state`, and where it leads. */
export function planTransition(
  name: string,
  state: ExperimentState,
  transition: Transition,
): Planned {
  const { from, to, words } = table[transition];
  if (from.includes(state)) return { kind: "allowed", to };
  const message = `${name} is ${state} and cannot ${words}: ${advice[state](name)}`;
  return { kind: "refused", message };
}

/** S1. */
export function hasNodes(state: ExperimentState): boolean {
  return state !== "swapped";
}

export function isExperimentState(text: string): text is ExperimentState {
  return experimentStates.some((state) => state === text);
}
