// SPDX-License-Identifier: MIT
// Goal: a count over a tree of controllers is the count of one server: whoever comes to whichever
// controller is told what one server would tell. And whatever is on its way, cut and said again, is
// counted once. Method: random trees and moves beside the naive model, everything brought after
// each; then random moves in between, judged by sums of the moves alone.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { init, initOnly, wait } from "../../src/testing/core-driver.ts";
import { NaiveCounts } from "../../src/testing/naive-counts.ts";
import type { Told } from "../../src/testing/tree-bench.ts";
import { type Shape, TreeAndFlat, treeShape } from "./tree-and-flat.ts";
import {
  type Controller,
  Crowd,
  controllers,
  cutAndMend,
  expectNothingLeft,
  lastWire,
  restore,
  treeOfFour,
  wireOf,
} from "./tree-of-four.ts";

const runs = Number(process.env["MUSTER_RUNS"] ?? 150);
const barriers = ["b", "c"] as const;

type Move = {
  readonly at: number;
  readonly barrier: (typeof barriers)[number];
  readonly error: number;
  readonly count: number;
  readonly which: number;
  readonly what:
    | ("init" | "init-only" | "wait" | "timed-wait" | "leave" | "change")
    | ("cancel" | "fail" | "cancel-all" | "end-edge" | "second");
};

const move = (weights: Readonly<Partial<Record<Move["what"], number>>>): fc.Arbitrary<Move> =>
  fc.record({
    at: fc.nat(5),
    barrier: fc.constantFrom(...barriers),
    error: fc.constantFrom(0, 0, 3, 9),
    count: fc.nat(3),
    which: fc.nat(20),
    what: fc.oneof(
      ...Object.entries(weights).map(([what, weight]) => ({
        weight,
        arbitrary: fc.constant(what as Move["what"]),
      })),
    ),
  });

class Settled extends TreeAndFlat {
  readonly #names: readonly string[];
  #arrivals: { readonly at: string; readonly connection: number }[] = [];
  #last = 0;

  constructor(shape: Shape) {
    super(shape, (limits) => new NaiveCounts(limits));
    this.#names = shape.names;
  }

  move({ what, at: index, barrier, error, count, which }: Move): void {
    const at = this.#names[index % this.#names.length] ?? "c0";
    this.#last += 1;
    const connection = this.#last;
    const arrive = (command: Command): void => {
      this.#arrivals.push({ at, connection });
      this.say(at, command);
    };
    const place = { scope: "s", barrier, connection } as const;
    switch (what) {
      case "init":
        arrive(init(connection, count, { barrier, error }));
        break;
      case "init-only":
        this.say(at, initOnly(connection, count, { barrier }));
        break;
      case "wait":
        arrive(wait(connection, { barrier, error }));
        break;
      case "timed-wait":
        // No two end at one time.
        arrive(wait(connection, { barrier, error, timeoutUs: 700_000 + 13 * connection }));
        break;
      case "leave": {
        const one = this.#arrivals[which % Math.max(1, this.#arrivals.length)];
        if (one !== undefined) this.say(one.at, { kind: "leave", connection: one.connection });
        break;
      }
      case "change":
        this.say(at, { kind: "count-change", ...place, expected: count + which });
        break;
      case "cancel":
        this.say(at, { kind: "cancel", ...place, error });
        break;
      case "fail":
        this.say(at, { kind: "fail", ...place, error, reason: "no" });
        break;
      case "cancel-all":
        this.say(at, { kind: "cancel-all", scope: "s", error });
        break;
      case "end-edge":
        this.end(at);
        break;
      case "second":
        this.pass(1_000_000);
        break;
    }
  }
}

type Step =
  | {
      readonly kind: "come";
      readonly at: Controller;
      readonly count: number;
      readonly error: number;
    }
  | { readonly kind: "leave"; readonly which: number }
  | { readonly kind: "settle" | "pass" }
  | { readonly kind: "step" | "cut" | "lose"; readonly wire: number }
  | { readonly kind: "forget" | "restore"; readonly at: Controller };

const wireNumber = fc.nat(lastWire);
const at = fc.constantFrom(...controllers);
const kindOf = <Kind extends string>(kind: Kind) => fc.constant(kind);
const steps = {
  come: fc.record({ kind: kindOf("come"), at, count: fc.nat(6), error: fc.constantFrom(0, 3, 9) }),
  leave: fc.record({ kind: kindOf("leave"), which: fc.nat(20) }),
  settle: fc.record({ kind: fc.constantFrom("settle" as const, "pass" as const) }),
  step: fc.record({ kind: kindOf("step"), wire: wireNumber }),
  cut: fc.record({ kind: kindOf("cut"), wire: wireNumber }),
  lose: fc.record({ kind: kindOf("lose"), wire: wireNumber }),
  forget: fc.record({ kind: kindOf("forget"), at }),
  restore: fc.record({ kind: kindOf("restore"), at }),
};

