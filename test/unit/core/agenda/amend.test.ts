// SPDX-License-Identifier: MIT
// Goal: an agenda that runs becomes another one, whole or not at all (M1), without a change to what
// runs (M2); what it brings has its time, its number and its replay. Method: driven from outside.
import { describe, expect, it } from "vitest";
import type { AgendaAmend } from "../../../../src/core/agenda/commands.ts";
import { Service } from "../../../../src/core/service.ts";
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
  planned,
  run,
  second,
  seen,
  sent,
  start,
} from "./bench.ts";

type Change = Partial<Omit<AgendaAmend, "kind" | "scope" | "request" | "main">> &
  Partial<AgendaAmend["main"]>;

function change({ dropped = [], changed = [], added = [], fromNow = [], ...rest }: Change) {
  const empty = { agents: [], groups: [], timelines: [], sequences: [], removed: [] };
  const main = { dropped, changed, added, fromNow };
  return { kind: "agenda-amend", ...empty, ...rest, main } as const;
}

const agents = [agent("p"), agent("link0", "LINK")];
const main = [{ ...at(9 * second, event("link0")), event: { ...event("link0"), id: 1 } }];
const sequences = [{ name: "q", steps: [at(0, run("p")), at(0, event("link0"))] }];

describe("agenda-amend", () => {
  it("plans what comes at its time, what is over at once, and what counts from now from now", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main });
    bench.core.pass(3 * second);
    const made = bench.send(
      change({
        added: [at(5 * second, event("link0", "LINK", "DOWN")), at(second, run("p"))],
        fromNow: [at(4 * second, run("p"))],
      }),
    );
    expect(answers(made)).toEqual([{ kind: "amended", first: 2, eventUs: 3 * second }]);
    expect(fires(made).map(({ item, plannedUs }) => [item, plannedUs])).toEqual([[3, 3 * second]]);
    expect(planned(bench.core.pass(20 * second))).toEqual([5 * second, 7 * second, 9 * second]);
  });

  it("plans it again in a replay, with what was changed and without what was dropped", () => {
    const bench = new AgendaBench();
    const two = [...main, { ...at(8 * second, run("p")), event: { ...run("p"), id: 2 } }];
    bench.begin({ agents, main: two });
    bench.core.pass(second);
    const later = { ...main[0], atUs: 6 * second, event: { ...event("link0"), id: 1 } };
    bench.send(change({ dropped: [2], changed: [later], fromNow: [at(second, run("p"))] }));
    bench.send({ kind: "agenda-replay" });
    const again = bench.core.pass(20 * second);
    expect(fires(again).map((one) => [one.item, one.plannedUs])).toEqual([
      [3, 2 * second],
      [1, 6 * second],
    ]);
  });

  it("is idle only when what came late is over, also behind the last of the main timeline", () => {
    const bench = new AgendaBench();
    expect(idles(bench.begin({ agents }))).toBe(1);
    expect(idles(bench.send(change({ added: [at(second, run("p"))] })))).toBe(0);
    const fired = bench.core.pass(second);
    expect(sent(fired)).toEqual(["p"]);
    expect(idles(bench.complete(1))).toBe(1);
  });

  it("keeps the main timeline until the last of what came while it ran", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main });
    bench.send(change({ added: [at(12 * second, event("link0"))] }));
    const ends = (applied: ReturnType<AgendaBench["send"]>) =>
      seen(applied, "object-ended").map(({ name }) => name);
    expect(ends(bench.core.pass(10 * second))).toEqual([]);
    expect(ends(bench.core.pass(3 * second))).toEqual(["__ns_timeline"]);
  });

  it("waits for barriers that end from now on", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main });
    const on = { barrier: "b", outcome: "crossed" } as const;
    bench.send(change({ fromNow: [{ ...at(0, run("p")), on }] }));
    expect(bench.core.service.listEvents("s", 0).events).toMatchObject([
      { id: 1, state: "queued" },
      { id: 2, state: "waiting", on: "crossed b" },
    ]);
  });

  it("brings, changes and takes away objects", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, sequences, groups: [{ name: "g", members: ["p"] }] });
    bench.send(
      change({
        ...{ agents: [agent("r")], removed: ["p"], groups: [{ name: "h", members: ["r"] }] },
        sequences: [{ name: "q", steps: [at(0, run("r"))] }],
        timelines: [{ name: "t", events: [at(0, event("link0"))] }],
      }),
    );
    expect(answers(bench.schedule("p", "RUN"))).toMatchObject([{ code: "unknown" }]);
    expect(answers(bench.schedule("g", "RUN"))).toMatchObject([{ code: "unknown" }]);
    expect(sent(bench.schedule("q", "START"))).toEqual(["r"]);
    expect(sent(bench.schedule("h", "RUN"))).toEqual(["h"]);
    expect(sent(bench.schedule("t", "START"))).toEqual(["link0"]);
  });

  it("M2: refuses to change what runs, names it, and does nothing of the rest (M1)", () => {
    const bench = new AgendaBench();
    const timelines = [{ name: "t", events: [at(9 * second, run("p"))] }];
    bench.begin({ agents, sequences, timelines, main: [at(0, start("q", "SEQUENCE"))] });
    const before = bench.core.service.listEvents("s", 0).events;
    const parts = { added: [at(0, event("link0"))], agents: [agent("r")] };
    const steps = [{ name: "q", steps: [] }];
    const refused = bench.send(change({ ...parts, sequences: steps }));
    expect(answers(refused)).toMatchObject([
      { kind: "refused", message: "sequence q is running; it can be changed when it has ended" },
    ]);
    expect(bench.core.service.listEvents("s", 0).events).toEqual(before);
    expect(answers(bench.schedule("r", "RUN"))).toMatchObject([{ code: "unknown" }]);
    bench.schedule("t", "START");
    expect(bench.ask(change({ removed: ["t"] }))).toMatchObject({
      message: "timeline t is running; it can be changed when it has ended",
    });
    bench.complete(1);
    expect(bench.ask(change({ ...parts, sequences: steps }))).toMatchObject({ kind: "amended" });
  });

  it("tells whoever has appended to what is changed that it will not happen", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, sequences });
    bench.schedule("p", "RUN", { timeline: "q" });
    expect(done(bench.send(change({ removed: ["q"] })))).toEqual(["1 -1 q was changed"]);
  });

  it("eventsPerScopeMax holds for what it defines and for what it plans, and not one before", () => {
    const bench = new AgendaBench({ eventsPerScopeMax: 3 });
    bench.begin({ agents, sequences });
    const one = [at(second, event("link0"))];
    expect(bench.ask(change({ added: one }))).toMatchObject({ kind: "amended" });
    const refused = bench.ask(change({ added: one }));
    expect(refused).toMatchObject({ kind: "refused", code: "limit" });
    // What goes makes room.
    const swapped = change({ added: one, sequences: [{ name: "q", steps: one }] });
    expect(bench.ask(swapped)).toMatchObject({ kind: "amended" });
    expect(bench.ask(change({ dropped: [1], added: one }))).toMatchObject({ kind: "amended" });
  });

  it("goes on alike from a snapshot", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main });
    bench.send(change({ added: [at(5 * second, run("p"))], agents: [agent("r")] }));
    const data: unknown = JSON.parse(JSON.stringify(bench.core.service.snapshot()));
    const copy = Service.restore(bench.core.limits, data as ReturnType<Service["snapshot"]>);
    expect(copy.digest()).toBe(bench.core.service.digest());
    const effects = bench.core.pass(9 * second);
    expect(effectsOf(effects, "fire")).toHaveLength(2);
    expect(copy.digest()).not.toBe(bench.core.service.digest());
  });

  it("is refused where no agenda is loaded", () => {
    const bench = new AgendaBench();
    expect(bench.ask(change({}))).toMatchObject({ kind: "refused", code: "unknown" });
  });
});
