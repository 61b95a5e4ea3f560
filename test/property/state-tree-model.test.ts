// SPDX-License-Identifier: MIT
// Goal: a state over a tree of controllers is the state of one server: the numbers of signals and
// the ends of waits are those that one server would tell. And whatever is on its way, cut and said
// again, no signal counts twice and no number is given twice. Method: random trees and moves beside
// the naive model, everything brought after each; then random moves in between.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { signal, signalAndWait, waitFor } from "../../src/testing/core-driver.ts";
import { NaiveStates } from "../../src/testing/naive-states.ts";
import type { Told } from "../../src/testing/tree-bench.ts";
import { type Shape, TreeAndFlat, treeShape } from "./tree-and-flat.ts";
import {
  type Controller,
  Crowd,
  controllers,
  cutAndMend,
  lastWire,
  restore,
  treeOfFour,
  wireOf,
} from "./tree-of-four.ts";

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

const step = fc.record({
  at: fc.constantFrom(...controllers),
  wire: fc.nat(2),
  target: fc.integer({ min: 1, max: 20 }),
  what: fc.constantFrom(
    ...(["signal", "signal", "signal", "wait", "both", "both", "step", "step", "step"] as const),
    ...(["settle", "pass", "cut", "restore", "leave"] as const),
  ),
});

type Disturbed =
  | {
      readonly kind: "signal" | "wait" | "both";
      readonly at: Controller;
      readonly target: number;
      readonly timeoutUs: number | undefined;
    }
  | { readonly kind: "leave"; readonly which: number }
  | { readonly kind: "settle" | "pass" }
  | { readonly kind: "step" | "cut" | "lose"; readonly wire: number }
  | { readonly kind: "forget" | "restore" | "close"; readonly at: Controller };

const wireNumber = fc.nat(lastWire);
const someController = fc.constantFrom(...controllers);
const disturbed: fc.Arbitrary<Disturbed> = fc.oneof(
  {
    weight: 16,
    arbitrary: fc.record({
      kind: fc.constantFrom("signal" as const, "wait" as const, "both" as const, "both" as const),
      at: someController,
      target: fc.integer({ min: -1, max: 5 }),
      timeoutUs: fc.constantFrom(undefined, undefined, 1_500, 900_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat(20) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("settle" as const, "pass" as const) }),
  },
  {
    weight: 16,
    arbitrary: fc.record({ kind: fc.constant("step" as const), wire: wireNumber }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("cut" as const, "lose" as const),
      wire: wireNumber,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("restore" as const), at: someController }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("forget" as const, "close" as const),
      at: someController,
    }),
  },
);

/** Knows the moves, and what each who waits may be told. */
class Judge {
  readonly bench = treeOfFour();
  readonly seen = new Set<string>();
  readonly #crowd = new Crowd<{ readonly signals: boolean }>(this.bench);
  readonly #numbered = new Set<number>();
  #last = 0;
  #hasClosed = false;

  step(step: Disturbed): void {
    const { bench } = this;
    switch (step.kind) {
      case "signal":
      case "wait":
      case "both":
        this.#come(step);
        break;
      case "leave":
        this.#crowd.leave(step.which);
        break;
      case "settle":
        bench.settle();
        break;
      case "pass":
        bench.tick(1_000);
        break;
      case "step":
        bench.step(...wireOf(step.wire));
        break;
      case "cut":
        cutAndMend(bench, step.wire);
        break;
      case "lose":
        this.#hear(bench.lose(...wireOf(step.wire)));
        bench.mend(...wireOf(step.wire));
        break;
      case "restore":
        restore(bench, step.at);
        break;
      case "close":
        this.#hasClosed = true;
        bench.put(step.at, "x", { kind: "close-scope", scope: "s", error: 0 });
        break;
      case "forget":
        this.#crowd.forget(step.at);
        break;
    }
    this.#hear(bench.takeTold());
  }

