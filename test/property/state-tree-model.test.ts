// SPDX-License-Identifier: MIT
// Goal: a state over a tree of controllers is the state of one server: the numbers of signals and
// the ends of waits are those that one server would tell. And whatever is on its way, cut and said
// again, no signal counts twice and no number is given twice. Method: random trees and moves beside
// the naive model, everything brought after each; then random moves in between.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { Service } from "../../src/core/service.ts";
import { signal, signalAndWait, waitFor } from "../../src/testing/core-driver.ts";
import { NaiveStates } from "../../src/testing/naive-states.ts";
import { TreeBench } from "../../src/testing/tree-bench.ts";
import { type Shape, TreeAndFlat, treeShape } from "./tree-and-flat.ts";

const runs = Number(process.env["MUSTER_RUNS"] ?? 150);

const move = fc.record({
  at: fc.nat(5),
  error: fc.constantFrom(0, 0, 3, 9),
  target: fc.integer({ min: -1, max: 9 }),
  which: fc.nat(20),
  what: fc.constantFrom(
    ...(["signal", "signal", "wait", "wait", "both", "both", "leave", "timed"] as const),
    ...(["cancel", "fail", "cancel-all", "end-edge", "second"] as const),
  ),
});
type Move = typeof move extends fc.Arbitrary<infer One> ? One : never;

class Settled extends TreeAndFlat {
  readonly #names: readonly string[];
  #arrivals: { readonly at: string; readonly connection: number }[] = [];
  #last = 0;

  constructor(shape: Shape) {
    super(shape, (limits) => new NaiveStates(limits));
    this.#names = shape.names;
  }

  move({ what, at: index, error, target, which }: Move): void {
    const at = this.#names[index % this.#names.length] ?? "c0";
    this.#last += 1;
    const connection = this.#last;
    const arrive = (command: Command): void => {
      this.#arrivals.push({ at, connection });
      this.say(at, command);
    };
    const order = { scope: "s", barrier: "b", barrierKind: "state", connection, error } as const;
    switch (what) {
      case "signal":
        this.say(at, signal(connection));
        break;
      case "wait":
        arrive(waitFor(connection, target, { error }));
        break;
      case "timed":
        // No two end at one time.
        arrive(waitFor(connection, target, { error, timeoutUs: 700_000 + 13 * connection }));
        break;
      case "both":
        arrive(signalAndWait(connection, target, { error }));
        break;
      case "leave": {
        const one = this.#arrivals[which % Math.max(1, this.#arrivals.length)];
        if (one !== undefined) this.say(one.at, { kind: "leave", connection: one.connection });
        break;
      }
      case "cancel":
        this.say(at, { kind: "cancel", ...order });
        break;
      case "fail":
        // Seldom: from then on everybody fails.
        if (which < 4) this.say(at, { kind: "fail", ...order, reason: "no" });
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

const wires = [
  ["root", "a"],
  ["root", "b"],
  ["a", "c"],
] as const;
const controllers = ["root", "a", "b", "c"] as const;

const step = fc.record({
  at: fc.constantFrom(...controllers),
  wire: fc.nat(2),
  target: fc.integer({ min: 1, max: 20 }),
  what: fc.constantFrom(
    ...(["signal", "signal", "signal", "wait", "both", "step", "step", "step"] as const),
    ...(["settle", "pass", "cut", "restore"] as const),
  ),
});

function wireOf(index: number): readonly [string, string] {
  return wires[index] ?? wires[0];
}

describe("states over a tree", () => {
  it("are those of one server when each move is brought everywhere", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(treeShape, fc.array(move, { maxLength: 30, size: "max" }), (shape, all) => {
        const both = new Settled(shape);
        for (const one of all) both.move(one);
        for (const word of both.seen) seen.add(word);
      }),
      { numRuns: runs },
    );
    const words = ["acknowledged", "cancelled", "crossed", "failed", "refused"];
    expect([...seen].sort()).toEqual([...words, "signalled", "timeout"]);
  });

  it("count every signal once, whatever is on its way and is cut", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (all) => {
        const bench = new TreeBench(wires);
        const [numbers, ends] = [new Map<string, number>(), new Map<string, number>()];
        const waits = new Map<string, number>();
        let [signals, last] = [0, 0];
        const hear = (): void => {
          for (const { controller, effect } of bench.takeTold()) {
            if (effect.kind === "signalled") {
              numbers.set(`${controller} ${effect.connection}`, effect.value);
            }
            if (effect.kind !== "released") continue;
            for (const connection of effect.connections) {
              const key = `${controller} ${connection}`;
              // B1, B2.
              expect(ends.has(key)).toBe(false);
              expect(effect.part).toBeLessThanOrEqual(signals);
              ends.set(key, effect.part ?? 0);
            }
          }
        };
        for (const { what, at, wire, target } of all) {
          last += 1;
          if (what === "signal" || what === "both") signals += 1;
          if (what === "wait" || what === "both") waits.set(`${at} ${last}`, target);
          if (what === "signal") bench.put(at, "e", signal(last));
          else if (what === "wait") bench.put(at, "e", waitFor(last, target));
          else if (what === "both") bench.put(at, "e", signalAndWait(last, target));
          else if (what === "step") bench.step(...wireOf(wire));
          else if (what === "settle") bench.settle();
          else if (what === "pass") bench.tick(1_000);
          else if (what === "cut") {
            bench.cut(...wireOf(wire));
            bench.mend(...wireOf(wire));
          } else {
            const core = bench.core(at);
            const copy = Service.restore(
              core.limits,
              JSON.parse(JSON.stringify(core.service.snapshot())),
            );
            expect(copy.digest()).toBe(core.service.digest());
            core.service = copy;
          }
          hear();
        }
        for (let turn = 0; turn < 30; turn += 1) {
          bench.settle();
          hear();
          bench.tick(1_000);
          hear();
        }
        expect([...numbers.values()].sort((a, b) => a - b)).toEqual(
          Array.from({ length: signals }, (_, index) => index + 1),
        );
        for (const [key, target] of waits) expect(ends.has(key)).toBe(target <= signals);
      }),
      { numRuns: runs },
    );
  });
});
