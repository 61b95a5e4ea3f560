// SPDX-License-Identifier: MIT
// Goal: LINK events change what the old agents' documentation says they change. Method: rows of
// object, event and ARGS with the changes that come out, by the clauses of [EMULAB-EVENTS 5.1].
import { describe, expect, it } from "vitest";
import {
  describeAmbiguous,
  findLinkObject,
  readLinkEvent,
} from "../../../src/network/link-args.ts";
import { type ShapedLink, unshaped } from "../../../src/network/model.ts";

const links: readonly ShapedLink[] = [
  { name: "l0", kind: "link", members: ["a", "b"].map((node) => ({ node, up: unshaped })) },
  { name: "l0-b", kind: "link", members: ["c", "d"].map((node) => ({ node, up: unshaped })) },
  {
    name: "lan0",
    kind: "lan",
    members: ["a", "b", "c"].map((node) => ({ node, up: unshaped, down: unshaped })),
  },
];

/** `link[/node][ way]: what`, joined by `; `, or the sentence that refuses. */
function read(object: string, event: string, args = ""): string {
  const found = findLinkObject(links, object);
  if (found === undefined) return "unknown";
  const changes = readLinkEvent(found, event, args);
  if (typeof changes === "string") return changes;
  return changes
    .map(({ link, node, way, what }) => {
      const end = node === undefined ? "" : `/${node}`;
      const where = `${link}${end}${way === undefined ? "" : ` ${way}`}`;
      return `${where}: ${what.kind === "modify" ? JSON.stringify(what.shape) : what.kind}`;
    })
    .join("; ");
}

describe("describeAmbiguous", () => {
  const one = (name: string, ...nodes: string[]): ShapedLink => ({
    ...{ name, kind: "link" },
    members: nodes.map((node) => ({ node, up: unshaped })),
  });

  it("says between which ends nobody can choose", () => {
    const both = [one("l", "a-b", "c"), one("l-a", "b", "c")];
    const names = ["l-a", "l-c", "l-a-c", "l-a-b"];
    expect(names.map((name) => describeAmbiguous(both, name))).toEqual([
      ...[undefined, undefined, undefined],
      "l-a-b may be a-b on l, or b on l-a: name the whole link, or give one another name",
    ]);
    expect(describeAmbiguous([...both, one("l-a-b", "c", "d")], "l-a-b")).toBeUndefined();
  });
});

describe("findLinkObject", () => {
  it.each([
    ["l0", "l0", undefined],
    ["l0-a", "l0", "a"],
    ["l0-b", "l0-b", undefined],
    ["l0-b-c", "l0-b", "c"],
    ["lan0-c", "lan0", "c"],
  ])("takes %s for %s, member %s", (name, link, node) => {
    const found = findLinkObject(links, name);
    expect([found?.link.name, found?.node]).toEqual([link, node]);
  });

  it.each(["l1", "l0-x", "lan0-", ""])("knows no %j", (name) => {
    expect(findLinkObject(links, name)).toBeUndefined();
  });
});

