// SPDX-License-Identifier: MIT
// Goal: up, down, status and what a daemon that died has left, with every way a run can end.
// Method: the real database and files, runs without nodes.
import { EventEmitter } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BossError, type BossErrorCode } from "../../../src/boss/boss-error.ts";
import { ExperimentsDatabase } from "../../../src/boss/database.ts";
import type { UpOptions } from "../../../src/boss/experiment-views.ts";
import { Experiments } from "../../../src/boss/experiments.ts";
import { type BossLimits, resolveBossLimits } from "../../../src/boss/limits.ts";
import { prepareStateDirectory, resolveStateDirectory } from "../../../src/boss/state-directory.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import type { RunResult } from "../../../src/testbed/record/result-model.ts";
import { FakeRuns } from "./fake-run.ts";

const text = "set ns [new Simulator]\nset a [$ns node]\nset b [$ns node]\n$ns run\n";
let folder = "";
let runs = new FakeRuns();
let database: ExperimentsDatabase;
let experiments: Experiments;
let faults = new EventEmitter();

function begin(partial: Partial<BossLimits> = {}): void {
  const state = resolveStateDirectory(folder, {});
  const limits = resolveBossLimits(partial);
  prepareStateDirectory(state);
  database = ExperimentsDatabase.open(state.database, limits);
  database.putUser("ann", 1000);
  database.putUser("bob", 1001);
  faults = new EventEmitter();
  experiments = new Experiments({
    ...{ database, state, limits, clock: systemClock, coreLimits: resolveLimits() },
    ...{ logger: silentLogger, tools: {}, run: runs.run, faults },
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-experiments-"));
  runs = new FakeRuns();
  begin();
});
afterEach(async () => {
  for (const run of runs.runs) run.end("interrupt");
  await experiments.close("ann", 1_000);
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function options(eid = "ee", source = text): UpOptions {
  const names = { file: "/a.ns", pid: "pp", eid, presets: [] };
  const { experiment, rows, diagnostics, output } = parseNsFile(source, names);
  const errors = diagnostics.length;
  const parsed = { experiment, rows, diagnostics: [], errors, output };
  return { ...names, source, parsed, seed: 7, durationSeconds: 0, stuckSeconds: 0 };
}

async function failure(act: () => unknown): Promise<BossError> {
  try {
    await act();
  } catch (error) {
    expect(error).toBeInstanceOf(BossError);
    return error as BossError;
  }
  throw new Error("nothing was thrown");
}

const refusal = async (act: () => unknown): Promise<BossErrorCode> => (await failure(act)).code;
const stateOf = (eid = "ee"): string | undefined => database.experiment("pp", eid)?.state;
const states = (eid = "ee"): string[] => {
  const row = database.experiment("pp", eid);
  return database.history(row?.exptidx ?? 0).map(({ to }) => to);
};
const result = (directory: string): RunResult =>
  JSON.parse(readFileSync(join(directory, "result.json"), "utf8")) as RunResult;

describe("up and down", () => {
  it("lead through the states, and leave rows, history and the files of a run", async () => {
    runs.mode = "activating";
    const started = experiments.up(options(), "ann");
    expect(started).toMatchObject({ experiment: "pp/ee", run: 1, seed: 7 });
    expect(started.directory).toBe(join(folder, "experiments/pp/ee/runs/1"));
    expect(stateOf()).toBe("activating");
    expect(database.definition(1).rows["virt_nodes"]).toHaveLength(2);
    await Promise.resolve();
    runs.runs[0]?.activate();
    expect(await started.active).toBe(true);
    expect(stateOf()).toBe("active");
    expect(experiments.status("ann")).toMatchObject([
      { experiment: "pp/ee", state: "active", swapper: "ann", live: { nodesUp: 2, nodes: 2 } },
    ]);
    // What experiment.event_time_start answers.
    expect(database.nodes.starts(1)).toMatchObject([{ timeline: "" }]);
    const run = await experiments.down("ee", "ann");
    expect(database.nodes.starts(1)).toEqual([]);
    expect(run).toMatchObject({ number: 1, outcome: "passed", endedBy: "terminate", error: null });
    expect(states()).toEqual(["swapped", "activating", "active", "swapping", "swapped"]);
    expect(result(started.directory)).toMatchObject({ endedBy: "terminate", outcome: "passed" });
    for (const name of ["progress.log", "record.ndjson", "report.html"]) {
      expect(existsSync(join(started.directory, name))).toBe(true);
    }
    expect(experiments.details("pp/ee", "ann")).toMatchObject({ live: null, runs: [run] });
  });

  it("number runs beyond every directory that is there, also one that a crash has left", async () => {
    mkdirSync(join(folder, "experiments/pp/ee/runs/2"), { recursive: true });
    for (const number of [3, 4, 5]) {
      const started = experiments.up(options(), "ann");
      expect(started.run).toBe(number);
      await started.active;
      await experiments.down("ee", "ann");
    }
    expect(experiments.details("ee", "ann").runs.map(({ number }) => number)).toEqual([3, 4, 5]);
  });

  it("refuse a second up, with nothing changed, and a down of what is not up", async () => {
    const started = experiments.up(options(), "ann");
    await started.active;
    const { code, message } = await failure(async () => {
      experiments.up(options("ee", text.replace("set b", "set c")), "ann");
    });
    expect(code).toBe("WRONG_STATE");
    expect(message).toMatch(/pp\/ee is active .*muster down pp\/ee/);
    expect(database.definition(1).source).toBe(text);
    expect(existsSync(join(folder, "experiments/pp/ee/runs/2"))).toBe(false);
    await experiments.down("ee", "ann");
    expect(await refusal(() => experiments.down("ee", "ann"))).toBe("WRONG_STATE");
    expect(await refusal(() => experiments.down("none", "ann"))).toBe("NO_SUCH_EXPERIMENT");
  });

  it("of two downs at once both wait for the same end", async () => {
    await experiments.up(options(), "ann").active;
    const both = await Promise.all([experiments.down("ee", "ann"), experiments.down("ee", "ann")]);
    expect(both[0]).toEqual(both[1]);
    expect(states().filter((state) => state === "swapping")).toHaveLength(1);
  });

  it("ends what is still on its way up", async () => {
    runs.mode = "activating";
    const started = experiments.up(options(), "ann");
    const down = experiments.down("ee", "ann");
    expect(await started.active).toBe(false);
    expect(await down).toMatchObject({ endedBy: "terminate" });
    expect(states()).toEqual(["swapped", "activating", "swapping", "swapped"]);
  });

  it("records a swap-in that fails, and a run that ends by itself", async () => {
    runs.mode = "fails";
    const failed = experiments.up(options(), "ann");
    expect(await failed.active).toBe(false);
    expect(await failed.ended).toMatchObject({ outcome: "failed", error: { code: "SWAP_IN" } });
    runs.mode = "active";
    const started = experiments.up(options(), "ann");
    await started.active;
    runs.runs[1]?.end("idle");
    expect(await started.ended).toMatchObject({ outcome: "passed", endedBy: "idle" });
    expect(states().slice(-3)).toEqual(["active", "swapping", "swapped"]);
  });

  it("survives a fault of the run itself", async () => {
    runs.mode = "throws";
    const started = experiments.up(options(), "ann");
    expect(await started.ended).toMatchObject({ outcome: "failed" });
    expect(result(started.directory).error).toMatchObject({ code: "INTERNAL" });
    expect(stateOf()).toBe("swapped");
  });

  it("ends every run at a mistake that nobody has caught, in order and with its results", async () => {
    const ups = ["e1", "e2"].map((eid) => experiments.up(options(eid), "ann"));
    await Promise.all(ups.map(({ active }) => active));
    faults.emit("uncaughtException", new Error("a step without an end"));
    for (const { ended, directory } of ups) {
      expect(await ended).toMatchObject({ outcome: "failed" });
      const { error } = result(directory);
      expect(error).toMatchObject({ code: "INTERNAL" });
      expect(error?.message).toContain("a step without an end");
    }
    expect(["e1", "e2"].map((eid) => stateOf(eid))).toEqual(["swapped", "swapped"]);
    expect(faults.listenerCount("uncaughtException")).toBe(0);
  });

  it("fails a run whose program failed before it was stopped", async () => {
    const started = experiments.up(options(), "ann");
    await started.active;
    runs.runs[0]?.say({
      ...{ type: "program-ended", name: "p", node: "a", command: "c", startedUs: 0, exitCode: 1 },
      ...{ expectedExitCode: 0, signal: null, timedOut: false, stopped: false },
      ...{ startError: null, stderrTail: "" },
    });
    expect(await experiments.down("ee", "ann")).toMatchObject({
      ...{ outcome: "failed", endedBy: "terminate" },
      reasons: [{ code: "PROGRAM", message: "program p on a exited with 1, expected 0" }],
    });
  });
});

describe("a database that fails for a while", () => {
  it("stops nobody: the end is put right by the next who asks", async () => {
    for (const next of ["up", "down"] as const) {
      const started = experiments.up(options(next), "ann");
      await started.active;
      const { transaction } = database;
      database.transaction = () => {
        throw new BossError("DATABASE", "the disk is full");
      };
      runs.runs.at(-1)?.end("idle");
      expect(await started.ended).toMatchObject({ endedBy: "idle" });
      database.transaction = transaction;
      expect(stateOf(next)).toBe("active");
      if (next === "up") expect(experiments.up(options(next), "ann").run).toBe(2);
      else expect(await refusal(() => experiments.down(next, "ann"))).toBe("WRONG_STATE");
      const notes = experiments.details(next, "ann").history.map(({ note }) => note);
      expect(notes.join()).toContain("could not be written");
    }
  });

  it.each(["status", "details"] as const)("is put right by who asks for %s", async (asked) => {
    const look = () =>
      asked === "status" ? experiments.status("ann")[0] : experiments.details("ee", "ann");
    await experiments.up(options(), "ann").active;
    const { transaction } = database;
    database.transaction = () => {
      throw new BossError("DATABASE", "the disk is full");
    };
    await experiments.down("ee", "ann");
    // Nothing can be written yet, and what is there is told.
    expect(look()).toMatchObject({ state: "active", live: null });
    database.transaction = transaction;
    expect(look()).toMatchObject({
      ...{ state: "swapped", live: null },
      lastRun: { endedBy: "failure", error: { code: "DAEMON_DIED" } },
    });
    expect(experiments.details("ee", "ann").history).toHaveLength(4);
  });

  it("holds up neither a down nor the end of the daemon: the nodes go", async () => {
    for (const eid of ["e1", "e2", "e3"]) await experiments.up(options(eid), "ann").active;
    database.transaction = () => {
      throw new BossError("DATABASE", "the disk is full");
    };
    expect(await experiments.down("e1", "ann")).toMatchObject({ endedBy: "terminate" });
    expect(await experiments.close("ann", 10_000)).toEqual([]);
    for (const { options: one } of runs.runs) expect(result(one.out).endedBy).toBe("terminate");
  });

  it("refuses an up with nothing left of it", async () => {
    const { startRun } = database;
    database.startRun = () => {
      throw new BossError("DATABASE", "the disk is full");
    };
    expect(await refusal(() => experiments.up(options(), "ann"))).toBe("DATABASE");
    database.startRun = startRun;
    expect(experiments.status("ann")).toEqual([]);
    expect(existsSync(join(folder, "experiments/pp/ee/runs/1"))).toBe(false);
    expect(experiments.up(options(), "ann").run).toBe(1);
  });
});

describe("what is refused", () => {
  it("a file with errors, and names that are no names", async () => {
    const bad = options("ee", "nonsense\n");
    expect(await refusal(() => experiments.up(bad, "ann"))).toBe("REFUSED_FILE");
    expect(experiments.status("ann")).toEqual([]);
    const named = { ...options(), eid: "../../x" };
    expect(await refusal(() => experiments.up(named, "ann"))).toBe("BAD_REQUEST");
  });

  it("one more experiment than may be up", async () => {
    experiments.up(options("e0"), "ann");
    database.close();
    await experiments.close("ann", 0).catch(() => undefined);
    begin({ experimentsUpMax: 2 });
    experiments.recover("ann");
    for (const eid of ["e1", "e2"]) experiments.up(options(eid), "ann");
    const third = options("e3");
    expect((await failure(() => experiments.up(third, "ann"))).message).toMatch(/experimentsUpMax/);
    await experiments.down("e1", "ann");
    experiments.up(third, "ann");
  });

  it("what the user may not, and what the user may not even see", async () => {
    await experiments.up(options(), "ann").active;
    const other = options("e2");
    expect(await refusal(() => experiments.up(other, "bob"))).toBe("NOT_ALLOWED");
    expect(experiments.status("bob")).toEqual([]);
    expect(await refusal(() => experiments.down("ee", "bob"))).toBe("NO_SUCH_EXPERIMENT");
    database.setTrust("pp", "bob", "user");
    expect(experiments.status("bob")).toHaveLength(1);
    expect(await refusal(() => experiments.down("ee", "bob"))).toBe("NOT_ALLOWED");
    database.setTrust("pp", "bob", "leader");
    expect(await experiments.down("ee", "bob")).toMatchObject({ endedBy: "terminate" });
    expect(database.history(1).at(-2)).toMatchObject({ to: "swapping", user: "bob" });
  });

  it("an id that two projects have", async () => {
    experiments.up(options(), "ann");
    const other = { ...options(), pid: "qq" };
    experiments.up(other, "ann");
    const { message } = await failure(() => experiments.down("ee", "ann"));
    expect(message).toContain("pp/ee or qq/ee");
    await experiments.down("qq/ee", "ann");
  });

  it("output of what was never up is refused, and of the last run is found", async () => {
    const started = experiments.up(options(), "ann");
    await started.active;
    const output = experiments.output("ee", "ann");
    expect(output.directory).toBe(started.directory);
    expect(output.isOver()).toBe(false);
    await experiments.down("ee", "ann");
    expect(output.isOver()).toBe(true);
    expect(experiments.output("ee", "ann").isOver()).toBe(true);
  });
});

describe("the end of a daemon", () => {
  it("swaps everything out, and takes nothing new", async () => {
    for (const eid of ["e1", "e2"]) await experiments.up(options(eid), "ann").active;
    const later = options("e3");
    expect(await experiments.close("ann", 10_000)).toEqual([]);
    expect([stateOf("e1"), stateOf("e2")]).toEqual(["swapped", "swapped"]);
    expect(await refusal(() => experiments.up(later, "ann"))).toBe("CLOSING");
  });

  it("does not wait longer than it may", async () => {
    runs.mode = "deaf";
    await experiments.up(options(), "ann").active;
    expect(await experiments.close("ann", 1)).toEqual(["pp/ee"]);
    expect(stateOf()).toBe("swapping");
  });

  it("that died is put right by the next, in every state, with a history entry", async () => {
    runs.mode = "activating";
    experiments.up(options("e1"), "ann");
    await Promise.resolve();
    runs.mode = "active";
    await experiments.up(options("e2"), "ann").active;
    runs.mode = "deaf";
    await experiments.up(options("e3"), "ann").active;
    void experiments.down("e3", "ann");
    expect(["e1", "e2", "e3"].map(stateOf)).toEqual(["activating", "active", "swapping"]);
    // As after kill -9: nothing of this daemon reaches the file any more.
    database.close();
    begin();
    expect(experiments.recover("ann")).toEqual(["pp/e1", "pp/e2", "pp/e3"]);
    for (const { state, lastRun } of experiments.status("ann")) {
      expect(state).toBe("swapped");
      expect(lastRun).toMatchObject({ outcome: "failed", error: { code: "DAEMON_DIED" } });
    }
    expect(experiments.output("e2", "ann").cutOff).toContain("the daemon died");
    const entry = database.history(2).at(-1);
    expect(entry).toMatchObject({ from: "active", to: "swapped" });
    expect(entry?.note).toContain("the daemon died");
    expect(experiments.recover("ann")).toEqual([]);
    runs.mode = "active";
    expect(experiments.up(options("e2"), "ann").run).toBe(2);
  });
});
