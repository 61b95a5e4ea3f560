// SPDX-License-Identifier: MIT
// The experiments database: users and projects, experiments with their states and virtual tables,
// history and runs, as typed queries over one SQLite file. It stores and finds; what may happen is
// decided in states.ts and rights.ts, and done in experiments.ts.
//
//   D1. A change of state and its history entry are one transaction.
//   D2. One process has the file open at a time. [D13]
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { assert } from "../core/assert.ts";
import { errorText } from "../core/text.ts";
import type { Tables } from "../experiment/index.ts";
import type { LinktestLevel } from "../experiment/model.ts";
import { BossError } from "./boss-error.ts";
import type { BossLimits } from "./limits.ts";
import type { LinkSetting } from "./link-overlay.ts";
import { LinkSettingRows } from "./link-setting-rows.ts";
import { LinktestRows, linktestLevelOf } from "./linktest-rows.ts";
import { NodeRows } from "./node-rows.ts";
import type { Actor, Trust } from "./rights.ts";
import { isTrust } from "./rights.ts";
import { type Durability, openDatabase } from "./schema.ts";
import type { ExperimentState, Transition } from "./states.ts";
import { isExperimentState, planTransition } from "./states.ts";
import { VirtualRows } from "./virtual-rows.ts";

export interface ExperimentRow {
  readonly exptidx: number;
  readonly pid: string;
  readonly eid: string;
  readonly state: ExperimentState;
  readonly sinceMs: number;
  readonly creator: string;
  /** Who swapped it in; null when it is swapped out. */
  readonly swapper: string | null;
  readonly createdMs: number;
  /** Absolute path of the experiment file when it was read. */
  readonly file: string;
  /** Last stage of the linktest at swap-in; 0 for none. */
  readonly linktestLevel: LinktestLevel;
  /** Process that runs a linktest; null for none. */
  readonly linktestPid: number | null;
}

/** What a file says, as it is stored. */
export interface Definition {
  readonly file: string;
  readonly source: string;
  readonly presets: readonly (readonly [name: string, value: string])[];
  readonly rows: Tables;
  /** Left out: as before. */
  readonly linktestLevel?: LinktestLevel | undefined;
  /** Set by users beyond the file; part of `rows` already. */
  readonly linkSettings?: readonly LinkSetting[];
}

export interface HistoryEntry {
  readonly atMs: number;
  /** null for the first entry. */
  readonly from: ExperimentState | null;
  readonly to: ExperimentState;
  readonly user: string;
  readonly note: string;
}

