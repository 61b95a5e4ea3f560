// SPDX-License-Identifier: MIT
// Goal: a daemon leaves no process, name space, mount, socket or temporary directory behind,
// however an experiment or the daemon itself ends.
// Method: programs that leave their session and ignore signals; a picture of the whole machine
// before and after; down, the daemon's end in order, and kill -9 of the daemon.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ExperimentDetails } from "../../src/boss/experiment-views.ts";
import { modes, untilEmpty } from "./nodes-support/harness.ts";
import { leftovers, lookAtMachine, type Machine, partsOfRun } from "./nodes-support/machine.ts";
import { type Ended, run, scratch, until } from "./support/command.ts";
import { nodesWith, readRecord, sh } from "./support/experiment.ts";

const settleMs = 60_000;
const stubborn = sh(
  'trap "" TERM INT HUP; (setsid sh -c "trap : TERM INT HUP; while :; do sleep 1000; done" &); ' +
    "echo > $EXPDIR/tmp/$NODE; while :; do sleep 1000; done",
);
const waiting = sh("echo > $EXPDIR/tmp/$NODE; emulab-sync -n never -i 9");

let state = "";
beforeEach(() => {
  state = join(scratch(), "state");
});
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await run("muster", ["serve", "--stop"], options(""));
});

const options = (mode: string) => ({ env: { MUSTER_STATE: state, MUSTER_NODES: mode } });

interface Watched {
  readonly before: Machine;
  readonly daemon: number;
  readonly run: {
    readonly runId: string;
    readonly parts: readonly string[];
    readonly block: string;
  };
  muster(...argv: readonly string[]): Promise<Ended>;
}

async function upWatched(mode: string): Promise<Watched> {
  const before = lookAtMachine();
  const muster = (...argv: readonly string[]) => run("muster", argv, options(mode));
  const file = join(scratch(), "watched.ns");
  const body = nodesWith(stubborn, waiting);
  writeFileSync(file, `set ns [new Simulator]\nsource tb_compat.tcl\n${body}\n$ns run\n`);
  expect(await muster("up", file)).toMatchObject({ code: 0, stderr: "" });
  const status = JSON.parse((await muster("status", "watched", "--json")).stdout);
  const out = (status as ExperimentDetails).runs[0]?.directory ?? "";
  await until("every program is in full swing", () =>
    ["n0", "n1"].every((node) => existsSync(join(out, "proj/tmp", node))),
  );
  const record = readRecord(out);
  const runId = String(record[0]?.["runId"]);
  const nodes = record.find(({ type }) => type === "run-started")?.["nodes"];
  const address = /"loopback":"127\.(\d+)\./.exec(JSON.stringify(nodes));
  const log = readFileSync(join(state, "serve.log"), "utf8");
  const daemon = Number(/\(process (\d+)\)/.exec(log)?.[1]);
  const parts = partsOfRun(before, lookAtMachine(), runId, daemon);
  // The test would prove nothing if it did not know the run's processes.
  expect(parts.filter((part) => part.startsWith("process")).length).toBeGreaterThan(6);
  return { before, daemon, run: { runId, parts, block: address?.[1] ?? "" }, muster };
}

const left = ({ before, run: known }: Watched): readonly string[] =>
  leftovers(before, lookAtMachine(), known);

describe.each(modes)("in %s mode nothing is left", (mode) => {
  test("of an experiment that was stopped, but the daemon, when the command returns", async () => {
    const watched = await upWatched(mode);
    expect((await watched.muster("down", "watched")).code).toBe(0);
    // That the daemon is found shows that the picture sees what is there.
    const isDaemon = (part: string): boolean => part.startsWith(`process ${watched.daemon}@`);
    expect(left(watched).filter(isDaemon)).toHaveLength(1);
    expect(left(watched).filter((part) => !isDaemon(part))).toEqual([]);
  });

  test("of a daemon that was asked to end", async () => {
    const watched = await upWatched(mode);
    expect((await watched.muster("serve", "--stop")).code).toBe(0);
    expect(await untilEmpty(() => left(watched), settleMs)).toEqual([]);
  });

  test("of a daemon that was killed with -9", async () => {
    const watched = await upWatched(mode);
    process.kill(watched.daemon, "SIGKILL");
    expect(await untilEmpty(() => left(watched), settleMs)).toEqual([]);
  });
});
