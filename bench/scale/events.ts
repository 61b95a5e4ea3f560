// SPDX-License-Identifier: MIT
// An agenda of one core: planned, sent out when due, reported by who performs them.
import type { AgendaCommand } from "../../src/core/agenda/commands.ts";
import { heapBytes } from "../heap.ts";
import { Controller, entryCommandsMax, scope } from "./controller.ts";

export interface EventsRun {
  readonly planBytes: number;
  readonly reportBytes: number;
  /** How often an agent was told of an event. */
  readonly fires: number;
  /** Entries beside the one that plans. */
  readonly entries: number;
  /** In use while all are planned and none has fired. */
  readonly heap: number;
  readonly cpuUs: number;
}

const agentCount = 100;
const stepUs = 1_000_000;

/** Events a millisecond apart, for a hundred links in turn. */
export function playEvents(events: number): EventsRun {
  let fires = 0;
  let reports: AgendaCommand[] = [];
  const controller = new Controller("events", (_, effect) => {
    if (effect.kind !== "fire") return;
    fires += 1;
    const { token, dueStampUs: firedStampUs } = effect;
    reports.push({ kind: "agenda-fired", scope, token, firedStampUs, outcome: "done" });
  });
  const before = heapBytes();
  const start = process.cpuUsage();
  const names = Array.from({ length: agentCount }, (_, index) => `link${index}`);
  const agents = names.map((name) => ({ name, type: "LINK", node: "" }));
  const main = Array.from({ length: events }, (_, index) => {
    const object = `link${index % agentCount}`;
    const event = { id: index + 1, object, type: "LINK", event: "MODIFY", args: "DELAY=10" };
    return { atUs: 10_000_000 + index * 1_000, event };
  });
  const rest = { groups: [], timelines: [], sequences: [] };
  const load = { kind: "agenda-load", scope, agents, main, ...rest } as const;
  controller.send("run", [load, { kind: "agenda-start", scope }]);
  const planBytes = controller.bytes;
  // What the file said is not the core's.
  main.length = 0;
  const heap = heapBytes() - before;
  const untilUs = controller.stampUs + 11_000_000 + events * 1_000;
  while (controller.stampUs < untilUs || reports.length > 0) {
    controller.stampUs += stepUs;
    const told = reports;
    reports = [];
    controller.sendMany("run", told.length, (index) => told[index] ?? fail());
    if (told.length === 0) controller.send("run", []);
  }
  const { user, system } = process.cpuUsage(start);
  const reportBytes = controller.bytes - planBytes;
  return {
    ...{ planBytes, reportBytes, fires, heap },
    ...{ entries: controller.entries - 1, cpuUs: user + system },
  };
}

function fail(): never {
  throw new Error(`more than ${entryCommandsMax} reports, and one of them is missing`);
}
