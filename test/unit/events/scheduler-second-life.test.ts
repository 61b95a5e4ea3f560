// SPDX-License-Identifier: MIT
// Goal: a scheduler that comes back takes no request twice, neither one that it finds again on the
// bus nor one that somebody has recorded (E3). Method: a scheduler that is killed and started again
// on its log, under a clock moved by hand.
import { describe, expect, it } from "vitest";
import type { Log } from "../../../src/engine/log.ts";
import type { Published } from "../../../src/wire/event/bus.ts";
import {
  attributeNames,
  getInt32,
  getText,
  type Notification,
} from "../../../src/wire/event/notification.ts";
import { agendaOf, experiment, Line, SchedulerWorld } from "./scheduler-world.ts";

async function begin(): Promise<SchedulerWorld> {
  const world = new SchedulerWorld();
  await world.watch();
  await world.startAgent("n0", ["a"]);
  await world.startScheduler();
  world.scheduler?.submit({ kind: "open-scope", scope: experiment, nodes: [] });
  world.scheduler?.load(agendaOf(["a"]));
  await world.pass(100);
  return world;
}

async function secondLife(world: SchedulerWorld): Promise<void> {
  world.crashScheduler();
  await world.pass(300);
  await world.startScheduler();
  await world.pass(300);
}

/** A log that is never done with the word that an agent is down. */
function logWithoutDown(world: SchedulerWorld): Log {
  const { log } = world;
  return {
    durability: "as the other",
    append(entry) {
      const commands = entry.batches.flatMap((batch) => batch.commands);
      const isDown = commands.some((one) => one.kind === "agenda-agents" && one.state === "down");
      return isDown ? new Promise(() => undefined) : log.append(entry);
    },
    read: (from, deliver) => log.read(from, deliver),
    head: () => log.head(),
    close: () => log.close(),
  };
}

/** A line whose scheduler dies as soon as it has asked an agent for something back. */
class DeadlyLine extends Line {
  readonly #world: SchedulerWorld;

  constructor(world: SchedulerWorld) {
    super(world.bus);
    this.#world = world;
  }

  override async publish(notification: Notification): Promise<Published> {
    const published = await super.publish(notification);
    if (typeOf(notification) === "REVOKE") this.#world.crashScheduler();
    return published;
  }
}

const typeOf = (one: Notification) => getText(one, attributeNames.eventtype);

const start = { objname: "__ns_sequence", eventtype: "START", token: 5, question: "q" };

describe("the second life of a scheduler", () => {
  it("does not refuse the START that the first one took", async () => {
    const world = await begin();
    await world.ask(start);
    await world.pass(100);
    expect(world.live("COMPLETE")).toEqual(["__ns_sequence ERROR=0 CTOKEN=5"]);
    await secondLife(world);
    expect(world.live("REFUSED")).toEqual([]);
    expect(new Set(world.live("COMPLETE"))).toEqual(new Set(["__ns_sequence ERROR=0 CTOKEN=5"]));
    // Another one is another.
    await world.ask({ ...start, token: 6 });
    await world.pass(100);
    expect(world.live("REFUSED")).toHaveLength(1);
  });

  it("refuses to its sender what was sent while nobody was there, when that is too long ago", async () => {
    const world = await begin();
    await world.ask(start);
    await world.pass(100);
    world.crashScheduler();
    await world.ask({ objname: "a", eventtype: "RUN", token: 7, question: "late" });
    await world.ask({ objname: "a", eventtype: "RUN", token: 8 });
    await world.pass(61_000);
    await world.ask({ objname: "a", eventtype: "RUN", token: 9 });
    await world.startScheduler();
    await world.pass(1_000);
    expect(world.live("REFUSED")).toEqual([expect.stringMatching(/^a CODE=expired TEXT=/)]);
    expect(world.live("COMPLETE")).toContain("a ERROR=-1 CTOKEN=8");
    expect(world.performed.map(({ token }) => token)).toEqual([9]);
  });

  it("tells nobody who waits for the true one of its recording", async () => {
    const world = await begin();
    await world.ask(start);
    await world.ask({ objname: "a", eventtype: "RUN", token: 7, question: "q7" });
    await world.pass(100);
    const recorded = world.said.find((one) => getInt32(one, attributeNames.token) === 7);
    // A scheduler that has forgotten the nonce: it runs on, and its program with it.
    await world.pass(130_000);
    expect(recorded).toBeDefined();
    if (recorded !== undefined) await world.bus.publish(recorded);
    await world.pass(300);
    expect(world.live("REFUSED")).toEqual([]);
    expect(world.live("COMPLETE").filter((one) => one.endsWith("CTOKEN=7"))).toEqual([]);
    world.end("a", 0);
    await world.pass(100);
    expect(world.live("COMPLETE")).toContain("a ERROR=0 CTOKEN=7");
  });

  it("does not take what was recorded before", async () => {
    const world = await begin();
    await world.ask(start);
    await world.ask({ objname: "a", eventtype: "RUN", token: 7 });
    await world.pass(100);
    world.end("a", 0);
    await world.pass(100);
    expect(world.performed).toHaveLength(1);
    const recorded = world.said.find((one) => getInt32(one, attributeNames.token) === 7);
    await secondLife(world);
    expect(recorded).toBeDefined();
    if (recorded !== undefined) await world.bus.publish(recorded);
    await world.pass(300);
    expect(world.performed).toHaveLength(1);
    expect(world.warnings.join()).toContain("not made with the key, or not lately");
  });

  it("ends what the first one took back and did not live to say so", async () => {
    const world = new SchedulerWorld();
    await world.watch();
    const line = new Line(world.bus);
    await world.startAgent("n0", ["a"], { bus: line });
    world.schedulerLine = new DeadlyLine(world);
    await world.startScheduler(agendaOf(["a"]), logWithoutDown(world));
    // It has said that it is there.
    await world.pass(3_000);
    line.cut();
    await world.ask({ objname: "a", eventtype: "RUN", token: 7 });
    await world.pass(16_000);
    expect(world.live("REVOKE")).toEqual(["a CTOKEN=7"]);
    line.mend();
    await world.startScheduler();
    await world.pass(3_000);
    expect(world.performed).toEqual([]);
    expect(world.live("COMPLETE")).toEqual(["a ERROR=-1 CTOKEN=7"]);
    // Its agent is there all the same.
    await world.ask({ objname: "a", eventtype: "RUN", token: 8 });
    await world.pass(100);
    expect(world.performed.map(({ token }) => token)).toEqual([8]);
  });

  it("tells of what was cancelled that it was, though its agent answered nobody", async () => {
    const world = new SchedulerWorld();
    await world.watch();
    world.schedulerLine = new DeadlyLine(world);
    await world.startAgent("n0", ["a"]);
    await world.startScheduler(agendaOf(["a"]));
    await world.ask({ objname: "a", eventtype: "RUN", inMs: 400, token: 7 });
    await world.pass(200);
    world.scheduler?.submit({ kind: "agenda-cancel", scope: experiment, request: 100, id: 1 });
    await world.pass(100);
    const isAnswer = (one: Notification) => typeOf(one) === "REVOKED";
    expect(world.said.filter(isAnswer)).toHaveLength(1);
    world.effects.length = 0;
    await world.startScheduler();
    await world.pass(1_000);
    const answers = world.effects.flatMap((one) =>
      one.kind === "agenda-answer" && one.request === 100 ? [one.answer.kind] : [],
    );
    expect(answers).toEqual(["cancelled"]);
    expect(world.performed).toEqual([]);
  });
});
