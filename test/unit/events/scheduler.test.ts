// SPDX-License-Identifier: MIT
// Goal: a request on the bus becomes work of an agent at its instant, and whoever waits is told
// what became of it, whatever is refused, down, cut or taken back. Method: the shipped scheduler,
// agent, core and bus under a clock moved by hand.
import { beforeEach, describe, expect, it } from "vitest";
import type { AgendaEvent } from "../../../src/core/agenda/commands.ts";
import type { Fire } from "../../../src/core/agenda/effects.ts";
import { eventsLimits } from "../../../src/events/events-limits.ts";
import { OpenOrders } from "../../../src/events/open-orders.ts";
import { SteadyPublisher } from "../../../src/events/steady-publisher.ts";
import { createNotification } from "../../../src/wire/event/notification.ts";
import { agendaOf, experiment, Line, SchedulerWorld } from "./scheduler-world.ts";

let world: SchedulerWorld;

beforeEach(async () => {
  world = new SchedulerWorld();
  await world.watch();
});

const planned = (object: string, event: string, type = "PROGRAM"): AgendaEvent => ({
  ...{ id: 1, object, type, event, args: "" },
});

describe("what is planned", () => {
  it("fires at its instant, though it was sent out before", async () => {
    await world.startAgent("n0", ["a"]);
    await world.startScheduler(
      agendaOf(["a"], { main: [{ atUs: 2_000_000, event: planned("a", "START") }] }),
    );
    await world.pass(1_900);
    expect(world.live("START")).toEqual(["*", "a"]);
    expect(world.performed).toEqual([]);
    await world.pass(110);
    expect(world.performed.map(({ atUs }) => atUs)).toEqual([2_000_000]);
  });

  it("moves by nothing when the wall clock is set by an hour (D2)", async () => {
    await world.startAgent("n0", ["a"]);
    await world.startScheduler(
      agendaOf(["a"], { main: [{ atUs: 2_000_000, event: planned("a", "START") }] }),
    );
    world.clock.wallOffsetMs += 3_600_000;
    await world.pass(1_700);
    world.clock.wallOffsetMs -= 7_200_000;
    await world.pass(400);
    expect(world.performed.map(({ atUs }) => atUs)).toEqual([2_000_000]);
  });

  it("goes on with a sequence when the agent says that a step is over", async () => {
    const steps = ["a", "b"].map((name) => ({ atUs: 0, event: planned(name, "RUN") }));
    await world.startAgent("n0", ["a", "b"]);
    await world.startScheduler(agendaOf(["a", "b"], { sequences: [{ name: "s", steps }] }));
    await world.ask({ objname: "s", eventtype: "RUN", token: 77 });
    await world.pass(50);
    expect(world.performed.map(({ objname }) => objname)).toEqual(["a"]);
    world.end("a", 0);
    await world.pass(50);
    expect(world.performed.map(({ objname }) => objname)).toEqual(["a", "b"]);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=0 CTOKEN=1"]);
    world.end("b", 4);
    await world.pass(50);
    expect(world.live("COMPLETE").slice(1)).toEqual(["b ERROR=4 CTOKEN=2", "s ERROR=4 CTOKEN=77"]);
  });
});

describe("who watches", () => {
  const steps = ["a", "b"].map((name) => ({ atUs: 0, event: planned(name, "RUN") }));
  const sequences = [{ name: "s", steps }];
  const groups = [{ name: "g", members: ["a", "b"] }];

  it("hears the end of what the file starts: sequences under the number of their event", async () => {
    await world.startAgent("n0", ["a", "b"]);
    const start = { ...planned("s", "START"), id: 5, type: "SEQUENCE" };
    const main = [{ atUs: 0, event: start }];
    await world.startScheduler(agendaOf(["a", "b"], { sequences, main }));
    await world.pass(50);
    world.end("a", 4);
    await world.pass(50);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=4 CTOKEN=1", "s ERROR=4 CTOKEN=268435461"]);
  });

  it("hears the end of a group, once, under the token of its members", async () => {
    await world.startAgent("n0", ["a", "b"]);
    const main = [{ atUs: 0, event: planned("g", "RUN") }];
    await world.startScheduler(agendaOf(["a", "b"], { groups, main }));
    await world.pass(600);
    world.end("a", 0);
    world.end("b", 2);
    await world.pass(50);
    expect(world.live("COMPLETE")).toEqual([
      ...["a ERROR=0 CTOKEN=1", "b ERROR=2 CTOKEN=1", "g ERROR=2 CTOKEN=1"],
    ]);
  });

  it("hears what was added to a timeline under the token of whoever has added it", async () => {
    await world.startAgent("n0", ["a", "b"]);
    const timelines = [{ name: "t", events: [] }];
    await world.startScheduler(agendaOf(["a", "b"], { timelines }));
    const added = { objname: "a", eventtype: "RUN", timeline: "t", token: 9, question: "q" };
    await world.ask(added);
    expect(world.live("ACCEPTED")).toEqual(["a ID=1"]);
    await world.ask({ objname: "t", eventtype: "START" });
    await world.pass(50);
    world.end("a", 3);
    await world.pass(50);
    expect(world.live("COMPLETE")).toContain("a ERROR=3 CTOKEN=9");
  });
});

