// SPDX-License-Identifier: MIT
// Quorums over trees of controllers. Goal: D9 and section 10 of the reference's description: early
// CROSSED remembered, each child counted once, one CROSSED up, the timer stopped, errors of any
// controller told to the driver with its name, to any depth. Method: cores joined by wires that can
// be cut, held and forgotten.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../../src/core/command.ts";
import { Service } from "../../../../src/core/service.ts";
import { groupsVersion, requotesVersion } from "../../../../src/core/version.ts";
import {
  CoreDriver,
  percent,
  quorumInit,
  quorumWait,
} from "../../../../src/testing/core-driver.ts";
import { type Told, TreeBench } from "../../../../src/testing/tree-bench.ts";

const peers = (count: number): Command => ({
  kind: "peers-set",
  scope: "s",
  connection: 99,
  count,
});
const leave = (connection: number): Command => ({ kind: "leave", connection });
const echo: Command = { kind: "quorum-echo", scope: "s", barrier: "b", connection: 1 };
const of = { scope: "s", barrier: "b", barrierKind: "quorum" } as const;
const two = [
  ["root", "a"],
  ["root", "b"],
] as const;
const deep = [
  ["root", "a"],
  ["a", "b"],
  ["b", "c"],
] as const;

/** In words: `root driver crossed`, `a e 1,2 crossed 5`. */
function words(told: readonly Told[]): string[] {
  return told.flatMap(({ controller, edge, effect }) => {
    if (effect.kind === "quorum-status") return [`${controller} driver ${effect.status}`];
    if (effect.kind !== "released") return [];
    const { connections, outcome, error } = effect;
    return [`${controller} ${edge} ${connections.join()} ${outcome} ${error}`];
  });
}

function why(told: readonly Told[]): readonly (readonly [string, string])[] {
  return told.flatMap(({ effect }) =>
    effect.kind === "quorum-status"
      ? [[effect.controller ?? "", effect.reason ?? ""] as const]
      : [],
  );
}

/** The state of the barrier at a controller; undefined when it is over. */
function at(bench: TreeBench, name: string): string | undefined {
  const [barrier] = bench.core(name).service.describe("s").barriers;
  const { status, controllers = [] } = barrier?.quorum ?? {};
  if (status === undefined) return undefined;
  return [status, ...controllers.map((one) => `${one.name}:${one.progress}`)].join(" ");
}

function populate(bench: TreeBench, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) bench.send(name, "d", peers(size));
}

