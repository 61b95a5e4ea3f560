// SPDX-License-Identifier: MIT
// Commands about a barrier as a whole, which in a tree of controllers the root carries out: ending
// it, changing whom it is for.
import type { ConnectionId } from "../participant.ts";
import type { BarrierKind } from "./rules.ts";

/** How many parties a count barrier is for in all; answered by `acknowledged`. */
export interface CountChange {
  readonly kind: "count-change";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly expected: number;
}

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

/** What a controller that has another one above asks the root to do. */
export type TreeOrder = CountChange | CancelBarrier | FailBarrier | CancelAll;
