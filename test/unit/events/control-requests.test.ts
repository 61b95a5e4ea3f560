// SPDX-License-Identifier: MIT
// Goal: whoever has the key of an experiment sees what its scheduler holds and changes it, and is
// told what became of that and never a guess. Method: the shipped client, scheduler, agent, core
// and bus under a clock moved by hand; the scheduler is killed where that could matter.
import { beforeEach, describe, expect, it } from "vitest";
import {
  type ControlOptions,
  type ControlOutcome,
  controlEvents,
  type EventList,
  listEvents,
} from "../../../src/client/event-control.ts";
import type { AgendaLoad, TimedEvent } from "../../../src/core/agenda/commands.ts";
import { ControlRequests } from "../../../src/events/control-requests.ts";
import { eventsLimits } from "../../../src/events/events-limits.ts";
import { noOrigin } from "../../../src/events/request-origin.ts";
import type { SenderAnswers } from "../../../src/events/sender-answers.ts";
import {
  type ControlRequest,
  controlAddress,
  formatControl,
} from "../../../src/wire/event/control.ts";
import { createNotification } from "../../../src/wire/event/notification.ts";
import { agendaOf, experiment, SchedulerWorld } from "./scheduler-world.ts";

let world: SchedulerWorld;

beforeEach(async () => {
  world = new SchedulerWorld();
  await world.watch();
});

const planned = (object: string, atUs: number, args = ""): TimedEvent => ({
  atUs,
  event: { id: 1, object, type: "PROGRAM", event: "START", args },
});

/** Passes turns, and no time; what does not come ends the test. */
async function soon<Result>(promise: Promise<Result>): Promise<Result> {
  let isDone = false;
  const done = promise.finally(() => {
    isDone = true;
  });
  for (let turn = 0; turn < 100 && !isDone; turn += 1) await world.pass(0);
  if (!isDone) throw new Error(`no answer; ${world.warnings.join("; ")}`);
  return done;
}

let asked = 0;

function options(): ControlOptions {
  const { clock, bus } = world;
  return {
    ...{ bus, experiment, sender: "192.0.2.9", credentials: world.credentials() },
    runtime: {
      nowUs: () => clock.nowUs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      randomBytes: (count) => {
        asked += 1;
        return Uint8Array.from({ length: count }, (_, at) => asked >> (8 * (at % 4)));
      },
    },
    now: () => ({ seconds: Math.floor(clock.wallMs() / 1_000), microseconds: 0 }),
  };
}

function control(request: Exclude<ControlRequest, { kind: "list" }>): Promise<ControlOutcome> {
  return soon(controlEvents(options(), request));
}

async function list(): Promise<EventList> {
  const outcome = await soon(listEvents(options()));
  if (outcome.kind !== "listed") throw new Error(JSON.stringify(outcome));
  return outcome.list;
}

async function start(part: Partial<AgendaLoad>): Promise<void> {
  await world.startScheduler();
  // The scheduler hears that it is one of ours, which gives back what it is asked for.
  await world.startAgent("n", ["a", "b"]);
  const { scheduler } = world;
  scheduler?.submit({ kind: "open-scope", scope: experiment, nodes: [] });
  scheduler?.load(agendaOf(["a", "b"], part));
  scheduler?.submit({ kind: "agenda-start", scope: experiment });
  await world.pass(0);
  await world.pass(10);
}

const numbers = ({ events }: EventList): readonly number[] => events.map(({ id }) => id);
const fired = (): readonly string[] => world.performed.map(({ objname }) => objname);

