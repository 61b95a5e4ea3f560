// SPDX-License-Identifier: MIT
// Goal: progress.log holds the lines of a run within its bound, says what it left out, and fails
// nothing when it cannot be written. Method: a real file.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ProgressLog, progressFile } from "../../../src/boss/progress-log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import type { RunEvent } from "../../../src/testbed/run-event.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-progress-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const message = (text: string): RunEvent => ({
  ...{ type: "message", level: "warning", node: null, text, atUs: 0 },
});

async function write(texts: readonly string[], bytesMax: number, directory = folder) {
  const errors: string[] = [];
  const onError = (error: string): void => void errors.push(error);
  const log = new ProgressLog({ directory, clock: systemClock, bytesMax, onError });
  for (const text of texts) log.watch(message(text));
  await log.close([["the ", { text: "end", style: "good" }]]);
  return errors;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise<void>((resolve) => setImmediate(resolve));
}

const kept = (): string[] => readFileSync(join(folder, progressFile), "utf8").split("\n");

it("keeps one line a fact, also of a text with several, and the summary", async () => {
  expect(await write(["one\ntwo"], 1_000)).toEqual([]);
  expect(kept()).toEqual([expect.stringMatching(/one two$/), "the end", ""]);
});

it("says that the run comes up before anything else happens", async () => {
  const rest = { bytesMax: 1_000, onError: () => undefined };
  const log = new ProgressLog({ directory: folder, clock: systemClock, ...rest });
  log.begin("p/e");
  await until(() => existsSync(join(folder, progressFile)) && kept().length > 1);
  expect(kept()).toEqual(["p/e comes up; what happens until time 0 is told then", ""]);
  await log.close([]);
});

it("keeps lines up to the limit and counts those past it", async () => {
  await write(["same"], 1_000);
  const bytes = Buffer.byteLength(`${kept()[0]}\n`);
  rmSync(join(folder, progressFile));
  await write(["same", "same"], 2 * bytes);
  expect(kept()).toHaveLength(4);
  rmSync(join(folder, progressFile));
  await write(["same", "same"], 2 * bytes - 1);
  expect(kept()[1]).toMatch(/^1 more lines .*progressBytesMax/);
});

it("says once that it cannot write", async () => {
  const errors = await write(["one", "two"], 1_000, join(folder, "none"));
  expect(errors).toEqual([expect.stringContaining("cannot write")]);
});
