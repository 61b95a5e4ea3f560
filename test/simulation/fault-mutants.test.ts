// SPDX-License-Identifier: MIT
// Goal: none of the recorded faults of the old event system can come back unseen. Method: a dozen
// of the mutants that bring them back are planted, each must turn its test red; of all mutants the
// text they change must be there once, and docs/internals/event-faults.md must count them rightly.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMutants } from "../../tools/mutants.ts";
import { describePlanted } from "./planted.ts";

const root = join(import.meta.dirname, "../..");
const mutants = readMutants();

/**
 * Of different parts: the core's agenda, the bus, the clients, agents, and what starts a scheduler.
 */
const tried: readonly string[] = [
  "fault 1: an event that cannot be sent is dropped in silence",
  "fault 3: an empty sequence gives no completion",
  "fault 4: a token is the second in which it was asked for",
  "fault 9: equal instants fire in any order",
  "fault 12: a negative time is taken",
  "fault 15: a mixed group is taken for a group",
  "fault 18: START of an active sequence starts it again",
  "fault 20: a member that answers twice counts twice",
  "fault 26: keys of a traffic generator are told apart by case",
  "fault 27: a notification that was recorded is taken again",
  "fault 28: who may speak for one experiment may for all",
  "fault 31: a process with the id of one that died is taken for it",
];

describePlanted(tried);

describe("the list of mutants", () => {
  it.each(mutants)("has a text to change that is there once: $name", ({ file, find, by }) => {
    expect(readFileSync(join(root, file), "utf8").split(find)).toHaveLength(2);
    if (by !== "simulation" && by !== "cluster")
      expect(readFileSync(join(root, by), "utf8")).not.toBe("");
  });

  it("has as many for each fault as the table says, and its tests are those of the table", () => {
    const table = readFileSync(join(root, "docs/internals/event-faults.md"), "utf8");
    const rows = [...table.matchAll(/^\| (\d+) \|.*\| ([^|]*) \| (\d*) \|$/gm)];
    expect(rows.map(([, number]) => Number(number))).toEqual(
      Array.from({ length: 34 }, (_, at) => at + 1),
    );
    for (const [, number, tests = "", count] of rows) {
      const own = mutants.filter(({ name }) => name.startsWith(`fault ${number}:`));
      expect([number, own.length]).toEqual([number, Number(count)]);
      for (const { by } of own) {
        expect(tests).toContain(by.replace(/^.*\//, "").replace(".test.ts", ""));
      }
    }
  });
});
