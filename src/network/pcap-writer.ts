// SPDX-License-Identifier: MIT
// Writes packets as libpcap does, for tools that read it: Ethernet frames with microseconds. Pure.
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap
//
//   R1. What is taken out is made of whole records, in the order in which they were put in.
const fileHeaderBytes = 24;
const recordHeaderBytes = 16;
/** Frames of Ethernet. */
const linkType = 1;
/** What libpcap calls all of a packet. */
export const wholePacketBytes = 262_144;

/** @param snapBytes most that is kept of a packet */
export function pcapFileHeader(snapBytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(fileHeaderBytes));
  header.setUint32(0, 0xa1b2c3d4, true);
  header.setUint16(4, 2, true);
  header.setUint16(6, 4, true);
  header.setUint32(16, snapBytes, true);
  header.setUint32(20, linkType, true);
  return new Uint8Array(header.buffer);
}

export class PcapWriter {
  readonly #snapBytes: number;
  readonly #chunkBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #used = 0;

  /** @param chunkBytes what one chunk has room for, one packet at least */
  constructor(snapBytes: number, chunkBytes: number) {
    this.#snapBytes = snapBytes;
    this.#chunkBytes = chunkBytes;
    this.#bytes = new Uint8Array(0);
  }

  /**
   * @param length of the packet, when not all of it is there
   * @returns false when there is no room: `take` it out first
   */
  put(
    wallUs: number,
    packet: Uint8Array,
    from: number,
    length: number = packet.length - from,
  ): boolean {
    const kept = Math.min(packet.length - from, this.#snapBytes);
    const at = this.#used;
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(Math.max(this.#chunkBytes, recordHeaderBytes + kept));
    }
    if (at + recordHeaderBytes + kept > this.#bytes.length) return false;
    const header = new DataView(this.#bytes.buffer, at, recordHeaderBytes);
    header.setUint32(0, Math.floor(wallUs / 1_000_000), true);
    header.setUint32(4, Math.floor(wallUs % 1_000_000), true);
    header.setUint32(8, kept, true);
    header.setUint32(12, length, true);
    this.#bytes.set(packet.subarray(from, from + kept), at + recordHeaderBytes);
    this.#used = at + recordHeaderBytes + kept;
    return true;
  }

  /** R1. It is the caller's from then on. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#used);
    this.#bytes = new Uint8Array(0);
    this.#used = 0;
    return taken;
  }
}