export interface RunRow {
  readonly number: number;
  readonly directory: string;
  readonly runId: string;
  readonly seed: number;
  readonly startedMs: number;
  /** null while it goes on. */
  readonly endedMs: number | null;
  readonly outcome: "passed" | "failed" | null;
  readonly endedBy: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface RunEnd {
  readonly endedMs: number;
  readonly outcome: "passed" | "failed";
  readonly endedBy: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Somebody of a project. */
export interface Member {
  readonly user: string;
  readonly unixUid: number;
  readonly trust: Trust;
}

/** Who did it, when, and what there is to say. */
export interface Deed {
  readonly user: string;
  readonly atMs: number;
  readonly note: string;
}

type Found = Readonly<Record<string, unknown>>;

export class ExperimentsDatabase {
  /** Nodes and the times when events began. */
  readonly nodes: NodeRows;
  readonly linktests: LinktestRows;
  readonly linkSettings: LinkSettingRows;
  /** Told of each change of state, after it is written. Must not throw. */
  onMoved: ((pid: string, eid: string, state: ExperimentState) => void) | undefined;
  readonly #moved: (readonly [pid: string, eid: string, state: ExperimentState])[] = [];
  readonly #database: DatabaseSync;
  readonly #limits: BossLimits;
  readonly #rows: VirtualRows;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(database: DatabaseSync, limits: BossLimits) {
    this.#database = database;
    this.#limits = limits;
    this.#rows = new VirtualRows(database, limits.rowsMax);
    this.nodes = new NodeRows(database);
    this.linktests = new LinktestRows(database);
    this.linkSettings = new LinkSettingRows(database);
  }

  /** @throws BossError (DATABASE) with what to do. */
  static open(file: string, limits: BossLimits, durability?: Durability): ExperimentsDatabase {
    return new ExperimentsDatabase(openDatabase(file, durability), limits);
  }

  close(): void {
    this.#database.close();
  }

  /** All of `act` or nothing of it. @throws what `act` throws; BossError (DATABASE) from SQLite. */
  transaction<T>(act: () => T): T {
    assert(!this.#database.isTransaction, "transactions are not nested");
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const result = act();
      this.#database.exec("COMMIT");
      for (const moved of this.#moved.splice(0)) this.onMoved?.(...moved);
      return result;
    } catch (error) {
      this.#moved.length = 0;
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      if (!isSqliteError(error)) throw error;
      const message = `the experiments database refused it: ${errorText(error)}; check the disk`;
      throw new BossError("DATABASE", message, { cause: error });
    }
  }

  /** Adds a user, or corrects what is known of one. */
  putUser(name: string, unixUid: number): void {
    this.#run(
      "INSERT INTO users VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET unix_uid = excluded.unix_uid",
      name,
      unixUid,
    );
  }

  /** Makes the project with its first leader; does nothing when there is one. */
  putProject(pid: string, { user, atMs }: Omit<Deed, "note">): void {
    const { changes } = this.#run("INSERT OR IGNORE INTO projects VALUES (?, ?)", pid, atMs);
    if (Number(changes) === 1) this.setTrust(pid, user, "leader");
  }

  /** @param trust undefined ends the membership. */
  setTrust(pid: string, user: string, trust: Trust | undefined): void {
    this.#run("DELETE FROM memberships WHERE pid = ? AND user = ?", pid, user);
    if (trust !== undefined)
      this.#run("INSERT INTO memberships VALUES (?, ?, ?)", pid, user, trust);
  }

  /** undefined when there is no such project. By name. */
  members(pid: string): readonly Member[] | undefined {
    if (this.#one("SELECT 1 FROM projects WHERE pid = ?", pid) === undefined) return undefined;
    const sql =
      "SELECT user, trust, unix_uid FROM memberships JOIN users ON name = user WHERE pid = ? ORDER BY user";
    return this.#all(sql, pid).map((found) => {
      const trust = String(found["trust"]);
      assert(isTrust(trust), `the trust ${trust} is one of rights.ts`);
      return { user: String(found["user"]), unixUid: Number(found["unix_uid"]), trust };
    });
  }

  hasUser(name: string): boolean {
    return this.#one("SELECT 1 FROM users WHERE name = ?", name) !== undefined;
  }

  /** A user as project `pid` knows them. @throws AssertionError for an unknown user. */
  actor(name: string, pid: string): Actor {
    const user = this.#one("SELECT unix_uid FROM users WHERE name = ?", name);
    assert(user !== undefined, "users are put before they act");
    const found = this.#one("SELECT trust FROM memberships WHERE pid = ? AND user = ?", pid, name);
    const trust = String(found?.["trust"] ?? "");
    return {
      name,
      unixUid: Number(user["unix_uid"]),
      trust: isTrust(trust) ? trust : undefined,
    };
  }

