// SPDX-License-Identifier: MIT
// Goal: timelines fire what they hold at its instant, in order, and end when they say. Method: one
// core without a clock, entries by hand. Titles name the recorded fault of the old scheduler that
// the test would find.
import { describe, expect, it } from "vitest";
import { effectsOf } from "../../../../src/testing/core-driver.ts";
import {
  AgendaBench,
  agent,
  aheadUs,
  answers,
  at,
  done,
  ended,
  event,
  fires,
  idles,
  load,
  planned,
  run,
  second,
  seen,
  sent,
  start,
  within,
} from "./bench.ts";

describe("the main timeline", () => {
  it("A1 sends events out ahead of their instants, which go with them", () => {
    const bench = new AgendaBench();
    const main = [at(2 * second, event("c")), at(0, event("a")), at(2 * second, event("d"))];
    const zeroUs = bench.core.stampUs;
    expect(sent(bench.begin({ main: [...main, at(1, event("b"))] }))).toEqual(["a", "b"]);
    expect(sent(bench.core.pass(2 * second - aheadUs - 1))).toEqual([]);
    const applied = bench.core.tick(1);
    expect(sent(applied)).toEqual(["c", "d"]);
    expect(fires(applied).map(({ dueStampUs }) => dueStampUs - zeroUs)).toEqual([
      2 * second,
      2 * second,
    ]);
  });

  it("fault 8: an entry that comes late says when each event was due, and how late it is", () => {
    const bench = new AgendaBench();
    bench.begin({ main: [at(5 * second, event("a")), at(5 * second + 7, event("b"))] });
    bench.core.pass(4 * second);
    const applied = bench.note(bench.core.tick(2 * second));
    expect(planned(applied)).toEqual([5 * second, 5 * second + 7]);
    const [fired] = seen(bench.fired(1, second), "event-fired");
    expect(fired).toMatchObject({ latenessUs: second, late: true, plannedUs: 5 * second });
  });

  it("fault 9: what is asked for one instant is due at one, however long each took to the log", () => {
    const bench = new AgendaBench();
    bench.begin({ agents: [agent("prog0")] });
    const stampUs = bench.core.stampUs + second;
    // The later a request is read, the less time is left; entries have stamps of their own.
    for (const [args, us, tookUs] of [
      ["1", second, 900],
      ["2", second - 5, 0],
      ["3", second - 2_000, 40_000],
    ] as const) {
      bench.core.pass(tookUs);
      bench.schedule("prog0", "RUN", { args, at: { kind: "in", us, stampUs } });
    }
    const out = fires(bench.core.pass(second - aheadUs - 40_900));
    expect(out.map(({ event, dueStampUs }) => [event.args, dueStampUs])).toEqual([
      ["1", stampUs],
      ["2", stampUs],
      ["3", stampUs],
    ]);
    // It is past when it comes to the log: due at once.
    bench.core.pass(second);
    const late = bench.schedule("prog0", "RUN", { at: { kind: "in", us: 5, stampUs } });
    expect(
      [fires(late), fires(bench.core.pass(0))].flat().map(({ dueStampUs }) => dueStampUs),
    ).toEqual([bench.core.stampUs]);
  });

  it("fault 9: a hundred equal instants, planned and not, fire first come, first served", () => {
    const bench = new AgendaBench();
    const names = Array.from({ length: 50 }, (_, index) => `l${index}`);
    const main = names.map((name) => at(9 * second, event(name)));
    bench.begin({ main });
    for (const name of names) bench.schedule(name, "DOWN", { at: { kind: "at", us: 9 * second } });
    expect(sent(bench.core.pass(9 * second))).toEqual([...names, ...names]);
  });

  it("starts again at 0 with each epoch, and knows its number (fault 10)", () => {
    const bench = new AgendaBench();
    const main = [at(second, event("a"))];
    const zeros = effectsOf(bench.begin({ main }), "time-started");
    bench.core.pass(5 * second);
    const again = bench.send({ kind: "agenda-replay" });
    const all = [...zeros, ...effectsOf(again, "time-started")];
    expect(all.map(({ epoch, zeroStampUs }) => [epoch, zeroStampUs])).toEqual([
      [1, bench.core.stampUs - 5 * second],
      [2, bench.core.stampUs],
    ]);
    expect(planned(bench.core.pass(second))).toEqual([second]);
  });

  it("time 0 may lie ahead, so that what is due then is out before it", () => {
    const bench = new AgendaBench();
    const first = bench.core.send("p", load({ main: [at(0, event("a"))] }), {
      ...{ kind: "agenda-start", scope: "s", inUs: 200_000 },
    });
    expect(fires(first)).toMatchObject([{ dueStampUs: bench.core.stampUs + 200_000 }]);
  });

  it("waits for the steps of __ns_sequence, which come before time 0", () => {
    const bench = new AgendaBench();
    const sequences = [{ name: "__ns_sequence", steps: [at(0, run("setup"))] }];
    const first = bench.begin({ main: [at(0, event("a"))], sequences });
    expect(sent(first)).toEqual(["setup"]);
    expect(effectsOf(first, "time-started")).toEqual([]);
    bench.core.pass(3 * second);
    const second_ = bench.complete(1);
    expect(effectsOf(second_, "time-started")).toMatchObject([
      { epoch: 1, zeroStampUs: bench.core.stampUs },
    ]);
    expect(planned(second_)).toEqual([0]);
  });

  it("does not start when __ns_sequence fails, and says so", () => {
    const bench = new AgendaBench();
    const sequences = [{ name: "__ns_sequence", steps: [at(0, run("setup"))] }];
    bench.begin({ main: [at(0, event("a"))], sequences });
    const failed = bench.complete(1, 4);
    expect(sent(failed)).toEqual([]);
    expect(seen(failed, "object-ended")).toMatchObject([{ name: "__ns_sequence", error: 4 }]);
    expect(idles(failed)).toBe(1);
  });
});

