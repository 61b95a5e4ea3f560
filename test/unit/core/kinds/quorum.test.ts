// SPDX-License-Identifier: MIT
// Quorums at one controller. Goal: the invariants by number, the table of the reference (section 5)
// and what section 10 advises to do better than it. Method: commands and effects of a core without
// a log. Trees: tree.test.ts.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../../src/core/command.ts";
import type { Applied } from "../../../../src/core/effect.ts";
import { Service } from "../../../../src/core/service.ts";
import {
  CoreDriver,
  effectsOf,
  percent,
  quorumInit,
  quorumWait,
  releases,
  statuses,
} from "../../../../src/testing/core-driver.ts";

const leave = (connection: number): Command => ({ kind: "leave", connection });
const peers = (count: number): Command => ({
  kind: "peers-set",
  scope: "s",
  connection: 99,
  count,
});
const echo = (connection: number, barrier = "b"): Command => ({
  ...{ kind: "quorum-echo", scope: "s", barrier, connection },
});
const of = { scope: "s", barrier: "b", barrierKind: "quorum" } as const;
const explicit = { echo: "explicit" } as const;

function refusals(applied: Applied): readonly string[] {
  return effectsOf(applied, "refused").map(({ code, message }) => `${code}: ${message}`);
}

/** How many arrivals it takes, at most ten. */
function arrivalsNeeded(quorum: Parameters<typeof quorumInit>[1], size: number): number {
  const core = new CoreDriver();
  core.send("d", peers(size));
  if (statuses(core.send("d", quorumInit(1, quorum))).some(([, status]) => status === "crossed")) {
    return 0;
  }
  for (let count = 1; count <= 10; count += 1) {
    if (statuses(core.send("e", quorumWait(count))).length > 0) return count;
  }
  return Number.POSITIVE_INFINITY;
}

