// SPDX-License-Identifier: MIT
// Finds a run in which everybody waits for somebody who cannot come any more: no event is
// planned, nothing changes, and on each node there are as many waits as programs that still run.
// What a program does in the background beside its wait is not seen. Pure.
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
    const waits = scope.barriers.flatMap(({ waiting }) => waiting.map(({ who }) => who.node));
    if (!allWait(active, waits) || scope.pendingEvents > 0) {
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

function allWait(
  active: readonly ActiveProgram[],
  waits: readonly (string | undefined)[],
): boolean {
  const free = new Map<string | undefined, number>();
  for (const node of waits) free.set(node, (free.get(node) ?? 0) + 1);
  for (const { node } of active) free.set(node, (free.get(node) ?? 0) - 1);
  return active.length > 0 && active.every(({ node }) => (free.get(node) ?? 0) >= 0);
}

function describeStuck(barrier: BarrierDescription): string {
  const nodes = [...new Set(barrier.waiting.map(({ who }) => who.node ?? who.address))];
  return (
    `barrier '${barrier.name}' cannot be crossed: ${barrier.arrived} wait (${nodes.join(", ")}), ` +
    `missing: ${barrier.missing.join(", ")}; every program that still runs waits`
  );
}
