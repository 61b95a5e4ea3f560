// SPDX-License-Identifier: MIT
// The state daemon: says on boss's bus what happens to nodes and experiments, hears what is said
// there, writes allowed transitions of nodes to the database, and wakes who waits for a state.
// [EMULAB-EVENTS 7.8]
//
//   D1. States of nodes change in the database only here, only by what was heard on the bus, and
//       only as node-states.ts allows; the rest is warned of and remembered as refused.
//   D2. Waits hear of a state after it is in the database.
//   D3. A node row exists from its first boot, at the latest from the moment `activating` is heard
//       to that in which `swapped` is heard: in the order of the bus, so that nothing said of a
//       node is heard after it has gone.
import { assert } from "../core/assert.ts";
import { errorText } from "../core/text.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { Bus, BusPlace, Subscribed } from "../wire/event/bus.ts";
import {
  BossBus,
  type BossEvent,
  bossNotification,
  bossObjects,
  everyBossEvent,
  readBossEvent,
} from "./boss-bus.ts";
import type { ExperimentRow, ExperimentsDatabase } from "./database.ts";
import { overdueSweepMs } from "./limits.ts";
import { type NodeRow, nodeIdOf } from "./node-rows.ts";
import {
  defaultOpMode,
  firstNodeState,
  isNodeState,
  isOpMode,
  type NodeState,
  planNodeState,
  stateSecondsMax,
} from "./node-states.ts";
import { type StateWaits, Waiters, type WaitOptions, type WaitOutcome } from "./state-waits.ts";
import type { ExperimentState } from "./states.ts";

export interface StateDaemonOptions {
  readonly database: ExperimentsDatabase;
  /** Boss's own. */
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly waitsMax: number;
}

/** A node that has been in a state for longer than that should last. */
export interface OverdueNode {
  readonly nodeId: string;
  readonly state: string;
  readonly seconds: number;
}

export class StateDaemon implements StateWaits {
  readonly bus: BossBus;
  readonly #options: StateDaemonOptions;
  readonly #nodes: Waiters;
  readonly #experiments: Waiters;
  /** Nodes that were warned of, in the state they were in. */
  readonly #warned = new Map<string, string>();
  #subscribed: Subscribed | undefined;
  #cancelSweep: Cancel = () => undefined;
  #isClosed = false;

