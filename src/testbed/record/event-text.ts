// SPDX-License-Identifier: MIT
// Run events as lines of text: one line per fact, stable wording, time first. Pure but for the
// counters a stream needs. Where a run has very many nodes, programs, arrivals or events, the
// uneventful ones are told by tenths; whatever went wrong is always told.
import { formatVerdict, type Verdict } from "../../linktest/index.ts";
import type {
  BarrierEnded,
  BarrierSlow,
  EventCancelled,
  EventFired,
  InstanceEnded,
  LinksTested,
  Message,
  ProgramEnded,
  ProgramStarted,
  RunEvent,
  RunEventBody,
  RunModified,
  RunStarted,
  TrafficEnded,
} from "../run-event.ts";
import { describeModification, resultModification } from "./modified.ts";
import { shellName } from "./shell-hint.ts";
import {
  countedArrivals,
  crossedBy,
  formatDuration,
  formatInstant,
  joinParties,
  type Line,
  plural,
  styled,
} from "./words.ts";

/** Things of one kind that are told one by one; above it, by tenths. */
export const toldOneByOneMax = 20;

/** An event fired later than this after its planned instant is told as late. */
export const latenessWarningUs = 100_000;

/** Turns events into lines, in the order of a run. */
export interface EventLines {
  /** The lines for one event: none, one, or for the start of a run several. */
  next(event: RunEvent): Line[];
  /** The same for what happens before time 0, when that is not known yet. */
  early(body: RunEventBody): Line[];
}

interface Counts {
  nodes: number;
  nodesUp: number;
  programs: number;
  programsStarted: number;
  programsEnded: number;
  events: number;
  eventsFired: number;
  /** Arrivals last told, per barrier. */
  readonly toldArrivals: Map<string, number>;
  /** Programs whose start was just told: the event that started them is the same fact. */
  readonly toldStarts: Set<string>;
}

/** Creates the teller of one run. */
export function createEventLines(): EventLines {
  const counts: Counts = {
    nodes: 0,
    nodesUp: 0,
    programs: 0,
    programsStarted: 0,
    programsEnded: 0,
    events: 0,
    eventsFired: 0,
    toldArrivals: new Map(),
    toldStarts: new Set(),
  };
  const under = (when: string, lines: readonly Line[]): Line[] =>
    lines.map((line) => [styled("dim", when.padEnd(9)), " ", ...line]);
  return {
    next: (event) => under(formatInstant(event.atUs), eventLines(counts, event)),
    early: (body) => under("before 0", eventLines(counts, { ...body, atUs: 0 })),
  };
}

function eventLines(counts: Counts, event: RunEvent): Line[] {
  switch (event.type) {
    case "run-started":
      return runStarted(counts, event);
    case "run-modified":
      counts.nodes += event.nodesAdded.length - event.nodesRemoved.length;
      counts.programs += event.programsAdded.length - event.programsRemoved.length;
      counts.events += event.events.length;
      return modifiedLines(event);
    case "node-up":
      counts.nodesUp += 1;
      if (counts.nodes <= toldOneByOneMax) return [[`node ${event.node} up`]];
      return tenth(counts.nodesUp, counts.nodes, "nodes", "up");
    case "program-started":
      return programStarted(counts, event);
    case "program-ended":
      return programEnded(counts, event);
    case "instance-ended":
      return [instanceLine(event)];
    case "event-fired":
      return eventFired(counts, event);
    case "event-cancelled":
      return [
        [`event ${event.id} ${howLost(event)}: ${event.object} ${event.event}: ${event.why}`],
      ];
    case "barrier-changed":
      return barrierArrivals(counts, event);
    case "barrier-ended":
      counts.toldArrivals.delete(event.name);
      return [barrierEndedLine(event)];
    case "barrier-slow":
      return [barrierSlowLine(event)];
    case "traffic-ended":
      return [[trafficText(event)]];
    case "links-tested":
      return linksTested(event);
    case "message":
      return [messageLine(event)];
    case "run-ended":
      // The verdict needs more than this event knows; the summary says it right after, and why.
      return [[`run ended by ${event.endedBy}`]];
    case "log":
      return [];
  }
}

