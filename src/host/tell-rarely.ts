// SPDX-License-Identifier: MIT
// What is tried again and again fails for the same reasons each time: each is told once, then that
// it is still so, ever more rarely, until it is over.
import type { Clock } from "./clock.ts";

const minuteUs = 60_000_000;
const pauseUsMax = 60 * minuteUs;
/** Reasons come from the other side; those beyond wait for the next reminder. */
const reasonsMax = 8;

export interface RareTeller {
  /** It has failed. */
  readonly tell: (reason: string) => void;
  /** It does not fail any more: what is told next is new. */
  readonly over: () => void;
}

export function tellRarely(clock: Pick<Clock, "nowUs">, say: (text: string) => void): RareTeller {
  const told = new Set<string>();
  let sinceUs = 0;
  let nextUs = 0;
  let pauseUs = minuteUs;
  return {
    tell(reason) {
      const nowUs = clock.nowUs();
      if (told.size === 0) {
        sinceUs = nowUs;
        pauseUs = minuteUs;
        nextUs = nowUs + pauseUs;
      }
      if (!told.has(reason) && told.size < reasonsMax) {
        told.add(reason);
        say(reason);
        return;
      }
      if (nowUs < nextUs) return;
      say(`${reason} (for ${Math.round((nowUs - sinceUs) / minuteUs)} min now)`);
      pauseUs = Math.min(2 * pauseUs, pauseUsMax);
      nextUs = nowUs + pauseUs;
    },
    over: () => told.clear(),
  };
}
