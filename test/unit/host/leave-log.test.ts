// SPDX-License-Identifier: MIT
// Goal: the end of a host whose log takes nothing comes in a stated time, and not before it may be
// back. Method: a host in virtual time, on a log that refuses everything until it is calmed.
import { describe, expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { Host } from "../../../src/host/host.ts";
import { leaveLogInTime, logEndMs } from "../../../src/host/leave-log.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const limitUs = logEndMs * 1000;

/** A host with an edge that is being closed, while its log takes nothing. */
async function startEnd() {
  const clock = new VirtualClock();
  const inner = new MemoryLog({ nowUs: () => clock.nowUs() });
  const log = new DelayingLog({ inner, clock, random: new Random(1), faults: {} });
  const host = new Host({ log, clock, limits: resolveLimits({}), logger: silentLogger });
  const started = host.start();
  await clock.pass(1_000_000);
  await started;
  const link = host.connectEdge("e", { onEffects: () => undefined });
  await clock.pass(1_000);
  log.trouble({ definiteFailure: 1 });
  const closed = leaveLogInTime(host, clock);
  const seen = { isClosed: false };
  void link.close().then(() => {
    seen.isClosed = true;
  });
  return { clock, log, host, closed, seen };
}

describe("leaveLogInTime()", () => {
  it("leaves a log that takes nothing when the time is over, and not before", async () => {
    const { clock, host, closed, seen } = await startEnd();
    await clock.pass(limitUs - 1);
    expect([seen.isClosed, host.hasStopped]).toEqual([false, false]);
    await clock.pass(1);
    expect([seen.isClosed, host.hasStopped, closed()]).toEqual([true, true, true]);
  });

  it("does not leave a log that is back before that", async () => {
    const { clock, log, host, closed, seen } = await startEnd();
    await clock.pass(limitUs - 2_000_000);
    log.calm();
    await clock.pass(1_500_000);
    expect([seen.isClosed, closed()]).toEqual([true, false]);
    await clock.pass(2 * limitUs);
    expect(host.hasStopped).toBe(false);
    host.abandon();
  });

  it("waits no more for a host that has failed meanwhile, and does not blame its log", async () => {
    const { clock, host, closed, seen } = await startEnd();
    host.abandon();
    await clock.pass(limitUs);
    expect([seen.isClosed, closed()]).toEqual([true, false]);
  });
});
