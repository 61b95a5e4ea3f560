// SPDX-License-Identifier: MIT
// Goal: nodes have limits of memory and processes where control groups are of version 2, too: who
// meets one harms itself alone and is told of, nothing of a group is left however a run ends, and
// a machine that passes no controllers on says so, with what would. Method: the machine of
// `npm run test:netem` has version 2 and nothing else, and nobody has set it up.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newRunId } from "../../src/host/ids.ts";
import type { NodeBackend } from "../../src/testbed/nodes/index.ts";
import {
  expectHarmsItselfAlone,
  expectRunLimitTold,
  groupRoot,
  groupsOf,
  hasGroups,
  makeGroups,
} from "../e2e/nodes-support/group-limits.ts";
import {
  endHosts,
  Host,
  scratchDirectory,
  startNodes,
  until,
  untilEmpty,
} from "../e2e/nodes-support/harness.ts";
import { lookAtMachine } from "../e2e/nodes-support/machine.ts";
import { run as muster } from "../e2e/support/command.ts";
import { runBody } from "../e2e/support/experiment.ts";

const SETTLE_MS = 60_000;
const passesOn = join(groupRoot, "cgroup.subtree_control");

let out = "";
const backends: NodeBackend[] = [];

beforeEach(() => {
  out = scratchDirectory();
});

afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.stop()));
  await endHosts();
  rmSync(out, { recursive: true, force: true });
});

/** What a run says that nodes have no limit of, in a shell's surroundings. */
async function unboundedOf(prefix: readonly string[]): Promise<string> {
  const runId = newRunId();
  const request = { runId, out, mode: "namespace" as const, seed: process.pid, nodes: 1 };
  const host = new Host({ ...request, programs: [["true"]] }, prefix);
  const { lost } = await host.answer("up");
  host.child.kill("SIGTERM");
  await host.answer("stopped");
  expect(groupsOf(runId)).toEqual([]);
  return lost.join("\n");
}

describe("control groups of version 2 that are passed on to nobody", () => {
  test("are no limit, and the run says what makes them one", async () => {
    expect(readFileSync(passesOn, "utf8").trim()).toBe("");
    const backend = await startNodes(out);
    backends.push(backend);
    const said = backend.lost.join("\n");
    expect(said).toMatch(/^nodes have no limit of memory and processes, .*: as root say: echo /);
    const command = /as root say: (echo .*)$/m.exec(said)?.[1] ?? "false";
    execFileSync("sh", ["-c", command]);
    expect(hasGroups()).toBe(true);
    writeFileSync(passesOn, "-memory");
    expect(await unboundedOf([])).toMatch(/no limit of memory, .*: as root say: echo '\+memory' /);
    writeFileSync(passesOn, "-pids");
  });

  test("are told of in a container, too, whose processes are in the way", async () => {
    const box = join(groupRoot, "box");
    mkdirSync(box);
    writeFileSync(passesOn, "+memory +pids");
    const enter =
      `echo $$ >${box}/cgroup.procs && exec unshare --cgroup --mount sh -c '` +
      `umount ${groupRoot} && mount -t cgroup2 cgroup2 ${groupRoot} && exec "$@"' sh "$@"`;
    try {
      const said = await unboundedOf(["sh", "-c", enter, "sh"]);
      expect(said).toMatch(/no limit of memory and processes, .*: .* when no processes are in /);
      expect(said).not.toContain("echo");
    } finally {
      const isEmpty = () => readFileSync(join(box, "cgroup.procs"), "utf8") === "";
      await until(isEmpty);
      rmdir(box);
      writeFileSync(passesOn, "-memory -pids");
    }
  });
});

describe("control groups of version 2", () => {
  beforeEach(() => writeFileSync(passesOn, "+memory +pids"));

  test("let a node that takes all there is harm itself alone, and it is told of", async () => {
    await expectHarmsItselfAlone(out, (backend) => backends.push(backend));
  });

  test("let nobody be blamed for what all nodes together may not have", async () => {
    await expectRunLimitTold(out);
  });

  test("end a program of a run, which says why, and go with the run", async () => {
    // Half of the machine is what a node may have.
    const most = totalmem() / 2;
    const [sent, kept] = [1.2, 1.1].map((share) => Math.trunc(share * most));
    const filling = `head -c ${sent} /dev/zero | tail -c ${kept} > /dev/null; echo goes on`;
    const ended = await runBody(`set a [$ns node]
set b [$ns node]
set p [$a program-agent -command "${filling}"]
set q [$b program-agent -command "sleep 1; echo unharmed"]
$ns at 0.5 "$p start"
$ns at 0.5 "$q start"`);
    expect(ended.result.warnings.map(({ text }) => text)).toContainEqual(
      "1 processes of a were killed: they had filled what a node may have of memory " +
        "(limit nodeMemoryShareMax: 0.5)",
    );
    // Its shell says what has become of the program, too.
    expect(ended.text("nodes/a/local/logs/p.out")).toMatch(/goes on\n$/);
    expect(ended.text("nodes/b/local/logs/q.out")).toBe("unharmed\n");
    expect(groupsLeft()).toEqual([]);
  });

  test("go with a Muster that is killed", async () => {
    const host = await startHost("sleep 1000", []);
    host.child.kill("SIGKILL");
    await host.exited;
    expect(await untilEmpty(groupsLeft, SETTLE_MS)).toEqual([]);
  });

  test("are removed by who cleans up, with those that a program has made in them", async () => {
    const host = await startHost(`${makeGroups}; sleep 1000`, ["env", `TMPDIR=${out}`]);
    await until(() => groupsLeft().some((path) => path.endsWith("/deep")));
    const reaper = [...lookAtMachine().processes.values()].find(({ commandLine }) =>
      commandLine.includes("muster-reaper"),
    );
    process.kill(reaper?.pid ?? 0, "SIGKILL");
    host.child.kill("SIGKILL");
    await host.exited;
    expect(groupsLeft()).not.toEqual([]);
    const env = { TMPDIR: out };
    const { code, stdout } = await muster("muster", ["doctor", "--clean", "--json"], { env });
    expect(JSON.parse(stdout)).toMatchObject({ leftovers: { found: 1, removed: 1 } });
    expect(code).toBe(0);
    expect(groupsLeft()).toEqual([]);
  });
});

/** Of any run: there is no other on this machine. */
const groupsLeft = (): readonly string[] => groupsOf("");

async function startHost(program: string, prefix: readonly string[]): Promise<Host> {
  const request = { runId: newRunId(), out, mode: "namespace" as const, seed: process.pid };
  const host = new Host({ ...request, nodes: 2, programs: [["sh", "-c", program]] }, prefix);
  expect(await host.answer("up")).toMatchObject({ lost: [], errors: [] });
  expect(groupsLeft()).not.toEqual([]);
  return host;
}

function rmdir(path: string): void {
  execFileSync("rmdir", [path]);
}
