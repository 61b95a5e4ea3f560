// SPDX-License-Identifier: MIT
// Goal: the table of the faults of GNUnet's barrier service says which tests find each of them.
// Method: the list of mutants is held against it; that each mutant is found is shown by
// `node tools/mutants.ts "gnunet fault"`, and of some of them here.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMutants } from "../../tools/mutants.ts";
import { describePlanted } from "./planted.ts";

const root = join(import.meta.dirname, "../..");
const mutants = readMutants().filter(({ name }) => name.startsWith("gnunet fault "));

/** Of different parts: the codec, the doors, the core. */
const tried: readonly string[] = [
  "gnunet fault 3: the failure of a sub-controller is swallowed",
  "gnunet fault 8: an arrival is not taken back",
  "gnunet fault 13: what follows the name of a status is not looked at",
];

describePlanted(tried);

describe("the table of faults", () => {
  it("has as many mutants for each fault as it says, found by tests that it names", () => {
    const table = readFileSync(join(root, "docs/internals/gnunet-faults.md"), "utf8");
    const rows = [...table.matchAll(/^\| (\d+) \|.*\| ([^|]*) \| (\d*) \|$/gm)];
    expect(rows.map(([, number]) => Number(number))).toEqual(
      Array.from({ length: 15 }, (_, at) => at + 1),
    );
    for (const [, number, tests = "", count] of rows) {
      const own = mutants.filter(({ name }) => name.startsWith(`gnunet fault ${number}:`));
      expect([number, own.length]).toEqual([number, Number(count)]);
      const named = tests.split(",").map((test) => test.trim());
      const folders = named.filter((test) => test.includes("/"));
      for (const test of folders) {
        expect(existsSync(join(root, "test", `${test}.test.ts`)), test).toBe(true);
      }
      for (const { by } of own) {
        const file = by.replace(/^test\//, "").replace(".test.ts", "");
        const isNamed = named.some((test) => file === test || file.endsWith(`/${test}`));
        expect(isNamed, `${by} of fault ${number}`).toBe(true);
      }
    }
  });
});
