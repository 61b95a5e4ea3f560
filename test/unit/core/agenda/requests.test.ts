// SPDX-License-Identifier: MIT
// Goal: whoever sends an event learns what becomes of it: taken in or refused and why, then done;
// and can take it back or change it until it fires, with an answer that is never a guess. Method:
// one core without a clock, entries by hand. Titles name the recorded fault of the old scheduler
// that the test would find.
import { describe, expect, it } from "vitest";
import { effectsOf } from "../../../../src/testing/core-driver.ts";
import {
  AgendaBench,
  agent,
  answers,
  at,
  done,
  event,
  fires,
  idles,
  now,
  planned,
  run,
  second,
  seen,
  sent,
  steps,
  within,
} from "./bench.ts";

const agents = [agent("prog0"), agent("prog1"), agent("link0", "LINK")];

function makeBench(): AgendaBench {
  const bench = new AgendaBench();
  const timelines = [{ name: "line", events: [] }];
  bench.begin({ agents, timelines, sequences: [{ name: "seq", steps: steps(run("prog0")) }] });
  return bench;
}

describe("schedule", () => {
  it("faults 1, 2: answers the sender when it is taken in and when it is done", () => {
    const bench = makeBench();
    const asked = bench.schedule("prog0", "RUN", { args: "COMMAND=x" }, "q");
    expect(asked.addressed).toMatchObject([
      { edge: "q", effect: { kind: "agenda-answer", answer: { kind: "accepted", id: 1 } } },
      { edge: "p", effect: { kind: "fire", event: { type: "PROGRAM", args: "COMMAND=x" } } },
    ]);
    const finished = bench.complete(1, 3, { text: "exit status 3" });
    expect(finished.addressed).toMatchObject([
      { edge: "q", effect: { kind: "event-done", id: 1, error: 3, text: "exit status 3" } },
      { edge: "p", effect: { kind: "agenda-idle" } },
    ]);
  });

  it.each([
    [
      "an unknown object",
      "lnik0",
      "UP",
      "unknown",
      "there is no object lnik0; did you mean link0?",
    ],
    ["a name in the wrong case", "LINK0", "UP", "unknown", "did you mean link0?"],
    ["nothing like it", "zzzzzz", "UP", "unknown", /zzzzzz$/],
    [
      "an event the object does not know",
      ...["link0", "EXPLODE", "invalid", "link0 is a LINK and knows no EXPLODE; it knows UP, DOWN"],
    ],
    ["TIMELINE HALT", "line", "HALT", "invalid", "it knows START, RUN, RESET, CLEAR"],
  ] as const)(
    "faults 1, 26: %s is refused at once with what would do",
    (_, object, name, code, says) => {
      const bench = makeBench();
      const [answer] = answers(bench.schedule(object, name));
      expect(answer).toMatchObject({ kind: "refused", code });
      if (answer?.kind === "refused") expect(answer.message).toMatch(says);
      expect(bench.core.service.listEvents("s", 0).total).toBe(0);
    },
  );

  it("names the programs of nodes for what the file calls the program of them all", () => {
    const bench = new AgendaBench();
    bench.begin({ agents: ["q", "p-b", "r", "p-a"].map((name) => agent(name)) });
    expect(answers(bench.schedule("p", "START"))).toMatchObject([
      { message: "there is no object p; did you mean p-b or p-a?" },
    ]);
  });

  it("names the ends of a link for one that it has not", () => {
    const bench = new AgendaBench();
    const link = (name: string) => agent(name, "LINK");
    const ends = ["lan-alice", "lan-bob"];
    bench.begin({ agents: [...["lan", ...ends, "other"].map(link), agent("lan-p")] });
    expect(answers(bench.schedule("lan-gateway", "UP"))).toMatchObject([
      { message: "there is no object lan-gateway; ends of lan: lan-alice, lan-bob" },
    ]);
  });

  it("fault 1: an unknown timeline is refused with the nearest", () => {
    const answer = answers(makeBench().schedule("link0", "UP", { timeline: "lime" }))[0];
    expect(answer).toMatchObject({
      message: "there is no timeline or sequence lime; did you mean line?",
    });
  });

  it("fault 2: an agent that is down is refused at once, and what it was doing ends", () => {
    const bench = makeBench();
    bench.schedule("prog0", "RUN");
    const objects = ["prog0"];
    const down = {
      kind: "agenda-agents",
      objects,
      state: "down",
      reason: "node0 is gone",
    } as const;
    expect(done(bench.send(down))).toEqual(["1 -1 prog0 is down: node0 is gone"]);
    expect(answers(bench.schedule("prog0", "RUN"))).toMatchObject([
      { code: "unavailable", message: "prog0 cannot obey now: node0 is gone" },
    ]);
    bench.send({ kind: "agenda-agents", objects, state: "up", reason: "" });
    expect(sent(bench.schedule("prog0", "RUN"))).toEqual(["prog0"]);
  });

  it("a scope without an agenda refuses instead of keeping silent", () => {
    const bench = new AgendaBench();
    expect(bench.ask({ kind: "agenda-cancel", id: 1 })).toMatchObject({
      message: "s has no events now; start the experiment first",
    });
    expect(bench.core.service.snapshot().scopes).toEqual([]);
  });

  it("fault 12: half a second more is half a second more, and a negative time is refused", () => {
    const bench = makeBench();
    const later = bench.schedule("link0", "UP", { at: within(1_500_000) });
    const early = bench.core.pass(second);
    expect(planned({ ...later, addressed: [...later.addressed, ...early.addressed] })).toEqual([
      1_500_000,
    ]);
    expect(answers(bench.schedule("link0", "UP", { at: within(-1) }))).toMatchObject([
      { kind: "refused", code: "invalid" },
    ]);
  });

  it("an instant that is past fires at once", () => {
    const bench = makeBench();
    bench.core.pass(5 * second);
    expect(planned(bench.schedule("link0", "UP", { at: { kind: "at", us: second } }))).toEqual([
      5 * second,
    ]);
  });

  it("an instant means nothing before time 0, a time from now does", () => {
    const bench = new AgendaBench();
    bench.core.send("p", { ...loadOf(), agents });
    expect(answers(bench.schedule("link0", "UP", { at: { kind: "at", us: 5 } }))).toMatchObject([
      { message: expect.stringContaining("ask for `in` instead") },
    ]);
    expect(sent(bench.schedule("link0", "UP", { at: now }))).toEqual(["link0"]);
  });

  it("adds to a sequence, which takes it at its end also while it runs", () => {
    const bench = makeBench();
    bench.schedule("seq", "START");
    bench.schedule("link0", "DOWN", { timeline: "seq" });
    expect(sent(bench.complete(1))).toEqual(["link0"]);
  });

  it("fault 4: equal request numbers of two senders are two events", () => {
    const bench = makeBench();
    const facts = { scope: "s", request: 7, event: "RUN", args: "", at: now };
    const schedule = { kind: "agenda-schedule", ...facts, object: "prog0" } as const;
    bench.core.send("q", schedule);
    bench.core.send("r", { ...schedule, object: "prog1" });
    expect(bench.complete(2, 5).addressed).toMatchObject([
      { edge: "r", effect: { kind: "event-done", request: 7, error: 5 } },
    ]);
  });

  it("is idle again when it is done", () => {
    const bench = makeBench();
    expect(idles(bench.schedule("link0", "UP"))).toBe(0);
    expect(idles(bench.complete(1))).toBe(1);
  });
});

