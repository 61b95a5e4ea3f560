// SPDX-License-Identifier: MIT
// Goal: a server that was told by its configuration what to keep removes results of old runs by
// age and by size when it starts, says of each that it went, and keeps the last of each experiment
// and what the database knows of all. Method: real runs under `muster serve`, whose files are made
// old.
import { existsSync, lstatSync, lutimesSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { ExperimentDetails } from "../../src/boss/experiment-views.ts";
import { systemClock } from "../../src/host/clock.ts";
import { type Command, run, scratch, start } from "./support/command.ts";

let folder = "";
beforeEach(() => {
  folder = scratch();
});

const options = () => ({
  env: { MUSTER_STATE: join(folder, "state"), MUSTER_NODES: "environment" },
});

async function serve(settings: string): Promise<Command> {
  const config = join(folder, "serve.yaml");
  writeFileSync(config, `state: state\nscheduler: inside\n${settings}`);
  const server = start("muster", ["serve", "--config", config], options());
  await server.prints(/keeping the experiments/);
  return server;
}

async function end(server: Command): Promise<void> {
  server.child.kill("SIGTERM");
  expect((await server.ended).code).toBe(0);
}

async function ok(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run("muster", argv, options());
  expect([argv[0], code, stderr]).toEqual([argv[0], 0, ""]);
  return stdout;
}

const runOf = (eid: string, number: number): string =>
  join(folder, "state/experiments/muster", eid, "runs", String(number));

/** Everything below was written so many days ago. */
function age(path: string, days: number): void {
  if (lstatSync(path).isDirectory()) {
    for (const name of readdirSync(path)) age(join(path, name), days);
  }
  const seconds = (systemClock.wallMs() - days * 86_400_000) / 1_000;
  lutimesSync(path, seconds, seconds);
}

/** Goes on until it is swapped out. */
const source = `set ns [new Simulator]
source tb_compat.tcl
set n [$ns node]
set p [$n program-agent -command {exec sleep 1000}]
$ns at 0 "$p start"
$ns run
`;

describe("muster serve with keep-days and keep-bytes", () => {
  it("removes what is too old, then what is too much, and never the last of an experiment", async () => {
    const file = join(folder, "e.ns");
    writeFileSync(file, source);
    const first = await serve("");
    for (const eid of ["ee", "ee", "ee", "ff"]) {
      await ok("up", file, "--eid", eid);
      await ok("down", eid);
    }
    await end(first);
    const all = [runOf("ee", 1), runOf("ee", 2), runOf("ee", 3), runOf("ff", 1)];
    for (const path of all) age(path, 40);
    age(runOf("ee", 2), 20);
    // Who is told nothing removes nothing.
    const careless = await serve("");
    await end(careless);
    expect(all.map(existsSync)).toEqual([true, true, true, true]);

    const byAge = await serve("keep-days: 30\n");
    await byAge.prints(/^muster: removed muster\/ee 1, \d+ bytes$/m);
    // What is up now has a directory of its own, and stays with what was last before it.
    await ok("up", file, "--eid", "ff");
    expect(all.map(existsSync)).toEqual([false, true, true, true]);
    await end(byAge);
    expect(byAge.stdout.match(/removed/g)).toHaveLength(1);

    const bySize = await serve("keep-days: 30\nkeep-bytes: 1\n");
    await bySize.prints(
      /^muster: removed muster\/ff 1, \d+ bytes\nmuster: removed muster\/ee 2, /m,
    );
    await bySize.prints(/results that stay in any case have \d+ bytes, and --keep-bytes is 1: /);
    const left = [...all, runOf("ff", 2)].map(existsSync);
    expect(left).toEqual([false, false, true, false, true]);
    const { runs } = JSON.parse(await ok("status", "ee", "--json")) as ExperimentDetails;
    expect(runs.map(({ number }) => number).sort()).toEqual([1, 2, 3]);
    await end(bySize);
  });
});
