// SPDX-License-Identifier: MIT
// X5: of those with one key that make a quorum or a roster one counts, also when another comes
// late, behind the end of the barrier. Two edges stand for two servers of a log, of which one was
// cut off and says what it was asked when somebody else has asked the other. Catches: a barrier
// that is made again and waits for nobody, an answer that is not kept, a root that is told a key.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import type { Applied, EdgeEffect } from "../../../src/core/effect.ts";
import { keyKeptUs } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { makesVersion } from "../../../src/core/version.ts";
import {
  CoreDriver,
  percent,
  quorumInit,
  quorumWait,
  rosterArrive,
  rosterOpen,
  wait,
} from "../../../src/testing/core-driver.ts";
import { TreeBench } from "../../../src/testing/tree-bench.ts";

const once = <C extends Command>(command: C, key = "k"): C => ({ ...command, once: key });
const two = { kind: "count", count: 2 } as const;

/** A core whose log is of that version, with the living edges "a" and "b". */
function driver(version = makesVersion): CoreDriver {
  const core = new CoreDriver();
  core.send("a", { kind: "version", version });
  core.send("b");
  return core;
}

const said = (edge: string, effect: EdgeEffect): string =>
  effect.kind === "quorum-status"
    ? `${edge} ${effect.connection} ${effect.status} ${effect.generation}`
    : `${edge} ${"connection" in effect ? `${effect.connection} ` : ""}${effect.kind}`;
const told = ({ addressed }: Applied): readonly string[] =>
  addressed.map(({ edge, effect }) => said(edge, effect));
const open = (core: CoreDriver): readonly string[] =>
  core.service.describe("s").barriers.map(({ name }) => name);

describe("what makes a barrier, with a key", () => {
  it("makes a quorum once, also behind its end, and says the same to each who asks", () => {
    const core = driver();
    expect(told(core.send("a", once(quorumInit(1, two))))).toEqual(["a 1 initialised 1"]);
    expect(told(core.send("b", once(quorumInit(1, two))))).toEqual(["b 1 initialised 1"]);
    core.send("a", quorumWait(2), quorumWait(3));
    expect(told(core.send("b", once(quorumInit(2, two))))).toEqual(["b 2 initialised 1"]);
    expect(open(core)).toEqual([]);
    // Who comes late goes on.
    expect(told(core.send("b", quorumWait(4)))).toEqual(["b released"]);
  });

  it("makes a roster once, also behind its end", () => {
    const core = driver();
    expect(told(core.send("a", once(rosterOpen(1, ["x"]))))).toEqual(["a 1 acknowledged"]);
    expect(told(core.send("b", once(rosterOpen(7, ["x"]))))).toEqual(["b 7 acknowledged"]);
    core.send("a", rosterArrive(2, "x"));
    expect(told(core.send("b", once(rosterOpen(8, ["x"]))))).toEqual(["b 8 acknowledged"]);
    expect(open(core)).toEqual([]);
  });

  it("makes another one in a log before that version", () => {
    const core = driver(makesVersion - 1);
    core.send("a", once(quorumInit(1, two)), quorumWait(2), quorumWait(3));
    expect(told(core.send("b", once(quorumInit(1, two))))).toEqual(["b 1 initialised 2"]);
    expect(open(core)).toEqual(["b"]);
    expect(told(core.send("a", once(quorumInit(9, two))))).toEqual(["a 9 refused"]);
  });

  it("counts anew when it was refused, has another key, or its time is over", () => {
    const core = driver();
    core.send("a", quorumInit(1, two));
    expect(told(core.send("a", once(quorumInit(2, two))))).toEqual(["a 2 refused"]);
    core.send("a", quorumWait(3), quorumWait(4));
    expect(told(core.send("b", once(quorumInit(2, two))))).toEqual(["b 2 initialised 2"]);
    core.send("b", quorumWait(3), quorumWait(4));
    expect(told(core.send("a", once(quorumInit(5, two), "other")))).toEqual(["a 5 initialised 3"]);
    core.pass(keyKeptUs);
    core.send("a", quorumWait(6), quorumWait(7));
    expect(told(core.send("b", once(quorumInit(5, two))))).toEqual(["b 5 initialised 4"]);
  });

  it("is refused where its key is that of another, or its connection is in use", () => {
    const core = driver();
    core.send("a", once(quorumInit(1, two)));
    expect(told(core.send("b", once(rosterOpen(1, ["x"]))))).toEqual(["b 1 refused"]);
    expect(told(core.send("b", { ...wait(1), key: "k" }))).toEqual(["b 1 refused"]);
    expect(told(core.send("a", once(quorumInit(1, two))))).toEqual(["a 1 refused"]);
  });

  it("is kept by a snapshot with what was said, and the same digest", () => {
    const core = driver();
    core.send(
      "a",
      once(quorumInit(1, percent(0))),
      once(rosterOpen(2, ["x"], { barrier: "r" }), "r"),
    );
    const copy = Service.restore(core.limits, JSON.parse(JSON.stringify(core.service.snapshot())));
    expect(copy.digest()).toBe(core.service.digest());
    core.service = copy;
    // It crossed at once: nobody is needed.
    expect(told(core.send("b", once(quorumInit(1, percent(0)))))).toEqual(["b 1 initialised 1"]);
  });
});