describe("a list", () => {
  it("has what is planned and under way in order of time, and says what time it is", async () => {
    const on = { barrier: "ready", outcome: "crossed" } as const;
    const timelines = [{ name: "tl", events: [planned("b", 4_000_000)] }];
    await start({
      main: [{ ...planned("a", 0), on }, planned("a", 9_000_000, "X=1"), planned("b", 2_000_000)],
      timelines,
    });
    await world.ask({ objname: "tl", eventtype: "START" });
    await world.pass(1_700);
    const { events, nowUs, paused } = await list();
    const said = events.map(({ object, state, on: barrier, within, args }) =>
      [object, state, barrier, within, args].join(" "),
    );
    expect(said).toEqual([
      "tl running   ",
      "b armed   ",
      "b queued  tl ",
      "a queued   X=1",
      "a waiting crossed ready  ",
    ]);
    expect([events[1]?.plannedUs, events[4]?.plannedUs, paused]).toEqual([2_000_000, null, false]);
    expect(nowUs).toBe(world.clock.nowUs());
  });

  it("comes in pages that a notification can carry, with long arguments cut", async () => {
    const long = "X".repeat(eventsLimits.listedArgsCharsMax);
    const main = Array.from({ length: 700 }, (_, at) => planned("a", 60_000_000 + at, long));
    await start({ main: [...main, planned("b", 61_000_000, `${long}Y`)] });
    const { events } = await list();
    expect(events).toHaveLength(701);
    expect(world.live("ACCEPTED").length).toBeGreaterThan(2);
    const pages = world.said.map(({ attributes }) => JSON.stringify(attributes).length);
    expect(Math.max(...pages)).toBeLessThan(2 * eventsLimits.listPageBytesMax);
    expect([events[0]?.args, events[0]?.argsCut]).toEqual([long, false]);
    expect([events[700]?.args, events[700]?.argsCut]).toEqual([long, true]);
  });

  it("has what was asked for before it, though no scheduler was there for either, and that can be cancelled", async () => {
    await start({});
    world.crashScheduler();
    await world.ask({ objname: "a", eventtype: "START", inMs: 5_000, token: 1, question: "q" });
    await world.ask({ objname: "b", eventtype: "START", inMs: 5_000, token: 2 });
    const listed = listEvents(options());
    await world.pass(300);
    await world.startScheduler();
    const outcome = await soon(listed);
    if (outcome.kind !== "listed") throw new Error(outcome.kind);
    const [event, other] = outcome.list.events;
    expect(outcome.list.events.map(({ object }) => object)).toEqual(["a", "b"]);
    expect(await control({ kind: "cancel", id: event?.id ?? 0 })).toMatchObject({
      result: "cancelled",
    });
    // By its number it is also cancelled when that is asked of nobody.
    world.crashScheduler();
    const cancelled = controlEvents(options(), { kind: "cancel", id: other?.id ?? 0 });
    await world.pass(300);
    await world.startScheduler();
    expect(await soon(cancelled)).toMatchObject({ result: "cancelled" });
    await world.pass(6_000);
    expect(fired()).toEqual([]);
    expect([...new Set(world.live("COMPLETE"))]).toEqual([
      "a ERROR=-1 CTOKEN=1",
      "b ERROR=-1 CTOKEN=2",
    ]);
  });

  it("comes behind what its core had no room for", async () => {
    world.limits = { mailboxCommandsMax: 4, entryCommandsMax: 4 };
    await start({});
    const at = { kind: "in", us: 60_000_000 } as const;
    const asking = { scope: experiment, object: "a", event: "START", args: "", at } as const;
    for (let request = 101; request <= 120; request += 1) {
      world.scheduler?.submit({ kind: "agenda-schedule", ...asking, request });
    }
    expect((await list()).events).toHaveLength(20);
  });

  it("that cannot be had is refused: whoever asks is not left to wait", async () => {
    const refused: unknown[] = [];
    const requests = new ControlRequests({
      ...{ scope: experiment, clock: world.clock, recalled: [], nextRequest: () => 1 },
      ...{ submit: () => undefined, onWarning: () => undefined },
      answers: { refused: (...said: unknown[]) => refused.push(said) } as unknown as SenderAnswers,
      list: () => Promise.reject(new Error("the core is away")),
    });
    const { eventtype } = formatControl({ kind: "list", after: 0 });
    const address = { ...controlAddress, expt: experiment, eventtype, scheduler: 1 } as const;
    const asked = createNotification(address, { sender: "", layout: "2011", extra: [] });
    const origin = { ...noOrigin, question: "q", place: { epoch: "e", position: 1 } };
    expect(requests.take(asked, origin)).toBe(true);
    await world.pass(0);
    const refusal = { code: "unavailable", message: expect.stringContaining("core is away") };
    expect(refused).toEqual([[controlAddress.objname, origin, refusal]]);
  });

  it("is refused to nobody but those without the key, who are not answered", async () => {
    await start({});
    const stranger = world.credentials(new TextEncoder().encode("f".repeat(32)));
    const silent = listEvents({ ...options(), credentials: stranger });
    await world.pass(10_100);
    expect(await soon(silent)).toEqual({ kind: "no-answer" });
    expect(world.live("ACCEPTED")).toEqual([]);
  });
});

