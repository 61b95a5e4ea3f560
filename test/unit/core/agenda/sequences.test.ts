// SPDX-License-Identifier: MIT
// Goal: a sequence goes on exactly when its step has completed, and always ends with an answer.
// Method: one core without a clock, entries by hand. Titles name the recorded fault of the old
// scheduler that the test would find.
import { describe, expect, it } from "vitest";
import { effectsOf } from "../../../../src/testing/core-driver.ts";
import {
  AgendaBench,
  at,
  done,
  ended,
  event,
  idles,
  planned,
  run,
  second,
  seen,
  sent,
  start,
  steps,
  tokens,
} from "./bench.ts";

const sequences = [
  { name: "q", steps: steps(event("a"), run("p"), event("b"), run("r"), event("c")) },
];
const main = [at(0, start("q", "SEQUENCE"))];

describe("steps", () => {
  it("A2 one that completes later holds the next one until its completion", () => {
    const bench = new AgendaBench();
    expect(sent(bench.begin({ main, sequences }))).toEqual(["a", "p"]);
    expect(sent(bench.core.pass(60 * second))).toEqual([]);
    const next = bench.complete(2);
    expect(sent(next)).toEqual(["b", "r"]);
    const last = bench.complete(tokens(next)[1] ?? 0);
    expect([sent(last), ended(last)]).toEqual([["c"], ["q 0"]]);
  });

  it("A2 offsets count from when the step before was due, or completed", () => {
    const bench = new AgendaBench();
    const timed = [
      at(second, event("a")),
      at(second, run("p")),
      at(second, event("b")),
      at(second, event("c")),
    ];
    bench.begin({ main, sequences: [{ name: "q", steps: timed }] });
    expect(planned(bench.core.pass(5 * second))).toEqual([second, 2 * second]);
    bench.complete(2);
    const last = bench.core.tick(second);
    expect([planned(last), ended(last)]).toEqual([[6 * second], []]);
    const end = bench.core.pass(second);
    expect([planned(end), ended(end)]).toEqual([[7 * second], ["q 0"]]);
  });

  it("A3 one that completes with an error ends the sequence with it", () => {
    const bench = new AgendaBench();
    bench.begin({ main, sequences });
    const after = bench.complete(2, 5);
    expect([sent(after), ended(after)]).toEqual([[], ["q 5"]]);
  });

  it("A3 the error of an inner sequence ends the outer one that runs it", () => {
    const bench = new AgendaBench();
    const nested = [
      { name: "i", steps: steps(run("p")) },
      { name: "o", steps: steps(event("i", "SEQUENCE", "RUN"), event("never")) },
    ];
    bench.begin({ main: [at(0, start("o", "SEQUENCE"))], sequences: nested });
    expect(ended(bench.complete(1, 9))).toEqual(["i 9", "o 9"]);
  });

  it("A3 the sequence for errors runs first, then the failed one ends with its error (21)", () => {
    const bench = new AgendaBench();
    const both = [
      { name: "q", steps: steps(run("p"), event("never")), onError: "clean" },
      { name: "clean", steps: steps(run("c")) },
    ];
    bench.begin({ main, sequences: both });
    const failed = bench.complete(1, 7);
    expect([sent(failed), ended(failed)]).toEqual([["c"], []]);
    expect(ended(bench.complete(2))).toEqual(["clean 0", "q 7"]);
  });

  it("A7 fault 1: one for an object that is down, or an unknown sequence, fails at once", () => {
    const bench = new AgendaBench();
    bench.begin({ sequences: [{ name: "q", steps: steps(event("x", "SEQUENCE", "RUN")) }, ...[]] });
    const applied = bench.schedule("q", "RUN");
    expect(ended(applied)).toEqual(["q -1"]);
    expect(done(applied)[0]).toMatch(/-1 there is no sequence x$/);
  });

  it("A3 HALT and RELOAD, which no sequence knows, are refused instead of awaited for ever", () => {
    const bench = new AgendaBench();
    const halts = [
      { name: "o", steps: steps(event("q", "SEQUENCE", "HALT"), event("never")) },
      ...sequences,
    ];
    bench.begin({ main: [at(0, start("o", "SEQUENCE"))], sequences: halts });
    bench.core.tick(0);
    expect(bench.core.service.describe("s").pendingEvents).toBe(0);
  });

  it("ten thousand that end at once are a loop, not a deep stack", () => {
    const bench = new AgendaBench();
    const many = Array.from({ length: 10_000 }, () => event("i", "SEQUENCE", "RUN"));
    const all = [
      { name: "q", steps: steps(...many, event("last")) },
      { name: "i", steps: steps(event("x")) },
    ];
    const applied = bench.begin({ main, sequences: all });
    expect(sent(applied)).toHaveLength(10_001);
    expect(sent(applied).at(-1)).toBe("last");
  });

  it("a few sequences that run each other ten times each cannot hold the core for ever", () => {
    const bench = new AgendaBench();
    const all = Array.from({ length: 30 }, (_, depth) => ({
      name: depth === 0 ? "q" : `q${depth}`,
      steps: steps(...Array.from({ length: 10 }, () => event(`q${depth + 1}`, "SEQUENCE", "RUN"))),
    }));
    expect(ended(bench.begin({ main, sequences: all })).length).toBeLessThan(500_000);
  });
});