describe("what makes a barrier of a tree, with a key", () => {
  const wires = [["root", "low"]] as const;
  const words = (bench: TreeBench): readonly string[] =>
    bench.takeTold().map(({ controller, edge, effect }) => `${controller} ${said(edge, effect)}`);

  it("is refused for now while controllers below are told of a quorum, and said then", () => {
    const bench = new TreeBench(wires);
    bench.send("low", "d", { kind: "peers-set", scope: "s", connection: 9, count: 1 });
    bench.put("root", "a", once(quorumInit(1, percent(100))));
    bench.put("root", "b", once(quorumInit(1, percent(100))));
    expect(words(bench)).toEqual(["root b 1 refused"]);
    bench.settle();
    expect(words(bench)).toEqual(["root a 1 initialised 1"]);
    bench.put("root", "b", once(quorumInit(2, percent(100))));
    expect(words(bench)).toEqual(["root b 2 initialised 1"]);
    bench.send("low", "e", quorumWait(1));
    bench.put("root", "b", once(quorumInit(3, percent(100))));
    expect(words(bench)).toEqual(["root b 3 initialised 1"]);
    expect(bench.core("root").service.describe("s").barriers).toEqual([]);
  });

  it("goes to the root without its key from a controller below, whose own servers know it", () => {
    const bench = new TreeBench(wires);
    const orders: unknown[] = [];
    bench.onMessage = (message) => {
      if (message.kind === "ask") orders.push(message.order);
    };
    const roster = rosterOpen(1, ["x"]);
    bench.put("low", "a", once(roster));
    bench.put("low", "b", once({ ...roster, connection: 4 }));
    expect(words(bench)).toEqual(["low b 4 refused"]);
    bench.settle();
    expect(words(bench)).toEqual(["low a 1 acknowledged"]);
    bench.send("low", "b", once({ ...roster, connection: 5 }));
    expect(orders).toHaveLength(1);
    expect(orders[0]).not.toHaveProperty("once");
    bench.send("low", "c", rosterArrive(2, "x"));
    bench.put("low", "b", once({ ...roster, connection: 6 }));
    expect(words(bench)).toEqual(["low b 6 acknowledged"]);
    expect(orders).toHaveLength(1);
  });

  it("counts anew when its connection has left before all controllers had it", () => {
    const bench = new TreeBench(wires);
    bench.send("low", "d", { kind: "peers-set", scope: "s", connection: 9, count: 1 });
    bench.put("root", "a", once(quorumInit(1, percent(100))), { kind: "leave", connection: 1 });
    bench.settle();
    bench.put("root", "b", once(quorumInit(1, percent(100))));
    // It is there, and nobody is left who was to be told so.
    expect(words(bench)).toEqual(["root b 1 refused"]);
  });
});
