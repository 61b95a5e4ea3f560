// SPDX-License-Identifier: MIT
// A1-A5 of the agenda. Catches: events fired before their time or out of source order, a sequence
// that does not wait for its step (A2), or goes on after an error (A3), a second start of what runs
// (A4), `idle` said early or twice (A5), timers that outlive their scope.
import { describe, expect, it } from "vitest";
import type { AgendaEvent, AgendaLoad, TimedEvent } from "../../../src/core/command.ts";
import type { Applied } from "../../../src/core/effect.ts";
import { CoreDriver, effectsOf } from "../../../src/testing/core-driver.ts";

const event = (object: string, type = "LINK", name = "UP"): AgendaEvent => ({
  id: 0,
  object,
  type,
  event: name,
  args: "",
});
const run = (object: string) => event(object, "PROGRAM", "RUN");
const start = (object: string, type: "SEQUENCE" | "TIMELINE") => event(object, type, "START");
const at = (atUs: number, what: AgendaEvent): TimedEvent => ({ atUs, event: what });

function load(parts: Partial<Omit<AgendaLoad, "kind">>): AgendaLoad {
  return { kind: "agenda-load", scope: "s", main: [], timelines: [], sequences: [], ...parts };
}
const begin = { kind: "agenda-start", scope: "s" } as const;
const complete = (token: number, error = 0) =>
  ({ kind: "agenda-complete", scope: "s", token, error }) as const;
const fired = (applied: Applied) =>
  effectsOf(applied, "fire").map(({ event: { object } }) => object);
const tokens = (applied: Applied) => effectsOf(applied, "fire").map(({ token }) => token);
const ended = (applied: Applied) =>
  applied.observed.flatMap((effect) =>
    effect.kind === "sequence-ended" ? [`${effect.name} ${effect.error}`] : [],
  );
const idles = (applied: Applied) => effectsOf(applied, "agenda-idle").length;

describe("timelines", () => {
  it("A1 events fire at their times, equal times in source order", () => {
    const core = new CoreDriver();
    const main = [at(2_000_000, event("c")), at(0, event("a")), at(2_000_000, event("d"))];
    expect(fired(core.send("e", load({ main: [...main, at(1, event("b"))] }), begin))).toEqual([
      "a",
    ]);
    expect(fired(core.tick(1))).toEqual(["b"]);
    expect(fired(core.pass(1_999_998))).toEqual([]);
    expect(fired(core.tick(1))).toEqual(["c", "d"]);
  });

  it("A1 a late entry fires everything that is due, with the planned instants", () => {
    const core = new CoreDriver();
    core.send("e", load({ main: [at(5, event("a")), at(10, event("b"))] }));
    core.tick(1_000_000);
    core.send("e", begin);
    const effects = effectsOf(core.tick(1_000_000), "fire");
    expect(effects.map(({ plannedUs }) => plannedUs)).toEqual([5, 10]);
  });

  it("A1 a timeline that is started counts from its start", () => {
    const core = new CoreDriver();
    const timelines = [{ name: "l", events: [at(1_000_000, event("x"))] }];
    core.send("e", load({ main: [at(1_000_000, start("l", "TIMELINE"))], timelines }), begin);
    expect(fired(core.pass(1_999_999))).toEqual([]);
    expect(fired(core.tick(1))).toEqual(["x"]);
  });
});

