// SPDX-License-Identifier: MIT
// Goal: a node whose holder somebody ends is lost at once and by its name, also one on which no
// program runs that would end with it; one that is taken away is not. Method: nodes of both ways to
// make them, in this process, and the number that `muster exec` goes by.
import { rmSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findEntrances } from "../../src/testbed/nodes/entrances.ts";
import type { NodeBackend } from "../../src/testbed/nodes/index.ts";
import { modes, scratchDirectory, startNodes } from "./nodes-support/harness.ts";

let out = "";
let backend: NodeBackend | undefined;

beforeEach(() => {
  out = scratchDirectory();
});
afterEach(async () => {
  await backend?.stop();
  backend = undefined;
  rmSync(out, { recursive: true, force: true });
});

function holderOf(name: string): number {
  const run = findEntrances().find((one) => one.out === out);
  const holder = run?.nodes.find((node) => node.name === name)?.holder ?? null;
  if (holder === null) throw new Error(`nothing holds ${name}`);
  return holder;
}

const node1 = { name: "node1", links: [] };

test.runIf(modes.includes("namespace")).each([
  ["made by perl", {}, false],
  ["made by the shell", { holders: "shell" }, false],
  ["that came later, beside perl", {}, true],
  ["that came later, beside the shell", { holders: "shell" }, true],
] as const)("a node without programs %s is missed when its holder is killed", async (...row) => {
  const [, more, isLate] = row;
  backend = await startNodes(out, { ...more, mode: "namespace" });
  if (isLate) {
    await backend.remove(["node1"]);
    await backend.add([node1]);
  }
  await backend.remove(["node0"]);
  process.kill(holderOf("node1"), "SIGKILL");
  expect(await backend.failed).toContain("ended the process that holds node node1, with all");
});
