// SPDX-License-Identifier: MIT
// Which action each command of a session is, so that the table of roles judges it.
import type { EdgeCommand } from "./frames.ts";
import type { Action } from "./roles.ts";

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
