// SPDX-License-Identifier: MIT
// Goal: a roster over a tree of controllers, whose members come to several of them, is the roster
// of one server; and whatever is on its way, cut and said again, nobody goes on before all have
// come. Method: random trees, members and moves beside the naive model, everything brought after
// each; then random moves in between.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RosterMember } from "../../src/core/barriers/commands.ts";
import type { Command } from "../../src/core/command.ts";
import { rosterArrive, rosterOpen } from "../../src/testing/core-driver.ts";
import { NaiveRosters } from "../../src/testing/naive-rosters.ts";
import type { Told } from "../../src/testing/tree-bench.ts";
import { type Shape, TreeAndFlat, treeShape } from "./tree-and-flat.ts";
import {
  Crowd,
  controllers,
  cutAndMend,
  expectNothingLeft,
  restore,
  treeOfFour,
  wireOf,
} from "./tree-of-four.ts";

const runs = Number(process.env["MUSTER_RUNS"] ?? 150);

type Move = {
  readonly who: number;
  readonly at: number;
  readonly error: number;
  readonly phase: number;
  readonly members: number;
  readonly rules: Parameters<typeof rosterOpen>[2] & object;
  readonly what:
    | ("open" | "arrive" | "leave" | "change" | "dead" | "cancel" | "fail")
    | ("end-edge" | "cancel-all" | "second");
};

const rules = fc.record({
  phases: fc.constantFrom(1, 2, 0),
  whenDead: fc.constantFrom("fail" as const, "shrink" as const, "wait" as const),
  whenLate: fc.constantFrom("pass" as const, "refuse" as const, "next" as const),
});
const move: fc.Arbitrary<Move> = fc.record({
  who: fc.nat(7),
  at: fc.nat(5),
  error: fc.constantFrom(0, 0, 3, 9),
  phase: fc.nat(3),
  members: fc.integer({ min: 1, max: 255 }),
  rules,
  what: fc.oneof(
    ...(
      [
        ...([
          ["open", 4],
          ["arrive", 20],
          ["leave", 3],
          ["change", 2],
          ["dead", 1],
        ] as const),
        ...([
          ["cancel", 1],
          ["fail", 1],
          ["end-edge", 1],
          ["cancel-all", 1],
        ] as const),
        ["second", 1],
      ] as const
    ).map(([what, weight]) => ({ weight, arbitrary: fc.constant(what) })),
  ),
});

/** Member `m3` of eight comes to a controller that its number says. */
class Settled extends TreeAndFlat {
  readonly #shape: Shape;
  #arrivals: { readonly at: string; readonly connection: number }[] = [];
  #last = 0;

  constructor(shape: Shape) {
    super(shape, (limits) => new NaiveRosters(limits));
    this.#shape = shape;
  }

  move({ who, at: index, error, phase, members, rules: how, what }: Move): void {
    const { names } = this.#shape;
    const at = names[index % names.length] ?? "c0";
    this.#last += 1;
    const connection = this.#last;
    const place = { scope: "s", barrier: "b", connection } as const;
    const chosen = [0, 1, 2, 3, 4, 5, 6, 7].filter((one) => (members >> one) % 2 === 1);
    switch (what) {
      case "open": {
        const command = rosterOpen(connection, [], how);
        this.say(at, { ...command, members: chosen.map((one) => this.#member(one)) });
        break;
      }
      case "arrive": {
        const home = this.#homeOf(who);
        // Where no member of it ever came to, a roster is not known; one server knows all.
        if (home !== "c0" && !this.#knows(home)) break;
        this.#arrivals.push({ at: home, connection });
        const options = { error, ...(phase === 0 ? {} : { phase }) };
        this.say(home, rosterArrive(connection, `m${who}`, options));
        break;
      }
      case "leave": {
        const one = this.#arrivals[(who * 7 + index) % Math.max(1, this.#arrivals.length)];
        if (one !== undefined) this.say(one.at, { kind: "leave", connection: one.connection });
        break;
      }
      case "change": {
        const add = [this.#member(who)];
        this.say(at, { kind: "roster-change", ...place, add, remove: [`m${(who + 1) % 8}`] });
        break;
      }
      case "dead":
        this.say(at, { kind: "roster-dead", scope: "s", participant: `m${who}`, reason: "ill" });
        break;
      case "cancel":
        this.say(at, { kind: "cancel", ...place, barrierKind: "roster", error });
        break;
      case "fail":
        this.say(at, { kind: "fail", ...place, barrierKind: "roster", error, reason: "no" });
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

  #knows(home: string): boolean {
    const [there, root] = [home, "c0"].map((name) => {
      const [scope] = this.bench.core(name).service.snapshot().scopes;
      const closed = scope?.closed.find(({ key }) => key === "roster b");
      return { isOpen: scope?.rosters.length === 1, last: closed?.generation ?? 0 };
    });
    return there?.isOpen === true || (root?.isOpen === false && root.last === there?.last);
  }

  #member(who: number): RosterMember {
    return { name: `m${who}`, at: this.#pathTo(this.#homeOf(who)) };
  }

  #homeOf(who: number): string {
    const { names } = this.#shape;
    return names[who % names.length] ?? "c0";
  }

  #pathTo(name: string): string {
    const wire = this.#shape.wires.find(([, child]) => child === name);
    if (wire === undefined) return "/";
    const above = this.#pathTo(wire[0]);
    return above === "/" ? `/${name}` : `${above}/${name}`;
  }
}

const homes = [
  ["r1", "root", "/"],
  ["a1", "a", "/a"],
  ["b1", "b", "/b"],
  ["c1", "c", "/a/c"],
  ["c2", "c", "/a/c"],
] as const;

type Step =
  | { readonly kind: "arrive"; readonly who: number; readonly error: number }
  | { readonly kind: "leave"; readonly which: number }
  | { readonly kind: "settle" | "pass" | "open" | "cancel" }
  | { readonly kind: "step" | "cut" | "lose"; readonly wire: number }
  | { readonly kind: "forget" | "restore"; readonly at: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant("arrive" as const),
      who: fc.nat(homes.length - 1),
      error: fc.constantFrom(0, 3, 9),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat(20) }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constantFrom("settle" as const, "settle" as const, "pass" as const, "open" as const),
    }),
  },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("step" as const), wire: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("cut" as const, "cut" as const, "lose" as const),
      wire: fc.nat(2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("forget" as const, "restore" as const, "restore" as const),
      at: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel" as const) }) },
);

class Judge {
  readonly bench = treeOfFour();
  readonly seen = new Set<string>();
  readonly #crowd = new Crowd<{ readonly who: number }>(this.bench);
  #last = 0;
  /** How often each member has come, and had come when each generation was opened. */
  readonly #comings: number[] = homes.map(() => 0);
  readonly #before: (readonly number[])[] = [];
  /**
   * The largest number of a phase that has crossed, and the errors told by generation and phase.
   */
  readonly #errors = new Map<string, number>();
  #hasLost = false;

