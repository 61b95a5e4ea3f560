// SPDX-License-Identifier: MIT
// What `muster simulate` is asked for, of a cluster and of one core alike.

export interface SimulateArguments {
  readonly seed: number;
  readonly seeds: number;
  readonly ops: number;
  readonly verbose: boolean;
  readonly json: boolean;
  /** One core and its edges, instead of a cluster. */
  readonly core: boolean;
  readonly servers: number;
  /** `NAME` or `NAME=RATE`, `all`, `draw`; of a core the seed always draws them. */
  readonly fault: readonly string[];
  /** Threads, of a cluster. */
  readonly workers: number;
  /** A script to run in place of seeds. */
  readonly script?: string;
  /** Makes the first failure small. */
  readonly shrink: boolean;
  readonly progress: boolean;
  /** Says which lines of the shipped files a cluster went through; in one thread. */
  readonly lines: boolean;
}

export interface SimulateIo {
  stdout(text: string): void;
  stderr(text: string): void;
}
