// SPDX-License-Identifier: MIT
// Goal: every run comes to an end that says which it is and why; also when it is cut short the
// results are written.
// Method: one experiment for each kind of end, through bin/muster; signals to the command itself.
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { findEntrances } from "../../src/testbed/nodes/entrances.ts";
import { leftovers, lookAtMachine, lookAtProcesses } from "./nodes-support/machine.ts";
import { scratch, until } from "./support/command.ts";
import {
  ended,
  nodesWith,
  readRecord,
  readText,
  runBody,
  type StartedRun,
  sh,
  startRun,
} from "./support/experiment.ts";

/** Two meet, and who should be the third has died. */
const isRoot = process.getuid?.() === 0;
/** Of `unshare`, for who may mount only in a name space of users. */
const asUser = isRoot ? [] : ["--user", "--map-root-user"];

const deserted = nodesWith(
  "emulab-sync -i 2 -n meet",
  "emulab-sync -n meet",
  sh("echo no luck >&2; exit 9"),
);

describe("a run ends", () => {
  test("by itself when programs and events are done", async () => {
    const body = `${nodesWith("true")}
set late [$n0 program-agent -command "true"]
$ns at 0.5 "$late start"`;
    const { result, code } = await runBody(body);
    expect(result).toMatchObject({ endedBy: "idle", outcome: "passed", error: null });
    // Not before the last event, although nothing runs in between.
    expect(result.endedUs).toBeGreaterThan(500_000);
    expect(code).toBe(0);
  });

  test.each(["terminate", "halt", "swapout"])("at $ns %s, and stops what runs", async (word) => {
    const body = `${nodesWith("sleep 100")}\n$ns at 0.4 "$ns ${word}"`;
    const { result, code } = await runBody(body);
    expect(result).toMatchObject({ endedBy: "terminate", outcome: "passed" });
    expect(result.programs[0]).toMatchObject({ stopped: true, signal: "SIGTERM" });
    expect(result.endedUs).toBeLessThan(60_000_000);
    expect(code).toBe(0);
  });

  test("at --duration, with the barriers that are open cancelled", async () => {
    const { result, code } = await runBody(deserted, ["--duration", "4"]);
    expect(result).toMatchObject({ endedBy: "duration", outcome: "failed", error: null });
    expect(result.barriers).toMatchObject([{ name: "meet", outcome: "cancelled", expected: 3 }]);
    expect(result.endedUs).toBeGreaterThanOrEqual(4_000_000);
    expect(code).toBe(1);
  });

  test("when everybody waits for somebody who cannot come, naming both", async () => {
    const { result, code, stdout } = await runBody(deserted, ["--stuck-after", "1"]);
    expect(result).toMatchObject({ endedBy: "failure", error: { code: "BARRIER_STUCK" } });
    const message = result.error?.message ?? "";
    expect(message).toMatch(/^nobody can come any more to barrier 'meet': /);
    expect(stdout).toContain(message);
    expect(stdout).toMatch(
      /meet was cancelled: 2 of 3 arrived \((?:n0, n1|n1, n0)\); missing: n2 \(.* ended with 9 at/,
    );
    expect(stdout).toContain("2 stopped while they waited");
    // Who died is told beside it, with its last words.
    expect(stdout).toContain("program n2_startcmd on n2 exited with 9");
    expect(stdout).toContain("| no luck");
    expect(result.barriers[0]?.participants.map(({ node }) => node).sort()).toEqual(["n0", "n1"]);
    expect(code).toBe(1);
  });

  test("not while a program on the node of a waiting one still works", async () => {
    const body = `${nodesWith("emulab-sync -i 1 -n meet")}
set worker [$n0 program-agent -command "sleep 3; emulab-sync -n meet"]
$ns at 0 "$worker start"`;
    const { result } = await runBody(body, ["--stuck-after", "0.5"]);
    expect(result).toMatchObject({ endedBy: "idle", outcome: "passed" });
  });

  test("not while an event is planned that may release who waits", async () => {
    const body = `${nodesWith("emulab-sync -i 1 -n meet")}
set late [$n0 program-agent -command "emulab-sync -n meet"]
$ns at 3 "$late start"`;
    const { result } = await runBody(body, ["--stuck-after", "0.5"]);
    expect(result).toMatchObject({ endedBy: "idle", outcome: "passed" });
  });

  test("when the sync server is killed, and says so", async () => {
    // Nor does it end by itself before it is killed, however busy the machine is: who is missing
    // may still come.
    const body = nodesWith("emulab-sync -i 2 -n meet", "emulab-sync -n meet", "sleep 1000");
    const started = startRun(body);
    await started.command.prints(/meet 2 of 3 waiting/);
    // What starts it has its command line for a moment, and is gone then; the list of processes
    // is read one by one and may miss it while it moves.
    // A run that is over is not waited for: its result says why.
    let isOver = false;
    void started.command.ended.then(() => {
      isOver = true;
    });
    await until("it is killed", () => isOver || isKilled(syncServerOf(started)));
    const { result, code } = await ended(started);
    expect(result).toMatchObject({ endedBy: "failure", error: { code: "SYNC_SERVER_ENDED" } });
    expect(result.error?.message).toMatch(/^the sync server on n0 was ended by SIGKILL; .*\.log$/);
    expect(code).toBe(1);
  });
});

describe("an error number at a barrier", () => {
  test("reaches everybody, and fails nothing by itself", async () => {
    const took = (options: string) =>
      sh(`emulab-sync -n e ${options}; echo $? > $EXPDIR/tmp/$NODE`);
    const ran = await runBody(nodesWith(took("-i 2"), took("-e 42"), took("-e 7")));
    expect(ran.result.barriers).toMatchObject([{ name: "e", outcome: "crossed", error: 42 }]);
    expect(["n0", "n1", "n2"].map((node) => ran.text(`proj/tmp/${node}`))).toEqual([
      ...["42\n", "42\n", "42\n"],
    ]);
    expect(ran.result.outcome).toBe("passed");
    expect(ran.code).toBe(0);
  });
});

describe("a run that is interrupted", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 130],
  ] as const)("by %s exits with %i, with its results written", async (signal, status) => {
    const started = startRun(deserted);
    await started.command.prints(/meet 2 of 3 waiting/);
    started.command.child.kill(signal);
    const { result, code, out, stdout } = await ended(started);
    expect(code).toBe(status);
    expect(result).toMatchObject({ endedBy: "interrupt", outcome: "failed" });
    expect(result.reasons.map((reason) => reason.code)).toEqual([
      ...["INTERRUPTED", "PROGRAM", "BARRIER"],
    ]);
    expect(result.barriers).toMatchObject([{ outcome: "cancelled" }]);
    expect(readText(join(out, "report.html"))).toContain("interrupted");
    expect(readRecord(out).at(-1)).toMatchObject({ type: "run-ended", endedBy: "interrupt" });
    expect(stdout).toContain("the run was interrupted");
  });

  test("twice in a moment, as npm and the terminal do together, still writes its results", async () => {
    const deaf = sh('trap "" TERM; echo > $EXPDIR/tmp/ready; while :; do sleep 1; done');
    const started = startRun(nodesWith(deaf, "emulab-sync -n meet"));
    await started.command.prints(/barrier meet 1 waiting/);
    await until("it ignores SIGTERM", () => existsSync(join(started.out, "proj/tmp/ready")));
    // Two kinds: of one kind the kernel keeps one, until it is taken.
    started.command.child.kill("SIGINT");
    started.command.child.kill("SIGTERM");
    const { result, code } = await ended(started);
    expect(result.endedBy).toBe("interrupt");
    // The kernel may hand the two to two threads of the process, so that either is heard first.
    expect([130, 143]).toContain(code);
  });

  test("a second time, later, gives up waiting at once", async () => {
    // SIGTERM to such a program does nothing for two seconds.
    const stubborn = sh('trap "" TERM; echo > $EXPDIR/tmp/ready; while :; do sleep 1; done');
    const started = startRun(nodesWith(stubborn, "emulab-sync -n meet"));
    await started.command.prints(/barrier meet 1 waiting/);
    await until("it ignores SIGTERM", () => existsSync(join(started.out, "proj/tmp/ready")));
    started.command.child.kill("SIGINT");
    // Until a while after the first it would be taken for that again.
    await started.command.prints(/barrier meet cancelled/);
    await sleep(systemClock, 600);
    started.command.child.kill("SIGINT");
    const { code, out } = await ended(started);
    expect(code).toBe(130);
    expect(readText(join(out, "result.json"))).toBe("");
    await until("its programs are gone", () => marked(out).length === 0);
  });

  test("before its nodes are up leaves a result too", async () => {
    const started = startRun(nodesWith(...Array.from({ length: 40 }, () => "sleep 100")));
    await until("the nodes are being made", () => existsSync(join(started.out, "nodes")));
    started.command.child.kill("SIGINT");
    const { result, code } = await ended(started);
    expect(code).toBe(130);
    expect(result).toMatchObject({ endedBy: "interrupt", outcome: "failed" });
    expect(result.experiment).toBe("muster/test");
  });

  test("by Ctrl-C while links are tried says nothing of links, and leaves nothing", async () => {
    const before = lookAtMachine();
    // Like the real one until it is ended: so that Ctrl-C comes while it runs.
    const programs = scratch();
    const sign = join(programs, "ethtool.run");
    writeFileSync(join(programs, "ethtool"), `#!/bin/sh\necho > ${sign}; exec sleep 1000\n`);
    chmodSync(join(programs, "ethtool"), 0o755);
    const body = `${nodesWith("sleep 100", "")}\nset l [$ns duplex-link $n0 $n1 10Mb 9ms DropTail]`;
    // In a mount name space, as what links are made with is looked for in the system's directories.
    const real = ["/usr/sbin/ethtool", "/sbin/ethtool"].find((path) => existsSync(path)) ?? "";
    const inFront = `mount --bind ${join(programs, "ethtool")} ${real}; exec setsid "$@"`;
    // As at a terminal: the signal goes to all that the command has started.
    const prefix = ["unshare", ...asUser, "--mount", "sh", "-ec", inFront, "sh"];
    const started = startRun(body, [], { prefix });
    await until("it runs", () => existsSync(sign));
    process.kill(-started.command.pid, "SIGINT");
    const { result, code, stdout } = await ended(started);
    expect(code).toBe(130);
    expect(result).toMatchObject({
      endedBy: "interrupt",
      error: { code: "INTERRUPTED" },
      lost: [],
    });
    expect(stdout).not.toMatch(/Command failed|not given|shaped/);
    const run = { runId: result.runId, parts: [], block: "none" };
    expect(leftovers(before, lookAtMachine(), run)).toEqual([]);
  });
});

