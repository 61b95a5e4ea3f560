// SPDX-License-Identifier: MIT
// Goal: experiments in steps, as a user takes them: up starts a daemon, status, logs, down; every
// refusal has a reason and a status; a daemon that is killed leaves nothing running and the next
// one says so. Method: the commands of bin/ in processes of their own, real nodes.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ExperimentDetails } from "../../src/boss/experiment-views.ts";
import type { StatusOfAll } from "../../src/boss/protocol.ts";
import { markedProcesses } from "../../src/testbed/nodes/marked-processes.ts";
import { Command, type Ended, repository, run, scratch, start, until } from "./support/command.ts";
import { nodesWith, readResult, readText, sh } from "./support/experiment.ts";

let state = "";
beforeEach(() => {
  state = join(scratch(), "state");
});
// A daemon belongs to no command of the test: it is asked to end, before its directory goes.
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
});

const environment = () => ({ env: { MUSTER_STATE: state } });
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, environment());
const startMuster = (...argv: readonly string[]): Command => start("muster", argv, environment());

function experimentFile(name: string, body: string): string {
  const file = join(scratch(), `${name}.ns`);
  writeFileSync(file, `set ns [new Simulator]\nsource tb_compat.tcl\n${body}\n$ns run\n`);
  return file;
}

/** Waits at a barrier for somebody who never comes; the other node prints until it is stopped. */
const endless = (name = "endless"): string =>
  experimentFile(
    name,
    nodesWith(
      sh("echo here; emulab-sync -n meet -i 1"),
      sh("i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done"),
    ),
  );

async function statusOf(id: string): Promise<ExperimentDetails> {
  const { stdout } = await muster("status", id, "--json");
  return JSON.parse(stdout) as ExperimentDetails;
}

const daemonPid = (): number => {
  const log = readText(join(state, "serve.log"));
  return Number([...log.matchAll(/\(process (\d+)\)$/gm)].at(-1)?.[1]);
};

