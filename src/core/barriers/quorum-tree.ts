// SPDX-License-Identifier: MIT
// Quorums over a tree of controllers (D9): init, change and end go down, initialised, reached and
// failed go up, each through any number of controllers. Owns what a message means, and what the
// loss of a link does; links and their numbers are in tree.ts.
//
//   W1. What is said of a barrier that is over, or of another of its generations, means nothing.
//   W2. A controller that is lost ends the barriers it takes part in, on both sides of the link:
//       nobody waits for somebody who cannot answer.
//   W3. A sub-controller that joins while a barrier is open is asked to take part in it.
import { unreachable } from "../assert.ts";
import type { EdgeState } from "../edge-table.ts";
import type { Refusal } from "../refusal.ts";
import { invalid, overLimit } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import { utf8Length } from "../text.ts";
import type { Turn } from "../turn.ts";
import type {
  TreeAcknowledge,
  TreeCommand,
  TreeJoin,
  TreeLeave,
  TreeMeet,
  TreeSaid,
} from "./commands.ts";
import type { Common } from "./common.ts";
import type { QuorumEnd, QuorumKind } from "./quorum.ts";
import type { QuorumBarrier } from "./quorum-barrier.ts";
import { TreeLink } from "./tree.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { DownMessage, TreeMessage, UpMessage } from "./tree-messages.ts";

export class QuorumTree {
  readonly #common: Common;
  readonly #links: TreeLinks;
  readonly #quorums: QuorumKind;

  constructor(common: Common, links: TreeLinks, quorums: QuorumKind) {
    this.#common = common;
    this.#links = links;
    this.#quorums = quorums;
  }

  apply(edge: EdgeState, command: TreeCommand, turn: Turn): void {
    if (command.kind === "tree-join") {
      this.#join(edge, command, turn);
      return;
    }
    const scope = this.#common.scopes.get(command.scope);
    const name = command.kind === "tree-leave" ? command.peer : command.from;
    const link = scope?.tree.get(name);
    if (scope === undefined || link === undefined || !isCarriedBy(link, edge)) return;
    switch (command.kind) {
      case "tree-meet":
        this.#meet(scope, link, command, turn);
        return;
      case "tree-message":
        this.#hear(scope, link, command, turn);
        return;
      case "tree-acknowledge":
        this.#acknowledge(link, command);
        return;
      case "tree-leave":
        this.#leave(scope, link, command, turn);
        return;
      default:
        unreachable(command);
    }
  }

  /** W2. The edge that carried links is gone for good. */
  edgeEnded(edge: EdgeState, turn: Turn): void {
    for (const scope of this.#common.scopes.scopes.values()) {
      for (const link of [...scope.tree.links()]) {
        if (isCarriedBy(link, edge)) this.#lose(scope, link, "was lost", turn);
      }
    }
  }

  /** After every command: links that hold too much begin anew (M3). */
  dropOverflown(turn: Turn): void {
    if (!this.#links.hasOverflown) return;
    for (const { scope, link } of this.#links.takeOverflown()) {
      const { name: to, edge: name, incarnation } = link;
      const reason = `it has not taken ${this.#common.limits.treeOutboxMax} messages`;
      if (name !== "") {
        turn.tell({ name, incarnation }, { kind: "tree-left", scope: scope.name, to, reason });
      }
      this.#lose(scope, link, "has left too much unread", turn);
      link.beginAgain();
      link.otherLife = undefined;
      link.life += 1;
    }
  }

  #join(edge: EdgeState, command: TreeJoin, turn: Turn): void {
    const { scope: scopeName, peer, side } = command;
    const scope = this.#common.scopes.get(scopeName);
    const refusal = this.#common.scopes.refusal(scopeName) ?? this.#joinRefusal(scope, command);
    if (refusal !== undefined) {
      const { message: reason } = refusal;
      turn.tell(edge, { kind: "tree-left", scope: scopeName, to: peer, reason });
      return;
    }
    const { tree } = this.#common.scopes.obtain(scopeName);
    tree.name = command.name;
    const link = tree.get(peer) ?? new TreeLink(peer, side, command.life);
    if (tree.get(peer) === undefined) tree.add(link);
    link.edge = edge.name;
    link.incarnation = edge.incarnation;
    link.isMet = false;
    const { life, lastReceived: received } = link;
    turn.tell(edge, { kind: "tree-joined", scope: scopeName, to: peer, life, received });
  }

