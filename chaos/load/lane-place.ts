// SPDX-License-Identifier: MIT
// Where a party of a lane is, whatever door it uses.
import type { HistoryFile } from "./history-file.ts";

export interface LanePlace {
  /** Its own server first. */
  readonly urls: readonly string[];
  readonly history: HistoryFile;
  readonly seed: number;
  readonly lane: number;
  /** Which of the parties of the lane; 0 opens what has to be opened for the whole run. */
  readonly party: number;
  readonly parties: number;
}