  experiments(): readonly ExperimentRow[] {
    return this.#all(`SELECT ${experimentColumns} FROM experiments ORDER BY pid, eid`).map(
      experimentOf,
    );
  }

  /** @returns undefined when there is none. */
  experiment(pid: string, eid: string): ExperimentRow | undefined {
    const sql = `SELECT ${experimentColumns} FROM experiments WHERE pid = ? AND eid = ?`;
    const found = this.#one(sql, pid, eid);
    return found === undefined ? undefined : experimentOf(found);
  }

  /**
   * Adds an experiment in state `swapped`, or replaces what a swapped-out one says.
   * @throws BossError (LIMIT)
   */
  define(pid: string, eid: string, definition: Definition, deed: Deed): ExperimentRow {
    const known = this.experiment(pid, eid);
    const { file, source } = definition;
    const presets = JSON.stringify(definition.presets);
    if (known === undefined) {
      this.#checkRoom();
      this.#run(
        `INSERT INTO experiments (pid, eid, state, since_ms, creator, created_ms, file, source, presets)
         VALUES (?, ?, 'swapped', ?, ?, ?, ?, ?, ?)`,
        ...[pid, eid, deed.atMs, deed.user, deed.atMs, file, source, presets],
      );
    } else {
      assert(known.state === "swapped", "an experiment with nodes is modified, not replaced");
    }
    const row = this.experiment(pid, eid);
    assert(row !== undefined, "the experiment was just written");
    if (known === undefined) {
      this.#rows.add(row.exptidx, definition.rows);
      this.#defineLinks(row.exptidx, definition);
    } else this.redefine(row.exptidx, definition);
    this.#note(row.exptidx, known?.state ?? null, "swapped", deed);
    return row;
  }

  /** Replaces what an experiment says while it is up; its state is the caller's to move. */
  redefine(exptidx: number, definition: Definition): void {
    const { file, source, presets, rows } = definition;
    this.#run(
      "UPDATE experiments SET file = ?, source = ?, presets = ? WHERE exptidx = ?",
      ...[file, source, JSON.stringify(presets), exptidx],
    );
    this.#rows.replace(exptidx, rows);
    this.#defineLinks(exptidx, definition);
  }

  #defineLinks(exptidx: number, { linktestLevel, linkSettings = [] }: Definition): void {
    if (linktestLevel !== undefined) this.linktests.setLevel(exptidx, linktestLevel);
    this.linkSettings.replace(exptidx, linkSettings);
  }

  /** @throws BossError (LIMIT) when the experiment has more rows than are kept. */
  checkRows(rows: Tables): void {
    this.#rows.check(rows);
  }

  definition(exptidx: number): Definition {
    const sql = "SELECT file, source, presets, linktest_level FROM experiments WHERE exptidx = ?";
    const found = this.#one(sql, exptidx);
    assert(found !== undefined, "the experiment exists");
    return {
      file: String(found["file"]),
      source: String(found["source"]),
      presets: JSON.parse(String(found["presets"])) as [string, string][],
      rows: this.#rows.read(exptidx),
      linktestLevel: linktestLevelOf(found["linktest_level"]),
      linkSettings: this.linkSettings.of(exptidx),
    };
  }

  /**
   * Moves an experiment on and says so in its history (D1; the caller holds the transaction).
   * @throws BossError (WRONG_STATE)
   */
  move(pid: string, eid: string, transition: Transition, deed: Deed): ExperimentState {
    const row = this.experiment(pid, eid);
    assert(row !== undefined, "the experiment exists");
    const planned = planTransition(`${pid}/${eid}`, row.state, transition);
    if (planned.kind === "refused") throw new BossError("WRONG_STATE", planned.message);
    const { to } = planned;
    const swapper = transition === "swap-in" ? deed.user : to === "swapped" ? null : row.swapper;
    this.#run(
      "UPDATE experiments SET state = ?, since_ms = ?, swapper = ? WHERE exptidx = ?",
      ...[to, deed.atMs, swapper, row.exptidx],
    );
    this.#note(row.exptidx, row.state, to, deed);
    this.#moved.push([pid, eid, to]);
    return to;
  }

  /** Oldest first. */
  history(exptidx: number): readonly HistoryEntry[] {
    return this.#all("SELECT * FROM history WHERE exptidx = ? ORDER BY entry", exptidx).map(
      (found) => ({
        atMs: Number(found["at_ms"]),
        from: found["from_state"] === null ? null : stateOf(found["from_state"]),
        to: stateOf(found["to_state"]),
        user: String(found["user"]),
        note: String(found["note"]),
      }),
    );
  }

  startRun(
    exptidx: number,
    run: Pick<RunRow, "number" | "directory" | "runId" | "seed" | "startedMs">,
  ): void {
    this.#run(
      "INSERT INTO runs (exptidx, number, directory, run_id, seed, started_ms) VALUES (?, ?, ?, ?, ?, ?)",
      ...[exptidx, run.number, run.directory, run.runId, run.seed, run.startedMs],
    );
  }

  endRun(exptidx: number, number: number, end: RunEnd): void {
    this.#run(
      `UPDATE runs SET ended_ms = ?, outcome = ?, ended_by = ?, error_code = ?, error_message = ?
       WHERE exptidx = ? AND number = ? AND ended_ms IS NULL`,
      ...[end.endedMs, end.outcome, end.endedBy, end.error?.code ?? null],
      ...[end.error?.message ?? null, exptidx, number],
    );
  }

  /** Newest last. */
  runs(exptidx: number): readonly RunRow[] {
    return this.#all("SELECT * FROM runs WHERE exptidx = ? ORDER BY number", exptidx).map(runOf);
  }

  lastRun(exptidx: number): RunRow | undefined {
    const sql = "SELECT * FROM runs WHERE exptidx = ? ORDER BY number DESC LIMIT 1";
    const found = this.#one(sql, exptidx);
    return found === undefined ? undefined : runOf(found);
  }

  #note(exptidx: number, from: ExperimentState | null, to: ExperimentState, deed: Deed): void {
    const { noteCharactersMax, historyEntriesMax } = this.#limits;
    const note = [...deed.note].slice(0, noteCharactersMax).join("");
    this.#run(
      "INSERT INTO history (exptidx, at_ms, from_state, to_state, user, note) VALUES (?, ?, ?, ?, ?, ?)",
      ...[exptidx, deed.atMs, from, to, deed.user, note],
    );
    this.#run(
      `DELETE FROM history WHERE exptidx = ? AND entry <= coalesce((SELECT entry FROM history
       WHERE exptidx = ? ORDER BY entry DESC LIMIT 1 OFFSET ?), -1)`,
      ...[exptidx, exptidx, historyEntriesMax],
    );
  }

  #checkRoom(): void {
    const count = Number(this.#one("SELECT count(*) AS count FROM experiments")?.["count"]);
    const { experimentsMax } = this.#limits;
    if (count < experimentsMax) return;
    const message = `the database holds ${count} experiments (limit experimentsMax); use another directory with --state`;
    throw new BossError("LIMIT", message);
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #run(sql: string, ...values: readonly (string | number | null)[]): { changes: number | bigint } {
    return this.#prepare(sql).run(...values);
  }

  #one(sql: string, ...values: readonly (string | number | null)[]): Found | undefined {
    return this.#prepare(sql).get(...values);
  }

  #all(sql: string, ...values: readonly (string | number | null)[]): readonly Found[] {
    return this.#prepare(sql).all(...values);
  }
}

