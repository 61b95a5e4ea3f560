// SPDX-License-Identifier: MIT
// How many scopes a listener may bring into being: names that clients invent fill its own quota and
// not the core's (D18). A scope that is closed through the door counts no more.
import type { EdgeCommand } from "../../wire/link/frames.ts";
import type { HttpBounds } from "./bounds.ts";
import { boundMessage } from "./bounds.ts";
import type { Metrics } from "./metrics.ts";

export class ScopeQuota {
  readonly #bounds: HttpBounds;
  readonly #metrics: Metrics;
  readonly #scopes = new Set<string>();

  constructor(bounds: HttpBounds, metrics: Metrics) {
    this.#bounds = bounds;
    this.#metrics = metrics;
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
      case "open-scope": {
        const { scope } = command;
        if (this.#scopes.has(scope)) return undefined;
        if (this.#scopes.size >= this.#bounds.httpScopesMax) {
          this.#metrics.refused("httpScopesMax");
          return `too many scopes at this door: ${boundMessage(this.#bounds, "httpScopesMax")}`;
        }
        this.#scopes.add(scope);
        return undefined;
      }
      case "close-scope":
        this.#scopes.delete(command.scope);
        return undefined;
      default:
        return undefined;
    }
  }
}