  /** Everything is brought: nobody waits but who is waiting, and the root can end that. */
  finish(): void {
    const { bench } = this;
    this.#bring();
    for (const [name, core] of bench.cores) {
      const waiting = this.#crowd.waiting().filter(({ at }) => at === name).length;
      expect(core.service.waitersOfEdge("e"), name).toBe(waiting);
      // Of a scope that is closed at one of them the others hear when that joins again.
      if (this.#crowd.waiting().length > 0 || this.#hasClosed) continue;
      for (const { state } of core.service.describe("s").barriers) {
        expect(state?.targets, name).toEqual([]);
      }
    }
    for (const name of controllers) {
      bench.put(name, "x", { kind: "close-scope", scope: "s", error: 0 });
    }
    this.#bring();
    expect(this.#crowd.waiting()).toEqual([]);
  }

  #come({ kind, at, target, timeoutUs }: Extract<Disturbed, { readonly target: number }>): void {
    this.#last += 1;
    const connection = this.#last;
    if (kind === "signal") {
      this.bench.put(at, "e", signal(connection));
      return;
    }
    this.#crowd.come(at, connection, { signals: kind === "both" });
    const options = timeoutUs === undefined ? {} : { timeoutUs };
    const command =
      kind === "both"
        ? signalAndWait(connection, target, options)
        : waitFor(connection, target, options);
    this.bench.put(at, "e", command);
  }

  #bring(): void {
    for (let turn = 0; turn < 30; turn += 1) {
      this.bench.settle();
      this.#hear(this.bench.pass(1_000_000));
    }
  }

  #hear(told: readonly Told[]): void {
    for (const { controller, edge, effect } of told) {
      if (edge !== "e") continue;
      if (effect.kind === "signalled") this.#numbered.add(effect.connection);
      const isWaiting = ({ connection }: { readonly connection: number }): boolean =>
        effect.kind === "refused" && connection === effect.connection;
      // Its signal may count, or not: that is said also of one that has had an end, or has left.
      if (effect.kind === "refused" && this.#crowd.waiting().some(isWaiting)) {
        this.seen.add(effect.code);
        this.#crowd.answer(controller, effect.connection);
      }
      if (effect.kind !== "released") continue;
      const { outcome } = effect;
      this.seen.add(outcome);
      for (const connection of effect.connections) {
        const { signals } = this.#crowd.answer(controller, connection);
        if (signals && outcome === "crossed") expect(this.#numbered.has(connection)).toBe(true);
      }
    }
  }
}

describe("states over a tree", () => {
  it("end once for each who waits, after the number of its signal, whatever is lost", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(disturbed, { maxLength: 80, size: "max" }), (all) => {
        const one = new Judge();
        for (const step of all) one.step(step);
        one.finish();
        for (const word of one.seen) seen.add(word);
      }),
      { numRuns: runs },
    );
    expect([...seen].sort()).toEqual([
      ...["cancelled", "crossed", "failed", "timeout", "unavailable"],
    ]);
  });

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
        const bench = treeOfFour();
        const [numbers, ends] = [new Map<string, number>(), new Map<string, number>()];
        const waits = new Map<string, number>();
        const both = new Set<string>();
        const left = new Set<string>();
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
              // B4, and the number comes first.
              expect(left.has(key)).toBe(false);
              if (both.has(key)) expect(numbers.has(key)).toBe(true);
              expect(effect.part).toBeLessThanOrEqual(signals);
              ends.set(key, effect.part ?? 0);
            }
          }
        };
        for (const { what, at, wire, target } of all) {
          last += 1;
          if (what === "signal" || what === "both") signals += 1;
          if (what === "wait" || what === "both") waits.set(`${at} ${last}`, target);
          if (what === "both") both.add(`${at} ${last}`);
          if (what === "signal") bench.put(at, "e", signal(last));
          else if (what === "wait") bench.put(at, "e", waitFor(last, target));
          else if (what === "both") bench.put(at, "e", signalAndWait(last, target));
          else if (what === "step") bench.step(...wireOf(wire));
          else if (what === "settle") bench.settle();
          else if (what === "pass") bench.tick(1_000);
          else if (what === "cut") cutAndMend(bench, wire);
          else if (what === "restore") restore(bench, at);
          else {
            const [key = `${at} 0`] = [...waits.keys()].slice(target % Math.max(1, waits.size));
            const [name = at, connection] = key.split(" ");
            bench.put(name, "e", { kind: "leave", connection: Number(connection) });
            if (waits.delete(key) && !ends.has(key)) left.add(key);
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
