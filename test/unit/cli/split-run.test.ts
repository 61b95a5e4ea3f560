// SPDX-License-Identifier: MIT
// Goal: what a scheduler in another process cannot do is refused before a run starts, wherever in a
// file it is. Method: models with one event that waits for a barrier.
import { expect, it } from "vitest";
import { refuseUnsplittable } from "../../../src/cli/commands/split-run.ts";
import type { Experiment, PlannedEvent } from "../../../src/experiment/model.ts";

const planned = { atUs: 0, object: "p", type: "PROGRAM", event: "START", args: "", index: 1 };
const waiting = { ...planned, on: { barrier: "b", outcome: "crossed" } } as unknown as PlannedEvent;

const model = (parts: Partial<Experiment>): Experiment =>
  ({ events: [], sequences: [], timelines: [], ...parts }) as unknown as Experiment;

it("refuses events that wait for barriers in any of the places they can be", () => {
  const places: Partial<Experiment>[] = [
    { events: [waiting] },
    { sequences: [{ name: "s", steps: [waiting] }] },
    { timelines: [{ name: "t", events: [waiting] }] },
  ];
  for (const parts of places) {
    expect(() => refuseUnsplittable(model(parts))).toThrow(
      "p START waits for barrier b: --split cannot do that (NOT_YET); run it without --split",
    );
  }
});

it("takes what waits for nothing", () => {
  const events = [planned as unknown as PlannedEvent];
  expect(() => refuseUnsplittable(model({ events }))).not.toThrow();
});