  step(step: Step): void {
    const { bench } = this;
    switch (step.kind) {
      case "open":
        this.#open();
        break;
      case "cancel":
        bench.put("root", "x", this.#cancel());
        break;
      case "arrive": {
        const [name, at] = homes[step.who] ?? homes[0];
        this.#last += 1;
        const connection = this.#last;
        this.#crowd.come(at, connection, { who: step.who });
        this.#comings[step.who] = (this.#comings[step.who] ?? 0) + 1;
        bench.put(at, "e", rosterArrive(connection, name, { error: step.error }));
        break;
      }
      case "leave":
        this.#crowd.leave(step.which);
        break;
      case "settle":
        bench.settle();
        break;
      case "pass":
        this.#hear(bench.pass(1_000_000));
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
      case "forget":
        this.#hasLost = true;
        this.#crowd.forget(controllers[step.at] ?? "c");
        break;
      case "restore":
        restore(bench, controllers[step.at] ?? "c");
        break;
    }
    this.#hear(bench.takeTold());
  }

  /** Everything is brought: whoever is complete has gone on; then nobody and nothing is left. */
  finish(): void {
    const { bench } = this;
    bench.settle();
    this.#hear(bench.pass(1_000_000));
    const waiting = new Set(this.#crowd.waiting().map(({ who }) => who));
    expect(waiting.size).toBeLessThan(homes.length);
    bench.put("root", "x", this.#cancel());
    bench.settle();
    this.#hear(bench.pass(1_000_000));
    expect(this.#crowd.waiting()).toEqual([]);
    expectNothingLeft(bench);
  }

  #open(): void {
    const root = this.bench.core("root").service;
    if (root.hasBarrier("s", "roster", "b")) return;
    this.#before.push([...this.#comings]);
    const members = homes.map(([name, , at]) => ({ name, at }));
    const options = { phases: 0, whenDead: "fail", whenLate: "next" } as const;
    this.bench.put("root", "x", { ...rosterOpen(1, [], options), members });
  }

  #cancel(): Command {
    return { kind: "cancel", scope: "s", barrier: "b", barrierKind: "roster", error: 0 };
  }

  #hear(told: readonly Told[]): void {
    for (const { controller, edge, effect } of told) {
      if (edge !== "e") continue;
      const released = effect.kind === "released" ? effect.connections : [];
      const refused = effect.kind === "refused" ? [effect.connection] : [];
      for (const connection of [...released, ...refused]) {
        this.#crowd.answer(controller, connection);
      }
      if (effect.kind !== "released") continue;
      const { outcome, error, generation, part = 0 } = effect;
      this.seen.add(outcome);
      if (outcome !== "crossed" || this.#hasLost) continue;
      // B1: everybody has come as often as all have gone on.
      const before = this.#before[generation - 1] ?? [];
      for (const [who, times] of this.#comings.entries()) {
        expect(times - (before[who] ?? 0)).toBeGreaterThanOrEqual(part);
      }
      // B3.
      const key = `${generation} ${part}`;
      expect(error).toBe(this.#errors.get(key) ?? error);
      this.#errors.set(key, error);
    }
  }
}

describe("rosters over a tree", () => {
  it("let nobody go on before all have come, whatever is on its way, cut or lost", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 100, size: "max" }), (all) => {
        const judge = new Judge();
        judge.step({ kind: "open" });
        judge.step({ kind: "settle" });
        for (const step of all) judge.step(step);
        judge.finish();
        for (const word of judge.seen) seen.add(word);
      }),
      { numRuns: runs },
    );
    expect([...seen].sort()).toEqual(["cancelled", "crossed", "failed"]);
  });

  it("are those of one server when each move is brought everywhere", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(treeShape, fc.array(move, { maxLength: 40, size: "max" }), (shape, all) => {
        const both = new Settled(shape);
        for (const one of all) both.move(one);
        for (const word of both.seen) seen.add(word);
      }),
      { numRuns: runs },
    );
    expect([...seen].sort()).toEqual(["acknowledged", "cancelled", "crossed", "failed", "refused"]);
  });
});
