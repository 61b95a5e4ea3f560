// SPDX-License-Identifier: MIT
// Swap-in and swap-out for those who name an experiment and have no file: what is swapped in is
// what the database holds.
import { BossError } from "./boss-error.ts";
import type { ExperimentRow, ExperimentsDatabase } from "./database.ts";
import type { Experiments } from "./experiments.ts";
import { parseDefinition } from "./parse-definition.ts";
import type { EventSystem, ExperimentControl } from "./rpc/swap-methods.ts";

export class DatabaseControl implements ExperimentControl {
  readonly events: EventSystem | undefined;
  readonly #database: ExperimentsDatabase;
  readonly #experiments: Experiments;

  /** @param events undefined where experiments have no schedulers beside their runs */
  constructor(
    database: ExperimentsDatabase,
    experiments: Experiments,
    events: EventSystem | undefined,
  ) {
    this.events = events;
    this.#database = database;
    this.#experiments = experiments;
  }

  async swapIn(
    { exptidx, pid, eid }: ExperimentRow,
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
    return this.#experiments.up({ file, source, pid, eid, presets, parsed, ...times }, user);
  }

  swapOut({ pid, eid }: ExperimentRow, user: string): Promise<void> {
    return this.#experiments.down(`${pid}/${eid}`, user).then(() => undefined);
  }
}
