// SPDX-License-Identifier: MIT
// What tests of a linktest's end have in common: a link whose probes go on for long by themselves,
// how to see them, and how soon they have to be gone.
import { join } from "node:path";
import { expect } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";
import type { ProbeOrder } from "../../../src/testbed/linktest/probe-order.ts";
import { findEntrances } from "../../../src/testbed/nodes/entrances.ts";
import { markedProcesses } from "../../../src/testbed/nodes/marked-processes.ts";
import { until } from "./command.ts";
import { readText } from "./experiment.ts";

/** Of a link `l`: a small loss takes many packets, so that its probes go on for `longProbesMs`. */
export const longProbes = "tb-set-link-loss $l 0.001";
export const longProbesMs = 45_000;
/**
 * A second is promised, from the order on: by the record, where that has both, ten of them are left
 * to a busy machine; where a command has to start before, a third of what probes go on for.
 */
const endMs = 10_000;
const commandEndMs = longProbesMs / 3;

/** By directory: what tells it goes with the run, and its probes must be found behind it. */
const runIds = new Map<string, string>();

/** The record has it from time 0 on. `""` before anything has. */
function runIdOf(directory: string): string {
  const recorded = /"runId":"(\w+)"/.exec(readText(join(directory, "record.ndjson")))?.[1];
  const living = (): string | undefined =>
    findEntrances().find(({ out }) => out === directory)?.runId;
  const runId = runIds.get(directory) ?? recorded ?? living() ?? "";
  if (runId !== "") runIds.set(directory, runId);
  return runId;
}

/** Processes of a run, wherever they are, that are this program. */
export function processesOf(directory: string, program: string): readonly number[] {
  const runId = runIdOf(directory);
  if (runId === "") return [];
  const isMeant = (pid: number): boolean => readText(`/proc/${pid}/cmdline`).includes(program);
  return markedProcesses(runId).filter(isMeant);
}

function probesOf(directory: string): number {
  expect(runIdOf(directory)).not.toBe("");
  return processesOf(directory, "probe-main").length;
}

/** Waits until both ends of the link have one that goes on for so long. */
export function untilLongProbes(what: string, directory: string): Promise<void> {
  const lasts = (pid: number): boolean => {
    const order = readText(`/proc/${pid}/cmdline`)
      .split("\0")
      .find((word) => word.startsWith("{"));
    const { steps } = JSON.parse(order ?? '{"steps":[]}') as Pick<ProbeOrder, "steps">;
    const sendMs = steps.map(
      ({ send }) => ((send?.packets ?? 0) * (send?.intervalUs ?? 0)) / 1_000,
    );
    return sendMs.reduce((sum, ms) => sum + ms, 0) >= longProbesMs;
  };
  return until(what, () => processesOf(directory, "probe-main").filter(lasts).length === 2);
}

/** Gives the order, and wants every probe gone long before its own end. */
export async function expectProbesEnd<T>(
  how: string,
  directory: string,
  order: () => T,
): Promise<Awaited<T>> {
  const orderedUs = systemClock.nowUs();
  const ordered = order();
  await until(`no probe after ${how}`, () => probesOf(directory) === 0);
  const tookMs = (systemClock.nowUs() - orderedUs) / 1_000;
  expect(tookMs, how).toBeLessThan(commandEndMs);
  return await ordered;
}

/** By the record of the run, when it has `count` of them: from the last order to its test's end. */
export async function expectRecordedEnd(
  how: string,
  directory: string,
  count: number,
): Promise<void> {
  await until(`the record of ${how}`, () => endedAfterMs(directory).length === count);
  expect(endedAfterMs(directory).at(-1), how).toBeLessThan(endMs);
}

/** How long it took in the run from the order to end a test to its end, each. */
function endedAfterMs(directory: string): readonly number[] {
  const lines = readText(join(directory, "record.ndjson")).trim().split("\n");
  const events = lines.flatMap((line) => (line.endsWith("}") ? [JSON.parse(line)] : []));
  const orders = events.filter(({ type, event }) => type === "event-fired" && event === "KILL");
  const ends = events.filter(({ type, isCancelled }) => type === "links-tested" && isCancelled);
  return orders.map(({ firedUs }, at) => (ends[at].atUs - firedUs) / 1_000);
}
