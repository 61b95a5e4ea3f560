// SPDX-License-Identifier: MIT
// Orders that only the root of a tree may carry out: to end a barrier for everybody, to change how
// many it is for. Each goes up hop by hop; what the root says to it comes down to who gave it.
import { type EdgeState, endedEdge } from "../edge-table.ts";
import type { Refusal } from "../refusal.ts";
import { overLimit } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";

import type { Common } from "./common.ts";
import type { TreeOrder } from "./orders.ts";
import { fromAbove } from "./roster-parts.ts";
import type { Asker } from "./tree.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { DownMessage, UpMessage } from "./tree-messages.ts";
import type { TreeReports } from "./tree-reports.ts";

type Ask = Extract<UpMessage, { kind: "ask" }>;
type Answer = Extract<DownMessage, { kind: "answer" }>;

interface AskParts {
  readonly common: Common;
  readonly links: TreeLinks;
  readonly reports: TreeReports;
  /** Carries an order out; it answers the edge. */
  readonly obey: (edge: EdgeState, order: TreeOrder, turn: Turn) => void;
}

/** The connection that the root answers in place of the one that gave the order. */
const askConnection = 1;

export class TreeAsks {
  readonly #parts: AskParts;

  constructor(parts: AskParts) {
    this.#parts = parts;
  }

  /** An order of an edge, where a controller above decides. */
  give(scope: Scope, edge: EdgeState, order: TreeOrder, turn: Turn): void {
    const connection = order.kind === "cancel-all" ? undefined : order.connection;
    const refusal = this.#refusal(scope);
    if (refusal === undefined) {
      const { name, incarnation } = edge;
      const asker = connection === undefined ? undefined : { edge: name, incarnation, connection };
      this.#ask(scope, asker, order, turn);
    } else if (connection !== undefined)
      turn.tell(edge, { kind: "refused", connection, ...refusal });
  }

  /** From a controller below. */
  take(scope: Scope, child: string, { id, order }: Ask, turn: Turn): void {
    const asker = id === 0 ? undefined : { child, id };
    const here = ordered(child, { ...order, scope: scope.name });
    if (!this.#parts.reports.isBelow(scope)) {
      this.#obey(scope, asker, here, turn);
      return;
    }
    const refusal = this.#refusal(scope);
    if (refusal === undefined) this.#ask(scope, asker, here, turn);
    else if (asker !== undefined) this.#parts.links.answer(scope, asker, refusal, turn);
  }

  answered(scope: Scope, { id, refusal }: Answer, turn: Turn): void {
    const { asks } = scope.tree;
    const asker = asks.get(id);
    if (asker === undefined) return;
    asks.delete(id);
    this.#parts.links.answer(scope, asker, refusal, turn);
  }

  /** Nobody knows what becomes of the orders on their way. */
  parentLost(scope: Scope, reason: string, turn: Turn): void {
    const { asks } = scope.tree;
    const message = `${reason}; it may have been done, or not`;
    for (const asker of asks.values()) {
      this.#parts.links.answer(scope, asker, { code: "unavailable", message }, turn);
    }
    asks.clear();
  }

  #ask(scope: Scope, asker: Asker | undefined, order: TreeOrder, turn: Turn): void {
    const { tree } = scope;
    let id = 0;
    if (asker !== undefined) {
      tree.lastAsk += 1;
      id = tree.lastAsk;
      tree.asks.set(id, asker);
    }
    this.#parts.links.sayUp(scope, { kind: "ask", id, order }, turn);
  }

  #refusal(scope: Scope): Refusal | undefined {
    const { parent, asks } = scope.tree;
    const { limits } = this.#parts.common;
    if (!this.#parts.reports.isHeard(scope)) {
      const message = `the controller above, ${parent?.name ?? ""}, has not answered yet; try again, or ask there`;
      return { code: "unavailable", message };
    }
    if (asks.size < limits.treeAsksMax) return undefined;
    return overLimit(limits, "treeAsksMax", "the root has too many orders to answer");
  }

  #obey(scope: Scope, asker: Asker | undefined, order: TreeOrder, turn: Turn): void {
    const nobody = endedEdge("");
    const said = turn.listen(nobody, () => {
      const told = order.kind === "cancel-all" ? order : { ...order, connection: askConnection };
      this.#parts.obey(nobody, told, turn);
    });
    if (order.kind === "roster-open" && said.length === 0) {
      // It is answered when all have their parts.
      const roster = scope.rosters.get(order.barrier);
      if (roster !== undefined) roster.opener = asker;
      return;
    }
    if (asker === undefined) return;
    const refused = said.find((effect) => effect.kind === "refused");
    const refusal = refused && { code: refused.code, message: refused.message };
    this.#parts.links.answer(scope, asker, refusal, turn);
  }
}

/** As it is meant from here on. */
function ordered(child: string, order: TreeOrder): TreeOrder {
  switch (order.kind) {
    case "roster-open":
      return { ...order, members: fromAbove(child, order.members) };
    case "roster-change":
      return { ...order, add: fromAbove(child, order.add) };
    default:
      return order;
  }
}
