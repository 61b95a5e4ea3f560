// SPDX-License-Identifier: MIT
// Goal: what the event system must survive, it survives, and its users are told what it cost them
// (docs/internals/event-survival.md). Method: the shipped scheduler, agents, bus and core under
// virtual time; each fault is done to them by name. A scheduler that is killed at every position of
// its log has a file of its own (../unit/events/scheduler-restart.test.ts), and so have many
// events.
import { beforeEach, describe, expect, it } from "vitest";
import type { Bus, PlacedNotification } from "../../src/wire/event/bus.ts";
import { agendaOf, Line, SchedulerWorld } from "../unit/events/scheduler-world.ts";

let world: SchedulerWorld;
beforeEach(async () => {
  world = new SchedulerWorld();
});

const program = (object: string, event: string, atUs: number, id = 1) => ({
  atUs,
  event: { id, object, type: "PROGRAM", event, args: "" },
});
const performed = () => world.performed.map(({ objname, eventtype }) => `${objname} ${eventtype}`);
const done = () =>
  world.effects.flatMap((effect) => (effect.kind === "event-done" ? [effect] : []));

describe("an agent that is killed", () => {
  it("while it performs an event and has another one armed: both end with -1, by its name", async () => {
    const line = new Line(world.bus);
    await world.startScheduler(agendaOf(["a", "b"]));
    const agent = await world.startAgent("n0", ["a"], { bus: line });
    await world.startAgent("n1", ["b"]);
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    await world.ask({ objname: "a", eventtype: "STOP", inMs: 300, token: 6 });
    await world.pass(100);
    agent.stop();
    line.cut();
    await world.ask({ objname: "b", eventtype: "RUN", inMs: 1_000, token: 7 });
    await world.pass(16_000);
    expect(performed()).toEqual(["a RUN", "b RUN"]);
    expect(done().map(({ error, text }) => [error, text])).toEqual([
      [-1, expect.stringContaining("a is down: its agent (n0) has not been heard of for 14 s")],
      [-1, expect.stringContaining("a is down")],
    ]);
  });

  it("and started again before anybody has missed it: what it had ends with -1, and it obeys", async () => {
    const line = new Line(world.bus);
    await world.watch();
    await world.startScheduler(agendaOf(["a"]));
    const agent = await world.startAgent("n0", ["a"], { bus: line });
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    await world.ask({ objname: "a", eventtype: "STOP", inMs: 300, token: 6 });
    await world.pass(100);
    agent.stop();
    line.cut();
    await world.startAgent("n0", ["a"]);
    await world.pass(1_000);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=-1 CTOKEN=5", "a ERROR=-1 CTOKEN=6"]);
    expect(world.warnings.join()).toMatch(/a: its agent \(n0\) was started again/);
    await world.ask({ objname: "a", eventtype: "RUN", token: 8 });
    await world.pass(10);
    world.end("a", 0);
    await world.pass(10);
    expect(performed()).toEqual(["a RUN", "a RUN"]);
    expect(world.live("COMPLETE").at(-1)).toBe("a ERROR=0 CTOKEN=8");
  });

  it("after it was done with an event, and is there again before a new scheduler: that is over", async () => {
    const line = new Line(world.bus);
    await world.watch();
    await world.startScheduler(agendaOf(["a"]));
    const agent = await world.startAgent("n0", ["a"], { bus: line });
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    await world.pass(100);
    world.crashScheduler();
    world.end("a", 0);
    await world.pass(100);
    agent.stop();
    line.cut();
    await world.startAgent("n0", ["a"]);
    await world.startScheduler();
    await world.pass(1_000);
    world.end("a", 0);
    await world.pass(10);
    expect(performed()).toEqual(["a RUN"]);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=0 CTOKEN=5"]);
  });

  it.each(["before the scheduler is", "after the scheduler is", "never"])(
    "and so is its scheduler; it is there again %s: what it had ends with -1, and not after a day",
    async (when) => {
      const line = new Line(world.bus);
      await world.watch();
      await world.startScheduler(agendaOf(["a"]));
      const agent = await world.startAgent("n0", ["a"], { bus: line });
      await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
      await world.ask({ objname: "a", eventtype: "STOP", inMs: 3_000, token: 6 });
      await world.pass(100);
      agent.stop();
      line.cut();
      await world.pass(100);
      world.crashScheduler();
      if (when.startsWith("before")) await world.startAgent("n0", ["a"]);
      await world.startScheduler();
      await world.pass(100);
      if (when.startsWith("after")) await world.startAgent("n0", ["a"]);
      await world.pass(when === "never" ? 16_000 : 5_000);
      // What came when it was there again is obeyed, once.
      expect(performed()).toEqual(when === "never" ? ["a RUN"] : ["a RUN", "a STOP"]);
      const error = when === "never" ? -1 : 0;
      expect(world.live("COMPLETE")).toEqual(["a ERROR=-1 CTOKEN=5", `a ERROR=${error} CTOKEN=6`]);
    },
  );

  it("and started again while the scheduler is cut off: what it had not begun it does not begin", async () => {
    const line = new Line(world.bus);
    await world.watch();
    await world.startScheduler(agendaOf(["a"]));
    const agent = await world.startAgent("n0", ["a"], { bus: line });
    await world.pass(100);
    world.schedulerLine.cut();
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    agent.stop();
    line.cut();
    await world.startAgent("n0", ["a"]);
    world.schedulerLine.mend();
    await world.pass(2_000);
    expect(performed()).toEqual([]);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=-1 CTOKEN=5"]);
  });
});

