// SPDX-License-Identifier: MIT
// Goal: the plan of a file reaches the core whole: times, order, sequences and timelines;
// events are numbered from 1 in the order of the file.
import { expect, it } from "vitest";
import type { Program } from "../../../src/experiment/model.ts";
import { countTimedEvents, planAgenda } from "../../../src/testbed/agenda-plan.ts";
import { makeExperiment, planned } from "../record/synthetic-run.ts";

const event = (id: number, object: string) => ({
  ...{ id, object, type: "PROGRAM", event: "START", args: "" },
});

it("planAgenda() keeps what has a time, in source order; swap-out is a sequence of its own", () => {
  const on = { barrier: "b", outcome: "crossed", at: { file: "a", line: 1, column: 1 } } as const;
  const experiment = makeExperiment({
    events: [planned(0, 2_000_000, "b"), planned(1, "swapout", "c"), planned(2, 0, "a")],
    sequences: [
      { name: "seq", steps: [planned(3, 0, "x"), { ...planned(4, 9, "y"), on }], onError: "e" },
    ],
    timelines: [{ name: "line", events: [planned(5, 70, "z"), planned(6, "swapout", "z")] }],
  });
  expect(planAgenda("demo/five", experiment)).toMatchObject({
    kind: "agenda-load",
    scope: "demo/five",
    main: [
      { atUs: 2_000_000, event: event(1, "b") },
      { atUs: 0, event: event(3, "a") },
    ],
    timelines: [{ name: "line", events: [{ atUs: 70, event: event(6, "z") }] }],
    sequences: [
      {
        name: "seq",
        steps: [
          { atUs: 0, event: event(4, "x") },
          { atUs: 9, event: event(5, "y"), on: { barrier: "b", outcome: "crossed" } },
        ],
        onError: "e",
      },
      { name: "__ns_swapout", steps: [{ atUs: 0, event: event(2, "c") }] },
    ],
  });
  expect(countTimedEvents(experiment)).toBe(2);
});

it("planAgenda() names who obeys events, and the automatic groups", () => {
  const program = (name: string, node: string): Program => ({
    ...{ name, node, command: "x", isStartCommand: false, directory: "", timeoutSeconds: 0 },
    ...{ expectedExitCode: 0, at: { file: "a.ns", line: 1, column: 1 } },
  });
  const programs = [program("p", "n0"), program("q", "n0"), program("r", "n1")];
  const experiment = makeExperiment({ programs, groups: [{ name: "g", members: ["web"] }] });
  const plan = planAgenda("s", experiment);
  const agents = plan.agents.map(({ name, type }) => `${type} ${name}`);
  expect(agents).toContain("SIMULATOR ns");
  expect(agents).toContain("LINKTEST linktest");
  expect(plan.groups.map(({ name }) => name)).toContain("g");
  const own = ["__n0_program-agent", "__n1_program-agent"];
  expect(agents).toEqual(expect.arrayContaining(own.map((name) => `PROGRAM ${name}`)));
  const reloaders = plan.groups.find(({ name }) => name === "__all_program-agents");
  expect(reloaders?.members).toEqual(own);
});
