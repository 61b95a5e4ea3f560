// SPDX-License-Identifier: MIT
// Goal: the GNUnet controller tells drivers and waiters what the core says, and nothing before it,
// on a plain log and on one that delays, fails and repeats; the faults of the old controller are
// absent (docs/internals/gnunet-faults.md). Method: the shipped controller on the real host,
// clients over real sockets. The library itself is in test/conformance/gnunet.test.ts.
import { afterEach, describe, expect, test } from "vitest";
import { type LogKind, logKinds, until } from "../syncd/harness.ts";
import {
  startController,
  type TestController,
  type TestControllerOptions,
} from "./controller-harness.ts";
import {
  cancel,
  createPeer,
  crossed,
  destroyPeer,
  hello,
  init,
  initialised,
  type TestParty,
  wait,
} from "./harness.ts";

const open: TestController[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function start(kind: LogKind, options: TestControllerOptions = {}): Promise<TestController> {
  const controller = await startController(kind, options);
  open.push(controller);
  return controller;
}

async function driverOf(server: TestController): Promise<TestParty> {
  const driver = await server.dial("testbed");
  driver.send(hello);
  await until(() => server.controller.counters.hasDriver, "the driver is known");
  return driver;
}

async function peers(server: TestController, count: number): Promise<readonly TestParty[]> {
  const parties: TestParty[] = [];
  for (let at = 0; at < count; at += 1) {
    const party = await server.dial("testbed-barrier");
    party.send(wait());
    parties.push(party);
  }
  return parties;
}

const heard = (party: TestParty, count: number): Promise<void> =>
  until(() => party.heard.length >= count, `${count} messages`);

describe.each(logKinds)("on the %s", (kind) => {
  test("nobody is told before the driver has echoed, then everybody once", async () => {
    const server = await start(kind, { peers: 3 });
    const driver = await driverOf(server);
    driver.send(init());
    await heard(driver, 1);
    const parties = await peers(server, 3);
    await heard(driver, 2);
    expect(driver.heard).toEqual([initialised(), crossed()]);
    for (const party of parties) expect(party.heard).toEqual([]);
    driver.send(crossed());
    for (const party of parties) {
      await heard(party, 1);
      expect(party.heard).toEqual([crossed()]);
      expect(party.isEnded).toBe(false);
    }
    expect(driver.heard).toHaveLength(2);
  });

  // Fault 5: late joiners were never answered.
  test("who comes after the release is answered at once, and the driver is not asked", async () => {
    const server = await start(kind, { peers: 2 });
    const driver = await driverOf(server);
    driver.send(init("b", 50));
    await heard(driver, 1);
    const [first] = await peers(server, 1);
    await heard(driver, 2);
    driver.send(crossed());
    if (first !== undefined) await heard(first, 1);
    const [late] = await peers(server, 1);
    if (late !== undefined) await heard(late, 1);
    expect(late?.heard).toEqual([crossed()]);
    expect(driver.heard).toHaveLength(2);
  });

  // Fault 6: a cancel was told to nobody.
  test("a cancel is told to who waits, and the connection is closed in order", async () => {
    const server = await start(kind, { peers: 2 });
    const driver = await driverOf(server);
    driver.send(init());
    await heard(driver, 1);
    const [waiter] = await peers(server, 1);
    await server.waiting(1);
    driver.send(cancel());
    await until(() => waiter?.isEnded === true, "the connection is closed");
    expect(waiter?.heard).toMatchObject([{ kind: "barrier-status", status: "error", name: "b" }]);
  });

  // Fault 7: a name was good for one barrier.
  test("a name may be used again, and the next barrier is another one", async () => {
    const server = await start(kind, { peers: 1 });
    const driver = await driverOf(server);
    for (let round = 1; round <= 3; round += 1) {
      driver.send(init());
      await heard(driver, 2 * round - 1);
      const [waiter] = await peers(server, 1);
      await heard(driver, 2 * round);
      driver.send(crossed());
      if (waiter !== undefined) await heard(waiter, 1);
    }
    expect(driver.heard.filter((message) => "status" in message)).toHaveLength(6);
  });

  // Fault 8: arrivals were never taken back, so that three in turn crossed a barrier of three.
  test("who leaves before the quorum is reached is not counted", async () => {
    const server = await start(kind, { peers: 3 });
    const driver = await driverOf(server);
    driver.send(init());
    await heard(driver, 1);
    for (let turn = 0; turn < 4; turn += 1) {
      const [waiter] = await peers(server, 1);
      await server.waiting(1);
      waiter?.stream.destroy();
      await server.waiting(0);
    }
    const parties = await peers(server, 2);
    await server.waiting(2);
    parties[0]?.send(wait("other"));
    await server.waiting(1);
    await peers(server, 1);
    await server.waiting(2);
    expect(driver.heard).toEqual([initialised()]);
    await peers(server, 1);
    await heard(driver, 2);
    expect(driver.heard[1]).toEqual(crossed());
  });

  // Fault 9: it was closed without a word.
  test("a name that nobody has opened is answered with an error, then the end", async () => {
    const server = await start(kind);
    const [waiter] = await peers(server, 1);
    await until(() => waiter?.isEnded === true, "the connection is closed");
    expect(waiter?.heard).toMatchObject([{ kind: "barrier-status", status: "error", name: "b" }]);
  });

  // Fault 10: a waiter that completed the quorum of a driver that was gone ended the service.
  test("a driver that is gone is told to who waits, and the controller goes on", async () => {
    const server = await start(kind, { peers: 2 });
    const driver = await driverOf(server);
    driver.send(init());
    await heard(driver, 1);
    const [waiter] = await peers(server, 1);
    await server.waiting(1);
    driver.stream.destroy();
    await until(() => waiter?.isEnded === true, "the connection is closed");
    expect(waiter?.heard).toMatchObject([{ status: "error", text: "its driver was lost" }]);
    const next = await driverOf(server);
    next.send(init());
    await heard(next, 1);
    expect(next.heard).toEqual([initialised()]);
  });

  // Fault 12: a host without peers blocked for ever.
  test("a host without peers asks for nobody, and the log says so", async () => {
    const server = await start(kind);
    const driver = await driverOf(server);
    driver.send(init());
    await heard(driver, 2);
    expect(driver.heard).toEqual([initialised(), crossed()]);
    expect(server.log.count("no peers are registered")).toBe(1);
  });

  test("peers are told as registered when the core counts them, and one too many is not", async () => {
    const server = await start(kind, { limits: { peersPerScopeMax: 2 } });
    const driver = await driverOf(server);
    driver.send(createPeer(1), createPeer(2), createPeer(3), destroyPeer(1));
    await heard(driver, 4);
    expect(driver.heard).toMatchObject([
      { kind: "peer-created", peerId: 1 },
      { kind: "peer-created", peerId: 2 },
      { kind: "operation-failed", operationId: 3n },
      { kind: "operation-succeeded", operationId: 101n },
    ]);
    driver.send(init());
    await heard(driver, 5);
    await peers(server, 1);
    // One is left of the two.
    await heard(driver, 6);
    expect(driver.heard[5]).toEqual(crossed());
  });

  test("a peer that is taken out may be the one that was missing", async () => {
    const server = await start(kind, { peers: 1 });
    const driver = await driverOf(server);
    driver.send(createPeer(1), init());
    await heard(driver, 2);
    await peers(server, 1);
    await server.waiting(1);
    expect(driver.heard).toHaveLength(2);
    driver.send(destroyPeer(1));
    await heard(driver, 4);
    expect(driver.heard.slice(2)).toContainEqual(crossed());
  });
});

describe("a driver that does not answer", () => {
  test("fails the barrier when its time is over, and may go on", async () => {
    const server = await start("memory log", {
      peers: 1,
      limits: { quorumEchoUs: 200_000, edgeLeaseUs: 1_000_000 },
    });
    const driver = await driverOf(server);
    driver.send(init());
    await heard(driver, 1);
    const [waiter] = await peers(server, 1);
    await heard(driver, 3);
    expect(driver.heard[2]).toMatchObject({ status: "error", name: "b" });
    await until(() => waiter?.isEnded === true, "the connection is closed");
    expect(waiter?.heard).toMatchObject([{ status: "error" }]);
    driver.send(crossed(), init());
    await heard(driver, 4);
    expect(driver.heard[3]).toEqual(initialised());
  });
});
