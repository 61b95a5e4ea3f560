// SPDX-License-Identifier: MIT
// Plants mutants of a table of faults one at a time; each must turn its test red.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MutantBench, readMutants } from "../../tools/mutants.ts";

export function describePlanted(names: readonly string[]): void {
  describe("a fault that is put back", () => {
    let bench: MutantBench;
    beforeAll(() => {
      bench = new MutantBench();
    });
    afterAll(() => bench.dispose());

    it.each(names)("is found: %s", async (name) => {
      const mutant = readMutants().find((one) => one.name === name);
      if (mutant === undefined) throw new Error(`there is no mutant "${name}"`);
      expect(await bench.run(mutant)).toBeDefined();
    });
  });
}
