// SPDX-License-Identifier: MIT
// Goal: what the experiments database keeps, and what can happen to its file: written by an older
// or newer Muster, held by another, damaged, read-only, of another program, and a process that is
// killed in the middle of a transaction. Method: real files.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BossError } from "../../../src/boss/boss-error.ts";
import { type Definition, ExperimentsDatabase } from "../../../src/boss/database.ts";
import { type BossLimits, resolveBossLimits } from "../../../src/boss/limits.ts";
import { migrations } from "../../../src/boss/migrations.ts";
import { applyMigrations, isLocked } from "../../../src/boss/schema.ts";
import { parseNsFile, type Tables } from "../../../src/experiment/index.ts";

let folder = "";
let file = "";
const opened: ExperimentsDatabase[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-boss-"));
  file = join(folder, "experiments.db");
});
afterEach(() => {
  for (const database of opened.splice(0)) database.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(limits: Partial<BossLimits> = {}, at = file): ExperimentsDatabase {
  const database = ExperimentsDatabase.open(at, resolveBossLimits(limits));
  opened.push(database);
  return database;
}

function close(): void {
  for (const database of opened.splice(0)) database.close();
}

const deed = (atMs: number, note = "") => ({ user: "ann", atMs, note });
const definition = (rows: Tables = {}): Definition => ({
  ...{ file: "/a.ns", source: "text", presets: [["opt(A)", "1"]], rows },
  ...{ linktestLevel: 0, linkSettings: [] },
});
const run = { number: 1, directory: "/r/1", runId: "r1", seed: 7, startedMs: 5 };
const end = { endedMs: 9, outcome: "failed", endedBy: "idle", error: null } as const;

/** A database with project `pp`, its leader `ann` and experiment `pp/ee`. */
function withExperiment(limits: Partial<BossLimits> = {}): ExperimentsDatabase {
  const database = open(limits);
  database.transaction(() => {
    database.putUser("ann", 1000);
    database.putProject("pp", deed(1));
    database.define("pp", "ee", definition(), deed(1, "defined"));
  });
  return database;
}

function failure(act: () => unknown): BossError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(BossError);
    return error as BossError;
  }
  throw new Error("nothing was thrown");
}

