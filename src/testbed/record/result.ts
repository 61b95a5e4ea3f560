// SPDX-License-Identifier: MIT
// result.json: what a run came to, reduced from the stream of run events and nothing else. Pure: no
// clock, no files; the same events give the same object, live or read back from record.ndjson.
// docs/reference/result.md describes the format for users.
//
//   R1. `outcome` is `passed` exactly when `reasons` is empty.
//   R2. An error number reported at a barrier fails nothing by itself; it is carried along.
//   R3. Every barrier anybody touched appears, also those still open when the stream ends.
//   R4. Any order of events is accepted: a broken stream gives an incomplete result, never a throw.

import type { Experiment } from "../../experiment/model.ts";
import type {
  BarrierChanged,
  BarrierEnded,
  InstanceEnded,
  Message,
  ProgramEnded,
  ProgramStarted,
  RunEnded,
  RunEvent,
  RunModified,
  RunStarted,
  TrafficEnded,
} from "../run-event.ts";
import { withStarts } from "../start-conditions.ts";
import { isGivenUpBarrier } from "./event-text.ts";
import { resultModification } from "./modified.ts";
import { createEventTable } from "./result-events.ts";
import { resultInstances } from "./result-instances.ts";
import { createResultLinks, skippedLinks } from "./result-links.ts";
import {
  messagesMax,
  type ResultBarrier,
  type ResultEvent,
  type ResultLink,
  type ResultMessage,
  type ResultNode,
  type ResultProgram,
  type ResultTraffic,
  type ResultWarning,
  type RunResult,
  warningsMax,
} from "./result-model.ts";
import { verdictReasons } from "./verdict.ts";
import { countedArrivals } from "./words.ts";

export interface ResultOptions {
  readonly experiment: Experiment;
  /** What was asked of the links and what was measured; by default all are `skipped`. */
  readonly links?: readonly ResultLink[];
}

export interface ResultBuilder {
  add(event: RunEvent): void;
  /**
   * Fails the run from outside the stream (results that cannot be written); the first one stays.
   */
  fail(code: string, message: string): void;
  /** The result as of now; may be called again after more events. */
  build(): RunResult;
}

interface OpenBarrier {
  readonly last: BarrierChanged;
  /** When each of those in `last.waiting` was first seen there. */
  readonly arrivedUs: ReadonlyMap<string, number>;
}

interface State {
  started: (RunStarted & { atUs: number }) | null;
  ended: (RunEnded & { atUs: number }) | null;
  failure: { code: string; message: string } | null;
  lastUs: number;
  readonly up: Map<string, number>;
  readonly modifications: (RunModified & { atUs: number })[];
  readonly running: Map<string, ProgramStarted & { atUs: number }>;
  readonly programs: ResultProgram[];
  readonly traffic: ResultTraffic[];
  readonly instances: Map<string, InstanceEnded & { readonly atUs: number }>;
  readonly open: Map<string, OpenBarrier>;
  readonly slow: Map<string, ResultBarrier["slow"]>;
  readonly barriers: ResultBarrier[];
  readonly messages: ResultMessage[];
  messagesDropped: number;
  readonly warnings: ResultWarning[];
  warningsDropped: number;
}

/**
 * Builds the result of a run from its events.
 *
 * @example
 * const builder = createResultBuilder({ experiment });
 * watchers.push((event) => builder.add(event));
 * // ... the run ...
 * const result = builder.build();
 */
export function createResultBuilder(options: ResultOptions): ResultBuilder {
  const events = createEventTable(withStarts(options.experiment).events);
  const links = createResultLinks(options.links ?? skippedLinks(options.experiment.links));
  const state: State = {
    started: null,
    ended: null,
    failure: null,
    lastUs: 0,
    up: new Map(),
    modifications: [],
    running: new Map(),
    programs: [],
    traffic: [],
    instances: new Map(),
    open: new Map(),
    slow: new Map(),
    barriers: [],
    messages: [],
    messagesDropped: 0,
    warnings: [],
    warningsDropped: 0,
  };
  return {
    add(event) {
      state.lastUs = Math.max(state.lastUs, event.atUs);
      if (event.type === "run-modified") {
        events.plan([...event.events, ...event.eventsChanged]);
        links.modify(event);
      }
      if (event.type === "links-tested") links.test(event.verdicts);
      if (event.type === "event-fired" || event.type === "event-cancelled") events.add(event);
      else addEvent(state, event);
    },
    fail(code, message) {
      state.failure ??= { code, message };
    },
    build() {
      return assemble(options.experiment, state, events.rows(), links.rows());
    },
  };
}

