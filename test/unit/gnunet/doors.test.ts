// SPDX-License-Identifier: MIT
// Goal: what comes in at the two GNUnet doors is asked for, answered or refused as the
// specification says and as docs/internals/gnunet-faults.md decides. Method: the shipped doors over
// streams in memory and a desk that the test plays; time moves when the test says so.
import { describe, expect, test } from "vitest";
import { gnunetTime } from "../../../src/edges/gnunet-time.ts";
import type { GnunetMessage } from "../../../src/wire/gnunet/index.ts";
import {
  cancel,
  createPeer,
  crossed,
  destroyPeer,
  failed,
  hello,
  init,
  initialised,
  type PlayedDoors,
  playDoors,
  settle,
  type TestParty,
  wait,
} from "./harness.ts";

/** A driver that has introduced itself. */
async function withDriver(
  bounds: Parameters<typeof playDoors>[0] = {},
): Promise<PlayedDoors & { readonly driver: TestParty }> {
  const played = playDoors(bounds);
  const driver = played.dial("testbed");
  driver.send(hello);
  await settle();
  return { ...played, driver };
}

describe("a waiter", () => {
  test("is counted, hears the crossing in its bytes, and stays connected", async () => {
    const { desk, dial } = playDoors();
    const waiter = dial("testbed-barrier");
    waiter.send(wait("test_barrier"));
    await settle();
    expect(desk.asked).toEqual(["wait 1 test_barrier"]);
    expect(waiter.heard).toEqual([]);
    desk.cross(1, "test_barrier");
    await settle();
    const bytes = "001501e60002000c746573745f6261727269657200";
    expect(Buffer.concat(waiter.bytes).toString("hex")).toBe(bytes);
    expect(waiter.isEnded).toBe(false);
    waiter.send(wait("next"));
    await settle();
    expect(desk.asked.slice(1)).toEqual(["wait 2 next"]);
  });

  test("that fails hears ERROR with its reason, and the connection is closed in order", async () => {
    const { doors, desk, dial } = playDoors();
    const waiter = dial("testbed-barrier");
    waiter.send(wait());
    await settle();
    desk.fail(1, "b", "cancelled by the driver");
    await settle();
    expect(waiter.heard).toEqual([failed("cancelled by the driver")]);
    expect(waiter.isEnded).toBe(true);
    waiter.stream.end();
    await settle();
    expect(doors.connectionCount).toBe(0);
    expect(desk.asked).toEqual(["wait 1 b"]);
  });

  test.each([
    ["closes", (party: TestParty) => party.stream.destroy()],
    ["closes its side", (party: TestParty) => party.stream.end()],
  ])("that %s is given up, once", async (_what, go) => {
    const { doors, desk, dial } = playDoors();
    const waiter = dial("testbed-barrier");
    waiter.send(wait());
    await settle();
    go(waiter);
    await settle();
    expect(desk.asked).toEqual(["wait 1 b", "give up 1"]);
    desk.cross(1, "b");
    await settle();
    expect(waiter.heard).toEqual([]);
    expect(doors.connectionCount).toBe(0);
  });

  test("that waits a second time is closed, and its arrival goes with it", async () => {
    const { desk, dial } = playDoors();
    const waiter = dial("testbed-barrier");
    waiter.send(wait("b"), wait("c"));
    await settle();
    expect(waiter.isClosed).toBe(true);
    expect(desk.asked).toEqual(["wait 1 b", "give up 1"]);
    expect(desk.notes.join()).toContain("waits already");
  });

  // Fault 11. The old server froze the connection, or died of type 1.
  const notForPeers: readonly GnunetMessage[] = [init(), cancel(), crossed(), hello, createPeer(1)];
  test.each([
    ...notForPeers.map((message) => [message.kind, message] as const),
    ["type 1", Uint8Array.from([0, 4, 0, 1])] as const,
    ["type 0", Uint8Array.from([0, 4, 0, 0])] as const,
    ["type 999", Uint8Array.from([0, 5, 3, 231, 1])] as const,
    ["a size of 3", Uint8Array.from([0, 3, 1, 231])] as const,
    ["a NUL in the name", Uint8Array.from([0, 7, 1, 231, 97, 0, 98])] as const,
  ])("that sends %s is closed at once", async (_what, sent) => {
    const { desk, dial } = playDoors();
    const waiter = dial("testbed-barrier");
    if (sent instanceof Uint8Array) waiter.stream.write(sent);
    else waiter.send(sent);
    await settle();
    expect(waiter.isClosed).toBe(true);
    expect(waiter.heard).toEqual([]);
    expect(desk.asked).toEqual([]);
    expect(desk.notes).toHaveLength(1);
  });
});

