// SPDX-License-Identifier: MIT
// Finds a run in which everybody waits for somebody who cannot come any more: each program that
// still runs is on a node that waits at a barrier, no event is planned, and nothing changes. Pure.
import type { BarrierDescription, ScopeDescription } from "../core/description.ts";

export interface ActiveProgram {
  readonly name: string;
  readonly node: string;
}

export class StuckDetector {
  readonly #stuckAfterUs: number;
  #lastState = "";
  #sinceUs = 0;

  constructor(stuckAfterUs: number) {
    this.#stuckAfterUs = stuckAfterUs;
  }

  /** @returns why the run cannot go on, once that has been so for long enough. */
  check(
    nowUs: number,
    scope: ScopeDescription,
    active: readonly ActiveProgram[],
  ): string | undefined {
    const state = JSON.stringify([active, scope.barriers]);
    if (state !== this.#lastState) {
      this.#lastState = state;
      this.#sinceUs = nowUs;
    }
    const waiting = new Set(
      scope.barriers.flatMap((barrier) => barrier.waiting.map(({ who }) => who.node)),
    );
    const allWait = active.length > 0 && active.every(({ node }) => waiting.has(node));
    if (!allWait || scope.pendingEvents > 0) {
      this.#sinceUs = nowUs;
      return undefined;
    }
    if (nowUs - this.#sinceUs < this.#stuckAfterUs) return undefined;
    return scope.barriers
      .filter(({ arrived }) => arrived > 0)
      .map(describeStuck)
      .join("; ");
  }
}

function describeStuck(barrier: BarrierDescription): string {
  const nodes = [...new Set(barrier.waiting.map(({ who }) => who.node ?? who.address))];
  return (
    `barrier '${barrier.name}' cannot be crossed: ${barrier.arrived} wait (${nodes.join(", ")}), ` +
    `missing: ${barrier.missing.join(", ")}; every program that still runs waits`
  );
}
