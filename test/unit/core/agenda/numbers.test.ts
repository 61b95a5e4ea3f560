// SPDX-License-Identifier: MIT
// Goal: each event has one number, whoever shows it (G4): that of the file for its first
// occurrence, the next free one for everything else. Method: numbered plans, driven from outside.
import { describe, expect, it } from "vitest";
import type { AgendaEvent } from "../../../../src/core/agenda/commands.ts";
import {
  AgendaBench,
  agent,
  answers,
  at,
  done,
  event,
  fires,
  seen,
  start,
  within,
} from "./bench.ts";

const agents = [agent("link0", "LINK")];
const numbered = (id: number, what: AgendaEvent): AgendaEvent => ({ ...what, id });
const second = 1_000_000;
const numbers = (applied: ReturnType<AgendaBench["send"]>): readonly number[] =>
  fires(applied).map(({ item }) => item);
const listed = (bench: AgendaBench): readonly number[] =>
  bench.core.service.listEvents("s", 0).events.map(({ id }) => id);

describe("numbers of events", () => {
  const timelines = [{ name: "l", events: [at(0, numbered(3, event("link0")))] }];
  const main = [
    at(9 * second, numbered(2, event("link0"))),
    at(0, numbered(1, start("l", "TIMELINE"))),
  ];

  it("G4: are the file's, and go on above them", () => {
    const bench = new AgendaBench();
    const begun = bench.begin({ agents, main, timelines });
    expect(seen(begun, "event-fired").map(({ item }) => item)).toEqual([1]);
    expect(numbers(begun)).toEqual([3]);
    expect(listed(bench)).toEqual([2, 3]);
    const asked = bench.schedule("link0", "DOWN");
    expect(answers(asked)).toEqual([{ kind: "accepted", id: 4 }]);
    // The event carries it too, so that nobody sees another one.
    expect(seen(asked, "event-accepted").map((one) => [one.item, one.event.id])).toEqual([[4, 4]]);
    expect(fires(asked).map((one) => [one.item, one.event.id])).toEqual([[4, 4]]);
  });

  it("G4: a second occurrence has another one, and a replay begins again with the file's", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, main, timelines });
    const again = bench.schedule("l", "START");
    expect(answers(again)).toEqual([{ kind: "accepted", id: 4 }]);
    expect(numbers(again)).toEqual([5]);
    expect(fires(again)[0]?.event.id).toBe(3);
    expect(numbers(bench.send({ kind: "agenda-replay" }))).toEqual([3]);
    expect(listed(bench)).toEqual([2, 3]);
    // None that somebody has been told is given again.
    expect(answers(bench.schedule("link0", "UP"))).toEqual([{ kind: "accepted", id: 6 }]);
  });

  it("W1: cancel answers by them, and does not say of what has not been planned that it fired", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, timelines, main: main.slice(0, 1) });
    expect(bench.ask({ kind: "agenda-cancel", id: 3 })).toMatchObject({
      kind: "refused",
      message: expect.stringContaining("event 3 is not planned yet"),
    });
    expect(bench.ask({ kind: "agenda-cancel", id: 2 })).toEqual({ kind: "cancelled" });
    expect(bench.ask({ kind: "agenda-cancel", id: 2 })).toMatchObject({
      ...{ kind: "refused", message: "event 2 was cancelled before" },
    });
    expect(bench.ask({ kind: "agenda-cancel", id: 9 })).toMatchObject({ code: "unknown" });
  });

  it("lists page by page in the order of the numbers, whatever came first", () => {
    const bench = new AgendaBench({ eventsPerPageMax: 2 });
    const events = [7, 2, 5].map((id) => at(9 * second, numbered(id, event("link0"))));
    bench.begin({ agents, main: events });
    const first = bench.core.service.listEvents("s", 0);
    expect([first.events.map(({ id }) => id), first.next]).toEqual([[2, 5], 5]);
    const rest = bench.core.service.listEvents("s", 5);
    expect([rest.events.map(({ id }) => id), rest.next]).toEqual([[7], null]);
  });
});

describe("what is appended to a timeline or sequence", () => {
  const timelines = [{ name: "l", events: [] }];

  it("completes for its sender when it has fired there for the first time", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, timelines });
    const added = bench.schedule("link0", "DOWN", { at: within(second), timeline: "l" });
    expect(answers(added)).toEqual([{ kind: "appended", id: 1 }]);
    bench.schedule("l", "START");
    const due = bench.core.pass(second);
    expect(numbers(due)).toEqual([1]);
    const [order] = fires(due);
    expect(done(bench.complete(order?.token ?? 0, 7))).toEqual(["1 7"]);
    // Once: the sender has had its answer.
    bench.schedule("l", "START");
    const [other] = fires(bench.core.pass(second));
    expect(other?.item).not.toBe(1);
    expect(done(bench.complete(other?.token ?? 0))).toEqual([]);
  });

  it("completes with -1 when it is cleared, or the agenda goes, before it has fired", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, timelines });
    bench.schedule("link0", "DOWN", { timeline: "l" });
    expect(done(bench.schedule("l", "CLEAR"))).toContain("1 -1 l was cleared");
    bench.schedule("link0", "DOWN", { timeline: "l" });
    // A replay keeps what was added.
    expect(done(bench.send({ kind: "agenda-replay" }))).toEqual([]);
    const ended = bench.core.send("p", { kind: "close-scope", scope: "s", error: 0 });
    expect(done(ended)).toEqual(["3 -1 the experiment has ended"]);
  });

  it("is awaited across a snapshot", () => {
    const bench = new AgendaBench();
    bench.begin({ agents, timelines });
    bench.schedule("link0", "DOWN", { timeline: "l" });
    const snapshot = bench.core.service.snapshot();
    expect(JSON.stringify(snapshot)).toContain('"appended":[[1,');
  });
});
