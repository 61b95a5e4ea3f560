// SPDX-License-Identifier: MIT
// The last words of a run on the terminal: the verdict, what crossed, what failed and why, where
// the results are, what to do next. Pure; at most about thirty lines, whatever the size of the run.
import { nearestNames } from "../../core/agenda/nearest-names.ts";
import { hasNoProgram, noProgramOn } from "./absence.ts";
import type { ResultBarrier, ResultEvent, ResultProgram, RunResult } from "./result-model.ts";
import { shellHint } from "./shell-hint.ts";
import { barrierPassed, barrierSentence, programEnding, programPassed } from "./verdict.ts";
import {
  crossedBy,
  formatCount,
  formatDuration,
  formatInstant,
  joinNames,
  joinParties,
  type Line,
  namesShownMax,
  nodesNamed,
  outputDirectory,
  plural,
  shellQuote,
  styled,
} from "./words.ts";

/** Barriers, and failures, listed before the reader is sent to the report. */
export const rowsInSummaryMax = 6;

/** Failed programs whose last words are shown. */
export const programsInFullMax = 2;

/** Lines of a failed program's standard error shown. */
export const stderrLinesMax = 6;

/**
 * The summary of a finished run.
 *
 * @param written the files that are there, all by default.
 */
export function renderSummary(
  result: RunResult,
  written: readonly string[] = ["report.html", "result.json", "record.ndjson"],
): Line[] {
  const passed = result.outcome === "passed";
  const duration = formatDuration(Math.max(0, result.endedUs));
  const verdict = passed
    ? [styled("good", "passed"), ...reserve(result), `  ${result.experiment} in ${duration}`]
    : [styled("bad", "failed"), `  ${result.experiment} after ${duration}`];
  return [
    [],
    [...verdict, `: ${accomplished(result)}`],
    ...failureLines(result),
    ...barrierLines(result.barriers.filter((one) => one.outcome === "crossed")),
    [],
    [
      "results  ",
      styled("strong", `${result.out}/`),
      written.length === 0 ? "  (none of them could be written)" : `  (${written.join(", ")})`,
    ],
    ...(passed ? [] : adviceLines(result, written.includes("report.html"))),
  ];
}

function reserve({ events }: RunResult): Line {
  const text = failedShare(events);
  return text === null ? [] : [", but ", styled("warning", text)];
}

/** `3 of 4 events failed`, which by itself fails no run; null for none. */
export function failedShare(events: readonly ResultEvent[]): string | null {
  const failed = events.filter(({ outcome }) => outcome.startsWith("failed")).length;
  return failed === 0 ? null : `${formatCount(failed)} of ${plural(events.length, "event")} failed`;
}

/** `5 programs as expected, 2 barriers crossed, 10 of 12 events fired`. */
export function accomplished(result: RunResult): string {
  const counts = countPrograms(result);
  const crossed = result.barriers.filter((one) => one.outcome === "crossed").length;
  const parts = [
    programShare(counts, result.programs.length),
    share(crossed, result.barriers.length, "barrier", "crossed"),
    eventShare(result.events),
  ].filter((part) => part !== null);
  return parts.length === 0 ? "nothing was planned" : parts.join(", ");
}

/** What became of programs that did not fail. */
export interface ProgramCounts {
  /** They ended by themselves. */
  readonly expected: number;
  readonly stopped: number;
  readonly stoppedWaiting: number;
}

export function countPrograms({ programs, barriers }: RunResult): ProgramCounts {
  const passed = programs.filter(programPassed);
  const waited = passed.filter((one) => stoppedWaiting(one, barriers)).length;
  const stopped = passed.filter((one) => one.stopped).length;
  return {
    expected: passed.length - stopped,
    stopped: stopped - waited,
    stoppedWaiting: waited,
  };
}

/** `1 program as expected, 2 stopped while they waited`: those are not failures, nor as planned. */
function programShare(counts: ProgramCounts, total: number): string | null {
  const { expected, stopped, stoppedWaiting: waited } = counts;
  if (stopped + waited === 0) return share(expected, total, "program", "as expected");
  const rest = total - expected - stopped - waited;
  const head = rest === 0 ? expected : `${formatCount(expected)} of ${formatCount(total)}`;
  const what = typeof head === "number" ? plural(head, "program") : `${head} programs`;
  const who = waited === 1 ? "it" : "they";
  return [
    `${what} as expected`,
    ...(stopped > 0 ? [`${formatCount(stopped)} stopped`] : []),
    ...(waited > 0 ? [`${formatCount(waited)} stopped while ${who} waited`] : []),
  ].join(", ");
}

