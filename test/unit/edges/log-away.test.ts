// SPDX-License-Identifier: MIT
// Goal: D10 at the doors of GNUnet and Testground. While the log takes nothing nobody is answered
// and nobody is cut; who waited is answered when it is back; after `logAwayMs` all are closed
// without an outcome, and what they had asked for counts no more. Method: both doors on one host
// whose log refuses when the test says so, under a clock that goes twenty times as fast. The sync
// server's door is in syncd/log-away.test.ts.
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import { GnunetController } from "../../../src/edges/gnunet/index.ts";
import { gnunetTime } from "../../../src/edges/gnunet-time.ts";
import { Testground } from "../../../src/edges/testground/index.ts";
import { testgroundTime } from "../../../src/edges/testground-time.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { MemoryPayloads } from "../../../src/engine/payloads.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import { hello, init, TestParty, wait } from "../gnunet/harness.ts";
import { fastClock, Lines, until } from "../syncd/harness.ts";
import { TestClient } from "../testground/harness.ts";

const clock = fastClock(20);

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** @param logAwayMs milliseconds of that clock. */
async function start(logAwayMs: number) {
  const inner = new MemoryLog({ nowUs: clock.nowUs });
  const log = new DelayingLog({ inner, clock, random: new Random(1), faults: {} });
  const limits = resolveLimits();
  const payloads = new MemoryPayloads();
  const host = new Host({ log, payloads, clock, limits, logger: silentLogger });
  await host.start();
  closers.push(() => host.close());
  const lines = new Lines();
  const common = { scope: "s", connect: host.connectEdge, clock, logger: lines, limits };
  const controller = new GnunetController({
    ...{ ...common, edge: "gnunet", peers: 1, time: { ...gnunetTime, logAwayMs } },
  });
  const folder = mkdtempSync(join(tmpdir(), "muster-away-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  const paths = { testbed: join(folder, "t"), "testbed-barrier": join(folder, "b") };
  for (const service of ["testbed", "testbed-barrier"] as const) {
    await controller.listen(service, { kind: "unix", path: paths[service] });
  }
  closers.push(() => controller.close());
  const testground = new Testground({
    ...{ ...common, edge: "testground", topics: host.topics, addresses: ["127.0.0.1"], port: 0 },
    time: { ...testgroundTime, logAwayMs },
  });
  const port = await testground.listen();
  closers.push(() => testground.close());
  return {
    ...{ host, log, lines },
    dial: (service: keyof typeof paths) => new TestParty(connect({ path: paths[service] })),
    openClient: () => TestClient.open(port),
  };
}

/** A driver with an open barrier, and clients of a state; `waiters` wait. */
async function busy(logAwayMs: number) {
  const world = await start(logAwayMs);
  const { host, dial } = world;
  const driver = dial("testbed");
  driver.send(hello, init("b", 100));
  await until(() => driver.heard.length === 1, "initialised");
  const client = await world.openClient();
  client.ask("1", { kind: "barrier", state: "run:r:go", target: 1 });
  await until(() => host.figures().waiters === 1, "it waits");
  return { ...world, driver, client };
}

describe("D10 doors whose log takes nothing", () => {
  it("keep their clients, and answer them when the log is back", async () => {
    const { host, log, lines, dial, driver, client } = await busy(1_000_000);
    log.trouble({ definiteFailure: 1 });
    const peer = dial("testbed-barrier");
    peer.send(wait("b"));
    client.ask("2", { kind: "signal", state: "run:r:go" });
    await until(() => lines.count("the log takes nothing") === 2, "away");
    expect([driver.heard.length, peer.heard.length, client.got]).toEqual([1, 0, []]);
    log.calm();
    await until(() => driver.heard.length === 2, "crossed");
    expect(driver.heard[1]).toMatchObject({ kind: "barrier-status", status: "crossed" });
    expect(await client.answer("2")).toMatchObject({ kind: "signalled", sequence: 1 });
    expect(await client.answer("1")).toMatchObject({ kind: "done" });
    expect([lines.count("the log is back"), host.isLogAway]).toEqual([2, false]);
    expect([driver.isClosed, peer.isClosed]).toEqual([false, false]);
  });

  it("close them after logAwayMs with no outcome, those who came later, too", async () => {
    const { host, log, lines, dial, driver, client, openClient } = await busy(2_000);
    log.trouble({ definiteFailure: 1 });
    const peer = dial("testbed-barrier");
    peer.send(wait("b"));
    client.ask("2", { kind: "signal", state: "run:r:go" });
    await until(() => driver.isClosed && peer.isClosed, "closed");
    expect([driver.heard.length, peer.heard.length]).toEqual([1, 0]);
    expect(await client.ended).toEqual({ code: 1013, reason: "the log is away" });
    expect(client.got).toEqual([]);
    const late = dial("testbed-barrier");
    late.send(wait("b"));
    await until(() => late.isClosed, "closed as well");
    expect(late.heard).toEqual([]);
    expect(lines.count("away for too long")).toBeGreaterThanOrEqual(3);
    log.calm();
    await until(() => host.figures().waiters === 0 && !host.isLogAway, "they left");
    // What was said counts all the same; who waits and who drives is gone.
    const another = await openClient();
    another.ask("3", { kind: "signal", state: "run:r:go" });
    expect(await another.answer("3")).toMatchObject({ kind: "signalled", sequence: 2 });
    const next = dial("testbed");
    next.send(hello, init("b", 100));
    await until(() => next.heard.length === 1, "a new barrier");
    expect(next.heard[0]).toMatchObject({ status: "initialised" });
  });
});