describe("who asks", () => {
  beforeEach(async () => {
    const groups = [{ name: "g", members: ["a", "b"] }];
    await world.startAgent("n0", ["a"]);
    await world.startAgent("n1", ["b"]);
    await world.startScheduler(agendaOf(["a", "b"], { groups }));
  });

  it("E2 is told that it is accepted, and with its own token how it ended", async () => {
    await world.ask({ objname: "a", eventtype: "RUN", args: "X=1", token: 9, question: "q" });
    expect(world.live("ACCEPTED")).toEqual(["a ID=1"]);
    await world.pass(10);
    expect(world.performed).toMatchObject([
      { objname: "a", objtype: "PROGRAM", args: "X=1", token: 9 },
    ]);
    world.end("a", 3);
    await world.pass(10);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=3 CTOKEN=9"]);
  });

  it("E2 is told once of what nobody waits for: when it has fired", async () => {
    await world.ask({ objname: "a", eventtype: "STOP", token: 9 });
    await world.pass(10);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=0 CTOKEN=9"]);
    // Its agent says that, too.
    world.end("a", 0);
    await world.pass(10);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=0 CTOKEN=9"]);
  });

  it("E2 hears of a START when the program ends, not when it begins", async () => {
    await world.ask({ objname: "a", eventtype: "START", token: 9 });
    await world.pass(1_000);
    expect(world.live("COMPLETE")).toEqual([]);
    world.end("a", 3);
    await world.pass(10);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=3 CTOKEN=9"]);
  });

  it.each([
    [{ objname: "c", eventtype: "RUN" }, /there is no object c/],
    [{ objname: "a", eventtype: "REBOOT" }, /knows no REBOOT/],
    [{ objname: "a", eventtype: "RUN", timeline: "t" }, /there is no timeline or sequence t/],
  ])("E2 is refused at once and told why: %o", async (asking, why) => {
    await world.ask({ ...asking, question: "q", token: 5 });
    const [refused = ""] = world.live("REFUSED");
    expect(refused).toMatch(why);
    expect(world.performed).toEqual([]);
    // One who only waits for the end is not left waiting.
    await world.ask({ ...asking, token: 6 });
    expect(world.live("COMPLETE")).toEqual([`${asking.objname} ERROR=-1 CTOKEN=6`]);
  });

  it("E2 is told of an agent that does not obey", async () => {
    world.outcomes.set("a", "failed: it is still running");
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    await world.pass(10);
    expect(world.live("COMPLETE")[0]).toBe("a ERROR=-1 CTOKEN=5");
    const errors = world.effects.filter(({ kind }) => kind === "event-done");
    expect(errors).toMatchObject([{ error: -1, text: "it is still running" }]);
  });

  it("gets one answer for a group when all members have answered, the worst of them", async () => {
    await world.ask({ objname: "g", eventtype: "RUN", token: 5 });
    await world.pass(10);
    expect(world.performed.map(({ objname, token }) => `${objname} ${token}`)).toEqual([
      "a 5",
      "b 5",
    ]);
    world.end("b", 4);
    await world.pass(10);
    expect(world.live("COMPLETE")).toEqual(["b ERROR=4 CTOKEN=5"]);
    world.end("a", 0);
    await world.pass(10);
    expect(world.live("COMPLETE").slice(1)).toEqual(["a ERROR=0 CTOKEN=5", "g ERROR=4 CTOKEN=5"]);
  });

  it("may use a token that somebody else uses at the same time", async () => {
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    await world.ask({ objname: "b", eventtype: "RUN", token: 5 });
    await world.pass(10);
    world.end("b", 2);
    await world.pass(10);
    expect(world.performed.map(({ objname }) => objname)).toEqual(["a", "b"]);
    const done = world.effects.filter(({ kind }) => kind === "event-done");
    expect(done).toMatchObject([{ request: 2, error: 2 }]);
  });

  it("is not heard without the key of the experiment", async () => {
    const credentials = world.credentials(new TextEncoder().encode("another key"));
    await world.ask({ objname: "a", eventtype: "RUN", token: 5, question: "q", credentials });
    await world.pass(10);
    expect(world.performed).toEqual([]);
    expect(world.live("REFUSED")).toEqual([]);
    expect(world.warnings.join()).toMatch(/not made with the key/);
  });
});

