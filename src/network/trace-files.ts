// SPDX-License-Identifier: MIT
// The files of traces: takes chunks of those who see the packets and writes them as the disk can,
// without anybody waiting for it.
//
//   T2. A file is at most `captureBytesMax` long, and ends with a whole record.
//   T3. What waits for the disk is at most `tracePendingBytesMax` of one trace; more is dropped and
//       counted.
import { type FileHandle, open, rename } from "node:fs/promises";
import type { TraceCounts, TraceOrder } from "./link-tracer.ts";
import { networkLimits } from "./network-limits.ts";
import { pcapFileHeader } from "./pcap-writer.ts";

/** The first line of a file of counts. */
export const countsHeader =
  "second,sent packets,sent bytes,received packets,received bytes\n" as const;

export interface TraceFileLimits {
  readonly captureBytesMax: number;
  readonly tracePendingBytesMax: number;
}

export class TraceFile {
  readonly #order: TraceOrder;
  readonly #limits: TraceFileLimits;
  #file: FileHandle | undefined;
  /** Everything that is to be done, in order. */
  #work: Promise<void> = Promise.resolve();
  #pendingBytes = 0;
  /** Of the file; those that were accepted. */
  #fileBytes = 0;
  #packets = 0;
  #bytes = 0;
  #dropped = 0;
  #isFull = false;

  private constructor(order: TraceOrder, limits: TraceFileLimits) {
    this.#order = order;
    this.#limits = limits;
  }

  /** @throws Error of the file system */
  static async create(
    order: TraceOrder,
    limits: TraceFileLimits = networkLimits,
  ): Promise<TraceFile> {
    const file = new TraceFile(order, limits);
    await file.#open();
    return file;
  }

  get counts(): TraceCounts {
    const [packets, bytes, dropped] = [this.#packets, this.#bytes, this.#dropped];
    return { packets, bytes, dropped, isFull: this.#isFull };
  }

  /** T2, T3. @returns whether there may be more. */
  append(chunk: Uint8Array, packets: number): boolean {
    if (this.#isFull) return false;
    if (this.#fileBytes + chunk.length > this.#limits.captureBytesMax) {
      this.#isFull = true;
      return false;
    }
    if (this.#pendingBytes + chunk.length > this.#limits.tracePendingBytesMax) {
      this.#dropped += packets;
      return true;
    }
    this.#fileBytes += chunk.length;
    this.#pendingBytes += chunk.length;
    this.#packets += packets;
    this.#bytes += chunk.length;
    this.#next(async () => {
      await this.#file?.writeFile(chunk);
      this.#pendingBytes -= chunk.length;
    });
    return true;
  }

  /** @throws Error of the file system */
  async roll(to: string): Promise<void> {
    this.#isFull = false;
    this.#next(async () => {
      await this.#file?.close();
      this.#file = undefined;
      await rename(this.#order.path, to);
      await this.#open();
    });
    await this.#work;
  }

  /** @throws Error of the file system, of anything that was written */
  async end(): Promise<TraceCounts> {
    this.#next(async () => {
      await this.#file?.close();
      this.#file = undefined;
    });
    await this.#work;
    return this.counts;
  }

  #next(work: () => Promise<void>): void {
    this.#work = this.#work.then(work);
    // Whoever waits for it hears of it.
    this.#work.catch(() => undefined);
  }

  async #open(): Promise<void> {
    const { path, kind, snapBytes } = this.#order;
    const header = kind === "packets" ? pcapFileHeader(snapBytes) : Buffer.from(countsHeader);
    this.#file = await open(path, "w");
    await this.#file.writeFile(header);
    this.#fileBytes = header.length;
    this.#bytes += header.length;
  }
}
