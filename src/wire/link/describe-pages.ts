// SPDX-License-Identifier: MIT
// Puts the pages together in which a core tells of the barriers of a scope. What opens or ends
// meanwhile may be in the whole or not; what is open all the time is in it once.
//
//   const pages = new DescribedPages();
//   do pages.add(await ask(pages.next)); while (pages.next);
//   pages.whole
import { assert } from "../../core/assert.ts";
import type { BarrierDescription, BarrierPlace, ScopeDescription } from "../../core/description.ts";

export class DescribedPages {
  readonly #barriers: BarrierDescription[] = [];
  /** The rest is as the first page has it. */
  #first: Omit<ScopeDescription, "barriers" | "next"> | undefined;
  #next: BarrierPlace | undefined;

  /** What to ask for next; undefined before the first page and after the last. */
  get next(): BarrierPlace | undefined {
    return this.#next;
  }

  get whole(): ScopeDescription {
    assert(this.#first !== undefined, "there is a page");
    return { ...this.#first, barriers: this.#barriers };
  }

  add({ barriers, next, ...rest }: ScopeDescription): void {
    this.#first ??= rest;
    this.#barriers.push(...barriers);
    this.#next = next;
  }
}
