// SPDX-License-Identifier: MIT
// Goal: a group is one event for all its members, and completes once, with the worst of their
// errors. Method: one core without a clock, entries by hand; all small groups exhaustively. Titles
// name the recorded fault of the old scheduler that the test would find.
import { describe, expect, it } from "vitest";
import { effectsOf } from "../../../../src/testing/core-driver.ts";
import {
  AgendaBench,
  agent,
  answers,
  at,
  done,
  ended,
  event,
  fires,
  run,
  second,
  seen,
  sent,
  start,
  steps,
} from "./bench.ts";

const agents = ["a", "b", "c"].map((name) => agent(name));
const groups = [{ name: "g", members: ["a", "b", "c"] }];
const sequences = [{ name: "q", steps: steps(run("g"), event("next")) }];
const main = [at(0, start("q", "SEQUENCE"))];

describe("an event for a group", () => {
  it("goes out once, with its members and one token", () => {
    const bench = new AgendaBench();
    const applied = bench.begin({ agents, groups, main: [at(0, run("g"))] });
    expect(fires(applied).map(({ token, members }) => [token, members])).toEqual([
      [1, ["a", "b", "c"]],
    ]);
  });

  it("A8 fault 20: completes when each member has answered, and one that answers twice counts once", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, groups, sequences, main });
    bench.complete(1, 0, { member: "a" });
    const twice = bench.complete(1, 0, { member: "a" });
    expect(seen(twice, "answer-refused")).toMatchObject([{ why: "a is not awaited" }]);
    bench.complete(1, 0, { member: "x" });
    expect(sent(bench.complete(1, 0, { member: "b" }))).toEqual([]);
    const last = bench.complete(1, 0, { member: "c" });
    expect([sent(last), ended(last)]).toEqual([["next"], ["g 0", "q 0"]]);
  });

  it("says that it is ignored when all members ignore it, and not when one does something", () => {
    const ignored = "ignored: nobody obeys it";
    for (const [texts, whole] of [
      [[ignored, "ignored: another reason", ignored], ignored],
      [["", ignored, ignored], ""],
      [[ignored, "", ignored], ""],
      [[ignored, ignored, ""], ""],
    ] as const) {
      const bench = new AgendaBench();
      bench.begin({ agents, groups, main: [at(0, run("g"))] });
      const [a, b, c] = texts;
      bench.complete(1, 0, { member: "a", text: a });
      bench.complete(1, 0, { member: "b", text: b });
      const last = bench.complete(1, 0, { member: "c", text: c });
      expect(seen(last, "event-completed")).toMatchObject([{ error: 0, text: whole }]);
    }
    const bench = new AgendaBench();
    bench.begin({ agents, groups, main: [at(0, run("g"))] });
    bench.complete(1, 0, { member: "a", text: ignored });
    bench.complete(1, 4, { member: "b", text: "no rope" });
    const last = bench.complete(1, 0, { member: "c", text: ignored });
    expect(seen(last, "event-completed")).toMatchObject([{ error: 4, text: "no rope" }]);
  });

  it("A9 faults 19, 20: has the worst error of all orders of answers, and never loses -1", () => {
    const errors = [0, 1, -1, 3, -3] as const;
    for (const a of errors) {
      for (const b of errors) {
        for (const c of errors) {
          const bench = new AgendaBench();
          bench.begin({ agents, groups, sequences, main });
          bench.complete(1, a, { member: "a" });
          bench.complete(1, b, { member: "b" });
          const last = bench.complete(1, c, { member: "c" });
          const worst = [0, 1, -1, 3, -3].filter((error) => [a, b, c].some((e) => e === error));
          expect(ended(last)).toEqual([`g ${worst.at(-1)}`, `q ${worst.at(-1)}`]);
        }
      }
    }
  });

  it("is completed as a whole by a performer that says no member", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, groups, sequences, main });
    bench.complete(1, -1, { member: "b" });
    expect(ended(bench.complete(1, 0))).toEqual(["g -1", "q -1"]);
  });

  it("fault 3: a member that never answers ends it at its deadline, by name", () => {
    const bench = new AgendaBench({ completionDeadlineUs: 5 * second });
    bench.begin({ agents, groups });
    bench.schedule("g", "RUN");
    bench.complete(1, 0, { member: "b" });
    expect(done(bench.core.pass(5 * second - 1))).toEqual([]);
    expect(done(bench.core.tick(1))).toEqual([
      "1 -1 no completion within the time allowed; missing: a, c",
    ]);
    expect(seen(bench.complete(1, 0, { member: "a" }), "answer-refused")).toHaveLength(1);
  });

  it("a second event goes out while it waits, so that STOP reaches its members", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, groups });
    bench.schedule("g", "RUN");
    const stop = bench.schedule("g", "STOP");
    expect(fires(stop)).toMatchObject([{ token: 2, members: ["a", "b", "c"] }]);
    bench.complete(2);
    for (const member of ["a", "b"]) bench.complete(1, 0, { member });
    expect(done(bench.complete(1, 0, { member: "c" }))).toEqual(["1 0"]);
  });

  it("fault 2: leaves out members that are down and completes them with -1", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, groups });
    const down = {
      kind: "agenda-agents",
      objects: ["b"],
      state: "down",
      reason: "its node",
    } as const;
    bench.send(down);
    expect(fires(bench.schedule("g", "RUN"))).toMatchObject([{ members: ["a", "c"] }]);
    bench.complete(1, 0, { member: "a" });
    expect(done(bench.complete(1, 0, { member: "c" }))).toEqual([
      "1 -1 b cannot obey now: its node",
    ]);
  });

  it("of sequences starts each, and completes when all have ended", () => {
    const bench = new AgendaBench();
    const two = [
      { name: "s1", steps: steps(run("a")) },
      { name: "s2", steps: steps(run("b")) },
    ];
    bench.begin({ agents, groups: [{ name: "sg", members: ["s1", "s2"] }], sequences: two });
    expect(sent(bench.schedule("sg", "RUN"))).toEqual(["a", "b"]);
    expect(ended(bench.complete(1, 0))).toEqual(["s1 0"]);
    const last = bench.complete(2, 6);
    expect([ended(last), done(last)]).toEqual([["s2 6", "sg 6"], ["1 6"]]);
    expect(effectsOf(last, "error-report").map(({ object }) => object)).toEqual(["sg"]);
  });

  it("of timelines completes at the last instant of the longest", () => {
    const bench = new AgendaBench();
    const timelines = [
      { name: "l1", events: [at(second, event("x"))] },
      { name: "l2", events: [at(3 * second, event("y"))] },
    ];
    bench.begin({ groups: [{ name: "lg", members: ["l1", "l2"] }], timelines });
    bench.schedule("lg", "START");
    expect(done(bench.core.pass(3 * second - 1))).toEqual([]);
    expect(done(bench.core.tick(1))).toEqual(["1 0"]);
  });
});

