// SPDX-License-Identifier: MIT
// Goal: what tc prints of a direction becomes its counts. Method: a text of tc, written by hand
// from its own output, in which each number is another one.
import { describe, expect, it } from "vitest";
import { readNetemCounts } from "../../../src/network/netem/netem-counts.ts";

const row = (kind: string, handle: string, counts: object): object => ({ kind, handle, ...counts });

describe("readNetemCounts", () => {
  it("takes losses of the queue out of those of the whole", () => {
    const text = JSON.stringify([
      row("netem", "1:", { bytes: 9_800, packets: 100, drops: 17, qlen: 3 }),
      row("tbf", "2:", { bytes: 9_900, packets: 101, drops: 5, qlen: 2 }),
      row("pfifo", "3:", { bytes: 9_900, packets: 101, drops: 5, qlen: 2 }),
    ]);
    expect(readNetemCounts(text)).toEqual({
      size: 3,
      counts: {
        ...{ arrived: null, arrivedBytes: null, duplicated: null, down: null, overflow: null },
        ...{ delivered: 100, deliveredBytes: 9_800, lost: 12, queueDrops: 5 },
      },
    });
  });

  it.each(["", "{}", "[]", '[{"kind":"noqueue","handle":"0:"}]'])(
    "says of %j that nothing shapes there",
    (text) => {
      expect(readNetemCounts(text)).toContain("says nothing of what shapes");
    },
  );
});
