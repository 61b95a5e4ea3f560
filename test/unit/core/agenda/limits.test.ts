// SPDX-License-Identifier: MIT
// Goal: every limit of the agenda holds at its value and one past it, says its name, and many
// events are only many. Method: one core without a clock; the whole default size, once.
import { describe, expect, it } from "vitest";
import { Service } from "../../../../src/core/service.ts";
import {
  AgendaBench,
  agent,
  aheadUs,
  answers,
  at,
  done,
  event,
  fires,
  idles,
  run,
  second,
  seen,
  sent,
  start,
  within,
} from "./bench.ts";

const agents = [agent("prog0"), agent("link0", "LINK")];
const refusal = (name: string, value: number) => ({
  kind: "refused",
  code: "limit",
  message: expect.stringContaining(`limit ${name} (${value})`),
});

describe("limits", () => {
  it("eventsPerScopeMax holds for events that are under way, whoever sends them", () => {
    const bench = new AgendaBench({ eventsPerScopeMax: 2 });
    bench.begin({ agents });
    const later = { at: within(9 * second) };
    expect(answers(bench.schedule("link0", "UP", later, "q"))).toMatchObject([{ id: 1 }]);
    expect(answers(bench.schedule("link0", "UP", later, "r"))).toMatchObject([{ id: 2 }]);
    const more = answers(bench.schedule("link0", "UP", later, "r"));
    expect(more).toMatchObject([refusal("eventsPerScopeMax", 2)]);
    bench.send({ kind: "agenda-cancel", id: 1 });
    expect(answers(bench.schedule("link0", "UP", later))).toMatchObject([{ id: 3 }]);
  });

  it("eventsPerScopeMax holds for what is added to timelines and sequences", () => {
    const bench = new AgendaBench({ eventsPerScopeMax: 2 });
    bench.begin({ agents, timelines: [{ name: "l", events: [at(0, event("link0"))] }] });
    const add = { timeline: "l" };
    expect(answers(bench.schedule("link0", "UP", add))).toEqual([{ kind: "appended", id: 1 }]);
    const more = answers(bench.schedule("link0", "UP", add));
    expect(more).toMatchObject([refusal("eventsPerScopeMax", 2)]);
  });

  it("eventsPerScopeMax: a timeline that finds no room is refused whole", () => {
    const bench = new AgendaBench({ eventsPerScopeMax: 3 });
    const events = [at(second, event("x")), at(second, event("y"))];
    bench.begin({ agents, timelines: [{ name: "l", events }] });
    bench.schedule("l", "START");
    expect(bench.core.service.listEvents("s", 0).total).toBe(3);
    bench.core.pass(second);
    const refused = bench.schedule("l", "START");
    expect(done(refused)).toEqual([
      expect.stringMatching(/-1 there is no room for the events of l/),
    ]);
  });

  it("eventArgsBytesMax counts bytes", () => {
    const bench = new AgendaBench({ eventArgsBytesMax: 4 });
    bench.begin({ agents });
    expect(answers(bench.schedule("link0", "UP", { args: "ää" }))).toMatchObject([{ id: 1 }]);
    const long = answers(bench.schedule("link0", "UP", { args: "ääx" }));
    expect(long).toMatchObject([refusal("eventArgsBytesMax", 4)]);
    const edit = bench.ask({ kind: "agenda-edit", id: 1, args: "12345" });
    expect(edit).toMatchObject(refusal("eventArgsBytesMax", 4));
  });

  it("errorRecordsPerScopeMax drops the oldest and says how many", () => {
    const bench = new AgendaBench({ errorRecordsPerScopeMax: 2 });
    bench.begin({ agents });
    const take = (): unknown => bench.ask({ kind: "agenda-take-errors" });
    for (const error of [1, 2]) {
      bench.schedule("prog0", "RUN");
      bench.complete(error, error);
    }
    expect(take()).toMatchObject({ errors: [{ error: 1 }, { error: 2 }], dropped: 0 });
    for (const error of [3, 4, 5]) {
      bench.schedule("prog0", "RUN");
      bench.complete(error, error);
    }
    expect(take()).toMatchObject({ errors: [{ error: 4 }, { error: 5 }], dropped: 1 });
  });

  it("startsAtOnceMax ends what goes round at one instant", () => {
    for (const [startsAtOnceMax, isRefused] of [
      [3, false],
      [2, true],
    ] as const) {
      const bench = new AgendaBench({ startsAtOnceMax });
      const sequences = [
        { name: "o", steps: [at(0, event("i", "SEQUENCE", "RUN"))] },
        { name: "i", steps: [] },
      ];
      const asked = bench.begin({ main: [at(0, start("o", "SEQUENCE"))], sequences });
      const outcomes = seen(asked, "event-fired").map(({ outcome }) => outcome);
      expect(outcomes.some((text) => text.includes("limit startsAtOnceMax (2)"))).toBe(isRefused);
    }
  });

  it("dispatchAheadUs is how far ahead events are sent out", () => {
    const bench = new AgendaBench({ dispatchAheadUs: 10 });
    bench.begin({ agents, main: [at(second, event("link0"))] });
    expect(sent(bench.core.tick(second - 11))).toEqual([]);
    expect(sent(bench.core.tick(1))).toEqual(["link0"]);
  });

  it("dispatchTogetherUs is how far ahead of that others go along, and nothing of the agenda's own", () => {
    const bench = new AgendaBench({ dispatchAheadUs: 10, dispatchTogetherUs: 5 });
    const main = [
      ...[at(second, event("link0")), at(second + 5, event("link1"))],
      ...[at(second + 6, event("link2")), at(second + 7, event("link3"))],
    ];
    bench.begin({ agents: ["link0", "link1", "link2", "link3"].map((name) => agent(name)), main });
    expect(sent(bench.core.tick(second - 11))).toEqual([]);
    expect(sent(bench.core.tick(1))).toEqual(["link0", "link1"]);
    expect(sent(bench.core.tick(5))).toEqual([]);
    expect(sent(bench.core.tick(1))).toEqual(["link2", "link3"]);
  });
});