  constructor(options: StateDaemonOptions) {
    const { database, clock, waitsMax } = options;
    this.#options = options;
    this.bus = new BossBus(options.bus);
    this.#nodes = new Waiters({
      ...{ clock, waitsMax },
      read: (nodeId) => database.nodes.find(nodeId)?.state,
      hopeless: (state) => (state === "TBFAILED" ? "could not be set up" : undefined),
    });
    this.#experiments = new Waiters({
      ...{ clock, waitsMax },
      read: (name) => experimentNamed(database, name)?.state,
      hopeless: (state) => (state === "swapped" ? "was swapped out" : undefined),
    });
  }

  /** Begins to hear. Resolves when nothing that is said from now on is missed. */
  async start(): Promise<void> {
    await this.#subscribe(undefined);
    this.#reconcile();
    this.#sweep();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelSweep();
    this.#subscribed?.close();
    this.#nodes.close("the daemon ends");
    this.#experiments.close("the daemon ends");
  }

  nodes(options: WaitOptions): Promise<WaitOutcome> {
    return this.#nodes.wait(options);
  }

  experiments(options: WaitOptions): Promise<WaitOutcome> {
    return this.#experiments.wait(options);
  }

  /** An experiment has gone to a state, which is in the database. Never throws. */
  experimentMoved(pid: string, eid: string, state: ExperimentState): void {
    const name = `${pid}/${eid}`;
    try {
      if (state === "swapping") this.#shutDown(name);
    } catch (error) {
      this.#warn(`the nodes of ${name}: ${errorText(error)}`);
    }
    this.#say(bossObjects.experimentState, name, state);
  }

  /** A node begins to boot, perhaps one that a modification adds. Never throws. */
  nodeBoots(pid: string, eid: string, vname: string, address: string): void {
    const { database } = this.#options;
    const nodeId = nodeIdOf(pid, eid, vname);
    try {
      const row = database.experiment(pid, eid);
      assert(row !== undefined, "experiments are not removed");
      if (database.nodes.find(nodeId) === undefined) this.#putNode(row, vname);
      database.nodes.setAddress(nodeId, address);
    } catch (error) {
      this.#warn(`the node ${nodeId}: ${errorText(error)}`);
    }
    this.#say(bossObjects.nodeState, nodeId, "BOOTING" satisfies NodeState);
  }

  /** A node has told tmcd its state. */
  nodeReported(pid: string, eid: string, vname: string, state: string): void {
    this.#say(bossObjects.nodeState, nodeIdOf(pid, eid, vname), state);
  }

  /** A node has asked tmcd to forget what was set for its next boot. [EMULAB-TMCD 8 reset] */
  nodeReset(pid: string, eid: string, vname: string): void {
    this.#say(bossObjects.control, nodeIdOf(pid, eid, vname), "RESET");
  }

  /** Nodes that have been in a state for longer than it should last. */
  overdue(): readonly OverdueNode[] {
    const nowMs = this.#options.clock.wallMs();
    return this.#options.database.nodes.all().flatMap(({ nodeId, state, sinceMs }) => {
      const secondsMax = isNodeState(state) ? stateSecondsMax[state] : undefined;
      const seconds = Math.floor((nowMs - sinceMs) / 1000);
      return secondsMax !== undefined && seconds >= secondsMax ? [{ nodeId, state, seconds }] : [];
    });
  }

  async #subscribe(after: BusPlace | undefined): Promise<void> {
    const place = after === undefined ? {} : { after };
    this.#subscribed = await this.bus.subscribe(
      { address: everyBossEvent, slow: "end", ...place },
      {
        onNotifications: (all) => {
          for (const { notification } of all) this.#hear(readBossEvent(notification));
        },
        onGap: (lost) => {
          this.#warn(`${lost < 0 ? "some" : lost} state events were lost; reading states anew`);
          this.#reconcile();
        },
        onEnd: (reason, end) => {
          if (this.#isClosed) return;
          this.#warn(`the state daemon was left behind (${reason}); it goes on from there`);
          this.#subscribe(end).catch((error: unknown) => this.#warn(errorText(error)));
        },
      },
    );
  }

  #hear({ objectType, objectName, eventType }: BossEvent): void {
    if (this.#isClosed) return;
    try {
      if (objectType === bossObjects.nodeState) this.#applyState(objectName, eventType);
      else if (objectType === bossObjects.nodeOpMode) this.#applyOpMode(objectName, eventType);
      else if (objectType === bossObjects.control) this.#applyControl(objectName, eventType);
      else this.#applyExperiment(objectName, eventType);
    } catch (error) {
      this.#warn(`${objectType} ${objectName} ${eventType}: ${errorText(error)}`);
    }
  }

  /** D1, D2. */
  #applyState(nodeId: string, reported: string): void {
    const { database, clock } = this.#options;
    const node = this.#find(nodeId, reported);
    if (node === undefined) return;
    const { state, opMode } = node;
    assert(
      isNodeState(state) && isOpMode(opMode),
      "states and modes are checked before they are kept",
    );
    const planned = planNodeState(nodeId, opMode, state, reported);
    if (planned.kind === "refused") this.#warn(planned.message);
    if (planned.kind !== "changed") return;
    database.nodes.setState(nodeId, planned.to, clock.wallMs());
    this.#warned.delete(nodeId);
    this.#nodes.observe(nodeId, planned.to);
  }

  #applyOpMode(nodeId: string, mode: string): void {
    if (this.#find(nodeId, mode) === undefined) return;
    if (isOpMode(mode)) this.#options.database.nodes.setOpMode(nodeId, mode);
    else this.#warn(`${nodeId} reports the mode ${mode}, which is none`);
  }

  #applyControl(nodeId: string, command: string): void {
    if (this.#find(nodeId, command) === undefined) return;
    if (command === "RESET") this.#options.database.nodes.setOpMode(nodeId, defaultOpMode);
    else this.#warn(`${command} is not known here (of ${nodeId})`);
  }

  #find(nodeId: string, what: string): NodeRow | undefined {
    const node = this.#options.database.nodes.find(nodeId);
    if (node === undefined) this.#warn(`${what} of ${nodeId}, which no experiment has`);
    return node;
  }

  /** D3. */
  #applyExperiment(name: string, state: string): void {
    const { database } = this.#options;
    const row = experimentNamed(database, name);
    if (row === undefined) {
      this.#warn(`${state} of ${name}, which is no experiment`);
      return;
    }
    database.transaction(() => {
      if (state === "activating" || state === "swapped") this.#forget(row);
      if (state === "activating" || state === "active") this.#putNodes(row);
    });
    this.#experiments.observe(name, state);
  }

  /** Nobody has heard for a while: what holds now is what counts. */
  #reconcile(): void {
    const { database } = this.#options;
    for (const row of database.experiments()) {
      if (row.state === "swapped") this.#forget(row);
      else this.#putNodes(row);
    }
    this.#nodes.readAgain();
    this.#experiments.readAgain();
  }

  /** The nodes of the tables, and no others. */
  #putNodes(row: ExperimentRow): void {
    const { database } = this.#options;
    const { exptidx } = row;
    const wanted = (database.definition(exptidx).rows["virt_nodes"] ?? []).map(
      ({ vname = "" }) => vname,
    );
    const known = database.nodes.ofExperiment(exptidx);
    for (const { nodeId, vname } of known) {
      if (!wanted.includes(vname)) database.nodes.remove(nodeId);
    }
    for (const vname of wanted) {
      if (!known.some((node) => node.vname === vname)) this.#putNode(row, vname);
    }
  }

  #putNode({ exptidx, pid, eid }: ExperimentRow, vname: string): void {
    const { database, clock } = this.#options;
    const place = { nodeId: nodeIdOf(pid, eid, vname), exptidx, vname, address: "" };
    const state = { state: firstNodeState, sinceMs: clock.wallMs(), opMode: defaultOpMode };
    database.nodes.put({ ...place, ...state });
  }

  #shutDown(name: string): void {
    const { database } = this.#options;
    const { exptidx } = experimentNamed(database, name) ?? {};
    if (exptidx === undefined) return;
    for (const { nodeId } of database.nodes.ofExperiment(exptidx)) {
      this.#say(bossObjects.nodeState, nodeId, "SHUTDOWN" satisfies NodeState);
    }
  }

  #forget({ exptidx }: ExperimentRow): void {
    const { nodes } = this.#options.database;
    for (const { nodeId } of nodes.ofExperiment(exptidx)) this.#warned.delete(nodeId);
    nodes.removeOf(exptidx);
  }

  #say(objectType: string, objectName: string, eventType: string): void {
    const notification = bossNotification({ objectType, objectName, eventType });
    this.bus.publish(notification).catch((error: unknown) => {
      this.#warn(`${objectType} ${objectName} ${eventType} was not said: ${errorText(error)}`);
    });
  }

  /** Tells once of each node that stays too long. */
  #sweep(): void {
    if (this.#isClosed) return;
    for (const { nodeId, state, seconds } of this.overdue()) {
      if (this.#warned.get(nodeId) === state) continue;
      this.#warned.set(nodeId, state);
      this.#warn(`${nodeId} is ${state} for ${seconds} s; see what it prints: muster logs ID NODE`);
    }
    this.#cancelSweep = this.#options.clock.after(overdueSweepMs, () => this.#sweep());
  }

  #warn(message: string): void {
    this.#options.logger.log("warn", message);
  }
}

function experimentNamed(database: ExperimentsDatabase, name: string): ExperimentRow | undefined {
  const [pid = "", eid = ""] = name.split("/");
  return database.experiment(pid, eid);
}
