// SPDX-License-Identifier: MIT
// Goal: a capture is cut between records only, however it comes, and at its bound. Method: captures
// written here byte by byte, every split of one, and a bound at a record's end and one byte before.
import { describe, expect, it } from "vitest";
import { PcapRecords } from "../../../src/network/pcap-records.ts";

function captureOf(sizes: readonly number[], isLittle: boolean): Buffer {
  const header = Buffer.alloc(24);
  if (isLittle) header.writeUInt32LE(0xa1b2c3d4);
  else header.writeUInt32BE(0xa1b2c3d4);
  const records = sizes.map((size) => {
    const record = Buffer.alloc(16 + size, size);
    if (isLittle) record.writeUInt32LE(size, 8);
    else record.writeUInt32BE(size, 8);
    return record;
  });
  return Buffer.concat([header, ...records]);
}

describe.each([true, false])("PcapRecords, little-endian %s", (isLittle) => {
  const capture = captureOf([60, 1_514, 0, 98], isLittle);

  it("gives out everything and counts packets, wherever it is split", () => {
    for (let at = 0; at <= capture.length; at++) {
      const records = new PcapRecords(capture.length);
      const parts = [capture.subarray(0, at), capture.subarray(at)];
      expect(Buffer.concat(parts.map((part) => records.take(part))).equals(capture)).toBe(true);
      expect(records.packets).toBe(4);
      expect(records.isFull).toBe(false);
    }
  });

  it("gives out no part of a record", () => {
    const records = new PcapRecords(10_000);
    expect(records.take(capture.subarray(0, 24 + 75))).toHaveLength(24);
    expect(records.packets).toBe(0);
  });

  it("ends with the last packet that fits, and stays so", () => {
    const records = new PcapRecords(capture.length - 1);
    expect(records.take(capture)).toHaveLength(capture.length - 16 - 98);
    expect(records).toMatchObject({ isFull: true, packets: 3, bytes: capture.length - 114 });
    expect(records.take(capture)).toHaveLength(0);
  });
});
