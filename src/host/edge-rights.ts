// SPDX-License-Identifier: MIT
// What an edge of another process may say, by who it is: which commands, about which scope, and
// what it may look at and listen to. Whether it is well said is not checked here.
import { actionOf } from "../wire/link/command-action.ts";
import type { EdgeCommand } from "../wire/link/frames.ts";
import { FrameError } from "../wire/link/frames.ts";
import type { Role } from "../wire/link/roles.ts";
import { mayDo } from "../wire/link/roles.ts";

/**
 * What an edge of another process may say: everything; or what a sync server has to say about one
 * scope (programs of an experiment live beside its sync server, so it is not trusted further); or
 * what the role of a session's token allows, in its scope or in any; or what carries the link to
 * the sub-controller of a name.
 */
export type EdgeRights =
  | { readonly kind: "all" }
  | { readonly kind: "sync"; readonly scope: string }
  | { readonly kind: "child"; readonly name: string; readonly parent?: string }
  | { readonly kind: "session"; readonly role: Role; readonly scope?: string };

/** @throws FrameError (rights) when this edge may not give the command. */
export function checkRight(command: EdgeCommand, rights: EdgeRights): void {
  if (!mayGive(command.kind, rights)) {
    const whose = rights.kind === "session" ? `role ${rights.role}` : "this edge";
    throw new FrameError(`a command that ${whose} may not give (${command.kind})`, "rights");
  }
  if ("scope" in command) checkScope(command.scope, rights);
  const isOwn = command.kind === "attach" || command.kind === "end-edge";
  if (rights.kind === "child" && !isOwn && nameOfLink(command) !== rights.name) {
    throw new FrameError("a link that is not this edge's", "rights");
  }
  if (rights.kind === "child" && command.kind === "tree-join") checkParent(command.name, rights);
  if (rights.kind !== "sync" || command.kind !== "cancel-all") return;
  if (command.barrierKind !== "count") {
    throw new FrameError("a sync server may end barriers of its own kind only", "rights");
  }
}

/** Who is called by another name is another one, and what it is called stands in what is said. */
function checkParent(name: string, { parent = name }: { readonly parent?: string }): void {
  if (name === parent) return;
  throw new FrameError(
    `this controller is ${parent}, not ${name}; say --parent ${parent}@...`,
    "rights",
  );
}

/** An incarnation of an edge is its own affair; so are its waiters, in its scope. */
const syncCommands: ReadonlySet<EdgeCommand["kind"]> = new Set([
  ...(["attach", "end-edge", "count-init", "count-wait", "leave", "cancel-all"] as const),
  // A name of the experiment's file may be a barrier of another kind (syncd/members.ts).
  ...(["roster-arrive", "quorum-wait"] as const),
]);

/** A carrier of a link speaks for its own sub-controller, in every scope. */
const childCommands: ReadonlySet<EdgeCommand["kind"]> = new Set([
  ...(["attach", "end-edge", "tree-join", "tree-meet", "tree-message"] as const),
  ...(["tree-acknowledge", "tree-leave"] as const),
]);

/** The controller that a command is about; undefined when it claims to be another's parent. */
function nameOfLink(command: EdgeCommand): string | undefined {
  switch (command.kind) {
    case "tree-join":
      return command.side === "child" ? command.peer : undefined;
    case "tree-leave":
      return command.peer;
    case "tree-meet":
    case "tree-message":
    case "tree-acknowledge":
      return command.from;
    default:
      return undefined;
  }
}

function mayGive(kind: EdgeCommand["kind"], rights: EdgeRights): boolean {
  switch (rights.kind) {
    case "all":
      return true;
    case "sync":
      return syncCommands.has(kind);
    case "child":
      return childCommands.has(kind);
    case "session": {
      const action = actionOf(kind);
      return action === "own" || (action !== undefined && mayDo(rights.role, action));
    }
  }
}

/** @throws FrameError (rights) */
export function checkLook(scope: string, rights: EdgeRights): void {
  if (rights.kind === "session" && !mayDo(rights.role, "look")) {
    throw new FrameError(`role ${rights.role} may not look at barriers`, "rights");
  }
  checkScope(scope, rights);
}

/** @throws FrameError (rights) */
export function checkListening(scope: string, rights: EdgeRights): void {
  if (rights.kind === "session" && !mayDo(rights.role, "listen")) {
    throw new FrameError(`role ${rights.role} may not listen to topics`, "rights");
  }
  checkScope(scope, rights);
}

function checkScope(scope: string, rights: EdgeRights): void {
  if (rights.kind === "all" || rights.kind === "child") return;
  if (rights.scope === undefined || scope === rights.scope) return;
  throw new FrameError("a scope that is not this edge's", "rights");
}