function runStarted(counts: Counts, event: RunStarted): Line[] {
  counts.nodes = event.nodes.length;
  counts.programs = event.programs.length;
  counts.events = event.eventsPlanned;
  const size = [
    plural(counts.nodes, "node"),
    plural(counts.programs, "program"),
    plural(counts.events, "event"),
  ].join(", ");
  const server = event.syncServer === null ? "" : `, sync server on ${event.syncServer}`;
  const shell = shellName(event.backend.shell ?? "");
  const read = shell === "" ? "" : `, commands run in ${shell}`;
  const how = `${server}, seed ${event.seed}${read}`;
  return [
    [styled("strong", `run ${event.experiment}`), `: ${size}${how}`],
    ...event.lost.map((text): Line => [styled("warning", "not given"), `: ${text}`]),
  ];
}

function programStarted(counts: Counts, event: ProgramStarted): Line[] {
  counts.programsStarted += 1;
  if (counts.programs > toldOneByOneMax) {
    return tenth(counts.programsStarted, counts.programs, "programs", "started");
  }
  counts.toldStarts.add(event.name);
  return [[`program ${event.name} on ${event.node} started: ${event.command}`]];
}

function barrierSlowLine({ name, waitedUs, arrived, missing }: BarrierSlow): Line {
  return [
    styled("warning", `barrier ${name} slow`),
    `: ${formatDuration(waitedUs)} since the first arrival; ` +
      `waiting: ${joinParties(arrived)}${missingText(missing)}`,
  ];
}

/** What is wrong, each in a line of its own. */
function linksTested({ level, verdicts, isCancelled }: LinksTested): Line[] {
  const of = (wanted: Verdict["verdict"]): readonly Verdict[] =>
    verdicts.filter(({ verdict }) => verdict === wanted);
  const [good, wrong, unknown] = [of("ok"), of("bad"), of("untestable")];
  const counts = `${good.length} ok, ${wrong.length} bad, ${unknown.length} untestable`;
  const how = isCancelled ? "cancelled" : counts;
  return [
    [styled(wrong.length > 0 ? "bad" : "strong", "linktest"), ` level ${level}: ${how}`],
    ...[...wrong, ...unknown].map((one): Line => [`  ${formatVerdict(one)}`]),
  ];
}

function modifiedLines(event: RunModified & { readonly atUs: number }): Line[] {
  return [
    [styled("strong", "modified"), `: ${describeModification(resultModification(event))}`],
    ...event.nodesLost.map(({ name, why }): Line => {
      return [styled("bad", `node ${name} lost`), `: ${why}`];
    }),
  ];
}

function trafficText(event: TrafficEnded): string {
  const { name, sentPackets, receivedPackets, generatorLostPackets } = event;
  const lost = Math.max(0, sentPackets - receivedPackets);
  const sent = `traffic ${name}: ${plural(sentPackets, "packet")} sent, ${lost} lost on the way`;
  return generatorLostPackets === 0
    ? sent
    : `${sent}, ${generatorLostPackets} not sent in time by the generator`;
}

function tenth(count: number, total: number, what: string, state: string): Line[] {
  const step = Math.ceil(total / 10);
  if (count % step !== 0 && count !== total) return [];
  return [[`${what} ${count} of ${total} ${state}`]];
}

function programEnded(counts: Counts, event: ProgramEnded): Line[] {
  counts.programsEnded += 1;
  const failed = programFailure(event);
  if (failed !== null) {
    return [[styled("bad", `program ${event.name} on ${event.node} failed`), `: ${failed}`]];
  }
  if (counts.programs > toldOneByOneMax) {
    return tenth(counts.programsEnded, counts.programs, "programs", "ended");
  }
  const how = event.stopped ? "was stopped" : `exited with ${event.exitCode}`;
  return [[`program ${event.name} on ${event.node} ${how}`]];
}

function howLost({ isLeftOver }: EventCancelled): string {
  return isLeftOver === true ? "not fired" : "cancelled";
}

function instanceLine({ name, node, outcome, error }: InstanceEnded): Line {
  const line = `instance ${name} on ${node}: ${outcome}`;
  return outcome === "success" ? [line] : [styled("bad", line), `: ${error}`];
}

