// SPDX-License-Identifier: MIT
// What the timeline of a report shows, before it is drawn: one lane per node with its programs, its
// waits at barriers and the barriers that missed it. Pure.
import { describeModification } from "./modified.ts";
import type { ResultBarrier, ResultProgram, RunResult } from "./result-model.ts";
import { programPassed } from "./verdict.ts";
import { nodesNamed } from "./words.ts";

/** Waits kept for the picture; the tables hold them all. */
export const waitsDrawnMax = 20_000;

/** Name of the lane for those who are on no node of the experiment. */
export const elsewhere = "elsewhere";

/** Something on a lane that lasts. */
export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
  /** 0, 1, ...: spans of one lane and kind that overlap are in different rows. */
  readonly row: number;
  readonly title: string;
  /** A word for inside the bar. */
  readonly label: string;
  readonly state: "ok" | "stopped" | "bad";
}

export interface Lane {
  readonly name: string;
  readonly programs: readonly Span[];
  readonly waits: readonly Span[];
  /** Times in which a barrier that was not crossed waited for this node. */
  readonly absences: readonly Span[];
  readonly hasTrouble: boolean;
}

/** The end of a barrier: a mark across the lanes that meet. */
export interface Meeting {
  readonly name: string;
  readonly atUs: number;
  readonly isCrossed: boolean;
  readonly title: string;
  /** Names of the lanes that meet. */
  readonly lanes: ReadonlySet<string>;
}

export interface TimelineModel {
  readonly fromUs: number;
  readonly toUs: number;
  readonly lanes: readonly Lane[];
  readonly meetings: readonly Meeting[];
  readonly modifications: readonly Modified[];
  readonly waitsLeftOut: number;
}

/** Where the run became another one. */
export interface Modified {
  readonly atUs: number;
  readonly title: string;
}

interface OpenLane {
  readonly name: string;
  readonly programs: Span[];
  readonly waits: Span[];
  readonly absences: Span[];
}

/** Sorts what happened onto lanes. */
export function planTimeline(result: RunResult): TimelineModel {
  const lanes = new Map<string, OpenLane>();
  for (const { name } of result.nodes) lanes.set(name, emptyLane(name));
  const laneOf = (node: string | null, name: string): OpenLane =>
    lanes.get(node ?? "") ?? lanes.get(name) ?? addElsewhere(lanes);
  for (const program of result.programs) {
    const span = programSpan(program, result.endedUs);
    laneOf(program.node, "").programs.push(span);
  }
  let waitsLeft = waitsDrawnMax;
  const meetings = result.barriers.map((barrier): Meeting => {
    const met = new Set<string>();
    for (const party of barrier.participants) {
      const lane = laneOf(party.node, party.name);
      if (barrier.outcome !== "crossed" || party.releasedUs !== null) met.add(lane.name);
      waitsLeft -= 1;
      if (waitsLeft >= 0) lane.waits.push(waitSpan(barrier, party));
    }
    for (const lane of absentLanes(barrier, lanes)) lane.absences.push(absenceSpan(barrier));
    return {
      name: barrier.name,
      atUs: barrier.endedUs,
      isCrossed: barrier.outcome === "crossed",
      title: `${barrier.name}: ${barrier.outcome}, ${barrier.arrived} of ${barrier.expected}`,
      lanes: met,
    };
  });
  const done = [...lanes.values()].map(closeLane);
  return {
    ...extent(result, done, meetings),
    lanes: done,
    meetings,
    modifications: result.modifications.map((one) => ({
      atUs: one.atUs,
      title: `modified: ${describeModification(one)}`,
    })),
    waitsLeftOut: Math.max(0, -waitsLeft),
  };
}

function emptyLane(name: string): OpenLane {
  return { name, programs: [], waits: [], absences: [] };
}

function addElsewhere(lanes: Map<string, OpenLane>): OpenLane {
  const lane = lanes.get(elsewhere) ?? emptyLane(elsewhere);
  lanes.set(elsewhere, lane);
  return lane;
}

function programSpan(program: ResultProgram, endedUs: number): Span {
  const { name, command, startedUs, exitCode, signal, stopped } = program;
  const passed = programPassed(program);
  const how = stopped ? "stopped" : (signal ?? `exit ${exitCode ?? "unknown"}`);
  return {
    fromUs: startedUs,
    toUs: Math.max(startedUs, program.endedUs ?? endedUs),
    row: 0,
    title: `${name}: ${how}\n${command.slice(0, 200)}`,
    label: name,
    state: passed ? (stopped ? "stopped" : "ok") : "bad",
  };
}

function waitSpan(barrier: ResultBarrier, party: ResultBarrier["participants"][number]): Span {
  const isCrossed = barrier.outcome === "crossed";
  return {
    fromUs: party.arrivedUs,
    toUs: Math.max(party.arrivedUs, party.releasedUs ?? barrier.endedUs),
    row: 0,
    title: `${party.name} waits at ${barrier.name} (${barrier.outcome})`,
    label: "",
    state: isCrossed ? "ok" : "bad",
  };
}

function absentLanes(barrier: ResultBarrier, lanes: Map<string, OpenLane>): OpenLane[] {
  if (barrier.outcome === "crossed") return [];
  const isNode = (name: string): boolean => lanes.has(name) && name !== elsewhere;
  const names = barrier.missing.flatMap((sentence) => nodesNamed(sentence, isNode));
  return [...new Set(names)].flatMap((name) => lanes.get(name) ?? []);
}

function absenceSpan(barrier: ResultBarrier): Span {
  const arrivals = barrier.participants.map((party) => party.arrivedUs);
  return {
    fromUs: arrivals.reduce((least, us) => Math.min(least, us), barrier.endedUs),
    toUs: barrier.endedUs,
    row: 0,
    title: `missing at ${barrier.name}`,
    label: barrier.name,
    state: "bad",
  };
}

function closeLane(lane: OpenLane): Lane {
  return {
    name: lane.name,
    programs: inRows(lane.programs, 4),
    waits: inRows(lane.waits, 3),
    absences: lane.absences,
    hasTrouble: lane.absences.length > 0 || lane.programs.some((span) => span.state === "bad"),
  };
}

/** Gives overlapping spans rows of their own; beyond `rowsMax` they share the last. */
function inRows(spans: readonly Span[], rowsMax: number): Span[] {
  const endsUs: number[] = [];
  return [...spans]
    .sort((a, b) => a.fromUs - b.fromUs)
    .map((span) => {
      const free = endsUs.findIndex((endUs) => endUs <= span.fromUs);
      const row = Math.min(free === -1 ? endsUs.length : free, rowsMax - 1);
      endsUs[row] = Math.max(endsUs[row] ?? span.toUs, span.toUs);
      return { ...span, row };
    });
}

/** From the first thing drawn, or time 0, to the end. */
function extent(
  result: RunResult,
  lanes: readonly Lane[],
  meetings: readonly Meeting[],
): { fromUs: number; toUs: number } {
  let fromUs = 0;
  let toUs = Math.max(1_000, result.endedUs);
  const include = (us: number): void => {
    fromUs = Math.min(fromUs, us);
    toUs = Math.max(toUs, us);
  };
  for (const lane of lanes) {
    for (const span of [...lane.programs, ...lane.waits]) {
      include(span.fromUs);
      include(span.toUs);
    }
  }
  for (const meeting of meetings) include(meeting.atUs);
  for (const event of result.events) include(event.firedUs ?? 0);
  return { fromUs, toUs };
}
