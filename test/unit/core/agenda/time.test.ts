// SPDX-License-Identifier: MIT
// Goal: event time stands still when asked, begins again when asked, and nothing of what went
// before comes through. Method: one core without a clock, entries by hand. Titles name the recorded
// fault of the old scheduler that the test would find.
import { describe, expect, it } from "vitest";
import { effectsOf, init, initOnly, wait } from "../../../../src/testing/core-driver.ts";
import {
  AgendaBench,
  agent,
  answers,
  at,
  done,
  ended,
  event,
  fires,
  idles,
  planned,
  run,
  second,
  seen,
  sent,
  start,
  steps,
  within,
} from "./bench.ts";

const agents = [agent("prog0"), agent("link0", "LINK")];

describe("pause and resume", () => {
  it("fault 13: shift what is ahead by the time between them", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [at(5 * second, event("a"))] });
    bench.core.pass(2 * second);
    expect(bench.ask({ kind: "agenda-pause" })).toEqual({ kind: "paused", eventUs: 2 * second });
    expect(sent(bench.core.pass(60 * second))).toEqual([]);
    expect(bench.ask({ kind: "agenda-resume" })).toEqual({ kind: "resumed", eventUs: 2 * second });
    expect(sent(bench.core.pass(2 * second))).toEqual([]);
    const applied = bench.core.tick(500_000);
    expect(fires(applied)).toMatchObject([
      { plannedUs: 5 * second, dueStampUs: bench.core.stampUs + 500_000 },
    ]);
  });

  it("ask back what is out and not due; what has fired meanwhile counts as fired", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [at(400_000, event("a")), at(450_000, event("b"))] });
    const paused = bench.send({ kind: "agenda-pause" });
    expect(effectsOf(paused, "revoke").map(({ token }) => token)).toEqual([1, 2]);
    bench.revoked(1, true);
    bench.revoked(2, false);
    bench.complete(1);
    bench.core.pass(9 * second);
    const resumed = bench.send({ kind: "agenda-resume" });
    expect(fires(resumed)).toMatchObject([
      { token: 3, event: { object: "b" }, plannedUs: 450_000 },
    ]);
  });

  it("an answer that comes after the resume still sends the event out again", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [at(400_000, event("a"))] });
    bench.send({ kind: "agenda-pause" });
    bench.send({ kind: "agenda-resume" });
    expect(sent(bench.revoked(1, false))).toEqual(["a"]);
  });

  it("let through what is wanted now, and hold what it leads to", () => {
    const bench = new AgendaBench();
    const sequences = [{ name: "q", steps: steps(run("prog0")) }];
    bench.begin({ agents, sequences });
    bench.send({ kind: "agenda-pause" });
    expect(sent(bench.schedule("link0", "DOWN"))).toEqual(["link0"]);
    expect(sent(bench.schedule("q", "START"))).toEqual([]);
    expect(sent(bench.send({ kind: "agenda-resume" }))).toEqual(["prog0"]);
  });

  it("what is asked for in a second, in the middle of a pause, comes a second after it", () => {
    const bench = new AgendaBench();
    bench.begin({ agents });
    bench.send({ kind: "agenda-pause" });
    bench.core.pass(30 * second);
    bench.schedule("link0", "UP", { at: within(second) });
    bench.core.pass(30 * second);
    bench.send({ kind: "agenda-resume" });
    expect(planned(bench.core.pass(second))).toEqual([second]);
  });

  it("leave the deadlines of completions running: the work goes on as well", () => {
    const bench = new AgendaBench({ completionDeadlineUs: 5 * second });
    bench.begin({ agents });
    bench.schedule("prog0", "RUN");
    bench.send({ kind: "agenda-pause" });
    expect(done(bench.core.pass(5 * second))).toEqual([expect.stringMatching(/missing: prog0$/)]);
  });

  it("twice are no more than once", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [at(9 * second, event("a"))] });
    bench.send({ kind: "agenda-resume" });
    bench.send({ kind: "agenda-pause" });
    bench.core.pass(second);
    bench.send({ kind: "agenda-pause" });
    bench.core.pass(second);
    bench.send({ kind: "agenda-resume" });
    bench.send({ kind: "agenda-resume" });
    expect(planned(bench.core.pass(8 * second + 499_999))).toEqual([]);
    expect(planned(bench.core.tick(1))).toEqual([9 * second]);
  });
});

