// SPDX-License-Identifier: MIT
// Goal: a linktest from swap-in, or of a modification that changes links, tells what it has found
// in status and logs, never keeps an experiment from coming up, and ends with a swap-out that comes
// before. Method: the commands themselves; nodes are processes, whose links nobody shapes, but for
// the link that is modified.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Ended, run, scratch, start } from "./support/command.ts";
import { readRecord, readResult, writeExperiment } from "./support/experiment.ts";
import { expectProbesEnd, longProbes, untilLongProbes } from "./support/linktest-ends.ts";

const isRoot = process.getuid?.() === 0;
let state = "";
const environment = () => ({ env: { MUSTER_STATE: state, MUSTER_NODES: "environment" } });
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, environment());

beforeEach(() => {
  state = join(scratch(), "state");
});
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
});

const file = (delay = "10ms", more = ""): string =>
  writeExperiment(`set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 100Mb ${delay} DropTail]
${more}
set p [$a program-agent -command "sleep 1000"]
$ns at 0 "$p start"`);

test("muster up --linktest", async () => {
  const up = await muster("up", file(), "--linktest", "1");
  expect(up.code, up.stderr).toBe(0);
  const status = await muster("status", "test");
  expect(status.stdout).toMatch(/^ {2}linktest +level 1: 0 ok, 2 bad, 0 untestable$/m);
  const logs = await muster("logs", "test");
  expect(logs.stdout).toMatch(/linktest level 1: 0 ok, 2 bad, 0 untestable/);
  await muster("down", "test");

  const again = start("muster", ["up", file("0ms", longProbes), "--linktest", "3"], environment());
  const [, directory = ""] = await again.prints(/results in (.*)/);
  await untilLongProbes("the probes of the swap-in", directory);
  await expectProbesEnd("a swap-out", directory, () => muster("down", "test"));
  expect((await again.ended).code).toBe(1);
  // The stage did not come to its end, so that nothing is said of it.
  expect(readResult(directory).links.map((link) => link.measured?.loss)).toEqual([null, null]);
});

test("Ctrl-C in muster up says what becomes of the experiment", async () => {
  const up = start("muster", ["up", file("0ms", longProbes), "--linktest", "3"], environment());
  const [, directory = ""] = await up.prints(/results in (.*)/);
  await untilLongProbes("the probes of the swap-in", directory);
  up.child.kill("SIGINT");
  const { code, stderr } = await up.ended;
  expect(stderr).toMatch(
    /^muster: muster\/test goes on coming up; to end it: muster down muster\/test$/m,
  );
  expect(code).toBe(130);
  await expectProbesEnd("a swap-out", directory, () => muster("down", "test"));
});

test.skipIf(!isRoot)("muster modify tests links again when it has changed one", async () => {
  const shaped = (...argv: readonly string[]): Promise<Ended> =>
    run("muster", argv, { env: { MUSTER_STATE: state } });
  const tests = async (): Promise<number> =>
    [...(await shaped("logs", "test")).stdout.matchAll(/linktest level 1: /g)].length;
  expect((await shaped("up", file(), "--linktest", "1")).code).toBe(0);
  expect(await tests()).toBe(1);
  const program = 'set q [$b program-agent -command "sleep 999"]';
  expect((await shaped("modify", "test", file("10ms", program))).code).toBe(0);
  expect(await tests()).toBe(1);
  const modified = await shaped("modify", "test", file("20ms", program));
  expect(modified.code, modified.stderr).toBe(0);
  expect(await tests()).toBe(2);
  // By the delay that is asked for since: a busy machine may be late, and is not called bad.
  expect((await shaped("down", "test")).stdout).toContain("run 1 passed");
});

test.skipIf(!isRoot)(
  "a link that muster modify has brought fails the run when it is bad",
  async () => {
    const shaped = async (...argv: readonly string[]): Promise<Ended> =>
      await run("muster", argv, { env: { MUSTER_STATE: state } });
    const up = await shaped("up", file());
    expect(up.code, up.stderr).toBe(0);
    const directory = /results in (.*)/.exec(up.stdout + up.stderr)?.[1] ?? "";
    const more = "set c [$ns node]\nset m [$ns duplex-link $b $c 100Mb 5ms DropTail]";
    expect((await shaped("modify", "test", file("20ms", more))).code).toBe(0);
    expect((await shaped("link", "set", "test", "m", "delay=300ms")).code).toBe(0);
    // What was set is asked for: only by the file is it bad.
    const now = await shaped("linktest", "test", "--level", "1");
    expect(now.stdout).toMatch(/^m +b > c +latency +300 ms +30\d/m);
    expect(now.stdout).not.toContain(" bad ");
    const byFile = ["linktest", "test", "--level", "1", "--asked", "file"];
    const filed = await shaped(...byFile);
    expect(filed.code).toBe(1);
    expect(filed.stdout).toMatch(
      /^m +b > c +latency +\S+ ms \(now: 300 ms\) .* changed since, to /m,
    );
    expect(filed.stderr).toContain("and m is something else since: --asked now tests");
    expect((await shaped("down", "test")).stdout).toContain("run 1 failed");
    const { links, reasons } = readResult(directory);
    expect(links.map(({ name, asked }) => `${name} ${asked.delayUs}`)).toEqual([
      ...["l 20000", "l 20000", "m 5000", "m 5000"],
    ]);
    expect(reasons).toEqual([
      { code: "LINK", message: expect.stringContaining("the link m from b to c is not as asked") },
      { code: "LINK", message: expect.stringContaining("the link m from c to b is not as asked") },
    ]);
    const recorded = readRecord(directory).find(({ type }) => type === "run-modified");
    expect(recorded).toMatchObject({ links: [{ name: "l" }, { name: "m", members: [{}, {}] }] });
  },
);
