// SPDX-License-Identifier: MIT
// Goal: the picture that the cleanup tests take tells what a run left from what other tests have.
// Method: pictures of made-up machines; the numbers of namespaces are given out again in them, as
// the kernel does.
import { expect, test } from "vitest";
import { leftovers, type Machine, type MachineProcess } from "../../e2e/nodes-support/machine.ts";

const numbers = ["pid:[4026532178]", "net:[4026532180]"];
const run = {
  runId: "r1",
  parts: ["process 50@5", ...numbers.map((name) => `namespace ${name}`)],
  block: "7",
};

const shell = madeUp({ pid: 10, parent: 1, session: 10, startTime: "1" });
const before = machineOf(shell);

test("a process of the run is left, by its name", () => {
  const own = madeUp({ pid: 50, parent: 10, session: 50, startTime: "5", namespaces: numbers });
  expect(leftovers(before, machineOf(shell, own), run)).toEqual([
    expect.stringMatching(/^process 50@5/),
  ]);
});

test("a namespace is left when a process of nobody is in it", () => {
  const stray = madeUp({ pid: 60, parent: 1, session: 60, startTime: "6", namespaces: numbers });
  expect(leftovers(before, machineOf(shell, stray), run)).toEqual([
    expect.stringMatching(/^process 60@6/),
    ...numbers,
  ]);
});

test.each([
  ["a test beside this one", { environment: "VITEST_WORKER_ID=999\0" }],
  ["another run", { environment: "MUSTER_RUN=r2\0" }],
  ["who was there before, in a session of its own", { session: 10 }],
])("a namespace whose number %s has been given since is not left", (_, its) => {
  const other = madeUp({
    pid: 70,
    parent: 1,
    session: 70,
    startTime: "7",
    namespaces: numbers,
    ...its,
  });
  expect(leftovers(before, machineOf(shell, other), run)).toEqual([]);
});

function madeUp(its: Partial<MachineProcess> & { pid: number }): MachineProcess {
  return {
    parent: 1,
    session: its.pid,
    startTime: "1",
    commandLine: "sh",
    environment: "",
    namespaces: [],
    ...its,
  };
}

function machineOf(...processes: readonly MachineProcess[]): Machine {
  return {
    processes: new Map(processes.map((p) => [`${p.pid}@${p.startTime}`, p])),
    namespaces: new Set(processes.flatMap((p) => p.namespaces)),
    mounts: new Set(),
    listeners: new Set(),
    files: new Set(),
  };
}
