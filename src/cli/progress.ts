// SPDX-License-Identifier: MIT
// Shows a run while it goes. On a terminal: a few lines redrawn in place, with failures and
// warnings scrolling away above them. Elsewhere: one plain line per fact. Both end with the same
// summary.
//
//   P1. The live view stays within `liveLinesMax` lines and the terminal's height, for any run.
//   P2. At most ten redraws a second; none when nothing can have changed but the clock, but four.
//   P3. The cursor is back when the process ends, also by a signal.
//   P4. Output that nobody reads any more (a closed pipe) never stops a run.
//   P5. What happens before time 0 is shown when it happens, and not again when it has a time.
import type { Experiment } from "../experiment/model.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import {
  createEventLines,
  type EventLines,
  latenessWarningUs,
  programFailure,
} from "../testbed/record/event-text.ts";
import { renderSummary } from "../testbed/record/report-text.ts";
import { createResultBuilder } from "../testbed/record/result.ts";
import type { RunResult } from "../testbed/record/result-model.ts";
import type {
  BarrierChanged,
  EarlyWatch,
  RunEvent,
  RunEventBody,
  RunStarted,
  RunWatcher,
} from "../testbed/run-event.ts";
import {
  formatDuration,
  formatInstant,
  formatLine,
  joinParties,
  type Line,
  plural,
  styled,
  textWidth,
  wrapLine,
} from "./output.ts";

/** Lines of the live view, barriers included. */
export const liveLinesMax = 18;

const redrawMs = 100;
const idleRedrawMs = 250;
const hideCursor = "\u{1b}[?25l";
const showCursor = "\u{1b}[?25h";

/** What is written to; `process.stdout` is one. */
export interface ProgressStream {
  write(text: string): unknown;
  on?(event: "error", listener: () => void): unknown;
}

