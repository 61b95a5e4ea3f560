// SPDX-License-Identifier: MIT
// Goal: programs planned for one instant are let go at it by the firing thread, and `firedUs` is
// before what each program's own clock shows at its first instruction.
// Method: real nodes, the real thread; programs print CLOCK_MONOTONIC.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Program } from "../../src/experiment/model.ts";
import { systemClock } from "../../src/host/clock.ts";
import { ThreadFireClock } from "../../src/testbed/agents/firing/thread-fire-clock.ts";
import { ProgramAgent } from "../../src/testbed/agents/program-agent.ts";
import type { NodeBackend } from "../../src/testbed/nodes/index.ts";
import { modes, scratchDirectory, startNodes } from "./nodes-support/harness.ts";

const command = "exec python3 -IS -c 'import time; print(time.clock_gettime_ns(1))'";
const names = Array.from({ length: 8 }, (_none, index) => `p${index}`);
const programs: readonly Program[] = names.map((name) => ({
  ...{ name, node: "node0", command, isStartCommand: false, directory: "", timeoutSeconds: 0 },
  ...{ expectedExitCode: 0, shell: "sh", at: { file: "", line: 1, column: 1 } },
}));

describe.each(modes)("in %s mode", (mode) => {
  const out = scratchDirectory();
  const fire = new ThreadFireClock(systemClock);
  let backend: NodeBackend;
  let agent: ProgramAgent;

  beforeAll(async () => {
    backend = await startNodes(out, { mode });
    const nobody = (): void => undefined;
    agent = new ProgramAgent({
      ...{ backend, programs, clock: systemClock, fire, onStarted: nobody, onEnded: nobody },
    });
  });

  afterAll(async () => {
    await agent.stopAll();
    fire.close();
    await backend.stop();
    rmSync(out, { recursive: true, force: true });
  });

  const logs = (): string => backend.nodes.get("node0")?.hostPath.localLogs ?? "";

  test("programs of one instant start then, as their own clocks say", async () => {
    await Promise.all(names.map((name) => agent.load(name, {})));
    const dueUs = systemClock.nowUs() + 200_000;
    const started = await Promise.all(names.map((name) => agent.start(name, {}, { dueUs })));
    expect(await Promise.all(started.map(({ done }) => done))).toEqual(names.map(() => 0));
    for (const [index, { firedMonotonicUs }] of started.entries()) {
      const printedUs = Number(readFileSync(join(logs(), `p${index}.out`), "utf8")) / 1_000;
      expect(firedMonotonicUs).toBeGreaterThanOrEqual(dueUs);
      expect(printedUs).toBeGreaterThan(firedMonotonicUs);
    }
    // All by the thread: it has counted each.
    expect(fire.lateness().count).toBe(names.length);
  });

  test("a start that was taken back leaves neither a process nor files", async () => {
    const dueUs = systemClock.nowUs() + 3_600_000_000;
    await agent.load("p0", {});
    const start = agent.start("p0", {}, { dueUs, token: 99 });
    while (agent.revoke("p0", 99) === undefined) await new Promise(setImmediate);
    expect((await start).outcome).toBe("cancelled");
    await agent.retire(new Set(["p0"]));
    expect(readdirSync(logs()).filter((file) => /99|loaded/.test(file))).toEqual([]);
  });

  test("a loaded program that is killed before its instant is said to have been", async () => {
    const dueUs = systemClock.nowUs() + 100_000;
    const node = backend.nodes.get("node0");
    const files = { stdout: join(logs(), "victim.out"), stderr: join(logs(), "victim.err") };
    const loaded = await node?.prepare({ name: "victim", argv: ["true"], directory: "", ...files });
    if (loaded === undefined || "startError" in loaded || loaded.trigger === undefined) {
      throw new Error("it could not be loaded");
    }
    await killLaunchers();
    const { trigger } = loaded;
    const fired = await new Promise<{ firedUs: number; error?: string }>((resolve) => {
      fire.at(dueUs, { kind: "write", ...trigger }, resolve);
    });
    expect(fired.error).toContain("EPIPE");
    expect(await loaded.released(fired.firedUs)).toEqual({
      startError: "victim was ended before it could start",
    });
  });
});

/** Kills every launcher of this process, and waits until they are gone. */
async function killLaunchers(): Promise<void> {
  const launchers = (): readonly number[] =>
    readdirSync("/proc")
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number)
      .filter((pid) => isLauncherOfThisTest(pid));
  for (const pid of launchers()) process.kill(pid, "SIGKILL");
  while (launchers().length > 0) await new Promise(setImmediate);
}

function isLauncherOfThisTest(pid: number): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return command.includes("muster-launcher\0") && isDescendant(pid);
  } catch {
    return false;
  }
}

function isDescendant(pid: number): boolean {
  for (let one = pid; one > 1; ) {
    if (one === process.pid) return true;
    const stat = readFileSync(`/proc/${one}/stat`, "utf8");
    one = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  }
  return false;
}