describe("a group that cannot work", () => {
  const agentsOfTwo = [...agents, agent("l", "LINK")];
  it.each([
    ["mixed", ["a", "l"], "group w is mixed: a is a PROGRAM, l a LINK; make two groups"],
    ["nested", ["a", "g"], "group w has the group g in it; name its members instead"],
    ["its own member", ["w"], "group w has the group w in it; name its members instead"],
    ["of somebody unknown", ["a", "z"], "group w has z in it, which does not exist"],
    ["empty", [], "group w has no members"],
  ])(
    "fault 15: %s is said when it is loaded, refused when used, and harms nobody",
    (_, members, why) => {
      const bench = new AgendaBench();
      const bad = { name: "w", members };
      const planned = [at(0, event("w", "PROGRAM", "RUN")), at(0, run("a"))];
      const loaded = bench.begin({ agents: agentsOfTwo, groups: [bad, ...groups], main: planned });
      expect(seen(loaded, "agenda-problem")).toMatchObject([{ text: why }]);
      expect(seen(loaded, "event-fired")).toMatchObject([{ outcome: `failed: ${why}` }]);
      expect(sent(loaded)).toEqual(["a"]);
      expect(answers(bench.schedule("w", "RUN"))).toEqual([
        { kind: "refused", code: "invalid", message: why },
      ]);
      expect(sent(bench.schedule("g", "RUN"))).toEqual(["g"]);
    },
  );
});