/** The signals of a process; `process` is one. */
export interface SignalSource {
  readonly pid: number;
  on(signal: NodeJS.Signals | "exit", listener: () => void): unknown;
  off(signal: NodeJS.Signals | "exit", listener: () => void): unknown;
  listenerCount(signal: string): number;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

export interface ProgressOptions {
  readonly stream: ProgressStream;
  readonly isTty: boolean;
  /** Size of the terminal now; asked at each redraw, because windows are resized. */
  readonly columns: () => number;
  readonly rows: () => number;
  /** See `wantsColour`. */
  readonly colour: boolean;
  readonly clock: Clock;
  /** For the countdown to the next planned event and the summary. */
  readonly experiment: Experiment;
  /** `process` by default. */
  readonly signals?: SignalSource;
}

export interface Progress {
  readonly watch: RunWatcher;
  /** P5: before time 0 is known. */
  readonly early: EarlyWatch["said"];
  /** P5: the same, with its time. */
  readonly again: RunWatcher;
  /** A terminal shows from here on that the run is being set up. */
  begin(): void;
  /** Shows a line at once where the display owns the screen. @returns whether it did. */
  keep(line: Line): boolean;
  /**
   * Ends the display and prints the summary of `result`, by default of the events seen, with the
   * files that were written, by default all.
   */
  close(result?: RunResult, written?: readonly string[]): void;
}

/**
 * Creates the display of one run.
 *
 * @example
 * const progress = createProgress({ stream: process.stdout, isTty: true, ... });
 * watchers.push(progress.watch);
 * // ... the run ...
 * progress.close(result);
 */
export function createProgress(options: ProgressOptions): Progress {
  const display = options.isTty ? new LiveDisplay(options) : new PlainDisplay(options);
  const builder = createResultBuilder({ experiment: options.experiment });
  let isClosed = false;
  options.stream.on?.("error", () => display.giveUp());
  return {
    watch(event) {
      if (isClosed) return;
      builder.add(event);
      display.watch(event);
    },
    early(body) {
      if (!isClosed) display.early(body);
    },
    again(event) {
      if (isClosed) return;
      builder.add(event);
      display.again(event);
    },
    begin: () => display.begin(),
    keep: (line) => display.keep(line),
    close(result, written) {
      if (isClosed) return;
      isClosed = true;
      const summary = renderSummary(result ?? builder.build(), written);
      display.close(summary);
    },
  };
}

/** What the live view knows of a run. */
export interface ProgressState {
  started: (RunStarted & { readonly atUs: number }) | null;
  nodesUp: number;
  programsRunning: number;
  programsEnded: number;
  programsFailed: number;
  readonly barriers: Map<string, BarrierChanged>;
  readonly slow: Set<string>;
  barriersCrossed: number;
  barriersFailed: number;
  lastCrossed: string | null;
  eventsFired: number;
  eventsLate: number;
  /** Events of the main timeline, soonest first. */
  readonly planned: readonly {
    readonly atUs: number;
    readonly object: string;
    readonly event: string;
  }[];
  isEnded: boolean;
}

export function createProgressState(experiment: Pick<Experiment, "events">): ProgressState {
  const planned = experiment.events.flatMap(({ atUs, object, event }) =>
    atUs === "swapout" ? [] : [{ atUs, object, event }],
  );
  return {
    started: null,
    nodesUp: 0,
    programsRunning: 0,
    programsEnded: 0,
    programsFailed: 0,
    barriers: new Map(),
    slow: new Set(),
    barriersCrossed: 0,
    barriersFailed: 0,
    lastCrossed: null,
    eventsFired: 0,
    eventsLate: 0,
    planned: planned.sort((a, b) => a.atUs - b.atUs),
    isEnded: false,
  };
}

/** Takes one event into the state. */
export function observe(state: ProgressState, event: RunEvent): void {
  switch (event.type) {
    case "run-started":
      state.started = event;
      return;
    case "node-up":
      state.nodesUp += 1;
      return;
    case "program-started":
      state.programsRunning += 1;
      return;
    case "program-ended":
      state.programsRunning = Math.max(0, state.programsRunning - 1);
      state.programsEnded += 1;
      if (programFailure(event) !== null) state.programsFailed += 1;
      return;
    case "event-fired":
      state.eventsFired += 1;
      if (event.latenessUs > latenessWarningUs) state.eventsLate += 1;
      return;
    case "barrier-changed":
      if (event.arrived === 0 && event.expected === 0) state.barriers.delete(event.name);
      else state.barriers.set(event.name, event);
      return;
    case "barrier-slow":
      state.slow.add(event.name);
      return;
    case "barrier-ended":
      state.barriers.delete(event.name);
      state.slow.delete(event.name);
      if (event.outcome === "crossed") {
        state.barriersCrossed += 1;
        state.lastCrossed = event.name;
      } else state.barriersFailed += 1;
      return;
    case "run-ended":
      state.isEnded = true;
      return;
    // A run that a command line watches is modified by nobody.
    case "run-modified":
    case "event-cancelled":
    case "message":
    case "traffic-ended":
    case "links-tested":
    case "instance-ended":
    case "log":
      return;
  }
}

/** The live view before time 0, this long after the set-up began. */
export function renderSetUp(
  { started, nodesUp }: Pick<ProgressState, "started" | "nodesUp">,
  { pid, eid, nodes }: Experiment,
  sinceUs: number,
): Line[] {
  const count = started?.nodes.length ?? nodes.length;
  const what =
    started === null ? `setting up ${plural(count, "node")}` : `${nodesUp} of ${count} up`;
  return [
    [styled("strong", `${pid}/${eid}`), "  before time 0  ", countdown(sinceUs)],
    [styled("dim", "nodes     "), what],
  ];
}

/** The live view at an instant of the run: at most `linesMax` lines. */
export function renderLive(state: ProgressState, nowUs: number, linesMax: number): Line[] {
  const { started } = state;
  if (started === null) return [];
  const nodes = started.nodes.length;
  const lines: Line[] = [
    [
      styled("strong", started.experiment),
      state.isEnded ? "  ending  " : "  running  ",
      formatInstant(nowUs).slice(0, -3),
      "s",
    ],
    [styled("dim", "nodes     "), `${state.nodesUp} of ${nodes} up`],
    [styled("dim", "programs  "), ...programCounts(state, started.programs.length)],
  ];
  const events = eventCounts(state, started.eventsPlanned, nowUs);
  if (events.length > 0) lines.push([styled("dim", "events    "), ...events]);
  lines.push([styled("dim", "barriers  "), ...barrierCounts(state)]);
  const room = Math.min(linesMax, liveLinesMax) - lines.length;
  return [...lines, ...openBarrierLines(state, room)].slice(0, Math.max(1, linesMax));
}

function programCounts(state: ProgressState, total: number): Line {
  const { programsRunning: running, programsEnded: ended, programsFailed: failed } = state;
  const waiting = Math.max(0, total - running - ended);
  const counts: Line[] = [[`${running} running`], [`${ended} ended`]];
  if (failed > 0) counts.push([styled("bad", `${failed} failed`)]);
  if (waiting > 0) counts.push([`${waiting} not started`]);
  return parted(counts);
}

function eventCounts(state: ProgressState, total: number, nowUs: number): Line {
  if (total === 0 && state.eventsFired === 0) return [];
  const next = nextPlanned(state.planned, nowUs);
  const counts: Line[] = [[`${state.eventsFired} of ${Math.max(total, state.eventsFired)} fired`]];
  if (state.eventsLate > 0) counts.push([styled("warning", `${state.eventsLate} late`)]);
  if (next !== undefined && !state.isEnded) {
    counts.push([`next ${next.object} ${next.event} in ${countdown(next.atUs - nowUs)}`]);
  }
  return parted(counts);
}

function nextPlanned(
  planned: ProgressState["planned"],
  nowUs: number,
): ProgressState["planned"][number] | undefined {
  let [from, to] = [0, planned.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((planned[middle]?.atUs ?? nowUs) <= nowUs) from = middle + 1;
    else to = middle;
  }
  return planned[from];
}

/** Tenths of a second are all that can be read at ten redraws a second. */
function countdown(us: number): string {
  return us < 59_950_000 ? `${(us / 1_000_000).toFixed(1)} s` : formatDuration(us);
}

function barrierCounts(state: ProgressState): Line {
  const counts: Line[] = [[`${state.barriersCrossed} crossed`]];
  if (state.barriersFailed > 0) counts.push([styled("bad", `${state.barriersFailed} not crossed`)]);
  if (state.barriers.size > 0) counts.push([`${state.barriers.size} open`]);
  else if (state.lastCrossed !== null) counts.push([`last ${state.lastCrossed}`]);
  return parted(counts);
}

/** The open barriers that wait longest, each with who is missing; the rest as a number. */
function openBarrierLines(state: ProgressState, room: number): Line[] {
  const open = [...state.barriers.values()];
  const shown = open.length <= room ? open : open.slice(0, Math.max(0, room - 1));
  const width = Math.min(24, Math.max(0, ...shown.map((one) => textWidth(one.name))));
  const lines = shown.map(({ name, arrived, expected, missing }): Line => {
    const isSlow = state.slow.has(name);
    const label = name + " ".repeat(Math.max(0, width - textWidth(name)));
    const of = expected > 0 ? `${arrived}/${expected}` : `${arrived}/?`;
    const who = missing.length === 0 ? "" : `; missing: ${joinParties(missing, 5)}`;
    return ["  ", isSlow ? styled("warning", label) : label, ` ${of} waiting${who}`];
  });
  const rest = open.length - shown.length;
  if (rest > 0 && room > 0) lines.push([styled("dim", `  and ${rest} more`)]);
  return lines;
}

function parted(parts: readonly Line[]): Line {
  return parts.flatMap((part, at) => (at === 0 ? part : [", ", ...part]));
}

interface Display {
  begin(): void;
  watch(event: RunEvent): void;
  early(body: RunEventBody): void;
  again(event: RunEvent): void;
  keep(line: Line): boolean;
  close(summary: readonly Line[]): void;
  /** Nobody reads any more: write nothing. */
  giveUp(): void;
}

const beforeTimeUs = Number.MIN_SAFE_INTEGER;

class PlainDisplay implements Display {
  readonly #options: ProgressOptions;
  readonly #lines: EventLines = createEventLines();
  /** Lines of this turn: what is seen a little later may have happened a little earlier. */
  #turn: { readonly atUs: number; readonly lines: readonly Line[] }[] = [];
  #isDead = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  begin(): void {}

