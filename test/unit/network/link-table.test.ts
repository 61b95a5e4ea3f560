// SPDX-License-Identifier: MIT
// Goal: what a file and changes ask of each direction of each link, and what is refused and how.
// Method: links from the model of experiments, changes, and every bound at it and one past it.
import { describe, expect, it } from "vitest";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { LinkTable } from "../../../src/network/link-table.ts";
import {
  type Capacity,
  checkShape,
  type DirectionShape,
  type LinkChange,
  type ShapedLink,
  shapeLink,
  unshaped,
  usualQueue,
} from "../../../src/network/model.ts";
import { networkLimits } from "../../../src/network/network-limits.ts";

const capacity: Capacity = {
  backend: "the delay node",
  bandwidthBpsMax: networkLimits.delayNodeBandwidthBpsMax,
  inFlightBytesMax: networkLimits.inFlightBytesMax,
};

const link: ShapedLink = {
  name: "l0",
  kind: "link",
  members: [
    { node: "a", up: { ...unshaped, bandwidthBps: 1_000_000, delayUs: 10_000, loss: 0.01 } },
    { node: "b", up: { ...unshaped, bandwidthBps: 2_000_000 } },
  ],
};
const lan: ShapedLink = {
  name: "lan0",
  kind: "lan",
  members: ["a", "b", "c"].map((node) => ({ node, up: unshaped, down: unshaped })),
};

function table(): LinkTable {
  const made = new LinkTable(capacity);
  expect(made.add([link, lan])).toEqual([]);
  return made;
}

/** `link member way` and what of it is another than asked. */
function planned(made: LinkTable, ...changes: readonly LinkChange[]): readonly string[] {
  const plan = made.plan(changes);
  if ("problem" in plan) throw new Error(plan.problem);
  made.commit(plan);
  return plan.map(({ link: name, member, way, state }) => {
    const { bandwidthBps, delayUs, loss } = state.shape;
    return `${name} ${member} ${way} ${state.isUp ? "up" : "DOWN"} ${bandwidthBps} ${delayUs} ${loss}`;
  });
}

const delay = (delayUs: number): LinkChange["what"] => ({ kind: "modify", shape: { delayUs } });