describe("agents", () => {
  it("that are not there are told of at once", async () => {
    // The watcher of this test would count as somebody who listens.
    world = new SchedulerWorld();
    await world.startScheduler(agendaOf(["a"]));
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    await world.pass(10);
    const done = world.effects.find(({ kind }) => kind === "event-done");
    expect(done).toMatchObject({ error: -1, text: "no agent of a is on the bus; is its node up?" });
  });

  it("that fall silent are down, and events for them refused, until they speak again", async () => {
    const line = new Line(world.bus);
    await world.startScheduler(agendaOf(["a"]));
    await world.startAgent("n0", ["a"], { bus: line });
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    line.cut();
    await world.pass(16_000);
    // What it was doing will not be told.
    expect(world.live("COMPLETE")).toEqual(["a ERROR=-1 CTOKEN=5"]);
    await world.ask({ objname: "a", eventtype: "RUN", question: "q" });
    expect(world.live("REFUSED")[0]).toMatch(/its agent \(n0\) has not been heard of for 14 s/);
    line.mend();
    await world.pass(3_000);
    await world.ask({ objname: "a", eventtype: "RUN", question: "r" });
    expect(world.live("ACCEPTED")).toHaveLength(1);
  });

  it("that go say so", async () => {
    await world.startScheduler(agendaOf(["a"]));
    const agent = await world.startAgent("n0", ["a"]);
    await world.until(agent.close());
    await world.ask({ objname: "a", eventtype: "RUN", question: "q" });
    expect(world.live("REFUSED")[0]).toMatch(/its agent \(n0\) has ended/);
  });

  it("lose nothing when the line to the bus is cut for 10 s, nor does the scheduler", async () => {
    const line = new Line(world.bus);
    await world.startAgent("n0", ["a"], { bus: line });
    await world.startAgent("n1", ["b"]);
    await world.startScheduler(agendaOf(["a", "b"]));
    await world.ask({ objname: "b", eventtype: "RUN", inMs: 3_000, token: 5 });
    await world.ask({ objname: "b", eventtype: "STOP", inMs: 5_000, token: 6 });
    await world.pass(2_600);
    // Sent out already; what is not is sent when the line is there again.
    world.schedulerLine.cut();
    await world.ask({ objname: "b", eventtype: "MODIFY", token: 7 });
    await world.pass(1_000);
    world.end("b", 3);
    await world.pass(9_000);
    world.schedulerLine.mend();
    await world.pass(2_000);
    expect(world.performed.map(({ objname, eventtype }) => `${objname} ${eventtype}`)).toEqual([
      "b RUN",
      "b STOP",
      "b MODIFY",
    ]);
    expect(world.live("COMPLETE")[0]).toBe("b ERROR=3 CTOKEN=5");
    expect(world.warnings.filter((text) => /lost/.test(text))).toEqual([]);
  });
});

