// SPDX-License-Identifier: MIT
// One direction of a link as a machine: packets go in at instants, come out at instants or are
// dropped. In this order: down, loss, duplication, queue and limiter, delay. Pure: time comes in,
// randomness is seeded.
//
//   P1. Packets that come out keep their order, but for those that `reorder` picked.
//   P2. When a packet leaves the limiter depends on instants that were told, not on when it was
//       asked: the same arrivals and changes give the same departures.
//   P3. A change loses nothing that is inside and lets nothing by: what waits in the queue is sent
//       at the new rate, what is on its way keeps its time of arrival.
//   P4. Each purpose draws from randomness of its own: which packets are lost depends on the seed
//       and on how many came before, on nothing else.
//   P5. What was found later than it came has the place in the queue of when it came, and is out no
//       sooner than if it had come when it was found: no packet is faster than what is asked. So a
//       packet has two instants: when it is due, as if nothing had been found late, and when it is
//       out. What comes behind this direction in the same machine takes it at the first, or else a
//       burst that nobody sent would be in its queue.
import { Random } from "../../core/random.ts";
import type { DirectionShape, DirectionState } from "../model.ts";
import { networkLimits } from "../network-limits.ts";
import { Fifo } from "./fifo.ts";
import { RedAverage } from "./red.ts";

/** What became of the packets of one direction; each that came in is counted once more. */
export interface PipeCounts {
  arrived: number;
  arrivedBytes: number;
  /** Extra copies. */
  duplicated: number;
  delivered: number;
  deliveredBytes: number;
  /** Dropped while it was down, by loss, by the queue. */
  down: number;
  lost: number;
  queueDrops: number;
  /** Dropped because more was on its way than `inFlightBytesMax`. */
  overflow: number;
}

/** How a packet that has come was found (P5). */
export interface Found {
  /** Not before it came. */
  readonly atUs: number;
  /** It may have come so much sooner than it is said to. */
  readonly slackUs: number;
}

/** A packet that has come out. */
export interface Out<Packet> {
  readonly packet: Packet;
  /** When it would have been out on a machine that is never late: not after `outUs`. */
  readonly dueUs: number;
  readonly outUs: number;
  /** It may have been due so much sooner. */
  readonly slackUs: number;
}

interface Waiting<Packet> {
  readonly packet: Packet;
  readonly bytes: number;
  /** It does not leave the limiter before (P5). */
  readonly earliestUs: number;
  readonly slackUs: number;
}

interface Leaving<Packet> extends Out<Packet> {
  readonly bytes: number;
}

export class Pipe<Packet> {
  readonly counts: PipeCounts = {
    arrived: 0,
    arrivedBytes: 0,
    duplicated: 0,
    delivered: 0,
    deliveredBytes: 0,
    down: 0,
    lost: 0,
    queueDrops: 0,
    overflow: 0,
  };
  /** In force; `#asked` is what counts from when it is up again (M2). */
  #shape: DirectionShape;
  #asked: DirectionShape;
  #isUp: boolean;
  readonly #lossRandom: Random;
  readonly #duplicateRandom: Random;
  readonly #redRandom: Random;
  readonly #delayRandom: Random;
  readonly #red = new RedAverage();
  readonly #queue = new Fifo<Waiting<Packet>>();
  #queuedBytes = 0;
  /** When the first of the queue has been sent; of an empty queue, when the last one was. */
  #sentUs = -Infinity;
  readonly #line = new Fifo<Leaving<Packet>>();
  /** Those that are not delayed. */
  readonly #express = new Fifo<Leaving<Packet>>();
  #lineBytes = 0;
  #lastDueUs = -Infinity;
  #lastOutUs = -Infinity;

  constructor(state: DirectionState, seed: number) {
    this.#shape = state.shape;
    this.#asked = state.shape;
    this.#isUp = state.isUp;
    const seeds = new Random(seed);
    this.#lossRandom = new Random(seeds.next());
    this.#duplicateRandom = new Random(seeds.next());
    this.#redRandom = new Random(seeds.next());
    this.#delayRandom = new Random(seeds.next());
  }

  get state(): DirectionState {
    return { shape: this.#asked, isUp: this.#isUp };
  }

  /** Packets inside: waiting and on their way. */
  get size(): number {
    return this.#queue.size + this.#line.size + this.#express.size;
  }

  /** When something may come out next: not later than that, Infinity when nothing is inside. */
  get nextUs(): number {
    return this.#next("outUs");
  }

  /** The same, of what is due. */
  get nextDueUs(): number {
    return this.#next("dueUs");
  }

  #next(instant: "dueUs" | "outUs"): number {
    const sentUs = this.#queue.size === 0 ? Infinity : this.#sentUs;
    const outUs = Math.min(
      this.#line.first?.[instant] ?? Infinity,
      this.#express.first?.[instant] ?? Infinity,
    );
    // What has been sent is delayed yet, and may still be picked not to be.
    const delayUs = this.#shape.reorder > 0 ? 0 : this.#shape.delayUs - this.#shape.jitterUs;
    return Math.min(outUs, Math.max(sentUs + delayUs, sentUs));
  }

