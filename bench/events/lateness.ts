// SPDX-License-Identifier: MIT
// How late events are received that go through agenda, log and bus: by the agent of a run, and by
// agents in processes of their own. The floor is the barest thread; what a program without a thread
// would do, timers of the event loop, is beside it.
import { closeSync, openSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { AgendaAgent, TimedEvent } from "../../src/core/agenda/commands.ts";
import { systemClock } from "../../src/host/clock.ts";
import { percentile } from "../statistics.ts";
import { type AgentProcesses, type Harvest, skews } from "./agent-processes.ts";
import { type EventRun, toldName } from "./event-run.ts";
import type { FloorData } from "./floor-thread.ts";

export interface LatenessFigures {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /** Of the process with scheduler, log and bus: processor time for a second of the rate. */
  readonly runCpuUs?: number;
  /** Of all agents together. */
  readonly agentsCpuUs?: number;
}

export interface Rate {
  readonly count: number;
  readonly stepUs: number;
}

/** Until a thread has started. */
const settleUs = 300_000;
export const processesCount = 5;

const agents = (names: readonly string[]): readonly AgendaAgent[] =>
  names.map((name) => ({ name, type: "PROGRAM", node: "n0" }));

const timed = (index: number, atUs: number, object: string): TimedEvent => ({
  ...{ atUs, event: { id: index + 1, object, type: "PROGRAM", event: "MODIFY", args: "TAG=x" } },
});

/** Of the agent in the process of the run, which does all the rest besides. */
export async function receivedInRun(run: EventRun, rate: Rate): Promise<LatenessFigures> {
  const { count, stepUs } = rate;
  const main = Array.from({ length: count }, (_none, at) => timed(at, at * stepUs, "p0"));
  const before = process.cpuUsage();
  const { fired } = await run.play({ agents: agents(["p0"]), main });
  const runCpuUs = perSecond(process.cpuUsage(before), rate);
  const lateUs = fired.filter(({ outcome }) => outcome === "done").map((one) => one.latenessUs);
  return { ...figuresOf(lateUs, count), runCpuUs };
}

/** Agents in processes of their own; each event is for the next of them. */
export async function receivedElsewhere(
  run: EventRun,
  processes: AgentProcesses,
  rate: Rate & { readonly how: How },
): Promise<LatenessFigures> {
  const { count, stepUs, how } = rate;
  const names = namesElsewhere(how);
  const main = Array.from({ length: count }, (_none, at) =>
    timed(at, at * stepUs, names[at % names.length] ?? ""),
  );
  await processes.take();
  const before = process.cpuUsage();
  await run.play({ agents: agents(names), main, isElsewhere: true });
  const runCpuUs = perSecond(process.cpuUsage(before), rate);
  const harvest = await processes.take();
  const lateUs = harvest.noted.flat().map((one) => one.lateUs);
  const agentsCpuUs = perSecond({ user: harvest.cpuUs, system: 0 }, rate);
  return { ...figuresOf(lateUs, count), runCpuUs, agentsCpuUs };
}

/** One event for a group whose members are in processes of their own, again and again. */
export async function skewOfOurs(
  run: EventRun,
  processes: AgentProcesses,
  { count, stepUs, how }: Rate & { readonly how: How },
): Promise<readonly number[]> {
  const names = namesElsewhere(how);
  const main = Array.from({ length: count }, (_none, at) => timed(at, at * stepUs, "all"));
  const groups = [{ name: "all", members: names }];
  await processes.take();
  await run.play({ agents: agents(names), main, groups, isElsewhere: true });
  return wholeSkews(await processes.take(), count);
}

export async function skewOfFloor(
  processes: AgentProcesses,
  { count, stepUs }: Rate,
): Promise<readonly number[]> {
  const firstUs = systemClock.nowUs() + settleUs;
  await processes.take();
  await processes.tell(() => ({ kind: "floor", firstUs, stepUs, count }));
  return wholeSkews(await processes.take(), count);
}

/** By the firing thread of an agent, which writes, or told to its event loop. */
export type How = "met" | "told";

export function namesElsewhere(how: How): readonly string[] {
  const names = Array.from({ length: processesCount }, (_none, index) => `a${index}`);
  return how === "met" ? names : names.map(toldName);
}

export async function latenessOfFloor({ count, stepUs }: Rate): Promise<LatenessFigures> {
  const descriptor = openSync("/dev/null", "w");
  const firstUs = systemClock.nowUs() + settleUs;
  const workerData: FloorData = { descriptor, firstUs, stepUs, count };
  const thread = new Worker(new URL("./floor-thread.ts", import.meta.url), { workerData });
  const lateUs = await new Promise<number[]>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  await thread.terminate();
  closeSync(descriptor);
  return figuresOf(lateUs, count);
}

export async function latenessOfTimers({ count, stepUs }: Rate): Promise<LatenessFigures> {
  const firstUs = systemClock.nowUs() + settleUs;
  const lateUs: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const dueUs = firstUs + index * stepUs;
    const waitMs = (dueUs - systemClock.nowUs()) / 1_000;
    // A timer that is armed for less than a whole millisecond waits for one.
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, Math.ceil(waitMs)));
    lateUs.push(systemClock.nowUs() - dueUs);
  }
  return figuresOf(lateUs, count);
}

/** Nothing may be missing: what did not come is no late event. */
function figuresOf(lateUs: readonly number[], count: number): LatenessFigures {
  if (lateUs.length !== count) throw new Error(`${lateUs.length} of ${count} events were received`);
  const [p50Us, p99Us, maxUs] = [50, 99, 100].map((percent) => percentile(lateUs, percent));
  return { p50Us: p50Us ?? 0, p99Us: p99Us ?? 0, maxUs: maxUs ?? 0 };
}

function wholeSkews(harvest: Harvest, count: number): readonly number[] {
  const all = skews(harvest);
  if (all.length !== count) throw new Error(`${all.length} of ${count} events came to everybody`);
  return all;
}

/** Processor time for the whole, brought to a second of the rate. */
function perSecond(usage: NodeJS.CpuUsage, { count, stepUs }: Rate): number {
  const seconds = Math.max(1, count * stepUs) / 1_000_000;
  return Math.round((usage.user + usage.system) / seconds);
}
