// SPDX-License-Identifier: MIT
// Goal: the plan of a file reaches the core whole: times, order, sequences and timelines.
import { expect, it } from "vitest";
import { countTimedEvents, planAgenda } from "../../../src/testbed/agenda-plan.ts";
import { makeExperiment, planned } from "../record/synthetic-run.ts";

const event = (id: number, object: string) => ({
  ...{ id, object, type: "PROGRAM", event: "START", args: "" },
});

it("planAgenda() keeps what has a time, in source order, and leaves swap-out to swap-out", () => {
  const experiment = makeExperiment({
    events: [planned(0, 2_000_000, "b"), planned(1, "swapout", "c"), planned(2, 0, "a")],
    sequences: [{ name: "seq", steps: [planned(3, 0, "x"), planned(4, 0, "y")] }],
    timelines: [{ name: "line", events: [planned(5, 70, "z"), planned(6, "swapout", "z")] }],
  });
  expect(planAgenda("demo/five", experiment)).toEqual({
    kind: "agenda-load",
    scope: "demo/five",
    main: [
      { atUs: 2_000_000, event: event(0, "b") },
      { atUs: 0, event: event(2, "a") },
    ],
    timelines: [{ name: "line", events: [{ atUs: 70, event: event(5, "z") }] }],
    sequences: [{ name: "seq", steps: [event(3, "x"), event(4, "y")] }],
  });
  expect(countTimedEvents(experiment)).toBe(2);
});
