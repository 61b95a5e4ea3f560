// SPDX-License-Identifier: MIT
// Goal: what is said of a member that has ended is true whether it had come or not.
// Method: a real host on a memory log, with a clock moved by hand; a roster of the file, the member
// that comes by the door of its node, and the end of its program told by hand.
import { expect, it } from "vitest";
import type { BarrierClosed } from "../../../src/core/effect.ts";
import { defaultLimits } from "../../../src/core/limits.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import type { BarrierDeclaration } from "../../../src/experiment/model.ts";
import { Host } from "../../../src/host/host.ts";
import { RunConditions } from "../../../src/testbed/run-conditions.ts";
import type { ProgramEnded } from "../../../src/testbed/run-event.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { makeExperiment, planned } from "../record/synthetic-run.ts";
import { settle } from "./fake-backend.ts";

const scope = "demo/five";
const at = { file: "demo.yaml", line: 1, column: 1 };
const ready: BarrierDeclaration = {
  ...{ name: "ready", rule: { kind: "roster" }, members: ["p", "b"] },
  ...{ deadlineUs: 0, onFailure: "fail", at },
};
const experiment = makeExperiment({
  nodes: ["a", "b"].map((name) => ({ name, at })) as never,
  programs: [{ name: "p", node: "a", command: "emulab-sync -n ready", at }] as never,
  events: [planned(0, 0, "p")],
  barriers: [ready],
});

/** What the barrier ended with, when p came, left, and ended in this way. */
async function closedBy(part: Partial<ProgramEnded>): Promise<BarrierClosed | undefined> {
  const clock = new FakeClock();
  const log = new MemoryLog({ nowUs: () => clock.nowUs() });
  const logger = { log: () => undefined };
  const host = new Host({ log, clock, limits: defaultLimits, logger, steadyTicks: true });
  const to = async (us: number): Promise<void> => {
    for (let now = clock.nowUs(); ; now = Math.min(us, now + 100_000)) {
      clock.advanceTo(now);
      clock.endTurn();
      await settle();
      if (now === us) return;
    }
  };
  const requests = { mark: async () => undefined, tellBarrier: async () => undefined } as never;
  const conditions = new RunConditions({
    ...{ experiment, scope, host, requests, run: { clock, logger } },
    onFailure: ({ message }) => expect.unreachable(message),
    onTold: () => undefined,
  });
  let closed: BarrierClosed | undefined;
  await host.start();
  host.observe((_entry, { observed }) => {
    for (const effect of observed) if (effect.kind === "barrier-closed") closed = effect;
  });
  conditions.open();
  const link = host.connectEdge("door", { onEffects: () => undefined });
  link.submit({ kind: "open-scope", scope, nodes: ["a", "b"] });
  await to(200_000);
  const who = { address: "127.0.0.1:1/tcp", node: "a", name: "p" };
  link.submit({ kind: "roster-arrive", scope, barrier: "ready", connection: 1, who, error: 0 });
  await to(400_000);
  link.submit({ kind: "leave", connection: 1 });
  await to(600_000);
  const ended: ProgramEnded = {
    ...{ type: "program-ended", name: "p", node: "a", command: "", startedUs: 0, exitCode: 0 },
    ...{ expectedExitCode: 0, signal: null, timedOut: false, stopped: false, startError: null },
    stderrTail: "",
    ...part,
  };
  conditions.programEnded(ended);
  await to(2_000_000);
  return closed;
}

it.each([
  ["was stopped", { stopped: true, exitCode: null, signal: "SIGTERM" }],
  ["ended before the barrier was crossed", {}],
])("a member that came, left and %s is not said never to have come", async (reason, part) => {
  const closed = await closedBy(part);
  expect(closed).toMatchObject({ outcome: "failed", missing: [`p (dead: ${reason})`, "b"] });
  expect(closed?.participants).toMatchObject([{ who: { name: "p" }, left: true }]);
});