describe("replay", () => {
  it("is idle when all of it was cancelled, once, at the last instant of the main timeline", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [at(2 * second, event("link0")), at(4 * second, event("link0"))] });
    bench.core.tick(second);
    const numbers = seen(bench.send({ kind: "agenda-replay" }), "event-dispatched");
    expect(numbers).toEqual([]);
    const { events } = bench.core.service.listEvents("s", 0);
    const cancelled = events.map(({ id }) => idles(bench.send({ kind: "agenda-cancel", id })));
    expect(cancelled).toEqual([0, 0]);
    const later = [1, 2, 3, 4, 5].map(() => idles(bench.core.tick(second)));
    expect(later).toEqual([0, 0, 0, 1, 0]);
  });

  const main = [at(0, run("prog0")), at(5 * second, event("link0"))];

  it("begins again at 0 and refuses what answers the epoch before", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main });
    bench.core.pass(3 * second);
    const again = bench.send({ kind: "agenda-replay" });
    expect(fires(again)).toMatchObject([{ token: 2, plannedUs: 0 }]);
    for (const late of [bench.fired(1), bench.complete(1), bench.revoked(1, false)]) {
      expect(seen(late, "answer-refused")).toHaveLength(1);
      expect(idles(late)).toBe(0);
    }
    expect(planned(bench.core.pass(5 * second))).toEqual([5 * second]);
  });

  it("tells who waits that it will not be, and asks back what is out", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main });
    bench.schedule("link0", "UP", { at: within(9 * second) });
    bench.core.pass(4_600_000);
    const again = bench.send({ kind: "agenda-replay" });
    expect(done(again)).toEqual(["3 -1 the events are replayed from the beginning"]);
    expect(effectsOf(again, "revoke").map(({ token }) => token)).toEqual([1, 2]);
  });

  it("ends a pause", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main });
    bench.send({ kind: "agenda-pause" });
    bench.core.pass(5 * second);
    expect(planned(bench.send({ kind: "agenda-replay" }))).toEqual([0]);
  });
});

describe("halt and the swap-out sequence", () => {
  it("drop what is planned; __ns_swapout runs to its end and its sender learns it", () => {
    const bench = new AgendaBench();
    const sequences = [
      { name: "__ns_swapout", steps: steps(run("prog0"), event("link0")) },
      { name: "q", steps: steps(run("prog0")) },
    ];
    const main = [at(0, start("q", "SEQUENCE")), at(60 * second, event("link0"))];
    bench.begin({ agents, main, sequences });
    const halted = bench.send({ kind: "agenda-halt" });
    expect(ended(halted)).toEqual(["q -1"]);
    bench.revoked(1, true);
    expect(sent(bench.schedule("__ns_swapout", "RUN"))).toEqual(["prog0"]);
    const last = bench.complete(2);
    expect([sent(last), done(last).length]).toEqual([["link0"], 1]);
    expect(sent(bench.core.pass(90 * second))).toEqual([]);
  });
});

