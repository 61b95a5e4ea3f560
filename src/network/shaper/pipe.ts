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
//       sooner than if it had come when it was found: no packet is faster than what is asked.
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

interface Waiting<Packet> {
  readonly packet: Packet;
  readonly bytes: number;
  /** It does not leave the limiter before (P5). */
  readonly earliestUs: number;
}

interface Leaving<Packet> extends Waiting<Packet> {
  readonly outUs: number;
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
    const sentUs = this.#queue.size === 0 ? Infinity : this.#sentUs;
    const outUs = Math.min(
      this.#line.first?.outUs ?? Infinity,
      this.#express.first?.outUs ?? Infinity,
    );
    // What has been sent is delayed yet, and may still be picked not to be.
    const delayUs = this.#shape.reorder > 0 ? 0 : this.#shape.delayUs - this.#shape.jitterUs;
    return Math.min(outUs, Math.max(sentUs + delayUs, sentUs));
  }

  /** Instants never go back. @param foundUs P5 */
  arrive(nowUs: number, bytes: number, packet: Packet, foundUs: number = nowUs): void {
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
    const earliestUs = foundUs > nowUs ? foundUs + leastUs : -Infinity;
    this.#enter(nowUs, { packet, bytes, earliestUs });
    if (duplicate > 0 && this.#duplicateRandom.chance(duplicate)) {
      counts.duplicated += 1;
      this.#enter(nowUs, { packet, bytes, earliestUs });
    }
  }

  /** Takes out what has come out by `nowUs`, one at a time, in the order of coming out. */
  take(nowUs: number): { readonly packet: Packet; readonly outUs: number } | undefined {
    this.#send(nowUs);
    const [slow, fast] = [this.#line.first, this.#express.first];
    const isFast = fast !== undefined && (slow === undefined || fast.outUs <= slow.outUs);
    const next = isFast ? fast : slow;
    if (next === undefined || next.outUs > nowUs) return undefined;
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

  #delay(limitedUs: number, { packet, bytes, earliestUs }: Waiting<Packet>): void {
    const sentUs = Math.max(limitedUs, earliestUs);
    if (this.#lineBytes + bytes > networkLimits.inFlightBytesMax) {
      this.counts.overflow += 1;
      return;
    }
    this.#lineBytes += bytes;
    const { delayUs, jitterUs, reorder } = this.#shape;
    if (reorder > 0 && this.#delayRandom.chance(reorder)) {
      this.#express.push({ packet, bytes, earliestUs, outUs: sentUs });
      return;
    }
    const jitter = jitterUs === 0 ? 0 : (this.#delayRandom.next() / 2_147_483_648 - 1) * jitterUs;
    // P1: also when the delay has become shorter, nobody overtakes.
    this.#lastOutUs = Math.max(this.#lastOutUs, sentUs + delayUs + jitter);
    this.#line.push({ packet, bytes, earliestUs, outUs: this.#lastOutUs });
  }
}

/** Microseconds, with a fraction. */
export function transmissionUs(bytes: number, bandwidthBps: number): number {
  return (bytes * 8_000_000) / bandwidthBps;
}
