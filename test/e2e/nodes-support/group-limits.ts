// SPDX-License-Identifier: MIT
// A node that takes all there is of memory and processes, beside one that does its work.
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { newRunId } from "../../../src/host/ids.ts";
import type { BackendOptions, NodeBackend } from "../../../src/testbed/nodes/index.ts";
import { nodeGroupLimits } from "../../../src/testbed/nodes/node-groups.ts";
import { isRoot, runOn, startNodes } from "./harness.ts";
import { ring } from "./ring.ts";

export const groupRoot = "/sys/fs/cgroup";

/** Where this machine lets us make control groups of both kinds, of either version. */
export function hasGroups(): boolean {
  return isRoot && (hasVersion1() || hasVersion2());
}

function hasVersion1(): boolean {
  return ["memory", "pids"].every((kind) => {
    try {
      accessSync(join(groupRoot, kind, "cgroup.procs"), constants.W_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function hasVersion2(): boolean {
  try {
    const passedOn = readFileSync(join(groupRoot, "cgroup.subtree_control"), "utf8").split(/\s+/);
    return ["memory", "pids"].every((kind) => passedOn.includes(kind));
  } catch {
    return false;
  }
}

/** Directories of the control groups of a run, and of those in them. */
export function groupsOf(runId: string): readonly string[] {
  return readdirSync(groupRoot, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => path.includes(`/muster-${runId}`));
}

const forks = "i=0; while [ $i -lt 200 ]; do sleep 20 & i=$((i+1)); done";
const fill = "head -c 400000000 /dev/zero | tail -c 300000000 >/dev/null; kill -- -$$";
const beside = "for i in 1 2 3 4 5; do sleep 0 & done; wait; ping -c 1 -W 5 10.1.0.2";

/** Makes groups below those of its node, as a manager of containers does. */
export const makeGroups: string =
  "while IFS=: read -r id kind path; do case $path in */muster-*) " +
  `mkdir -p ${groupRoot}/$kind$path/deep/deeper;; esac; done </proc/self/cgroup`;

/** What a program has made in its node's groups goes with the run, too. */
export async function expectMadeGroupsGone(out: string): Promise<void> {
  const runId = newRunId();
  const backend = await startNodes(out, { runId });
  const made = await runOn(backend, "node0", makeGroups);
  const found = groupsOf(runId).filter((path) => path.endsWith("/deep"));
  await backend.stop();
  expect(made).toMatchObject({ status: { exitCode: 0 }, stderr: "" });
  expect(found).not.toEqual([]);
  expect(groupsOf(runId)).toEqual([]);
}

const smallShare = (64 * 1024 * 1024) / totalmem();

/** What is told of two nodes that have together what a run may not. */
export async function expectRunLimitTold(out: string): Promise<void> {
  const said: string[] = [];
  const backend = await startNodes(out, {
    groupLimits: { ...nodeGroupLimits, runMemoryShareMax: smallShare },
    onMessage: (_level, _node, text) => said.push(text),
  });
  const filled = await runOn(backend, "node1", fill);
  await backend.stop();
  expect(filled.stdout).toBe("");
  expect(said.join("\n")).toMatch(
    /^\d+ processes of node1 were killed: the nodes together .*runMemoryShareMax: 0\.\d+\)$/,
  );
}

/** @param track gets the back end, to be stopped when the test fails */
export async function expectHarmsItselfAlone(
  out: string,
  track: (backend: NodeBackend) => void,
  more: Partial<BackendOptions> = {},
): Promise<void> {
  const said: string[] = [];
  const runId = newRunId();
  const backend = await startNodes(out, {
    ...ring(2),
    runId,
    groupLimits: {
      ...nodeGroupLimits,
      nodeMemoryShareMax: smallShare,
      nodeProcessesMax: 40,
    },
    onMessage: (_level, _node, text) => said.push(text),
    ...more,
  });
  track(backend);
  expect(backend.lost.join("\n")).not.toContain("no limit");
  // In turn: what fills memory has to be started, too.
  for (const greedy of [fill, forks]) {
    const [taken, working] = await Promise.all([
      runOn(backend, "node0", greedy),
      runOn(backend, "node1", beside),
    ]);
    expect(working).toMatchObject({ status: { exitCode: 0 }, stderr: "" });
    expect(working.stdout).toContain(" 0% packet loss");
    if (greedy === fill) expect(taken.stdout).toBe("");
    else expect(taken.stderr).toMatch(/fork/i);
  }
  expect(groupsOf(runId)).not.toEqual([]);
  await backend.stop();
  expect(said.join("\n")).toMatch(/node0 could not start \d+ processes: .*nodeProcessesMax: 40/);
  expect(said.join("\n")).toMatch(/\d+ processes of node0 were killed: .*nodeMemoryShareMax/);
  expect(said.join("\n")).not.toContain("node1");
  expect(groupsOf(runId)).toEqual([]);
}
