// SPDX-License-Identifier: MIT
// What a busy machine does to the two ends of a link that is kept full, and how it is taken out of
// the figures. Pure.
//
//   F1. A packet is read late or in time, never early: of some packets that come evenly, the one
//       that is least late is nearest to the truth.
//   F2. A link is empty when the sender has stood still for longer than the queue lasts. That it is
//       said to be so for too long, and never too short, makes nothing of it bad.
//   F3. A rate is timed between one of the first packets and one of the last (F1). What was offered
//       is what was offered between the two where that was least: a sender who stood still there
//       and went on has offered less in that time than in all.

/** Two of the packets that came, and how many came from the one to the other. */
export interface Ends {
  readonly firstUs: number;
  readonly lastUs: number;
  readonly between: number;
}

/** Of so many of the first packets, and of the last ones, one is taken. */
const endShare = 1 / 4;

/**
 * F1.
 * @param arrivalsUs when each packet was read, in that order
 * @param spacingUs from one to the next on a link that is as asked for; on another one, each line
 *   through two packets that are in time has the right slope all the same
 */
export function steadyEnds(arrivalsUs: ArrayLike<number>, spacingUs: number): Ends {
  const count = arrivalsUs.length;
  if (count === 0) return { firstUs: 0, lastUs: 0, between: 0 };
  const some = Math.floor((count - 1) * endShare);
  const lateness = (at: number): number => (arrivalsUs[at] ?? 0) - at * spacingUs;
  let [first, last] = [0, count - 1];
  for (let at = 1; at <= some; at += 1) if (lateness(at) < lateness(first)) first = at;
  for (let at = count - 2; at >= count - 1 - some; at -= 1) {
    if (lateness(at) < lateness(last)) last = at;
  }
  const [firstUs, lastUs] = [arrivalsUs[first] ?? 0, arrivalsUs[last] ?? 0];
  return { firstUs, lastUs, between: last - first };
}

/** Places of each end that are tried; between two of them little changes. */
const placesMax = 32;

/**
 * F3.
 * @param sentUs when each packet was sent, in that order
 * @returns packets a second, 0 when there are fewer than two
 */
export function leastOffered(sentUs: ArrayLike<number>): number {
  const count = sentUs.length;
  if (count < 2) return 0;
  const some = Math.floor((count - 1) * endShare);
  const places = Math.min(some, placesMax);
  let least = Number.POSITIVE_INFINITY;
  for (let early = 0; early <= places; early += 1) {
    for (let late = 0; late <= places; late += 1) {
      const first = Math.round((early * some) / Math.max(1, places));
      const last = count - 1 - Math.round((late * some) / Math.max(1, places));
      const tookUs = (sentUs[last] ?? 0) - (sentUs[first] ?? 0);
      if (tookUs > 0) least = Math.min(least, ((last - first) * 1_000_000) / tookUs);
    }
  }
  return Number.isFinite(least) ? least : 0;
}

/** F2: follows what waits in the queue of a link while a sender fills it. */
export class FullLink {
  readonly #spacingUs: number;
  readonly #queueUs: number;
  #emptyUs: number | undefined;
  #idleUs = 0;

  constructor({ spacingUs, queuePackets }: { spacingUs: number; queuePackets: number }) {
    this.#spacingUs = spacingUs;
    this.#queueUs = spacingUs * queuePackets;
  }

  /** So long the link had nothing to carry between the first packet and the last. */
  get idleUs(): number {
    return Math.round(this.#idleUs);
  }

  sent(nowUs: number): void {
    const emptyUs = this.#emptyUs ?? nowUs;
    this.#idleUs += Math.max(0, nowUs - emptyUs);
    // What has no room in the queue is lost, and carried by nobody.
    const fullUs = nowUs + this.#queueUs + this.#spacingUs;
    this.#emptyUs = Math.min(fullUs, Math.max(nowUs, emptyUs) + this.#spacingUs);
  }
}
