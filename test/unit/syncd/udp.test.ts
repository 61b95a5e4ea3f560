// SPDX-License-Identifier: MIT
// Goal: UDP works with losses, repeats and the dead, and each datagram is accounted for.
// Method: the door alone, with time that the test moves and a network that is a list; then real
// sockets for what the kernel has a part in.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { edgeTime } from "../../../src/edges/edge-time.ts";
import type { Asker, Counter } from "../../../src/edges/syncd/asker.ts";
import { defaultBounds, resolveBounds } from "../../../src/edges/syncd/bounds.ts";
import { UdpDoor } from "../../../src/edges/syncd/udp.ts";
import {
  encodeLeave,
  encodeRequest,
  type SyncRequest,
} from "../../../src/wire/emulab-sync/index.ts";
import {
  arrived,
  ask,
  init,
  logKinds,
  ManualClock,
  startServer,
  type TestServer,
  until,
  v1,
  v2,
  wait,
} from "./harness.ts";

interface Sent {
  readonly to: string;
  readonly hex: string;
}

function openDoor(bounds = defaultBounds) {
  const clock = new ManualClock();
  const askers: Asker[] = [];
  const left: Asker[] = [];
  const sent: Sent[] = [];
  const lines: string[] = [];
  const state = { hasRoom: true, kept: 0 };
  const counter: Counter = {
    get hasRoom() {
      return state.hasRoom;
    },
    arrive: (asker) => {
      askers.push(asker);
      asker.waits = true;
    },
    leave: () => undefined,
    forget: (asker) => left.push(asker),
    describe: async () => "",
    limited: () => undefined,
    note: (line) => lines.push(line),
    detail: (line) => lines.push(line),
  };
  const door = new UdpDoor({ counter, clock, time: edgeTime, bounds, keptCount: () => state.kept });
  const receive = (bytes: Uint8Array, port = 5000, address = "10.0.0.9"): void => {
    const send = (reply: Buffer, toPort: number, to: string): void => {
      sent.push({ to: `${to}:${toPort}`, hex: reply.toString("hex") });
    };
    door.receive(Buffer.from(bytes), { address, port, send });
  };
  return { door, clock, askers, left, sent, lines, state, receive };
}

const datagram = encodeRequest(wait(), v2);
const reply = Buffer.from("2a000000", "hex");

