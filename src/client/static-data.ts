// SPDX-License-Identifier: MIT
// What a scheduler must know of its experiment before it begins, and where it can get it: from the
// experiments database in the same process (boss/static-data.ts), or over XML-RPC from boss
// (remote-static-data.ts). A scheduler takes a `StaticData` and cannot tell which it has.
// [EMULAB-EVENTS 2.3]

/** One experiment, as those who run its events see it. */
export interface StaticData {
  metadata(): Promise<ExperimentMetadata>;
  /** `activating`, `active`, ... [EMULAB-EVENTS 2.2 step 9] */
  state(): Promise<string>;
  /** With the agents that come without being asked for. */
  agents(): Promise<readonly AgentRow[]>;
  /** With the groups that come without being asked for; members in order. */
  groups(): Promise<readonly GroupRow[]>;
  /** By time, and by `index` among equals. */
  events(): Promise<readonly EventRow[]>;
  /** Records when a timeline began; `""` is the experiment's own. `undefined` takes it back. */
  setStart(timeline: string, startSeconds: number | undefined): Promise<void>;
  /** What has begun. @throws the source's error when nothing has. */
  starts(): Promise<readonly TimelineStart[]>;
}

export interface ExperimentMetadata {
  readonly pid: string;
  readonly eid: string;
  readonly index: number;
  readonly state: string;
  readonly creator: string;
  /** `""` when it is swapped out. */
  readonly swapper: string;
  /** The experiment's directory. */
  readonly path: string;
  /** Node of the sync server, `""` for none. */
  readonly syncServer: string;
  readonly environment: readonly (readonly [name: string, value: string])[];
}

export interface AgentRow {
  readonly name: string;
  /** Node in the experiment; `*` for all. */
  readonly vnode: string;
  /** `*` with `vnode`; `""` when it has no node now. */
  readonly nodeId: string;
  /** Control address, with the same exceptions. */
  readonly address: string;
  readonly objectType: string;
}

export interface GroupRow {
  readonly group: string;
  readonly agent: string;
}

export interface EventRow {
  /** 1, 2, ... in the order of the file. */
  readonly index: number;
  readonly timeSeconds: number;
  readonly name: string;
  readonly objectType: string;
  readonly eventType: string;
  readonly args: string;
  /** Sequence or timeline it belongs to; `""` for the experiment's own. */
  readonly parent: string;
  /** `TIMER`, or `SWAPOUT` for what happens when the experiment ends. */
  readonly trigger: string;
}

export interface TimelineStart {
  readonly timeline: string;
  /** Seconds since 1970. */
  readonly startSeconds: number;
}
