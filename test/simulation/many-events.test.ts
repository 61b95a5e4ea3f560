// SPDX-License-Identifier: MIT
// Goal: very many events, planned or of one microsecond, fire in their order and in time on their
// way through scheduler, bus and agent. Method: the shipped code under virtual time, which says
// what waits for what, not how fast a machine is.
import { beforeEach, describe, expect, it } from "vitest";
import { agendaOf, SchedulerWorld } from "../unit/events/scheduler-world.ts";

let world: SchedulerWorld;
beforeEach(() => {
  world = new SchedulerWorld();
});

const program = (object: string, event: string, atUs: number, id = 1) => ({
  atUs,
  event: { id, object, type: "PROGRAM", event, args: "" },
});

describe("many events", () => {
  it("10,000 of one microsecond are fired in that microsecond, in their order, through bus and agent", async () => {
    const count = 10_000;
    const main = Array.from({ length: count }, (_, at) => program("a", "START", 1_000_000, at + 1));
    const numbered = main.map((one, at) => ({
      ...one,
      event: { ...one.event, args: `N=${at}` },
    }));
    await world.startAgent("n0", ["a"]);
    await world.startScheduler(agendaOf(["a"], { main: numbered }));
    await world.pass(1_500);
    expect(world.performed.map(({ args }) => args)).toEqual(
      numbered.map(({ event }) => event.args),
    );
    expect(new Set(world.performed.map(({ atUs }) => atUs))).toEqual(new Set([1_000_000]));
  });

  it("100,000 that are planned do not delay the first, nor one that is sent", async () => {
    const count = 100_000 - 1;
    const main = Array.from({ length: count }, (_, at) =>
      program("a", "START", 1_000_000 + at * 100_000),
    );
    await world.startAgent("n0", ["a"]);
    await world.startScheduler(agendaOf(["a"], { main }));
    await world.ask({ objname: "a", eventtype: "STOP", inMs: 1_050, token: 5 });
    await world.pass(1_300);
    expect(world.performed.map(({ eventtype, atUs }) => [eventtype, atUs])).toEqual([
      ["START", 1_000_000],
      ["STOP", 1_050_000],
      ["START", 1_100_000],
      ["START", 1_200_000],
      ["START", 1_300_000],
    ]);
  });
});
