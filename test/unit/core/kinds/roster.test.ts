// SPDX-License-Identifier: MIT
// Rosters: barriers for participants with names. Goal: the invariants by number, the rules for the
// dead and the late, phases, changes, lists of who is missing. Method: commands and effects of a
// core without a log; every order of arrivals, leaves and deaths of three members at the end.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../../src/core/command.ts";
import type { Applied } from "../../../../src/core/effect.ts";
import { Service } from "../../../../src/core/service.ts";
import { namesGoVersion } from "../../../../src/core/version.ts";
import {
  CoreDriver,
  effectsOf,
  initOnly,
  releases,
  rosterArrive,
  rosterOpen,
  wait,
} from "../../../../src/testing/core-driver.ts";

const of = { scope: "s", barrier: "b", barrierKind: "roster" } as const;
const leave = (connection: number): Command => ({ kind: "leave", connection });
const dead = (participant: string, reason = "exit 1"): Command => ({
  ...{ kind: "roster-dead", scope: "s", participant, reason },
});

function refusals(applied: Applied): readonly string[] {
  return effectsOf(applied, "refused").map(({ code, message }) => `${code}: ${message}`);
}

function change(add: readonly string[], remove: readonly string[], connection = 70): Command {
  const members = add.map((name) => ({ name }));
  return { kind: "roster-change", scope: "s", barrier: "b", connection, add: members, remove };
}

/** A core with an open roster. */
function opened(
  names: readonly string[],
  rules: Parameters<typeof rosterOpen>[2] = {},
): CoreDriver {
  const core = new CoreDriver();
  const applied = core.send("driver", rosterOpen(90, names, rules));
  expect(applied.addressed.map(({ effect }) => effect)).toEqual([
    { kind: "acknowledged", connection: 90 },
  ]);
  return core;
}

