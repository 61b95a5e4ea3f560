// SPDX-License-Identifier: MIT
// Traces of the links of one thread of the delay node: puts packets that pass into chunks, which
// somebody else writes: a thread that has packets to send must not wait for a disk.
//
//   T1. A chunk has whole records, and goes out before what is said of its trace.
import type { TraceOrder, TraceWay } from "../link-tracer.ts";
import { networkLimits } from "../network-limits.ts";
import { PcapWriter } from "../pcap-writer.ts";

export interface TracedChunk {
  readonly trace: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly packets: number;
}

export interface ThreadTraceOptions {
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

export class ThreadTrace {
  readonly member: number;
  readonly #options: ThreadTraceOptions;
  readonly #ways: ReadonlySet<TraceWay>;
  readonly #records: PcapWriter;
  readonly #encoder = new TextEncoder();
  isPaused = false;
  #packets = 0;
  /** In the chunk. */
  #pending = 0;
  #counts = { second: 0, sent: [0, 0], received: [0, 0] };

  constructor(options: ThreadTraceOptions) {
    const { member, ways, snapBytes } = options.order;
    this.member = member;
    this.#options = options;
    this.#ways = new Set(ways);
    this.#records = new PcapWriter(snapBytes, networkLimits.traceChunkBytes);
  }

  take(way: TraceWay, atUs: number, packet: Uint8Array): void {
    const { order, frameAt, wallOffsetUs } = this.#options;
    const { countMax, kind } = order;
    if (this.isPaused || !this.#ways.has(way)) return;
    if (countMax > 0 && this.#packets >= countMax) return;
    this.#packets += 1;
    const wallUs = atUs + wallOffsetUs;
    if (kind === "counts") {
      this.#count(way, wallUs, packet.length - frameAt);
      return;
    }
    if (!this.#records.put(wallUs, packet, frameAt)) {
      this.flush();
      this.#records.put(wallUs, packet, frameAt);
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
