// SPDX-License-Identifier: MIT
// What an accepted file gives.
import type { Experiment } from "../model.ts";
import type { SyncServerChoice } from "./sync-server.ts";
import type { Tables } from "./tables.ts";

export interface RunOutcome {
  readonly experiment: Experiment;
  readonly rows: Tables | undefined;
  readonly syncServer: SyncServerChoice;
}