const body = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set b [$ns node]
tb-set-node-startcmd $a "date"
set l0 [$ns duplex-link $a $b 10Mb 5ms DropTail]
set p [$b program-agent -command "true"]
set g [new EventGroup $ns]
$g add $p
set s [$ns event-sequence { $p run }]
set opt(SIZE) 5
$ns at 5 "$s start"
$ns run
`;

describe("ExperimentsDatabase", () => {
  it("keeps an experiment, its rows, runs and history over a restart", () => {
    const parsed = parseNsFile(body, { file: "a.ns", pid: "pp", eid: "ee" });
    const rows = parsed.rows ?? {};
    expect(Object.keys(rows)).toEqual(expect.arrayContaining(["virt_nodes", "eventlist"]));
    const first = withExperiment();
    first.transaction(() => {
      const row = first.define("pp", "ee", definition(rows), deed(2, "defined anew"));
      first.startRun(row.exptidx, run);
      first.move("pp", "ee", "swap-in", deed(3, "run 1"));
    });
    close();
    const database = open();
    const row = database.experiment("pp", "ee");
    expect(row).toMatchObject({ state: "activating", sinceMs: 3, swapper: "ann", creator: "ann" });
    const exptidx = row?.exptidx ?? 0;
    expect(database.definition(exptidx)).toEqual(definition(rows));
    expect(database.lastRun(exptidx)).toEqual({
      ...{ ...run, endedMs: null, outcome: null, endedBy: null, error: null },
    });
    database.endRun(exptidx, 1, { ...end, error: { code: "X", message: "m" } });
    expect(database.runs(exptidx)).toEqual([
      { ...run, ...end, error: { code: "X", message: "m" } },
    ]);
    expect(database.history(exptidx)).toEqual([
      { atMs: 1, from: null, to: "swapped", user: "ann", note: "defined" },
      { atMs: 2, from: "swapped", to: "swapped", user: "ann", note: "defined anew" },
      { atMs: 3, from: "swapped", to: "activating", user: "ann", note: "run 1" },
    ]);
  });

  it("gives back rows with columns and tables that its layout does not know", () => {
    const rows: Tables = {
      virt_nodes: [{ vname: "a", later: "1", "odd name": "2" }, {}, { vname: "" }],
      experiments: [{ mem_usage: "0", elabinelab_eid: "x" }],
      elabinelab_attributes: [{ role: "boss", table_name: "y" }, { role: "ops" }],
      virt_later: [{ a: "1" }],
    };
    const database = withExperiment();
    const exptidx = database.experiment("pp", "ee")?.exptidx ?? 0;
    database.transaction(() => database.define("pp", "ee", definition(rows), deed(2)));
    expect(database.definition(exptidx).rows).toEqual(rows);
    database.transaction(() => database.define("pp", "ee", definition({}), deed(3)));
    expect(database.definition(exptidx).rows).toEqual({});
  });

  it("makes whoever starts a project its leader, once", () => {
    const database = withExperiment();
    database.putUser("bob", 1001);
    database.putProject("pp", { user: "bob", atMs: 2 });
    expect(database.actor("ann", "pp")).toEqual({ name: "ann", unixUid: 1000, trust: "leader" });
    expect(database.actor("bob", "pp").trust).toBeUndefined();
    database.setTrust("pp", "bob", "user");
    database.setTrust("pp", "bob", "trusted");
    expect(database.actor("bob", "pp").trust).toBe("trusted");
    database.setTrust("pp", "bob", undefined);
    expect(database.actor("bob", "pp").trust).toBeUndefined();
  });

  it("refuses a transition that the states do not have, and changes nothing (D1)", () => {
    const database = withExperiment();
    const move = (): unknown =>
      database.transaction(() => {
        database.move("pp", "ee", "swap-in", deed(2));
        database.move("pp", "ee", "modify", deed(3));
      });
    expect(failure(move)).toMatchObject({ code: "WRONG_STATE", definite: true });
    const row = database.experiment("pp", "ee");
    expect(row).toMatchObject({ state: "swapped", swapper: null });
    expect(database.history(row?.exptidx ?? 0)).toHaveLength(1);
  });

  it("keeps as many rows as the limit, and not one more", () => {
    const database = withExperiment({ rowsMax: 2 });
    const define = (count: number): unknown => {
      const rows = { virt_nodes: Array.from({ length: count }, () => ({ vname: "a" })) };
      return database.transaction(() => database.define("pp", "ee", definition(rows), deed(2)));
    };
    define(2);
    expect(failure(() => define(3)).message).toContain("rowsMax");
    expect(database.definition(1).rows["virt_nodes"]).toHaveLength(2);
  });

  it("holds as many experiments as the limit, and not one more", () => {
    const database = withExperiment({ experimentsMax: 2, experimentsUpMax: 1 });
    const define = (eid: string): unknown =>
      database.transaction(() => database.define("pp", eid, definition(), deed(2)));
    define("e2");
    expect(failure(() => define("e3")).message).toContain("experimentsMax");
    define("e2");
    expect(database.experiments().map(({ eid }) => eid)).toEqual(["e2", "ee"]);
  });

  it("keeps as much history as the limit, the newest, and cuts long notes", () => {
    const database = withExperiment({ historyEntriesMax: 3, noteCharactersMax: 4 });
    database.transaction(() => database.define("pp", "e2", definition(), deed(2)));
    for (let atMs = 2; atMs <= 5; atMs += 1) {
      database.transaction(() => {
        database.define("pp", "ee", definition(), deed(atMs, atMs === 4 ? "1234" : "12345"));
      });
      const kept = database.history(1).map((entry) => entry.atMs);
      expect(kept).toEqual([1, 2, 3, 4, 5].slice(Math.max(0, atMs - 3), atMs));
    }
    expect(database.history(1).map(({ note }) => note)).toEqual(["1234", "1234", "1234"]);
    expect(database.history(2)).toHaveLength(1);
  });
});

describe("the file of the database", () => {
  it("of layout 1 is brought up to date with everything in it", () => {
    const old = new DatabaseSync(file);
    applyMigrations(old, 0, 1);
    old.exec(`INSERT INTO users VALUES ('ann', 1000);
      INSERT INTO projects VALUES ('pp', 1);
      INSERT INTO memberships VALUES ('pp', 'ann', 'leader');
      INSERT INTO experiments VALUES (4, 'pp', 'ee', 'active', 2, 'ann', 'ann', 1, '/a.ns', 't', '[]');
      INSERT INTO history VALUES (1, 4, 2, NULL, 'swapped', 'ann', 'defined');
      INSERT INTO virt_nodes (exptidx, position, vname) VALUES (4, 0, 'node0');`);
    expect(old.prepare("PRAGMA user_version").get()).toEqual({ user_version: 1 });
    expect(() => old.prepare("SELECT * FROM runs")).toThrow(/no such table/);
    old.close();
    const database = open();
    expect(database.experiment("pp", "ee")).toMatchObject({ exptidx: 4, state: "active" });
    expect(database.definition(4).rows).toEqual({ virt_nodes: [{ vname: "node0" }] });
    expect(database.history(4)).toHaveLength(1);
    database.startRun(4, run);
    expect(database.lastRun(4)?.runId).toBe("r1");
  });

  it("of every older layout is brought up to date", () => {
    for (let version = 0; version < migrations.length; version += 1) {
      const at = join(folder, `v${version}`);
      const old = new DatabaseSync(at);
      applyMigrations(old, 0, version);
      old.close();
      expect(open({}, at).experiments()).toEqual([]);
    }
  });

  it("of a newer Muster is refused, with what to do", () => {
    open();
    close();
    const newer = new DatabaseSync(file);
    newer.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    newer.close();
    const { code, message } = failure(() => open());
    expect(code).toBe("DATABASE");
    expect(message).toMatch(/newer Muster .*use that version/);
  });

  it("of another program is refused, also one with a version of its own", () => {
    for (const version of [0, 1]) {
      const at = join(folder, `other${version}`);
      const other = new DatabaseSync(at);
      other.exec(`CREATE TABLE t (a); PRAGMA user_version = ${version}`);
      other.close();
      expect(failure(() => open({}, at)).message).toMatch(/another program; choose another/);
    }
  });

  it("is one process's (D2)", () => {
    open();
    const error = failure(() => open());
    expect(isLocked(error)).toBe(true);
    expect(error.message).toMatch(/in use by another Muster; stop it, or choose another/);
    close();
    open();
  });

  it("is refused when it is no database, or a damaged one", () => {
    writeFileSync(file, "nonsense ".repeat(1_000));
    expect(failure(() => open()).message).toMatch(/damaged or no database .*backup/);
    rmSync(file);
    withExperiment();
    close();
    const bytes = readFileSync(file);
    // The first page is left as it is: a file that looks whole.
    bytes.fill(0x5a, 4096 * 2, 4096 * 6);
    writeFileSync(file, bytes);
    expect(failure(() => open()).message).toMatch(/damaged or no database .*backup/);
  });

  // Root may write to any file.
  if (process.getuid?.() !== 0) {
    it("is refused when it is read-only, with what to do", () => {
      open();
      close();
      chmodSync(file, 0o400);
      expect(failure(() => open()).message).toMatch(/is read-only; make it/);
    });
  }

  it("is refused where there can be none", () => {
    const at = join(folder, "directory");
    mkdirSync(at);
    expect(failure(() => open({}, at))).toMatchObject({ code: "DATABASE" });
    expect(failure(() => open({}, join(folder, "none", "db"))).message).toMatch(/cannot open/);
  });

  it("is as it was before a transaction in which the process was killed", async () => {
    withExperiment();
    const before = opened[0]?.experiments();
    close();
    const writer = fileURLToPath(new URL("./database-writer.ts", import.meta.url));
    const child = spawn(process.execPath, [writer, file], { stdio: ["ignore", "pipe", "inherit"] });
    const [said] = await once(child.stdout, "data");
    expect(String(said)).toBe("half\n");
    expect(isLocked(failure(() => open()))).toBe(true);
    child.kill("SIGKILL");
    await once(child, "close");
    const database = open();
    expect(database.experiments()).toEqual(before);
    expect(database.history(1)).toHaveLength(1);
  });
});