describe("cancel", () => {
  it("fault 13: takes back what has not been sent out", () => {
    const bench = makeBench();
    bench.schedule("link0", "UP", { at: within(9 * second) });
    const cancelled = bench.send({ kind: "agenda-cancel", id: 1 }, "r");
    expect(answers(cancelled)).toEqual([{ kind: "cancelled" }]);
    expect(done(cancelled)).toEqual(["1 -1 it was cancelled"]);
    expect(sent(bench.core.pass(10 * second))).toEqual([]);
  });

  it.each([
    [false, "cancelled"],
    [true, "already-fired"],
  ] as const)("W1 of an event that is out waits for its performer (fired: %s)", (fired, kind) => {
    const bench = makeBench();
    bench.schedule("link0", "UP", { at: within(400_000) });
    const asked = bench.send({ kind: "agenda-cancel", id: 1 }, "r");
    expect(answers(asked)).toEqual([]);
    expect(effectsOf(asked, "revoke")).toMatchObject([{ token: 1 }]);
    const told = bench.revoked(1, fired);
    expect(answers(told)).toEqual([{ kind }]);
    expect(done(told)).toEqual(fired ? [] : ["1 -1 it was cancelled"]);
    const late = bench.complete(1);
    expect(seen(late, "answer-refused")).toHaveLength(fired ? 0 : 1);
    expect(done(late)).toEqual(fired ? ["1 0"] : []);
  });

  it("W1 news that it fired is an answer, whatever comes first", () => {
    for (const proof of ["fired", "complete"] as const) {
      const bench = makeBench();
      bench.schedule("link0", "UP", { at: within(400_000) });
      bench.send({ kind: "agenda-cancel", id: 1 });
      expect(answers(bench[proof](1))).toEqual([{ kind: "already-fired" }]);
      expect(answers(bench.revoked(1, true))).toEqual([]);
    }
  });

  it("W1 two who cancel at once both learn it", () => {
    const bench = makeBench();
    bench.schedule("link0", "UP", { at: within(400_000) });
    bench.send({ kind: "agenda-cancel", id: 1 }, "q");
    expect(effectsOf(bench.send({ kind: "agenda-cancel", id: 1 }, "r"), "revoke")).toEqual([]);
    expect(answers(bench.revoked(1, false))).toEqual([
      { kind: "cancelled" },
      { kind: "cancelled" },
    ]);
  });

  it("W1 a performer that keeps silent is no answer: the cancel is refused at the deadline", () => {
    const bench = new AgendaBench({ completionDeadlineUs: second });
    bench.begin({ agents });
    bench.schedule("link0", "UP", { at: within(400_000) });
    bench.send({ kind: "agenda-cancel", id: 1 });
    expect(answers(bench.core.pass(2 * second))).toMatchObject([
      { kind: "refused", code: "unavailable" },
    ]);
  });

  it("of what has completed, or never was, says so", () => {
    const bench = makeBench();
    bench.schedule("link0", "UP");
    bench.complete(1);
    expect(bench.ask({ kind: "agenda-cancel", id: 1 })).toEqual({ kind: "already-fired" });
    for (const id of [0, -1, 2, 0.5]) {
      expect(bench.ask({ kind: "agenda-cancel", id })).toMatchObject({ code: "unknown" });
    }
  });

  it("of a step ends its sequence when it is waited for, else lets it go on", () => {
    const bench = new AgendaBench();
    const timed = [at(9 * second, event("x")), at(9 * second, run("y")), at(0, event("z"))];
    bench.begin({ sequences: [{ name: "q", steps: timed }] });
    bench.schedule("q", "RUN");
    bench.send({ kind: "agenda-cancel", id: 2 });
    bench.core.pass(9 * second - 500_000);
    expect(bench.core.service.listEvents("s", 0).events.at(-1)).toMatchObject({ object: "y" });
    const cancelled = bench.send({ kind: "agenda-cancel", id: 3 });
    const last = effectsOf(cancelled, "revoke").length > 0 ? bench.revoked(1, false) : cancelled;
    expect(done(last)).toEqual(["1 -1 it was cancelled"]);
  });
});

