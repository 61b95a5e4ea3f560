// SPDX-License-Identifier: MIT
// Goal: a linktest from swap-in tells what it has found in status and logs, never keeps an
// experiment from coming up, and ends with a swap-out that comes before. Method: the commands
// themselves; nodes are processes, whose links nobody shapes.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Ended, run, scratch, start, until } from "./support/command.ts";
import { readResult, writeExperiment } from "./support/experiment.ts";

let state = "";
const environment = () => ({ env: { MUSTER_STATE: state, MUSTER_NODES: "environment" } });
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, environment());

beforeEach(() => {
  state = join(scratch(), "state");
});
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
});

const file = (): string =>
  writeExperiment(`set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 100Mb 10ms DropTail]
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

  const again = start("muster", ["up", file(), "--linktest", "4"], environment());
  const [, directory = ""] = await again.prints(/results in (.*)/);
  // What probes say, while there are probes.
  await until("the linktest begins", () => existsSync(join(directory, "linktest")));
  await muster("down", "test");
  expect((await again.ended).code).toBe(1);
  // No stage came to its end, so that nothing is called good or bad.
  expect(readResult(directory).links.filter(({ verdict }) => verdict === "ok")).toEqual([]);
});