describe("events that wait for barriers", () => {
  const on = { barrier: "b", outcome: "crossed" } as const;

  it("fire in the entry in which the barrier ends like that, once per generation", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [{ ...at(0, event("link0")), on }] });
    bench.core.send("w", init(1, 1, { barrier: "b" }), init(2, 1, { barrier: "c" }));
    const crossed = bench.core.send("w", wait(3, { barrier: "b" }));
    expect([effectsOf(crossed, "released").length, sent(crossed)]).toEqual([1, ["link0"]]);
    bench.core.send("w", init(4, 1, { barrier: "b" }));
    expect(sent(bench.core.send("w", wait(5, { barrier: "b" })))).toEqual([]);
  });

  it("wait on when it ends otherwise", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [{ ...at(0, event("link0")), on }] });
    bench.core.send("w", init(1, 1, { barrier: "b" }));
    const cancel = { kind: "cancel-all", scope: "s", error: 240 } as const;
    expect(sent(bench.core.send("w", cancel))).toEqual([]);
    bench.core.send("w", init(2, 1, { barrier: "b" }));
    expect(sent(bench.core.send("w", wait(3, { barrier: "b" })))).toEqual(["link0"]);
  });

  it("count their offset from there", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [{ ...at(2 * second, event("link0")), on }] });
    bench.core.pass(3 * second);
    bench.core.send("w", init(1, 1, { barrier: "b" }), wait(2, { barrier: "b" }));
    expect(planned(bench.core.pass(2 * second))).toEqual([5 * second]);
  });

  it("in a sequence do not miss a barrier that ended while the steps before ran", () => {
    const bench = new AgendaBench();
    const sequences = [
      { name: "q", steps: [at(0, run("prog0")), { ...at(0, event("link0")), on }] },
    ];
    bench.begin({ agents, main: [at(0, start("q", "SEQUENCE"))], sequences });
    bench.core.send("w", initOnly(1, 1, { barrier: "b" }));
    bench.core.send("w", wait(2, { barrier: "b" }));
    expect(sent(bench.complete(1))).toEqual(["link0"]);
  });

  it("that are sent do not take an end of the past for the one they wait for", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [{ ...at(0, event("link0")), on }] });
    bench.core.send("w", init(1, 1, { barrier: "b" }), wait(2, { barrier: "b" }));
    expect(sent(bench.schedule("link0", "DOWN", { on }))).toEqual([]);
  });

  it("do not keep an agenda from being idle, which names what they wait for; then again", () => {
    const bench = new AgendaBench();
    const first = bench.begin({ agents, main: [{ ...at(0, event("link0")), on }] });
    expect(effectsOf(first, "agenda-idle")).toMatchObject([{ waitingFor: ["b"] }]);
    bench.core.send("w", init(1, 1, { barrier: "b" }), wait(2, { barrier: "b" }));
    expect(effectsOf(bench.complete(1), "agenda-idle")).toMatchObject([{ waitingFor: [] }]);
  });

  it("hold the end of their timeline; a cancelled one does not", () => {
    const bench = new AgendaBench();
    const events = [{ ...at(second, event("x")), on }, at(0, event("y"))];
    bench.begin({ agents, timelines: [{ name: "l", events }] });
    bench.schedule("l", "START");
    bench.schedule("l", "START");
    expect(ended(bench.core.pass(9 * second))).toEqual([]);
    const waiting = bench.core.service.listEvents("s", 0).events.filter(({ on: b }) => b !== null);
    const [first] = waiting;
    expect(ended(bench.send({ kind: "agenda-cancel", id: first?.id ?? 0 }))).toEqual(["l 0"]);
    bench.core.send("w", init(1, 1, { barrier: "b" }), wait(2, { barrier: "b" }));
    expect(ended(bench.core.pass(second))).toEqual(["l 0"]);
  });
});

describe("answers of the performer", () => {
  it("late ones are marked, skipped ones complete with -1 and say by how much (D8)", () => {
    const bench = new AgendaBench();
    bench.begin({ agents });
    const terms = { toleranceUs: 10, whenLate: "skip" } as const;
    const asked = bench.note(bench.schedule("link0", "UP", { at: within(400_000), terms }));
    expect(fires(asked)).toMatchObject([{ toleranceUs: 10, whenLate: "skip" }]);
    const skipped = bench.fired(1, 11, "skipped");
    expect(seen(skipped, "event-fired")).toMatchObject([{ late: true, latenessUs: 11 }]);
    expect(done(skipped)).toEqual([
      "1 -1 link0 was skipped: 11 us late, more than the 10 us it tolerates",
    ]);
  });

  it("at the tolerance are not late", () => {
    const bench = new AgendaBench();
    bench.begin({ agents });
    bench.note(bench.schedule("link0", "UP", { at: within(400_000) }));
    expect(seen(bench.fired(1, 100_000), "event-fired")).toMatchObject([{ late: false }]);
  });

  it("delivered twice count once", () => {
    const bench = new AgendaBench();
    bench.begin({ agents });
    bench.schedule("prog0", "RUN");
    expect(seen(bench.fired(1), "event-fired")).toHaveLength(1);
    expect(seen(bench.fired(1), "event-fired")).toEqual([]);
    expect(done(bench.complete(1))).toEqual(["1 0"]);
    expect(done(bench.complete(1))).toEqual([]);
    expect(seen(bench.complete(7), "answer-refused")).toHaveLength(1);
  });

  it("an unknown result is error -1 with a text of its own (D7)", () => {
    const bench = new AgendaBench();
    bench.begin({ agents });
    bench.schedule("prog0", "RUN");
    const unknown = { kind: "agenda-complete", token: 1, error: 0, unknown: true } as const;
    expect(done(bench.send(unknown))).toEqual(["1 -1 nobody knows whether it happened"]);
  });

  it("may come from another edge: a run script completes what the performer began", () => {
    const bench = new AgendaBench();
    bench.begin({ agents });
    bench.schedule("prog0", "RUN");
    expect(done(bench.send({ kind: "agenda-complete", token: 1, error: 4 }, "r"))).toEqual(["1 4"]);
  });
});