describe("UdpDoor", () => {
  test("receive() counts the same bytes from the same address and port once", () => {
    // Mutant: the key leaves out the bytes, the port or the address.
    const { door, askers, receive } = openDoor();
    for (let index = 0; index < 5; index += 1) receive(datagram);
    expect(askers).toHaveLength(1);
    receive(datagram, 5001);
    receive(datagram, 5000, "10.0.0.8");
    receive(encodeRequest(wait("other"), v2));
    receive(encodeRequest(wait(), { ...v2, nonce: Uint8Array.of(1) }));
    expect(askers).toHaveLength(5);
    expect(door.counters).toMatchObject({ requests: 5, repeats: 4 });
  });

  test("the answer goes to the sender's own port, and to each repeat for 60 s", () => {
    const { door, askers, clock, sent, receive } = openDoor();
    receive(datagram, 5000);
    askers[0]?.answer(reply);
    expect(sent).toEqual([{ to: "10.0.0.9:5000", hex: "2a000000" }]);
    clock.advance(edgeTime.udpAnswerKeptMs - 1);
    receive(datagram, 5000);
    expect(sent).toHaveLength(2);
    expect(askers).toHaveLength(1);
    clock.advance(edgeTime.udpSweepMs);
    expect(door.answeredCount).toBe(0);
    receive(datagram, 5000);
    expect(askers).toHaveLength(2);
    expect(sent).toHaveLength(2);
  });

  test("only a waiter that has repeated is dead when it is silent", () => {
    // Fault 6. Mutants: onRepeat() does not set hasRepeated (nobody is ever dead); the sweep does
    // not ask for it (the old client, which sends once, is thrown out).
    const { door, askers, left, clock, receive } = openDoor();
    receive(datagram, 1);
    receive(datagram, 2);
    clock.advance(500);
    receive(datagram, 2);
    clock.advance(edgeTime.udpLivenessMs - 1);
    expect(left).toEqual([]);
    clock.advance(edgeTime.udpSweepMs);
    expect(left).toEqual([askers[1]]);
    expect(door.counters.dead).toBe(1);
    clock.advance(24 * 3_600_000);
    expect(left).toHaveLength(1);
    expect(door.waitingCount).toBe(1);
  });

  test("a waiter that goes on repeating lives", () => {
    const { left, clock, receive } = openDoor();
    for (let second = 0; second < 600; second += 5) {
      receive(datagram);
      clock.advance(5_000);
    }
    expect(left).toEqual([]);
  });

  test("bad datagrams get no answer and leave nothing behind", () => {
    const { door, askers, sent, lines, receive } = openDoor();
    const bad = encodeRequest(wait(), v2);
    bad[64] = 7;
    receive(bad);
    receive(new Uint8Array(0));
    receive(datagram.subarray(0, 75));
    receive(new Uint8Array(65_507).fill(9));
    receive(encodeRequest({ kind: "describe", name: "x" } as SyncRequest, v2));
    receive(datagram, 0);
    expect(door.counters).toMatchObject({ refused: 6, requests: 0 });
    expect(lines).toHaveLength(6);
    expect(askers).toEqual([]);
    expect(sent).toEqual([]);
    expect(door.waitingCount).toBe(0);
  });

  test.each(["little", "big"] as const)(
    "a leave (%s) takes back its own request and no other",
    (byteOrder) => {
      const { door, askers, left, sent, receive } = openDoor();
      const own = encodeRequest(init(2), { version: 2, byteOrder, nonce: Uint8Array.of(1) });
      const other = encodeRequest(init(2), { version: 2, byteOrder, nonce: Uint8Array.of(2) });
      receive(own);
      receive(other);
      receive(encodeLeave(own, byteOrder), 5001);
      expect(left).toEqual([]);
      receive(encodeLeave(own, byteOrder));
      receive(encodeLeave(own, byteOrder));
      expect(left).toEqual([askers[0]]);
      expect(door.waitingCount).toBe(1);
      askers[1]?.answer(reply);
      receive(encodeLeave(other, byteOrder));
      expect(left).toHaveLength(1);
      expect(sent).toHaveLength(1);
      expect(door.counters).toMatchObject({ requests: 2, leaves: 4, refused: 0 });
    },
  );

  test("a refused request may be asked again", () => {
    const { askers, receive } = openDoor();
    receive(datagram);
    askers[0]?.dismiss();
    receive(datagram);
    expect(askers).toHaveLength(2);
  });

  test("receive() takes udpWaitersMax waiters and drops one past it", () => {
    const { door, askers, lines, receive } = openDoor();
    const { udpWaitersMax } = defaultBounds;
    for (let index = 0; index < udpWaitersMax; index += 1) {
      receive(datagram, 1 + (index % 65_000), `10.0.0.${Math.trunc(index / 65_000)}`);
    }
    expect(door.counters).toMatchObject({ requests: udpWaitersMax, dropped: 0 });
    receive(datagram, 7, "10.9.9.9");
    expect(door.counters.dropped).toBe(1);
    expect(lines).toEqual([expect.stringContaining("raise it with --limit udpWaitersMax=VALUE")]);
    askers[0]?.answer(reply);
    receive(datagram, 7, "10.9.9.9");
    expect(door.counters).toMatchObject({ requests: udpWaitersMax + 1, dropped: 1 });
  });

  test.each([defaultBounds, resolveBounds({ outboxDatagramsMax: 5 })])(
    "without room in the core datagrams are kept up to a bound, then dropped",
    (bounds) => {
      const { door, state, lines, receive } = openDoor(bounds);
      Object.assign(state, { hasRoom: false, kept: bounds.outboxDatagramsMax - 1 });
      receive(datagram, 1);
      state.kept = bounds.outboxDatagramsMax;
      receive(datagram, 2);
      expect(door.counters).toMatchObject({ requests: 1, dropped: 1 });
      expect(lines[0]).toContain("--limit outboxDatagramsMax=VALUE");
    },
  );

  test("a bound that is set is the bound: waiters", () => {
    const { door, receive } = openDoor(resolveBounds({ udpWaitersMax: 2 }));
    for (const port of [1, 2, 3]) receive(datagram, port);
    expect(door.counters).toMatchObject({ requests: 2, dropped: 1 });
  });

  test("a bound that is set is the bound: answers kept, the oldest goes first", () => {
    const { door, askers, sent, receive } = openDoor(resolveBounds({ udpAnswersMax: 2 }));
    for (const port of [1, 2]) receive(datagram, port);
    for (const asker of askers) asker.answer(reply);
    receive(datagram, 1);
    expect(sent).toHaveLength(3);
    receive(datagram, 3);
    askers[2]?.answer(reply);
    expect(door.answeredCount).toBe(2);
    receive(datagram, 1);
    expect(door.counters).toMatchObject({ requests: 4, repeats: 1 });
  });

  test("a server that was stopped reads first, and then sees who is silent", () => {
    // U4. Mutant: the late sweep removes; the repeats of the living are still in the socket.
    const { door, clock, left, receive } = openDoor();
    for (const port of [1, 2]) for (let copy = 0; copy < 2; copy += 1) receive(datagram, port);
    clock.stop(60_000);
    expect(left).toEqual([]);
    receive(datagram, 1);
    clock.advance(edgeTime.udpSweepMs);
    expect(left).toHaveLength(1);
    expect(door.waitingCount).toBe(1);
  });
});