describe("LinkTable", () => {
  it("asks for something else from now on, also of a reset, and leaves up and down", () => {
    const made = table();
    const members = link.members.map((one) => (one.node === "a" ? { ...one, up: unshaped } : one));
    const ask: LinkChange = { link: "l0", what: { kind: "ask", members } };
    planned(made, { link: "l0", node: "a", what: { kind: "down" } });
    expect(planned(made, ask)).toEqual(["l0 0 up DOWN 0 0 0", "l0 1 up up 2000000 0 0"]);
    expect(made.link("l0")?.members[0]?.up).toEqual(unshaped);
    const reset: LinkChange = { link: "l0", what: { kind: "reset" } };
    planned(made, { link: "l0", node: "a", what: delay(7_000) });
    expect(planned(made, reset)).toEqual(["l0 0 up up 0 0 0", "l0 1 up up 2000000 0 0"]);
  });

  it("changes both ways of a link, one way of it, or both of a LAN's member", () => {
    const made = table();
    expect(planned(made, { link: "l0", what: delay(5) })).toEqual([
      "l0 0 up up 1000000 5 0.01",
      "l0 1 up up 2000000 5 0",
    ]);
    expect(planned(made, { link: "l0", node: "b", what: delay(6) })).toEqual([
      "l0 1 up up 2000000 6 0",
    ]);
    expect(planned(made, { link: "lan0", node: "c", what: delay(7) })).toEqual([
      "lan0 2 up up 0 7 0",
      "lan0 2 down up 0 7 0",
    ]);
    expect(planned(made, { link: "lan0", node: "c", way: "down", what: delay(8) })).toEqual([
      "lan0 2 down up 0 8 0",
    ]);
    expect(planned(made, { link: "lan0", what: { kind: "down" } })).toHaveLength(6);
  });

  it("keeps what a change does not name, and what changes while it is down (M1, M2)", () => {
    const made = table();
    const shape = { queue: { limit: 7 } };
    planned(made, { link: "l0", what: { kind: "down" } });
    planned(made, { link: "l0", what: delay(77) }, { link: "l0", what: { kind: "modify", shape } });
    expect(planned(made, { link: "l0", node: "a", what: { kind: "up" } })).toEqual([
      "l0 0 up up 1000000 77 0.01",
    ]);
    const place = { link: "l0", member: 0, way: "up" } as const;
    expect(made.state(place)?.shape.queue).toEqual({ ...usualQueue, limit: 7 });
  });

  it("makes one update of several changes of one direction, in their order (T1)", () => {
    const changes: readonly LinkChange[] = [
      { link: "l0", node: "a", what: { kind: "down" } },
      { link: "l0", node: "a", what: delay(3) },
      { link: "l0", node: "a", what: { kind: "modify", shape: { loss: 0.5 } } },
    ];
    expect(planned(table(), ...changes)).toEqual(["l0 0 up DOWN 1000000 3 0.5"]);
  });

  it("goes back to what was asked for, and up, at a reset", () => {
    const made = table();
    planned(made, { link: "l0", what: { kind: "down" } }, { link: "l0", what: delay(3) });
    expect(planned(made, { link: "l0", what: { kind: "reset" } })).toEqual([
      "l0 0 up up 1000000 10000 0.01",
      "l0 1 up up 2000000 0 0",
    ]);
  });

  it.each([
    [{ link: "l9", what: delay(1) }, "there is no link l9; there are: l0, lan0"],
    [
      { link: "lann0", what: delay(1) },
      "there is no link lann0, did you mean lan0?; there are: l0, lan0",
    ],
    [{ link: "l0", node: "c", what: delay(1) }, "c is not on link l0; members: a, b"],
    [{ link: "l0", way: "down", what: delay(1) }, "name the other node"],
    [
      { link: "l0", what: { kind: "modify", shape: { loss: 2 } } },
      "link l0: loss 2 is not a probability",
    ],
  ] as const)("refuses %j, and changes nothing of the others", (change, problem) => {
    const made = table();
    const before = made.states("l0");
    expect(made.plan([{ link: "l0", what: { kind: "down" } }, change])).toEqual({
      problem: expect.stringContaining(problem),
    });
    expect(made.states("l0")).toEqual(before);
  });

  it("takes so many ends and members, and one more it refuses with the limit's name", () => {
    const members = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ node: `n${n}`, up: unshaped, down: unshaped }));
    const { lanMembersMax, linkEndsMax } = networkLimits;
    const made = new LinkTable(capacity);
    expect(made.add([{ ...lan, members: members(lanMembersMax + 1) }])).toEqual([
      `LAN lan0 has ${lanMembersMax + 1} members, more than ${lanMembersMax} (lanMembersMax)`,
    ]);
    const lans = Array.from({ length: linkEndsMax / lanMembersMax }, (_, n) => ({
      ...lan,
      name: `lan${n}`,
      members: members(lanMembersMax),
    }));
    expect(made.add(lans)).toEqual([]);
    expect(made.add([link])).toEqual([expect.stringContaining("(linkEndsMax)")]);
    expect(made.add([lan])[0]).toBe("lan lan0 is there already");
  });

  it("has room for what comes in the place of what goes, and tells before", () => {
    const { lanMembersMax, linkEndsMax } = networkLimits;
    const made = new LinkTable(capacity);
    const members = Array.from({ length: lanMembersMax }, (_, n) => ({
      node: `n${n}`,
      up: unshaped,
    }));
    const lans = Array.from({ length: linkEndsMax / lanMembersMax }, (_, n) => ({
      ...{ name: `lan${n}`, kind: "lan" as const, members },
    }));
    expect(made.add(lans)).toEqual([]);
    expect(made.check([link], [])).toEqual([expect.stringContaining("(linkEndsMax)")]);
    expect(made.check([link], ["lan3"])).toEqual([]);
    expect(made.check(lans.slice(0, 1), [])).toContain("lan lan0 is there already");
    expect(made.check(lans.slice(0, 1), ["lan0"])).toEqual([]);
    made.remove(["lan3"]);
    expect([made.names.includes("lan3"), made.states("lan3")]).toEqual([false, []]);
    expect(made.add([link])).toEqual([]);
  });

  it("refuses a link that has not two ends", () => {
    const one = { ...link, members: link.members.slice(1) };
    expect(new LinkTable(capacity).add([one])).toEqual([
      "link l0 has 1 ends; what has not two is a LAN",
    ]);
  });
});

