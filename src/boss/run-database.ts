// SPDX-License-Identifier: MIT
// The experiments database of `muster run`: one experiment with one run, in the directory of the
// results, written as the daemon writes its own. The only user is the caller.
//
//   R1. Nothing that goes wrong here ends or fails a run: it is said once, and no more is written.
//   R2. It is opened when the run is on its way: starting does not wait for it.
import { userInfo } from "node:os";
import { join } from "node:path";
import { errorText } from "../core/text.ts";
import type { Experiment, Tables } from "../experiment/index.ts";
import type { Clock } from "../host/clock.ts";
import type { RunResult } from "../testbed/record/result-model.ts";
import type { RunEvent } from "../testbed/run-event.ts";
import { type Definition, ExperimentsDatabase } from "./database.ts";
import { resolveBossLimits } from "./limits.ts";
import { isTimeZero } from "./live-run.ts";
import { RunLedger } from "./run-ledger.ts";
import { databaseFile } from "./state-directory.ts";

export interface RunDatabaseOptions {
  /** Where the results go. */
  readonly directory: string;
  readonly experiment: Experiment;
  readonly tables: Tables;
  readonly definition: Omit<Definition, "rows">;
  readonly runId: string;
  readonly seed: number;
  readonly clock: Clock;
  readonly onError: (message: string) => void;
}

export class RunDatabase {
  readonly #options: RunDatabaseOptions;
  #database: ExperimentsDatabase | undefined;
  #ledger: RunLedger | undefined;
  #hasFailed = false;

  constructor(options: RunDatabaseOptions) {
    this.#options = options;
    options.clock.endOfTurn(() => this.#attempt(() => this.#begin()));
  }

  watch(event: RunEvent): void {
    if (isTimeZero(event)) this.#attempt(() => this.#ledger?.activated());
  }

  /** The run is over. */
  close({ outcome, endedBy, error }: Pick<RunResult, "outcome" | "endedBy" | "error">): void {
    const endedMs = this.#options.clock.wallMs();
    this.#attempt(() => this.#ledger?.finish({ endedMs, outcome, endedBy, error }));
    this.#attempt(() => this.#database?.close());
  }

  #begin(): void {
    const { directory, experiment, tables, definition, clock, runId, seed } = this.#options;
    const file = join(directory, databaseFile);
    // The record of the run does not wait for the disk either, and the loop has events to fire.
    const database = ExperimentsDatabase.open(file, resolveBossLimits(), "OFF");
    this.#database = database;
    const { username, uid } = userInfo();
    database.putUser(username, uid);
    const { pid, eid } = experiment;
    const open = { endedMs: null, outcome: null, endedBy: null, error: null };
    const run = { number: 1, directory, runId, seed, startedMs: clock.wallMs(), ...open };
    const names = { database, clock, pid, eid, user: username, run };
    this.#ledger = RunLedger.begin(names, { ...definition, rows: tables }, () => undefined);
  }

  /** R1. */
  #attempt(act: () => void): void {
    if (this.#hasFailed) return;
    try {
      act();
    } catch (error) {
      this.#hasFailed = true;
      this.#options.onError(`${databaseFile} is not complete: ${errorText(error)}`);
    }
  }
}