describe.each(logKinds)("syncd over UDP on the %s", (kind) => {
  let server: TestServer | undefined;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close();
    await server?.close();
    server = undefined;
  });

  async function open(): Promise<{ socket: Socket; heard: string[] }> {
    const socket = createSocket("udp4");
    const heard: string[] = [];
    socket.on("message", (bytes) => heard.push(bytes.toString("hex")));
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    sockets.push(socket);
    return { socket, heard };
  }

  test("both transports meet at one barrier, each answered in its version and byte order", async () => {
    const running = await startServer(kind);
    server = running;
    const { port } = running.syncd;
    const little = await open();
    const big = await open();
    const old = await open();
    little.socket.send(encodeRequest(wait("barrier", 3), v2), port, "127.0.0.1");
    big.socket.send(encodeRequest(wait(), { version: 2, byteOrder: "big" }), port, "127.0.0.1");
    old.socket.send(encodeRequest(wait(), v1), port, "127.0.0.1");
    await arrived(running, 3);
    const master = await ask(running, init(3));
    expect(await master.value()).toBe(3);
    await until(() => [little, big, old].every(({ heard }) => heard.length === 1), "answers");
    expect([little, big, old].map(({ heard }) => heard[0])).toEqual([
      "03000000",
      "00000003",
      "01000000",
    ]);
    little.socket.send(encodeRequest(wait("barrier", 3), v2), port, "127.0.0.1");
    await until(() => little.heard.length === 2, "the stored answer");
    expect(little.heard[1]).toBe("03000000");
    expect(running.syncd.counters.udp).toMatchObject({ requests: 3, repeats: 1, answers: 4 });
  });

  test("a dead client is uncounted, and its leaving can release the rest", async () => {
    // Fault 6 end to end, with a short liveness time.
    const time = { ...edgeTime, udpLivenessMs: 60, udpSweepMs: 20 };
    const running = await startServer(kind, { time });
    server = running;
    const dead = await open();
    const request = encodeRequest(wait("barrier", 9), v2);
    dead.socket.send(request, running.syncd.port, "127.0.0.1");
    dead.socket.send(request, running.syncd.port, "127.0.0.1");
    await arrived(running, 1);
    const rest = [await ask(running, wait()), await ask(running, init(1))];
    expect(await Promise.all(rest.map((client) => client.value()))).toEqual([9, 9]);
    expect(running.syncd.counters.udp.dead).toBe(1);
    expect(running.log.count("/udp")).toBe(1);
    expect(dead.heard).toEqual([]);
  });
});
