// SPDX-License-Identifier: MIT
// The rows of nodes and of the times when events began. Stores and finds; which transition is
// allowed is decided in node-states.ts.
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { TimelineStart } from "../client/static-data.ts";

/** A node that an experiment has or had. */
export interface NodeRow {
  /** Unique on this boss: see `nodeIdOf`. */
  readonly nodeId: string;
  readonly exptidx: number;
  /** Name in the experiment. */
  readonly vname: string;
  /** Control address; `""` while it has none. */
  readonly address: string;
  readonly state: string;
  readonly sinceMs: number;
  readonly opMode: string;
}

/** Nodes of several experiments have the same names; on boss each has one of its own. */
export function nodeIdOf(pid: string, eid: string, vname: string): string {
  return `${vname}.${eid}.${pid}`;
}

type Found = Readonly<Record<string, unknown>>;

export class NodeRows {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Adds a node, or replaces all that is known of it. */
  put({ nodeId, exptidx, vname, address, state, sinceMs, opMode }: NodeRow): void {
    const sql = "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?)";
    this.#prepare(sql).run(nodeId, exptidx, vname, address, state, sinceMs, opMode);
  }

  find(nodeId: string): NodeRow | undefined {
    return this.#all("SELECT * FROM nodes WHERE node_id = ?", nodeId)[0];
  }

  findByName(exptidx: number, vname: string): NodeRow | undefined {
    return this.#all("SELECT * FROM nodes WHERE exptidx = ? AND vname = ?", exptidx, vname)[0];
  }

  ofExperiment(exptidx: number): readonly NodeRow[] {
    return this.#all("SELECT * FROM nodes WHERE exptidx = ? ORDER BY node_id", exptidx);
  }

  all(): readonly NodeRow[] {
    return this.#all("SELECT * FROM nodes ORDER BY node_id");
  }

  setState(nodeId: string, state: string, sinceMs: number): void {
    const sql = "UPDATE nodes SET state = ?, since_ms = ? WHERE node_id = ?";
    this.#prepare(sql).run(state, sinceMs, nodeId);
  }

  setOpMode(nodeId: string, opMode: string): void {
    this.#prepare("UPDATE nodes SET op_mode = ? WHERE node_id = ?").run(opMode, nodeId);
  }

  setAddress(nodeId: string, address: string): void {
    this.#prepare("UPDATE nodes SET address = ? WHERE node_id = ?").run(address, nodeId);
  }

  remove(nodeId: string): void {
    this.#prepare("DELETE FROM nodes WHERE node_id = ?").run(nodeId);
  }

  /** Its nodes are gone, and so is its event time. */
  removeOf(exptidx: number): void {
    this.#prepare("DELETE FROM nodes WHERE exptidx = ?").run(exptidx);
    this.clearStarts(exptidx);
  }

  starts(exptidx: number): readonly TimelineStart[] {
    const sql = "SELECT * FROM event_starts WHERE exptidx = ? ORDER BY timeline";
    return this.#prepare(sql)
      .all(exptidx)
      .map((found) => ({
        timeline: String(found["timeline"]),
        startSeconds: Number(found["start_seconds"]),
      }));
  }

  /** @param startSeconds undefined removes it */
  setStart(exptidx: number, timeline: string, startSeconds: number | undefined): void {
    if (startSeconds === undefined) {
      const sql = "DELETE FROM event_starts WHERE exptidx = ? AND timeline = ?";
      this.#prepare(sql).run(exptidx, timeline);
    } else {
      const sql = "INSERT OR REPLACE INTO event_starts VALUES (?, ?, ?)";
      this.#prepare(sql).run(exptidx, timeline, startSeconds);
    }
  }

  clearStarts(exptidx: number): void {
    this.#prepare("DELETE FROM event_starts WHERE exptidx = ?").run(exptidx);
  }

  #all(sql: string, ...values: readonly SQLInputValue[]): readonly NodeRow[] {
    return this.#prepare(sql)
      .all(...values)
      .map(nodeOf);
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function nodeOf(found: Found): NodeRow {
  return {
    nodeId: String(found["node_id"]),
    exptidx: Number(found["exptidx"]),
    vname: String(found["vname"]),
    address: String(found["address"]),
    state: String(found["state"]),
    sinceMs: Number(found["since_ms"]),
    opMode: String(found["op_mode"]),
  };
}