  #joinRefusal(scope: Scope | undefined, command: TreeJoin): Refusal | undefined {
    const { limits } = this.#common;
    const { name, peer, side } = command;
    if (name === "" || peer === "" || name === peer) {
      return invalid("two controllers have names, and not the same");
    }
    if (utf8Length(name) > limits.nameBytesMax || utf8Length(peer) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the name of a controller is too long");
    }
    if (scope === undefined) return undefined;
    const { tree } = scope;
    if (tree.name !== "" && tree.name !== name) {
      return invalid(`this controller is called ${tree.name} here, not ${name}`);
    }
    const known = tree.get(peer);
    if (known !== undefined && known.side !== side) return invalid(`${peer} is its ${known.side}`);
    if (known !== undefined) return undefined;
    if (side === "parent" && tree.parent !== undefined) {
      return invalid(`the controller above is ${tree.parent.name}`);
    }
    if (side === "child" && tree.children.size >= limits.childrenPerScopeMax) {
      return overLimit(limits, "childrenPerScopeMax", "too many sub-controllers");
    }
    return undefined;
  }

  /** The other side is there, and has said what it remembers. */
  #meet(scope: Scope, link: TreeLink, { life, received }: TreeMeet, turn: Turn): void {
    const wasKnown = link.otherLife !== undefined;
    if (wasKnown && link.otherLife !== life) {
      // M3. What it had taken over the link it does not know any more.
      this.#lose(scope, link, "has started anew", turn, { keepsEdge: true });
      link.beginAgain();
    }
    const isNew = link.otherLife !== life;
    link.otherLife = life;
    link.acknowledge(isNew ? 0 : received);
    link.isMet = true;
    this.#links.repeat(scope, link, turn);
    if (link.side === "child") this.#askAnew(scope, link.name, turn);
  }

  /** W3. */
  #askAnew(scope: Scope, child: string, turn: Turn): void {
    for (const barrier of [...scope.quorums.values()]) {
      if (barrier.status === "crossed" || barrier.children.has(child)) continue;
      this.#quorums.askChild(barrier, child, turn);
      this.#quorums.advance(barrier, turn);
    }
  }

  /** M1: one that comes again is only answered. */
  #hear(scope: Scope, link: TreeLink, command: TreeSaid, turn: Turn): void {
    if (!link.isMet) return;
    if (link.takes(command.number)) this.#take(scope, link, command.message, turn);
    const { edge: name, incarnation, lastReceived: number, name: to } = link;
    turn.tell({ name, incarnation }, { kind: "tree-received", scope: scope.name, to, number });
  }

  #acknowledge(link: TreeLink, { number }: TreeAcknowledge): void {
    if (link.isMet && number <= link.lastSent) link.acknowledge(number);
  }

  #leave(scope: Scope, link: TreeLink, { reason }: TreeLeave, turn: Turn): void {
    const { name: to, edge: name, incarnation } = link;
    this.#lose(scope, link, reason ?? "has left", turn);
    scope.tree.remove(link);
    turn.tell({ name, incarnation }, { kind: "tree-left", scope: scope.name, to, reason: "left" });
  }

  /** W2. */
  #lose(
    scope: Scope,
    link: TreeLink,
    what: string,
    turn: Turn,
    { keepsEdge }: { readonly keepsEdge: boolean } = { keepsEdge: false },
  ): void {
    link.isMet = false;
    if (!keepsEdge) link.edge = "";
    const { name, side } = link;
    for (const barrier of [...scope.quorums.values()]) {
      if (side === "parent" && barrier.creator.kind === "parent") {
        const reason = `the controller above, ${name}, ${what}`;
        this.#quorums.finish(barrier, { outcome: "failed", error: 0, reason }, turn);
      } else if (side === "child" && barrier.children.has(name) && barrier.status !== "crossed") {
        const reason = `the sub-controller ${name} ${what}`;
        const end: QuorumEnd = { outcome: "failed", error: 0, reason, controller: name };
        this.#quorums.finish(barrier, end, turn);
      }
    }
  }

  #take(scope: Scope, link: TreeLink, message: TreeMessage, turn: Turn): void {
    switch (message.kind) {
      case "init":
      case "change":
      case "released":
      case "ended":
        if (link.side === "parent") this.#takeFromAbove(scope, message, turn);
        return;
      case "initialised":
      case "reached":
      case "unreached":
      case "failed":
        if (link.side === "child") this.#takeFromBelow(scope, link.name, message, turn);
        return;
      default:
        unreachable(message);
    }
  }

  #takeFromAbove(scope: Scope, message: DownMessage, turn: Turn): void {
    const { barrier: name, key } = message;
    if (message.kind === "init") {
      const refusal = this.#openRefusal(scope, name);
      if (refusal === undefined) {
        const plan = { quorum: message.quorum, creator: { kind: "parent", key } } as const;
        this.#quorums.open(scope, name, plan, turn);
        return;
      }
      const about = { barrier: name, key, outcome: "failed" as const, error: 0, reason: refusal };
      this.#links.sayUp(scope, { kind: "failed", ...about, controller: scope.tree.name }, turn);
      return;
    }
    const barrier = ofParent(scope.quorums.get(name), key);
    if (barrier === undefined) return; // W1
    switch (message.kind) {
      case "change":
        this.#quorums.requote(barrier, message.quorum, turn);
        return;
      case "released":
        this.#quorums.finish(barrier, { outcome: "crossed", error: message.error }, turn);
        return;
      case "ended": {
        const { outcome, error, reason, controller } = message;
        const end = { outcome, error, reason, controller, isFromAbove: true };
        this.#quorums.finish(barrier, end, turn);
        return;
      }
      default:
        unreachable(message);
    }
  }

  #openRefusal(scope: Scope, name: string): string | undefined {
    if (scope.quorums.has(name)) return `a barrier ${name} is open there already`;
    const { limits } = this.#common;
    if (scope.openBarriers < limits.barriersPerScopeMax) return undefined;
    return overLimit(limits, "barriersPerScopeMax", "too many barriers are open there").message;
  }

  #takeFromBelow(scope: Scope, child: string, message: UpMessage, turn: Turn): void {
    const barrier = scope.quorums.get(message.barrier);
    // W1. Once it has crossed, nothing from below takes it back (D9).
    if (barrier?.generation !== message.key || barrier.status === "crossed") return;
    if (!barrier.children.has(child)) return;
    switch (message.kind) {
      case "initialised":
        barrier.children.set(child, "initialised");
        break;
      case "reached":
        barrier.children.set(child, "reached");
        if (message.error > barrier.error) barrier.error = message.error;
        break;
      case "unreached":
        barrier.children.set(child, "initialised");
        break;
      case "failed": {
        const { outcome, error, reason, controller } = message;
        // It has ended there and below.
        barrier.children.delete(child);
        this.#quorums.finish(barrier, { outcome, error, reason, controller }, turn);
        return;
      }
      default:
        unreachable(message);
    }
    this.#quorums.advance(barrier, turn);
  }
}

function isCarriedBy(link: TreeLink, { name, incarnation }: EdgeState): boolean {
  return link.edge === name && link.incarnation === incarnation;
}

function ofParent(barrier: QuorumBarrier | undefined, key: number): QuorumBarrier | undefined {
  const { creator } = barrier ?? {};
  return creator?.kind === "parent" && creator.key === key ? barrier : undefined;
}
