// SPDX-License-Identifier: MIT
// Goal: a scheduler that comes back takes no request twice, neither one that it finds again on the
// bus nor one that somebody has recorded (E3). Method: a scheduler that is killed and started again
// on its log, under a clock moved by hand.
import { describe, expect, it } from "vitest";
import { attributeNames, getInt32 } from "../../../src/wire/event/notification.ts";
import { agendaOf, experiment, SchedulerWorld } from "./scheduler-world.ts";

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
});