describe("the end of an agenda", () => {
  it("close-scope takes its timers with it and tells who waits", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [at(5 * second, event("link0"))] });
    bench.schedule("prog0", "RUN");
    const closed = bench.core.send("p", { kind: "close-scope", scope: "s", error: 0 });
    expect(done(closed)).toEqual([expect.stringContaining("-1 the experiment has ended")]);
    expect(bench.core.service.nextDeadlineUs()).toBeUndefined();
  });

  it("stops with the edge that performs it, and can be loaded by the next", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main: [at(5 * second, event("link0"))] });
    bench.schedule("prog0", "RUN");
    bench.send({ kind: "agenda-cancel", id: 1 }, "r");
    const gone = bench.core.send("p", { kind: "end-edge" });
    expect(done(gone)).toEqual([expect.stringContaining("-1 its performer is gone")]);
    expect(bench.core.service.nextDeadlineUs()).toBeUndefined();
    const main = [at(0, event("b"))];
    const empty = { agents: [], groups: [], timelines: [], sequences: [] };
    const load = { kind: "agenda-load", scope: "s", main, ...empty } as const;
    expect(sent(bench.core.send("f", load, { kind: "agenda-start", scope: "s" }))).toEqual(["b"]);
  });

  it("a barrier that ends with the scope sets nothing going", () => {
    const bench = new AgendaBench();
    const on = { barrier: "b", outcome: "cancelled" } as const;
    bench.begin({ agents, main: [{ ...at(0, event("link0")), on }] });
    bench.core.send("w", wait(1, { barrier: "b" }));
    const closed = bench.core.send("p", { kind: "close-scope", scope: "s", error: 0 });
    expect([sent(closed), answers(closed)]).toEqual([[], []]);
  });
});

describe("idle", () => {
  it("A5 is said once, when nothing is due, running or out", () => {
    const bench = new AgendaBench();
    expect(idles(bench.begin({ main: [at(second, run("p"))] }))).toBe(0);
    const fired = bench.core.pass(second);
    expect([sent(fired), idles(fired)]).toEqual([["p"], 0]);
    expect(idles(bench.complete(1))).toBe(1);
    expect(idles(bench.complete(1))).toBe(0);
    expect(idles(bench.core.send("p", { kind: "agenda-start", scope: "s" }))).toBe(0);
    expect(idles(bench.core.pass(5 * second))).toBe(0);
  });

  it("A5 an empty agenda is idle at once", () => {
    expect(idles(new AgendaBench().begin())).toBe(1);
  });

  it("describe() tells what is pending and what comes next", () => {
    const bench = new AgendaBench();
    bench.begin({ main: [at(3 * second, event("a")), at(4 * second, event("b"))] });
    bench.core.tick(second);
    expect(bench.core.service.describe("s")).toMatchObject({
      ...{ pendingEvents: 2, nextEvent: { object: "a", event: "UP", inUs: 2 * second } },
    });
    bench.core.pass(1_600_000);
    expect(bench.core.service.describe("s")).toMatchObject({
      ...{ pendingEvents: 2, nextEvent: { object: "a", inUs: 400_000 } },
    });
  });
});

describe("events side by side", () => {
  it("fault 16: one that takes long delays no other, nor do agents that do nothing else", () => {
    const bench = new AgendaBench();
    const main = [at(0, run("prog0")), at(second, event("link0")), at(2 * second, run("prog0"))];
    bench.begin({ agents, main });
    expect(sent(bench.core.pass(3 * second))).toEqual(["link0", "prog0"]);
  });

  it("fault 17: two that are alike in everything are two events", () => {
    const bench = new AgendaBench();
    const twin = at(second, run("prog0"));
    bench.begin({ agents, main: [twin, twin] });
    expect(fires(bench.core.pass(second)).map(({ token }) => token)).toEqual([1, 2]);
    expect(idles(bench.complete(2))).toBe(0);
    expect(idles(bench.complete(1))).toBe(1);
  });
});
