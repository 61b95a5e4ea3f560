// SPDX-License-Identifier: MIT
// Waiting with an end.
import type { Clock } from "../../host/clock.ts";

/**
 * Waits for `promise`, at most `limitMs`. Unlike a race with a sleep it leaves no timer behind,
 * which would keep the process from ending.
 */
export async function within(
  clock: Clock,
  promise: Promise<unknown>,
  limitMs: number,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const cancel = clock.after(limitMs, resolve);
    promise.then(
      () => {
        cancel();
        resolve();
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
