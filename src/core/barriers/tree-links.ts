// SPDX-License-Identifier: MIT
// How something is said over the links of a scope's tree: kept, and told to the edge that carries
// the link when the other side is there (M2, M4).
import type { Limits } from "../limits.ts";
import type { Refusal } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import type { Asker, TreeLink } from "./tree.ts";
import type { DownMessage, TreeMessage, UpMessage } from "./tree-messages.ts";

export class TreeLinks {
  readonly #limits: Limits;
  /** Links whose other side has left too much unread. */
  #overflown: { readonly scope: Scope; readonly link: TreeLink }[] = [];

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  sayUp(scope: Scope, message: UpMessage, turn: Turn): void {
    const { parent } = scope.tree;
    if (parent !== undefined) this.#say(scope, parent, message, turn);
  }

  sayDown(scope: Scope, child: string, message: DownMessage, turn: Turn): void {
    const link = scope.tree.children.get(child);
    if (link !== undefined) this.#say(scope, link, message, turn);
  }

  /** What is kept is told, from the first on. @param renewed what holds now in place of it (M7) */
  repeat(
    scope: Scope,
    link: TreeLink,
    renewed: (message: TreeMessage) => TreeMessage,
    turn: Turn,
  ): void {
    const { name: to, edge, incarnation } = link;
    for (const { number, message } of link.outbox) {
      const facts = { scope: scope.name, to, number, message: renewed(message) };
      turn.tell({ name: edge, incarnation }, { kind: "tree-message", ...facts });
    }
  }

  get hasOverflown(): boolean {
    return this.#overflown.length > 0;
  }

  takeOverflown(): readonly { readonly scope: Scope; readonly link: TreeLink }[] {
    const links = this.#overflown;
    this.#overflown = [];
    return links;
  }

  /** What the root says to an order, to who gave it or the controller that passed it on. */
  answer(
    scope: Scope,
    asker: Asker,
    refusal: Pick<Refusal, "code" | "message"> | undefined,
    turn: Turn,
  ): void {
    if ("child" in asker) {
      const why = refusal === undefined ? {} : { refusal };
      this.sayDown(scope, asker.child, { kind: "answer", id: asker.id, ...why }, turn);
      return;
    }
    const { edge: name, incarnation, connection } = asker;
    const edge = { name, incarnation };
    if (refusal === undefined) turn.tell(edge, { kind: "acknowledged", connection });
    else turn.tell(edge, { kind: "refused", connection, ...refusal });
  }

  #say(scope: Scope, link: TreeLink, message: TreeMessage, turn: Turn): void {
    const number = link.keep(message);
    // It may hold more already: the limit may have been lowered.
    const isOver = link.outbox.length > this.#limits.treeOutboxMax;
    if (isOver && !this.#overflown.some((one) => one.link === link)) {
      this.#overflown.push({ scope, link });
    }
    if (!link.isMet) return;
    const { name: to, edge, incarnation } = link;
    const facts = { scope: scope.name, to, number, message };
    turn.tell({ name: edge, incarnation }, { kind: "tree-message", ...facts });
  }
}
