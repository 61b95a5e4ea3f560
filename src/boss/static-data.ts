// SPDX-License-Identifier: MIT
// The static data of an experiment, from the database in this process. What boss's XML-RPC methods
// tell others, they read here.
import type {
  AgentRow,
  EventRow,
  ExperimentMetadata,
  GroupRow,
  StaticData,
  TimelineStart,
} from "../client/static-data.ts";
import type { Tables } from "../experiment/index.ts";
import { BossError } from "./boss-error.ts";
import type { ExperimentRow, ExperimentsDatabase } from "./database.ts";
import { agentRows, eventRows, groupRows } from "./event-rows.ts";

export interface DatabaseStaticDataOptions {
  readonly database: ExperimentsDatabase;
  readonly pid: string;
  readonly eid: string;
  /** The experiment's directory. */
  readonly path: string;
  /** Control address of the machine where users log in, which agents may be on as `ops`. */
  readonly opsAddress: string;
}

/** Name that stands for the machine where users log in. */
const opsName = "ops";

export class DatabaseStaticData implements StaticData {
  readonly #options: DatabaseStaticDataOptions;

  constructor(options: DatabaseStaticDataOptions) {
    this.#options = options;
  }

  async metadata(): Promise<ExperimentMetadata> {
    const row = this.#row();
    const tables = this.tables();
    const { exptidx: index, pid, eid, state, creator, swapper } = row;
    return {
      ...{ pid, eid, index, state, creator, swapper: swapper ?? "", path: this.#options.path },
      syncServer: tables["experiments"]?.[0]?.["sync_server"] ?? "",
      environment: (tables["virt_user_environment"] ?? []).map(
        ({ name = "", value = "" }) => [name, value] as const,
      ),
    };
  }

  async state(): Promise<string> {
    return this.#row().state;
  }

  async agents(): Promise<readonly AgentRow[]> {
    const { exptidx } = this.#row();
    const { database, opsAddress } = this.#options;
    const places = new Map(
      database.nodes.ofExperiment(exptidx).map((node) => [node.vname, node] as const),
    );
    const ops = { nodeId: opsName, address: opsAddress };
    return agentRows(
      this.tables(),
      (vnode) => places.get(vnode) ?? (vnode === opsName ? ops : undefined),
    );
  }

  async groups(): Promise<readonly GroupRow[]> {
    return groupRows(this.tables());
  }

  async events(): Promise<readonly EventRow[]> {
    return eventRows(this.tables());
  }

  async setStart(timeline: string, startSeconds: number | undefined): Promise<void> {
    this.#options.database.nodes.setStart(this.#row().exptidx, timeline, startSeconds);
  }

  async starts(): Promise<readonly TimelineStart[]> {
    const starts = this.#options.database.nodes.starts(this.#row().exptidx);
    // The old words, which scripts look for. [EMULAB-EVENTS 2.3]
    if (starts.length === 0) throw new BossError("WRONG_STATE", "Event time has not started yet");
    return starts;
  }

  /** The virtual tables. */
  tables(): Tables {
    return this.#options.database.definition(this.#row().exptidx).rows;
  }

  #row(): ExperimentRow {
    const { database, pid, eid } = this.#options;
    const row = database.experiment(pid, eid);
    if (row !== undefined) return row;
    const message = `there is no experiment ${pid}/${eid}; muster status lists them`;
    throw new BossError("NO_SUCH_EXPERIMENT", message);
  }
}
