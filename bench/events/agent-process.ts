// SPDX-License-Identifier: MIT
// A process of its own: as an agent at the bus of a run, which notes by its own clock when it
// obeyed, or as the barest thread, which notes when it woke. What it noted goes to its parent.
import { Worker } from "node:worker_threads";
import { connectEventBus } from "../../src/cli/event-bus.ts";
import { createCredentials } from "../../src/client/event-credentials.ts";
import { BusAgent } from "../../src/events/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { readClockName } from "../../src/host/clock-name.ts";
import { eventHash } from "../../src/host/event-hash.ts";
import { newNonce } from "../../src/host/ids.ts";
import { ThreadFireClock } from "../../src/testbed/agents/firing/thread-fire-clock.ts";
import { experiment } from "./event-run.ts";
import type { FloorData } from "./floor-thread.ts";

export type ToAgent =
  | { readonly kind: "attach"; readonly name: string; readonly url: string; readonly key: string }
  | ({ readonly kind: "floor" } & Omit<FloorData, "descriptor">)
  | { readonly kind: "take" }
  | { readonly kind: "end" };

export interface Noted {
  readonly dueUs: number;
  readonly lateUs: number;
}

export type FromAgent =
  | { readonly kind: "ready" }
  | { readonly kind: "noted"; readonly noted: readonly Noted[]; readonly cpuUs: number };

let noted: Noted[] = [];
let agent: BusAgent | undefined;
let lastCpuUs = 0;

async function attach(name: string, url: string, key: string): Promise<void> {
  const credentials = createCredentials({
    ...{ experiment, key: new TextEncoder().encode(key), hash: eventHash, randomBytes: newNonce },
    wallUs: () => BigInt(systemClock.wallMs()) * 1_000n,
  });
  if (typeof credentials === "string") throw new Error(credentials);
  agent = await BusAgent.open({
    ...{ name: `agent-${name}`, experiment, objects: [name], credentials },
    bus: await connectEventBus(url, 64),
    ...{ sender: "127.0.0.1", clock: systemClock, clockName: readClockName() },
    fire: new ThreadFireClock(systemClock),
    perform: async ({ due }) => {
      const firedMonotonicUs = systemClock.nowUs();
      const dueUs = due.monotonic?.us ?? 0;
      noted.push({ dueUs, lateUs: firedMonotonicUs - dueUs });
      return { firedMonotonicUs, outcome: "done", done: Promise.resolve(0) };
    },
    onWarning: (text) => process.stderr.write(`bench: ${name}: ${text}\n`),
  });
}

async function floor({ firstUs, stepUs, count }: Omit<FloorData, "descriptor">): Promise<void> {
  const workerData: FloorData = { descriptor: 2, firstUs, stepUs, count, isSilent: true };
  const thread = new Worker(new URL("./floor-thread.ts", import.meta.url), { workerData });
  const lateUs = await new Promise<number[]>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  noted = lateUs.map((late, index) => ({ dueUs: firstUs + index * stepUs, lateUs: late }));
}

function say(message: FromAgent): void {
  process.send?.(message);
}

async function obey(message: ToAgent): Promise<void> {
  switch (message.kind) {
    case "attach":
      await attach(message.name, message.url, message.key);
      say({ kind: "ready" });
      return;
    case "floor":
      await floor(message);
      say({ kind: "ready" });
      return;
    case "take": {
      const { user, system } = process.cpuUsage();
      say({ kind: "noted", noted, cpuUs: user + system - lastCpuUs });
      lastCpuUs = user + system;
      noted = [];
      return;
    }
    case "end":
      await agent?.close();
      process.exit(0);
  }
}

process.on("message", (message) => void obey(message as ToAgent));
process.on("disconnect", () => process.exit(0));