function addEvent(state: State, event: RunEvent): void {
  switch (event.type) {
    case "run-started":
      state.started = event;
      return;
    case "run-modified":
      state.modifications.push(event);
      return;
    case "node-up":
      state.up.set(event.node, event.atUs);
      return;
    case "program-started":
      state.running.set(programKey(event), event);
      return;
    case "program-ended":
      state.running.delete(programKey(event));
      state.programs.push(endedProgram(event, event.atUs));
      return;
    case "instance-ended":
      if (!state.instances.has(event.name)) state.instances.set(event.name, event);
      return;
    case "barrier-changed":
      changeBarrier(state, event, event.atUs);
      return;
    case "barrier-ended":
      state.barriers.push(endedBarrier(event, state.slow.get(event.name) ?? null));
      state.open.delete(event.name);
      state.slow.delete(event.name);
      return;
    case "barrier-slow":
      state.slow.set(event.name, {
        atUs: event.atUs,
        waitedUs: event.waitedUs,
        arrived: event.arrived,
        missing: event.missing,
      });
      return;
    case "message":
      addMessage(state, event, event.atUs);
      return;
    case "traffic-ended":
      state.traffic.push(countedTraffic(event));
      return;
    case "run-ended":
      state.ended = event;
      return;
    case "event-fired":
    case "event-cancelled":
    case "links-tested":
    case "log":
      return;
  }
}

function countedTraffic({
  type: _type,
  atUs: _atUs,
  ...counts
}: TrafficEnded & { readonly atUs: number }): ResultTraffic {
  return counts;
}

function programKey(program: { readonly name: string; readonly node: string }): string {
  return `${program.node}\0${program.name}`;
}

function endedProgram(event: ProgramEnded, atUs: number): ResultProgram {
  const { name, node, command, startedUs, exitCode, expectedExitCode } = event;
  const { signal, timedOut, stopped, startError, stderrTail } = event;
  return {
    name,
    node,
    command,
    startedUs,
    endedUs: atUs,
    exitCode,
    expectedExitCode,
    signal,
    timedOut,
    stopped,
    startError,
    stderrTail,
    ...(event.token === undefined ? {} : { token: event.token }),
    ...(event.stdoutBytes === undefined ? {} : { stdoutBytes: event.stdoutBytes }),
    ...(event.stderrBytes === undefined ? {} : { stderrBytes: event.stderrBytes }),
  };
}

function changeBarrier(state: State, event: BarrierChanged, atUs: number): void {
  if (event.arrived === 0 && event.expected === 0) {
    // Everybody left before anybody said how many to expect: nothing is left to wait for.
    state.open.delete(event.name);
    return;
  }
  const before = state.open.get(event.name)?.arrivedUs;
  const arrivedUs = new Map(event.waiting.map((name) => [name, before?.get(name) ?? atUs]));
  state.open.set(event.name, { last: event, arrivedUs });
}

function endedBarrier(event: BarrierEnded, slow: ResultBarrier["slow"]): ResultBarrier {
  return {
    name: event.name,
    kind: event.kind,
    generation: event.generation,
    outcome: event.outcome,
    givenUp: isGivenUpBarrier(event),
    expected: event.expected,
    arrived: countedArrivals(event.participants).length,
    crossedUs: event.outcome === "crossed" ? event.crossedUs : null,
    endedUs: event.crossedUs,
    error: event.error,
    participants: event.participants,
    missing: event.missing,
    ...(event.isOptional === true ? { isOptional: true } : {}),
    slow,
  };
}

function addMessage(state: State, event: Message, atUs: number): void {
  const { level, node, text } = event;
  if (level === "info") {
    if (state.messages.length < messagesMax) state.messages.push({ atUs, node, text });
    else state.messagesDropped += 1;
  } else if (state.warnings.length < warningsMax) state.warnings.push({ atUs, level, node, text });
  else state.warningsDropped += 1;
}

