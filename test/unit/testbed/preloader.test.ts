// SPDX-License-Identifier: MIT
// Goal: every program is loaded in time for its event, and not much earlier.
import { expect, it } from "vitest";
import { Preloader } from "../../../src/testbed/agents/preloader.ts";
import { FakeClock } from "../record/fake-clock.ts";

const timed = (seconds: number, object: string, type = "PROGRAM", event = "START") => ({
  atUs: seconds * 1_000_000,
  event: { id: 0, object, type, event, args: "" },
});

type Timed = ReturnType<typeof timed>;

function setUp(main: readonly Timed[], timelines: Readonly<Record<string, readonly Timed[]>> = {}) {
  const clock = new FakeClock();
  clock.advanceTo(7_000_000);
  const loaded: string[] = [];
  const load = ({ object }: { readonly object: string }): Promise<void> => {
    loaded.push(`${object} at ${(clock.nowUs() - 7_000_000) / 1e6}`);
    return Promise.resolve();
  };
  const named = Object.entries(timelines).map(([name, events]) => ({ name, events }));
  const agenda = { main, timelines: named };
  return { clock, loaded, preloader: new Preloader({ clock, agenda, load }) };
}

it("loads what is due first before time 0, and the rest a second ahead", async () => {
  const events = [timed(5, "c"), timed(0, "a"), timed(1, "b"), timed(5.5, "d"), timed(5, "e")];
  const { clock, loaded, preloader } = setUp(events);
  await preloader.loadFirst();
  expect(loaded.splice(0)).toEqual(["a at 0", "b at 0"]);
  preloader.start(clock.nowUs());
  clock.advanceTo(60_000_000);
  expect(loaded).toEqual(["c at 4", "e at 4", "d at 4.5"]);
  expect(clock.armed).toBe(0);
});

it("loads for events that start programs, and for no others", async () => {
  const events = [timed(0, "a", "PROGRAM", "RUN"), timed(0, "b", "PROGRAM", "STOP")];
  const { loaded, preloader } = setUp([
    ...events,
    timed(0, "c", "LINK"),
    timed(0, "d", "SEQUENCE"),
  ]);
  await preloader.loadFirst();
  expect(loaded).toEqual(["a at 0"]);
});

it("loads at most 500 before time 0", async () => {
  const { loaded, preloader } = setUp(Array.from({ length: 600 }, (_, i) => timed(0, `p${i}`)));
  await preloader.loadFirst();
  expect(loaded).toHaveLength(500);
});

it("loads nothing after stop()", () => {
  const { clock, loaded, preloader } = setUp([timed(5, "a")]);
  preloader.start(clock.nowUs());
  preloader.stop();
  clock.advanceTo(60_000_000);
  expect(loaded).toEqual([]);
  expect(clock.armed).toBe(0);
});

it("loads what a timeline starts soon with the timeline, and through others that it starts", async () => {
  const start = (seconds: number, name: string) => timed(seconds, name, "TIMELINE");
  const { clock, loaded, preloader } = setUp([start(5, "outer")], {
    outer: [timed(0, "a"), timed(0.5, "b"), timed(3, "late"), start(0.1, "inner")],
    inner: [timed(0, "c"), timed(0, "c-stop", "PROGRAM", "STOP"), start(0, "outer")],
  });
  await preloader.loadFirst();
  preloader.start(clock.nowUs());
  clock.advanceTo(60_000_000);
  expect(loaded).toEqual(["a at 4", "b at 4", "c at 4"]);
});
