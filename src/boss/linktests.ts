// SPDX-License-Identifier: MIT
// Linktests that somebody runs from boss: who may, in which states, one at a time, and which
// process it is that ends one when it is ended. [LINKTEST 10]
//
//   L1. While a linktest of an experiment goes on the database has the process that asked for it;
//       with that process the linktest ends.
import { identifyProcess, isRunning, type ProcessIdentity } from "../events/launch/index.ts";
import type { LinktestLevel } from "../experiment/model.ts";
import { BossError } from "./boss-error.ts";
import type { ExperimentRow, ExperimentsDatabase } from "./database.ts";
import type { OpsLinktest, OpsLinktestAsked } from "./ops-linktest.ts";
import type { Action } from "./rights.ts";
import type { ExperimentState } from "./states.ts";

export interface LinktestsOptions {
  readonly database: ExperimentsDatabase;
  /** Undefined where nothing here can test links from outside of a run. */
  readonly ops: Pick<OpsLinktest, "run"> | undefined;
  /** An experiment, for who may do this to it. @throws BossError */
  readonly demanded: (id: string, user: string, action: Action) => ExperimentRow;
}

export interface LinktestAsked extends Omit<OpsLinktestAsked, "level"> {
  readonly id: string;
  /** Null: as the experiment has it. */
  readonly level: LinktestLevel | null;
  /** Process that asks. */
  readonly runner: number;
}

/** How it ended, and whose it was. */
export interface LinktestEnded {
  readonly experiment: string;
  readonly level: LinktestLevel;
  /** Nodes with errors, or 1 for whatever else went wrong; 0 also when level 0 tests nothing. */
  readonly exitCode: number;
  readonly swapper: string | null;
}

/** Which process runs a linktest. */
export interface LinktestRunner {
  readonly runner: ProcessIdentity | null;
  /** The database had one that was gone; it has none any more. */
  readonly wasStale: boolean;
}

/** [LINKTEST 10] */
const statesForLinktest: readonly ExperimentState[] = ["active", "activating", "modify_reswap"];

export class Linktests {
  readonly #options: LinktestsOptions;
  readonly #closing = new AbortController();
  readonly #going = new Set<Promise<unknown>>();

  constructor(options: LinktestsOptions) {
    this.#options = options;
    options.database.linktests.clearRunners();
  }

  /** Resolves when nothing of it is left. @throws BossError; nothing was tested */
  async run({ id, runner: pid, ...asked }: LinktestAsked, user: string): Promise<LinktestEnded> {
    const { database, ops, demanded } = this.#options;
    const row = demanded(id, user, "swap-out");
    const experiment = `${row.pid}/${row.eid}`;
    if (!statesForLinktest.includes(row.state)) {
      const message = `${experiment} must be active (or on its way up), not ${row.state}!`;
      throw new BossError("WRONG_STATE", message);
    }
    const level = asked.level ?? row.linktestLevel;
    const { swapper } = row;
    if (level === 0) return { experiment, level, exitCode: 0, swapper };
    if (ops === undefined) {
      const instead = `use: muster linktest ${experiment}`;
      throw new BossError("NOT_YET", `this daemon has no linktest.proxy to call; ${instead}`);
    }
    const running = database.linktests.runner(row.exptidx);
    if (running !== undefined && isRunning(running)) {
      const instead = "wait for it, or end it with: linktest_control -k";
      const message = `a linktest of ${experiment} is running (process ${running.pid}); ${instead} ${row.pid} ${row.eid}`;
      throw new BossError("WRONG_STATE", message);
    }
    const runner = identifyProcess(pid);
    if (runner === undefined) throw new BossError("LOST", `process ${pid} is gone, who asked`);
    database.linktests.setRunner(row.exptidx, runner);
    const signal = AbortSignal.any([asked.signal, this.#closing.signal]);
    const going = ops.run(row, { ...asked, level, signal });
    this.#going.add(going);
    try {
      const exitCode = await going;
      return { experiment, level, exitCode: exitCode ?? 1, swapper };
    } finally {
      this.#going.delete(going);
      database.linktests.setRunner(row.exptidx, undefined);
    }
  }

  /** Ends them. Resolves when they have ended, and the database says so. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#going);
  }

  /** @throws BossError */
  runnerOf(id: string, user: string): LinktestRunner {
    const { database, demanded } = this.#options;
    const { exptidx } = demanded(id, user, "swap-out");
    const runner = database.linktests.runner(exptidx);
    if (runner === undefined) return { runner: null, wasStale: false };
    if (isRunning(runner)) return { runner, wasStale: false };
    database.linktests.setRunner(exptidx, undefined);
    return { runner: null, wasStale: true };
  }
}
