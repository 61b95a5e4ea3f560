// SPDX-License-Identifier: MIT
// The commands about barriers, by kind. Like all commands they are plain data: they are stored in
// the log and read again by every replica.
import type { ConnectionId, Participant } from "../command.ts";
import type { BarrierKind } from "../effect.ts";

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

/** Adds one to a state; answered by `signalled` with the new value. [TESTGROUND-SYNC 4] */
export interface StateSignal {
  readonly kind: "state-signal";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly who: Participant;
}

/** Waits until a state has reached `target`; at once when it has. */
export interface StateWait extends Arrival {
  readonly kind: "state-wait";
  readonly target: number;
}

/** Both at one instant: answered by `signalled`, then by `released`. */
export interface StateSignalAndWait extends Arrival {
  readonly kind: "state-signal-and-wait";
  readonly target: number;
}

export type StateCommand = StateSignal | StateWait | StateSignalAndWait;

/** What ends barriers for everybody. */
interface End {
  readonly scope: string;
  /** What everybody who waits is told. */
  readonly error: number;
  /** Why, in words; told to everybody who waits. */
  readonly reason?: string;
}

/** Ends every barrier of the scope with outcome `cancelled`. */
export interface CancelAll extends End {
  readonly kind: "cancel-all";
  /** Only those of this kind; absent: of all. */
  readonly barrierKind?: BarrierKind;
}

interface EndOne extends End {
  readonly barrier: string;
  /** Absent: `count`. */
  readonly barrierKind?: BarrierKind;
  /** To be answered: `acknowledged`, or `refused` when no such barrier is open. */
  readonly connection?: ConnectionId;
}

/** Ends one barrier with outcome `cancelled`. A state goes on counting. */
export interface CancelBarrier extends EndOne {
  readonly kind: "cancel";
}

/**
 * Ends one barrier with outcome `failed`. Of a state, those who come to wait later are told so too.
 */
export interface FailBarrier extends EndOne {
  readonly kind: "fail";
  readonly reason: string;
}

export type BarrierCommand =
  | CountInit
  | CountWait
  | StateCommand
  | CancelAll
  | CancelBarrier
  | FailBarrier;
