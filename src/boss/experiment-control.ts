// SPDX-License-Identifier: MIT
// Swap-in and swap-out for those who name an experiment and have no file: what is swapped in is
// what the database holds.
import { BossError } from "./boss-error.ts";
import type { ExperimentRow, ExperimentsDatabase } from "./database.ts";
import type { Experiments } from "./experiments.ts";
import { overlayLinks } from "./link-overlay.ts";
import { parseDefinition } from "./parse-definition.ts";
import type { EventSystem, ExperimentControl, NodeControl } from "./rpc/control.ts";

/**
 * Sends an event to an object of a run and, when it `waits`, waits for its completion.
 *
 * @returns why it was not done; undefined when it was
 */
export type SendToRun = (
  run: { readonly directory: string; readonly experiment: string },
  asked: EventForRun,
) => Promise<string | undefined>;

export interface EventForRun {
  readonly object: string;
  readonly objtype: string;
  readonly event: string;
  readonly args: string;
  readonly waits: boolean;
  /** The caller has gone. */
  readonly signal: AbortSignal;
}

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

  /** With the level of its linktest, and with what users have set of its links for good. */
  async swapIn(
    { exptidx, pid, eid, linktestLevel }: ExperimentRow,
    user: string,
  ): Promise<{ readonly active: Promise<boolean> }> {
    const definition = this.#database.definition(exptidx);
    const { file, source, presets, linkSettings = [] } = definition;
    const read = await parseDefinition({
      file,
      text: source,
      pid,
      eid,
      presets,
      insisted: ["pid", "eid"],
    });
    const { experiment, rows } = read;
    if (experiment === undefined || rows === undefined) {
      const message = `${file}, as it was when it was last read, has errors; bring it up with: muster up FILE`;
      throw new BossError("REFUSED_FILE", message);
    }
    const parsed = { ...read, ...overlayLinks({ experiment, rows }, linkSettings) };
    const times = { seed: null, durationSeconds: 0, stuckSeconds: 0 };
    const asked = { file, source, pid, eid, presets, parsed, linktestLevel, linkSettings };
    return this.#experiments.up({ ...asked, ...times }, user);
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
        const asked = { object, objtype: "NODE", args: "", ...how };
        const why = await send({ directory: run.directory, experiment }, asked);
        if (why !== undefined) throw new BossError("NOT_MODIFIED", why);
      },
    };
  }

  swapOut({ pid, eid }: ExperimentRow, user: string): Promise<void> {
    return this.#experiments.down(`${pid}/${eid}`, user).then(() => undefined);
  }
}