describe("a cancel", () => {
  it("takes back what is planned, and what an agent holds already", async () => {
    await start({ main: [planned("a", 300_000), planned("b", 5_000_000)] });
    const [armed, queued] = (await list()).events;
    expect([armed?.state, queued?.state]).toEqual(["armed", "queued"]);
    const done = { kind: "done", result: "cancelled", eventUs: undefined };
    expect(await control({ kind: "cancel", id: armed?.id ?? 0 })).toEqual(done);
    expect(await control({ kind: "cancel", id: queued?.id ?? 0 })).toEqual(done);
    await world.pass(6_000);
    expect(fired()).toEqual([]);
  });

  it("is told that the event has fired, when it has", async () => {
    await start({ main: [planned("a", 300_000)] });
    const [id = 0] = numbers(await list());
    await world.pass(400);
    expect(await control({ kind: "cancel", id })).toMatchObject({ result: "already-fired" });
    expect(fired()).toEqual(["a"]);
  });

  it("of a number that no event has had is refused", async () => {
    await start({});
    const outcome = await control({ kind: "cancel", id: 77 });
    expect(outcome).toMatchObject({ kind: "refused", code: "unknown" });
  });

  it("counts once and is answered, though the scheduler is killed while it asks back", async () => {
    const cut = world.bus;
    await start({ main: [planned("a", 400_000), planned("b", 2_000_000)] });
    const [id = 0] = numbers(await list());
    const answer = controlEvents({ ...options(), bus: cut }, { kind: "cancel", id });
    world.crashScheduler();
    await world.startScheduler();
    expect(await soon(answer)).toMatchObject({ result: "cancelled" });
    await world.pass(2_500);
    expect(fired()).toEqual(["b"]);
  });
});

describe("an edit", () => {
  it("moves an event to an instant of event time, or from now, and changes its arguments", async () => {
    await start({ main: [planned("a", 5_000_000), planned("b", 5_000_000)] });
    const [a = 0, b = 0] = numbers(await list());
    const at = { kind: "at", us: 1_000_000 } as const;
    expect(await control({ kind: "edit", id: a, at })).toMatchObject({ result: "edited" });
    const change = { at: { kind: "in", us: 500_000 } as const, args: "K='it is' L={x y}" };
    expect(await control({ kind: "edit", id: b, ...change })).toMatchObject({ result: "edited" });
    await world.pass(1_100);
    expect(world.performed.map(({ objname, args }) => `${objname} ${args}`)).toEqual([
      "b K='it is' L={x y}",
      "a ",
    ]);
    expect(world.performed[1]?.atUs).toBe(1_000_000);
  });

  it("that changes nothing is refused", async () => {
    await start({ main: [planned("a", 5_000_000)] });
    const outcome = await control({ kind: "edit", id: 1 });
    expect(outcome).toMatchObject({ kind: "refused", code: "invalid" });
  });
});

describe("event time", () => {
  it("stands still from a pause until it is resumed, and both say where", async () => {
    await start({ main: [planned("a", 300_000)] });
    expect(await control({ kind: "pause" })).toMatchObject({ result: "paused", eventUs: 10_000 });
    await world.pass(5_000);
    const stopped = await list();
    expect([stopped.paused, stopped.nowUs, fired()]).toEqual([true, 10_000, []]);
    expect(await control({ kind: "resume" })).toMatchObject({ result: "resumed" });
    await world.pass(300);
    expect(fired()).toEqual(["a"]);
  });

  it("begins again with a replay, once, though the scheduler is killed behind it", async () => {
    await start({ main: [planned("a", 300_000)] });
    await world.pass(400);
    expect(await control({ kind: "replay" })).toMatchObject({ result: "replayed" });
    world.crashScheduler();
    await world.startScheduler();
    await world.pass(400);
    expect(fired()).toEqual(["a", "a"]);
    await world.pass(1_000);
    expect(fired()).toEqual(["a", "a"]);
  });
});

describe("what is asked in vain", () => {
  it("is told when no scheduler is there", async () => {
    // Nobody watches there: whoever subscribes to everything would count as one who hears it.
    world = new SchedulerWorld();
    const paused = controlEvents(options(), { kind: "pause" });
    for (let second = 0; second < 12; second += 1) await world.pass(1_000);
    expect(await paused).toEqual({ kind: "no-scheduler", withinMs: 10_000 });
  });

  it("is refused when the scheduler does no such thing, or no event is named", async () => {
    await start({});
    const ask = (eventtype: string): Promise<void> =>
      world.ask({ objname: "__agenda", objtype: "AGENDA", eventtype, question: eventtype });
    await ask("DANCE");
    await ask("CANCEL");
    const said = world.live("REFUSED");
    expect(said[0]).toContain("DANCE is nothing that a scheduler does");
    expect(said[1]).toContain("set ID");
  });
});
