// SPDX-License-Identifier: MIT
// Goal: a node whose holder somebody ends is lost at once and by its name, also one on which no
// program runs that would end with it; one that is taken away is not. Nor does a program outlive
// who waits for it outside its node. Method: nodes of both ways to make them, in this process, the
// number that `muster exec` goes by, and what the kernel says of parents.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { enterNode, findEntrances, type NodeEntrance } from "../../src/testbed/nodes/entrances.ts";
import type { NodeBackend } from "../../src/testbed/nodes/index.ts";
import { modes, scratchDirectory, startNodes, until } from "./nodes-support/harness.ts";

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

function entranceOf(name: string): NodeEntrance {
  const run = findEntrances().find((one) => one.out === out);
  const entrance = run?.nodes.find((node) => node.name === name);
  if (entrance === undefined) throw new Error(`there is no ${name}`);
  return entrance;
}

function holderOf(name: string): number {
  const { holder } = entranceOf(name);
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

/** What the kernel says of a process; undefined when it has ended. */
function statusOf(pid: number): { readonly parent: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    const parent = Number(/^PPid:\t(\d+)$/m.exec(text)?.[1]);
    return /^State:\t[ZX]/m.test(text) ? undefined : { parent };
  } catch {
    return undefined;
  }
}

test.runIf(modes.includes("namespace")).each([
  ["who waits for it is killed", false, 1],
  ["who waits for one that is measured is killed", true, 1],
  ["who measures it is killed", true, 2],
] as const)("a program ends when %s", async (_what, isMeasured, generations) => {
  backend = await startNodes(out, { mode: "namespace" });
  const path = join(out, "log");
  const started = await backend.nodes.get("node0")?.spawn({
    ...{ name: "p", argv: ["sleep", "1000"], directory: "/" },
    ...{ stdout: path, stderr: path, isMeasured },
  });
  if (started === undefined || "startError" in started) throw new Error("it did not start");
  const { pid } = started;
  const ancestors = [pid];
  for (let at = 0; at < generations; at += 1) {
    ancestors.push(statusOf(ancestors[at] ?? 0)?.parent ?? 0);
  }
  process.kill(ancestors[generations] ?? 0, "SIGKILL");
  await started.done;
  expect(await until(() => statusOf(pid) === undefined)).toBe(true);
});

test.runIf(modes.includes("namespace")).each([
  ["who waits for it is killed", (_asker: number, waiter: number) => waiter],
  ["who has started it is killed", (asker: number) => asker],
])("what muster exec runs ends when %s", async (_what, victimOf) => {
  backend = await startNodes(out, { mode: "namespace" });
  const words = enterNode(entranceOf("node0"), ["sh", "-c", 'echo "it runs"; exec sleep 1000']);
  // In place of Muster.
  const asker = spawn("sh", ["-c", '"$@" & wait', "sh", ...words], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(asker.stdout, "data");
  const [waiter = 0] = childrenOf(asker.pid ?? 0);
  const [program = 0] = childrenOf(waiter);
  expect(statusOf(program)).toEqual({ parent: waiter });
  process.kill(victimOf(asker.pid ?? 0, waiter), "SIGKILL");
  expect(await until(() => statusOf(program) === undefined)).toBe(true);
});

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}
