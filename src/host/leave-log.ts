// SPDX-License-Identifier: MIT
// The end of a host whose log is away: the ends of its edges are appended as long as there is hope,
// then the log is left as a crash would leave it. Decides for how long.
import type { Clock } from "./clock.ts";
import type { Host } from "./host.ts";

/**
 * A server that closes its doors waits so long for a log that takes nothing, milliseconds: brokers
 * that have lost their leader have another one by then.
 */
export const logEndMs = 10_000;

/**
 * Call it when edges are about to be closed, each of which waits for its end to be in the log.
 * @returns call it when they are; true when the log was left
 */
export function leaveLogInTime(host: Host, clock: Clock): () => boolean {
  let hasLeft = false;
  const look = (): void => {
    hasLeft = host.isLogAway && !host.hasStopped;
    // One that failed meanwhile hears nothing of its log either.
    if (hasLeft || host.hasStopped) host.leaveLog();
    else cancel = clock.after(logEndMs, look);
  };
  let cancel = clock.after(logEndMs, look);
  return () => {
    cancel();
    return hasLeft;
  };
}