describe("a driver", () => {
  test("hears initialised and crossed in their bytes, and its echo releases", async () => {
    const { desk, driver } = await withDriver();
    driver.send(init("test_barrier"));
    await settle();
    expect(desk.asked).toEqual(["init 1 test_barrier 100"]);
    desk.tell(1, { kind: "initialised" });
    desk.tell(1, { kind: "crossed" });
    await settle();
    const [one, two] = ["001501e60001000c", "001501e60002000c"];
    const name = "746573745f6261727269657200";
    expect(Buffer.concat(driver.bytes).toString("hex")).toBe(one + name + two + name);
    driver.send(crossed("test_barrier"));
    await settle();
    expect(desk.asked).toEqual(["init 1 test_barrier 100", "release 1"]);
  });

  test("may use a name again when its barrier is released, and not before", async () => {
    const { desk, driver } = await withDriver();
    driver.send(init(), init());
    await settle();
    expect(driver.heard).toEqual([
      failed("barrier 'b' is open already; wait for it, or cancel it"),
    ]);
    desk.tell(1, { kind: "crossed" });
    await settle();
    driver.send(crossed(), init("b", 50));
    await settle();
    expect(desk.asked).toEqual(["init 1 b 100", "release 1", "init 2 b 50"]);
    expect(driver.isClosed).toBe(false);
  });

  test("hears why its barrier failed, with a text also when there is none to tell", async () => {
    const { desk, driver } = await withDriver();
    driver.send(init("a"), init("b"));
    await settle();
    desk.tell(1, { kind: "failed", text: "controller east is gone" });
    desk.tell(2, { kind: "failed", text: "" });
    await settle();
    expect(driver.heard).toEqual([failed("controller east is gone", "a"), failed("", "b")]);
    expect(Buffer.concat(driver.bytes).subarray(-3).toString("hex")).toBe("620000");
    driver.send(init("a"));
    await settle();
    expect(desk.asked.at(-1)).toBe("init 3 a 100");
  });

  test("cancels without an answer, and is told of a name that is not open", async () => {
    const { desk, driver } = await withDriver();
    driver.send(init(), cancel(), cancel());
    await settle();
    expect(desk.asked).toEqual(["init 1 b 100", "cancel 1"]);
    expect(driver.heard).toEqual([failed("there is no barrier 'b' to cancel")]);
    expect(driver.isClosed).toBe(false);
  });

  // Fault 10: a driver that misbehaved could end the controller, or leave it without one for ever.
  test.each([
    ["a forced release", [init(), crossed()], "which is not crossed"],
    ["an echo of initialised", [init(), initialised()], "not initialised"],
    ["an echo of an error", [init(), failed("x")], "not error"],
    ["a second TESTBED_INIT", [hello], "a second TESTBED_INIT"],
    ["a wait", [wait()], "is what a controller says"],
  ])("that sends %s is closed, and another may come", async (_what, sent, why) => {
    const { desk, driver, dial, doors } = await withDriver();
    driver.send(...sent);
    await settle();
    expect(driver.isClosed).toBe(true);
    expect(desk.notes.join("\n")).toContain(why);
    expect(doors.hasDriver).toBe(false);
    const next = dial("testbed");
    next.send(hello, init("after"));
    await settle();
    expect(desk.asked.at(-1)).toContain("after");
    expect(next.isClosed).toBe(false);
  });

  test("that is gone takes its barriers and peers with it", async () => {
    const { desk, driver } = await withDriver();
    driver.send(init("a"), init("b"), createPeer(1));
    await settle();
    driver.stream.destroy();
    await settle();
    const before = ["init 1 a 100", "init 2 b 100", "peers 1"];
    expect(desk.asked).toEqual([...before, "abandon 1", "abandon 2", "peers 0"]);
  });

  test("whose echo comes for a barrier that has ended goes on", async () => {
    const { desk, driver } = await withDriver();
    driver.send(init());
    await settle();
    desk.tell(1, { kind: "crossed" });
    desk.tell(1, { kind: "failed", text: "no echo within 30 s" });
    driver.send(crossed(), init());
    await settle();
    expect(desk.asked).toEqual(["init 1 b 100", "init 2 b 100"]);
    expect(driver.isClosed).toBe(false);
  });

  test("must introduce itself first", async () => {
    for (const message of [init(), cancel(), crossed(), createPeer(1), destroyPeer(1)]) {
      const { desk, dial } = playDoors();
      const driver = dial("testbed");
      driver.send(message, hello);
      await settle();
      expect(driver.isClosed).toBe(true);
      expect(desk.asked).toEqual([]);
    }
  });

  test("is one at a time: another is let in, and closed when it asks for something", async () => {
    for (const message of [init("x"), cancel(), crossed(), createPeer(1), destroyPeer(1)]) {
      const { desk, driver, dial } = await withDriver();
      driver.send(init());
      const lateral = dial("testbed");
      lateral.send(hello);
      await settle();
      expect(lateral.isClosed).toBe(false);
      lateral.send(message);
      await settle();
      expect(lateral.isClosed).toBe(true);
      expect(driver.isClosed).toBe(false);
      expect(desk.asked).toEqual(["init 1 b 100"]);
    }
  });

  test("asks for a quorum of 0 to 100 percent", async () => {
    const { desk, driver } = await withDriver();
    driver.send(init("a", 0), init("b", 100), init("c", 101), init("d", 255));
    await settle();
    expect(desk.asked).toEqual(["init 1 a 0", "init 2 b 100"]);
    const text = (quorum: number) => `a quorum is a percentage from 0 to 100, not ${quorum}`;
    expect(driver.heard).toEqual([failed(text(101), "c"), failed(text(255), "d")]);
  });
});