describe("a quorum over controllers", () => {
  it("is initialised, crosses and is released everywhere, from a root without peers", () => {
    const bench = new TreeBench(two);
    populate(bench, { a: 2, b: 1 });
    const made = bench.send("root", "d", quorumInit(1, percent(100), { echo: "explicit" }));
    expect(words(made)).toEqual(["root driver initialised"]);
    bench.send("a", "e", quorumWait(1), quorumWait(2, { error: 5 }));
    const crossed = bench.send("b", "f", quorumWait(1));
    expect(words(crossed)).toEqual(["root driver crossed"]);
    expect(words(bench.send("root", "d", echo))).toEqual([
      "root driver released",
      "a e 1,2 crossed 5",
      "b f 1 crossed 5",
    ]);
    expect(["root", "a", "b"].map((name) => at(bench, name))).toEqual([
      ...[undefined, undefined, undefined],
    ]);
  });

  it("goes through any depth, and each controller has a percentage of its own", () => {
    const bench = new TreeBench(deep);
    populate(bench, { root: 2, a: 2, b: 2, c: 3 });
    const made = bench.send("root", "d", quorumInit(1, percent(50)));
    expect(words(made)).toEqual(["root driver initialised"]);
    const waits = ["root", "c", "a"].map((name) => bench.send(name, "e", quorumWait(1)));
    expect(waits.flatMap(words)).toEqual([]);
    bench.send("c", "e", quorumWait(2));
    const crossed = words(bench.send("b", "e", quorumWait(1)));
    expect(crossed).toEqual([
      ...["root driver crossed", "root e 1 crossed 0", "root driver released"],
      ...["a e 1 crossed 0", "b e 1 crossed 0", "c e 1,2 crossed 0"],
    ]);
  });

  it("a host without peers is reached, and a count there, too", () => {
    for (const quorum of [percent(100), { kind: "count", count: 2 } as const]) {
      const bench = new TreeBench(two);
      populate(bench, { a: 2 });
      bench.send("root", "d", quorumInit(1, quorum));
      bench.send("a", "e", quorumWait(1));
      expect(words(bench.send("a", "e", quorumWait(2)))).toContain("root driver crossed");
    }
  });

  it("a sub-controller that has reached it before its sibling is initialised is remembered", () => {
    const bench = new TreeBench(two);
    populate(bench, { a: 1, b: 1 });
    bench.put("root", "d", quorumInit(1, percent(100)));
    while (bench.step("root", "a"));
    bench.put("a", "e", quorumWait(1));
    while (bench.step("root", "a"));
    expect(words(bench.takeTold())).toEqual([]);
    expect(at(bench, "root")).toBe("initialising a:reached b:asked");
    bench.settle();
    expect(words(bench.takeTold())).toEqual(["root driver initialised"]);
    expect(words(bench.send("b", "e", quorumWait(1)))).toContain("root driver crossed");
  });

  it("counts each sub-controller once, and says it once, however many come", () => {
    const bench = new TreeBench(two);
    populate(bench, { a: 4, b: 4 });
    bench.send("root", "d", quorumInit(1, percent(50)));
    bench.put("a", "e", quorumWait(1), quorumWait(2), quorumWait(3), quorumWait(4));
    expect(bench.onItsWay("root", "a")).toBe(1);
    bench.settle();
    expect(words(bench.takeTold())).toEqual([]);
    bench.send("b", "e", quorumWait(1));
    const crossed = bench.send("b", "e", quorumWait(2));
    expect(words(crossed).filter((text) => text === "root driver crossed")).toHaveLength(1);
  });

  it("B4 who leaves takes its controller back until the root has crossed, and not afterwards", () => {
    const bench = new TreeBench(deep);
    populate(bench, { c: 1, a: 1 });
    bench.send("root", "d", quorumInit(1, percent(100), { echo: "explicit" }));
    bench.send("c", "e", quorumWait(1));
    expect(at(bench, "b")).toBe("open c:reached");
    bench.send("c", "e", leave(1));
    expect([at(bench, "a"), at(bench, "b")]).toEqual(["open b:initialised", "open c:initialised"]);
    expect(words(bench.send("a", "e", quorumWait(1)))).toEqual([]);
    expect(words(bench.send("c", "e", quorumWait(2)))).toEqual(["root driver crossed"]);
    expect(words(bench.send("c", "e", leave(2)))).toEqual([]);
    expect(words(bench.send("root", "d", echo))).toEqual([
      ...["root driver released", "a e 1 crossed 0"],
    ]);
  });

  it("the timer of initialisation is stopped: a barrier may stay open for an hour", () => {
    const bench = new TreeBench(deep);
    populate(bench, { c: 1 });
    bench.send("root", "d", quorumInit(1, percent(100)));
    expect(words(bench.pass(120_000_000))).toEqual([]);
    expect(words(bench.send("c", "e", quorumWait(1)))).toContain("root driver crossed");
    for (const core of bench.cores.values()) {
      expect(core.service.nextDeadlineUs()).toBeUndefined();
    }
  });

  it("a controller that does not answer the init is named after 30 s, whatever its depth", () => {
    const bench = new TreeBench(deep);
    populate(bench, { a: 1 });
    bench.cut("b", "c");
    expect(words(bench.send("root", "d", quorumInit(1, percent(100))))).toEqual([]);
    bench.send("a", "e", quorumWait(1));
    expect(words(bench.pass(29_000_000))).toEqual([]);
    const told = bench.pass(2_000_000);
    expect(words(told).sort()).toEqual(["a e 1 failed 0", "root driver failed"]);
    expect(why(told)[0]?.[1]).toContain("initialisation timed out after 30 s");
    bench.mend("b", "c");
    bench.settle();
    expect(at(bench, "c")).toBeUndefined();
  });

  it("an init that fails at a sub-controller fails everywhere, with its name and reason", () => {
    const bench = new TreeBench(deep);
    bench.send("b", "d", quorumInit(1, percent(100)), peers(1));
    bench.send("c", "d", peers(1));
    bench.send("c", "d", quorumInit(7, percent(100), { barrier: "own" }));
    bench.send("b", "d", quorumInit(2, percent(100), { barrier: "own2" }));
    const told = bench.send("root", "d", quorumInit(1, percent(100), { barrier: "own" }));
    expect(words(told)).toEqual(["root driver failed"]);
    expect(why(told)).toEqual([["c", "a barrier own is open there already"]]);
    expect(bench.core("a").service.describe("s", "own").barriers).toEqual([]);
    // Its own barrier there goes on.
    expect(bench.core("c").service.describe("s", "own").barriers).toHaveLength(1);
  });

  it("cancel at the root, and a failure at any controller, end it at all of them", () => {
    for (const where of ["root", "a", "b", "c"]) {
      const bench = new TreeBench(deep);
      populate(bench, { root: 2, a: 2, b: 2, c: 2 });
      bench.send("root", "d", quorumInit(1, percent(100)));
      for (const name of ["root", "a", "b", "c"]) bench.send(name, "e", quorumWait(1));
      const told = bench.send(where, "x", { ...of, kind: "fail", error: 6, reason: "enough" });
      expect(words(told).sort()).toEqual([
        ...["a e 1 failed 6", "b e 1 failed 6", "c e 1 failed 6", "root driver failed"],
        "root e 1 failed 6",
      ]);
      expect(why(told)).toEqual([[where, "enough"]]);
      expect(["root", "a", "b", "c"].map((name) => at(bench, name))).toEqual([
        ...[undefined, undefined, undefined, undefined],
      ]);
    }
  });

  const raised = { kind: "quorum-change", scope: "s", barrier: "b", connection: 3 } as const;
  const raise: Command = { ...raised, quorum: percent(100) };

  it("counts nothing that was said of the quorum before it was changed", () => {
    const bench = new TreeBench(deep);
    populate(bench, { root: 1, a: 2, b: 2, c: 2 });
    bench.send("root", "d", quorumInit(1, percent(50)));
    for (const name of ["a", "b", "c"]) bench.send(name, "e", quorumWait(1));
    expect(at(bench, "root")).toBe("open a:reached");
    bench.put("root", "d", raise);
    bench.put("root", "e", quorumWait(1));
    expect([words(bench.takeTold()), at(bench, "root")]).toEqual([[], "open a:initialised"]);
    for (const name of ["a", "b"]) bench.send(name, "e", quorumWait(2));
    expect(words(bench.takeTold())).toEqual([]);
    expect(words(bench.send("c", "e", quorumWait(2)))).toContain("root driver crossed");
  });

  it("counts nothing of it that was on its way, and hears again where it holds", () => {
    const bench = new TreeBench(two);
    populate(bench, { root: 1, a: 2, b: 1 });
    bench.send("root", "d", quorumInit(1, percent(50)));
    bench.send("b", "e", quorumWait(1));
    bench.put("a", "e", quorumWait(1));
    bench.put("root", "d", raise);
    expect(words(bench.send("root", "e", quorumWait(1)))).toEqual([]);
    expect(at(bench, "root")).toBe("open a:initialised b:reached");
    const back = { ...raised, quorum: percent(50) };
    expect(words(bench.send("root", "d", back))).toContain("root driver crossed");
  });

  it.each([requotesVersion, requotesVersion - 1])(
    "asks who was never met for what it is now, from version 10 on (%i)",
    (version) => {
      const bench = new TreeBench(two, {}, new Map([["root", version]]));
      const core = bench.core("root");
      const join = {
        kind: "tree-join",
        scope: "s",
        name: "root",
        peer: "c",
        side: "child",
      } as const;
      core.send("x", { ...join, life: 1 });
      core.send("d", quorumInit(1, percent(50)));
      core.send("d", raise);
      const { scopes } = core.service.snapshot();
      const links = scopes.flatMap(({ tree }) => tree?.links ?? []);
      const said = links.find(({ name }) => name === "c")?.outbox.map(({ message }) => message);
      expect(said).toMatchObject(
        version >= requotesVersion
          ? [{ kind: "init", quorum: percent(100) }]
          : [
              { kind: "init", quorum: percent(50) },
              { kind: "change", quorum: percent(100) },
            ],
      );
    },
  );

  it("goes on with the changes that were counted from a snapshot", () => {
    const bench = new TreeBench(two);
    populate(bench, { root: 1, a: 2 });
    bench.send("root", "d", quorumInit(1, percent(50)));
    bench.send("root", "d", raise);
    for (const name of ["root", "a"]) {
      const { service, limits } = bench.core(name);
      const copy = Service.restore(limits, JSON.parse(JSON.stringify(service.snapshot())));
      expect(copy.digest()).toBe(service.digest());
      expect(copy.snapshot()).toEqual(service.snapshot());
    }
  });

  it.each([
    ["root", ["root driver crossed"]],
    ["a", ["root driver crossed"]],
  ])("is as it was where the log of %s is of an older build", (name, crossed) => {
    const old = new Map([[name, requotesVersion - 1]]);
    const bench = new TreeBench([["root", "a"]], {}, old);
    populate(bench, { root: 1, a: 2 });
    bench.send("root", "d", quorumInit(1, percent(50)));
    bench.send("a", "e", quorumWait(1));
    bench.put("root", "d", raise);
    bench.put("root", "e", quorumWait(1));
    expect(words(bench.takeTold())).toEqual(expect.arrayContaining(crossed));
  });

  it("another quorum goes down, too", () => {
    const bench = new TreeBench(deep);
    populate(bench, { c: 4 });
    bench.send("root", "d", quorumInit(1, percent(100)));
    bench.send("c", "e", quorumWait(1), quorumWait(2));
    const change = { kind: "quorum-change", scope: "s", barrier: "b", connection: 3 } as const;
    const told = bench.send("root", "d", { ...change, quorum: percent(50) });
    expect(words(told)).toContain("c e 1,2 crossed 0");
    bench.send("root", "d", quorumInit(1, percent(100)));
    const [refused] = bench.send("c", "d", { ...change, quorum: percent(1) });
    expect(refused?.effect).toMatchObject({ kind: "refused", code: "invalid" });
  });

  it("the name is used again with the next generation, and old words of it mean nothing", () => {
    const bench = new TreeBench(two);
    populate(bench, { a: 1, b: 1 });
    for (let round = 1; round <= 3; round += 1) {
      bench.send("root", "d", quorumInit(round, percent(100)));
      bench.put("a", "e", quorumWait(round));
      if (round === 2) {
        bench.put("root", "d", { ...of, kind: "cancel", error: 0 });
        bench.settle();
        continue;
      }
      expect(words(bench.send("b", "e", quorumWait(round)))).toContain("root driver crossed");
    }
  });

  it("W3 a controller that joins later is asked to take part, and counts from then on", () => {
    const bench = new TreeBench(two);
    populate(bench, { a: 1, b: 1 });
    bench.cut("root", "b");
    bench.core("root").send("tree/b", { kind: "tree-leave", scope: "s", peer: "b" });
    bench.send("root", "d", quorumInit(1, percent(100)));
    bench.mend("root", "b");
    bench.settle();
    expect(at(bench, "root")).toBe("open a:initialised b:initialised");
    expect(words(bench.send("a", "e", quorumWait(1)))).toEqual([]);
    expect(words(bench.send("b", "e", quorumWait(1)))).toContain("root driver crossed");
  });
});