describe("a roster", () => {
  it("B1, B3 crosses when each member has arrived, with the largest error, and tells its record", () => {
    const core = opened(["a", "b", "c"]);
    core.send("e", rosterArrive(1, "b", { error: 4 }), rosterArrive(2, "a"));
    const applied = core.send("f", rosterArrive(1, "c"));
    expect(releases(applied)).toEqual([
      [1, "crossed", 4],
      [2, "crossed", 4],
      [1, "crossed", 4],
    ]);
    expect(effectsOf(applied, "released")[0]).toEqual({
      kind: "released",
      ...of,
      ...{ generation: 1, part: 1, outcome: "crossed", error: 4, connections: [1, 2] },
    });
    expect(applied.observed).toMatchObject([
      { kind: "barrier-closed", ...of, part: 1, expected: 3, missing: [] },
    ]);
    expect(core.service.snapshot().scopes[0]?.rosters).toEqual([]);
  });

  it("leaves its name at no edge when it is over, whoever came by which and is a member no more", () => {
    const rosters = (core: CoreDriver): number =>
      core.service.snapshot().edges.reduce((sum, edge) => sum + edge.rosters.length, 0);
    for (const version of [namesGoVersion, namesGoVersion - 1]) {
      const core = opened(["a", "b", "c", "z"], { whenDead: "shrink" });
      core.send("host", { kind: "version", version });
      // One comes by another edge, one is dead, one is taken out.
      core.send("e", rosterArrive(1, "a"), leave(1));
      core.send("f", rosterArrive(1, "b"));
      core.send("g", rosterArrive(1, "c"));
      core.send("h", rosterArrive(2, "a"));
      core.send("x", dead("b"));
      expect(rosters(core)).toBe(4);
      core.send("driver", change(["d"], ["c", "z"]));
      core.send("h", rosterArrive(3, "d"));
      expect(rosters(core)).toBe(version === namesGoVersion ? 0 : 3);
    }
  });

  it("B2 a member waits once, and only members do", () => {
    const core = opened(["a", "b"]);
    core.send("e", rosterArrive(1, "a"));
    expect(refusals(core.send("f", rosterArrive(1, "a")))).toEqual([
      "invalid: a has arrived already",
    ]);
    expect(refusals(core.send("f", rosterArrive(1, "x")))).toEqual([
      "invalid: x is not expected at b",
    ]);
    const nameless = rosterArrive(1, "", { who: { address: "x" } });
    expect(refusals(core.send("f", nameless))[0]).toContain("participants with names");
    expect(refusals(core.send("e", rosterArrive(1, "b")))[0]).toContain("waits already");
    expect(releases(core.send("f", rosterArrive(1, "b")))).toHaveLength(2);
    expect(core.send("e", leave(1)).addressed).toEqual([]);
  });

  it("B4 who leaves, or whose wait times out, is expected again", () => {
    const core = opened(["a", "b"]);
    core.send("e", rosterArrive(1, "a"), leave(1));
    expect(releases(core.send("e", rosterArrive(2, "b", { timeoutUs: 1_000_000 })))).toEqual([]);
    const applied = core.pass(1_000_000);
    expect(effectsOf(applied, "released")).toMatchObject([
      { connections: [2], outcome: "timeout", missing: ["a"] },
    ]);
    core.send("e", rosterArrive(3, "a"));
    expect(releases(core.send("e", rosterArrive(4, "b")))).toHaveLength(2);
  });

  it("a double barrier is two phases; without end it goes on until it is ended", () => {
    const core = opened(["a", "b"], { phases: 2 });
    for (const phase of [1, 2]) {
      core.send("e", rosterArrive(phase * 10, "a", { phase }));
      const applied = core.send("e", rosterArrive(phase * 10 + 1, "b"));
      expect(effectsOf(applied, "released")).toMatchObject([{ part: phase, generation: 1 }]);
    }
    expect(core.service.describe("s").barriers).toEqual([]);
    const endless = opened(["a"], { phases: 0 });
    for (let phase = 1; phase <= 50; phase += 1) {
      const applied = endless.send("e", rosterArrive(phase, "a", { phase }));
      expect(effectsOf(applied, "released")).toMatchObject([{ part: phase }]);
    }
    endless.send("e", { ...of, kind: "cancel", error: 0 });
    expect(endless.service.describe("s").barriers).toEqual([]);
  });

  it("a phase that has not begun is refused, whatever the rule", () => {
    const core = opened(["a"], { phases: 3 });
    expect(refusals(core.send("e", rosterArrive(1, "a", { phase: 2 })))).toEqual([
      "invalid: phase 2 of b has not begun; it is in phase 1",
    ]);
  });

  it("who is late passes, is refused, or is taken for the phase that is on", () => {
    const late = (whenLate: "pass" | "refuse" | "next"): Applied => {
      const core = opened(["a", "b"], { phases: 3, whenLate });
      core.send("e", rosterArrive(1, "a", { error: 5 }), rosterArrive(2, "b"));
      return core.send("e", rosterArrive(3, "a", { phase: 1 }));
    };
    expect(effectsOf(late("pass"), "released")).toMatchObject([
      { connections: [3], part: 1, outcome: "crossed", error: 5 },
    ]);
    expect(refusals(late("refuse"))).toEqual(["invalid: phase 1 of b is over; it is in phase 2"]);
    expect(late("next").addressed).toEqual([]);
  });

  it("B8 when all is over, who is late passes with the outcome or is refused; the name is free", () => {
    for (const whenLate of ["pass", "refuse", "next"] as const) {
      const core = opened(["a"], { whenLate });
      core.send("e", { ...of, kind: "fail", error: 7, reason: "x" });
      const late = core.send("e", rosterArrive(1, "a"));
      if (whenLate === "pass") expect(releases(late)).toEqual([[1, "failed", 7]]);
      else expect(refusals(late)).toEqual(["unknown: the roster b is over (failed)"]);
      core.send("driver", rosterOpen(91, ["a"]));
      const again = core.send("e", rosterArrive(2, "a"));
      expect(effectsOf(again, "released")).toMatchObject([{ generation: 2, outcome: "crossed" }]);
    }
    const never = new CoreDriver().send("e", rosterArrive(1, "a"));
    expect(refusals(never)[0]).toContain("unknown: no roster b is open");
  });

  it("fail: the death of a member ends it for all, with its name and why", () => {
    for (const how of ["told", "edge"] as const) {
      const core = opened(["a", "b", "c"]);
      core.send("e", rosterArrive(1, "a"));
      core.send("f", rosterArrive(1, "b"));
      const applied = core.send(
        how === "told" ? "x" : "f",
        how === "told" ? dead("b") : { kind: "end-edge" },
      );
      const why = how === "told" ? "exit 1" : "its connection was lost";
      const ended = effectsOf(applied, "released").filter(({ outcome }) => outcome === "failed");
      expect(ended).toMatchObject([{ connections: [1], reason: `b is dead: ${why}` }]);
      expect(applied.observed).toMatchObject([{ missing: [`b (dead: ${why})`, "c"] }]);
      expect(core.service.describe("s").barriers).toEqual([]);
    }
  });

  it("B2 an edge that ends with two members ends it once", () => {
    const core = opened(["a", "b", "c", "d"]);
    core.send("e", rosterArrive(1, "a"));
    core.send("f", rosterArrive(1, "b"), rosterArrive(2, "c"), leave(2));
    const applied = core.send("f", { kind: "end-edge" });
    expect(applied.observed).toMatchObject([{ reason: "b is dead: its connection was lost" }]);
    expect(releases(applied)).toEqual([[1, "failed", 0]]);
  });

  it("a member is dead when the edge it came by ends, also between two phases", () => {
    const core = opened(["a", "b"], { phases: 2 });
    core.send("e", rosterArrive(1, "a"));
    core.send("f", rosterArrive(1, "b"));
    core.send("e", rosterArrive(2, "a"));
    const applied = core.send("f", { kind: "end-edge" });
    expect(releases(applied)).toEqual([[2, "failed", 0]]);
  });

  it("shrink: the rest goes on without the dead, all of them gone at one instant (B1)", () => {
    const core = opened(["a", "b", "c", "d"], { whenDead: "shrink" });
    core.send("e", rosterArrive(1, "a"));
    core.send("f", rosterArrive(1, "b"), rosterArrive(2, "c"));
    expect(releases(core.send("f", { kind: "end-edge" }))).toEqual([]);
    expect(releases(core.send("x", dead("d")))).toEqual([[1, "crossed", 0]]);
    const none = opened(["a", "b"], { whenDead: "shrink" });
    none.send("e", rosterArrive(1, "a"), rosterArrive(2, "b", { barrier: "x" }));
    none.send("x", dead("b"));
    expect(none.service.describe("s").barriers).toEqual([]);
    const all = opened(["a"], { whenDead: "shrink" });
    expect(all.send("x", dead("a", "why")).observed).toMatchObject([{ outcome: "failed" }]);
  });

  it("who has only ended is dead where it does not wait, and stays where it does", () => {
    const ended = { ...dead("b", "ended"), unlessArrived: true } as Command;
    const core = opened(["a", "b"], { whenDead: "fail" });
    core.send("e", rosterArrive(2, "b"));
    expect(releases(core.send("x", ended))).toEqual([]);
    expect(releases(core.send("e", rosterArrive(1, "a")))).toEqual([
      ...[
        [2, "crossed", 0],
        [1, "crossed", 0],
      ],
    ]);
    const other = opened(["a", "b"], { whenDead: "shrink" });
    other.send("e", rosterArrive(1, "a"));
    expect(releases(other.send("x", ended))).toEqual([[1, "crossed", 0]]);
  });

  it("wait: somebody of the same name takes the place of the dead", () => {
    const core = opened(["a", "b"], { whenDead: "wait" });
    core.send("e", rosterArrive(1, "a"));
    core.send("f", rosterArrive(1, "b", { barrier: "other" }));
    core.send("x", dead("b"), dead("a", "exit 9"));
    expect(core.service.describe("s").barriers[0]).toMatchObject({
      arrived: 0,
      missing: ["a (dead: exit 9)", "b (dead: exit 1)"],
      roster: { dead: [{ name: "a", reason: "exit 9" }, { name: "b" }], missing: [], arrived: [] },
    });
    core.send("g", rosterArrive(1, "b"));
    expect(releases(core.send("g", rosterArrive(2, "a")))).toHaveLength(2);
  });

  it("other members while people wait: one less may cross, one who waits is told", () => {
    const core = opened(["a", "b", "c"]);
    core.send("e", rosterArrive(1, "a"), rosterArrive(2, "b"));
    const applied = core.send("driver", change(["d"], ["b", "c"]));
    expect(effectsOf(applied, "released")).toMatchObject([
      { connections: [2], outcome: "cancelled", reason: "b is not expected any more" },
    ]);
    expect(core.service.describe("s").barriers[0]).toMatchObject({ expected: 2, missing: ["d"] });
    expect(releases(core.send("driver", change([], ["d"])))).toEqual([[1, "crossed", 0]]);
    expect(refusals(core.send("driver", change([], ["d"])))[0]).toContain("unknown: no roster b");
  });

  it("a change that cannot be is refused whole", () => {
    const core = opened(["a", "b"]);
    expect(refusals(core.send("d", change(["c"], ["x"])))).toEqual([
      "invalid: x is not expected at b",
    ]);
    expect(refusals(core.send("d", change([], ["a", "b"])))[0]).toContain("has members");
    expect(refusals(core.send("d", change(["c", "a"], [])))).toEqual([
      "invalid: a is a member already",
    ]);
    expect(core.service.describe("s").barriers[0]).toMatchObject({ missing: ["a", "b"] });
    expect(refusals(core.send("d", change(["a"], ["a"])))).toEqual([]);
  });

  it("B9 the deadline of each phase ends it for all, and names who is missing", () => {
    const deadline = { since: "first-arrival", us: 2_000_000 } as const;
    const core = opened(["a", "b"], { phases: 0, deadline });
    core.pass(9_000_000);
    core.send("e", rosterArrive(1, "a"), rosterArrive(2, "b"));
    core.pass(9_000_000);
    core.send("e", rosterArrive(3, "b"));
    const applied = core.pass(2_000_000);
    expect(effectsOf(applied, "released")).toMatchObject([
      { connections: [3], outcome: "timeout", part: 2, missing: ["a"] },
    ]);
    expect([core.service.nextDeadlineUs(), core.service.describe("s").barriers]).toEqual([
      undefined,
      [],
    ]);
  });

  it("B10 lists who arrived, is missing and is dead, of which group, and since when", () => {
    const core = new CoreDriver({ warnAfterUs: 3_000_000, namesInReportMax: 2 });
    const members = ["a", "b", "c", "d", "e"].map((name) => ({ name, group: "g" }));
    core.send("x", { ...rosterOpen(1, ["a"], { whenDead: "wait" }), members });
    core.pass(1_000_000);
    core.send("e", rosterArrive(1, "a"));
    core.pass(1_000_000);
    core.send("x", dead("c"));
    expect(core.service.describe("s").barriers[0]).toMatchObject({
      ...{ expected: 5, arrived: 1, count: 4 },
      missing: ["b of g", "c of g (dead: exit 1)", "2 more"],
      roster: {
        ...{ phase: 1, arrived: [{ name: "a", group: "g", sinceUs: 1_000_000 }] },
        missing: [
          { name: "b", group: "g", sinceUs: 0 },
          { name: "d", group: "g", sinceUs: 0 },
        ],
        dead: [{ name: "c", group: "g", sinceUs: 2_000_000, reason: "exit 1" }],
      },
    });
    expect(core.pass(5_000_000).observed).toMatchObject([
      { kind: "wait-warning", arrived: ["a"], missing: expect.arrayContaining(["b of g"]) },
    ]);
  });

  it("a death is acknowledged to who wants to know, and refused with a reason too long", () => {
    const core = new CoreDriver({ reasonBytesMax: 3 });
    core.send("d", rosterOpen(1, ["a", "b"], { whenDead: "wait" }));
    const asking = (reason: string): Command =>
      ({ ...dead("a", reason), connection: 5 }) as Command;
    expect(refusals(core.send("d", asking("abcd")))[0]).toContain("limit reasonBytesMax (3)");
    expect(core.service.describe("s").barriers[0]).toMatchObject({ missing: ["a", "b"] });
    const told = core.send("d", asking("abc"));
    expect(effectsOf(told, "acknowledged")).toEqual([{ kind: "acknowledged", connection: 5 }]);
    core.send("d", dead("b", "abcd"), { kind: "cancel-all", scope: "s", error: 0, reason: "abcd" });
    expect(core.service.describe("s").barriers).toEqual([]);
  });

  it("B7 scopes and kinds have rosters and members of their own", () => {
    const core = opened(["a", "b"]);
    core.send("driver", rosterOpen(91, ["a"], { scope: "t" }));
    expect(releases(core.send("e", rosterArrive(1, "a", { scope: "t" })))).toHaveLength(1);
    core.send("x", { ...dead("a"), scope: "t" } as Command, {
      kind: "cancel-all",
      scope: "t",
      error: 0,
    });
    expect(core.service.describe("s").barriers).toHaveLength(1);
  });

  it("membersPerRosterMax holds, and rules and names are checked", () => {
    const core = new CoreDriver({ membersPerRosterMax: 2, nameBytesMax: 3 });
    const open = (names: readonly string[], rules = {}): readonly string[] =>
      refusals(core.send("d", rosterOpen(1, names, rules)));
    expect(open(["a", "b", "c"])[0]).toContain("limit membersPerRosterMax (2)");
    expect(open([])[0]).toContain("has members");
    expect(open(["a", "a"])[0]).toContain("a is a member already");
    expect(open(["abcd"])[0]).toContain("limit nameBytesMax (3)");
    expect(open([""])[0]).toContain("a member has a name");
    expect(open(["a"], { phases: -1 })[0]).toContain("number of phases");
    expect(open(["a"], { deadline: { since: "opening", us: -1 } })[0]).toContain("the deadline");
    expect(open(["abc", "b"])).toEqual([]);
    expect(open(["a"])[0]).toContain("is open already");
    expect(refusals(core.send("d", change(["c"], [])))[0]).toContain("membersPerRosterMax (2)");
  });

  it("a snapshot goes on like the original, with its digest", () => {
    const core = opened(["a", "b", "c"], { phases: 0, whenDead: "wait" });
    const steps: readonly (readonly [string, Command])[] = [
      ["e", rosterArrive(1, "a", { timeoutUs: 60_000_000, error: 3 })],
      ["f", rosterArrive(1, "b")],
      ["x", dead("b")],
      ["g", rosterArrive(1, "c")],
      ["g", rosterArrive(2, "b")],
      ["e", rosterArrive(2, "a", { phase: 1 })],
      ["g", { kind: "end-edge" }],
    ];
    for (const [edge, command] of steps) {
      const data = JSON.parse(JSON.stringify(core.service.snapshot()));
      const copy = Service.restore(core.limits, data);
      expect(copy.digest()).toBe(core.service.digest());
      const applied = core.send(edge, command);
      const [entry] = core.entries.slice(-1);
      if (entry !== undefined) expect(copy.apply(entry)).toEqual(applied);
      expect(copy.digest()).toBe(core.service.digest());
      expect(copy.snapshot()).toEqual(core.service.snapshot());
    }
  });
});

