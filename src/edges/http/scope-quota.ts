// SPDX-License-Identifier: MIT
// How many scopes a listener may bring into being: names that clients invent fill its own quota and
// not the core's (D18), and those of one client its own part of that. One that has ended, whoever
// has ended it, counts no more; one that is there because of somebody else never does.
import type { EdgeCommand } from "../../wire/link/frames.ts";
import { KeyCounts } from "../key-counts.ts";
import type { Caller } from "./access.ts";
import type { HttpBounds } from "./bounds.ts";
import { boundMessage } from "./bounds.ts";
import type { Metrics } from "./metrics.ts";

interface Invented {
  /** Whose it is. */
  readonly account: string;
  /** Whether it has been looked for and not found: a name may be on its way to the core. */
  wasMissed: boolean;
}

export class ScopeQuota {
  readonly #bounds: HttpBounds;
  readonly #metrics: Metrics;
  readonly #isAlive: (scope: string) => boolean;
  readonly #scopes = new Map<string, Invented>();
  readonly #counts = new KeyCounts();

  constructor(bounds: HttpBounds, metrics: Metrics, isAlive: (scope: string) => boolean) {
    this.#bounds = bounds;
    this.#metrics = metrics;
    this.#isAlive = isAlive;
  }

  /** The scope has ended. */
  ended(scope: string): void {
    const { account } = this.#scopes.get(scope) ?? {};
    if (account === undefined) return;
    this.#scopes.delete(scope);
    this.#counts.drop(account);
  }

  /** @returns why the command is one too many, if it is. */
  objection({ account }: Pick<Caller, "account">, command: EdgeCommand): string | undefined {
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
        return this.#onScope(account, command.scope);
      default:
        return undefined;
    }
  }

  #onScope(account: string, scope: string): string | undefined {
    if (this.#scopes.has(scope) || this.#isAlive(scope)) return undefined;
    if (this.#overBound(account) !== undefined) this.#dropEnded();
    const bound = this.#overBound(account);
    if (bound !== undefined) {
      this.#metrics.refused(bound);
      return `too many scopes ${words[bound]}: ${boundMessage(this.#bounds, bound)}`;
    }
    this.#scopes.set(scope, { account, wasMissed: false });
    this.#counts.add(account);
    return undefined;
  }

  #overBound(account: string): keyof typeof words | undefined {
    const { httpScopesMax, httpScopesPerTokenMax } = this.#bounds;
    if (this.#scopes.size >= httpScopesMax) return "httpScopesMax";
    const own = this.#counts.of(account);
    return own >= httpScopesPerTokenMax ? "httpScopesPerTokenMax" : undefined;
  }

  /** A name that the core has refused is dropped when a second look does not find it either. */
  #dropEnded(): void {
    for (const [scope, invented] of this.#scopes) {
      if (this.#isAlive(scope)) continue;
      if (invented.wasMissed) this.ended(scope);
      else invented.wasMissed = true;
    }
  }
}

const words = {
  httpScopesMax: "at this door",
  httpScopesPerTokenMax: "of one token or client",
} as const;
