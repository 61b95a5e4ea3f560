// SPDX-License-Identifier: MIT
// What the command line of `muster barrier` holds, word by word.
import type { RosterOptions } from "../../client/index.ts";
import type { BarrierKind } from "../../core/effect.ts";

export interface BarrierArguments {
  /** Where the server is; `$MUSTER_SERVER`, else the usual place on this machine. */
  readonly server?: string;
  readonly scope?: string;
  /** File with the token; `$MUSTER_TOKEN` otherwise. Not an option: others see command lines. */
  readonly tokenFile?: string;
  /** Certificate of whoever has signed the server's. */
  readonly ca?: string;
  /** A certificate to show, with its key in the same file or in another. */
  readonly cert?: string;
  readonly key?: string;
  readonly json: boolean;
}

export interface ArrivalArguments extends BarrierArguments {
  readonly barrier: string;
  readonly kind: BarrierKind;
  readonly name?: string;
  readonly error: number;
  /** Seconds; for ever when absent. */
  readonly timeout?: number;
}

export interface WaitArguments extends Omit<ArrivalArguments, "kind"> {
  /** That of the barrier of this name when absent. */
  readonly kind?: BarrierKind;
  /** Of a state. */
  readonly target?: number;
  readonly signal: boolean;
  /** Of a roster. */
  readonly phase?: number;
}

export interface InitArguments extends ArrivalArguments {
  /** Of a count or a quorum; `50%` of the latter. */
  readonly count?: string;
  readonly wait: boolean;
  /** Of a roster. */
  readonly member: readonly string[];
  /** Of a roster in a tree: `CONTROLLER=NAME`, members that come to controllers below. */
  readonly at?: readonly string[];
  readonly phases: number;
  readonly whenDead: NonNullable<RosterOptions["whenDead"]>;
  readonly whenLate: NonNullable<RosterOptions["whenLate"]>;
}

export interface CancelArguments extends BarrierArguments {
  /** All of the scope when absent. */
  readonly barrier?: string;
  readonly kind: BarrierKind;
  readonly error: number;
  readonly reason?: string;
}

export interface FailArguments extends BarrierArguments {
  readonly barrier: string;
  readonly kind: BarrierKind;
  readonly error: number;
  readonly reason: string;
}
