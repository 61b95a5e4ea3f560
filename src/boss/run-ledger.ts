// SPDX-License-Identifier: MIT
// What is written of one experiment from its swap-in to its swap-out, whoever runs it: the daemon,
// or `muster run`. Knows no nodes and no users' rights.
//
//   L1. Each step is one transaction: state, history and what goes with them.
//   L2. Steps that come when the experiment has moved on already change nothing.
import { assert } from "../core/assert.ts";
import type { Clock } from "../host/clock.ts";
import { BossError } from "./boss-error.ts";
import type { Definition, ExperimentRow, ExperimentsDatabase, RunEnd, RunRow } from "./database.ts";
import { type ExperimentState, planTransition } from "./states.ts";

export interface RunLedgerOptions {
  readonly database: ExperimentsDatabase;
  readonly clock: Clock;
  readonly pid: string;
  readonly eid: string;
  /** Who swaps it in; known to the database. */
  readonly user: string;
  readonly run: RunRow;
}

export class RunLedger {
  readonly #options: RunLedgerOptions;

  private constructor(options: RunLedgerOptions) {
    this.#options = options;
  }

  /**
   * Defines the experiment and begins its swap-in.
   * @param demand throws when the user may not; asked when the project is there
   * @throws BossError; nothing is written then.
   */
  static begin(options: RunLedgerOptions, definition: Definition, demand: () => void): RunLedger {
    const { database, clock, pid, eid, user, run } = options;
    database.transaction(() => {
      const atMs = clock.wallMs();
      const known = database.experiment(pid, eid);
      database.putProject(pid, { user, atMs });
      demand();
      const planned = planTransition(`${pid}/${eid}`, known?.state ?? "swapped", "swap-in");
      if (planned.kind === "refused") {
        const other = known === undefined ? "" : database.definition(known.exptidx).file;
        const hint = describeOther(other, definition.file);
        throw new BossError("WRONG_STATE", `${planned.message}${hint}`);
      }
      const note = known === undefined ? "defined" : "defined anew";
      const row = database.define(pid, eid, definition, { user, atMs, note });
      database.startRun(row.exptidx, run);
      database.move(pid, eid, "swap-in", { user, atMs, note: `run ${run.number}` });
    });
    return new RunLedger(options);
  }

  get row(): ExperimentRow {
    const { database, pid, eid } = this.#options;
    const row = database.experiment(pid, eid);
    assert(row !== undefined, "experiments are not removed");
    return row;
  }

  /** Time 0 has come. L2: somebody may have asked for its end meanwhile. */
  activated(): void {
    const { database, clock } = this.#options;
    this.#step(["activating"], (deed) => {
      this.#move("activated", deed(""));
      // What `experiment.event_time_start` answers. [EMULAB-EVENTS 2.5]
      database.nodes.setStart(this.row.exptidx, "", clock.wallMs() / 1_000);
    });
  }

  /** @throws BossError (WRONG_STATE) unless it is active. */
  beginModify(user: string): void {
    const { database, clock } = this.#options;
    database.transaction(() => {
      this.#move("modify", { user, atMs: clock.wallMs(), note: "" });
    });
  }

  /** @param definition what the experiment is now; undefined when nothing was changed. */
  endModify(user: string, definition: Definition | undefined, note: string): void {
    const { database } = this.#options;
    this.#step(["modify_reswap"], (deed) => {
      if (definition !== undefined) database.redefine(this.row.exptidx, definition);
      this.#move("modified", { ...deed(note), user });
    });
  }

  beginDown(user: string, note: string): void {
    this.#step(["activating", "active", "modify_reswap"], (deed) => {
      this.#move("swap-out", { ...deed(note), user });
    });
  }

  /** Nodes are down, files are written. */
  finish(end: RunEnd): void {
    const { database, run } = this.#options;
    const { outcome, endedBy } = end;
    this.#step(["activating", "active", "modify_reswap", "swapping"], (deed) => {
      // Nobody asked for it: it ended by itself.
      if (this.row.state !== "swapping") this.#move("swap-out", deed(`ended by ${endedBy}`));
      this.#move("swapped-out", deed(`run ${run.number} ${outcome}, ended by ${endedBy}`));
      database.endRun(this.row.exptidx, run.number, end);
      database.nodes.clearStarts(this.row.exptidx);
    });
  }

  #step(
    states: readonly ExperimentState[],
    act: (deed: (note: string) => { user: string; atMs: number; note: string }) => void,
  ): void {
    const { database, clock, user } = this.#options;
    database.transaction(() => {
      if (!states.includes(this.row.state)) return;
      act((note) => ({ user, atMs: clock.wallMs(), note }));
    });
  }

  #move(
    transition: Parameters<ExperimentsDatabase["move"]>[2],
    deed: Parameters<ExperimentsDatabase["move"]>[3],
  ): void {
    const { database, pid, eid } = this.#options;
    database.move(pid, eid, transition, deed);
  }
}

/** Of a file that only has the same name, cut or not: who gave it waits for nothing of theirs. */
function describeOther(there: string, asked: string): string {
  if (there === asked) return "";
  return `; what has the name is another file, ${there}: give ${asked} one of its own with --eid`;
}
