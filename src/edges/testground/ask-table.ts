// SPDX-License-Identifier: MIT
// The asks of one client by their ids. A client may use an id for several at once, and hardly ever
// does: one ask alone takes no set.
import type { Ask } from "./ask.ts";

export class AskTable {
  readonly #asks = new Map<string, Ask | Set<Ask>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(ask: Ask): void {
    const same = this.#asks.get(ask.id);
    if (same === undefined) this.#asks.set(ask.id, ask);
    else if (same instanceof Set) same.add(ask);
    else this.#asks.set(ask.id, new Set([same, ask]));
    this.#count += 1;
  }

  /** Of an ask that is in the table. */
  delete(ask: Ask): void {
    const same = this.#asks.get(ask.id);
    if (!(same instanceof Set) || (same.delete(ask) && same.size === 0)) this.#asks.delete(ask.id);
    this.#count -= 1;
  }

  /** In the order in which they came. */
  of(id: string): readonly Ask[] {
    return listOf(this.#asks.get(id));
  }

  all(): readonly Ask[] {
    return [...this.#asks.values()].flatMap(listOf);
  }
}

function listOf(asks: Ask | Set<Ask> | undefined): readonly Ask[] {
  if (asks === undefined) return [];
  return asks instanceof Set ? [...asks] : [asks];
}