function isAlive(pid: number): boolean {
  try {
    // A zombie, whose parent is slow to ask for it, is no process any more.
    return !/^State:\sZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const runIdOf = (directory: string): string =>
  /"runId":"(\w+)"/.exec(readText(join(directory, "record.ndjson")))?.[1] ?? "";

describe("muster up", () => {
  test("starts a daemon; status, logs and down do what they say; nothing is left", async () => {
    const up = await muster("up", endless());
    expect(up.stderr).toBe("");
    expect(up.code).toBe(0);
    expect(up.stdout).toMatch(/muster\/endless: run 1, seed \d+, results in .*\n.* is active; see/);
    const pid = daemonPid();
    expect(statSync(state).mode & 0o777).toBe(0o700);

    const follower = startMuster("logs", "-f", "endless");
    await follower.prints(/barrier meet 1 of 2 waiting; missing: .*n1/);
    const programs = startMuster("logs", "--follow", "endless", "n1");
    await programs.prints(/^line 3$/m);

    const { stdout } = await muster("status");
    expect(stdout).toMatch(/^EXPERIMENT +STATE +SINCE +NODES +PROGRAMS +BARRIERS$/m);
    expect(stdout).toMatch(
      /^muster\/endless +active +.* ago +2 of 2 +2 running, 0 ended +meet 1\/2, missing: .*n1/m,
    );
    const details = await statusOf("endless");
    expect(details.live).toMatchObject({ nodesUp: 2, programsRunning: 2 });
    const directory = details.runs[0]?.directory ?? "";
    const runId = runIdOf(directory);
    expect(markedProcesses(runId).length).toBeGreaterThan(2);

    const down = await muster("down", "endless");
    expect(down).toMatchObject({ code: 0, stderr: "" });
    expect(markedProcesses(runId)).toEqual([]);
    expect((await follower.ended).stdout).toContain("failed");
    expect((await programs.ended).code).toBe(0);
    expect(readResult(directory)).toMatchObject({ endedBy: "terminate", error: null });
    expect((await statusOf("endless")).history.map(({ to }) => to)).toEqual([
      ...["swapped", "activating", "active", "swapping", "swapped"],
    ]);
    expect((await muster("logs", "endless", "n0")).stdout).toMatch(/^==> .*\.out\.\d+ <==\nhere\n/);

    expect((await muster("serve", "--stop")).code).toBe(0);
    await until("the daemon has ended", () => !isAlive(pid));
    expect(existsSync(join(state, "muster.sock"))).toBe(false);
  });

  test("refuses a second time, a bad file and a lost one, each with its status", async () => {
    const file = endless();
    expect((await muster("up", file, "--json")).code).toBe(0);
    const again = await muster("up", file);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(
      /^muster: muster\/endless is active .*muster down muster\/endless/,
    );
    expect(again.stderr).not.toContain("another file");
    const bad = await muster("up", experimentFile("bad", "nonsense"));
    expect(bad.code).toBe(65);
    expect(bad.stderr).toMatch(/bad\.ns:3:1: error\[.*\n.*nonsense/);
    expect((await muster("up", join(state, "none.ns"))).code).toBe(66);
    expect((await muster("up", file, "--eid", "a/b")).code).toBe(64);
    const unknown = await muster("down", "nobody");
    expect(unknown.code).toBe(66);
    expect(unknown.stderr).toContain("muster status lists them");
    expect((await statusOf("endless")).state).toBe("active");
  });

  test("warns of a name that is cut, and says whose it is", async () => {
    const simplex = endless("long_experiment_file_name_simplex");
    const first = await muster("up", simplex);
    expect(first.stderr).toMatch(
      /name of the file is cut: this is muster\/long-experiment-fil; .*--eid/,
    );
    const ping = endless("long_experiment_file_name_ping");
    const second = await muster("up", ping);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(
      `what has the name is another file, ${simplex}: give ${ping} one`,
    );
    expect((await muster("up", ping, "--eid", "ping")).stderr).toBe("");
  });

  test("of two at the same moment starts one daemon, and both experiments", async () => {
    const both = await Promise.all([
      muster("up", endless("first")),
      muster("up", endless("second")),
    ]);
    expect(both.map(({ code, stderr }) => `${code} ${stderr}`)).toEqual(["0 ", "0 "]);
    const { stdout } = await muster("status", "--json");
    const { experiments, log: none } = JSON.parse(stdout) as StatusOfAll;
    expect(none).toBeNull();
    const names = experiments.map((one) => one.experiment);
    expect(names).toEqual(["muster/first", "muster/second"]);
    const log = readText(join(state, "serve.log"));
    expect(log.match(/keeping the experiments/g)).toHaveLength(1);
  });

  test("ends by itself when everything has been done, and its results are those of a run", async () => {
    const file = experimentFile("short", nodesWith(sh("echo done")));
    expect((await muster("up", file)).code).toBe(0);
    const { code, stdout } = await startMuster("logs", "-f", "short").ended;
    expect(code).toBe(0);
    expect(stdout).toContain("passed");
    const [first] = (await statusOf("short")).runs;
    expect(first).toMatchObject({ outcome: "passed", endedBy: "idle" });
  });

  test("stays up where its file starts no program, and exec says when it has ended", async () => {
    const file = experimentFile("idle", 'set n0 [$ns node]\n$ns at 0 "$ns log here"');
    expect((await muster("up", file)).code).toBe(0);
    // Its only event is over, and so is one that was sent.
    const sent = await muster("event", "send", "idle", "ns", "LOG", "MSG=there", "--wait");
    expect(sent.stdout).toContain("ns LOG is completed");
    // Other runs of the same user may have an n0, too.
    const inside = await muster("exec", "--experiment", "idle", "n0", "--", "echo", "still here");
    expect(inside.stdout).toBe("still here\n");
    expect((await statusOf("idle")).state).toBe("active");
    expect((await muster("down", "idle")).code).toBe(0);
    const [first] = (await statusOf("idle")).runs;
    expect(first).toMatchObject({ outcome: "passed", endedBy: "terminate" });
    const late = await muster("exec", "--experiment", "idle", "n0", "--", "true");
    expect(late.code).toBe(125);
    expect(late.stderr).toMatch(/muster\/idle ended by terminate \d+ s ago; start one with/);
  });

  test("after kill -9 of the daemon finds nothing running, and says what was lost", async () => {
    expect((await muster("up", endless())).code).toBe(0);
    const directory = (await statusOf("endless")).runs[0]?.directory ?? "";
    const runId = runIdOf(directory);
    const pid = daemonPid();
    const follower = startMuster("logs", "-f", "endless");
    await follower.prints(/node n0 up/);
    process.kill(pid, "SIGKILL");
    expect((await follower.ended).code).toBe(69);
    await until("the nodes have ended with the daemon", () => markedProcesses(runId).length === 0);
    const status = await muster("status");
    expect(status.code).toBe(69);
    expect(status.stderr).toMatch(/no daemon answers .*muster up FILE/);
    const up = await muster("up", endless());
    expect(`${up.code} ${up.stderr}`).toBe("0 ");
    const { runs, history } = await statusOf("endless");
    expect(runs.map(({ number }) => number)).toEqual([1, 2]);
    expect(runs[0]?.error?.code).toBe("DAEMON_DIED");
    expect(history.map(({ note }) => note).join()).toContain("the daemon died");
  });
});

test.skipIf(process.getuid?.() !== 0)(
  "a file system that is read-only is called that",
  async () => {
    const place = scratch();
    const script = 'mount -t tmpfs -o ro none "$1" && exec "$2" up "$3" --state "$1/own"';
    const command = join(repository, "bin/muster");
    const words = ["-m", "sh", "-c", script, "sh", place, command, endless()];
    const { code, stderr } = await new Command("unshare", words).ended;
    expect(stderr).toMatch(
      /cannot make the state directory .*own: its file system is read-only; choose/,
    );
    expect(code).toBe(73);
  },
);

describe("muster serve", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("swaps everything out on %s", async (signal) => {
    const daemon = startMuster("serve");
    await daemon.prints(/keeping the experiments/);
    expect((await muster("up", endless())).code).toBe(0);
    const directory = (await statusOf("endless")).runs[0]?.directory ?? "";
    const runId = runIdOf(directory);
    daemon.child.kill(signal);
    const { code, stderr } = await daemon.ended;
    expect(`${code} ${stderr}`).toMatch(/^0 muster: audit: up "\S+", by user \S+\n$/);
    expect(markedProcesses(runId)).toEqual([]);
    expect(readResult(directory)).toMatchObject({ endedBy: "terminate" });
    expect(existsSync(join(state, "muster.sock"))).toBe(false);
  });

  test("refuses a directory that another keeps, or that others may enter", async () => {
    const daemon = startMuster("serve");
    await daemon.prints(/keeping the experiments/);
    const second = await muster("serve");
    expect(second.code).toBe(75);
    expect(second.stderr).toContain("in use by another Muster");
    daemon.child.kill("SIGTERM");
    await daemon.ended;
    const open = await run("muster", ["serve", "--state", "/"], {});
    expect(open.code).toBe(73);
    expect(open.stderr).toContain("chmod 700");
  });

  test("explains in up what keeps it from starting", async () => {
    const daemon = startMuster("serve");
    await daemon.prints(/keeping the experiments/);
    daemon.child.kill("SIGTERM");
    await daemon.ended;
    writeFileSync(join(state, "experiments.db"), "nonsense ".repeat(1_000));
    const up = await muster("up", endless());
    expect(up.code).toBe(69);
    expect(up.stderr).toMatch(/could not be started: .*damaged or no database/);
  });
});
