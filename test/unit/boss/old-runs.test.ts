// SPDX-License-Identifier: MIT
// Goal: old runs go by age and by size, at the limit not and one past it; never the last run of an
// experiment, never what is not a run. Method: the plan on rows, the search and the command on
// files in a temporary directory.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { planRemoval, type StoredRun } from "../../../src/boss/index.ts";
import { pruneCommand } from "../../../src/cli/commands/prune.ts";

const dayMs = 86_400_000;
const nowMs = 100 * dayMs;

function row(experiment: string, order: number, ageMs: number, bytes = 10): StoredRun {
  const directory = `${experiment}/${order}`;
  return { directory, experiment, order, writtenMs: nowMs - ageMs, bytes };
}

const plan = (runs: readonly StoredRun[], rules: Parameters<typeof planRemoval>[1]) =>
  planRemoval(runs, rules, nowMs).map(({ directory }) => directory);

it("keeps a run of exactly the age, and lets one go that is older by a millisecond", () => {
  const runs = [row("e", 1, 3 * dayMs + 1), row("e", 2, 3 * dayMs), row("e", 3, 0)];
  expect(plan(runs, { days: 3 })).toEqual(["e/1"]);
});

it("keeps all at exactly the size, and lets the oldest go at a byte less", () => {
  const runs = [row("e", 1, 5), row("e", 2, 6), row("e", 3, 0)];
  expect(plan(runs, { bytes: 30 })).toEqual([]);
  expect(plan(runs, { bytes: 29 })).toEqual(["e/2"]);
  expect(plan(runs, { bytes: 19 })).toEqual(["e/2", "e/1"]);
});

it("never lets the last run of an experiment go, however old and large", () => {
  const runs = [row("e", 9, 50 * dayMs), row("e", 10, 60 * dayMs), row("f", 1, 90 * dayMs)];
  expect(plan(runs, { days: 0, bytes: 0 })).toEqual(["e/9"]);
});

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "muster-old-runs-"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Makes a run of 100 bytes that was written years ago. */
function make(directory: string, file = "result.json"): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, file), "x".repeat(100));
  for (const path of [join(directory, file), directory]) utimesSync(path, 1_000, 1_000);
  return directory;
}

async function prune(options: Partial<Parameters<typeof pruneCommand>[0]>) {
  let text = "";
  const io = { stdout: (part: string) => (text += part), stderr: (part: string) => (text += part) };
  const status = await pruneCommand({ keepDays: 1, dryRun: false, json: true, ...options }, io);
  return { status, ...(JSON.parse(text) as { removed: StoredRun[]; bytes: number; kept: number }) };
}

it("removes from a state directory what is old, says so first with --dry-run", async () => {
  const runs = join(root, "experiments/p/e/runs");
  const [first = "", last = ""] = ["9", "10"].map((number) => make(join(runs, number)));
  const outside = make(join(root, "outside"));
  symlinkSync(outside, join(first, "link"));
  for (const path of [join(first, "link"), first]) expect(existsSync(path)).toBe(true);
  utimesSync(first, 1_000, 1_000);
  // Neither is a run: nobody said that it may go.
  const others = [make(join(runs, "saved")), make(join(root, "ops/p/e"))];
  symlinkSync(outside, join(runs, "3"));
  // The link itself is of today, which makes the run young.
  expect((await prune({ state: root })).removed).toEqual([]);
  const size = { state: root, keepBytes: 0 };
  const told = await prune({ ...size, dryRun: true });
  expect(told.removed).toMatchObject([{ directory: first, experiment: "p/e" }]);
  expect(existsSync(first)).toBe(true);
  const done = await prune(size);
  expect(done).toMatchObject({ status: 0, kept: 1, bytes: told.bytes });
  expect(existsSync(first)).toBe(false);
  for (const path of [last, outside, ...others]) expect(existsSync(path), path).toBe(true);
  expect(existsSync(join(outside, "result.json"))).toBe(true);
});

it("removes results of muster run that have ended, and of each name all but the last", async () => {
  const [one, two] = ["a-20261101-101010-0af1", "a-20261102-101010-0af2"];
  const old = make(join(root, one));
  const last = make(join(root, two), "series.json");
  utimesSync(last, 2_000, 2_000);
  const running = make(join(root, "a-20261001-101010-0af3"), "record.ndjson");
  const other = make(join(root, "thesis"));
  const { removed } = await prune({ results: root });
  expect(removed.map(({ directory }) => directory)).toEqual([old]);
  for (const path of [last, running, other]) expect(existsSync(path), path).toBe(true);
});

it("says that there is no such directory of results", async () => {
  await expect(prune({ results: join(root, "none") })).rejects.toThrow(
    "none: there is no such directory; name the one",
  );
});

it("wants to be told what stays", async () => {
  const io = { stdout: () => undefined, stderr: () => undefined };
  await expect(pruneCommand({ state: root, dryRun: false, json: false }, io)).rejects.toThrow(
    "--keep-days D, --keep-bytes N",
  );
});