/** Why a program counts as failed, or null. */
export function programFailure(event: ProgramEnded): string | null {
  if (event.startError !== null) return `could not be started: ${event.startError}`;
  if (event.stopped || event.exitCode === event.expectedExitCode) return null;
  if (event.timedOut) return "ran out of its time";
  const expected = `expected exit code ${event.expectedExitCode}`;
  if (event.signal !== null) return `ended by ${event.signal}, ${expected}`;
  return `exited with ${event.exitCode ?? "no code"}, ${expected}`;
}

function eventFired(counts: Counts, event: EventFired): Line[] {
  counts.eventsFired += 1;
  // As in the result: a pause makes nothing late.
  const { latenessUs } = event;
  const isLate = latenessUs > latenessWarningUs;
  const isFine = event.outcome === "done" && !isLate;
  const isStart = event.event === "START" || event.event === "RUN";
  if (isStart && counts.toldStarts.delete(event.object) && isFine) return [];
  if (isFine && counts.events > toldOneByOneMax) {
    return tenth(counts.eventsFired, counts.events, "events", "fired");
  }
  const when = isLate ? `${formatDuration(latenessUs)} late` : "fired";
  // What was made of a link is what is looked for; commands of programs are told as they start.
  const args = event.objectType === "LINK" && event.args !== "" ? ` ${event.args}` : "";
  const head = `event ${event.object} ${event.event}${args}`;
  return [
    isFine
      ? [`${head} ${when}: ${event.outcome}`]
      : [styled("warning", head), ` ${when}: ${event.outcome}`],
  ];
}

function barrierArrivals(
  counts: Counts,
  event: RunEvent & { readonly type: "barrier-changed" },
): Line[] {
  const { name, arrived, expected, missing } = event;
  if (arrived === 0) {
    counts.toldArrivals.delete(name);
    return [];
  }
  const told = counts.toldArrivals.get(name);
  const step = expected > toldOneByOneMax ? Math.ceil(expected / 10) : 1;
  // A change of the expectation without an arrival is told too: it explains what comes.
  if (told !== undefined && Math.abs(arrived - told) < step && arrived !== expected) return [];
  counts.toldArrivals.set(name, arrived);
  const of = expected > 0 ? `${arrived} of ${expected}` : `${arrived}`;
  return [[`barrier ${name} ${of} waiting${missingText(missing)}`]];
}

function barrierEndedLine(event: BarrierEnded): Line {
  const released = event.participants.filter((one) => one.releasedUs !== null).length;
  if (event.outcome === "crossed") {
    const error = event.error === 0 ? [] : [", ", styled("warning", `error ${event.error}`)];
    const by = crossedBy(event.kind, event.expected, released);
    return [styled("good", `barrier ${event.name} crossed`), ` ${by}`, ...error];
  }
  const isGivenUp = isGivenUpBarrier(event);
  const how = isGivenUp ? "given up" : event.outcome === "timeout" ? "timed out" : event.outcome;
  const came = isGivenUp ? "came" : "arrived";
  const parties = countedArrivals(event.participants).length;
  const count =
    event.expected > 0
      ? `${parties} of ${event.expected} ${came}`
      : `${parties} ${came}, nobody said how many`;
  return [styled("bad", `barrier ${event.name} ${how}`), `: ${count}${missingText(event.missing)}`];
}

/** Whether everybody left before it was crossed; who still waits when a run ends is released. */
export function isGivenUpBarrier(event: BarrierEnded): boolean {
  const { outcome, participants } = event;
  return outcome === "cancelled" && participants.length > 0 && !participants.some(isReleased);
}

function isReleased({ releasedUs }: { readonly releasedUs: number | null }): boolean {
  return releasedUs !== null;
}

function missingText(missing: readonly string[]): string {
  return missing.length === 0 ? "" : `; missing: ${joinParties(missing)}`;
}

function messageLine(event: Message): Line {
  const where = event.node === null ? "" : ` (${event.node})`;
  if (event.level === "info") return [`${event.text}${where}`];
  const style = event.level === "error" ? "bad" : "warning";
  return [styled(style, event.level), `${where}: ${event.text}`];
}