describe("peers", () => {
  test("are registered and taken out, each operation answered by its number", async () => {
    const { desk, driver } = await withDriver();
    driver.send(createPeer(7), createPeer(9), createPeer(7), destroyPeer(9), destroyPeer(9));
    await settle();
    expect(desk.asked).toEqual(["peers 1", "peers 2", "peers 1"]);
    // Nothing that the core has not counted is told as done.
    expect(driver.heard).toEqual([
      { kind: "operation-failed", operationId: 7n, text: "peer 7 is registered already" },
      { kind: "operation-failed", operationId: 109n, text: "there is no peer 9" },
    ]);
    for (const change of desk.changes) change.counted();
    await settle();
    expect(driver.heard.slice(2)).toEqual([
      { kind: "peer-created", peerId: 7, operationId: 7n },
      { kind: "peer-created", peerId: 9, operationId: 9n },
      { kind: "operation-succeeded", operationId: 109n },
    ]);
  });

  test("that are refused are not counted, also when more was asked for meanwhile", async () => {
    const { desk, driver } = await withDriver();
    driver.send(createPeer(1), createPeer(2), destroyPeer(1));
    await settle();
    desk.changes[0]?.counted();
    desk.changes[1]?.refused("limit peersPerScopeMax (1) reached");
    desk.changes[2]?.counted();
    await settle();
    expect(desk.asked).toEqual(["peers 1", "peers 2", "peers 1", "peers 0"]);
    expect(driver.heard).toEqual([
      { kind: "peer-created", peerId: 1, operationId: 1n },
      { kind: "operation-failed", operationId: 2n, text: "limit peersPerScopeMax (1) reached" },
      { kind: "operation-succeeded", operationId: 101n },
    ]);
  });

  test("are not started, not stopped, and not of another host", async () => {
    const { desk, driver } = await withDriver();
    driver.send(createPeer(1, 5));
    for (const kind of ["start-peer", "stop-peer"] as const) {
      driver.send({ kind, peerId: 1, operationId: 4n });
    }
    await settle();
    expect(desk.asked).toEqual([]);
    const texts = driver.heard.map((message) => "text" in message && message.text);
    expect(texts[0]).toBe("this controller keeps peers of host 0 only, not of 5");
    expect(texts[1]).toContain("Muster registers peers and starts none");
    expect(texts[2]).toBe(texts[1]);
  });

  test("all go at once, and the answer comes when that is counted", async () => {
    const { desk, driver } = await withDriver();
    driver.send(createPeer(1), createPeer(2), { kind: "shutdown-peers", operationId: 9n });
    await settle();
    expect(desk.asked).toEqual(["peers 1", "peers 2", "peers 0"]);
    for (const change of desk.changes.slice(0, 2)) change.counted();
    await settle();
    expect(driver.heard.map(({ kind }) => kind)).toEqual(["peer-created", "peer-created"]);
    desk.changes[2]?.counted();
    driver.send(createPeer(1));
    await settle();
    expect(driver.heard[2]).toEqual({ kind: "operation-succeeded", operationId: 9n });
    expect(desk.asked[3]).toBe("peers 1");
  });
});

