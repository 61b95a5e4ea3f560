// SPDX-License-Identifier: MIT
// Quorums over a tree of controllers (D9): init, change and end go down, initialised, reached and
// failed go up, each through any number of controllers. Owns what a message means, and what the
// loss of a link does to them; the links are in tree-control.ts.
//
//   W1. What is said of a barrier that is over, or of another of its generations, means nothing.
//   W2. A controller that is lost ends the barriers it takes part in, on both sides of the link:
//       nobody waits for somebody who cannot answer.
//   W3. A sub-controller that joins while a barrier is open is asked to take part in it.
import { unreachable } from "../assert.ts";
import { overLimit } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import type { Common } from "./common.ts";
import { type QuorumEnd, type QuorumKind, reachedOf } from "./quorum.ts";
import type { QuorumBarrier } from "./quorum-barrier.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { QuorumDown, QuorumUp } from "./tree-messages.ts";

export class QuorumTree {
  readonly #common: Common;
  readonly #links: TreeLinks;
  readonly #quorums: QuorumKind;

  constructor(common: Common, links: TreeLinks, quorums: QuorumKind) {
    this.#common = common;
    this.#links = links;
    this.#quorums = quorums;
  }

  /** W3. */
  askAnew(scope: Scope, child: string, turn: Turn): void {
    for (const barrier of [...scope.quorums.values()]) {
      if (barrier.status === "crossed" || barrier.children.has(child)) continue;
      this.#quorums.askChild(barrier, child, turn);
      this.#quorums.advance(barrier, turn);
    }
  }

  /** W2. */
  parentLost(scope: Scope, reason: string, turn: Turn): void {
    for (const barrier of [...scope.quorums.values()]) {
      if (barrier.creator.kind !== "parent") continue;
      this.#quorums.finish(barrier, { outcome: "failed", error: 0, reason }, turn);
    }
  }

  /** W2. */
  childLost(scope: Scope, name: string, reason: string, turn: Turn): void {
    for (const barrier of [...scope.quorums.values()]) {
      if (!barrier.children.has(name) || barrier.status === "crossed") continue;
      const end: QuorumEnd = { outcome: "failed", error: 0, reason, controller: name };
      this.#quorums.finish(barrier, end, turn);
    }
  }

  takeFromAbove(scope: Scope, message: QuorumDown, turn: Turn): void {
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
        if (message.changes !== undefined) {
          barrier.changes = message.changes;
          // M10. What was said of it before was said of another quorum.
          barrier.isReported = false;
        }
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

  /** M7. What is said of it when it is said again that it was reached. */
  renewed(scope: Scope, said: Extract<QuorumUp, { readonly kind: "reached" }>): QuorumUp {
    const { barrier: name, key } = said;
    const barrier = ofParent(scope.quorums.get(name), key);
    if (barrier?.isReported !== true) return { kind: "unreached", barrier: name, key };
    return reachedOf(barrier, key);
  }

  takeFromBelow(scope: Scope, child: string, message: QuorumUp, turn: Turn): void {
    const barrier = scope.quorums.get(message.barrier);
    // W1. Once it has crossed, nothing from below takes it back (D9).
    if (barrier?.generation !== message.key || barrier.status === "crossed") return;
    if (!barrier.children.has(child)) return;
    switch (message.kind) {
      case "initialised":
        barrier.children.set(child, "initialised");
        break;
      case "reached":
        if ((message.changes ?? 0) !== (barrier.changesBelow.get(child) ?? 0)) return; // M10
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

function ofParent(barrier: QuorumBarrier | undefined, key: number): QuorumBarrier | undefined {
  const { creator } = barrier ?? {};
  return creator?.kind === "parent" && creator.key === key ? barrier : undefined;
}
