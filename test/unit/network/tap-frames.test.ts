// SPDX-License-Identifier: MIT
// Goal: frames of the program that takes packets are read whole, wherever what comes is cut.
// Method: frames in bytes by hand, every split of them.
import { endianness } from "node:os";
import { expect, test } from "vitest";
import { readTapFrames, type TapFrame } from "../../../src/network/netem/tap-frames.ts";

const words = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) {
    if (endianness() === "LE") bytes.writeUInt32LE(value, 4 * at);
    else bytes.writeUInt32BE(value, 4 * at);
  }
  return bytes;
};

const stream = Buffer.concat([
  words(2, 0, 0, 0, 0),
  words(0, 1_700_000_000, 123, 3, 1_500),
  Buffer.from([1, 2, 3]),
  words(1, 1_700_000_001, 999_999, 0, 42),
  words(2, 0, 0, 0, 7),
]);

const packet = (way: "sent" | "received", wallUs: number, kept: number[], bytes: number) => ({
  ...{ kind: "packet" as const, way, wallUs, packet: Buffer.from(kept), bytes },
});

const expected: readonly TapFrame[] = [
  { kind: "mark", drops: 0 },
  packet("sent", 1_700_000_000_000_123, [1, 2, 3], 1_500),
  packet("received", 1_700_000_001_999_999, [], 42),
  { kind: "mark", drops: 7 },
];

test("frames are read whole, and what is there of the next one is left", () => {
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const first = readTapFrames(stream.subarray(0, cut));
    const second = readTapFrames(Buffer.concat([first.rest, stream.subarray(cut)]));
    expect([...first.frames, ...second.frames], `cut at ${cut}`).toEqual(expected);
    expect(second.rest).toHaveLength(0);
  }
});
