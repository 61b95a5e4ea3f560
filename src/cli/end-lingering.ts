// SPDX-License-Identifier: MIT
// A command that has done its work ends: when something in the process would keep it alive, that is
// said, and the process ends with the status that it has earned.
//
// A fault is only said of what stays as it is while this process has its time: on a machine that
// does not get to it, what is being closed may take long.
import { afterUnlessEnded, systemClock } from "../host/clock.ts";
import type { CommandIo } from "./io.ts";

export interface LingerLooks {
  /** Milliseconds from one to the next; one that comes as much later shows a busy machine. */
  readonly everyMs: number;
  /** So many in a row, in time and with the same to see: it does not end by itself. */
  readonly sameMax: number;
  /** So many in all: whatever it is, nobody waits longer. */
  readonly max: number;
}

/** Five seconds where all is well, for what is being closed; a minute at least where it is not. */
export const lingerLooks: LingerLooks = { everyMs: 500, sameMax: 10, max: 120 };

/** Does nothing to a process that ends by itself. @param status asked when it does not */
export function endLingering(
  { stderr }: CommandIo,
  status: () => number,
  { everyMs, sameMax, max }: LingerLooks = lingerLooks,
): void {
  let [before, same] = ["", 0];
  const end = (kept: string, what: string): never => {
    stderr(`muster: all is done, and something keeps this process alive (${kept}); ${what}\n`);
    process.exit(status());
  };
  const look = (count: number, sinceUs: number): void => {
    const kept = [...new Set(process.getActiveResourcesInfo())].join(", ");
    const isInTime = systemClock.nowUs() - sinceUs < 2_000 * everyMs;
    same = isInTime && kept === before ? same + 1 : 0;
    before = kept;
    if (same >= sameMax) end(kept, "it ends now. This is a fault in Muster, please report it");
    if (count >= max) end(kept, "it ends now: the machine is too busy to tell why");
    lookAgain(count + 1);
  };
  const lookAgain = (count: number): void => {
    const sinceUs = systemClock.nowUs();
    afterUnlessEnded(everyMs, () => look(count, sinceUs));
  };
  lookAgain(1);
}