  watch(event: RunEvent): void {
    this.#add(event.atUs, this.#lines.next(event));
  }

  early(body: RunEventBody): void {
    this.#add(beforeTimeUs, this.#lines.early(body));
  }

  again(): void {}

  #add(atUs: number, lines: readonly Line[]): void {
    if (lines.length === 0) return;
    this.#turn.push({ atUs, lines });
    if (this.#turn.length === 1) this.#options.clock.endOfTurn(() => this.#flush());
  }

  keep(): boolean {
    return false;
  }

  close(summary: readonly Line[]): void {
    this.#flush();
    this.#print(summary);
  }

  #flush(): void {
    const turn = this.#turn.toSorted((a, b) => a.atUs - b.atUs);
    this.#turn = [];
    this.#print(turn.flatMap(({ lines }) => lines));
  }

  giveUp(): void {
    this.#isDead = true;
  }

  #print(lines: readonly Line[]): void {
    if (this.#isDead || lines.length === 0) return;
    const format = { columns: Number.POSITIVE_INFINITY, colour: this.#options.colour };
    this.#options.stream.write(lines.map((line) => `${formatLine(line, format)}\n`).join(""));
  }
}

class LiveDisplay implements Display {
  readonly #options: ProgressOptions;
  readonly #state: ProgressState;
  readonly #lines: EventLines = createEventLines();
  readonly #restore: RestoreCursor;
  /** Widths of the lines on the screen, to find the top again after the window was resized. */
  #drawn: readonly number[] = [];
  /** Lines that scroll away above the live view at the next redraw. */
  #kept: Line[] = [];
  #cancel: Cancel | null = null;
  #isDirty = false;
  #lastDrawUs = Number.NEGATIVE_INFINITY;
  /** Clock minus run time: the least seen, because events come a little late, never early. */
  #zeroUs = Number.POSITIVE_INFINITY;
  #begunUs: number | null = null;
  #isDead = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#state = createProgressState(options.experiment);
    this.#restore = new RestoreCursor(options.stream, options.signals ?? process);
  }

