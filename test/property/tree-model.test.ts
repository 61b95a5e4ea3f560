// SPDX-License-Identifier: MIT
// Goal: whatever order messages between controllers come in, whatever is cut and mended, a quorum
// over a tree lets nobody go on before every controller has reached it, says one thing to
// everybody, and leaves nobody waiting. Method: random moves over a tree of four; what was reached
// is counted from the moves alone.
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { percent, quorumInit, quorumWait } from "../../src/testing/core-driver.ts";
import type { Told } from "../../src/testing/tree-bench.ts";
import {
  type Controller,
  Crowd,
  controllers,
  cutAndMend,
  expectNothingLeft,
  lastWire,
  treeOfFour,
  wireOf,
} from "./tree-of-four.ts";

/** Peers of each; b is an empty host. */
const peersOf = { root: 1, a: 2, b: 0, c: 3 } as const;

type Move =
  | { readonly kind: "init"; readonly percent: number; readonly explicit: boolean }
  | { readonly kind: "wait"; readonly at: Controller; readonly error: number }
  | { readonly kind: "leave"; readonly which: number }
  | { readonly kind: "echo" | "cancel" | "settle" | "second" }
  | { readonly kind: "step" | "cut"; readonly wire: number };

const wire = fc.nat(lastWire);
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("init" as const),
      percent: fc.constantFrom(1, 50, 100),
      explicit: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      at: fc.constantFrom(...controllers),
      error: fc.constantFrom(0, 0, 3, 9),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat(20) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("echo" as const, "settle" as const, "settle" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("cancel" as const, "second" as const) }),
  },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("step" as const), wire }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut" as const), wire }) },
);

class Judge {
  readonly bench = treeOfFour();
  readonly seen = new Set<string>();
  readonly #crowd = new Crowd<{ readonly barrier: string }>(this.bench);
  /** `BARRIER CONTROLLER` where so many have waited at one time. */
  readonly #reached = new Set<string>();
  readonly #percents = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  #barrier = "";
  #last = 0;

  constructor() {
    for (const [name, count] of Object.entries(peersOf)) {
      this.bench.send(name, "d", { kind: "peers-set", scope: "s", connection: 1, count });
    }
  }

  move(move: Move): void {
    const { bench } = this;
    switch (move.kind) {
      case "init": {
        this.#last += 1;
        this.#barrier = `b${this.#last}`;
        this.#percents.set(this.#barrier, move.percent);
        const echo = move.explicit ? "explicit" : "automatic";
        const options = { barrier: this.#barrier, echo } as const;
        bench.put("root", "d", quorumInit(1_000 + this.#last, percent(move.percent), options));
        break;
      }
      case "wait":
        this.#wait(move.at, move.error);
        break;
      case "leave":
        this.#crowd.leave(move.which);
        break;
      case "echo":
        bench.put("root", "d", {
          ...{ kind: "quorum-echo", scope: "s", barrier: this.#barrier },
          connection: 1_000 + this.#last,
        });
        break;
      case "cancel":
        bench.put("root", "x", this.#cancel());
        break;
      case "settle":
        bench.settle();
        break;
      case "second":
        this.#hear(bench.pass(1_000_000));
        break;
      case "step":
        bench.step(...wireOf(move.wire));
        break;
      case "cut":
        cutAndMend(bench, move.wire);
        break;
    }
    this.#hear(bench.takeTold());
  }

  /** Everything is brought, everything is ended: nobody waits, nothing is open. */
  finish(): void {
    const { bench } = this;
    bench.settle();
    bench.put("root", "x", { kind: "cancel-all", scope: "s", error: 0 });
    bench.settle();
    this.#hear(bench.takeTold());
    expect(this.#crowd.waiting()).toEqual([]);
    expectNothingLeft(bench);
    for (const { service } of bench.cores.values()) {
      expect(service.nextDeadlineUs()).toBeUndefined();
    }
  }

  #cancel(): Command {
    return {
      ...{ kind: "cancel", scope: "s", barrier: this.#barrier, barrierKind: "quorum", error: 0 },
    };
  }

  #wait(at: Controller, error: number): void {
    this.#last += 1;
    const connection = this.#last;
    this.#crowd.come(at, connection, { barrier: this.#barrier });
    // Counted before it is told of: the answer may come with the arrival.
    this.#note(at);
    this.bench.put(at, "e", quorumWait(connection, { barrier: this.#barrier, error }));
  }

  /** Whether enough wait at a controller now, by the moves alone. */
  #note(at: Controller): void {
    const present = this.#crowd
      .waiting()
      .filter((one) => one.at === at && one.barrier === this.#barrier);
    const hundredfold = (this.#percents.get(this.#barrier) ?? 100) * peersOf[at];
    if (present.length * 100 >= hundredfold) this.#reached.add(`${this.#barrier} ${at}`);
  }

  #hear(told: readonly Told[]): void {
    for (const { controller, edge, effect } of told) {
      if (effect.kind === "quorum-status") {
        this.seen.add(effect.status);
        if (effect.status === "crossed") this.#judgeCrossing(effect.barrier, effect.error);
      }
      if (edge !== "e") continue;
      const connections = effect.kind === "released" ? effect.connections : [];
      const refused = effect.kind === "refused" ? [effect.connection] : [];
      for (const connection of [...connections, ...refused]) {
        this.#crowd.answer(controller, connection);
      }
      if (effect.kind !== "released") continue;
      this.seen.add(`waiter ${effect.outcome}`);
      if (effect.outcome !== "crossed") continue;
      // B1, B3: the root has said so, and with that error.
      expect(effect.error).toBe(this.#errors.get(effect.barrier));
    }
  }

  #judgeCrossing(barrier: string, error: number): void {
    for (const name of controllers) {
      if (peersOf[name] === 0) continue;
      expect([...this.#reached], `${barrier} crossed`).toContain(`${barrier} ${name}`);
    }
    expect(this.#errors.has(barrier), "crossed once").toBe(false);
    this.#errors.set(barrier, error);
  }
}

it("a quorum over a tree is right whatever is cut, and in whatever order messages come", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80, size: "max" }), (moves) => {
      const judge = new Judge();
      for (const one of moves) judge.move(one);
      judge.finish();
      for (const word of judge.seen) seen.add(word);
    }),
    { numRuns: Number(process.env["MUSTER_RUNS"] ?? 300) },
  );
  expect([...seen]).toEqual(
    expect.arrayContaining(["initialised", "crossed", "released", "cancelled", "waiter crossed"]),
  );
});