describe("readLinkEvent", () => {
  it.each([
    // UP and DOWN are of both directions, whichever end they name.
    ["l0", "DOWN", "", "l0: down"],
    ["l0-a", "UP", "", "l0: up"],
    ["lan0-b", "DOWN", "", "lan0/b: down"],
    ["lan0", "RESET", "", "lan0: reset"],
    ["l0", "CLEAR", "", "l0: clear"],
    ["l0", "CREATE", "DELAY=5", 'l0: create; l0: {"delayUs":5000}'],
    [
      "l0",
      "MODIFY",
      "BANDWIDTH=1000 DELAY=10ms PLR=0.05",
      'l0: {"bandwidthBps":1000000,"delayUs":10000,"loss":0.05}',
    ],
    ["l0", "MODIFY", "  bandwidth=0   delay=0.5 ", 'l0: {"bandwidthBps":0,"delayUs":500}'],
    ["l0-b-d", "MODIFY", "DELAY=1", 'l0-b/d: {"delayUs":1000}'],
    ["lan0-b", "MODIFY", "DELAY=1", 'lan0/b: {"delayUs":1000}'],
    ["l0", "MODIFY", "LIMIT=20", 'l0: {"queue":{"limit":20,"limitUnit":"packets"}}'],
    [
      "l0",
      "MODIFY",
      "QUEUE-IN-BYTES=1 LIMIT=9000",
      'l0: {"queue":{"limitUnit":"bytes","limit":9000}}',
    ],
    ["l0", "MODIFY", "LIMIT=9 QUEUE-IN-BYTES=1", 'l0: {"queue":{"limit":9,"limitUnit":"bytes"}}'],
    [
      "l0",
      "MODIFY",
      "THRESH=5 MAXTHRESH=15 LINTERM=10 Q_WEIGHT=0.002",
      'l0: {"queue":{"minThreshold":5,"maxThreshold":15,"dropOneIn":10,"averageWeight":0.002}}',
    ],
    // Queue keys of a LAN's member touch the pipe towards the LAN only.
    [
      "lan0-b",
      "MODIFY",
      "DELAY=1 LIMIT=9",
      'lan0/b up: {"delayUs":1000,"queue":{"limit":9,"limitUnit":"packets"}}; lan0/b down: {"delayUs":1000}',
    ],
    ["lan0-b", "MODIFY", "LIMIT=9", 'lan0/b up: {"queue":{"limit":9,"limitUnit":"packets"}}'],
    // PIPE governs what comes behind it.
    [
      "l0",
      "MODIFY",
      "PLR=0.1 PIPE=pipe1 DELAY=3 PIPE=pipe0 DELAY=4",
      'l0: {"loss":0.1}; l0/b: {"delayUs":3000}; l0/a: {"delayUs":4000}',
    ],
    ["lan0-c", "MODIFY", "PIPE=pipe1 DELAY=3", 'lan0/c down: {"delayUs":3000}'],
    [
      "l0",
      "MODIFY",
      "JITTER=2 DUPLICATE=0.1 REORDER=0.2",
      'l0: {"jitterUs":2000,"duplicate":0.1,"reorder":0.2}',
    ],
    ["l0", "MODIFY", "PIPE=110 DELAY=3", "PIPE is pipe0, pipe1 or path, not 110"],
    // The old words of a whole LAN are for each way; PIPE=path is for both that a packet passes.
    ["lan0", "MODIFY", "DELAY=20", 'lan0: {"delayUs":20000}'],
    [
      "lan0",
      "MODIFY",
      "PIPE=path DELAY=20",
      'lan0 up: {"delayUs":10000}; lan0 down: {"delayUs":10000}',
    ],
    ["lan0-c", "MODIFY", "PIPE=path DELAY=20", 'lan0/c: {"delayUs":20000}'],
    ["l0", "MODIFY", "PIPE=path DELAY=20", 'l0: {"delayUs":20000}'],
    ["l0", "MODIFY", "", expect.stringContaining("MODIFY says nothing to change")],
    ["l0", "MODIFY", "DELAY", "'DELAY' is not KEY=VALUE"],
    ["l0", "MODIFY", "DELAY=soon", "DELAY is a number, not 'soon'"],
    ["l0", "MODIFY", "LINTERM=1e400", "LINTERM is a number, not '1e400'"],
    ["l0", "MODIFY", "BACKFILL=3", expect.stringContaining("BACKFILL is not performed")],
    ["l0", "CREATE", "DEST=10.1.1.2", expect.stringContaining("not performed")],
    ["l0", "MODIFY", "COLOUR=3", expect.stringContaining("not COLOUR")],
    ["l0", "START", "", "links take UP, DOWN, MODIFY, RESET, CREATE and CLEAR, not START"],
  ])("%s %s %s: %s", (object, event, args, expected) => {
    expect(read(object, event, args)).toEqual(expected);
  });
});
