// SPDX-License-Identifier: MIT
// Goal: A1 to A3: numbers that no event shares, events that do not count any more, and when all
// agendas of a run are idle. Method: agendas by hand.
import { describe, expect, it } from "vitest";
import type { Experiment, PlannedEvent } from "../../../src/experiment/model.ts";
import { RunAgendas } from "../../../src/testbed/run-agendas.ts";

const at = { file: "a.ns", line: 1, column: 1 };
const planned = (index: number, object: string): PlannedEvent => {
  return { index, atUs: 0, object, type: "PROGRAM", event: "START", args: "", at };
};
const experiment: Experiment = {
  ...{ pid: "p", eid: "e", nodes: [], links: [], programs: [], groups: [], environment: [] },
  ...{ syncServer: undefined, simulator: "ns" },
  events: [planned(0, "p"), planned(4, "q")],
  sequences: [{ name: "s", steps: [planned(7, "p")] }],
  timelines: [{ name: "t", events: [planned(5, "p")] }],
};
const event = (object: string) => ({ id: 0, object, type: "PROGRAM", event: "START", args: "" });

describe("RunAgendas", () => {
  it("numbers events behind all that the file has", () => {
    const agendas = new RunAgendas(experiment);
    const numbers = (objects: readonly string[]): number[] =>
      agendas.number(objects.map((one) => planned(0, one))).map(({ index }) => index);
    expect(numbers(["x", "y"])).toEqual([8, 9]);
    expect(numbers(["x"])).toEqual([10]);
  });

  it("drops what was planned for a program, not what is planned for it later", () => {
    const agendas = new RunAgendas(experiment);
    agendas.open("p/e", 0);
    agendas.drop(new Set(["p"]));
    agendas.open("p/e/1", 5);
    expect(agendas.isDropped("p/e", event("p"))).toBe(true);
    expect(agendas.isDropped("p/e", event("q"))).toBe(false);
    // Steps of a sequence and of a timeline.
    for (const id of [7, 5]) {
      expect(agendas.isDropped("p/e", { ...event("p"), id })).toBe(false);
    }
    expect(agendas.isDropped("p/e/1", event("p"))).toBe(false);
    expect([agendas.zeroUs("p/e"), agendas.zeroUs("p/e/1")]).toEqual([0, 5]);
  });

  it("is idle when each of them is, and not before there is one", () => {
    const agendas = new RunAgendas(experiment);
    expect(agendas.isIdle).toBe(false);
    agendas.open("p/e", 0);
    agendas.setIdle("p/e", false);
    expect(agendas.isIdle).toBe(true);
    agendas.open("p/e/1", 5);
    expect(agendas.isIdle).toBe(false);
    agendas.setIdle("p/e/1", true);
    expect(agendas.isIdle).toBe(true);
    expect(agendas.scopes).toEqual(["p/e"]);
    // A3: the last event is told after its agenda is over.
    expect(agendas.zeroUs("p/e/1")).toBe(5);
    const names = [agendas.nextScope("p/e"), agendas.nextScope("p/e")];
    expect(names).toEqual(["p/e/modification-1", "p/e/modification-2"]);
  });
});
