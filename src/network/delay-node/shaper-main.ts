// SPDX-License-Identifier: MIT
// The process of the delay node: passes orders of Muster to its threads, and what they say back.
// Lives in a network namespace of its own; when Muster is gone its input ends, and so does it.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../host/clock.ts";
import { readAllSocketDrops } from "../../host/kernel-drops.ts";
import { networkLimits, networkTimes } from "../network-limits.ts";
import { RunTraces } from "./run-traces.ts";
import type {
  Pace,
  ShaperRequest,
  ShaperSays,
  ShaperThreadData,
  ThreadSays,
} from "./shaper-messages.ts";

const program = import.meta.url.endsWith(".ts") ? "./shaper-thread.ts" : "./shaper-thread.js";

function say(what: ShaperSays): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

function startThread(data: ShaperThreadData): Worker {
  const worker = new Worker(new URL(program, import.meta.url), { workerData: data, execArgv: [] });
  worker.once("message", () => {
    startedCount += 1;
    if (startedCount === threadCount) preferThreads();
  });
  worker.on("message", (said: ThreadSays) => traces.hear(said));
  // One thread less means links that carry nothing: the whole process ends, and says why.
  worker.on("error", (error) => {
    process.stderr.write(`thread ${data.thread}: ${error.stack ?? error.message}\n`);
    process.exit(70);
  });
  worker.on("exit", () => process.exit(70));
  return worker;
}

/**
 * Real-time priority where we may have it: on a busy machine packets are then late by tenths of a
 * millisecond instead of tens. (Niceness does not help where the kernel groups by session.) Only
 * for threads that have started: those of V8 wait for each other by spinning while they start, and
 * would stop the machine. And only when a processor is left for everybody else.
 */
function preferThreads(): void {
  if (threadCount >= availableParallelism()) return;
  let tasks: readonly string[];
  try {
    tasks = readdirSync("/proc/self/task").filter((task) =>
      readFileSync(`/proc/self/task/${task}/comm`, "utf8").startsWith("Worker"),
    );
  } catch {
    // The processes that are seen here need not be those of the namespace this one is in.
    return;
  }
  const script = 'for task; do chrt -r -p 20 "$task" || exit 1; done';
  execFile("sh", ["-c", script, "sh", ...tasks], (error) => {
    if (error === null) say({ kind: "priority", priority: "real-time" });
  });
}

function watchDrops(told: number): void {
  const dropped = readAllSocketDrops();
  if (dropped !== told) say({ kind: "drops", dropped });
  systemClock.after(networkTimes.reportMs, () => watchDrops(dropped));
}

const [threadsText = "1", pace = "nap"] = process.argv.slice(2);
const threadCount = Math.min(Number(threadsText), networkLimits.delayNodeThreadsMax);
const wallOffsetUs = systemClock.wallMs() * 1_000 - systemClock.nowUs();
let startedCount = 0;
const traces = new RunTraces({
  say,
  send: (request) => threads[request.thread]?.postMessage(request),
});
const threads = Array.from({ length: threadCount }, (_, thread) =>
  startThread({ thread, pace: pace as Pace, wallOffsetUs }),
);
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  traces.pass(JSON.parse(line) as ShaperRequest);
});
lines.on("close", () => process.exit(0));
watchDrops(0);
say({ kind: "ready" });