/** Processes that have the output directory of a run in their command line or environment. */
function marked(out: string): readonly number[] {
  return [...lookAtProcesses().values()]
    .filter(({ environment, commandLine }) => `${environment}${commandLine}`.includes(out))
    .map(({ pid }) => pid);
}

/** The process that holds the sockets of the run's barriers. */
function isKilled(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

function syncServerOf({ command, out }: StartedRun): number | undefined {
  const all = [...lookAtProcesses().values()];
  const family = new Set([command.pid]);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  const isOfRun = ({ pid, environment }: (typeof all)[number]): boolean =>
    family.has(pid) || environment.includes(out);
  return all.find((one) => one.commandLine.includes("programs/emulab-syncd.js") && isOfRun(one))
    ?.pid;
}

describe("what holds nodes is killed", () => {
  const holderOf = (out: string, node: string): number => {
    const run = findEntrances().find((one) => one.out === out);
    return run?.nodes.find(({ name }) => name === node)?.holder ?? 0;
  };
  /** Pid 1 of the run: of those above the holder the first that is pid 1 of a name space. */
  const keeperOf = (holder: number): number => {
    let pid = holder;
    for (;;) {
      const above = /^PPid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`))?.[1];
      pid = Number(above);
      if (/^NSpid:.*\s1$/m.test(readText(`/proc/${pid}/status`))) return pid;
    }
  };

  test.skipIf(!isRoot).each([
    ["one node", (pid: number) => pid, "the process that holds node n1, with"],
    ["all nodes", keeperOf, "the processes that hold nodes n0, n1, with"],
  ])("of %s: the run says so, and that first", async (_title, victimOf, words) => {
    const run = startRun(nodesWith("sleep 1000", "sleep 1000"));
    await run.command.prints(/program n1_startcmd on n1 started/);
    process.kill(victimOf(holderOf(run.out, "n1")), "SIGKILL");
    const { result, code, stdout } = await ended(run);
    expect(code).toBe(1);
    expect(result).toMatchObject({ endedBy: "failure", error: { code: "NODES_LOST" } });
    expect(result.reasons[0]?.message).toContain(`somebody has ended ${words} all that ran there`);
    expect(stdout).toContain("start with the first message above");
  });
});
