// SPDX-License-Identifier: MIT
// Goal: who starts a run hears what its nodes have no limit of, and why. Method: the sentences.
import { expect, test } from "vitest";
import { describeUnbounded, type GroupsRoot } from "../../../src/testbed/nodes/node-groups.ts";

test.each([
  [undefined, true, /^nodes have no limit of memory and processes, .* \(sudo muster run FILE\)$/],
  [undefined, false, /^nodes have no limit of memory and processes, .*: .* cannot be made here$/],
  [{ bounded: ["pids"] as const }, false, /^nodes have no limit of memory, /],
  [{ bounded: ["memory"] as const }, false, /^nodes have no limit of processes, /],
])("groups %j, an ordinary user: %s", (groups, asUser, sentence) => {
  const said = describeUnbounded(groups, asUser, () => undefined);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(sentence);
});

test("nothing is said where nodes have both", () => {
  expect(describeUnbounded({ bounded: ["memory", "pids"] }, false)).toEqual([]);
});

const none: GroupsRoot = { offered: ["cpu", "memory", "pids"], passedOn: ["cpu"], isBusy: false };

test.each([
  [none, "as root say: echo '+memory +pids' >/sys/fs/cgroup/cgroup.subtree_control"],
  [{ ...none, passedOn: ["memory"] }, "as root say: echo '+pids' >/sys/fs/cgroup/"],
  [{ ...none, isBusy: true }, "lacks +memory +pids, and takes it only when no processes are in "],
  [{ ...none, offered: ["pids"] }, "this machine have no memory (/sys/fs/cgroup/cgroup.contr"],
  [{ ...none, passedOn: none.offered }, "control groups cannot be made here"],
])("groups of version 2 that are %j: %s", (seen, words) => {
  const [said] = describeUnbounded(undefined, false, () => seen);
  expect(said).toContain(words);
});