describe("what is about other hosts and about processes", () => {
  test("is answered with a reason, each by its number, and the driver goes on", async () => {
    const { desk, driver } = await withDriver();
    const config = new Uint8Array(2);
    const host = { hostId: 7, sshPort: 22, user: "ann", hostname: "h", configBytes: 2, config };
    const link = { delegatedHostId: 7, slaveHostId: 0, isSubordinate: 1 };
    driver.send(
      { kind: "add-host", ...host },
      { kind: "link-controllers", operationId: 1n, ...link },
      { kind: "get-slave-configuration", operationId: 2n, hostId: 7 },
      { kind: "get-peer-information", operationId: 3n, peerId: 1 },
      { kind: "reconfigure-peer", operationId: 4n, peerId: 1, configBytes: 2, config },
      init("b"),
    );
    await settle();
    const parent = expect.stringContaining("muster serve --parent");
    const starts = expect.stringContaining("registers peers and starts none");
    expect(driver.heard).toEqual([
      { kind: "host-added", hostId: 7 },
      { kind: "link-failed", operationId: 1n, text: parent },
      { kind: "operation-failed", operationId: 2n, text: parent },
      { kind: "operation-failed", operationId: 3n, text: starts },
      { kind: "operation-failed", operationId: 4n, text: starts },
    ]);
    expect(desk.asked).toEqual(["init 1 b 100"]);
  });
});

describe("bounds", () => {
  test("gnunetBarriersMax: one more is answered with an error", async () => {
    const { desk, driver } = await withDriver({ gnunetBarriersMax: 2 });
    driver.send(init("a"), init("b"), init("c"));
    await settle();
    expect(desk.asked).toHaveLength(2);
    const text = "limit gnunetBarriersMax (2) reached; cancel a barrier first";
    expect(driver.heard).toEqual([failed(text, "c")]);
  });

  test("gnunetConnectionsMax: one more is closed, and there is room when one is gone", async () => {
    const { desk, dial } = playDoors({ gnunetConnectionsMax: 2 });
    const [first, second, third] = [1, 2, 3].map(() => dial("testbed-barrier"));
    await settle();
    expect([first, second, third].map((party) => party?.isClosed)).toEqual([false, false, true]);
    expect(desk.notes.join()).toContain("limit gnunetConnectionsMax (2) reached");
    first?.stream.destroy();
    await settle();
    const fourth = dial("testbed-barrier");
    fourth.send(wait());
    await settle();
    expect(desk.asked).toEqual(["wait 1 b"]);
  });

  test("gnunetUnreadBytesMax: who reads nothing is closed, who reads is not", async () => {
    const { desk, driver } = await withDriver({ gnunetUnreadBytesMax: 10_000 });
    const ask = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) {
        driver.send(...Array.from({ length: 10 }, () => cancel("nobody")));
        await settle();
      }
    };
    await ask(30);
    expect(Buffer.concat(driver.bytes).length).toBeGreaterThan(10_000);
    expect(driver.isClosed).toBe(false);
    driver.stream.pause();
    // What streams in memory keep on their way is not unread yet: 16 KiB each.
    await ask(200);
    expect(desk.notes.join()).toContain("limit gnunetUnreadBytesMax (10000) reached");
  });
});