/** Whether a program was stopped on a node that waited in vain until then. */
export function stoppedWaiting(program: ResultProgram, barriers: RunResult["barriers"]): boolean {
  const { stopped, endedUs, node } = program;
  if (!stopped || endedUs === null || program.startError !== null) return false;
  return barriers.some(
    (barrier) =>
      barrier.outcome === "cancelled" &&
      !barrier.givenUp &&
      barrier.endedUs <= endedUs &&
      barrier.participants.some((party) => party.node === node),
  );
}

/** `7 events fired`, `5 of 7 events fired, 3 of them ignored and 1 failed`; null for none. */
export function eventShare(events: readonly ResultEvent[]): string | null {
  const fired = events.filter((one) => one.firedUs !== null);
  const count = (word: string): number =>
    fired.filter(({ outcome }) => outcome.startsWith(word)).length;
  const [ignored, failed] = [count("ignored"), count("failed")];
  const words = [
    ...(ignored > 0 ? [`${formatCount(ignored)} of them ignored`] : []),
    ...(failed > 0 ? [`${formatCount(failed)} ${ignored > 0 ? "" : "of them "}failed`] : []),
  ];
  const all = share(fired.length, events.length, "event", "fired");
  return all === null || words.length === 0 ? all : `${all}, ${words.join(" and ")}`;
}

function share(part: number, total: number, what: string, done: string): string | null {
  if (total === 0) return null;
  return part === total
    ? `${plural(total, what)} ${done}`
    : `${formatCount(part)} of ${plural(total, what)} ${done}`;
}

function barrierLines(crossed: readonly ResultBarrier[]): Line[] {
  if (crossed.length === 0) return [];
  const shown = crossed.slice(0, rowsInSummaryMax);
  const width = Math.min(32, Math.max(...shown.map((one) => one.name.length)));
  const rest = crossed.length - shown.length;
  return [
    [],
    ...shown.map((one): Line => {
      const at = one.crossedUs === null ? "" : ` at ${formatInstant(one.crossedUs)}`;
      const by = crossedBy(one.kind, one.expected, one.arrived);
      const head = `barrier  ${one.name.padEnd(width)}  crossed${at} ${by}`;
      if (one.error === 0) return [head];
      const heard = one.participants.filter((party) => party.releasedUs !== null).map(partyName);
      return [head, ", ", styled("warning", `error ${one.error}`), ` heard by ${listAll(heard)}`];
    }),
    ...(rest === 0 ? [] : [[`         and ${plural(rest, "barrier")} more, see report.html`]]),
  ];
}

function listAll(names: readonly string[]): string {
  return names.length > namesShownMax ? `all ${formatCount(names.length)}` : joinNames(names);
}

/** What people call a party: its node, or failing that its name or address. */
export function partyName(party: { readonly name: string; readonly node: string | null }): string {
  return party.node ?? joinParties([party.name]);
}

function failureLines(result: RunResult): Line[] {
  const programs = result.programs.filter((program) => !programPassed(program));
  const barriers = result.barriers.filter((barrier) => !barrierPassed(barrier));
  const own = result.reasons.filter(({ code }) => code !== "PROGRAM" && code !== "BARRIER");
  const blocks: Line[][] = [
    ...own.map(({ message }): Line[] => [[styled("bad", message)]]),
    ...programs.map((program, at) =>
      programLines(result, program, at < programsInFullMax ? stderrLinesMax : 0),
    ),
    ...barriers.map((barrier): Line[] => [[styled("bad", barrierSentence(barrier, result))]]),
  ];
  if (blocks.length === 0) return [];
  const shown = blocks.slice(0, rowsInSummaryMax);
  if (shown.length < blocks.length && barriers.length > 0 && !shown.includes(blocks.at(-1) ?? [])) {
    // Who reads of a hundred failed programs must still learn of the barrier.
    shown.splice(-1, 1, ...blocks.slice(-1));
  }
  const rest = blocks.length - shown.length;
  return [
    [],
    ...shown.flat(),
    ...(rest === 0 ? [] : [[`and ${plural(rest, "failure")} more, see report.html`]]),
  ];
}

function programLines(result: RunResult, program: ResultProgram, linesMax: number): Line[] {
  const { out, backend } = result;
  const hint = shellHint(backend.shell, program.stderrTail);
  const tail = program.stderrTail.trimEnd();
  const lines = tail === "" || linesMax === 0 ? [] : tail.split("\n").slice(-linesMax);
  return [
    [styled("bad", `program ${program.name} on ${program.node} ${programEnding(program)}`)],
    ...lines.map((line): Line => [styled("dim", "  | "), line]),
    ...(hint === null || linesMax === 0 ? [] : [[`  ${hint}`]]),
    ...(linesMax === 0 ? [] : [["  output: ", `${out}/${outputFile(program)}`]]),
  ];
}

