// SPDX-License-Identifier: MIT
// Of which scopes the log takes nothing, as an edge is told: of all of them, or, where a server has
// several logs, of those of each log that is away.
import type { OfScope } from "../host/core-link.ts";

export class AwayScopes {
  readonly #away = new Set<OfScope>();

  has(scope: string): boolean {
    for (const of of this.#away) if (of(scope)) return true;
    return false;
  }

  note(isAway: boolean, of: OfScope): void {
    if (isAway) this.#away.add(of);
    else this.#away.delete(of);
  }

  clear(): void {
    this.#away.clear();
  }
}
