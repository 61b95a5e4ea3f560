// SPDX-License-Identifier: MIT
// A tree of controllers beside one server that does the same: what a controller's edge says goes to
// the naive model of the kind as well, as an edge of its own. After each move everything has been
// brought, and what both tell must be equal.
import fc from "fast-check";
import { expect } from "vitest";
import type { Command, LogEntry } from "../../src/core/command.ts";
import type { EdgeEffect } from "../../src/core/effect.ts";
import { type Limits, unusualLimits } from "../../src/core/limits.ts";
import { coreVersionMax } from "../../src/core/version.ts";
import { CoreDriver } from "../../src/testing/core-driver.ts";
import type { NaiveSaid } from "../../src/testing/naive-said.ts";
import { type Told, TreeBench } from "../../src/testing/tree-bench.ts";

interface Model {
  apply(entry: LogEntry): readonly NaiveSaid[];
}

export interface Shape {
  readonly names: readonly string[];
  readonly wires: readonly (readonly [string, string])[];
}

/** Up to six controllers; each but the first is below one of those before it. */
export const treeShape: fc.Arbitrary<Shape> = fc
  .array(fc.nat(), { minLength: 1, maxLength: 5 })
  .map((above) => {
    const names = ["c0", ...above.map((_, index) => `c${index + 1}`)];
    const wires = above.map((seed, index) => [`c${seed % (index + 1)}`, `c${index + 1}`] as const);
    return { names, wires };
  });

/** What is compared of one thing told: by whom, and the words that do not depend on the tree. */
function words(edge: string, effect: EdgeEffect | NaiveSaid["effect"]): readonly string[] {
  switch (effect.kind) {
    case "released": {
      const { barrier, outcome, reason = "", part = 0 } = effect;
      // What is known elsewhere, one who gives up has heard of with the last news.
      const isAlone = outcome === "timeout";
      const [generation, error] = isAlone ? ["any", "any"] : [effect.generation, effect.error];
      // The root of a tree knows at which controller the last member died, and not why.
      const why = reason.replace(/^(nobody is left): .*/, "$1");
      return effect.connections.map((connection) =>
        [edge, connection, barrier, part, generation, outcome, error, why].join(" "),
      );
    }
    case "refused":
      return [`${edge} ${effect.connection} refused ${effect.code}`];
    case "acknowledged":
      return [`${edge} ${effect.connection} acknowledged`];
    case "signalled":
      return [`${edge} ${effect.connection} signalled ${effect.value}`];
    default:
      return [];
  }
}

export class TreeAndFlat {
  readonly bench: TreeBench;
  readonly seen = new Set<string>();
  readonly #flat: CoreDriver;
  readonly #model: Model;

  constructor(shape: Shape, createModel: (limits: Limits) => Model, limits: Partial<Limits> = {}) {
    this.bench = new TreeBench(shape.wires, limits);
    this.#flat = new CoreDriver(limits);
    this.#model = createModel(this.#flat.limits);
    const ofLog = { version: coreVersionMax, limits: unusualLimits(this.#flat.limits) };
    this.#apply(() => this.#flat.send("host", { kind: "version", ...ofLog }));
  }

  /** An edge of a controller says something; both do what follows. */
  say(controller: string, ...commands: readonly Command[]): void {
    const told = [...this.bench.send(controller, "e", ...commands)];
    const edge = `e@${controller}`;
    const said = [...this.#apply(() => this.#flat.send(edge, ...commands))];
    // Reports wait for their time.
    for (let turn = 0; turn < 16; turn += 1) {
      told.push(...this.bench.pass(1_000));
      said.push(...this.#apply(() => this.#flat.tick(1_000)));
    }
    this.#compare(told, said);
  }

  pass(us: number): void {
    for (let leftUs = us; leftUs > 0; leftUs -= 10_000) {
      this.#compare(
        this.bench.pass(10_000),
        this.#apply(() => this.#flat.tick(10_000)),
      );
    }
  }

  /** The edge of a controller ends, and comes back. */
  end(controller: string): void {
    this.say(controller, { kind: "end-edge" });
    this.bench.core(controller).revive("e");
    this.#apply(() => {
      this.#flat.revive(`e@${controller}`);
    });
  }

  #apply(act: () => unknown): readonly NaiveSaid[] {
    const from = this.#flat.entries.length;
    act();
    return this.#flat.entries.slice(from).flatMap((entry) => this.#model.apply(entry));
  }

  #compare(told: readonly Told[], said: readonly NaiveSaid[]): void {
    const ofTree = told
      .filter(({ edge }) => edge === "e")
      .flatMap(({ controller, effect }) => words(`e@${controller}`, effect));
    const ofModel = said.flatMap(({ edge, effect }) => words(edge, effect));
    for (const text of ofTree) this.seen.add(text.split(" ").find((word) => known.has(word)) ?? "");
    expect([...ofTree].sort()).toEqual([...ofModel].sort());
  }
}

const known = new Set([
  "crossed",
  "failed",
  "timeout",
  "cancelled",
  "refused",
  "acknowledged",
  "signalled",
]);
