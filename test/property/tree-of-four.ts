// SPDX-License-Identifier: MIT
// The tree of four controllers that the models of trees disturb, and the crowd that waits in it:
// who has come, has left, has been answered. What barriers owe them is the affair of each model.
import { expect } from "vitest";
import { Service } from "../../src/core/service.ts";
import { TreeBench } from "../../src/testing/tree-bench.ts";

const wires = [
  ["root", "a"],
  ["root", "b"],
  ["a", "c"],
] as const;
export const lastWire = wires.length - 1;
export const controllers = ["root", "a", "b", "c"] as const;
export type Controller = (typeof controllers)[number];

export function treeOfFour(): TreeBench {
  return new TreeBench(wires);
}

/** The two ends of a wire by its number. */
export function wireOf(index: number): readonly [string, string] {
  return wires[index] ?? wires[0];
}

/** A cut and the end of it: what was on its way is said again. */
export function cutAndMend(bench: TreeBench, wire: number): void {
  bench.cut(...wireOf(wire));
  bench.mend(...wireOf(wire));
}

/** A controller's server comes back on its snapshot. */
export function restore(bench: TreeBench, name: string): void {
  const core = bench.core(name);
  const data = JSON.parse(JSON.stringify(core.service.snapshot()));
  const copy = Service.restore(core.limits, data);
  expect(copy.digest()).toBe(core.service.digest());
  expect(copy.snapshot()).toEqual(core.service.snapshot());
  core.service = copy;
}

/** No barrier is open, and no controller has anything left to say to another. */
export function expectNothingLeft(bench: TreeBench): void {
  for (const core of bench.cores.values()) {
    expect(core.service.describe("s").barriers).toEqual([]);
    for (const link of core.service.snapshot().scopes[0]?.tree.links ?? []) {
      expect(link.outbox).toEqual([]);
    }
  }
}

export interface Party {
  readonly at: string;
  readonly connection: number;
  state: "waits" | "left" | "answered" | "forgotten";
}

/**
 * Those who have come, each by a connection of its own, with what a model knows of each besides.
 */
export class Crowd<Own extends object> {
  readonly #bench: TreeBench;
  readonly #parties = new Map<number, Party & Own>();

  constructor(bench: TreeBench) {
    this.#bench = bench;
  }

  come(at: string, connection: number, own: Own): void {
    this.#parties.set(connection, { at, connection, state: "waits", ...own });
  }

  waiting(): readonly (Party & Own)[] {
    return [...this.#parties.values()].filter(({ state }) => state === "waits");
  }

  /** One of those who wait leaves. @returns whether anybody waits */
  leave(which: number): boolean {
    const waiting = this.waiting();
    const party = waiting[which % Math.max(1, waiting.length)];
    if (party === undefined) return false;
    party.state = "left";
    this.#bench.put(party.at, "e", { kind: "leave", connection: party.connection });
    return true;
  }

  /** A controller has lost its memory: who waits there hears nothing any more. */
  forget(at: string): void {
    for (const party of this.waiting()) if (party.at === at) party.state = "forgotten";
    this.#bench.forget(at);
  }

  /** B2: one outcome; B4: none for who has left. */
  answer(controller: string, connection: number): Party & Own {
    const party = this.#parties.get(connection);
    expect([party?.at, party?.state], `${controller} ${connection}`).toEqual([controller, "waits"]);
    if (party === undefined) throw new Error(`nobody came as ${connection}`);
    party.state = "answered";
    return party;
  }
}
