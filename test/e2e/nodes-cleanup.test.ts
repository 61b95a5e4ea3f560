// SPDX-License-Identifier: MIT
// Goal: nothing of a run outlives it (N1), however it ends.
// Method: a picture of the whole machine before and after; in between, programs that double-fork,
// leave their session and ignore signals, and a Muster that is killed with -9.
import { chmodSync, readdirSync, rmSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { newRunId } from "../../src/host/ids.ts";
import { findLeftovers } from "../../src/testbed/nodes/index.ts";
import {
  endHosts,
  Host,
  isRoot,
  modes,
  scratchDirectory,
  until,
  untilEmpty,
} from "./nodes-support/harness.ts";
import { leftovers, lookAtMachine, type Machine, partsOfRun } from "./nodes-support/machine.ts";
import { run } from "./support/command.ts";

const SETTLE_MS = 60_000;

/** Ignores what can be ignored, in its own session, orphaned; leaves files where others look. */
const STUBBORN = `
trap '' TERM INT HUP
echo $$ >"\${TMPDIR}/stubborn.pid"; [ ! -d /proj ] || echo $$ >/var/run/stubborn.pid
mkfifo "$TMPDIR/fifo"
(setsid sh -c 'trap "" TERM INT HUP; (setsid sh -c "trap \\"\\" TERM; while :; do sleep 1000; done" &) ; while :; do sleep 1000; done' &)
while :; do sleep 1000; done
`;
/** Has no fixed pid to aim at: each generation starts the next and ends. */
const COMET = `[ "$1" = x ] || exec sh "$TMPDIR/comet" x; sleep 0.01; sh "$TMPDIR/comet" x & exit 0`;
const START_COMET = `printf '%s\\n' '${COMET.replaceAll("'", `'\\''`)}' >"$TMPDIR/comet"; sh "$TMPDIR/comet" x; sleep 1000`;
const STOPPED = "kill -STOP $$; sleep 1000";
/** Hides its environment, but stays where it was started. */
const ANONYMOUS = "exec env -i sleep 1000";

const directories: string[] = [];

afterEach(async () => {
  await endHosts();
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

interface Started {
  readonly host: Host;
  readonly before: Machine;
  readonly run: {
    readonly runId: string;
    readonly parts: readonly string[];
    readonly block: string;
  };
}

async function startStubborn(
  mode: (typeof modes)[number],
  programs: readonly string[],
  prefix: readonly string[] = [],
): Promise<Started> {
  const out = scratchDirectory();
  directories.push(out);
  chmodSync(out, 0o777); // The host may run as somebody else.
  const runId = newRunId();
  const before = lookAtMachine();
  const host = new Host(
    {
      ...{ runId, out, mode, seed: process.pid, nodes: 3 },
      programs: programs.map((text) => ["sh", "-c", text]),
    },
    prefix,
  );
  const up = await host.answer("up");
  expect(up.errors).toEqual([]);
  expect(up.mode).toBe(mode);
  // Each node has its stubborn family of three shells when this many carry the mark.
  const grown = await until(() => {
    const marked = [...lookAtMachine().processes.values()].filter((p) =>
      p.environment.includes(`MUSTER_RUN=${runId}`),
    );
    return marked.length >= 3 * (programs.length + 4);
  });
  expect(grown).toBe(true);
  const parts = partsOfRun(before, lookAtMachine(), runId, host.child.pid ?? 0);
  return { host, before, run: { runId, parts, block: up.control.split(".")[1] ?? "" } };
}

async function expectNothingLeft(started: Started): Promise<void> {
  const left = await untilEmpty(
    () => leftovers(started.before, lookAtMachine(), started.run),
    SETTLE_MS,
  );
  expect(left).toEqual([]);
}

describe.each(modes)("the machine after a run in %s mode", (mode) => {
  const programs = [STUBBORN, STOPPED, ANONYMOUS];

  test("is as before when the run ends in order", async () => {
    const started = await startStubborn(mode, programs);
    started.host.child.kill("SIGTERM");
    const stopped = await started.host.answer("stopped");
    await started.host.exited;
    // Nothing is waited for: stop() has to have seen to it itself.
    expect(leftovers(started.before, lookAtMachine(), started.run)).toEqual([]);
    // The reaper would have taken ten seconds more.
    expect(stopped.downMs).toBeLessThan(9_000);
  });

  // The second is what a closed terminal does to a Muster that handles nothing.
  test.each(["SIGKILL", "SIGHUP"] as const)("is as before when %s ends Muster", async (name) => {
    const started = await startStubborn(mode, programs);
    started.host.child.kill(name);
    await expectNothingLeft(started);
  });

  test("is as before after Ctrl-C, which a terminal sends to a whole group", async () => {
    const started = await startStubborn(mode, programs);
    process.kill(-(started.host.child.pid ?? 0), "SIGINT");
    await started.host.answer("stopped");
    await started.host.exited;
    expect(leftovers(started.before, lookAtMachine(), started.run)).toEqual([]);
  });

  test("is as before when the reaper is killed and the run ends in order", async () => {
    const started = await startStubborn(mode, programs);
    process.kill(reaperOf(started.run.runId), "SIGKILL");
    started.host.child.kill("SIGTERM");
    await started.host.answer("stopped");
    await expectNothingLeft(started);
  });

  test("is as before when somebody cleans up after Muster and reaper were killed", async () => {
    // Out of sight of other runs, which would clean up themselves.
    const temporary = scratchDirectory();
    directories.push(temporary);
    const started = await startStubborn(mode, [STUBBORN], ["env", `TMPDIR=${temporary}`]);
    await killWithReaper(started);
    const mine = () => findLeftovers(temporary);
    expect(mine().map(({ runId }) => runId)).toEqual([started.run.runId]);
    const env = { TMPDIR: temporary };
    const { code, stdout, stderr } = await run("muster", ["doctor", "--clean", "--json"], { env });
    expect(`${code} ${stderr}`).toBe("0 ");
    expect(JSON.parse(stdout)).toMatchObject({ leftovers: { found: 1, removed: 1 } });
    expect(mine()).toEqual([]);
    await expectNothingLeft(started);
  });

  test("is as before when the next run starts after Muster and reaper were killed", async () => {
    const temporary = scratchDirectory();
    directories.push(temporary);
    const prefix = ["env", `TMPDIR=${temporary}`];
    const dead = await startStubborn(mode, [STUBBORN], prefix);
    const alive = await startStubborn(mode, [STUBBORN], prefix);
    await killWithReaper(dead);
    expect(readdirSync(temporary)).toContain(`muster-${dead.run.runId}`);
    const next = await startStubborn(mode, [STUBBORN], prefix);
    const ids = [alive, next].map(({ run }) => `muster-${run.runId}`).sort();
    expect(readdirSync(temporary).sort()).toEqual(ids);
    for (const { host } of [alive, next]) host.child.kill("SIGTERM");
    for (const { host } of [alive, next]) await host.answer("stopped");
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("is as before when the reaper is stopped and the run ends in order", async () => {
    const started = await startStubborn(mode, [STUBBORN]);
    process.kill(reaperOf(started.run.runId), "SIGSTOP");
    started.host.child.kill("SIGTERM");
    const { downMs } = await started.host.answer("stopped");
    expect(downMs).toBeGreaterThan(9_000);
    expect(downMs).toBeLessThan(60_000);
    await expectNothingLeft(started);
  });

  test("findLeftovers() leaves a living run alone", async () => {
    const started = await startStubborn(mode, [STUBBORN]);
    expect(findLeftovers().map(({ runId }) => runId)).not.toContain(started.run.runId);
    started.host.child.kill("SIGKILL");
    await expectNothingLeft(started);
  });

  test.runIf(isRoot)("is as before when an ordinary user's Muster is killed", async () => {
    const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const started = await startStubborn(mode, programs, user);
    started.host.child.kill("SIGKILL");
    await expectNothingLeft(started);
  });
});

describe.runIf(modes.includes("namespace"))("namespaces", () => {
  test("end a program that has a new pid every few milliseconds", async () => {
    const started = await startStubborn("namespace", [STUBBORN, START_COMET]);
    started.host.child.kill("SIGKILL");
    await expectNothingLeft(started);
  });

  test("end a program that hid its environment and left its session", async () => {
    const hidden = "env -i setsid sleep 1000 & sleep 1000";
    const started = await startStubborn("namespace", [STUBBORN, hidden]);
    started.host.child.kill("SIGKILL");
    await expectNothingLeft(started);
  });
});

async function killWithReaper({ host, run }: Started): Promise<void> {
  process.kill(reaperOf(run.runId), "SIGKILL");
  host.child.kill("SIGKILL");
  await host.exited;
}

function reaperOf(runId: string): number {
  const found = [...lookAtMachine().processes.values()].find((p) =>
    p.commandLine.includes(`muster-reaper ${runId}`),
  );
  if (found === undefined) throw new Error("no reaper");
  return found.pid;
}
