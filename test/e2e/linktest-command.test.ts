// SPDX-License-Identifier: MIT
// Goal: `muster linktest` of an experiment that is up tells what is asked for from what is there,
// and ends with its user, with another user's wish, with the experiment, or with the sync server
// that its probes meet at; no probe is left soon after, long before its own end.
// `muster linktest FILE` brings a network up for this alone. Method: the commands themselves; nodes
// are processes, whose links nobody shapes. That nothing is waited for before probes are ended is
// linktest-cancel.test.ts's.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Command, type Ended, run, scratch, start } from "./support/command.ts";
import { readText, writeExperiment } from "./support/experiment.ts";
import {
  expectProbesEnd,
  expectRecordedEnd,
  longProbes,
  longProbesMs,
  processesOf,
  untilLongProbes,
} from "./support/linktest-ends.ts";

let state = "";
const environment = () => ({ env: { MUSTER_STATE: state, MUSTER_NODES: "environment" } });
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, environment());
const startMuster = (...argv: readonly string[]): Command => start("muster", argv, environment());

beforeEach(() => {
  state = join(scratch(), "state");
});
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
});

async function up(delay: string, more = ""): Promise<string> {
  const body = `set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 100Mb ${delay} DropTail]
${more}
set p [$a program-agent -command "sleep 1000"]
$ns at 0 "$p start"`;
  const { code, stdout, stderr } = await muster("up", writeExperiment(body));
  expect(code, stderr).toBe(0);
  return /results in (.*)/.exec(stdout)?.[1] ?? "";
}

test("says what is bad, as table, JSON and exit status", async () => {
  const directory = await up("10ms");
  const bad = await muster("linktest", "test", "--level", "1");
  expect(bad.code, bad.stderr).toBe(1);
  expect(bad.stdout).toMatch(/^l +a > b +latency +10 ms +[\d.]+ ms +bad +\d+ of \d+ packets/m);
  expect(bad.stderr).toMatch(/latency: pass 1 of 1\n.*latency: 0 ok, 2 bad, 0 untestable/);
  const json = await muster("linktest", "muster/test", "--level", "1", "--json");
  const { outcome, exitCode, verdicts } = JSON.parse(json.stdout);
  expect([outcome, exitCode, verdicts.length, json.code]).toEqual(["failed", 1, 2, 1]);

  const listener = start("ltevent", ["-e", "muster/test", "-w"], environment());
  const log = join(directory, "linktest.log");
  const argv = ["-e", "muster/test", "-l", "1", "-o", log];
  const asRoot = process.geteuid?.() === 0 ? ["--as-root"] : [];
  // Heard, once it listens.
  while (!listener.stdout.includes("KILL")) {
    const sent = await run("ltevent", ["-e", "muster/test", "-x", "KILL"], environment());
    expect([sent.code, sent.stderr]).toEqual([0, ""]);
  }
  // Its status counts nodes.
  const old = await run("run-linktest", [...asRoot, ...argv], environment());
  expect([old.code, old.stderr]).toEqual([2, ""]);
  expect(old.stdout).toMatch(/^Latency error: a-l to b-l \(100 Mbps, 10ms, 0% loss, droptail\) :/);
  expect(readText(log)).toBe(old.stdout);
  await listener.prints(/^START STARTAT=1 STOPAT=1 DOARP=0 COMPAT=1.1 *$/m);
  await listener.prints(/^REPORT latency: 0 ok, 2 bad, 0 untestable$/m);
  await listener.prints(/^COMPLETE +ERROR=2 CTOKEN=\d+$/m);
  const only = await run("run-linktest", [...asRoot, ...argv, "-r"], environment());
  expect([only.code, existsSync(log)]).toEqual([0, false]);
  expect(only.stdout).toMatch(/latency: a-l to b-l .*: wanted 10, measured [\d.]+, of \d+ packets/);
  const refused = await run("run-linktest", ["-e", "muster/test", "-l", "5"], environment());
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining("-l is 1 to 4, not 5"),
  ]);
  for (const [target, said] of [
    ["nobody", "there is no experiment nobody"],
    ["nofile.yaml", "there is no file nofile.yaml,"],
    ["./nofile", "there is no file ./nofile,"],
  ] as const) {
    const none = await muster("linktest", target);
    expect([none.code, none.stderr]).toEqual([66, expect.stringContaining(said)]);
  }
});