describe("sequences", () => {
  const sequences = [
    { name: "q", steps: [event("a"), run("p"), event("b"), run("r"), event("c")] },
  ];
  const main = [at(0, start("q", "SEQUENCE"))];

  it("A2 a step that completes later holds the next one until its completion", () => {
    const core = new CoreDriver();
    const first = core.send("e", load({ main, sequences }), begin);
    expect(fired(first)).toEqual(["a", "p"]);
    expect(fired(core.pass(60_000_000))).toEqual([]);
    const second = core.send("e", complete(2));
    expect(fired(second)).toEqual(["b", "r"]);
    const third = core.send("e", complete(tokens(second)[1] ?? 0));
    expect(fired(third)).toEqual(["c"]);
    expect(ended(third)).toEqual(["q 0"]);
  });

  it("A3 a step that completes with an error ends the sequence with it", () => {
    const core = new CoreDriver();
    core.send("e", load({ main, sequences }), begin);
    const after = core.send("e", complete(2, 5));
    expect(fired(after)).toEqual([]);
    expect(ended(after)).toEqual(["q 5"]);
  });

  it("A3 the error of an inner sequence ends the outer one that runs it", () => {
    const core = new CoreDriver();
    const inner = { name: "i", steps: [run("p")] };
    const outer = { name: "o", steps: [event("i", "SEQUENCE", "RUN"), event("never")] };
    core.send(
      "e",
      load({ main: [at(0, start("o", "SEQUENCE"))], sequences: [inner, outer] }),
      begin,
    );
    expect(ended(core.send("e", complete(1, 9)))).toEqual(["i 9", "o 9"]);
  });

  it("A4 a sequence that runs is not started again; the request completes with -1", () => {
    const core = new CoreDriver();
    const twice = [at(0, start("q", "SEQUENCE")), at(1_000_000, start("q", "SEQUENCE"))];
    core.send("e", load({ main: twice, sequences }), begin);
    const again = core.pass(1_000_000);
    expect(fired(again)).toEqual([]);
    expect(ended(again)).toEqual(["q -1"]);
    expect(fired(core.send("e", complete(2)))).toEqual(["b", "r"]);
  });

  it("A4 a sequence that runs itself ends with -1 instead of going round", () => {
    const core = new CoreDriver();
    const loop = [{ name: "q", steps: [event("a"), event("q", "SEQUENCE", "RUN")] }];
    const applied = core.send("e", load({ main, sequences: loop }), begin);
    expect(ended(applied)).toEqual(["q -1", "q -1"]);
    expect(fired(applied)).toEqual(["a"]);
  });

  it("A2 ten thousand steps that end at once are a loop, not a deep stack", () => {
    const core = new CoreDriver();
    const steps = Array.from({ length: 10_000 }, () => event("i", "SEQUENCE", "RUN"));
    const all = [
      { name: "q", steps: [...steps, event("last")] },
      { name: "i", steps: [event("x")] },
    ];
    const applied = core.send("e", load({ main, sequences: all }), begin);
    expect(fired(applied)).toHaveLength(10_001);
    expect(fired(applied).at(-1)).toBe("last");
  });

  it("A2 a few sequences that run each other ten times each cannot hold the core for ever", () => {
    const core = new CoreDriver();
    const all = Array.from({ length: 30 }, (_, depth) => ({
      name: depth === 0 ? "q" : `q${depth}`,
      steps: Array.from({ length: 10 }, () => event(`q${depth + 1}`, "SEQUENCE", "RUN")),
    }));
    const applied = core.send("e", load({ main, sequences: all }), begin);
    expect(ended(applied).length).toBeLessThan(500_000);
  });
});

describe("idle", () => {
  it("A5 idle is said once, when nothing runs, is due or waits for completion", () => {
    const core = new CoreDriver();
    const first = core.send("e", load({ main: [at(1_000_000, run("p"))] }), begin);
    expect(idles(first)).toBe(0);
    const second = core.pass(1_000_000);
    expect([fired(second), idles(second)]).toEqual([["p"], 0]);
    expect(idles(core.send("e", complete(1)))).toBe(1);
    expect(idles(core.send("e", complete(1), begin))).toBe(0);
    expect(idles(core.pass(5_000_000))).toBe(0);
  });

  it("A5 an empty agenda is idle at once", () => {
    const core = new CoreDriver();
    expect(idles(core.send("e", load({}), begin))).toBe(1);
  });

  it("complete() ignores tokens that nobody waits for", () => {
    const core = new CoreDriver();
    core.send("e", load({ main: [at(0, run("p"))] }), begin);
    expect(core.send("e", complete(7), complete(0)).addressed).toEqual([]);
  });
});

describe("the end of an agenda", () => {
  it("close-scope takes the agenda's timers with it", () => {
    const core = new CoreDriver();
    core.send("e", load({ main: [at(5_000_000, event("a"))] }), begin);
    core.send("e", { kind: "close-scope", scope: "s", error: 0 });
    expect(core.service.nextDeadlineUs()).toBeUndefined();
    core.send("e", load({ main: [at(9_000_000, event("b"))] }), begin);
    expect(fired(core.pass(8_999_999))).toEqual([]);
    expect(fired(core.tick(1))).toEqual(["b"]);
  });

  it("an agenda stops with the edge that performs it, and can be loaded by the next", () => {
    const core = new CoreDriver();
    core.send("e", load({ main: [at(5_000_000, event("a"))] }), begin);
    core.send("e", { kind: "end-edge" });
    expect(core.service.nextDeadlineUs()).toBeUndefined();
    core.send("f", load({ main: [at(0, event("b"))] }));
    expect(fired(core.send("f", begin))).toEqual(["b"]);
  });

  it("describe() tells what is pending and what comes next", () => {
    const core = new CoreDriver();
    core.send("e", load({ main: [at(3_000_000, event("a")), at(4_000_000, event("b"))] }), begin);
    core.tick(1_000_000);
    expect(core.service.describe("s")).toMatchObject({
      pendingEvents: 2,
      nextEvent: { object: "a", event: "UP", inUs: 2_000_000 },
    });
  });
});
