// SPDX-License-Identifier: MIT
// The files of traces: takes chunks of those who see the packets and writes them as the disk can,
// without anybody waiting for it.
//
//   T2. A file is at most `captureBytesMax` long, and ends with a whole record.
//   T3. What waits for the disk is at most `tracePendingBytesMax` of one trace; more is dropped and
//       counted.
//   T4. Where the disk does not take something, the trace ends with what it took before; that is in
//       its counts.
import { constants } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { problemOf, type TraceCounts, type TraceOrder } from "./link-tracer.ts";
import { networkLimits } from "./network-limits.ts";
import { pcapFileHeader } from "./pcap-writer.ts";

/** The first line of a file of counts. */
export const countsHeader =
  "second,sent packets,sent bytes,received packets,received bytes\n" as const;

const { O_CREAT, O_NONBLOCK, O_TRUNC, O_WRONLY } = constants;

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
  #pendingPackets = 0;
  /** Of the file; those that were accepted, and those that are there. */
  #fileBytes = 0;
  #writtenBytes = 0;
  #packets = 0;
  #bytes = 0;
  #dropped = 0;
  #isFull = false;
  #problem: string | undefined;

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
    const problem = this.#problem === undefined ? {} : { problem: this.#problem };
    return { packets, bytes, dropped, isFull: this.#isFull, ...problem };
  }

  /** T2, T3, T4. @returns whether there may be more. */
  append(chunk: Uint8Array, packets: number): boolean {
    if (this.#isFull || this.#problem !== undefined) return false;
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
    this.#pendingPackets += packets;
    this.#packets += packets;
    this.#bytes += chunk.length;
    this.#next(async () => {
      await this.#file?.writeFile(chunk);
      this.#writtenBytes += chunk.length;
      this.#pendingBytes -= chunk.length;
      this.#pendingPackets -= packets;
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
    if (this.#problem !== undefined) throw new Error(this.#problem);
  }

  /** Never rejects. T4. */
  async end(): Promise<TraceCounts> {
    this.#next(async () => {
      const isRemoved = (await this.#file?.stat())?.nlink === 0;
      await this.#file?.close();
      this.#file = undefined;
      if (isRemoved) this.#problem = "it was removed while it was written";
    });
    await this.#work;
    return this.counts;
  }

  #next(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#problem === undefined) await work().catch((error: unknown) => this.#fail(error));
    });
  }

  /** T4. The file ends with a whole record, and nothing is kept open. */
  async #fail(error: unknown): Promise<void> {
    this.#problem = problemOf(error);
    this.#packets -= this.#pendingPackets;
    this.#bytes -= this.#pendingBytes;
    this.#dropped += this.#pendingPackets;
    const file = this.#file;
    this.#file = undefined;
    await file?.truncate(this.#writtenBytes).catch(() => undefined);
    await file?.close().catch(() => undefined);
  }

  async #open(): Promise<void> {
    const { path, kind, snapBytes } = this.#order;
    const header = kind === "packets" ? pcapFileHeader(snapBytes) : Buffer.from(countsHeader);
    const file = await openFile(path);
    try {
      await file.writeFile(header);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
    this.#fileBytes = this.#writtenBytes = header.length;
    this.#bytes += header.length;
  }
}

/** A FIFO would wait until somebody reads, and keep others from being opened. */
async function openFile(path: string): Promise<FileHandle> {
  const refuse = (): never => {
    throw new Error(`${path} is a FIFO or a socket, and packets are written to a file`);
  };
  const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENXIO") refuse();
      throw error;
    },
  );
  if (!(await file.stat()).isFIFO()) return file;
  await file.close();
  return refuse();
}