test("gnunetHeldBytesMax: of the client that holds most the largest connections are cut", async () => {
  const { desk, dial, clock } = playDoors({ gnunetHeldBytesMax: 10_000 });
  const begin = (address: string, bytes: number): TestParty => {
    const party = dial("testbed-barrier", `${address}:${bytes}/tcp`);
    party.stream.write(Buffer.concat([Buffer.from([255, 0]), Buffer.alloc(bytes - 2)]));
    return party;
  };
  const small = begin("10.0.0.1", 4_000);
  const large = [3_000, 2_000, 2_500].map((bytes) => begin("10.0.0.2", bytes));
  await settle();
  clock.advance(gnunetTime.sweepMs);
  await settle();
  expect([small, ...large].map((party) => party.isClosed)).toEqual([false, true, false, false]);
  const said = "10.0.0.2 holds 3000 bytes: limit gnunetHeldBytesMax (10000) reached";
  expect(desk.notes.join()).toContain(said);
});

describe("times", () => {
  test("who has sent no whole message in time is closed; who waits is not", async () => {
    const { doors, dial, clock } = playDoors();
    const [silent, slow, waiting] = [1, 2, 3].map(() => dial("testbed-barrier"));
    slow?.stream.write(Uint8Array.from([0, 8, 1]));
    waiting?.send(wait());
    await settle();
    clock.advance(gnunetTime.messageMs - 1);
    await settle();
    expect(doors.connectionCount).toBe(3);
    clock.advance(2 * gnunetTime.sweepMs);
    await settle();
    expect([silent, slow, waiting].map((party) => party?.isClosed)).toEqual([true, true, false]);
    clock.advance(24 * 3_600_000);
    await settle();
    expect(waiting?.isClosed).toBe(false);
  });

  test("who leaves a later message unfinished is closed as well", async () => {
    const { desk, dial, clock } = playDoors();
    const waiter = dial("testbed-barrier");
    waiter.send(wait());
    waiter.stream.write(Uint8Array.from([0]));
    await settle();
    for (let second = 0; second < 13; second += 1) {
      clock.advance(1_000);
      await settle();
    }
    expect(waiter.isClosed).toBe(true);
    expect(desk.asked).toEqual(["wait 1 b", "give up 1"]);
  });

  test("a process that was stopped does not close who could not be read meanwhile", async () => {
    const { dial, clock, desk } = playDoors();
    const slow = dial("testbed-barrier");
    slow.stream.write(Uint8Array.from([0, 8, 1]));
    await settle();
    clock.stop(60_000);
    slow.stream.write(Uint8Array.from([0xe7, 0x6c, 0x61, 0x74, 0x65]));
    await settle();
    expect(desk.asked).toEqual(["wait 1 late"]);
  });

  test("one whose peer does not close after the last answer is dropped", async () => {
    const { doors, desk, dial, clock } = playDoors();
    const waiter = dial("testbed-barrier");
    waiter.send(wait());
    await settle();
    desk.fail(1, "b", "no");
    await settle();
    expect(doors.connectionCount).toBe(1);
    clock.advance(gnunetTime.lingerMs + 2 * gnunetTime.sweepMs);
    await settle();
    expect(doors.connectionCount).toBe(0);
    clock.advance(gnunetTime.sweepMs);
    expect(clock.pendingCount).toBe(0);
  });
});

describe("room", () => {
  test("nothing new is read while the core has none", async () => {
    const { doors, desk, dial, room, clock } = playDoors();
    const before = dial("testbed-barrier");
    await settle();
    room.has = false;
    doors.setReading(false);
    const during = dial("testbed-barrier");
    before.send(wait("a"));
    during.send(wait("b"));
    await settle();
    clock.advance(60_000);
    await settle();
    expect(desk.asked).toEqual([]);
    room.has = true;
    doors.setReading(true);
    await settle();
    expect(desk.asked.toSorted()).toEqual(["wait 1 a", "wait 2 b"]);
  });
});
