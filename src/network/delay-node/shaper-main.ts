// SPDX-License-Identifier: MIT
// The process of the delay node: passes orders of Muster to its threads, and what they say back.
// Lives in a network namespace of its own; when Muster is gone its input ends, and so does it.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../host/clock.ts";
import { networkLimits, networkTimes } from "../network-limits.ts";
import type {
  Pace,
  Priority,
  ShaperRequest,
  ShaperSays,
  ShaperThreadData,
} from "./shaper-messages.ts";

const program = import.meta.url.endsWith(".ts") ? "./shaper-thread.ts" : "./shaper-thread.js";

function say(what: ShaperSays): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

function startThread(data: ShaperThreadData): Worker {
  const worker = new Worker(new URL(program, import.meta.url), { workerData: data, execArgv: [] });
  worker.on("message", say);
  // One thread less means links that carry nothing: the whole process ends, and says why.
  worker.on("error", (error) => {
    process.stderr.write(`thread ${data.thread}: ${error.stack ?? error.message}\n`);
    process.exit(70);
  });
  worker.on("exit", () => process.exit(70));
  return worker;
}

/** What the sockets of this namespace had to drop, as the kernel counts. */
function readDrops(): number {
  let table: string;
  try {
    table = readFileSync("/proc/self/net/udp", "utf8");
  } catch {
    // The processes that are seen here need not be those of the namespace this one is in.
    return 0;
  }
  const [, ...lines] = table.trim().split("\n");
  return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/).at(-1) ?? 0), 0);
}

function watchDrops(told: number): void {
  const dropped = readDrops();
  if (dropped !== told) say({ kind: "drops", dropped });
  systemClock.after(networkTimes.reportMs, () => watchDrops(dropped));
}

const [threadsText = "1", pace = "nap", priority = "usual"] = process.argv.slice(2);
const threadCount = Math.min(Number(threadsText), networkLimits.delayNodeThreadsMax);
const threads = Array.from({ length: threadCount }, (_, thread) =>
  startThread({ thread, pace: pace as Pace }),
);
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const request = JSON.parse(line) as ShaperRequest;
  threads[request.thread]?.postMessage(request);
});
lines.on("close", () => process.exit(0));
watchDrops(0);
say({ kind: "ready", priority: priority as Priority });
