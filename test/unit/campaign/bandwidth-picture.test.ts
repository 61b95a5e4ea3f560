// SPDX-License-Identifier: MIT
// Goal: the picture of a campaign shows what the trace holds, at its time.
import { describe, expect, test } from "vitest";
import { drawBandwidth, ratesOf, readTrace } from "../../../campaign/bandwidth-picture.ts";

/** A pcap file with one record for each packet, cut to four bytes. */
function pcap(packets: readonly { readonly atUs: number; readonly bytes: number }[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  const records = packets.map(({ atUs, bytes }) => {
    const record = Buffer.alloc(20);
    record.writeUInt32LE(1_700_000_000 + Math.floor(atUs / 1_000_000), 0);
    record.writeUInt32LE(atUs % 1_000_000, 4);
    record.writeUInt32LE(4, 8);
    record.writeUInt32LE(bytes, 12);
    return record;
  });
  return Buffer.concat([header, ...records]);
}

describe("the trace", () => {
  test("counts from its first packet, in bytes of the link", () => {
    const file = pcap([
      { atUs: 900_000, bytes: 1_000 },
      { atUs: 1_050_000, bytes: 500 },
    ]);
    expect(readTrace(file)).toEqual([
      { atUs: 0, bytes: 1_000 },
      { atUs: 150_000, bytes: 500 },
    ]);
  });

  test("whose last record is cut ends before it", () => {
    const file = pcap([{ atUs: 0, bytes: 1_000 }]);
    expect(readTrace(file.subarray(0, 30))).toEqual([]);
  });
});

describe("rates", () => {
  test("are those of each step, and nothing behind the last", () => {
    const packets = [
      { atUs: 0, bytes: 1_000 },
      { atUs: 99_999, bytes: 1_000 },
      { atUs: 100_000, bytes: 250 },
      { atUs: 300_000, bytes: 9_999 },
    ];
    expect(ratesOf(packets, 100_000, 300_000)).toEqual([160_000, 20_000, 0]);
  });
});

describe("the picture", () => {
  test("has a step for what was told and a point for each rate, both at their height", () => {
    const told = [
      { atUs: 0, bps: 2_000_000 },
      { atUs: 500_000, bps: 1_000_000 },
    ];
    const svg = drawBandwidth(told, [2_000_000, 1_000_000], 500_000);
    expect(svg).toContain('d="M60.0,30.0 H400.0 L400.0,150.0 H740.0"');
    expect(svg).toContain('points="230.0,30.0 570.0,150.0"');
  });
});
