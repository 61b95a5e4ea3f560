// SPDX-License-Identifier: MIT
// Goal: a run of `muster run` is in a database of its own, with what the daemon would write; and
// what goes wrong there is said once and costs the run nothing. Method: the real file, read back
// with the code of the daemon; events by hand.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ExperimentsDatabase } from "../../../src/boss/database.ts";
import { resolveBossLimits } from "../../../src/boss/limits.ts";
import { RunDatabase } from "../../../src/boss/run-database.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { type Clock, systemClock } from "../../../src/host/clock.ts";
import type { RunEvent } from "../../../src/testbed/run-event.ts";

const source = "set ns [new Simulator]\nset a [$ns node]\n$ns run\n";
const commands = [{ kind: "agenda-start", scope: "pp/ee" }] as const;
const batches = [{ edge: "testbed", incarnation: 1, number: 1, commands }];
const timeZero: RunEvent = {
  ...{ type: "log", atUs: 0 },
  entry: { sequence: 1, stampUs: 0, entry: { format: 1, batches } },
};
const passed = { outcome: "passed", endedBy: "idle", error: null } as const;

let folder = "";
let errors: string[] = [];
let endTurn: () => void = () => undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-run-database-"));
  errors = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function begin(): RunDatabase {
  const { experiment, rows } = parseNsFile(source, { file: "/a.ns", pid: "pp", eid: "ee" });
  if (experiment === undefined || rows === undefined) throw new Error("the file is good");
  const clock: Clock = {
    ...systemClock,
    endOfTurn: (callback) => {
      endTurn = callback;
    },
  };
  const definition = { file: "/a.ns", source, presets: [["opt(A)", "1"]] as const };
  return new RunDatabase({
    ...{ directory: folder, experiment, tables: rows, definition, runId: "r1", seed: 7, clock },
    onError: (message) => errors.push(message),
  });
}

it("holds the experiment, its rows, its way through the states, and the run", () => {
  const run = begin();
  endTurn();
  run.watch(timeZero);
  run.close(passed);
  expect(errors).toEqual([]);
  const database = ExperimentsDatabase.open(join(folder, "experiments.db"), resolveBossLimits());
  const row = database.experiment("pp", "ee");
  const exptidx = row?.exptidx ?? 0;
  const { username } = userInfo();
  expect(row).toMatchObject({ state: "swapped", creator: username, file: "/a.ns" });
  expect(database.history(exptidx).map(({ to, user }) => [to, user])).toEqual(
    ["swapped", "activating", "active", "swapping", "swapped"].map((to) => [to, username]),
  );
  expect(database.definition(exptidx)).toMatchObject({ source, presets: [["opt(A)", "1"]] });
  expect(database.definition(exptidx).rows["virt_nodes"]).toMatchObject([{ vname: "a" }]);
  expect(database.runs(exptidx)).toMatchObject([
    { number: 1, directory: folder, runId: "r1", seed: 7, outcome: "passed", endedBy: "idle" },
  ]);
  expect(database.actor(username, "pp").trust).toBe("leader");
  database.close();
});

it("does nothing in the turn that starts the run", () => {
  const run = begin();
  expect(readdirSync(folder)).toEqual([]);
  run.watch(timeZero);
  run.close(passed);
  expect(errors).toEqual([]);
});

it("says once what is wrong, and goes on", () => {
  mkdirSync(join(folder, "experiments.db"));
  const run = begin();
  endTurn();
  run.watch(timeZero);
  run.close({ outcome: "failed", endedBy: "failure", error: { code: "X", message: "y" } });
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/^experiments\.db is not complete: cannot open .*; check the disk/);
  // Of a database that fails later as well: it was closed.
  rmSync(join(folder, "experiments.db"), { recursive: true });
  errors = [];
  const other = begin();
  endTurn();
  other.close(passed);
  for (let times = 0; times < 3; times += 1) other.watch(timeZero);
  expect(errors).toHaveLength(1);
});