describe("a connection that is cut for 10 s", () => {
  it("of an agent costs only time: it fires what it has, and then what came meanwhile", async () => {
    const line = new Line(world.bus);
    await world.startScheduler(
      agendaOf(["a", "b"], {
        main: [program("a", "STOP", 2_100_000), program("a", "MODIFY", 6_000_000)],
      }),
    );
    await world.startAgent("n0", ["a", "b"], { bus: line });
    await world.ask({ objname: "b", eventtype: "RUN", token: 5 });
    await world.pass(2_000);
    line.cut();
    await world.pass(5_000);
    world.end("b", 3);
    await world.pass(5_000);
    line.mend();
    await world.pass(2_000);
    // The second was sent out during the cut.
    const [run, stop, modify] = world.performed;
    expect([run?.atUs, stop?.atUs]).toEqual([0, 2_100_000]);
    expect(modify?.atUs).toBeGreaterThanOrEqual(12_000_000);
    expect(modify?.atUs).toBeLessThan(13_000_000);
    expect(done()).toMatchObject([{ error: 3 }]);
    expect(world.warnings.filter((text) => /down|lost|heard of/.test(text))).toEqual([]);
  });

  it("of an agent, and longer: what it did not get it never fires", async () => {
    const line = new Line(world.bus);
    await world.startScheduler(agendaOf(["a"]));
    await world.startAgent("n0", ["a"], { bus: line });
    line.cut();
    await world.ask({ objname: "a", eventtype: "RUN", inMs: 3_000, token: 5 });
    await world.pass(20_000);
    expect(done()).toMatchObject([{ error: -1, text: expect.stringMatching(/a is down/) }]);
    line.mend();
    await world.pass(3_000);
    expect(performed()).toEqual([]);
    await world.ask({ objname: "a", eventtype: "RUN", token: 6 });
    await world.pass(10);
    expect(performed()).toEqual(["a RUN"]);
  });

  it("of an agent, and longer: who waits is told once, also when the work was done meanwhile", async () => {
    const line = new Line(world.bus);
    await world.watch();
    await world.startScheduler(agendaOf(["a"]));
    await world.startAgent("n0", ["a"], { bus: line });
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    line.cut();
    await world.pass(20_000);
    world.end("a", 0);
    world.crashScheduler();
    await world.startScheduler();
    line.mend();
    await world.pass(3_000);
    // A new life says again what the one before may not have said.
    expect(new Set(world.live("COMPLETE"))).toEqual(new Set(["a ERROR=-1 CTOKEN=5"]));
  });

  it("of scheduler and agent at once loses no request, no order and no completion", async () => {
    const line = new Line(world.bus);
    await world.startScheduler(agendaOf(["a"]));
    await world.startAgent("n0", ["a"], { bus: line });
    await world.pass(1_000);
    line.cut();
    world.schedulerLine.cut();
    await world.ask({ objname: "a", eventtype: "RUN", token: 5 });
    await world.pass(10_000);
    line.mend();
    world.schedulerLine.mend();
    await world.pass(2_000);
    expect(performed()).toEqual(["a RUN"]);
    world.end("a", 4);
    await world.pass(10);
    expect(done()).toMatchObject([{ error: 4 }]);
  });
});

