// SPDX-License-Identifier: MIT
// Goal: --repeat and --set run a series into numbered directories, with a seed each, and one file
// that sums it up.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch } from "./support/command.ts";
import {
  ended,
  nodesWith,
  readResult,
  readText,
  runBody,
  sh,
  startRun,
} from "./support/experiment.ts";

interface Series {
  readonly schema: number;
  readonly passed: number;
  readonly failed: number;
  readonly runs: readonly {
    readonly directory: string;
    readonly seed: number;
    readonly set: readonly string[];
    readonly outcome: string;
  }[];
}

const readSeries = (out: string): Series =>
  JSON.parse(readText(join(out, "series.json"))) as Series;

/** Ends with `opt(CODE)` and tells what it was given. */
const body = `if {![info exists opt(CODE)]} { set opt(CODE) 0 }
${nodesWith(sh("echo $CODE $MUSTER_SEED; exit $CODE"))}`;

test("--repeat runs with one seed after the other", async () => {
  const { out, code, stdout } = await runBody(body, ["--repeat", "3", "--seed", "10"]);
  expect(code).toBe(0);
  expect(readdirSync(out).sort()).toEqual(["1", "2", "3", "series.json"]);
  const printed = ["1", "2", "3"].map((run) =>
    readText(join(out, run, "nodes/n0/local/logs/n0_startcmd.out")),
  );
  expect(printed).toEqual(["0 10\n", "0 11\n", "0 12\n"]);
  expect(["1", "2", "3"].map((run) => readResult(join(out, run)).seed)).toEqual([10, 11, 12]);
  expect(readSeries(out)).toMatchObject({ schema: 1, passed: 3, failed: 0 });
  expect(stdout).toContain("run 2 of 3");
  expect(stdout).toContain("3 of 3 runs passed");
});

test("--set with several values runs each, and one failure fails the series", async () => {
  const argv = ["--set", "opt(CODE)=0", "--set", "opt(CODE)=5", "--set", "opt(OTHER)=x", "--json"];
  const { out, code, stdout } = await runBody(body, argv);
  expect(code).toBe(1);
  const series = readSeries(out);
  expect(JSON.parse(stdout)).toEqual(series);
  expect(series.runs.map(({ set, outcome }) => [...set, outcome])).toEqual([
    ["opt(CODE)=0", "opt(OTHER)=x", "passed"],
    ["opt(CODE)=5", "opt(OTHER)=x", "failed"],
  ]);
  expect(readResult(join(out, "2")).programs[0]?.exitCode).toBe(5);
});

test("--junit of a series has a suite for each run", async () => {
  const junit = join(scratch(), "j.xml");
  const argv = ["--set", "opt(CODE)=0", "--set", "opt(CODE)=5", "--junit", junit];
  const { code } = await runBody(body, argv);
  expect(code).toBe(1);
  const text = readText(junit);
  expect(text.match(/<testsuites /g)).toHaveLength(1);
  expect(text.match(/<testsuite name="[^"]+"/g)).toEqual([
    '<testsuite name="muster/test run 1 of 2, opt(CODE)=0"',
    '<testsuite name="muster/test run 2 of 2, opt(CODE)=5"',
  ]);
  expect(text).toMatch(/<testsuites name="muster" tests="4" failures="1"/);
});

test("--set of one value is one run, without numbers", async () => {
  const { result, code } = await runBody(body, ["--set", "opt(CODE)=5"]);
  expect(result.programs[0]?.exitCode).toBe(5);
  expect(code).toBe(1);
});

test("an interrupt ends the series, not only the run", async () => {
  const started = startRun(nodesWith("sleep 100"), ["--repeat", "5"]);
  await started.command.prints(/startcmd on n0 started/);
  started.command.child.kill("SIGINT");
  const { out, code } = await ended(started);
  expect(code).toBe(130);
  expect(readdirSync(out).sort()).toEqual(["1", "series.json"]);
  expect(readSeries(out)).toMatchObject({ passed: 0, failed: 1 });
});