const experimentColumns =
  "exptidx, pid, eid, state, since_ms, creator, swapper, created_ms, file, linktest_level, linktest_pid";

function experimentOf(found: Found): ExperimentRow {
  return {
    exptidx: Number(found["exptidx"]),
    pid: String(found["pid"]),
    eid: String(found["eid"]),
    state: stateOf(found["state"]),
    sinceMs: Number(found["since_ms"]),
    creator: String(found["creator"]),
    swapper: textOrNull(found["swapper"]),
    createdMs: Number(found["created_ms"]),
    file: String(found["file"]),
    linktestLevel: linktestLevelOf(found["linktest_level"]),
    linktestPid: found["linktest_pid"] === null ? null : Number(found["linktest_pid"]),
  };
}

function runOf(found: Found): RunRow {
  const outcome = textOrNull(found["outcome"]);
  const code = textOrNull(found["error_code"]);
  return {
    number: Number(found["number"]),
    directory: String(found["directory"]),
    runId: String(found["run_id"]),
    seed: Number(found["seed"]),
    startedMs: Number(found["started_ms"]),
    endedMs: found["ended_ms"] === null ? null : Number(found["ended_ms"]),
    outcome: outcome === "passed" || outcome === "failed" ? outcome : null,
    endedBy: textOrNull(found["ended_by"]),
    error: code === null ? null : { code, message: textOrNull(found["error_message"]) ?? "" },
  };
}

function stateOf(value: unknown): ExperimentState {
  const text = String(value);
  assert(isExperimentState(text), `the state ${text} is one of states.ts`);
  return text;
}

function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

function isSqliteError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}
