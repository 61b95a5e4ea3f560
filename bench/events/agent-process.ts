// SPDX-License-Identifier: MIT
// A process of its own: as an agent at the bus of a run, which notes by its own clock when it
// obeyed, or as the barest thread, which notes when it woke. What it noted goes to its parent.
import { openSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { connectEventBus } from "../../src/cli/event-bus.ts";
import { createCredentials } from "../../src/client/event-credentials.ts";
import { eventsLimits } from "../../src/events/events-limits.ts";
import { BusAgent, type Performed } from "../../src/events/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { readClockName } from "../../src/host/clock-name.ts";
import { eventHash } from "../../src/host/event-hash.ts";
import { newNonce } from "../../src/host/ids.ts";
import { ThreadFireClock } from "../../src/testbed/agents/firing/thread-fire-clock.ts";
import { experiment, toldName } from "./event-run.ts";
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

/** What a thread lets go; a program would be at its other end. */
const descriptor = openSync("/dev/null", "w");
const fire = new ThreadFireClock(systemClock);
let noted: Noted[] = [];
let agent: BusAgent | undefined;
let lastCpuUs = 0;

function note(dueUs: number, firedMonotonicUs: number): Performed {
  noted.push({ dueUs, lateUs: firedMonotonicUs - dueUs });
  return { firedMonotonicUs, outcome: "done", done: Promise.resolve(0) };
}

async function attach(name: string, url: string, key: string): Promise<void> {
  const credentials = createCredentials({
    ...{ experiment, key: new TextEncoder().encode(key), hash: eventHash, randomBytes: newNonce },
    wallUs: () => BigInt(systemClock.wallMs()) * 1_000n,
  });
  if (typeof credentials === "string") throw new Error(credentials);
  agent = await BusAgent.open({
    ...{ name: `agent-${name}`, experiment, objects: [name, toldName(name)], credentials },
    bus: await connectEventBus(url, eventsLimits.publicationsAtOnceMax),
    ...{ sender: "127.0.0.1", clock: systemClock, clockName: readClockName() },
    fire,
    perform: async ({ due }) => note(due.monotonic?.us ?? 0, systemClock.nowUs()),
    arm: ({ objname }, dueUs) => {
      if (objname !== name) return undefined;
      const performed = Promise.withResolvers<Performed>();
      const write = { kind: "write", descriptor, text: "." } as const;
      const takeBack = fire.at(dueUs, write, ({ firedUs }) =>
        performed.resolve(note(dueUs, firedUs)),
      );
      return { performed: performed.promise, takeBack };
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
