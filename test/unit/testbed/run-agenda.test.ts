// SPDX-License-Identifier: MIT
// Goal: a run knows which number each of its events has, whatever modifications bring (A1), and
// which of them do not count for a program that went or changed (A2). Method: experiments by hand.
import { describe, expect, it } from "vitest";
import type { Answer } from "../../../src/core/agenda/effects.ts";
import type { Experiment, PlannedEvent } from "../../../src/experiment/model.ts";
import type { AgendaChange } from "../../../src/testbed/agenda-change.ts";
import { RunAgenda } from "../../../src/testbed/run-agenda.ts";

const at = { file: "a.ns", line: 1, column: 1 };
const planned = (index: number, object: string, atUs: PlannedEvent["atUs"] = 0): PlannedEvent => {
  return { index, atUs, object, type: "PROGRAM", event: "START", args: "", at };
};
const experiment: Experiment = {
  ...{ pid: "p", eid: "e", nodes: [], links: [], programs: [], environment: [] },
  ...{ syncServer: undefined, simulator: "ns", groups: [{ name: "g", members: ["p", "q"] }] },
  events: [planned(0, "p"), planned(1, "g"), planned(2, "q", "swapout")],
  sequences: [{ name: "s", steps: [planned(7, "p")] }],
  timelines: [],
};
const nothing: AgendaChange = {
  ...{ removed: [], changed: [], added: [], fromNow: [], defined: [], undefined: [] },
};

describe("RunAgenda", () => {
  it("A1: new events get the numbers of the core, those that stay keep theirs", () => {
    const agenda = new RunAgenda(experiment);
    const [added, late] = [planned(-1, "x", 5), planned(-1, "y", "swapout")];
    const after = { ...experiment, events: [...experiment.events.slice(0, 2), added, late] };
    const change = { ...nothing, removed: experiment.events.slice(2), added: [added, late] };
    const parts = agenda.amendment("p/e", [experiment, after], change, new Set());
    expect(parts.main.dropped).toEqual([3]);
    expect(parts.sequences.map(({ name }) => name)).toEqual(["__ns_swapout"]);
    const adopted = agenda.adopt(after, change, new Set(), { parts, first: 12 });
    expect(adopted.added).toMatchObject([
      { id: 12, plannedUs: 5 },
      { id: 13, plannedUs: null },
    ]);
    expect(adopted.experiment.events.map(({ index }) => index)).toEqual([0, 1, 11, 12]);
    const more = planned(-1, "z", 3);
    const later = agenda.adoptFromNow(adopted.experiment, [more], { first: 20, eventUs: 100 });
    expect(later.added).toMatchObject([{ id: 20, plannedUs: 103 }]);
    // A replay plans what is planned now, at the same instants of event time.
    const { main, sequences } = agenda.planned("p/e", later.experiment);
    expect(main.map(({ event, atUs }) => [event.id, atUs])).toEqual([
      ...[
        [1, 0],
        [2, 0],
        [12, 5],
        [20, 103],
      ],
    ]);
    expect(sequences.at(-1)?.steps.map(({ event }) => event.id)).toEqual([13]);
    // What counts from a modification counts from there when it is changed, too.
    expect(agenda.dueUs({ ...more, index: 19, atUs: 9 })).toBe(109);
    expect(agenda.dueUs(added)).toBe(5);
  });

  it("A1: sends only what is otherwise", () => {
    const agenda = new RunAgenda(experiment);
    const parts = agenda.amendment("p/e", [experiment, experiment], nothing, new Set());
    expect(parts).toMatchObject({ agents: [], timelines: [], sequences: [], removed: [] });
  });

  it("A2: drops what names a program that goes, also through a group, until it is planned anew", () => {
    const agenda = new RunAgenda(experiment);
    expect(agenda.isRetired(2, "p")).toBe(false);
    const retired = new Set(["p"]);
    const parts = agenda.amendment("p/e", [experiment, experiment], nothing, retired);
    expect(parts.main.dropped).toEqual([1]);
    expect(agenda.timed(parts.main.dropped).map(({ id }) => id)).toEqual([1]);
    agenda.adopt(experiment, nothing, retired, { parts, first: 12 });
    expect([agenda.isDropped({ id: 1 }), agenda.isDropped({ id: 2 })]).toEqual([true, false]);
    expect([agenda.isRetired(2, "p"), agenda.isRetired(2, "q")]).toEqual([true, false]);
    // A step of a sequence, an event that somebody sends, a group that comes later.
    expect([agenda.isRetired(8, "p"), agenda.isRetired(0, "p")]).toEqual([false, false]);
    const group = planned(-1, "g");
    agenda.adoptFromNow(experiment, [group], { first: 20, eventUs: 0 });
    expect(agenda.isRetired(20, "p")).toBe(false);
  });

  it("is idle when the core says so, until something may fire again", () => {
    const agenda = new RunAgenda(experiment);
    expect(agenda.isIdle).toBe(false);
    agenda.open();
    agenda.setIdle();
    expect(agenda.isIdle).toBe(true);
    agenda.answered({ kind: "cancelled" });
    expect(agenda.isIdle).toBe(true);
    agenda.answered({ kind: "amended", first: 1, eventUs: 0 });
    expect(agenda.isIdle).toBe(false);
  });

  it("knows which events are yet to come, and when, until they are replayed", () => {
    const agenda = new RunAgenda(experiment);
    const upcoming = (of: Experiment): readonly unknown[] =>
      agenda.upcoming(of).events.map(({ object, atUs }) => [object, atUs]);
    const all = [
      ["p", 0],
      ["g", 0],
      ["q", "swapout"],
    ];
    expect(upcoming(experiment)).toEqual(all);
    agenda.noteDue(1);
    agenda.noteDue(0);
    expect(upcoming(experiment)).toEqual(all.slice(1));
    const change = { ...nothing, removed: experiment.events.slice(1, 2) };
    const after = { ...experiment, events: experiment.events.toSpliced(1, 1) };
    const parts = agenda.amendment("p/e", [experiment, after], change, new Set());
    const adopted = agenda.adopt(after, change, new Set(), { parts, first: 9 });
    // Its time counts from the modification.
    const later = agenda.adoptFromNow(adopted.experiment, [planned(-1, "z", 3)], {
      ...{ first: 9, eventUs: 100 },
    });
    const z = { ...planned(8, "z", 3) };
    const now = { ...later.experiment, events: [...later.experiment.events, z] };
    expect(upcoming(now)).toEqual([
      ["q", "swapout"],
      ["z", 103],
    ]);
    agenda.answered({ kind: "replayed" } as Answer);
    expect(upcoming(now)[0]).toEqual(["p", 0]);
    // That one was taken away, whatever an experiment says.
    expect(upcoming(experiment)).toEqual([all[0], all[2]]);
  });
});