describe("an old agent, which knows tokens only and says nothing of itself", () => {
  it("completes by its token; of what it never completes it is enough that it was sent", async () => {
    await world.startScheduler(agendaOf(["a"]));
    await world.ask({ objname: "a", eventtype: "STOP", token: 5 });
    await world.pass(10);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=0 CTOKEN=5"]);
    await world.ask({ objname: "a", eventtype: "RUN", token: 6 });
    await world.pass(1_000);
    expect(world.live("COMPLETE")).toHaveLength(1);
    // As the old library sends it: a request whose ARGS say what is over.
    await world.ask({ objname: "a", eventtype: "COMPLETE", args: " ERROR=4 CTOKEN=6" });
    await world.pass(10);
    expect(world.live("COMPLETE").slice(1)).toEqual(["a ERROR=4 CTOKEN=6"]);
    const done = world.effects.filter(({ kind }) => kind === "event-done");
    expect(done).toMatchObject([{ error: 0 }, { error: 4 }]);
  });
});

describe("limits", () => {
  it("unpublishedMax: what waits for a bus that is away is bounded, the oldest goes", async () => {
    const line = new Line(world.bus);
    const { clock, warnings } = world;
    line.cut();
    const publisher = new SteadyPublisher({
      ...{ bus: line, clock, sign: (one) => one, onWarning: (text) => warnings.push(text) },
    });
    const note = createNotification({ scheduler: 0 }, { sender: "", layout: "2011", extra: [] });
    const { unpublishedMax } = eventsLimits;
    for (let count = 0; count < unpublishedMax; count += 1) publisher.publish(note);
    expect(warnings.join()).not.toMatch(/unpublishedMax/);
    publisher.publish(note);
    expect(warnings.join()).toMatch(/unpublishedMax \(65536\) reached/);
    publisher.close();
  });

  it("ordersMax: the oldest order is forgotten, and no report counts for it", () => {
    const orders = new OpenOrders();
    const order = (token: number): Fire => ({
      ...{ kind: "fire", scope: experiment, token, item: token, event: planned("a", "RUN") },
      ...{ members: [], plannedUs: 0, dueStampUs: 0, toleranceUs: 1, whenLate: "fire" },
    });
    const { ordersMax } = eventsLimits;
    for (let token = 1; token <= ordersMax; token += 1) orders.add(order(token), undefined);
    expect(orders.get(1)).toBeDefined();
    orders.add(order(ordersMax + 1), undefined);
    expect(orders.get(1)).toBeUndefined();
    expect(orders.get(2)).toBeDefined();
  });
});

describe("what is taken back", () => {
  beforeEach(async () => {
    await world.startAgent("n0", ["a"]);
    await world.startScheduler(agendaOf(["a"]));
  });

  const cancel = (id: number): void =>
    world.scheduler?.submit({ kind: "agenda-cancel", scope: experiment, request: 100, id });
  const answers = () =>
    world.effects.flatMap((effect) =>
      effect.kind === "agenda-answer" && effect.request === 100 ? [effect.answer.kind] : [],
    );

  it("A3 is not performed when it was armed, and who asks hears `cancelled`", async () => {
    await world.ask({ objname: "a", eventtype: "RUN", inMs: 400, token: 5 });
    await world.pass(200);
    expect(world.live("RUN")).toEqual(["a"]);
    cancel(1);
    await world.pass(1_000);
    expect(world.live("REVOKE")).toEqual(["a CTOKEN=5"]);
    expect(answers()).toEqual(["cancelled"]);
    expect(world.performed).toEqual([]);
    // Whoever waits for it waits no more.
    expect(world.live("COMPLETE")).toEqual(["a ERROR=-1 CTOKEN=5"]);
  });

  it("A3 has fired when it has, whatever is asked later", async () => {
    await world.ask({ objname: "a", eventtype: "RUN", inMs: 400, token: 5 });
    await world.pass(500);
    cancel(1);
    await world.pass(100);
    expect(answers()).toEqual(["already-fired"]);
    expect(world.performed).toHaveLength(1);
  });
});

describe("clocks", () => {
  it("of another machine are compared, and its events fire by the scheduler's", async () => {
    await world.startAgent("n0", ["a"], { clockName: "another machine" });
    await world.startScheduler(
      agendaOf(["a"], {
        main: [1, 2].map((second) => ({ atUs: second * 1_000_000, event: planned("a", "START") })),
      }),
    );
    await world.pass(1_100);
    // From here the wall clock would say something else.
    world.clock.wallOffsetMs += 3_600_000;
    await world.pass(1_000);
    expect(world.performed.map(({ atUs }) => atUs)).toEqual([1_000_000, 2_000_000]);
    expect(world.live("CLOCK").length).toBeGreaterThanOrEqual(8);
  });
});