function assemble(
  experiment: Experiment,
  state: State,
  events: readonly ResultEvent[],
  links: readonly ResultLink[],
): RunResult {
  const { started, ended } = state;
  const endedUs = ended?.atUs ?? state.lastUs;
  const barriers = [...state.barriers, ...openBarriers(state, endedUs)];
  const programs = [...state.programs, ...runningPrograms(state)];
  const error = state.failure ?? ended?.error ?? (ended === null ? incomplete : null);
  const endedBy = ended?.endedBy ?? "failure";
  const instances = resultInstances(experiment, state.instances);
  const planned = { nodes: resultNodes(state), programsNotStarted: notStarted(state, programs) };
  const seen = { programs, barriers, instances, links };
  const reasons = verdictReasons({ error, endedBy, ...seen, ...planned });
  return {
    schema: 1,
    experiment: started?.experiment ?? `${experiment.pid}/${experiment.eid}`,
    runId: started?.runId ?? "",
    file: started?.file ?? "",
    out: started?.out ?? "",
    startedAt: isoTime(started?.startedWallMs ?? 0),
    startedUs: started?.atUs ?? 0,
    endedUs,
    outcome: reasons.length === 0 ? "passed" : "failed",
    endedBy,
    error,
    reasons,
    syncServer: started?.syncServer ?? null,
    seed: started?.seed ?? 0,
    backend: { nodes: "process", links: "none", shell: "", ...started?.backend },
    command: started?.command ?? null,
    nodes: planned.nodes,
    lost: started?.lost ?? [],
    messages: [...state.messages],
    messagesDropped: state.messagesDropped,
    warnings: [...state.warnings],
    warningsDropped: state.warningsDropped,
    barriers,
    events,
    programs,
    programsNotStarted: planned.programsNotStarted,
    links,
    modifications: state.modifications.map(resultModification),
    ...(experiment.testground === undefined ? {} : { instances }),
    ...(state.traffic.length === 0 ? {} : { traffic: state.traffic }),
  };
}

const incomplete = {
  code: "INCOMPLETE",
  message: "the record of the run ends before the run does",
};

/** All that ever were, also those that a modification has removed. */
function resultNodes({ started, modifications, up }: State): ResultNode[] {
  const added = modifications.flatMap(({ nodesAdded }) => nodesAdded);
  const nodes: NonNullable<typeof started>["nodes"] = [...(started?.nodes ?? []), ...added];
  const all = new Map(nodes.map((node) => [node.name, node]));
  return [...all.values()].map((node) => ({
    name: node.name,
    addresses: node.addresses,
    ...(node.host === undefined ? {} : { host: node.host }),
    upUs: up.get(node.name) ?? null,
  }));
}

/** Who was removed before its start came is not missed. */
function notStarted(
  { started, modifications }: State,
  programs: readonly ResultProgram[],
): RunResult["programsNotStarted"] {
  const due = new Map((started?.programs ?? []).map((program) => [program.name, program]));
  for (const { programsAdded, programsRemoved, programsRestarted } of modifications) {
    for (const program of [...programsAdded, ...programsRestarted]) due.set(program.name, program);
    for (const name of programsRemoved) due.delete(name);
  }
  const seen = new Set(programs.map(programKey));
  return [...due.values()].filter((program) => !seen.has(programKey(program)));
}

/** Programs whose end nobody saw: their exit code is unknown, which is not the expected one. */
function runningPrograms(state: State): ResultProgram[] {
  return [...state.running.values()].map(({ name, node, command, atUs }) => ({
    name,
    node,
    command,
    startedUs: atUs,
    endedUs: null,
    exitCode: null,
    expectedExitCode: 0,
    signal: null,
    timedOut: false,
    stopped: false,
    startError: null,
    stderrTail: "",
  }));
}

/** R3: a barrier whose end nobody saw was cut off by the end of the run. */
function openBarriers(state: State, endedUs: number): ResultBarrier[] {
  const generations = new Map<string, number>();
  for (const { name, generation } of state.barriers) generations.set(name, generation);
  return [...state.open.values()].map(({ last, arrivedUs }) => ({
    name: last.name,
    kind: last.kind ?? "count",
    generation: (generations.get(last.name) ?? 0) + 1,
    outcome: "cancelled",
    givenUp: false,
    expected: last.expected,
    arrived: last.arrived,
    crossedUs: null,
    endedUs,
    error: 0,
    participants: [...arrivedUs].map(([name, atUs]) => ({
      name,
      node: null,
      arrivedUs: atUs,
      releasedUs: null,
    })),
    missing: last.missing,
    slow: state.slow.get(last.name) ?? null,
  }));
}

function isoTime(wallMs: number): string {
  const date = new Date(wallMs);
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
}

/** Exit status of `muster run`: 0 passed, 1 failed. */
export function exitStatus(result: Pick<RunResult, "outcome">): 0 | 1 {
  return result.outcome === "passed" ? 0 : 1;
}