describe("a quorum at one controller", () => {
  it.each([
    [3, [0, 1, 33, 34, 50, 66, 67, 99, 100], [1, 1, 1, 2, 2, 2, 3, 3, 3]],
    [1, [0, 1, 99, 100], [1, 1, 1, 1]],
    [7, [0, 14, 15, 28, 29, 57, 58, 100], [1, 1, 2, 2, 3, 4, 5, 7]],
    [0, [0, 50, 100], [0, 0, 0]],
  ])("B1 of %i peers, %j percent are %j arrivals", (size, percentages, expected) => {
    expect(percentages.map((each) => arrivalsNeeded(percent(each), size))).toEqual(expected);
  });

  it("a count is as many, whether there are peers or not", () => {
    expect(arrivalsNeeded({ kind: "count", count: 4 }, 0)).toBe(4);
    expect(arrivalsNeeded({ kind: "count", count: 4 }, 2)).toBe(4);
  });

  it("tells its driver initialised, crossed and released, and its waiters once", () => {
    const core = new CoreDriver();
    core.send("d", peers(3));
    expect(statuses(core.send("d", quorumInit(1, percent(67))))).toEqual([[1, "initialised"]]);
    core.send("e", quorumWait(1), quorumWait(2, { error: 5 }));
    const applied = core.send("f", quorumWait(1));
    expect(applied.addressed.map(({ edge, effect }) => [edge, effect.kind])).toEqual([
      ["d", "quorum-status"],
      ["e", "released"],
      ["f", "released"],
      ["d", "quorum-status"],
    ]);
    expect(statuses(applied)).toEqual([
      [1, "crossed"],
      [1, "released"],
    ]);
    expect(releases(applied)).toEqual([
      [1, "crossed", 5],
      [2, "crossed", 5],
      [1, "crossed", 5],
    ]);
    expect(applied.observed).toMatchObject([{ barrierKind: "quorum", expected: 3, error: 5 }]);
  });

  it("D9 nobody goes on before an explicit driver has answered, and nobody else may answer", () => {
    const core = new CoreDriver();
    core.send("d", peers(2), quorumInit(1, percent(50), explicit));
    expect(refusals(core.send("d", echo(1)))).toEqual(["invalid: the barrier has not crossed yet"]);
    const crossed = core.send("e", quorumWait(1));
    expect([statuses(crossed), releases(crossed)]).toEqual([[[1, "crossed"]], []]);
    expect(refusals(core.send("d", echo(2)))[0]).toContain("only who made the barrier");
    expect(refusals(core.send("e", echo(1)))[0]).toContain("only who made the barrier");
    expect(statuses(core.send("e", quorumWait(2)))).toEqual([]);
    expect(releases(core.send("d", echo(1)))).toEqual([
      [1, "crossed", 0],
      [2, "crossed", 0],
    ]);
    expect(refusals(core.send("d", echo(1)))[0]).toContain("unknown: no quorum barrier b");
  });

  it("D9 a driver that does not answer in time, or is lost, fails it for all", () => {
    for (const lost of ["echo", "leave", "end"] as const) {
      const core = new CoreDriver({ quorumEchoUs: 3_000_000 });
      core.send("d", peers(1), quorumInit(1, percent(100), explicit));
      core.send("e", quorumWait(1, { error: 8 }));
      expect(releases(core.pass(2_000_000))).toEqual([]);
      const applied =
        lost === "echo"
          ? core.pass(1_000_000)
          : core.send("d", lost === "leave" ? leave(1) : { kind: "end-edge" });
      expect(effectsOf(applied, "released")).toMatchObject([
        { connections: [1], outcome: "failed", reason: expect.stringContaining("driver") },
      ]);
      expect(core.service.describe("s").barriers).toEqual([]);
    }
  });

  it("a driver that need not answer need not be there", () => {
    const core = new CoreDriver();
    core.send("d", peers(2), quorumInit(1, percent(100)), { kind: "end-edge" });
    core.send("e", quorumWait(1));
    expect(releases(core.send("e", quorumWait(2)))).toHaveLength(2);
  });

  it("B2 a waiter gets one outcome, whatever comes afterwards", () => {
    const core = new CoreDriver();
    core.send("d", peers(1), quorumInit(1, percent(100)));
    expect(releases(core.send("e", quorumWait(1, { timeoutUs: 5 })))).toHaveLength(1);
    const after = [core.send("e", leave(1)), core.pass(60_000_000), core.send("d", leave(1))];
    expect(after.flatMap((applied) => applied.addressed)).toEqual([]);
  });

  it("B3 the error is the largest when it crosses; who comes later does not change it", () => {
    const core = new CoreDriver();
    core.send("d", peers(3), quorumInit(1, percent(50), explicit));
    core.send("e", quorumWait(1, { error: 4 }));
    const crossed = core.send("e", quorumWait(2, { error: 2 }));
    expect(effectsOf(crossed, "quorum-status")).toMatchObject([{ status: "crossed", error: 4 }]);
    core.send("e", quorumWait(3, { error: 200 }));
    expect(releases(core.send("d", echo(1))).map(([, , error]) => error)).toEqual([4, 4, 4]);
  });

  it("B4 who leaves before it has crossed is uncounted; afterwards nothing is taken back", () => {
    const core = new CoreDriver();
    core.send("d", peers(2), quorumInit(1, percent(100), explicit));
    core.send("e", quorumWait(1), leave(1));
    core.send("f", quorumWait(1), quorumWait(2, { barrier: "x" }), { kind: "end-edge" });
    expect(statuses(core.send("e", quorumWait(2)))).toEqual([]);
    expect(statuses(core.send("e", quorumWait(3)))).toEqual([[1, "crossed"]]);
    core.send("e", leave(3));
    expect(releases(core.send("d", echo(1)))).toEqual([[2, "crossed", 0]]);
  });

  it("the number of peers is read when it is asked: a peer more raises it, one less may cross", () => {
    const core = new CoreDriver();
    const register = (peer: string): Command => ({
      ...{ kind: "peer-register", scope: "s", connection: 9, peer },
    });
    core.send("d", register("p1"), register("p2"), quorumInit(1, percent(100)));
    core.send("d", register("p3"));
    core.send("e", quorumWait(1));
    expect(statuses(core.send("e", quorumWait(2)))).toEqual([]);
    const gone = core.send("d", { ...register("p2"), kind: "peer-deregister" } as Command);
    expect(statuses(gone)).toEqual([
      [1, "crossed"],
      [1, "released"],
    ]);
    expect(releases(gone)).toHaveLength(2);
    expect(effectsOf(gone, "acknowledged")).toEqual([{ kind: "acknowledged", connection: 9 }]);
  });

  it("peers that are there already, or are not, are refused", () => {
    const core = new CoreDriver({ peersPerScopeMax: 2 });
    const peer = (kind: "peer-register" | "peer-deregister", name: string): Command => ({
      ...{ kind, scope: "s", connection: 1, peer: name },
    });
    const register = (name: string): Command => peer("peer-register", name);
    expect(refusals(core.send("d", register("a"), register("b")))).toEqual([]);
    expect(refusals(core.send("d", register("a")))[0]).toContain("invalid: a peer a is registered");
    expect(refusals(core.send("d", register("c")))[0]).toContain("limit peersPerScopeMax (2)");
    expect(refusals(core.send("d", peers(1)))[0]).toContain("limit peersPerScopeMax (2)");
    expect(refusals(core.send("d", peer("peer-deregister", "c")))[0]).toContain("unknown: no peer");
    expect(refusals(core.send("d", peer("peer-deregister", "b"), peers(1)))).toEqual([]);
    expect(refusals(core.send("d", register("")))[0]).toContain("has no name");
    expect(refusals(core.send("d", peers(-1)))[0]).toContain("0 or more");
  });

  it("B8 a name is free again; who comes too late is told how it ended, without waiting", () => {
    const core = new CoreDriver();
    core.send("d", peers(1), quorumInit(1, percent(100)));
    core.send("e", quorumWait(1, { error: 3 }));
    const late = core.send("e", quorumWait(2));
    expect(effectsOf(late, "released")).toEqual([
      {
        ...{ kind: "released", ...of, generation: 1, outcome: "crossed", error: 3 },
        connections: [2],
      },
    ]);
    core.send("d", quorumInit(2, percent(100)), { ...of, kind: "cancel", error: 9 });
    expect(releases(core.send("e", quorumWait(3)))).toEqual([[3, "cancelled", 9]]);
    core.send("d", quorumInit(3, percent(100)));
    const third = core.send("e", quorumWait(4));
    expect(effectsOf(third, "released")).toMatchObject([{ generation: 3, outcome: "crossed" }]);
  });

  it("B8 of what is over, the oldest is forgotten first, and is unknown then", () => {
    const core = new CoreDriver({ closedBarriersPerScopeMax: 1 });
    for (const barrier of ["b", "c"]) core.send("d", quorumInit(1, percent(1), { barrier }));
    expect(releases(core.send("e", quorumWait(1, { barrier: "c" })))).toHaveLength(1);
    expect(refusals(core.send("e", quorumWait(2)))[0]).toContain("unknown: no quorum barrier b");
  });

  it("a name that never was is an error for who waits, cancels, fails, changes or answers", () => {
    const core = new CoreDriver();
    const commands: readonly Command[] = [
      quorumWait(1),
      { ...of, kind: "cancel", error: 0, connection: 2 },
      { ...of, kind: "fail", error: 0, reason: "", connection: 3 },
      { kind: "quorum-change", scope: "s", barrier: "b", connection: 4, quorum: percent(5) },
      echo(5),
    ];
    const applied = core.send("e", ...commands);
    expect(effectsOf(applied, "refused").map(({ connection, code }) => [connection, code])).toEqual(
      [1, 2, 3, 4, 5].map((connection) => [connection, "unknown"]),
    );
    expect(core.service.snapshot().scopes).toEqual([]);
  });

  it("a name that is open, and a percentage that is none, are refused", () => {
    const core = new CoreDriver();
    core.send("d", peers(2), quorumInit(1, percent(100)));
    expect(refusals(core.send("d", quorumInit(2, percent(100))))[0]).toContain("is open already");
    for (const value of [-1, 101, 1.5]) {
      const [refusal] = refusals(core.send("d", quorumInit(2, percent(value), { barrier: "c" })));
      expect(refusal).toContain("from 0 to 100");
    }
    const none = quorumInit(2, { kind: "count", count: 0 }, { barrier: "c" });
    expect(refusals(core.send("d", none))[0]).toContain("1 or more");
    expect(refusals(core.send("d", quorumWait(1)))[0]).toContain("this connection is a driver");
    expect(refusals(core.send("d", quorumInit(2, percent(0), { barrier: "c" })))).toEqual([]);
  });

  it("cancel and fail tell everybody why, the driver too", () => {
    const core = new CoreDriver();
    const why = { error: 7, reason: "enough" };
    core.send("d", peers(9), quorumInit(1, percent(100), explicit));
    core.send("e", quorumWait(1), quorumWait(2));
    const applied = core.send("a", { ...of, kind: "fail", ...why, connection: 5 });
    expect(effectsOf(applied, "released")).toMatchObject([{ outcome: "failed", ...why }]);
    expect(effectsOf(applied, "quorum-status")).toMatchObject([
      { connection: 1, status: "failed", ...why },
    ]);
    expect(effectsOf(applied, "acknowledged")).toHaveLength(1);
    core.send("d", quorumInit(1, percent(100)));
    expect(statuses(core.send("a", { kind: "cancel-all", scope: "s", error: 0 }))).toEqual([
      [1, "cancelled"],
    ]);
  });

  it("another quorum may cross it, and cannot when it has crossed", () => {
    const core = new CoreDriver();
    const change = (quorum: ReturnType<typeof percent>): Command => ({
      ...{ kind: "quorum-change", scope: "s", barrier: "b", connection: 7, quorum },
    });
    core.send("d", peers(4), quorumInit(1, percent(100), explicit));
    core.send("e", quorumWait(1), quorumWait(2));
    expect(statuses(core.send("d", change(percent(51))))).toEqual([]);
    expect(statuses(core.send("d", change(percent(50))))).toEqual([[1, "crossed"]]);
    expect(refusals(core.send("d", change(percent(1))))[0]).toContain("the barrier has crossed");
    expect(refusals(core.send("d", change(percent(101))))[0]).toContain("from 0 to 100");
  });

  it("B9, B10 a deadline ends one wait, and names the peers that have not come", () => {
    const core = new CoreDriver();
    for (const peer of ["p1", "p2"]) {
      core.send("d", { kind: "peer-register", scope: "s", connection: 9, peer });
    }
    core.send("d", peers(2), quorumInit(1, percent(100)));
    const who = { address: "a", name: "p1" };
    core.send("e", quorumWait(1, { timeoutUs: 1_000_000, who }), quorumWait(2));
    expect(core.service.describe("s").barriers).toMatchObject([
      { kind: "quorum", expected: 4, arrived: 2, count: 2, quorum: { peers: 4, status: "open" } },
    ]);
    const missing = ["anonymous, from p2", "1 more, anonymous"];
    const applied = core.pass(1_000_000);
    expect(effectsOf(applied, "released")).toMatchObject([{ outcome: "timeout", missing }]);
    core.send("e", quorumWait(3), quorumWait(4));
    expect(releases(core.send("e", quorumWait(5)))).toHaveLength(4);
  });

  it.each([
    ["opening", 3],
    ["first-arrival", 4],
    ["last-arrival", 6],
  ] as const)("a deadline since %s ends it for all after %i s", (since, afterS) => {
    const core = new CoreDriver();
    core.send("d", peers(9), quorumInit(1, percent(100), { deadline: { since, us: 3_000_000 } }));
    core.pass(1_000_000);
    core.send("e", quorumWait(1));
    core.pass(2_000_000 - (since === "opening" ? 1 : 0));
    core.send("e", quorumWait(2));
    const leftUs = afterS * 1_000_000 - core.service.nowUs;
    expect(releases(core.pass(leftUs - 1))).toEqual([]);
    const applied = core.pass(1);
    expect(releases(applied)).toEqual([
      [1, "timeout", 0],
      [2, "timeout", 0],
    ]);
    expect(effectsOf(applied, "released")[0]?.missing).toEqual(["7 more, anonymous"]);
    expect(statuses(applied)).toEqual([[1, "timeout"]]);
    expect(core.service.nextDeadlineUs()).toBeUndefined();
  });

  it("a deadline does not outlive a barrier that crosses as it is made", () => {
    const core = new CoreDriver();
    const deadline = { since: "opening", us: 1_000_000 } as const;
    core.send("d", quorumInit(1, percent(0), { deadline }));
    expect(core.service.nextDeadlineUs()).toBeUndefined();
    core.send("d", quorumInit(1, percent(0), { ...explicit, deadline }));
    expect(statuses(core.pass(2_000_000))).toEqual([]);
  });

  it("a deadline since an arrival does not run while nobody waits", () => {
    const core = new CoreDriver();
    const deadline = { since: "first-arrival", us: 3_000_000 } as const;
    core.send("d", peers(9), quorumInit(1, percent(100), { deadline }));
    core.send("e", quorumWait(1), leave(1));
    expect(core.service.nextDeadlineUs()).toBeUndefined();
  });

  it("B7 scopes have barriers, peers and trees of their own", () => {
    const core = new CoreDriver();
    core.send("d", peers(2), quorumInit(1, percent(100)));
    core.send("d", quorumInit(2, { kind: "count", count: 1 }, { scope: "t" }));
    expect(statuses(core.send("e", quorumWait(1, { scope: "t" })))[0]).toEqual([2, "crossed"]);
    expect(core.service.describe("s").barriers).toHaveLength(1);
  });

  it("a snapshot goes on like the original, with its digest", () => {
    const core = new CoreDriver();
    const deadline = { since: "last-arrival", us: 9_000_000 } as const;
    core.send("d", peers(2), quorumInit(1, percent(100), { ...explicit, deadline }));
    core.send("e", quorumWait(1, { error: 3, timeoutUs: 60_000_000 }));
    const restore = (): Service =>
      Service.restore(core.limits, JSON.parse(JSON.stringify(core.service.snapshot())));
    for (const command of [quorumWait(2), leave(1), quorumWait(3)]) {
      const copy = restore();
      expect(copy.digest()).toBe(core.service.digest());
      const applied = core.send("e", command);
      const [entry] = core.entries.slice(-1);
      if (entry !== undefined) expect(copy.apply(entry)).toEqual(applied);
      expect(copy.digest()).toBe(core.service.digest());
      expect(copy.snapshot()).toEqual(core.service.snapshot());
    }
    const copy = restore();
    const ended = core.send("d", { kind: "end-edge" });
    const [entry] = core.entries.slice(-1);
    if (entry !== undefined) expect(copy.apply(entry)).toEqual(ended);
    expect(releases(ended)).toHaveLength(2);
  });
});