  begin(): void {
    this.#begunUs = this.#options.clock.nowUs();
    this.#redrawSoon(this.#begunUs);
  }

  early(body: RunEventBody): void {
    const event = { ...body, atUs: 0 };
    observe(this.#state, event);
    const lines = this.#lines.early(body);
    if (body.type === "message" || isWorthKeeping(event)) this.#kept.push(...lines);
    this.#redrawSoon(this.#options.clock.nowUs());
  }

  again({ atUs }: RunEvent): void {
    const nowUs = this.#options.clock.nowUs();
    this.#zeroUs = Math.min(this.#zeroUs, nowUs - atUs);
    this.#redrawSoon(nowUs);
  }

  watch(event: RunEvent): void {
    const nowUs = this.#options.clock.nowUs();
    this.#zeroUs = Math.min(this.#zeroUs, nowUs - event.atUs);
    observe(this.#state, event);
    const lines = this.#lines.next(event);
    if (isWorthKeeping(event)) this.#kept.push(...lines);
    this.#redrawSoon(nowUs);
  }

  keep(line: Line): boolean {
    this.#kept.push(line);
    this.#redrawSoon(this.#options.clock.nowUs());
    return true;
  }

  #redrawSoon(nowUs: number): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#cancel?.();
    const sinceMs = (nowUs - this.#lastDrawUs) / 1_000;
    this.#arm(Math.max(0, Math.ceil(redrawMs - sinceMs)));
  }

  close(summary: readonly Line[]): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#kept.push(...summary);
    // The state of the last moment makes way for the summary.
    this.#write([]);
    this.#restore.now();
  }

  giveUp(): void {
    this.#isDead = true;
    this.#cancel?.();
    this.#cancel = null;
    this.#restore.forget();
  }

  #arm(delayMs: number): void {
    if (this.#isDead) return;
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#draw();
      this.#arm(idleRedrawMs);
    });
  }

  #draw(): void {
    const nowUs = this.#options.clock.nowUs();
    this.#lastDrawUs = nowUs;
    this.#isDirty = false;
    const linesMax = Math.max(1, this.#options.rows() - 1);
    this.#write(this.#render(nowUs, linesMax));
  }

  #render(nowUs: number, linesMax: number): Line[] {
    if (Number.isFinite(this.#zeroUs)) {
      return renderLive(this.#state, nowUs - this.#zeroUs, linesMax);
    }
    if (this.#begunUs === null) return [];
    return renderSetUp(this.#state, this.#options.experiment, nowUs - this.#begunUs).slice(
      0,
      linesMax,
    );
  }

  #write(live: readonly Line[]): void {
    if (this.#isDead) return;
    const columns = Math.max(1, this.#options.columns());
    const { colour } = this.#options;
    const kept = this.#kept
      .flatMap((line) => wrapLine(line, columns - 1))
      .map((line) => formatLine(line, { columns: Infinity, colour }));
    this.#kept = [];
    // One column stays free: a full line leaves some terminals on the next one.
    const plain = live.map((line) => formatLine(line, { columns: columns - 1, colour: false }));
    const shown = live.map((line) => formatLine(line, { columns: columns - 1, colour }));
    const rowsUp = this.#drawn.reduce((rows, width) => rows + rowsTaken(width, columns), 0);
    const top = rowsUp === 0 ? "" : `\u{1b}[${rowsUp}A`;
    const text = [...kept, ...shown].map((line) => `${line}\n`).join("");
    this.#drawn = plain.map(textWidth);
    this.#restore.hide();
    this.#options.stream.write(`${top}\r\u{1b}[J${text}`);
  }
}

function rowsTaken(width: number, columns: number): number {
  return Math.max(1, Math.ceil(width / columns));
}

/** Whether an event stays on the screen: what people would miss if it were drawn over. */
function isWorthKeeping(event: RunEvent): boolean {
  switch (event.type) {
    case "program-ended":
      return programFailure(event) !== null;
    case "barrier-ended":
      return event.outcome !== "crossed" || event.error !== 0;
    case "barrier-slow":
      return true;
    case "event-fired":
      return event.outcome !== "done";
    case "message":
      return event.level !== "info";
    case "run-started":
      return event.lost.length > 0;
    case "links-tested":
      return true;
    default:
      return false;
  }
}

/** Hides the cursor and sees to it that it comes back (P3). */
class RestoreCursor {
  readonly #stream: ProgressStream;
  readonly #signals: SignalSource;
  readonly #listeners = new Map<NodeJS.Signals | "exit", () => void>();

  constructor(stream: ProgressStream, signals: SignalSource) {
    this.#stream = stream;
    this.#signals = signals;
  }

  hide(): void {
    if (this.#listeners.size > 0) return;
    this.#stream.write(hideCursor);
    this.#listen("exit", () => this.now());
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
      this.#listen(signal, () => {
        // Somebody else ends the run in order and closes the display; else the signal is meant
        // for this process, which must end by it.
        if (this.#signals.listenerCount(signal) > 1) return;
        this.now();
        this.#signals.kill(this.#signals.pid, signal);
      });
    }
  }

  now(): void {
    if (this.#listeners.size === 0) return;
    this.forget();
    this.#stream.write(showCursor);
  }

  forget(): void {
    for (const [signal, listener] of this.#listeners) this.#signals.off(signal, listener);
    this.#listeners.clear();
  }

  #listen(signal: NodeJS.Signals | "exit", listener: () => void): void {
    this.#listeners.set(signal, listener);
    this.#signals.on(signal, listener);
  }
}
