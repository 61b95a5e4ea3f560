// SPDX-License-Identifier: MIT
// A run as JUnit XML, for the test pages of build servers: a suite per run, a case per program,
// per barrier, and one for the run itself. Pure.
import type { ResultBarrier, ResultProgram, RunResult } from "./result-model.ts";
import { barrierPassed, barrierSentence, programEnding, programPassed } from "./verdict.ts";
import { outputDirectory } from "./words.ts";

interface TestCase {
  readonly name: string;
  /** Groups the cases: `pid/eid.programs`. */
  readonly group: string;
  readonly durationUs: number;
  readonly failure: {
    readonly type: string;
    readonly message: string;
    readonly text: string;
  } | null;
  readonly isSkipped: boolean;
}

/** The JUnit document for one run. */
export function renderJunit(result: RunResult): string {
  return renderJunitSeries([{ name: result.experiment, result }]);
}

/** The JUnit document for a series: a suite for each run. */
export function renderJunitSeries(
  runs: readonly { readonly name: string; readonly result: RunResult }[],
): string {
  const suites = runs.map(({ name, result }, id) => renderSuite(name, result, id));
  const all = suites.flatMap(({ cases }) => cases);
  const totalUs = runs.reduce((sum, { result }) => sum + Math.max(0, result.endedUs), 0);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="muster" ${counts(all)} time="${seconds(totalUs)}">`,
    ...suites.flatMap(({ lines }) => lines),
    "</testsuites>",
    "",
  ].join("\n");
}

function counts(cases: readonly TestCase[]): string {
  const failures = cases.filter((one) => one.failure !== null).length;
  const skipped = cases.filter((one) => one.isSkipped).length;
  return `tests="${cases.length}" failures="${failures}" errors="0" skipped="${skipped}"`;
}

function renderSuite(name: string, result: RunResult, id: number) {
  const cases = [
    runCase(result),
    ...programCases(result),
    ...result.barriers.map((one) => barrierCase(one, result)),
  ];
  const lines = [
    `  <testsuite name="${attribute(name)}" ${counts(cases)} ` +
      `time="${seconds(Math.max(0, result.endedUs))}" ` +
      `timestamp="${attribute(result.startedAt)}" id="${id}">`,
    "    <properties>",
    ...properties(result).map(
      ([key, value]) => `      <property name="${key}" value="${attribute(value)}"/>`,
    ),
    "    </properties>",
    ...cases.flatMap((one) => caseLines(result.experiment, one)),
    "  </testsuite>",
  ];
  return { cases, lines };
}

function properties(result: RunResult): (readonly [string, string])[] {
  return [
    ["runId", result.runId],
    ["file", result.file],
    ["seed", String(result.seed)],
    ["endedBy", result.endedBy],
    ["results", result.out],
  ];
}

function runCase(result: RunResult): TestCase {
  const own = result.reasons.filter(({ code }) => code !== "PROGRAM" && code !== "BARRIER");
  const first = own[0];
  return {
    name: "run",
    group: "run",
    durationUs: Math.max(0, result.endedUs),
    failure:
      first === undefined
        ? null
        : {
            type: first.code,
            message: first.message,
            text: own.map(({ code, message }) => `${code}: ${message}`).join("\n"),
          },
    isSkipped: false,
  };
}

function programCases(result: RunResult): TestCase[] {
  const ran = result.programs.map(programCase);
  const idle = result.programsNotStarted.map(({ name, node }) => ({
    name: `${name} on ${node}`,
    group: "programs",
    durationUs: 0,
    failure: null,
    isSkipped: true,
  }));
  return [...ran, ...idle];
}

function programCase(program: ResultProgram): TestCase {
  const { name, node, command, startedUs, endedUs, stderrTail } = program;
  const message = `program ${name} on ${node} ${programEnding(program)}`;
  const tail = stderrTail === "" ? "" : `\nlast lines of standard error:\n${stderrTail}`;
  return {
    name: `${name} on ${node}`,
    group: "programs",
    durationUs: Math.max(0, (endedUs ?? startedUs) - startedUs),
    failure: programPassed(program)
      ? null
      : {
          type: "PROGRAM",
          message,
          text: `${message}\ncommand: ${command}\nfull output: ${outputDirectory(node)}${tail}`,
        },
    isSkipped: false,
  };
}

function barrierCase(barrier: ResultBarrier, result: RunResult): TestCase {
  const { name, generation, participants, endedUs, outcome: type } = barrier;
  const sentence = barrierSentence(barrier, result);
  const arrivals = participants.map((one) => one.arrivedUs);
  const firstUs = arrivals.reduce((least, us) => Math.min(least, us), endedUs);
  return {
    name: generation > 1 ? `${name} (generation ${generation})` : name,
    group: "barriers",
    durationUs: Math.max(0, endedUs - firstUs),
    failure: barrierPassed(barrier) ? null : { type, message: sentence, text: sentence },
    isSkipped: false,
  };
}

function caseLines(experiment: string, one: TestCase): string[] {
  const head =
    `    <testcase name="${attribute(one.name)}" ` +
    `classname="${attribute(`${experiment}.${one.group}`)}" time="${seconds(one.durationUs)}"`;
  if (one.isSkipped) {
    return [`${head}>`, '      <skipped message="never started"/>', "    </testcase>"];
  }
  if (one.failure === null) return [`${head}/>`];
  const { type, message, text } = one.failure;
  return [
    `${head}>`,
    `      <failure type="${attribute(type)}" message="${attribute(message)}">` +
      `${escapeXml(text)}</failure>`,
    "    </testcase>",
  ];
}

function seconds(us: number): string {
  return (us / 1_000_000).toFixed(6);
}

/** Text for an attribute: a parser would turn bare line ends and tabs into blanks. */
function attribute(text: string): string {
  return escapeXml(text).replace(/[\n\t]/g, (one) => `&#${one.charCodeAt(0)};`);
}

/** Text for XML 1.0. What XML cannot carry at all, escaped or not, becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, "\n")
    .replace(unrepresentable, "\u{fffd}")
    .replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 forbids
const unrepresentable = /[\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]/gu;
