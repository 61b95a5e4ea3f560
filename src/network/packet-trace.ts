// SPDX-License-Identifier: MIT
// A trace where packets pass: puts them into chunks, which somebody else writes. Whoever has
// packets to send, or to take in time, must not wait for a disk.
//
//   T1. A chunk has whole records, and goes out before what is said of its trace.
import type { TraceOrder, TraceWay } from "./link-tracer.ts";
import { networkLimits } from "./network-limits.ts";
import { PacketFilter } from "./packet-filter.ts";
import { PcapWriter } from "./pcap-writer.ts";

export interface TracedChunk {
  readonly trace: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly packets: number;
}

export interface PacketTraceOptions {
  readonly id: number;
  readonly order: TraceOrder;
  /** Where in a packet its frame begins. */
  readonly frameAt: number;
  /** To be added to instants of the monotonic clock. */
  readonly wallOffsetUs: number;
  readonly send: (chunk: TracedChunk) => void;
  /** It has had as many packets as it was to have. */
  readonly onCounted: () => void;
}

export class PacketTrace {
  readonly member: number;
  readonly #options: PacketTraceOptions;
  readonly #ways: ReadonlySet<TraceWay>;
  readonly #filter: PacketFilter | undefined;
  readonly #records: PcapWriter;
  readonly #encoder = new TextEncoder();
  isPaused: boolean;
  #packets = 0;
  /** In the chunk. */
  #pending = 0;
  #counts = { second: 0, sent: [0, 0], received: [0, 0] };

  constructor(options: PacketTraceOptions) {
    const { member, ways, snapBytes, filter, isPaused = false } = options.order;
    this.member = member;
    this.isPaused = isPaused;
    this.#options = options;
    this.#ways = new Set(ways);
    this.#filter = filter && new PacketFilter(filter);
    this.#records = new PcapWriter(snapBytes, networkLimits.traceChunkBytes);
  }

  /** @param bytes of the frame, when `packet` has not all of it */
  take(way: TraceWay, atUs: number, packet: Uint8Array, bytes?: number): void {
    const { order, frameAt, wallOffsetUs } = this.#options;
    const frameBytes = bytes ?? packet.length - frameAt;
    const { countMax, kind } = order;
    if (this.isPaused || !this.#ways.has(way)) return;
    if (countMax > 0 && this.#packets >= countMax) return;
    if (this.#filter?.accepts(packet, frameAt) === false) return;
    this.#packets += 1;
    const wallUs = atUs + wallOffsetUs;
    if (kind === "counts") {
      this.#count(way, wallUs, frameBytes);
      return;
    }
    if (!this.#records.put(wallUs, packet, frameAt, frameBytes)) {
      this.flush();
      this.#records.put(wallUs, packet, frameAt, frameBytes);
    }
    this.#pending += 1;
    if (this.#packets === countMax) this.#options.onCounted();
  }

  /** T1. */
  flush(): void {
    const bytes = this.#records.take();
    if (bytes.length === 0) return;
    this.#options.send({ trace: this.#options.id, bytes, packets: this.#pending });
    this.#pending = 0;
  }

  /** Also what has not had its whole second. */
  finish(): void {
    if (this.#options.order.kind === "counts") this.#sayCounts();
    this.flush();
  }

  #count(way: TraceWay, wallUs: number, bytes: number): void {
    const second = Math.floor(wallUs / 1_000_000);
    if (second !== this.#counts.second) this.#sayCounts();
    this.#counts.second = second;
    const counts = this.#counts[way];
    counts[0] = (counts[0] ?? 0) + 1;
    counts[1] = (counts[1] ?? 0) + bytes;
  }

  #sayCounts(): void {
    const { second, sent, received } = this.#counts;
    const packets = (sent[0] ?? 0) + (received[0] ?? 0);
    if (packets === 0) return;
    const line = `${second},${sent.join(",")},${received.join(",")}\n`;
    this.#options.send({ trace: this.#options.id, bytes: this.#encoder.encode(line), packets });
    this.#counts = { second, sent: [0, 0], received: [0, 0] };
  }
}
