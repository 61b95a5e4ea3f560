// SPDX-License-Identifier: MIT
// The process of a probe: one argument, its order; meets the others, plays, prints its answer.
// Exit status: 0 answered, 1 it could not, with a sentence on standard error.
import { synchronize } from "../../client/emulab-sync.ts";
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import { Probe } from "./probe.ts";
import type { ProbeAnswer, ProbeMeeting, ProbeOrder } from "./probe-order.ts";

/** @returns why nobody met; undefined when all did. */
async function meet(meeting: ProbeMeeting): Promise<string | undefined> {
  const { address, port, barrier: name, others, timeoutMs } = meeting;
  const { nowUs, after } = systemClock;
  const outcome = await synchronize({
    ...{ address, port, transport: "tcp", timeoutMs, waitForServerMs: timeoutMs },
    runtime: { nowUs, after, randomBytes: (count) => new Uint8Array(count) },
    request:
      others === undefined
        ? { kind: "wait", name, error: 0 }
        : { kind: "init", name, count: others, waits: true, error: 0 },
  });
  if (outcome.kind === "answered" && outcome.value === 0) return undefined;
  return `the other probes were not met at barrier ${name}: ${outcome.kind}`;
}

async function main(text: string): Promise<string | undefined> {
  const order = JSON.parse(text) as ProbeOrder;
  const probe = await Probe.open(order, systemClock);
  try {
    const why = await meet(order.meeting);
    if (why !== undefined) return why;
    const answer: ProbeAnswer = { steps: await probe.play() };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    return undefined;
  } finally {
    probe.close();
  }
}

try {
  const why = await main(process.argv[2] ?? "");
  if (why !== undefined) {
    process.stderr.write(`${why}\n`);
    process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`${errorText(error)}\n`);
  process.exitCode = 1;
}
