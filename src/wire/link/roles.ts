// SPDX-License-Identifier: MIT
// Who may do what. One table for every native door: the server checks it, the client library asks
// it before it sends. Each role may do what those before it may.

export type Role = "observer" | "participant" | "driver" | "admin";

export const roles: readonly Role[] = ["observer", "participant", "driver", "admin"];

/** What somebody wants to do. */
export type Action =
  /** Look at barriers and who is missing; watch them; read the metrics. */
  | "look"
  /** Arrive at a barrier, wait, leave. */
  | "wait"
  /** Hear notifications, and messages of topics. */
  | "listen"
  /** Send notifications; publish to topics. */
  | "notify"
  /** Open a count barrier for so many. */
  | "init"
  /** End barriers for everybody who waits. */
  | "cancel"
  /** Name the nodes of a scope; end it. */
  | "scope"
  /** Plan events. */
  | "plan"
  /** What concerns the server, not a scope of it. */
  | "administer";

/** The table: the least role that may do it. */
const leastRole: Readonly<Record<Action, Role>> = {
  look: "observer",
  listen: "observer",
  wait: "participant",
  notify: "participant",
  init: "driver",
  cancel: "driver",
  scope: "driver",
  plan: "driver",
  administer: "admin",
};

export const actions: readonly Action[] = [
  ...(["look", "listen", "wait", "notify", "init", "cancel", "scope", "plan"] as const),
  "administer",
];

export function mayDo(role: Role, action: Action): boolean {
  return roles.indexOf(role) >= roles.indexOf(leastRole[action]);
}

export function isRole(text: string): text is Role {
  return roles.some((role) => role === text);
}
