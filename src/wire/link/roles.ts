// SPDX-License-Identifier: MIT
// Who may do what. One table for every native door: the server checks it, the client library asks
// it before it sends. Each role may do what those before it may.
import type { EdgeCommand } from "./frames.ts";

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

/** What a command of a session is, as an action; undefined for those no session may give. */
export function actionOf(kind: EdgeCommand["kind"]): Action | "own" | undefined {
  switch (kind) {
    case "attach":
    case "end-edge":
    case "leave":
      return "own";
    case "count-wait":
    case "state-signal":
    case "state-wait":
    case "state-signal-and-wait":
    case "quorum-wait":
    case "roster-arrive":
      return "wait";
    // An arrival that goes with it needs the same role.
    case "topic-publish":
      return "notify";
    case "count-init":
    case "quorum-init":
    case "quorum-echo":
    case "quorum-change":
    case "roster-open":
    case "roster-change":
    case "count-change":
      return "init";
    case "cancel":
    case "cancel-all":
    case "fail":
    case "roster-dead":
      return "cancel";
    case "peer-register":
    case "peer-deregister":
    case "peers-set":
    case "open-scope":
    case "close-scope":
      return "scope";
    // Their effects go to whoever loaded them; the door of events is where plans are made.
    case "agenda-load":
    case "agenda-start":
    case "agenda-complete":
    case "detach":
    case "attached":
    case "seen":
    case "digest":
    // A link between controllers carries everybody's barriers.
    case "tree-join":
    case "tree-meet":
    case "tree-message":
    case "tree-acknowledge":
    case "tree-leave":
    case "refuse":
      return undefined;
  }
}