describe("a count of which the number changes", () => {
  const expectedOf = (expected: number, connection = 50): Command => ({
    ...{ kind: "count-change", scope: "s", barrier: "b", connection, expected },
  });

  it("crosses when enough are there, and not before", () => {
    const core = new CoreDriver();
    core.send("d", initOnly(1, 5), wait(2), wait(3));
    expect(releases(core.send("d", expectedOf(3)))).toEqual([]);
    expect(core.service.describe("s").barriers[0]).toMatchObject({ expected: 3, count: 1 });
    expect(releases(core.send("d", expectedOf(2)))).toHaveLength(2);
  });

  it("is refused where it cannot be", () => {
    const core = new CoreDriver();
    expect(refusals(core.send("d", expectedOf(3)))[0]).toContain("unknown: no count barrier b");
    core.send("d", wait(1), wait(2));
    expect(refusals(core.send("d", expectedOf(3)))[0]).toContain("nobody has opened it");
    core.send("d", initOnly(3, 5));
    expect(refusals(core.send("d", expectedOf(1)))[0]).toContain("2 are there already");
    expect(refusals(core.send("d", expectedOf(-1)))[0]).toContain("from 0 to");
  });

  it("a deadline of the barrier ends all waits; an init may replace it", () => {
    const core = new CoreDriver();
    const deadline = { since: "opening", us: 2_000_000 } as const;
    core.send("d", { ...initOnly(1, 3), deadline }, wait(2), wait(3));
    const applied = core.pass(2_000_000);
    expect(effectsOf(applied, "released")).toMatchObject([
      { connections: [2, 3], outcome: "timeout", missing: ["1 more, anonymous"] },
    ]);
    core.send("d", { ...initOnly(1, 3), deadline });
    core.send("d", { ...initOnly(4, 1), deadline: { ...deadline, us: 9_000_000 } });
    expect(core.pass(3_000_000).observed).toEqual([]);
    const failed = core.send("d", {
      kind: "fail",
      scope: "s",
      barrier: "b",
      error: 3,
      reason: "r",
    });
    expect(failed.observed).toMatchObject([{ outcome: "failed", error: 3, reason: "r" }]);
  });
});

