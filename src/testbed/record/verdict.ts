// SPDX-License-Identifier: MIT
// The verdict on a run: every reason why it did not pass, as sentences for people. Pure.
//
//   V1. A program that was not stopped ended with its expected code.
//   V2. Every barrier's outcome is `crossed`, but of those the file lets end as they may.
//   V3. No instance said that it failed.
//   V4. No link that was tested is bad.
//   V5. The run itself had no error and was not interrupted.
import type { EndedBy } from "../run-event.ts";
import { describeAbsence, type Known } from "./absence.ts";
import { instanceFailed, instanceSentence } from "./result-instances.ts";
import type {
  ResultBarrier,
  ResultInstance,
  ResultLink,
  ResultProgram,
  ResultReason,
} from "./result-model.ts";
import { arrivedName, countedArrivals, joinParties } from "./words.ts";

export interface VerdictInput extends Known {
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly endedBy: EndedBy;
  readonly instances?: readonly ResultInstance[];
  readonly links?: readonly ResultLink[];
}

/** The reasons why a run failed, most telling first; empty when it passed. */
export function verdictReasons(input: VerdictInput): ResultReason[] {
  const reasons: ResultReason[] = [];
  if (input.error !== null) reasons.push(input.error);
  if (input.endedBy === "interrupt" && input.error === null) {
    reasons.push({ code: "INTERRUPTED", message: "the run was interrupted before it ended" });
  }
  for (const program of input.programs) {
    if (programPassed(program)) continue;
    reasons.push({ code: "PROGRAM", message: programSentence(program) });
  }
  for (const instance of input.instances ?? []) {
    if (!instanceFailed(instance)) continue;
    reasons.push({ code: "INSTANCE", message: instanceSentence(instance) });
  }
  for (const barrier of input.barriers) {
    if (barrierPassed(barrier)) continue;
    reasons.push({ code: "BARRIER", message: barrierSentence(barrier, input) });
  }
  for (const { name, from, to, verdict, why = [] } of input.links ?? []) {
    if (verdict !== "bad") continue;
    const message = `the link ${name} from ${from} to ${to} is not as asked for: ${why.join("; ")}`;
    reasons.push({ code: "LINK", message });
  }
  if (reasons.length === 0 && input.endedBy === "failure") {
    reasons.push({ code: "FAILED", message: "the run ended by a failure" });
  }
  return reasons;
}

/**
 * At most `max` of the reasons, in their order, with at least one of each code that occurs: who
 * reads of a hundred failed programs must still learn of the barrier.
 */
export function pickReasons(reasons: readonly ResultReason[], max: number): ResultReason[] {
  if (reasons.length <= max) return [...reasons];
  const firsts = [...new Map([...reasons].reverse().map((one) => [one.code, one])).values()];
  const picked = new Set(firsts.reverse().slice(0, max));
  for (const reason of reasons) {
    if (picked.size >= max) break;
    picked.add(reason);
  }
  return reasons.filter((reason) => picked.has(reason));
}

/** V1. A stopped program passes whatever its status: somebody else decided when it ends. */
export function programPassed(
  program: Pick<ResultProgram, "startError" | "stopped" | "exitCode" | "expectedExitCode">,
): boolean {
  if (program.startError !== null) return false;
  return program.stopped || program.exitCode === program.expectedExitCode;
}

/** V2. */
export function barrierPassed(barrier: Pick<ResultBarrier, "outcome" | "isOptional">): boolean {
  return barrier.outcome === "crossed" || barrier.isOptional === true;
}

/** How a program ended, e.g. `exited with 1, expected 0`. */
export function programEnding(program: ResultProgram): string {
  const { startError, endedUs, exitCode, expectedExitCode, signal, timedOut, stopped } = program;
  if (startError !== null) return `could not be started: ${startError}`;
  if (endedUs === null) return "had not ended when the run did";
  if (timedOut) return `ran out of its time and was ended${signal ? ` by ${signal}` : ""}`;
  if (stopped) return "was stopped";
  if (signal !== null) return `was ended by ${signal}, expected exit code ${expectedExitCode}`;
  if (exitCode === expectedExitCode) return `exited with ${exitCode}`;
  return `exited with ${exitCode ?? "no code"}, expected ${expectedExitCode}`;
}

function programSentence(program: ResultProgram): string {
  return `program ${program.name} on ${program.node} ${programEnding(program)}`;
}

/** What became of a barrier that was not crossed, who is missing (B10), and why if it is known. */
export function barrierSentence(barrier: ResultBarrier, known?: Known): string {
  const { name, outcome, givenUp, arrived, expected, missing } = barrier;
  const how = {
    crossed: "was crossed",
    failed: "failed",
    timeout: "timed out",
    cancelled: givenUp ? "was given up" : "was cancelled",
  }[outcome];
  const counted = countedArrivals(barrier.participants);
  const parties = new Set(counted.map((party) => arrivedName(barrier.kind, party)));
  const names = parties.size === 0 ? "" : ` (${joinParties([...parties])})`;
  const came = givenUp ? "came" : "arrived";
  const count =
    expected > 0
      ? `${arrived} of ${expected} ${came}${names}`
      : `${arrived} ${came}${names}, nobody said how many`;
  if (missing.length === 0) return `barrier ${name} ${how}: ${count}`;
  const absence = known === undefined ? "" : describeAbsence(barrier, known);
  const why = absence === "" ? "" : ` (${absence})`;
  return `barrier ${name} ${how}: ${count}; missing: ${joinParties(missing)}${why}`;
}
