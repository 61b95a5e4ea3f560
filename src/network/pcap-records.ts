// SPDX-License-Identifier: MIT
// Cuts a capture (pcap, as libpcap writes it) into whole records, so that a file that had to end is
// one that every tool reads to its end. Pure.
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap
//
//   R1. What was given out is a whole pcap file at any time, of at most `bytesMax` bytes.
const fileHeaderBytes = 24;
const recordHeaderBytes = 16;
/** Where the header of a record says how many bytes of the packet follow. */
const lengthAt = 8;
/** 0xa1b2c3d4, or 0xa1b23c4d with nanoseconds, in the order of bytes of who wrote it. */
const littleEndian: ReadonlySet<number> = new Set([0xa1b2c3d4, 0xa1b23c4d]);

export class PcapRecords {
  readonly #bytesMax: number;
  #rest = Buffer.alloc(0);
  #isLittle: boolean | undefined;
  #bytes = 0;
  #packets = 0;
  #isFull = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get packets(): number {
    return this.#packets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A packet had no room any more; nothing is given out from then on. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** @returns what of the capture may be written now (R1). */
  take(chunk: Uint8Array): Uint8Array {
    if (this.#isFull) return Buffer.alloc(0);
    const text = Buffer.concat([this.#rest, chunk]);
    let end = 0;
    for (let next = this.#sizeAt(text, end); next !== undefined; next = this.#sizeAt(text, end)) {
      if (end + next > text.length) break;
      if (this.#bytes + end + next > this.#bytesMax) {
        this.#isFull = true;
        break;
      }
      if (this.#bytes + end > 0) this.#packets += 1;
      end += next;
    }
    this.#bytes += end;
    this.#rest = this.#isFull ? Buffer.alloc(0) : text.subarray(end);
    return text.subarray(0, end);
  }

  /** Of the header or record that begins there; undefined while that cannot be known. */
  #sizeAt(text: Buffer, at: number): number | undefined {
    if (this.#bytes + at === 0) {
      if (text.length < fileHeaderBytes) return undefined;
      this.#isLittle = littleEndian.has(text.readUInt32LE(0));
      return fileHeaderBytes;
    }
    if (at + recordHeaderBytes > text.length) return undefined;
    const field = at + lengthAt;
    const length = this.#isLittle === true ? text.readUInt32LE(field) : text.readUInt32BE(field);
    return recordHeaderBytes + length;
  }
}
