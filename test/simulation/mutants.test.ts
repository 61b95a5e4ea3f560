// SPDX-License-Identifier: MIT
// Goal: the simulation finds mistakes. Method: known mistakes are planted in a copy of the shipped
// files, one at a time; each must make a seed fail. `tools/mutants.ts` runs these and the mutants
// of single tests.
import { afterAll, beforeAll, expect, it } from "vitest";
import { MutantBench, readMutants } from "../../tools/mutants.ts";

let bench: MutantBench;
beforeAll(() => {
  bench = new MutantBench();
});
afterAll(() => bench.dispose());

const mutants = readMutants().filter(({ by }) => by === "simulation");

it.each(mutants)("the simulation finds: $name", async (mutant) => {
  expect(await bench.run(mutant)).toBeDefined();
});
