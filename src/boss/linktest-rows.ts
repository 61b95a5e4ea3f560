// SPDX-License-Identifier: MIT
// What the database knows of the linktests of experiments: up to which stage one is run at swap-in,
// and which process runs one now. [LINKTEST 10] Stores and finds; who may is decided elsewhere.
import type { DatabaseSync } from "node:sqlite";
import { assert } from "../core/assert.ts";
import type { ProcessIdentity } from "../events/launch/index.ts";
import type { LinktestLevel } from "../experiment/model.ts";

export class LinktestRows {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  setLevel(exptidx: number, level: LinktestLevel): void {
    this.#run("UPDATE experiments SET linktest_level = ? WHERE exptidx = ?", level, exptidx);
  }

  /** The process that runs a linktest of it; undefined for none. */
  runner(exptidx: number): ProcessIdentity | undefined {
    const sql = "SELECT linktest_pid, linktest_started FROM experiments WHERE exptidx = ?";
    const found = this.#database.prepare(sql).get(exptidx);
    const [pid, startTicks] = [found?.["linktest_pid"], found?.["linktest_started"]];
    if (pid === null || pid === undefined) return undefined;
    return { pid: Number(pid), startTicks: String(startTicks) };
  }

  /** @param runner undefined: none any more */
  setRunner(exptidx: number, runner: ProcessIdentity | undefined): void {
    const sql = "UPDATE experiments SET linktest_pid = ?, linktest_started = ? WHERE exptidx = ?";
    this.#run(sql, runner?.pid ?? null, runner?.startTicks ?? null, exptidx);
  }

  /** A daemon that begins runs none. */
  clearRunners(): void {
    this.#run("UPDATE experiments SET linktest_pid = NULL, linktest_started = NULL");
  }

  #run(sql: string, ...values: readonly (string | number | null)[]): void {
    this.#database.prepare(sql).run(...values);
  }
}

/** A level as the database has it. */
export function linktestLevelOf(value: unknown): LinktestLevel {
  const level = ([0, 1, 2, 3, 4] as const).find((one) => one === value);
  assert(level !== undefined, `the level ${String(value)} is one of a linktest`);
  return level;
}
