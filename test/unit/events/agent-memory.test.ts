// SPDX-License-Identifier: MIT
// Goal: an agent that has performed many orders has not kept them. Method: the heap before and
// after some thousand, when all that can be let go is; a bus that keeps the last few only.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { createCredentials } from "../../../src/client/event-credentials.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { BusAgent } from "../../../src/events/bus-agent.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { eventHash } from "../../../src/host/event-hash.ts";
import { newNonce } from "../../../src/host/ids.ts";
import { TimerFireClock } from "../../../src/testbed/agents/firing/fire-clock.ts";
import { formatOrder } from "../../../src/wire/event/orders.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const experiment = "p/e";
const sender = "192.0.2.1";
const clock = systemClock;
const limits = resolveBusLimits({ ringNotificationsMax: 256, queueNotificationsMax: 256 });
const bus = new MemoryBus({ epoch: "e", limits });

function credentials() {
  const made = createCredentials({
    ...{ experiment, key: new TextEncoder().encode("k".repeat(32)), hash: eventHash },
    ...{ randomBytes: newNonce, wallUs: () => BigInt(clock.wallMs()) * 1_000n },
  });
  if (typeof made === "string") throw new Error(made);
  return made;
}

/** Resolves when the agent has performed all of them. */
async function give(first: number, count: number, performed: () => number): Promise<void> {
  const { sign } = credentials();
  for (let fire = first; fire < first + count; fire += 1) {
    const order = {
      ...{ fire, token: fire, objtype: "PROGRAM", objname: "a", eventtype: "RUN", args: "" },
      due: { wallUs: 0, monotonic: { us: clock.nowUs(), clock: "machine" } },
      skipAfterUs: undefined,
    };
    await bus.publish(sign(formatOrder(order, "*", { experiment, sender })));
    while (performed() < fire) await new Promise((resolve) => setImmediate(resolve));
  }
}

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

it("an order that is over takes less than a kilobyte", async () => {
  let performed = 0;
  const agent = await BusAgent.open({
    ...{ name: "n", experiment, objects: ["a"], bus, sender, clock, clockName: "machine" },
    credentials: credentials(),
    fire: new TimerFireClock(clock),
    perform: async () => {
      performed += 1;
      return { firedMonotonicUs: clock.nowUs(), outcome: "done", done: Promise.resolve(0) };
    },
    onWarning: () => undefined,
  });
  await give(1, 1_000, () => performed);
  await agent.settle();
  const beforeBytes = heapBytes();
  await give(1_001, 4_000, () => performed);
  await agent.settle();
  expect((heapBytes() - beforeBytes) / 4_000).toBeLessThan(1_024);
  await agent.close();
});
