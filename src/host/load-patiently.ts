// SPDX-License-Identifier: MIT
// Loading a snapshot on which a server that has been serving depends (D11): who keeps snapshots may
// be away just then, most of all when the log has been away before. That ends nothing; it is tried
// again, and said ever more rarely, as it is of the log itself. A start is told at once instead.
import { LogError } from "../engine/log.ts";
import type { Clock } from "./clock.ts";
import type { SnapshotSource } from "./host-options.ts";
import type { Logger } from "./logger.ts";
import { Outage, outagePaces } from "./outage.ts";

/** Pause before those who keep snapshots are asked again, milliseconds. */
const retryMs = 1_000;

export interface PatientLoad {
  readonly snapshots: SnapshotSource;
  readonly into: Parameters<SnapshotSource["load"]>[0];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Nobody needs it any more. */
  readonly isOver: () => boolean;
}

/** @throws LogError for what does not pass by itself */
export async function loadPatiently(load: PatientLoad): Promise<void> {
  const { snapshots, into, clock, logger, isOver } = load;
  const outage = new Outage({
    ...{ clock, logger, pace: outagePaces.patient },
    words: { failed: (why) => `snapshots cannot be read, trying again: ${why}` },
  });
  while (!isOver()) {
    try {
      await snapshots.load(into);
      return;
    } catch (error) {
      if (!(error instanceof LogError && error.isAway)) throw error;
      outage.failed(error.message);
    }
    await new Promise<void>((resolve) => {
      clock.after(retryMs, resolve);
    });
  }
}