  /**
   * Instants never go back; what was taken may be of later ones. @param found left out: in time
   * (P5)
   */
  arrive(nowUs: number, bytes: number, packet: Packet, found?: Found): void {
    const { counts } = this;
    counts.arrived += 1;
    counts.arrivedBytes += bytes;
    if (!this.#isUp) {
      counts.down += 1;
      return;
    }
    const { loss, duplicate } = this.#shape;
    // Loss acts before the limiter.
    if (loss > 0 && this.#lossRandom.chance(loss)) {
      counts.lost += 1;
      return;
    }
    const { bandwidthBps } = this.#shape;
    const leastUs = bandwidthBps === 0 ? 0 : transmissionUs(bytes, bandwidthBps);
    const { atUs: foundUs, slackUs } = found ?? { atUs: nowUs, slackUs: 0 };
    const earliestUs = foundUs > nowUs ? foundUs + leastUs : -Infinity;
    const waiting = { packet, bytes, earliestUs, slackUs };
    this.#enter(nowUs, waiting);
    if (duplicate > 0 && this.#duplicateRandom.chance(duplicate)) {
      counts.duplicated += 1;
      this.#enter(nowUs, waiting);
    }
  }

  /** Takes out what has come out by `nowUs`, one at a time, in the order of coming out. */
  take(nowUs: number): Out<Packet> | undefined {
    return this.#take(nowUs, "outUs");
  }

  /** Takes out what is due by `nowUs`: for whoever keeps what is not out yet (P5). */
  takeDue(nowUs: number): Out<Packet> | undefined {
    return this.#take(nowUs, "dueUs");
  }

  #take(nowUs: number, instant: "dueUs" | "outUs"): Out<Packet> | undefined {
    this.#send(nowUs);
    const [slow, fast] = [this.#line.first, this.#express.first];
    const isFast = fast !== undefined && (slow === undefined || fast[instant] <= slow[instant]);
    const next = isFast ? fast : slow;
    if (next === undefined || next[instant] > nowUs) return undefined;
    (isFast ? this.#express : this.#line).shift();
    this.#lineBytes -= next.bytes;
    this.counts.delivered += 1;
    this.counts.deliveredBytes += next.bytes;
    return next;
  }

  /** While down, what is inside still comes out: it had left before. */
  change(nowUs: number, { shape, isUp }: DirectionState): void {
    this.#send(nowUs);
    this.#asked = shape;
    this.#isUp = isUp;
    if (!isUp) return;
    const before = this.#shape;
    this.#shape = shape;
    if (this.#queue.size === 0 || before.bandwidthBps === shape.bandwidthBps) return;
    // P3: of the packet that is being sent only the rest goes at the new rate.
    const restUs = this.#sentUs - nowUs;
    this.#sentUs =
      shape.bandwidthBps === 0
        ? nowUs
        : nowUs + (restUs * before.bandwidthBps) / shape.bandwidthBps;
    this.#send(nowUs);
  }

  #enter(nowUs: number, waiting: Waiting<Packet>): void {
    const { bytes } = waiting;
    this.#send(nowUs);
    const { bandwidthBps, queue } = this.#shape;
    if (bandwidthBps === 0) {
      this.#delay(nowUs, waiting);
      return;
    }
    const isBytes = queue.limitUnit === "bytes";
    const length = isBytes ? this.#queuedBytes : this.#queue.size;
    if (queue.kind !== "drop-tail") {
      const idleUs = this.#queue.size === 0 ? Math.max(0, nowUs - this.#sentUs) : 0;
      const packetUs = transmissionUs(queue.meanPacketBytes, bandwidthBps);
      const idleShare = idleUs === Infinity ? 0 : idleUs / packetUs;
      if (this.#red.isDropped(queue, length, idleShare, this.#redRandom)) {
        this.counts.queueDrops += 1;
        return;
      }
    }
    if (length + (isBytes ? bytes : 1) > queue.limit) {
      this.counts.queueDrops += 1;
      return;
    }
    // Told a little ahead of time, the last one may have left later than now.
    if (this.#queue.size === 0)
      this.#sentUs = Math.max(nowUs, this.#sentUs) + transmissionUs(bytes, bandwidthBps);
    this.#queue.push(waiting);
    this.#queuedBytes += bytes;
  }

  /** Moves what the limiter has sent by `nowUs` to the delay. */
  #send(nowUs: number): void {
    while (this.#queue.size > 0 && this.#sentUs <= nowUs) {
      const waiting = this.#queue.shift() as Waiting<Packet>;
      this.#queuedBytes -= waiting.bytes;
      this.#delay(this.#sentUs, waiting);
      const next = this.#queue.first;
      if (next === undefined) return;
      const { bandwidthBps } = this.#shape;
      this.#sentUs += bandwidthBps === 0 ? 0 : transmissionUs(next.bytes, bandwidthBps);
    }
  }

  #delay(limitedUs: number, { packet, bytes, earliestUs, slackUs }: Waiting<Packet>): void {
    const sentUs = Math.max(limitedUs, earliestUs);
    if (this.#lineBytes + bytes > networkLimits.inFlightBytesMax) {
      this.counts.overflow += 1;
      return;
    }
    this.#lineBytes += bytes;
    const { delayUs, jitterUs, reorder } = this.#shape;
    if (reorder > 0 && this.#delayRandom.chance(reorder)) {
      this.#express.push({ packet, bytes, slackUs, dueUs: limitedUs, outUs: sentUs });
      return;
    }
    const jitter = jitterUs === 0 ? 0 : (this.#delayRandom.next() / 2_147_483_648 - 1) * jitterUs;
    // P1: also when the delay has become shorter, nobody overtakes.
    this.#lastDueUs = Math.max(this.#lastDueUs, limitedUs + delayUs + jitter);
    this.#lastOutUs = Math.max(this.#lastOutUs, sentUs + delayUs + jitter);
    const [dueUs, outUs] = [this.#lastDueUs, this.#lastOutUs];
    this.#line.push({ packet, bytes, slackUs, dueUs, outUs });
  }
}

/** Microseconds, with a fraction. */
export function transmissionUs(bytes: number, bandwidthBps: number): number {
  return (bytes * 8_000_000) / bandwidthBps;
}
