// SPDX-License-Identifier: MIT
// Swap-in and swap-out for those who name an experiment and have no file: what is swapped in is
// what the database holds.
import { BossError } from "./boss-error.ts";
import type { ExperimentRow, ExperimentsDatabase } from "./database.ts";
import type { Experiments } from "./experiments.ts";
import { parseDefinition } from "./parse-definition.ts";
import type { EventSystem, ExperimentControl, NodeControl, RestartHow } from "./rpc/control.ts";

/**
 * Sends an event to an object of a run and, when it `waits`, waits for its completion.
 *
 * @returns why it was not done; undefined when it was
 */
export type SendToRun = (
  run: { readonly directory: string; readonly experiment: string },
  asked: RestartHow & { readonly object: string },
) => Promise<string | undefined>;

export class DatabaseControl implements ExperimentControl {
  readonly events: EventSystem | undefined;
  readonly nodes: NodeControl | undefined;
  readonly #database: ExperimentsDatabase;
  readonly #experiments: Experiments;

  /**
   * @param events undefined where experiments have no schedulers beside their runs
   * @param sendToRun undefined where runs have no bus
   */
  constructor(
    database: ExperimentsDatabase,
    experiments: Experiments,
    events: EventSystem | undefined,
    sendToRun: SendToRun | undefined,
  ) {
    this.nodes = sendToRun === undefined ? undefined : this.#nodesBy(sendToRun);
    this.events = events;
    this.#database = database;
    this.#experiments = experiments;
  }

  /** With the level of its linktest, as it was when it was last up or was set since. */
  async swapIn(
    { exptidx, pid, eid, linktestLevel }: ExperimentRow,
    user: string,
  ): Promise<{ readonly active: Promise<boolean> }> {
    const { file, source, presets } = this.#database.definition(exptidx);
    const parsed = await parseDefinition({
      file,
      text: source,
      pid,
      eid,
      presets,
      insisted: ["pid", "eid"],
    });
    if (parsed.errors > 0) {
      const message = `${file}, as it was when it was last read, has errors; bring it up with: muster up FILE`;
      throw new BossError("REFUSED_FILE", message);
    }
    const times = { seed: null, durationSeconds: 0, stuckSeconds: 0 };
    const asked = { file, source, pid, eid, presets, parsed, linktestLevel, ...times };
    return this.#experiments.up(asked, user);
  }

  async modify({ pid, eid }: ExperimentRow, source: string, user: string): Promise<string> {
    const id = `${pid}/${eid}`;
    const { presets, ...names } = this.#experiments.reading(id, user);
    const { file } = this.#definitionOf(id);
    const insisted = ["pid", "eid"] as const;
    const parsed = await parseDefinition({ ...names, insisted, file, text: source, presets });
    if (parsed.errors > 0) {
      const why = parsed.diagnostics.join("\n");
      throw new BossError("REFUSED_FILE", `nothing was changed, the text has errors:\n${why}`);
    }
    const options = { id, file, source, presets, parsed };
    return (await this.#experiments.modify(options, user)).summary;
  }

  #definitionOf(id: string): { readonly file: string } {
    const [pid = "", eid = ""] = id.split("/");
    const row = this.#database.experiment(pid, eid);
    if (row === undefined)
      throw new BossError("NO_SUCH_EXPERIMENT", `there is no experiment ${id}`);
    return this.#database.definition(row.exptidx);
  }

  /** A node is restarted as an event of its experiment asks for it. */
  #nodesBy(send: SendToRun): NodeControl {
    return {
      restart: async ({ pid, eid, exptidx }, object, how) => {
        const run = this.#database.lastRun(exptidx);
        const experiment = `${pid}/${eid}`;
        if (run === undefined) throw new BossError("WRONG_STATE", `${experiment} has no run`);
        const why = await send({ directory: run.directory, experiment }, { object, ...how });
        if (why !== undefined) throw new BossError("NOT_MODIFIED", why);
      },
    };
  }

  swapOut({ pid, eid }: ExperimentRow, user: string): Promise<void> {
    return this.#experiments.down(`${pid}/${eid}`, user).then(() => undefined);
  }
}
