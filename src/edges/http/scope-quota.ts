// SPDX-License-Identifier: MIT
// How many scopes a listener may bring into being: names that clients invent fill its own quota and
// not the core's (D18). One that has ended, whoever has ended it, counts no more; one that is there
// because of somebody else never does.
import type { EdgeCommand } from "../../wire/link/frames.ts";
import type { HttpBounds } from "./bounds.ts";
import { boundMessage } from "./bounds.ts";
import type { Metrics } from "./metrics.ts";

export class ScopeQuota {
  readonly #bounds: HttpBounds;
  readonly #metrics: Metrics;
  readonly #isAlive: (scope: string) => boolean;
  /** Whether it has been seen alive: a name may be on its way to the core. */
  readonly #scopes = new Map<string, boolean>();

  constructor(bounds: HttpBounds, metrics: Metrics, isAlive: (scope: string) => boolean) {
    this.#bounds = bounds;
    this.#metrics = metrics;
    this.#isAlive = isAlive;
  }

  /** The scope has ended. */
  ended(scope: string): void {
    this.#scopes.delete(scope);
  }

  /** @returns why the command is one too many, if it is. */
  objection(command: EdgeCommand): string | undefined {
    switch (command.kind) {
      case "count-init":
      case "count-wait":
      case "state-signal":
      case "state-wait":
      case "state-signal-and-wait":
      case "quorum-init":
      case "peer-register":
      case "peers-set":
      case "tree-join":
      case "roster-open":
      case "publish":
      case "topic-publish":
      case "topic-follow":
      case "open-scope":
        return this.#onScope(command.scope);
      default:
        return undefined;
    }
  }

  #onScope(scope: string): string | undefined {
    if (this.#scopes.has(scope) || this.#isAlive(scope)) return undefined;
    if (this.#scopes.size >= this.#bounds.httpScopesMax) this.#dropEnded();
    if (this.#scopes.size >= this.#bounds.httpScopesMax) {
      this.#metrics.refused("httpScopesMax");
      return `too many scopes at this door: ${boundMessage(this.#bounds, "httpScopesMax")}`;
    }
    this.#scopes.set(scope, false);
    return undefined;
  }

  /** A name that the core has refused is dropped when a second look does not find it either. */
  #dropEnded(): void {
    for (const [scope, wasLooked] of this.#scopes) {
      if (this.#isAlive(scope)) continue;
      if (wasLooked) this.#scopes.delete(scope);
      else this.#scopes.set(scope, true);
    }
  }
}