/** Knows the moves, and judges what the tree tells. */
class Judge {
  readonly bench = treeOfFour();
  readonly seen = new Set<string>();
  readonly #crowd = new Crowd<{ readonly brings: number }>(this.bench);
  #last = 0;
  readonly #crossings = new Map<number, { sum: number; readonly error: number }>();
  #hasLeft = false;
  #hasLost = false;

  step(step: Step): void {
    const { bench } = this;
    switch (step.kind) {
      case "come": {
        this.#last += 1;
        const connection = this.#last;
        const brings = step.count < 3 ? step.count : -1;
        this.#crowd.come(step.at, connection, { brings });
        const { error } = step;
        const command =
          brings < 0 ? wait(connection, { error }) : init(connection, brings, { error });
        bench.put(step.at, "e", command);
        break;
      }
      case "leave":
        if (this.#crowd.leave(step.which)) this.#hasLeft = true;
        break;
      case "settle":
        bench.settle();
        break;
      case "pass":
        this.#hear(bench.pass(1_000));
        break;
      case "step":
        bench.step(...wireOf(step.wire));
        break;
      case "cut":
        cutAndMend(bench, step.wire);
        break;
      case "lose":
        this.#hasLost = true;
        this.#hear(bench.lose(...wireOf(step.wire)));
        bench.mend(...wireOf(step.wire));
        break;
      case "restore":
        restore(bench, step.at);
        break;
      case "forget":
        this.#hasLost = true;
        this.#crowd.forget(step.at);
        break;
    }
    this.#hear(bench.takeTold());
  }

  /** Everything is brought: the root knows of all who wait, and of nobody else. */
  finish(): void {
    const { bench } = this;
    this.#bring();
    const sum = this.#crowd.waiting().reduce((total, { brings }) => total + brings, 0);
    const ofRoot = bench.core("root").service.describe("s").barriers[0];
    expect(ofRoot?.count ?? 0).toBe(sum);
    // One that is complete is not open.
    if (this.#crowd.waiting().length > 0) expect(sum).not.toBe(0);
    if (!this.#hasLeft && !this.#hasLost) {
      for (const crossing of this.#crossings.values()) expect(crossing.sum).toBe(0);
    }
    bench.put("root", "x", { kind: "cancel-all", scope: "s", error: 0 });
    this.#bring();
    expect(this.#crowd.waiting()).toEqual([]);
    expectNothingLeft(bench);
  }

  #bring(): void {
    for (let turn = 0; turn < 30; turn += 1) {
      this.bench.settle();
      this.#hear(this.bench.pass(1_000));
    }
  }

  #hear(told: readonly Told[]): void {
    for (const { controller, edge, effect } of told) {
      if (edge !== "e" || effect.kind !== "released") continue;
      const { outcome, error, generation } = effect;
      this.seen.add(outcome);
      const crossing = this.#crossings.get(generation) ?? { sum: 0, error };
      for (const connection of effect.connections) {
        crossing.sum += this.#crowd.answer(controller, connection).brings;
      }
      if (outcome !== "crossed" || this.#hasLost) continue;
      // B3: one error for all of a crossing.
      expect(error).toBe(crossing.error);
      this.#crossings.set(generation, crossing);
    }
  }
}

function judge(
  weights: Readonly<Partial<Record<keyof typeof steps, number>>>,
): ReadonlySet<string> {
  const seen = new Set<string>();
  const options = Object.entries(weights).map(([kind, weight]) => {
    return { weight, arbitrary: steps[kind as keyof typeof steps] as fc.Arbitrary<Step> };
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(...options), { maxLength: 80, size: "max" }), (all) => {
      const one = new Judge();
      for (const step of all) one.step(step);
      one.finish();
      for (const word of one.seen) seen.add(word);
    }),
    { numRuns: runs },
  );
  return seen;
}

describe("counts over a tree", () => {
  it("are those of one server when each move is brought everywhere", () => {
    const seen = new Set<string>();
    const moves = fc.array(
      move({
        ...{ init: 3, "init-only": 2, wait: 8, "timed-wait": 2, leave: 4, change: 1 },
        ...{ cancel: 1, fail: 1, "cancel-all": 1, "end-edge": 1, second: 1 },
      }),
      { maxLength: 30, size: "max" },
    );
    fc.assert(
      fc.property(treeShape, moves, (shape, all) => {
        const both = new Settled(shape);
        for (const one of all) both.move(one);
        for (const word of both.seen) seen.add(word);
      }),
      { numRuns: runs },
    );
    const words = ["acknowledged", "cancelled", "crossed", "failed", "refused", "timeout"];
    expect([...seen].sort()).toEqual(words);
  });

  it("count everybody once, whatever is on its way and is cut", () => {
    const seen = judge({ come: 12, settle: 4, step: 12, cut: 2, restore: 1 });
    expect([...seen].sort()).toEqual(["cancelled", "crossed"]);
  });

  it("uncount who leaves, and forget who is lost", () => {
    const rare = { cut: 1, lose: 1, forget: 1, restore: 1 };
    const seen = judge({ come: 12, leave: 4, settle: 5, step: 12, ...rare });
    expect([...seen].sort()).toEqual(["cancelled", "crossed", "failed"]);
  });
});