describe("named timelines", () => {
  const timelines = [{ name: "l", events: [at(second, event("x")), at(0, event("w"))] }];

  it("A1 count from the instant they were to start at, however late that is noticed", () => {
    const bench = new AgendaBench();
    bench.begin({ main: [at(5 * second, start("l", "TIMELINE"))], timelines });
    bench.core.pass(4 * second);
    expect(planned(bench.core.tick(2 * second))).toEqual([5 * second, 6 * second]);
  });

  it("A6 complete at the instant of their last event, not when its work ends (fault 21)", () => {
    const bench = new AgendaBench();
    const sequences = [
      { name: "q", steps: [at(0, event("l", "TIMELINE", "RUN")), at(0, run("p"))] },
    ];
    const all = [{ name: "l", events: [at(second, run("x"))] }];
    bench.begin({ main: [at(0, start("q", "SEQUENCE"))], sequences, timelines: all });
    const before = bench.core.tick(second - 1);
    expect([sent(before), ended(before)]).toEqual([["x"], []]);
    const after = bench.core.tick(1);
    expect([sent(after), ended(after)]).toEqual([["p"], ["l 0"]]);
  });

  it("complete at once when they are empty", () => {
    const bench = new AgendaBench();
    const empty = [{ name: "l", events: [] }];
    expect(ended(bench.begin({ main: [at(0, start("l", "TIMELINE"))], timelines: empty }))).toEqual(
      ["l 0"],
    );
  });

  it("run twice when they are started again while they run", () => {
    const bench = new AgendaBench();
    const main = [at(0, start("l", "TIMELINE")), at(500_000, start("l", "TIMELINE"))];
    bench.begin({ main, timelines });
    expect(planned(bench.core.pass(2 * second))).toEqual([500_000, second, 1_500_000]);
  });

  it("fault 21: RESET ends all their runs and takes back what they hold", () => {
    const bench = new AgendaBench();
    const late = [{ name: "l", events: [at(second, event("x")), at(9 * second, event("y"))] }];
    bench.begin({ main: [at(0, start("l", "TIMELINE"))], timelines: late });
    bench.core.pass(second - aheadUs);
    const reset = bench.schedule("l", "RESET");
    expect(effectsOf(reset, "revoke")).toMatchObject([{ token: 1 }]);
    expect(ended(reset)).toEqual(["l -1"]);
    expect(done(reset)).toEqual([expect.stringMatching(/ 0$/)]);
    bench.revoked(1, false);
    expect(sent(bench.core.pass(20 * second))).toEqual([]);
  });

  it("CLEAR empties them for the next start", () => {
    const bench = new AgendaBench();
    bench.begin({ timelines });
    bench.schedule("l", "CLEAR");
    expect(sent(bench.schedule("l", "START"))).toEqual([]);
  });

  it("what is added takes part in runs that have not passed its place", () => {
    const bench = new AgendaBench();
    bench.begin({ main: [at(0, start("l", "TIMELINE"))], timelines });
    bench.core.pass(2 * second);
    const again = bench.schedule("l", "START");
    expect(sent(again)).toEqual(["w"]);
    const added = bench.schedule("x", "DOWN", { at: within(3 * second), timeline: "l" });
    expect(answers(added)).toEqual([{ kind: "appended", id: 7 }]);
    expect(planned(bench.core.pass(9 * second))).toEqual([3 * second, 5 * second]);
    expect(sent(bench.schedule("l", "START"))).toEqual(["w"]);
    expect(sent(bench.core.pass(9 * second))).toEqual(["x", "x"]);
  });

  it("fault 10: what is added to the main timeline while it runs fires in this epoch", () => {
    const bench = new AgendaBench();
    bench.begin({ main: [at(9 * second, event("a"))] });
    bench.core.pass(2 * second);
    bench.schedule("a", "DOWN", { at: within(4 * second), timeline: "__ns_timeline" });
    expect(planned(bench.core.pass(9 * second))).toEqual([4 * second, 9 * second]);
  });

  it("one that starts itself at one instant again and again cannot hold the core for ever", () => {
    const bench = new AgendaBench();
    const loop = [{ name: "l", events: [at(0, start("l", "TIMELINE"))] }];
    const applied = bench.begin({ main: [at(0, start("l", "TIMELINE"))], timelines: loop });
    expect(ended(applied).length).toBeLessThanOrEqual(100_000);
    expect(seen(applied, "event-fired").at(-1)?.outcome).toMatch(/too many/);
  });
});