test("ends with its user, another's wish, the experiment and its sync server; no probe is left", async () => {
  let directory = await up("0ms", longProbes);
  const fine = await muster("linktest", "test", "--level", "1");
  expect([fine.code, fine.stderr]).toEqual([0, expect.stringContaining("2 ok, 0 bad")]);

  const loseServer = (): void => {
    for (const pid of processesOf(directory, "emulab-syncd")) process.kill(pid, "SIGKILL");
  };
  const ends: readonly (readonly [string, (test: Command) => unknown, readonly number[]])[] = [
    ["Ctrl-C", ({ child }) => child.kill("SIGINT"), [130]],
    ["--kill", () => muster("linktest", "test", "--kill"), [1]],
    ["swap-out", () => muster("down", "test"), [1]],
    // It hears of the end, or that the bus is gone.
    ["the loss of the sync server", loseServer, [1, 69]],
  ];
  let orders = 0;
  for (const [how, end, statuses] of ends) {
    if (how.startsWith("the loss")) directory = await up("0ms", longProbes);
    const testing = startMuster("linktest", "test", "--start-level", "3", "--level", "3");
    await testing.prints(/loss: pass 1 of 1/);
    const [, seconds] = /linktest levels 3 to 3: at least (\d+) s/.exec(testing.stderr) ?? [];
    expect(1_000 * Number(seconds)).toBeGreaterThanOrEqual(longProbesMs);
    await untilLongProbes(`the probes before ${how}`, directory);
    if (how === "--kill") {
      const second = await muster("linktest", "test", "--level", "1");
      const what = "a linktest is running; muster linktest test --kill ends it";
      expect([second.code, second.stderr]).toEqual([1, `muster: ${what}\n`]);
    }
    await expectProbesEnd(how, directory, () => end(testing));
    const { code, stderr } = await testing.ended;
    expect(statuses, `${how}: ${stderr}`).toContain(code);
    if (how !== "Ctrl-C" && how !== "--kill") continue;
    orders += 1;
    await expectRecordedEnd(how, directory, orders);
  }
});

test("of a file brings up its network for this alone, and leaves results and a status", async () => {
  const file = (delay: string): string =>
    writeExperiment(`set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 100Mb ${delay} DropTail]
set p [$a program-agent -command "false"]
$ns at 0 "$p start"`);
  const [fine, bad, cwd] = [file("0ms"), file("10ms"), scratch()];
  const linktest = (...argv: readonly string[]): Promise<Ended> =>
    run("muster", ["linktest", ...argv], { ...environment(), cwd });
  const passed = await linktest(fine, "--level", "1", "--json");
  expect(passed.code, passed.stderr).toBe(0);
  const { results, ...facts } = JSON.parse(passed.stdout);
  expect(facts).toMatchObject({
    ...{ startLevel: 1, level: 1, outcome: "passed", exitCode: 0 },
    ...{ verdicts: [{ verdict: "ok" }, { verdict: "ok" }], text: "2 ok, 0 bad, 0 untestable" },
  });
  // No program has run, which would have failed.
  const result = JSON.parse(readText(join(results, "result.json")));
  expect(result).toMatchObject({ outcome: "passed", programs: [], events: [] });
  const failed = await linktest(bad, "--level", "1");
  expect(failed.code, failed.stderr).toBe(1);
  expect(failed.stdout).toMatch(/^LINK .*\nl +a > b +latency +10 ms +[\d.]+ ms +bad +\d+ of /);
  expect(failed.stderr).toContain("muster: 0 ok, 2 bad, 0 untestable\n");
  const alone = await linktest(writeExperiment("set a [$ns node]"), "--json");
  expect([alone.code, JSON.parse(alone.stdout)]).toEqual([
    0,
    expect.objectContaining({ verdicts: [], text: "there are no links to test" }),
  ]);
  for (const [argv, complaint] of [
    [[fine, "--kill"], "--kill is for an experiment that is up"],
    [[fine, "--timeout", "5"], "--timeout is for an experiment that is up"],
    [[fine, "--start-level", "2"], "of a file, a linktest begins with stage 1"],
  ] as const) {
    const refused = await linktest(...argv);
    expect([refused.code, refused.stderr]).toEqual([64, expect.stringContaining(complaint)]);
  }
  expect(readdirSync(join(cwd, "results"))).toHaveLength(3);
  const plan = await linktest(bad, "--plan", "--level", "3");
  expect([plan.code, plan.stderr]).toEqual([0, ""]);
  expect(plan.stdout).toMatch(
    /^linktest level 3 takes at least \d+ s\n {2}latency: at least \d+ s\n/,
  );
});
