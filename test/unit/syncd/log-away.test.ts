// SPDX-License-Identifier: MIT
// Goal: D10 at the sync server. Its clients cannot be told that the log takes nothing: they keep
// their connections, are answered when it is back, and are closed, and uncounted, when it is away
// for longer than `logAwayMs`. Method: the server on a host whose log fails when the test says so,
// under a clock that goes twenty times as fast.
import { afterEach, describe, expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import { type EdgeTime, edgeTime } from "../../../src/edges/edge-time.ts";
import { Syncd } from "../../../src/edges/syncd/index.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import { encodeRequest } from "../../../src/wire/emulab-sync/index.ts";
import { dial, fastClock, init, Lines, until, v2, wait } from "./harness.ts";

const clock = fastClock(20);
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(time: Partial<EdgeTime> = {}) {
  const inner = new MemoryLog({ nowUs: clock.nowUs });
  const random = new Random(1);
  const log = new DelayingLog({ inner, clock, random, faults: {} });
  const limits = resolveLimits();
  const host = new Host({ log, clock, limits, logger: silentLogger });
  await host.start();
  const lines = new Lines();
  const syncd = new Syncd({
    ...{ scope: "s", edge: "e", connect: host.connectEdge, clock, logger: lines },
    ...{ addresses: ["127.0.0.1"], port: 0, limits, time: { ...edgeTime, ...time } },
  });
  const port = await syncd.listen();
  closers.push(
    () => host.close(),
    () => syncd.close(),
  );
  const ask = async (request: Parameters<typeof encodeRequest>[0]) => {
    const client = await dial(port);
    client.stream.write(encodeRequest(request, v2));
    return client;
  };
  return { host, log, lines, ask };
}

describe("D10 a sync server whose log takes nothing", () => {
  it("keeps its clients and answers them when the log is back", async () => {
    const { host, log, lines, ask } = await start();
    const waiter = await ask(wait());
    await until(() => host.figures().waiters === 1, "it waits");
    log.trouble({ definiteFailure: 1 });
    const master = await ask(init(1));
    await until(() => lines.count("the log takes nothing") === 1, "away");
    log.calm();
    expect(await Promise.all([waiter.value(), master.value()])).toEqual([0, 0]);
    expect(lines.count("the log is back")).toBe(1);
  });

  it("closes them after logAwayMs, and they count no more when it is back", async () => {
    const { host, log, lines, ask } = await start({ logAwayMs: 1_000 });
    const waiter = await ask(wait());
    await until(() => host.figures().waiters === 1, "it waits");
    log.trouble({ definiteFailure: 1 });
    const other = await ask(wait());
    const ends = await Promise.all([waiter.heard, other.heard]);
    expect(ends.map(({ bytes }) => bytes.length)).toEqual([0, 0]);
    expect(lines.count("away for too long")).toBe(1);
    log.calm();
    await until(() => host.figures().waiters === 0 && !host.isLogAway, "they left");
    const again = await Promise.all([ask(wait()), ask(init(1))]);
    expect(await Promise.all(again.map((client) => client.value()))).toEqual([0, 0]);
  });
});
