// SPDX-License-Identifier: MIT
// Goal: what people write after `muster link set` becomes the event that does it, and what could be
// meant in two ways is refused. Method: rows, and the round trip through the reader of events.
import { describe, expect, it } from "vitest";
import { readLinkEvent } from "../../../src/network/link-args.ts";
import { formatLinkArgs } from "../../../src/network/link-words.ts";
import { type ShapedLink, unshaped } from "../../../src/network/model.ts";

const link: ShapedLink = {
  name: "l0",
  kind: "link",
  members: ["a", "b"].map((node) => ({ node, up: unshaped })),
};

/** What the link is told in the end, or what the user is. */
function told(...words: readonly string[]): unknown {
  const formatted = formatLinkArgs(words, false);
  if ("problem" in formatted) return formatted.problem;
  const changes = readLinkEvent({ link }, "MODIFY", formatted.args);
  if (typeof changes === "string") return changes;
  return changes.map(({ what }) => (what.kind === "modify" ? what.shape : what.kind));
}

describe("formatLinkArgs", () => {
  it.each([
    [["bandwidth=10Mb"], { bandwidthBps: 10_000_000 }],
    [["bandwidth=64kbps"], { bandwidthBps: 64_000 }],
    [["bandwidth=1Gb/s"], { bandwidthBps: 1_000_000_000 }],
    [["bandwidth=10Mbps"], { bandwidthBps: 10_000_000 }],
    [["bandwidth=10mb"], { bandwidthBps: 10_000_000 }],
    [["bandwidth=500b/s"], { bandwidthBps: 500 }],
    [["bandwidth=unlimited"], { bandwidthBps: 0 }],
    [["bandwidth=any"], { bandwidthBps: 0 }],
    [["delay=20ms"], { delayUs: 20_000 }],
    [["delay=500us", "jitter=0.1ms"], { delayUs: 500, jitterUs: 100 }],
    [["delay=1.5s"], { delayUs: 1_500_000 }],
    [["delay=1m0.5s", "jitter=.5ms"], { delayUs: 60_500_000, jitterUs: 500 }],
    [["delay=3us"], { delayUs: 3 }],
    [["delay=0", "jitter=0.0"], { delayUs: 0, jitterUs: 0 }],
    [["loss=1%"], { loss: 0.01 }],
    [["loss=0.01"], { loss: 0.01 }],
    [["loss=100%"], { loss: 1 }],
    [["duplicate=5%", "reorder=0.25"], { duplicate: 0.05, reorder: 0.25 }],
    [["queue=50"], { queue: { limit: 50, limitUnit: "packets" } }],
    [["queue=9000bytes"], { queue: { limit: 9000, limitUnit: "bytes" } }],
  ])("%j is %j", (words, shape) => {
    expect(told(...words)).toEqual([shape]);
  });

  it.each([
    [[], "say what to set"],
    [["bandwidth=10"], 'bandwidth: the bandwidth "10" has no unit; write a number and its unit'],
    [["bandwidth=10MB"], '"MB" is not a unit of bandwidth; did you mean 10Mbps (bits a second)?'],
    [["bandwidth=10MBps"], "did you mean 10Mbps (bits a second)?"],
    [["bandwidth=10kB/s"], "did you mean 10kbps (bits a second)?"],
    [["bandwidth=10M"], "did you mean 10Mbps (bits a second)?"],
    [["bandwidth=8Mbit"], "did you mean 8Mbps (bits a second)?"],
    [["bandwidth=9B"], "did you mean 9bps (bits a second)?"],
    [["delay=20"], 'delay: the time "20" has no unit; write a number and its unit: 250us'],
    [["delay=1s2m"], 'the units of "1s2m" are not in order'],
    [["bandwidth=0Mb"], "carries nothing; say unlimited, or muster link down"],
    [["bandwidth=0"], "carries nothing; say unlimited, or muster link down"],
    [["bandwidth=-1Mb"], '"-1Mb" is not a bandwidth'],
    [["colour=red"], "not 'colour'"],
    [["loss=1"], 'loss: "1" has no unit, and could be all or 1%; write 1% or 100%'],
    [["reorder=1.0"], "write 1.0% or 100%"],
    [["loss=2"], 'loss: "2" has no unit; write 2%'],
    [["loss=200"], '"200" is not a percentage between 0% and 100%'],
    [["loss=101%"], 'loss: "101%" is not a percentage between 0% and 100%'],
    [["delay"], "'delay' is not NAME=VALUE"],
    [["queue=many"], "50 or 9000bytes, not 'many'"],
  ])("refuses %j: %s", (words, problem) => {
    expect(told(...words)).toContain(problem);
  });
});

describe("a whole LAN", () => {
  const lan: ShapedLink = {
    name: "lan",
    kind: "lan",
    members: ["a", "b", "c"].map((node) => ({ node, up: unshaped, down: unshaped })),
  };
  const change = (object: { link: ShapedLink; node?: string }, ...words: readonly string[]) => {
    const formatted = formatLinkArgs(words, object.node === undefined);
    if ("problem" in formatted) throw new Error(formatted.problem);
    const changes = readLinkEvent(object, "MODIFY", formatted.args);
    if (typeof changes === "string") throw new Error(changes);
    return changes.map(({ node, way, what }) => [node, way, what.kind === "modify" && what.shape]);
  };

  it("has half of what is set on each way of each member, as of what its file asks", () => {
    const set = change({ link: lan }, "delay=20ms", "loss=19%", "jitter=3us", "bandwidth=1Mb");
    const each = { bandwidthBps: 1_000_000, delayUs: 10_000, loss: expect.closeTo(0.1, 12) };
    expect(set).toEqual([
      [undefined, "up", { ...each, jitterUs: 2 }],
      [undefined, "down", { ...each, jitterUs: 1 }],
    ]);
  });

  it("has the queue of what is set on the ways towards it only", () => {
    const queue = { limit: 9, limitUnit: "packets" };
    expect(change({ link: lan }, "queue=9", "delay=4ms")).toEqual([
      [undefined, "up", { delayUs: 2_000, queue }],
      [undefined, "down", { delayUs: 2_000 }],
    ]);
    expect(change({ link: lan }, "queue=9")).toEqual([[undefined, "up", { queue }]]);
  });

  it("has what is set of one member as it stands, both ways", () => {
    expect(change({ link: lan, node: "b" }, "delay=20ms")).toEqual([
      ["b", undefined, { delayUs: 20_000 }],
    ]);
  });

  it("has all of it where the object is a link of two", () => {
    expect(change({ link }, "delay=20ms", "loss=1%")).toEqual([
      [undefined, undefined, { delayUs: 20_000, loss: 0.01 }],
    ]);
  });
});
