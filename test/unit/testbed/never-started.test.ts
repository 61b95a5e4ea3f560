// SPDX-License-Identifier: MIT
// Goal: programs that nothing starts are found, and none that something does. Method: one program,
// and each way to start it.
import { describe, expect, it } from "vitest";
import type { Experiment, PlannedEvent, Program } from "../../../src/experiment/model.ts";
import {
  describeNeverStarted,
  idlePlans,
  neverStarted,
  startsPrograms,
} from "../../../src/testbed/never-started.ts";
import { makeExperiment } from "../record/synthetic-run.ts";

const at = { file: "x.ns", line: 1, column: 1 };
const program = (name: string): Program => ({
  ...{ name, node: "a", command: "true", isStartCommand: false, directory: "" },
  ...{ timeoutSeconds: 0, expectedExitCode: 0, at },
});
const event = (object: string, what = "START"): PlannedEvent => ({
  ...{ index: 0, atUs: 0, object, type: "PROGRAM", event: what, args: "", at },
});
const names = (part: Partial<Experiment>): readonly string[] =>
  neverStarted(makeExperiment({ programs: [program("p")], ...part })).map(({ name }) => name);

describe("neverStarted()", () => {
  const sequence = { name: "s", steps: [event("p", "RUN")] };
  const group = { name: "g", members: ["p"] };
  it.each<readonly [string, Partial<Experiment>]>([
    ["an event", { events: [event("p")] }],
    ["an event of its group", { events: [event("g")], groups: [group] }],
    ["all programs", { events: [event("__all_programs")] }],
    ["a sequence that only a user can start", { sequences: [sequence] }],
    ["a sequence that is started", { events: [event("s")], sequences: [sequence] }],
    ["a timeline", { events: [event("t")], timelines: [{ name: "t", events: [event("p")] }] }],
    [
      "a sequence for the errors of another",
      { events: [event("f")], sequences: [{ name: "f", steps: [], onError: "s" }, sequence] },
    ],
    [
      "what it waits for",
      { programs: [{ ...program("p"), startWhen: { after: [], delayUs: 0, at } }] },
    ],
  ])("takes %s for a start", (_title, part) => expect(names(part)).toEqual([]));

  it.each<readonly [string, Partial<Experiment>]>([
    ["nothing", {}],
    ["an end", { events: [event("p", "STOP")] }],
    ["a sequence that starts itself", { sequences: [{ name: "s", steps: [event("s")] }] }],
  ])("takes %s for none", (_title, part) => expect(names(part)).toEqual(["p"]));
});

describe("startsPrograms()", () => {
  const starts = (part: Partial<Experiment>): boolean =>
    startsPrograms(makeExperiment({ programs: [program("p")], ...part }));
  const sequences = [{ name: "s", steps: [event("p", "RUN")] }];

  it.each<readonly [string, Partial<Experiment>]>([
    ["an event", { events: [event("p")] }],
    ["a sequence that an event starts", { events: [event("s")], sequences }],
    ["a condition", { programs: [{ ...program("p"), startWhen: { after: [], delayUs: 0, at } }] }],
  ])("is true where %s starts one", (_title, part) => expect(starts(part)).toBe(true));

  it.each<readonly [string, Partial<Experiment>]>([
    ["there is none", { programs: [] }],
    ["nothing starts it", { events: [event("p", "STOP")] }],
    ["only a user can start what starts it", { sequences }],
  ])("is false where %s", (_title, part) => expect(starts(part)).toBe(false));
});

describe("idlePlans()", () => {
  const timeline = { name: "t", events: [event("p"), event("p", "STOP")] };
  const sequence = { name: "s", steps: [event("p")] };
  const idle = (part: Partial<Experiment>): readonly string[] =>
    idlePlans(makeExperiment({ programs: [program("p")], ...part })).map(
      ({ kind, name, count }) => `${kind} ${name} ${count}`,
    );

  it.each<readonly [string, Partial<Experiment>, readonly string[]]>([
    [
      "what nothing starts",
      { sequences: [sequence], timelines: [timeline] },
      ["sequence s 1", "timeline t 2"],
    ],
    ["nothing where there is nothing to do", { timelines: [{ name: "t", events: [] }] }, []],
    ["nothing that an event starts", { timelines: [timeline], events: [event("t")] }, []],
    [
      "nothing that an event of its group starts",
      { timelines: [timeline], groups: [{ name: "g", members: ["t"] }], events: [event("g")] },
      [],
    ],
    [
      "of one that starts another only the first",
      { sequences: [{ name: "f", steps: [event("t")] }], timelines: [timeline] },
      ["sequence f 1"],
    ],
    [
      "not what runs when another fails",
      { sequences: [{ name: "f", steps: [event("p")], onError: "s" }, sequence] },
      ["sequence f 1"],
    ],
    ["what starts itself", { sequences: [{ name: "s", steps: [event("s")] }] }, ["sequence s 1"]],
  ])("finds %s", (_title, part, expected) => expect(idle(part)).toEqual(expected));
});

describe("describeNeverStarted()", () => {
  const said = (count: number, file = "x.ns"): string | undefined => {
    const programs = Array.from({ length: count }, (_, index) => program(`p${index}`));
    return describeNeverStarted(makeExperiment({ programs }), file);
  };

  it("says what to add", () => {
    expect(said(0)).toBeUndefined();
    const send = ", or start it with tevc or muster event send while the run goes";
    const one = 'nothing in the file starts program p0 on a; add $ns at 0 "$p0 start"';
    expect(said(1)).toBe(one + send);
    expect(said(2)).toBe(
      `nothing in the file starts programs p0 on a, p1 on a; add $ns at 0 "$p0 start", and so on${send}`,
    );
    expect(said(400)).toMatch(/starts programs .*p9 on a and 390 more; add/);
    expect(said(1, "x.yaml")).toContain("starts program p0 on a; add a start for p0, or start");
  });
});
