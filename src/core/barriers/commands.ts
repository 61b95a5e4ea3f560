// SPDX-License-Identifier: MIT
// The commands about barriers, by kind. Like all commands they are plain data: they are stored in
// the log and read again by every replica.
import type { ConnectionId, Participant } from "../command.ts";

interface Arrival {
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly who: Participant;
  /** Error number brought to the barrier; 0 for none. */
  readonly error: number;
  /** The wait ends with outcome `timeout` after this much log time (B9). */
  readonly timeoutUs?: number;
}

/** Adds `count` waiters to a count barrier and, when `waits`, waits there too. */
export interface CountInit extends Arrival {
  readonly kind: "count-init";
  readonly count: number;
  readonly waits: boolean;
}

/** Arrives at a count barrier: takes one off the count and waits. */
export interface CountWait extends Arrival {
  readonly kind: "count-wait";
}

/** Ends every barrier of the scope: all waiters get outcome `cancelled` and this error number. */
export interface CancelAll {
  readonly kind: "cancel-all";
  readonly scope: string;
  readonly error: number;
}

/** Ends one barrier: its waiters get outcome `cancelled` and this error number. */
export interface CancelBarrier {
  readonly kind: "cancel";
  readonly scope: string;
  readonly barrier: string;
  readonly error: number;
}

export type BarrierCommand = CountInit | CountWait | CancelAll | CancelBarrier;
