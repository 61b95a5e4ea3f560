// SPDX-License-Identifier: MIT
// Goal: nothing is lost when the bus forgets what an agent or the scheduler was to hear while it
// was cut off (R4 of agent-roll.ts): what is not answered is said again, and performed once.
// Method: a bus that keeps few notifications, lines that are cut, and others who talk meanwhile.
import { expect, it } from "vitest";
import { createNotification } from "../../../src/wire/event/notification.ts";
import { agendaOf, experiment, Line, SchedulerWorld } from "./scheduler-world.ts";

const kept = 64;
const by = { sender: "192.0.2.9", layout: "2011", extra: [] } as const;

interface Cut {
  readonly world: SchedulerWorld;
  readonly agentLine: Line;
}

/** @param isWatched whether somebody hears what is sent, when nobody else does */
async function begin(isWatched = true): Promise<Cut> {
  const limits = { ringNotificationsMax: kept, queueNotificationsMax: kept };
  const world = new SchedulerWorld(limits);
  if (isWatched) await world.watch();
  const agentLine = new Line(world.bus);
  await world.startAgent("n0", ["a"], { bus: agentLine });
  await world.startScheduler(agendaOf(["a"]));
  // It has said that it is there.
  await world.pass(3_000);
  return { world, agentLine };
}

/** More than the bus keeps, for nobody. */
async function talk({ bus }: SchedulerWorld): Promise<void> {
  const address = {
    expt: experiment,
    objname: "nobody",
    eventtype: "SNAPSHOT",
    scheduler: 0,
  } as const;
  for (let count = 0; count < kept + 1; count += 1) {
    await bus.publish(createNotification(address, by));
  }
}

function answers({ effects }: SchedulerWorld): readonly string[] {
  return effects.flatMap((effect) =>
    effect.kind === "agenda-answer" && effect.request === 100 ? [effect.answer.kind] : [],
  );
}

const run = { objname: "a", eventtype: "RUN", token: 7 };

it("tells an agent again what it missed", async () => {
  const { world, agentLine } = await begin();
  agentLine.cut();
  await world.ask(run);
  await talk(world);
  await world.pass(5_000);
  agentLine.mend();
  await world.pass(1_000);
  expect(world.performed.map(({ token }) => token)).toEqual([7]);
  world.end("a", 0);
  await world.pass(100);
  expect(world.live("COMPLETE")).toEqual(["a ERROR=0 CTOKEN=7"]);
});

it("does not let an agent begin with what was cancelled while it was cut off", async () => {
  const { world, agentLine } = await begin();
  agentLine.cut();
  await world.ask({ ...run, inMs: 400 });
  await world.pass(350);
  world.scheduler?.submit({ kind: "agenda-cancel", scope: experiment, request: 100, id: 1 });
  await world.pass(1_000);
  await talk(world);
  agentLine.mend();
  await world.pass(5_000);
  expect(world.performed).toEqual([]);
  expect(answers(world)).toEqual(["cancelled"]);
  expect(world.live("COMPLETE")).toEqual(["a ERROR=-1 CTOKEN=7"]);
});

it("does not say cancelled of what an agent has that is cut off, and performs", async () => {
  const { world, agentLine } = await begin(false);
  await world.ask({ ...run, inMs: 400 });
  await world.pass(350);
  agentLine.cut();
  world.scheduler?.submit({ kind: "agenda-cancel", scope: experiment, request: 100, id: 1 });
  await world.pass(1_000);
  expect(answers(world)).toEqual([]);
  agentLine.mend();
  await world.pass(5_000);
  expect(world.performed).toHaveLength(1);
  expect(answers(world)).toEqual(["already-fired"]);
});

it("asks agents again for reports that the scheduler missed", async () => {
  const { world } = await begin();
  await world.ask(run);
  await world.pass(100);
  world.schedulerLine.cut();
  world.end("a", 0);
  await world.pass(100);
  await talk(world);
  expect(world.live("COMPLETE")).toEqual([]);
  world.schedulerLine.mend();
  await world.pass(1_000);
  expect(world.live("COMPLETE")).toEqual(["a ERROR=0 CTOKEN=7"]);
  expect(world.performed).toHaveLength(1);
});