describe("starting", () => {
  it("A4 faults 3, 18: START of an active one is refused at once and leaves it as it was", () => {
    const bench = new AgendaBench();
    bench.begin({ main, sequences });
    const again = bench.schedule("q", "START");
    expect(done(again)[0]).toMatch(/-1 sequence q is already active$/);
    expect([sent(again), ended(again)]).toEqual([[], []]);
    expect(sent(bench.complete(2))).toEqual(["b", "r"]);
  });

  it("A4 one that runs itself ends with -1 instead of going round", () => {
    const bench = new AgendaBench();
    const loop = [{ name: "q", steps: steps(event("a"), event("q", "SEQUENCE", "RUN")) }];
    const applied = bench.begin({ main, sequences: loop });
    expect([sent(applied), ended(applied)]).toEqual([["a"], ["q -1"]]);
  });

  it("fault 3: an empty one completes at once", () => {
    const bench = new AgendaBench();
    bench.begin({ sequences: [{ name: "q", steps: [] }] });
    expect(done(bench.schedule("q", "RUN"))).toEqual([expect.stringMatching(/ 0$/)]);
  });

  it("only RUN makes an outer sequence wait", () => {
    const bench = new AgendaBench();
    const nested = [
      { name: "o", steps: steps(start("i", "SEQUENCE"), event("next")) },
      { name: "i", steps: steps(run("p")) },
    ];
    const first = bench.begin({ main: [at(0, start("o", "SEQUENCE"))], sequences: nested });
    expect(sent(first)).toEqual(["p", "next"]);
  });
});

describe("RESET", () => {
  it("fault 13: ends the run and takes back what is out and has not fired", () => {
    const bench = new AgendaBench();
    const timed = [{ name: "q", steps: [at(400_000, event("a")), at(0, event("b"))] }];
    bench.begin({ main, sequences: timed });
    const reset = bench.schedule("q", "RESET");
    expect(effectsOf(reset, "revoke").map(({ token }) => token)).toEqual([1, 2]);
    expect(ended(reset)).toEqual(["q -1"]);
    bench.revoked(1, true);
    bench.revoked(2, false);
    expect(idles(bench.complete(1))).toBe(1);
  });

  it("ends the runs it has started as well, and whoever waits is told", () => {
    const bench = new AgendaBench();
    const nested = [
      { name: "o", steps: steps(event("i", "SEQUENCE", "RUN")) },
      { name: "i", steps: steps(run("p"), event("never")) },
    ];
    bench.begin({ sequences: nested });
    bench.schedule("o", "RUN");
    const reset = bench.schedule("o", "RESET");
    expect(ended(reset)).toEqual(["o -1", "i -1"]);
    expect(done(reset)).toEqual(["1 -1 o was reset", expect.stringMatching(/ 0$/)]);
    expect(effectsOf(reset, "error-report")).toEqual([]);
    expect(sent(bench.schedule("i", "RUN"))).toEqual(["p"]);
  });

  it("of one that does not run succeeds", () => {
    const bench = new AgendaBench();
    bench.begin({ sequences });
    expect(done(bench.schedule("q", "RESET"))).toEqual([expect.stringMatching(/ 0$/)]);
  });
});

describe("errors", () => {
  it("A10 fault 19: -1 is in the records and fails the sequence", () => {
    const bench = new AgendaBench();
    bench.begin({ main, sequences });
    const [report] = effectsOf(bench.complete(2, -1, { text: "no such file" }), "error-report");
    expect(report).toMatchObject({
      object: "q",
      error: -1,
      errors: [
        { object: "p", type: "PROGRAM", token: 2, error: -1, text: "no such file" },
        { object: "q", type: "SEQUENCE", error: -1 },
      ],
    });
  });

  it("A10 only what nobody waits for asks for a report", () => {
    const bench = new AgendaBench();
    const nested = [
      { name: "o", steps: steps(event("i", "SEQUENCE", "RUN")) },
      { name: "i", steps: steps(run("p")) },
    ];
    bench.begin({ main: [at(0, start("o", "SEQUENCE"))], sequences: nested });
    const reports = effectsOf(bench.complete(1, 2), "error-report");
    expect(reports.map(({ object }) => object)).toEqual(["o"]);
  });

  it("A10 a program outside of sequences is recorded until a report takes it", () => {
    const bench = new AgendaBench();
    bench.begin({ main: [at(0, event("p", "PROGRAM", "START"))] });
    expect(effectsOf(bench.complete(1, 3), "error-report")).toEqual([]);
    const taken = bench.ask({ kind: "agenda-take-errors" });
    expect(taken).toMatchObject({ kind: "errors", errors: [{ object: "p", error: 3 }] });
    expect(bench.ask({ kind: "agenda-take-errors" })).toMatchObject({ errors: [] });
  });

  it("fault 15: a type that is in no table is fired like any other and never waited for", () => {
    const bench = new AgendaBench();
    const odd = [{ name: "q", steps: steps(event("x", "NOBODY", "KNOWS"), event("b")) }];
    expect(sent(bench.begin({ main, sequences: odd }))).toEqual(["x", "b"]);
    expect(seen(bench.complete(1), "event-completed")).toHaveLength(1);
  });
});
