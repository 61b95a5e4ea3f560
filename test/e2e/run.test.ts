// SPDX-License-Identifier: MIT
// Goal: `muster run` does what the file says, and tells what happened in every form it promises.
// Method: small experiments through bin/muster; result.json, the files and the output are read.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { modes } from "./nodes-support/harness.ts";
import { run, scratch } from "./support/command.ts";
import {
  nodesWith,
  readRecord,
  readText,
  runBody,
  sh,
  startRun,
  writeExperiment,
} from "./support/experiment.ts";

describe.each(modes)("nodes in %s mode", (mode) => {
  const env = { MUSTER_NODES: mode };

  test("start commands run inside their wrapper's place, and find the tools of the testbed", async () => {
    const command =
      "echo on $NODE of $PID/$EID; emulab-sync -i 1 -n own; startcmddone 7; cat $MUSTER_BOOT/startstatus";
    const ran = await runBody(nodesWith(command, "emulab-sync -n own"), ["--eid", "exp"], { env });
    expect(ran.stdout).toContain("passed");
    expect(ran.code).toBe(0);
    expect(ran.text("nodes/n0/local/logs/n0_startcmd.out")).toBe("on n0 of muster/exp\n7\n");
    // The rows keep the wrapper; what runs, and what results name, is the inner command.
    expect(ran.result.programs.map((program) => program.command)).toContain(command);
    const rows = await run("muster", ["parse", "--format", "rows", ran.file]);
    expect(rows.stdout).toContain(`(${command} ; /usr/local/etc/emulab/startcmddone $?)`);
  });

  test("the exit code of the inner command is what counts", async () => {
    const ran = await runBody(nodesWith("exit 9", "true"), [], { env });
    expect(ran.code).toBe(1);
    expect(ran.result.programs.find(({ node }) => node === "n0")?.exitCode).toBe(9);
    expect(ran.result.reasons).toEqual([
      { code: "PROGRAM", message: "program n0_startcmd on n0 exited with 9, expected 0" },
    ]);
  });
});