describe("many events", () => {
  it("100,000 queued fire in order; one more is refused; a snapshot of them goes on alike", () => {
    const bench = new AgendaBench();
    const count = 100_000;
    // Against the order of their instants, so that the queue has to sort them.
    const main = Array.from({ length: count }, (_, index) =>
      at((count - index) * 10 + 60 * second, event(`l${index % 7}`)),
    );
    bench.begin({ agents, main });
    expect(bench.core.service.listEvents("s", 0).total).toBe(count);
    expect(answers(bench.schedule("link0", "UP", { at: within(1) }))).toMatchObject([
      refusal("eventsPerScopeMax", count),
    ]);
    const copy = Service.restore(bench.core.limits, bench.core.service.snapshot());
    expect(copy.digest()).toBe(bench.core.service.digest());
    const before = bench.core.entries.length;
    const all = fires(bench.core.pass(62 * second));
    expect(all).toHaveLength(count);
    let lastUs = 0;
    for (const { plannedUs } of all) {
      if (plannedUs < lastUs) throw new Error(`${plannedUs} after ${lastUs}`);
      lastUs = plannedUs;
    }
    for (const entry of bench.core.entries.slice(before)) copy.apply(entry);
    expect(copy.digest()).toBe(bench.core.service.digest());
  });

  it("10,000 at one microsecond leave in one entry, first come, first served", () => {
    const bench = new AgendaBench();
    const count = 10_000;
    const main = Array.from({ length: count }, (_, index) => at(second, event(`l${index}`)));
    bench.begin({ main });
    const applied = bench.core.tick(second - aheadUs);
    expect(sent(applied)).toEqual(main.map(({ event: { object } }) => object));
    const complete = (token: number) =>
      ({ kind: "agenda-complete", scope: "s", token, error: 0 }) as const;
    const commands = Array.from({ length: count }, (_, index) => complete(index + 1));
    expect(idles(bench.core.send("p", ...commands, ...commands))).toBe(0);
    expect(idles(bench.core.tick(aheadUs))).toBe(1);
  });

  it("a sequence of 10,000 steps, each waited for, ends with 0", () => {
    const bench = new AgendaBench();
    const steps = Array.from({ length: 10_000 }, () => at(0, run("prog0")));
    const main = [at(0, start("q", "SEQUENCE"))];
    bench.begin({ agents, main, sequences: [{ name: "q", steps }] });
    for (let token = 1; token < 10_000; token += 1) bench.complete(token);
    expect(seen(bench.complete(10_000), "object-ended")).toMatchObject([{ name: "q", error: 0 }]);
  });
});
