// SPDX-License-Identifier: MIT
// Goal: links that ask for more than the delay node carries are named with both figures, one by one
// and together, and files of links of 100 Mb/s are not. Method: tables of links, and figures of a
// process that are round.
import { describe, expect, it } from "vitest";
import { LinkTable } from "../../../src/network/link-table.ts";
import { type ShapedLink, unshaped } from "../../../src/network/model.ts";
import { networkLimits } from "../../../src/network/network-limits.ts";
import { describeOverload, mayOverload } from "../../../src/network/overload.ts";

const Mbps = 1_000_000;

/** Rates of each member into the link or LAN. */
function tableOf(rates: Readonly<Record<string, readonly number[]>>): LinkTable {
  const table = new LinkTable({ backend: "test", bandwidthBpsMax: 1e12, inFlightBytesMax: 1e9 });
  const links = Object.entries(rates).map(([name, ups]): ShapedLink => {
    const kind = ups.length === 2 ? "link" : "lan";
    const members = ups.map((bandwidthBps, at) => {
      const up = { ...unshaped, bandwidthBps };
      return { node: `n${at}`, up, ...(kind === "lan" ? { down: up } : {}) };
    });
    return { name, kind, members };
  });
  expect(table.add(links)).toEqual([]);
  return table;
}

/** A thread carries 1000 Mb/s of full packets, and a little less than one b/s more. */
const packetsPerSecond = (1_000 * Mbps) / (8 * 1_514);
const told = (rates: Readonly<Record<string, readonly number[]>>, threads = 1): readonly string[] =>
  describeOverload(tableOf(rates), { packetsPerSecond, threads });

describe("the overload of links", () => {
  it("names a link that alone asks for more, from the first bit on", () => {
    expect(told({ l0: [1_000 * Mbps, 0] })).toEqual([]);
    expect(told({ l0: [1_000 * Mbps + 1_000, 0], l1: [Mbps, Mbps] })).toEqual([
      expect.stringMatching(
        /^link l0 \(1000\.001 Mb\/s\) asks for more than the delay node carries of one link, some 1000/,
      ),
    ]);
    // Other threads do not help it.
    expect(told({ l0: [1_001 * Mbps, 0] }, 8)).toHaveLength(1);
  });

  it("names several in one sentence, with the fastest way of each, ten at most", () => {
    const [text] = told({ l0: [1_100 * Mbps, 1_200 * Mbps], lan0: [0, 0, 1_300 * Mbps] });
    expect(text).toMatch(/^links lan0 \(1300 Mb\/s\), l0 \(1200 Mb\/s\) ask for more than /);
    const many = Array.from({ length: 12 }, (_, at) => [`l${at}`, [2_000 * Mbps, 0]] as const);
    expect(told(Object.fromEntries(many))[0]).toMatch(
      /, l9 \(2000 Mb\/s\) and 2 more ask for more /,
    );
  });

  it("counts the four fastest ways, which may be full at a time, for all threads (O1)", () => {
    expect(told({ l0: [250 * Mbps, 250 * Mbps], l1: [250 * Mbps, 250 * Mbps] })).toEqual([]);
    expect(told({ l0: [500 * Mbps, 501 * Mbps] })).toEqual([
      expect.stringMatching(
        /^link l0 asks for 1001 Mb\/s when 2 ways are full at a time, and the delay node carries some 1000 Mb\/s /,
      ),
    ]);
    expect(told({ l0: [300 * Mbps, 0], l1: [0, 400 * Mbps], l2: [0, 301 * Mbps] })).toEqual([
      expect.stringMatching(/^links l1, l2, l0 ask for 1001 Mb\/s when 4 ways are full /),
    ]);
    expect(told({ l0: [500 * Mbps, 500 * Mbps], l1: [0, 900 * Mbps] }, 2)).toEqual([]);
    const three = { l0: [999 * Mbps, 0], l1: [0, 999 * Mbps], l2: [3 * Mbps, 0] };
    expect(told(three, 2)[0]).toMatch(
      /^links l0, l1, l2 ask for 2001 Mb\/s when 4 ways are full at a time, and the delay node carries some 2000 Mb\/s /,
    );
  });

  it("counts what is in one thread: the ways of a link, and links that share one", () => {
    const where = "and the thread of the delay node that they are in carries some 1000 Mb/s ";
    expect(told({ l0: [500 * Mbps, 501 * Mbps] }, 8)).toEqual([
      expect.stringContaining(
        `link l0 asks for 1001 Mb/s when 2 ways are full at a time, ${where}`,
      ),
    ]);
    const table = tableOf({ l0: [600 * Mbps, 0], l1: [0, 500 * Mbps], l2: [100 * Mbps, 0] });
    const of = (placed: Readonly<Record<string, number>>): readonly string[] =>
      describeOverload(table, { packetsPerSecond, threads: 7, threadOf: (link) => placed[link] });
    expect(of({ l0: 0, l1: 1, l2: 0 })).toEqual([]);
    expect(of({ l0: 3, l1: 3, l2: 1 })).toEqual([
      expect.stringMatching(/^links l0, l1 ask for 1100 Mb\/s when \d ways are full at a time, /),
    ]);
  });

  it("says nothing of links of 100 Mb/s, however many, and of those without limit", () => {
    const { delayNodePacketsPerSecond } = networkLimits;
    const rates = Object.fromEntries(
      Array.from({ length: 50 }, (_, at) => [`l${at}`, [100 * Mbps, 100 * Mbps]] as const),
    );
    const lan = { lan0: Array.from({ length: 100 }, () => 100 * Mbps), free: [0, 0] };
    const carried = { packetsPerSecond: delayNodePacketsPerSecond, threads: 1 };
    expect(describeOverload(tableOf({ ...rates, ...lan }), carried)).toEqual([]);
    expect(describeOverload(tableOf({ l0: [1_000 * Mbps, 0] }), carried)).toHaveLength(1);
  });
});

describe("changes that may bring it about", () => {
  it("are those of bandwidth, and those that bring back what the file asks", () => {
    const may = (what: Parameters<typeof mayOverload>[0][number]["what"]): boolean =>
      mayOverload([{ link: "l0", what }]);
    expect(may({ kind: "modify", shape: { bandwidthBps: 5 } })).toBe(true);
    expect(may({ kind: "modify", shape: { delayUs: 5 } })).toBe(false);
    expect((["reset", "create"] as const).map((kind) => may({ kind }))).toEqual([true, true]);
    expect((["up", "down", "clear"] as const).map((kind) => may({ kind }))).toEqual(
      Array.from({ length: 3 }, () => false),
    );
  });
});
