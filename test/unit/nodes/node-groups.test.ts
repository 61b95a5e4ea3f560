// SPDX-License-Identifier: MIT
// Goal: who starts a run hears what its nodes have no limit of, and why. Method: the sentences.
import { expect, test } from "vitest";
import { describeUnbounded } from "../../../src/testbed/nodes/node-groups.ts";

test.each([
  [undefined, true, /^nodes have no limit of memory and processes, .* \(sudo muster run FILE\)$/],
  [undefined, false, /^nodes have no limit of memory and processes, .*: .* cannot be made here$/],
  [{ bounded: ["pids"] as const }, false, /^nodes have no limit of memory, /],
  [{ bounded: ["memory"] as const }, false, /^nodes have no limit of processes, /],
])("groups %j, an ordinary user: %s", (groups, asUser, sentence) => {
  const said = describeUnbounded(groups, asUser);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(sentence);
});

test("nothing is said where nodes have both", () => {
  expect(describeUnbounded({ bounded: ["memory", "pids"] }, false)).toEqual([]);
});
