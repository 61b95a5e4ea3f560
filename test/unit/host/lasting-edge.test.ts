// SPDX-License-Identifier: MIT
// An edge that outlives its process, in a server that goes on after its own end (D5, V3). Method: a
// host of a shared log under virtual time; the log takes late what a process before it had sent.
import { expect, it } from "vitest";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { coreVersionMax } from "../../../src/core/version.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { Host } from "../../../src/host/host.ts";
import { connectLastingEdge } from "../../../src/host/local-link.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const second = 1_000_000;

it("is kept by a server that joins anew, for longer than its lease", async () => {
  const clock = new VirtualClock();
  const log = new MemoryLog({ nowUs: () => clock.nowUs() });
  const limits = resolveLimits({ edgeLeaseUs: 30 * second, edgeLeaseUsMax: 30 * second });
  let lives = 0;
  const host = new Host({
    ...{ log, limits, clock, logger: silentLogger, server: "a", steadyTicks: true },
    newIncarnation: () => {
      lives += 1;
      return lives;
    },
  });
  await host.start();
  const [effects, closed]: [EdgeEffect[], string[]] = [[], []];
  const handler = {
    onEffects: (some: readonly EdgeEffect[]) => effects.push(...some),
    onClosed: (reason: string) => closed.push(reason),
  };
  const link = connectLastingEdge(host, "scheduler", handler, {});
  await clock.pass(second);
  const [edge, incarnation] = ["server/a", 77];
  const life = { as: "server", leaseUs: 10 * second, offers: coreVersionMax, behind: 0 } as const;
  await log.append({
    ...{ format: 1, server: { edge, incarnation } },
    batches: [{ edge, incarnation, number: 1, commands: [{ kind: "attach", ...life }] }],
  });
  await clock.pass(second);
  expect(host.facts.placeOf(edge).incarnation).not.toBe(incarnation);
  await clock.pass(120 * second);
  expect(closed).toEqual([]);
  const wait = { connection: 1, who: { address: "a" }, error: 0 };
  link.submit({ kind: "count-wait", scope: "s", barrier: "b", ...wait });
  const init = { connection: 2, who: { address: "a" }, error: 0, count: 1, waits: false };
  link.submit({ kind: "count-init", scope: "s", barrier: "b", ...init });
  await clock.pass(second);
  expect(effects.some(({ kind }) => kind === "released")).toBe(true);
});