describe("edit", () => {
  it("fault 13: changes instant and arguments of what has not been sent out", () => {
    const bench = makeBench();
    bench.schedule("link0", "MODIFY", { at: within(9 * second), args: "DELAY=1" });
    const edit = { kind: "agenda-edit", id: 1, at: within(2 * second), args: "DELAY=2" } as const;
    expect(bench.ask(edit, "r")).toEqual({ kind: "edited" });
    expect(fires(bench.core.pass(2 * second))).toMatchObject([
      { plannedUs: 2 * second, event: { args: "DELAY=2" } },
    ]);
  });

  it("W1 of what is out takes it back first; a new token keeps old answers away", () => {
    const bench = makeBench();
    bench.schedule("link0", "UP", { at: within(400_000) });
    bench.send({ kind: "agenda-edit", id: 1, at: within(3 * second) });
    expect(answers(bench.revoked(1, false))).toEqual([{ kind: "edited" }]);
    expect(seen(bench.complete(1), "answer-refused")).toHaveLength(1);
    expect(fires(bench.core.pass(3 * second))).toMatchObject([{ token: 2, plannedUs: 3 * second }]);
    expect(bench.ask({ kind: "agenda-edit", id: 1, args: "" })).toBeUndefined();
    expect(answers(bench.revoked(2, true))).toEqual([{ kind: "already-fired" }]);
  });

  it("A6 of an event of a timeline to a later time takes the end of the timeline along", () => {
    const bench = new AgendaBench();
    const timelines = [{ name: "l", events: [at(second, event("x"))] }];
    bench.begin({ agents, timelines });
    bench.schedule("l", "START");
    bench.send({ kind: "agenda-edit", id: 2, at: within(5 * second) });
    expect(done(bench.core.pass(5 * second - 1))).toEqual([]);
    expect(done(bench.core.tick(1))).toEqual(["1 0"]);
  });

  it("to the same instant as others goes behind them", () => {
    const bench = makeBench();
    bench.schedule("prog0", "STOP", { at: within(9 * second) });
    bench.schedule("prog1", "STOP", { at: within(8 * second) });
    bench.send({ kind: "agenda-edit", id: 1, at: within(8 * second) });
    expect(sent(bench.core.pass(9 * second))).toEqual(["prog1", "prog0"]);
  });

  it("W1 a cancel that comes while an edit is asked for outlives it", () => {
    const bench = makeBench();
    bench.schedule("link0", "UP", { at: within(400_000) });
    bench.send({ kind: "agenda-edit", id: 1, args: "X=1" });
    bench.send({ kind: "agenda-cancel", id: 1 });
    const told = bench.revoked(1, false);
    expect(answers(told)).toEqual([{ kind: "edited" }, { kind: "cancelled" }]);
    expect([sent(told), done(told).length]).toEqual([[], 1]);
  });

  it("while it is being cancelled is refused", () => {
    const bench = makeBench();
    bench.schedule("link0", "UP", { at: within(400_000) });
    bench.send({ kind: "agenda-cancel", id: 1 });
    expect(bench.ask({ kind: "agenda-edit", id: 1, args: "" })).toMatchObject({ kind: "refused" });
  });
});

describe("list", () => {
  it("fault 13: shows what is ahead and under way, page by page", () => {
    const bench = new AgendaBench({ eventsPerPageMax: 2 });
    bench.begin({ agents });
    bench.schedule("prog0", "RUN");
    bench.schedule("link0", "UP", { at: within(9 * second) });
    const on = { barrier: "b", outcome: "crossed" } as const;
    bench.schedule("link0", "DOWN", { on });
    const first = bench.core.service.listEvents("s", 0);
    expect(first).toMatchObject({ total: 3, next: 2, paused: false });
    expect(first.events).toMatchObject([
      { id: 1, object: "prog0", state: "armed", plannedUs: 0 },
      { id: 2, object: "link0", state: "queued", plannedUs: 9 * second },
    ]);
    const second_ = bench.core.service.listEvents("s", 2);
    expect(second_.next).toBeNull();
    expect(second_.events).toMatchObject([{ state: "waiting", plannedUs: null, on: "crossed b" }]);
    expect(bench.core.service.listEvents("nowhere", 0)).toMatchObject({ total: 0, events: [] });
  });
});

function loadOf() {
  const empty = { groups: [], main: [], timelines: [], sequences: [] };
  return { kind: "agenda-load", scope: "s", ...empty } as const;
}