type Move = readonly ["arrive" | "leave" | "dead", string];

it.each(["fail", "shrink", "wait"] as const)(
  "B1, B2, B4 hold in every order of five moves of three members (%s)",
  (whenDead) => {
    const moves: Move[] = ["a", "b", "c"].flatMap((name) => [
      ["arrive", name] as const,
      ["leave", name] as const,
      ["dead", name] as const,
    ]);
    let cases = 0;
    const choose = (chosen: readonly Move[]): void => {
      if (chosen.length === 5) {
        cases += 1;
        tryMoves(chosen, whenDead);
      } else for (const move of moves) choose([...chosen, move]);
    };
    choose([]);
    expect(cases).toBe(9 ** 5);
  },
);

/** What should happen is asked of the list of moves, not of the core. */
function tryMoves(moves: readonly Move[], whenDead: "fail" | "shrink" | "wait"): void {
  const core = new CoreDriver();
  core.send("d", rosterOpen(90, ["a", "b", "c"], { whenDead }));
  const waiting = new Map<string, number>();
  const members = new Set(["a", "b", "c"]);
  let isOver = false;
  moves.forEach(([what, name], index) => {
    const command =
      what === "arrive"
        ? rosterArrive(index, name)
        : what === "leave"
          ? leave(waiting.get(name) ?? 99)
          : dead(name);
    const got = releases(core.send("e", command)).map(([who, how]) => `${who} ${how}`);
    if (isOver) return;
    const expected: string[] = [];
    const endAll = (how: string): void => {
      for (const connection of waiting.values()) expected.push(`${connection} ${how}`);
      isOver = true;
    };
    if (what === "arrive" && members.has(name) && !waiting.has(name)) waiting.set(name, index);
    if (what === "leave") waiting.delete(name);
    if (what === "dead" && members.has(name)) {
      const connection = waiting.get(name);
      if (connection !== undefined) expected.push(`${connection} cancelled`);
      waiting.delete(name);
      if (whenDead === "shrink") members.delete(name);
      if (whenDead === "fail" || members.size === 0) endAll("failed");
    }
    if (!isOver && waiting.size === members.size) endAll("crossed");
    if (got.join() !== expected.join()) {
      throw new Error(`${JSON.stringify(moves)}: got ${got}, not ${expected}`);
    }
  });
}