/** The file to look into: standard error, or when nothing is in it the other one. */
function outputFile({ name, node, token, stderrTail }: ResultProgram): string {
  const run = token === undefined ? "" : `.${token}`;
  return `${outputDirectory(node)}${name}.${stderrTail === "" ? "out" : "err"}${run}`;
}

function adviceLines(result: RunResult, hasReport: boolean): Line[] {
  const first: Line[] = [[], [styled("strong", "next"), `     ${firstStep(result)}`]];
  if (!hasBegun(result)) return first;
  return [
    ...first,
    ...(hasReport ? [[`         see ${reportShows(result)}: open ${result.out}/report.html`]] : []),
    ...againLine(result),
  ];
}

/** Where nobody came to a barrier nobody waited. */
function reportShows({ barriers }: RunResult): string {
  const anybody = barriers.some(({ participants }) => participants.length > 0);
  return anybody ? "who waited for whom" : "what happened when";
}

/** One that was modified is not what its file says: nothing repeats all of it. */
function againLine(result: RunResult): Line[] {
  const command = result.modifications.length === 0 ? repeatCommand(result) : undefined;
  if (command === undefined) return [];
  return [["         run it again: ", styled("command", command)]];
}

/** Otherwise nobody waited, and it would end so again. */
function hasBegun({ error, nodes, programs, barriers }: RunResult): boolean {
  if (error === null || programs.length > 0 || barriers.length > 0) return true;
  return nodes.some(({ upUs }) => upUs !== null);
}

/** Of these the cause is somewhere else: with who is missing, or in what was printed. */
const effects: ReadonlySet<string> = new Set(["INTERRUPTED", "BARRIER_STUCK", "INSTANCE"]);

/** Where to look first: what failed earliest is the likeliest cause of the rest. */
function firstStep(result: RunResult): string {
  const own = result.reasons.find(({ code }) => code !== "PROGRAM" && code !== "BARRIER");
  if (own?.code === "LINK") {
    return `see what was measured of each link: ${result.out}/linktest/verdicts.json`;
  }
  if (own?.code === "FAILED") return `see what was before it: ${result.out}/record.ndjson`;
  if (own !== undefined && !effects.has(own.code)) return "start with the first message above";
  const misspelt = misspeltBarrier(result);
  if (misspelt !== undefined) return misspelt;
  const failed = result.programs.filter((program) => !programPassed(program));
  const [first] = failed.sort((a, b) => (a.endedUs ?? Infinity) - (b.endedUs ?? Infinity));
  if (first !== undefined) {
    const when =
      first.endedUs === null ? "" : `, which failed first, at ${formatInstant(first.endedUs)}`;
    return `start with ${first.name} on ${first.node}${when}`;
  }
  const nodes = new Set(result.nodes.map(({ name }) => name));
  const missing = result.barriers.flatMap((barrier) => barrier.missing);
  const [node] = missing.flatMap((sentence) => nodesNamed(sentence, (name) => nodes.has(name)));
  if (node === undefined) return `see what the programs printed: ${result.out}/nodes/`;
  if (hasNoProgram(node, result)) {
    return `${noProgramOn(node)}: give it one that comes to the barrier, or expect fewer`;
  }
  return `see why nobody came from ${node}: ${result.out}/${outputDirectory(node)}`;
}

/** A barrier that nobody opened beside one of nearly the same name: somebody has mistyped it. */
function misspeltBarrier({ barriers }: RunResult): string | undefined {
  for (const { name, outcome, expected } of barriers) {
    if (outcome === "crossed" || expected > 0) continue;
    const others = barriers.map((barrier) => barrier.name).filter((other) => other !== name);
    const [near] = nearestNames(name, others, 1);
    if (near !== undefined) return `compare the names: nobody opened ${name}; was ${near} meant?`;
  }
  return undefined;
}

/**
 * The command that repeats a run as it began, quoted for a shell. None for one on machines that
 * have joined a daemon: only that reaches them.
 */
export function repeatCommand(
  result: Pick<RunResult, "command" | "file" | "seed" | "backend">,
): string | undefined {
  if (result.command !== null) return result.command;
  if (result.backend.nodes === "remote") return undefined;
  return `muster run ${shellQuote(result.file)} --seed ${result.seed}`;
}