describe.each([
  ["forward", 3_600_000],
  ["back", -3_600_000],
])("a wall clock that is set an hour %s (D2)", (_, stepMs) => {
  it("moves no event, planned or sent, and takes no event for old or for a repeat", async () => {
    const main = [program("a", "START", 1_000_000), program("a", "STOP", 4_000_000)];
    await world.startAgent("n0", ["a"]);
    await world.startScheduler(agendaOf(["a"], { main }));
    await world.ask({ objname: "a", eventtype: "MODIFY", inMs: 3_000 });
    await world.pass(2_000);
    world.clock.wallOffsetMs += stepMs;
    await world.ask({ objname: "a", eventtype: "KILL", inMs: 500 });
    await world.pass(3_000);
    expect(world.performed.map(({ eventtype, atUs }) => [eventtype, atUs])).toEqual([
      ["START", 1_000_000],
      ["KILL", 2_500_000],
      ["MODIFY", 3_000_000],
      ["STOP", 4_000_000],
    ]);
    expect(world.warnings).toEqual([]);
  });
});

/** A bus that delivers everything twice. */
function doubling(bus: Bus): Bus {
  return {
    publish: (notification) => bus.publish(notification),
    subscribe: (subscription, subscriber) =>
      bus.subscribe(subscription, {
        ...subscriber,
        onNotifications: async (placed: readonly PlacedNotification[]) => {
          await subscriber.onNotifications(placed);
          await subscriber.onNotifications(placed);
        },
      }),
  };
}

describe("duplicate delivery", () => {
  it("performs once, counts once and answers once, whoever hears twice", async () => {
    await world.watch();
    world.schedulerLine = new Line(doubling(world.bus));
    await world.startScheduler(
      agendaOf(["a"], {
        sequences: [{ name: "s", steps: [program("a", "RUN", 0), program("a", "RUN", 0)] }],
      }),
    );
    await world.startAgent("n0", ["a"], { bus: doubling(world.bus) });
    await world.ask({ objname: "s", eventtype: "RUN", token: 5, question: "q" });
    await world.pass(100);
    expect(performed()).toEqual(["a RUN"]);
    world.end("a", 0);
    await world.pass(100);
    expect(performed()).toEqual(["a RUN", "a RUN"]);
    world.end("a", 0);
    await world.pass(100);
    expect(world.live("ACCEPTED")).toHaveLength(1);
    expect(world.live("COMPLETE").filter((text) => text.startsWith("s"))).toEqual([
      "s ERROR=0 CTOKEN=5",
    ]);
  });
});

describe("a storm of events from one client", () => {
  it("is refused beyond requestsPerSenderMax, and others are served at their instants", async () => {
    world.requestsPerSenderMax = 100;
    await world.watch();
    await world.startAgent("n0", ["a", "b"]);
    const main = [program("b", "START", 1_000_000)];
    await world.startScheduler(agendaOf(["a", "b"], { main }));
    const storm = { objname: "a", eventtype: "MODIFY", inMs: 60_000, from: "192.0.2.66" };
    for (let at = 0; at < 2_000; at += 1) await world.send({ ...storm, question: `q${at}` });
    await world.send({ objname: "b", eventtype: "STOP", inMs: 1_500, question: "other" });
    await world.pass(2_000);
    expect(world.live("ACCEPTED")).toHaveLength(101);
    const refused = world.live("REFUSED");
    expect(refused).toHaveLength(1_900);
    expect(refused[0]).toMatch(
      /CODE=limit TEXT=.*192\.0\.2\.66 .*limit requestsPerSenderMax \(100\) reached; wait for some/,
    );
    const [start, stop] = world.performed;
    expect(start).toMatchObject({ eventtype: "START", atUs: 1_000_000 });
    expect(stop?.eventtype).toBe("STOP");
    // It counts from when it is in the log, which the storm has put off by one turn.
    expect(stop?.atUs).toBeLessThanOrEqual(1_510_000);
  });

  it("may go on when what it has sent is over, also after a restart of the scheduler", async () => {
    world.requestsPerSenderMax = 2;
    await world.watch();
    await world.startAgent("n0", ["a"]);
    await world.startScheduler(agendaOf(["a"]));
    const ask = (inMs: number, question: string) =>
      world.ask({ objname: "a", eventtype: "STOP", inMs, question });
    await ask(1_000, "q1");
    await ask(5_000, "q2");
    await ask(5_000, "q3");
    expect(world.live("REFUSED")).toHaveLength(1);
    world.crashScheduler();
    await world.startScheduler();
    await ask(5_000, "q4");
    // The one before is heard again: nothing of it is in the log.
    expect(world.live("REFUSED")).toHaveLength(3);
    await world.pass(1_500);
    await ask(5_000, "q5");
    expect(world.live("ACCEPTED")).toHaveLength(3);
  });
});
