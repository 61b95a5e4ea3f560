// SPDX-License-Identifier: MIT
// The scopes of a core: which there are, and whether one more may be.
import type { CoreFigures } from "./description.ts";
import type { Limits } from "./limits.ts";
import type { Refusal } from "./refusal.ts";
import { overLimit } from "./refusal.ts";
import { Scope } from "./scope.ts";
import { utf8Length } from "./text.ts";

export class ScopeTable {
  readonly scopes: Map<string, Scope> = new Map();
  /** Tells this log from others, for controllers above (M8); 0 as long as it has joined none. */
  origin = 0;
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get(name: string): Scope | undefined {
    return this.scopes.get(name);
  }

  /** Why there can be no such scope, if there can be none. */
  refusal(name: string): Refusal | undefined {
    if (this.scopes.has(name)) return undefined;
    const limits = this.#limits;
    if (utf8Length(name) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the scope's name is too long");
    }
    if (this.scopes.size < limits.scopesMax) return undefined;
    return overLimit(limits, "scopesMax", "too many scopes");
  }

  /** The scope, made when it is new; the caller has asked `refusal`. */
  obtain(name: string): Scope {
    const known = this.scopes.get(name);
    if (known !== undefined) return known;
    const scope = new Scope(name);
    this.scopes.set(name, scope);
    return scope;
  }

  clear(): void {
    this.scopes.clear();
    this.origin = 0;
  }

  /** Sums over all of them. */
  figures(nowUs: number): CoreFigures {
    let [waiters, barriers, oldestWaitUs] = [0, 0, 0];
    for (const scope of this.scopes.values()) {
      barriers += scope.openBarriers;
      for (const place of scope.places()) {
        waiters += place.waiters.size;
        const [oldest] = place.waiters;
        if (oldest) oldestWaitUs = Math.max(oldestWaitUs, nowUs - oldest.arrivedUs);
      }
    }
    return { waiters, oldestWaitUs, barriers, scopes: this.scopes.size };
  }
}
