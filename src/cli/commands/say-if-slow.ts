// SPDX-License-Identifier: MIT
// A start that waits for others says what it waits for, before who has started it wonders.
import { natsOpenMs } from "../../engine/nats-limits.ts";
import { systemClock } from "../../host/clock.ts";

/** For so long nothing is said, milliseconds. */
const patienceMs = 2_000;

/** What keeps a start on NATS. */
export const whyWaiting: string =
  "NATS has not answered, nobody leads the stream, or servers lack for its copies; a cluster needs " +
  `more than half of its servers, and one for each copy at first (it has ${natsOpenMs / 1000} s)`;

/** @param what is waited for, in words */
export async function sayIfSlow<T>(
  waiting: Promise<T>,
  what: string,
  say: (line: string) => void,
): Promise<T> {
  const cancel = systemClock.after(patienceMs, () => say(`waiting for ${what}`));
  try {
    return await waiting;
  } finally {
    cancel();
  }
}