describe("a link between controllers", () => {
  it("M1, M2 what is lost on its way is said again, and counts once", () => {
    for (const cutAt of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const bench = new TreeBench(two);
      populate(bench, { a: 1, b: 1 });
      bench.put("root", "d", quorumInit(1, percent(100)));
      let steps = 0;
      const drive = (): void => {
        while (bench.step("root", "a")) {
          steps += 1;
          if (steps === cutAt) {
            bench.cut("root", "a");
            bench.mend("root", "a");
          }
        }
      };
      drive();
      bench.put("a", "e", quorumWait(1));
      drive();
      bench.settle();
      const told = [...bench.takeTold(), ...bench.send("b", "e", quorumWait(1))];
      expect(words(told)).toEqual([
        ...["root driver initialised", "root driver crossed", "root driver released"],
        ...["a e 1 crossed 0", "b e 1 crossed 0"],
      ]);
      const links = bench.core("root").service.snapshot().scopes[0]?.tree.links ?? [];
      expect(links.map(({ outbox }) => outbox)).toEqual([[], []]);
    }
  });

  it("M1 a message that comes again, or too early, is answered with what there is", () => {
    const bench = new TreeBench(two);
    populate(bench, { a: 1, b: 1 });
    bench.send("root", "d", quorumInit(1, percent(100)));
    const core = bench.core("a");
    const quorum = percent(100);
    const message = { kind: "init", barrier: "b", key: 1, quorum } as const;
    for (const number of [1, 3]) {
      const said = { kind: "tree-message", scope: "s", from: "root", number, message } as const;
      expect(core.send("tree/root", said).addressed.map(({ effect }) => effect)).toEqual([
        { kind: "tree-received", scope: "s", to: "root", number: 1 },
      ]);
    }
    expect(at(bench, "a")).toBe("open");
  });

  it("W2 a sub-controller that is lost fails what it takes part in, at both ends", () => {
    const bench = new TreeBench(deep);
    populate(bench, { root: 1, c: 2 });
    bench.send("root", "d", quorumInit(1, percent(100)));
    bench.send("root", "e", quorumWait(1));
    bench.send("c", "e", quorumWait(1));
    const told = bench.lose("b", "c");
    expect(words(told).sort()).toEqual([
      ...["c e 1 failed 0", "root driver failed", "root e 1 failed 0"],
    ]);
    expect(why(told)).toEqual([["c", "the sub-controller c was lost"]]);
    bench.mend("b", "c");
    bench.settle();
    bench.send("root", "d", quorumInit(1, percent(100)));
    bench.send("root", "e", quorumWait(2));
    bench.send("c", "e", quorumWait(2));
    expect(words(bench.send("c", "e", quorumWait(3)))).toContain("c e 2,3 crossed 0");
  });

  it("M3 a controller that has lost its memory begins anew, and what it had is over", () => {
    for (const who of ["root", "a"]) {
      const bench = new TreeBench(two);
      populate(bench, { a: 2, b: 1 });
      for (let round = 1; round <= 3; round += 1) {
        bench.send("root", "d", quorumInit(round, percent(1)));
        bench.send("a", "e", quorumWait(round));
        bench.send("b", "e", quorumWait(round));
      }
      bench.send("root", "d", quorumInit(9, percent(100)));
      bench.send("a", "e", quorumWait(9));
      bench.forget(who);
      bench.settle();
      const told = words(bench.takeTold());
      expect(told).toContain(who === "root" ? "a e 9 failed 0" : "root driver failed");
      populate(bench, { a: 1 });
      expect(words(bench.send("root", "d2", quorumInit(10, percent(100))))).toEqual([
        "root driver initialised",
      ]);
      bench.send("a", "e2", quorumWait(10));
      expect(words(bench.send("b", "e2", quorumWait(10)))).toContain("root driver crossed");
    }
  });

  it("treeOutboxMax: so many are kept for one that is away, one more and the link begins anew", () => {
    const bench = new TreeBench([["root", "a"]], { treeOutboxMax: 3 });
    bench.cut("root", "a");
    const init = (barrier: string): Command => quorumInit(barrier.length, percent(1), { barrier });
    bench.send("root", "d", init("x"), init("xx"), init("xxx"));
    expect(bench.core("root").service.describe("s").barriers).toHaveLength(3);
    const told = bench.send("root", "d", init("xxxx"));
    expect(words(told)).toEqual(Array.from({ length: 4 }, () => "root driver failed"));
    expect(why(told)[0]).toEqual(["a", "the sub-controller a has left too much unread"]);
    bench.mend("root", "a");
    bench.settle();
    const again = bench.send("root", "d2", init("x"));
    expect(words(again)).toContain("root driver crossed");
  });

  it("two controllers agree on who they are: names, sides and their number are checked", () => {
    const bench = new TreeBench(two, { childrenPerScopeMax: 2, nameBytesMax: 6 });
    const join = (peer: string, side: "parent" | "child", name = "root"): string => {
      const core = bench.core("root");
      const command = { kind: "tree-join", scope: "s", name, peer, side, life: 1 } as const;
      const [first] = core.send("x", command).addressed;
      return first?.effect.kind === "tree-left" ? first.effect.reason : "";
    };
    expect(join("c", "child")).toContain("limit childrenPerScopeMax (2)");
    expect(join("a", "parent")).toBe("a is its child");
    expect(join("root", "parent")).toContain("not the same");
    expect(join("", "parent")).toContain("have names");
    expect(join("up", "parent", "other")).toBe("this controller is called root here, not other");
    expect(join("abcdefg", "parent")).toContain("limit nameBytesMax (6)");
    expect(join("up", "parent")).toBe("");
    expect(join("up2", "parent")).toBe("the controller above is up");
  });

  it("what an edge says of a link that it does not carry means nothing", () => {
    const bench = new TreeBench(two);
    populate(bench, { a: 1, b: 1 });
    bench.send("root", "d", quorumInit(1, percent(100)));
    const said = { kind: "tree-message", scope: "s", from: "a", number: 2 } as const;
    const message = { kind: "reached", barrier: "b", key: 1, error: 0 } as const;
    expect(bench.send("root", "evil", { ...said, message })).toEqual([]);
    expect(at(bench, "root")).toBe("open a:initialised b:initialised");
  });

  it("the later of the servers of a controller carries its link, also when the earlier wakes", () => {
    const core = new CoreDriver();
    core.send("host", { kind: "version", version: groupsVersion });
    const heard = (edge: string, command: Command): string => {
      const { addressed } = core.send(edge, command);
      return addressed
        .flatMap(({ edge: to, effect }) => {
          if (effect.kind === "tree-joined") return [`${to} joined ${effect.term ?? ""}`.trim()];
          if (effect.kind !== "tree-left") return [];
          return [`${to} ${effect.isMoved ? "moved" : effect.reason}`];
        })
        .join(", ");
    };
    type Claim = Extract<Command, { kind: "tree-join" }>["claim"];
    const join = (edge: string, claim?: Claim): string => {
      const side = "child" as const;
      const facts = { scope: "s", name: "root", peer: "east", side, life: 1 };
      return heard(edge, { kind: "tree-join", ...facts, ...(claim && { claim }) });
    };
    expect(join("e1", { life: 7, term: 1 })).toBe("e1 joined");
    expect(join("e2", { life: 7, term: 2 })).toBe("e1 moved, e2 joined");
    expect(join("e1", { life: 7, term: 1 })).toBe(
      "e1 a server of east that joined later carries the link",
    );
    const other = "another controller has joined root as east; give each its own name";
    expect(join("x", { life: 8, term: 9 })).toBe(`x ${other}`);
    expect(join("y")).toBe(`y ${other}`);
    // Its end is that of an edge that carries nothing: nobody is lost.
    expect(heard("e1", { kind: "end-edge" })).toBe("");
    expect(core.service.isCarried("s", "east")).toBe(true);
    // The controller has lost its memory, and its last carrier.
    core.send("e2", { kind: "end-edge" });
    expect(core.service.isCarried("s", "east")).toBe(false);
    expect(join("x", { life: 8, term: 1 })).toBe("x joined");
    // Own joins are counted.
    const up = { scope: "t", name: "root", peer: "up", side: "parent", life: 2 } as const;
    expect(heard("p", { kind: "tree-join", ...up })).toBe("p joined 1");
    expect(heard("q", { kind: "tree-join", ...up })).toBe("p moved, q joined 2");
  });

  it("a snapshot goes on like the original, with its digest, at every step of a round", () => {
    const bench = new TreeBench(deep);
    populate(bench, { root: 1, a: 1, b: 1, c: 1 });
    const restoreAll = (): void => {
      for (const core of bench.cores.values()) {
        const data = JSON.parse(JSON.stringify(core.service.snapshot()));
        const copy = Service.restore(core.limits, data);
        expect(copy.digest()).toBe(core.service.digest());
        expect(copy.snapshot()).toEqual(core.service.snapshot());
        core.service = copy;
      }
    };
    bench.put("root", "d", quorumInit(1, percent(100), { echo: "explicit" }));
    for (const name of ["root", "a", "b", "c"]) {
      restoreAll();
      bench.settle();
      restoreAll();
      bench.put(name, "e", quorumWait(1));
    }
    bench.settle();
    restoreAll();
    expect(words(bench.takeTold())).toEqual(["root driver initialised", "root driver crossed"]);
    bench.put("root", "d", echo);
    restoreAll();
    bench.settle();
    expect(words(bench.takeTold())).toHaveLength(5);
  });
});
