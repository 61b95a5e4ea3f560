// SPDX-License-Identifier: MIT
// Goal: what is kept of a link does at the next swap-in what the same words did to the link that
// was up, and rows say the same. Method: the model of links that events change, against an overlay
// of the file, for every key, link, LAN and node.
import { describe, expect, it } from "vitest";
import { keptProblem, linkEvents } from "../../../src/boss/link-control.ts";
import { type LinkSetting, type Overlaid, overlayLinks } from "../../../src/boss/link-overlay.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { findLinkObject, readLinkEvent } from "../../../src/network/link-args.ts";
import { LinkTable } from "../../../src/network/link-table.ts";
import { type DirectionShape, type ShapedLink, shapeLink } from "../../../src/network/model.ts";

const source = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set b [$ns node]
set c [$ns node]
set l [$ns duplex-link $a $b 10Mb 10ms RED]
set lan [$ns make-lan "$a $b $c" 8Mb 4ms]
tb-set-link-loss $l 0.1
$ns at 1 "$l up"
$ns run
`;

function parsed(): Overlaid {
  const { experiment, rows } = parseNsFile(source, { file: "x", pid: "p", eid: "e" });
  if (experiment === undefined || rows === undefined) throw new Error("it has errors");
  return { experiment, rows };
}

const linksOf = ({ experiment }: Overlaid): readonly ShapedLink[] =>
  experiment.links.map(shapeLink);

/** What a packet meets from one node to another, rounded where halves are put together. */
function ways(
  link: ShapedLink | undefined,
  state: (at: number, way: "up" | "down") => DirectionShape,
) {
  const members = link?.members ?? [];
  return members.flatMap(({ node: from }, at) =>
    members.flatMap(({ node: to }, other) => {
      if (at === other) return [];
      const up = state(at, "up");
      const down = link?.kind === "lan" ? state(other, "down") : undefined;
      const loss = 1 - (1 - up.loss) * (1 - (down?.loss ?? 0));
      return [
        {
          ...{ from, to, bandwidthBps: up.bandwidthBps, queue: up.queue },
          delayUs: up.delayUs + (down?.delayUs ?? 0),
          loss: Number(loss.toFixed(9)),
        },
      ];
    }),
  );
}

const keys = [
  ["BANDWIDTH", "2000"],
  ["DELAY", "30"],
  ["PLR", "0.2"],
  ["LIMIT", "20"],
  ["QUEUE-IN-BYTES", "1"],
  ["THRESH", "3"],
  ["MAXTHRESH", "40"],
  ["LINTERM", "4"],
  ["Q_WEIGHT", "0.5"],
] as const;
const places = [
  ["l", ""],
  ["l", "a"],
  ["l", "b"],
  ["lan", ""],
  ["lan", "b"],
] as const;

describe("what is kept of a link", () => {
  const cases = places.flatMap(([link, node]) =>
    keys.map(([key, value]) => ({ link, node, key, value })),
  );

  it.each(cases)("does what the event does: $key of $link $node", (setting) => {
    const whole = parsed();
    const table = new LinkTable({
      ...{ backend: "none", bandwidthBpsMax: 1e9, inFlightBytesMax: 1e9 },
    });
    expect(table.add(linksOf(whole))).toEqual([]);
    const { link: name, node, key, value } = setting;
    const object = findLinkObject(linksOf(whole), node === "" ? name : `${name}-${node}`);
    if (object === undefined) throw new Error("there is no such object");
    for (const { event, args } of linkEvents([[key, value]], name === "lan" && node === "")) {
      const changes = readLinkEvent(object, event, args);
      if (typeof changes === "string") throw new Error(changes);
      const plan = table.plan(changes);
      if ("problem" in plan) throw new Error(plan.problem);
      table.commit(plan);
    }
    const live = table.link(name);
    const kept = linksOf(overlayLinks(whole, [setting])).find((one) => one.name === name);
    const now = ways(live, (member, way) => {
      const state = table.state({ link: name, member, way });
      if (state === undefined) throw new Error("there is no such way");
      return state.shape;
    });
    const next = ways(kept, (member, way) => {
      const one = kept?.members[member];
      const shape = way === "up" ? one?.up : one?.down;
      if (shape === undefined) throw new Error("there is no such way");
      return shape;
    });
    expect(next).toEqual(now);
    // It is another one than that of the file.
    expect(next).not.toEqual(
      ways(
        linksOf(whole).find((one) => one.name === name),
        (member, way) => {
          const one = linksOf(whole).find(({ name: other }) => other === name)?.members[member];
          const shape = way === "up" ? one?.up : one?.down;
          if (shape === undefined) throw new Error("there is no such way");
          return shape;
        },
      ),
    );
  });

  it("is in the rows as it is in the model", () => {
    const settings: LinkSetting[] = [
      { link: "l", node: "", key: "DELAY", value: "30" },
      { link: "l", node: "a", key: "BANDWIDTH", value: "2000" },
      { link: "l", node: "b", key: "LIMIT", value: "7" },
    ];
    const { rows } = overlayLinks(parsed(), settings);
    const row = (node: string) =>
      rows["virt_lans"]?.find(({ vname, vnode }) => vname === "l" && vnode === node);
    expect(row("a")).toMatchObject({ delay: "15", rdelay: "15", bandwidth: "2000", q_limit: "50" });
    expect(row("a")?.["rbandwidth"]).toBe("10000");
    expect(row("b")).toMatchObject({ bandwidth: "10000", rbandwidth: "2000", q_limit: "7" });
  });

  it("as being down is an event at time 0, behind those of the file, and none when it is up", () => {
    const whole = parsed();
    const down = { link: "l", node: "", key: "ENABLE", value: "no" };
    const { experiment, rows } = overlayLinks(whole, [down]);
    expect(experiment.events).toMatchObject([
      { index: 0, event: "UP" },
      { index: 1, atUs: 0, object: "l", type: "LINK", event: "DOWN" },
    ]);
    expect(rows["eventlist"]?.at(-1)).toMatchObject({ time: "0", vname: "l", eventtype: "DOWN" });
    expect(overlayLinks(whole, [{ ...down, value: "yes" }])).toEqual(whole);
    expect(overlayLinks(whole, [{ ...down, link: "gone" }])).toEqual(whole);
  });
});

describe("keptProblem()", () => {
  const { experiment } = parsed();
  const set = (key: string, value: string, link = "l", node = ""): LinkSetting => ({
    ...{ link, node, key, value },
  });

  it.each([
    [set("DELAY", "3600001"), "is not from 0 to 3600000 ms (delayUsMax)"],
    [set("BANDWIDTH", "0.5"), "bandwidth 500 b/s is below 1000 (bandwidthBpsMin)"],
    [set("BANDWIDTH", "99999999", "lan", "a"), "carries here, 40000 Mb/s"],
    [set("LIMIT", "100001", "l", "b"), "is not from 1 to 100000 (queuePacketsMax)"],
    [set("Q_WEIGHT", "2"), "RED weight 2 is not above 0 and up to 1"],
    [set("DELAY", "60000"), "(inFlightBytesMax)"],
  ])("%# says with the figure what no run would take", (asked, problem) => {
    expect(keptProblem(experiment, [], [asked])).toContain(problem);
  });

  it("judges what values make together, and not what was kept before", () => {
    expect(keptProblem(experiment, [], [set("DELAY", "50000")])).toBeUndefined();
    const slow = [set("BANDWIDTH", "100")];
    expect(keptProblem(experiment, slow, [set("DELAY", "60000")])).toBeUndefined();
    expect(
      keptProblem(experiment, [set("DELAY", "60000"), ...slow], [set("BANDWIDTH", "10000")]),
    ).toContain("(inFlightBytesMax)");
    // An older version has kept it.
    const old = [set("LIMIT", "100001")];
    expect(keptProblem(experiment, old, [set("DELAY", "5")])).toBeUndefined();
    expect(keptProblem(experiment, old, [set("LIMIT", "60")])).toBeUndefined();
  });
});
