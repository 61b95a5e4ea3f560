// SPDX-License-Identifier: MIT
// Finds a run in which everybody waits for somebody who cannot come any more: no event is
// planned, nothing changes, and on each node there are as many waits as programs that still run.
// What a program does in the background beside its wait is not seen. Pure.
import type { BarrierDescription, ScopeDescription } from "../core/description.ts";
import { joinNames, nodesNamed } from "./record/words.ts";

/** Where every program of every missing node has ended, nobody need be waited for any longer. */
const provenUs = 5_000_000;

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

  /**
   * @param isDone whether a program of a node has run, and none does or is about to.
   * @returns why the run cannot go on, once that has been so for long enough.
   */
  check(
    nowUs: number,
    scope: ScopeDescription,
    active: readonly ActiveProgram[],
    isDone: (node: string) => boolean = () => false,
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
    const open = scope.barriers.filter(({ arrived }) => arrived > 0);
    const isProven = open.every((barrier) => nobodyIsLeft(barrier, isDone));
    const afterUs = isProven ? Math.min(provenUs, this.#stuckAfterUs) : this.#stuckAfterUs;
    if (nowUs - this.#sinceUs < afterUs) return undefined;
    const names = joinNames(open.map(({ name }) => `'${name}'`));
    const where = open.length === 1 ? `barrier ${names}` : `barriers ${names}`;
    return (
      `nobody can come any more to ${where}: ` +
      "every program that still runs waits, and no event is planned"
    );
  }
}

/** Whether all that may be missing are nodes whose programs have ended. */
function nobodyIsLeft({ missing }: BarrierDescription, isDone: (node: string) => boolean): boolean {
  return (
    missing.length > 0 &&
    missing.every((sentence) => {
      const names = nodesNamed(sentence, isName);
      return names.length > 0 && names.every(isDone);
    })
  );
}

const isName = (text: string): boolean => /^[^\s,]+$/.test(text);

function allWait(
  active: readonly ActiveProgram[],
  waits: readonly (string | undefined)[],
): boolean {
  const free = new Map<string | undefined, number>();
  for (const node of waits) free.set(node, (free.get(node) ?? 0) + 1);
  for (const { node } of active) free.set(node, (free.get(node) ?? 0) - 1);
  return active.length > 0 && active.every(({ node }) => (free.get(node) ?? 0) >= 0);
}