describe("startcmddone", () => {
  test.each([
    ["0", "0"],
    ["17", "17"],
    ["-1", "666"],
    ["oops", "666"],
    ["", "666"],
  ])("given '%s' leaves %s beside the boot files", async (status, left) => {
    const boot = scratch();
    const { code } = await run("startcmddone", [status], { env: { MUSTER_BOOT: boot } });
    expect(code).toBe(0);
    expect(readText(join(boot, "startstatus"))).toBe(`${left}\n`);
  });

  test("says so when it cannot", async () => {
    const env = { MUSTER_BOOT: join(scratch(), "missing") };
    const { code, stderr } = await run("startcmddone", ["3"], { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^startcmddone: cannot report status 3: .*\n$/);
  });
});

describe("planned events", () => {
  const events = `${nodesWith("", "")}
set link [$ns duplex-link $n0 $n1 10Mb 5ms DropTail]
set a [$n0 program-agent -command "sleep 0.3"]
set b [$n1 program-agent -command "true"]
set c [$n1 program-agent -command "exit 3" -expected-exit-code 3]
set bad [$n1 program-agent -command "exit 4"]
set never [$n0 program-agent -command "true"]
set slow [$n0 program-agent -command "sleep 100" -timeout 1]
set both [new EventGroup $ns]
$both add $a $b
set good [$ns event-sequence {
  $a run
  $c run
  $b run
}]
set broken [$ns event-sequence {
  $bad run
  $never run
}]
$ns at 0.2 "$both start"
$ns at 0.3 "$link down"
$ns at 0.4 "$slow start"
$ns at 1.0 "$good start"
$ns at 1.0 "$broken start"
`;

  test("fire at their times, in order, and sequences wait for each step", async () => {
    const { result, code } = await runBody(events);
    const told = result.events.map(({ object, event, outcome }) => `${object} ${event} ${outcome}`);
    expect(told.slice(0, 5)).toEqual([
      "both START done",
      "link DOWN done",
      "slow START done",
      "good START done",
      "broken START done",
    ]);
    // Both sequences start at one instant; each keeps its own order.
    const steps = told.slice(5);
    expect(steps.toSorted()).toEqual(["a RUN done", "b RUN done", "bad RUN done", "c RUN done"]);
    // Never early, and late by no more than starting a program on a busy machine takes.
    const planned = { both: 200_000, link: 300_000, slow: 400_000, good: 1e6, broken: 1e6 };
    for (const [object, plannedUs] of Object.entries(planned)) {
      const event = result.events.find((one) => one.object === object);
      expect(event?.plannedUs).toBe(plannedUs);
      expect(event?.latenessUs).toBeGreaterThanOrEqual(0);
      expect(event?.latenessUs).toBeLessThan(20_000_000);
    }
    // `run` waits for the end of the program before.
    const runOf = (name: string) =>
      result.programs.filter((one) => one.name === name && one.startedUs > 900_000)[0];
    const [a, c, b] = [runOf("a"), runOf("c"), runOf("b")];
    expect(a?.endedUs).toBeLessThanOrEqual(c?.startedUs ?? 0);
    expect(c?.endedUs).toBeLessThanOrEqual(b?.startedUs ?? 0);
    expect(c?.exitCode).toBe(3);
    // A failing step ends its sequence and no other.
    expect(result.programsNotStarted).toEqual([{ name: "never", node: "n0" }]);
    expect(code).toBe(1);
    // In the order of their ends.
    expect(result.reasons.map(({ message }) => message).toSorted()).toEqual([
      "program bad on n1 exited with 4, expected 0",
      "program slow on n0 ran out of its time and was ended by SIGTERM",
    ]);
    expect(result.links.map(({ verdict }) => verdict)).toEqual(["skipped", "skipped"]);
  });

  test("the members of a group start at once", async () => {
    const body = `${nodesWith("", "", "", "")}
set all [new EventGroup $ns]
foreach i {0 1 2 3} { set p$i [[set n$i] program-agent -command "sleep 2"]; $all add [set p$i] }
$ns at 0.1 "$all start"`;
    const { result } = await runBody(body);
    const starts = result.programs.map(({ startedUs }) => startedUs);
    const ends = result.programs.map(({ endedUs }) => endedUs ?? 0);
    expect(starts).toHaveLength(4);
    expect(Math.max(...starts)).toBeLessThan(Math.min(...ends));
    // The event has fired when its last member has.
    expect(result.events[0]?.firedUs).toBe(Math.max(...starts));
    expect(result.events[0]?.skewUs).toBe(Math.max(...starts) - Math.min(...starts));
  });

  test("stop, kill and a second start do what they say", async () => {
    const body = `${nodesWith("", "")}
set a [$n0 program-agent -command "sleep 100"]
set b [$n1 program-agent -command "exec sleep 100"]
$ns at 0 "$a start"
$ns at 0 "$b start"
$ns at 0.3 "$a start"
$ns at 0.5 "$a stop"
$ns at 0.6 "$b kill KILL"`;
    const { result } = await runBody(body);
    const [a, b] = ["a", "b"].map((name) => result.programs.find((one) => one.name === name));
    expect(a).toMatchObject({ stopped: true, signal: "SIGTERM" });
    // Who dies of the signal that an event sends has been stopped by an event.
    expect(b).toMatchObject({ stopped: true, signal: "SIGKILL" });
    const second = result.events.find(({ plannedUs }) => plannedUs === 300_000);
    expect(second?.outcome).toBe("failed: it is still running");
    expect(result.reasons).toEqual([]);
  });
});

describe("what a run leaves", () => {
  test("the files of the results, and nothing else", async () => {
    const junit = join(scratch(), "junit.xml");
    const ran = await runBody(nodesWith(sh("echo out; echo err >&2")), ["--junit", junit]);
    expect(readdirSync(ran.out).sort()).toEqual([
      ...["experiments.db", "nodes", "proj", "record.ndjson", "report.html", "result.json"],
    ]);
    expect(ran.text("nodes/n0/local/logs/n0_startcmd.out")).toBe("out\n");
    expect(ran.text("nodes/n0/local/logs/n0_startcmd.err")).toBe("err\n");
    expect(ran.text("report.html")).toMatch(/^<!doctype html>/i);
    expect(readText(junit)).toContain("<testsuite");
    expect(readRecord(ran.out).at(-1)).toMatchObject({ type: "run-ended", endedBy: "idle" });
  });

  test("--json prints the result and nothing else on standard output", async () => {
    const ran = await runBody(nodesWith("true"), ["--json", "--seed", "7"]);
    expect(JSON.parse(ran.stdout)).toEqual(ran.result);
    expect(ran.stderr).toContain("passed");
    expect(ran.result.seed).toBe(7);
  });

  test("the seed is printed, given to programs, and the same when asked for", async () => {
    const body = nodesWith("echo $MUSTER_SEED");
    const drawn = await runBody(body);
    const { seed } = drawn.result;
    expect(drawn.stdout).toContain(`seed ${seed}`);
    const again = await runBody(body, ["--seed", String(seed)]);
    expect(again.text("nodes/n0/local/logs/n0_startcmd.out")).toBe(`${seed}\n`);
  });

  test("without --out, a directory of its own below results/", async () => {
    const cwd = scratch();
    const argv = ["run", writeExperiment(nodesWith("true"))];
    const both = [await run("muster", argv, { cwd }), await run("muster", argv, { cwd })];
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    const left = readdirSync(join(cwd, "results"));
    expect(left).toHaveLength(2);
    for (const name of left) {
      expect(name).toMatch(/^test-\d{8}-\d{6}-[0-9a-z]{4}$/);
      expect(existsSync(join(cwd, "results", name, "result.json"))).toBe(true);
    }
  });

  test("a reader that goes away does not stop the run", async () => {
    const { command, out } = startRun(nodesWith("sleep 0.5"));
    await command.prints(/n0 up/);
    command.child.stdout?.destroy();
    await command.ended;
    expect(readText(join(out, "result.json"))).toContain('"outcome": "passed"');
  });
});