describe("checkShape", () => {
  const { bandwidthBpsMin, delayNodeBandwidthBpsMax, delayUsMax, inFlightBytesMax } = networkLimits;
  const { queuePacketsMax, queueBytesMax } = networkLimits;
  const red = { ...usualQueue, kind: "red" as const };
  const bytes = { ...usualQueue, limitUnit: "bytes" as const };
  const rows: readonly (readonly [Partial<DirectionShape>, string | undefined])[] = [
    [{}, undefined],
    [{ bandwidthBps: bandwidthBpsMin }, undefined],
    [{ bandwidthBps: bandwidthBpsMin - 1 }, "bandwidthBpsMin"],
    [{ bandwidthBps: -1 }, "bandwidthBpsMin"],
    [{ bandwidthBps: NaN }, "bandwidthBpsMin"],
    [{ bandwidthBps: delayNodeBandwidthBpsMax }, undefined],
    [
      { bandwidthBps: delayNodeBandwidthBpsMax + 1 },
      "more than the delay node carries here, 1000 Mb/s",
    ],
    [{ delayUs: delayUsMax }, undefined],
    [{ delayUs: delayUsMax + 1 }, "delayUsMax"],
    [{ delayUs: -1 }, "delay -0.001 ms"],
    [{ delayUs: 10, jitterUs: 10 }, undefined],
    [{ delayUs: 10, jitterUs: 11 }, "jitter 0.011 ms is more than the delay"],
    [{ bandwidthBps: 1_000_000_000, delayUs: Math.floor(inFlightBytesMax / 125) }, undefined],
    [
      { bandwidthBps: 1_000_000_000, delayUs: Math.ceil(inFlightBytesMax / 125) + 1 },
      "inFlightBytesMax",
    ],
    [{ loss: 1, duplicate: 1, delayUs: 1, reorder: 1 }, undefined],
    [{ loss: 1.01 }, "loss 1.01"],
    [{ duplicate: -0.1 }, "duplicate -0.1"],
    [{ reorder: 0.1 }, "reorder without a delay"],
    [{ queue: { ...usualQueue, limit: queuePacketsMax } }, undefined],
    [{ queue: { ...usualQueue, limit: queuePacketsMax + 1 } }, "queuePacketsMax"],
    [{ queue: { ...usualQueue, limit: 0 } }, "queuePacketsMax"],
    [{ queue: { ...bytes, limit: queueBytesMax } }, undefined],
    [{ queue: { ...bytes, limit: queueBytesMax + 1 } }, "queueBytesMax"],
    [{ queue: red }, undefined],
    [{ queue: { ...red, maxThreshold: red.minThreshold } }, "RED thresholds"],
    [{ queue: { ...red, averageWeight: 0 } }, "RED weight"],
    [{ queue: { ...red, dropOneIn: 0.5 } }, "RED drops one in"],
  ];

  it.each(rows)("says of %j: %s", (shape, problem) => {
    const problems = checkShape({ ...unshaped, ...shape }, capacity);
    expect(problems).toEqual(problem === undefined ? [] : [expect.stringContaining(problem)]);
  });
});

describe("a LAN that grows", () => {
  const member = (node: string, delayUs: number) => {
    const shape = { ...unshaped, delayUs };
    return { node, up: shape, down: shape };
  };

  it("keeps what is in force of who stays, but where something else is asked, and adds the rest", () => {
    const made = table();
    const slower: LinkChange = {
      link: "lan0",
      node: "a",
      what: { kind: "modify", shape: { delayUs: 7 } },
    };
    const down: LinkChange = { link: "lan0", node: "b", what: { kind: "down" } };
    const planned = made.plan([slower, down]);
    if ("problem" in planned) throw new Error(planned.problem);
    made.commit(planned);
    const members = [...["a", "b"].map((node) => member(node, 0)), member("c", 5), member("d", 9)];
    const changed = made.grow([{ name: "lan0", kind: "lan", members }]);
    const places = "problem" in changed ? [] : changed.map(({ member: at, way }) => `${at} ${way}`);
    expect(places).toEqual(["2 up", "2 down", "3 up", "3 down"]);
    expect(made.states("lan0").map(({ state }) => [state.shape.delayUs, state.isUp])).toEqual([
      ...[
        [7, true],
        [7, true],
        [0, false],
        [0, false],
        [5, true],
        [5, true],
        [9, true],
        [9, true],
      ],
    ]);
  });

  it("is refused with what cannot be, and stays as it is", () => {
    const made = table();
    const members = [...lan.members, { ...member("d", 0), up: { ...unshaped, loss: 2 } }];
    expect(made.grow([{ ...lan, members }])).toEqual({
      problem: expect.stringContaining("lan lan0 at d: loss 2 is not a probability"),
    });
    expect(made.states("lan0")).toHaveLength(6);
  });
});

describe("shapeLink", () => {
  const text = `
    set ns [new Simulator]
    source tb_compat.tcl
    set a [$ns node]
    set b [$ns node]
    set c [$ns node]
    set l0 [$ns duplex-link $a $b 100Mb 20ms DropTail]
    tb-set-link-loss $l0 0.02
    tb-set-link-simplex-params $l0 $a 30ms 1Mb 0.5
    set lan0 [$ns make-lan "$a $b $c" 10Mb 8ms]
    $ns run
  `;

  it("puts both ends of a link together for each way, and keeps those of a LAN apart", () => {
    const { experiment } = parseNsFile(text, { file: "x.ns", pid: "p", eid: "e" });
    const [l0, lan0] = (experiment?.links ?? []).map(shapeLink);
    expect(l0?.kind).toBe("link");
    expect(l0?.members.map(({ node }) => node)).toEqual(["a", "b"]);
    expect(l0?.members[0]?.up).toMatchObject({ bandwidthBps: 1_000_000, delayUs: 30_000 });
    expect(l0?.members[0]?.up.loss).toBeCloseTo(0.5, 6);
    expect(l0?.members[1]?.up).toMatchObject({ bandwidthBps: 100_000_000, delayUs: 20_000 });
    expect(l0?.members[1]?.up.loss).toBeCloseTo(0.02, 6);
    expect(l0?.members[0]?.down).toBeUndefined();
    expect(lan0?.kind).toBe("lan");
    expect(lan0?.members.map(({ up, down }) => [up.delayUs, down?.delayUs])).toEqual([
      [4_000, 4_000],
      [4_000, 4_000],
      [4_000, 4_000],
    ]);
  });
});
