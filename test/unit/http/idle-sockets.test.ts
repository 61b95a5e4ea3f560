// SPDX-License-Identifier: MIT
// Goal: a WebSocket on which nothing is said stays open for as long as its client answers pings,
// and one whose client does not is cut; one from which nothing is read is not judged by that.
// Method: a door on loopback, a machine that has joined as the client, and a clock of the door that
// is moved by hand.
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { JoinedHosts, mountHosts } from "../../../src/edges/hosts/index.ts";
import {
  createHttpDoor,
  type DoorSocket,
  formatToken,
  hashSecret,
} from "../../../src/edges/http/index.ts";
import { httpTime } from "../../../src/edges/http-time.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { tokenProtocolPrefix } from "../../../src/wire/link/frames.ts";
import { hostsPath, hostsProtocol } from "../../../src/wire/node-link/index.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { RawSocket } from "./http-bench.ts";

/** Its turns are those of the event loop, its time is the test's. */
class DoorClock extends FakeClock {
  override endOfTurn(callback: () => void): void {
    systemClock.endOfTurn(callback);
  }

  pass(ms: number): void {
    this.advanceTo(this.nowUs() + ms * 1_000);
  }
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** @param autoPong whether the machine answers pings */
async function joined(autoPong: boolean) {
  const clock = new DoorClock();
  const hosts = new JoinedHosts(clock);
  const row = { id: "t1", role: "admin", scope: null, expiresMs: null, createdMs: 0 } as const;
  const rows = new Map([["t1", { ...row, note: "", hash: hashSecret("secret") }]]);
  const access = { tokens: { rows: () => rows } };
  const door = createHttpDoor({ access, clock, logger: { log: () => undefined } });
  mountHosts(door, hosts, { log: () => undefined });
  const { url, port } = await door.listen({ host: "127.0.0.1", port: 0 });
  const protocols = [hostsProtocol, `${tokenProtocolPrefix}${formatToken("t1", "secret")}`];
  const to = `ws://127.0.0.1:${port}${hostsPath}?name=far`;
  const machine = new RawSocket(new WebSocket(to, protocols, { autoPong }));
  closers.push(async () => {
    machine.socket.terminate();
    const closing = door.close();
    clock.pass(httpTime.closeMs);
    await closing;
  });
  await machine.hear('"joined"');
  /** The door has read what it was sent before. */
  const settled = async (): Promise<void> => {
    for (let call = 0; call < 2; call += 1) await (await fetch(`${url}/healthz`)).text();
  };
  const pinged = () => new Promise<void>((resolve) => machine.socket.once("ping", () => resolve()));
  return { clock, hosts, machine, settled, pinged };
}

test("a machine stays joined while nothing is asked of it", async () => {
  const { clock, hosts, machine, settled, pinged } = await joined(true);
  for (let ping = 1; ping <= 10; ping += 1) {
    const asked = pinged();
    clock.pass(httpTime.pingMs);
    await Promise.race([asked, machine.closed]);
    await settled();
    expect([ping, hosts.names(), machine.socket.readyState]).toEqual([
      ...[ping, ["far"], WebSocket.OPEN],
    ]);
  }
});

test("a machine that answers no ping has gone when its time is over", async () => {
  const { clock, hosts, machine, settled, pinged } = await joined(false);
  const asked = pinged();
  clock.pass(httpTime.pingMs);
  await asked;
  await settled();
  clock.pass(httpTime.pongMs - 1);
  expect(hosts.names()).toEqual(["far"]);
  clock.pass(1);
  await machine.closed;
  await settled();
  expect(hosts.names()).toEqual([]);
});

/** A client of a socket from which the door reads nothing. */
async function unheard() {
  const clock = new DoorClock();
  const door = createHttpDoor({ access: {}, clock, logger: { log: () => undefined } });
  const opened = Promise.withResolvers<DoorSocket>();
  door.socket({
    ...{ path: "/v1/test", protocol: "test", summary: "", access: "look" },
    ...{ messageBytesMax: 100, perTokenMax: 1 },
    open: (socket) => {
      opened.resolve(socket);
      return { onMessage: () => undefined, onClosed: () => undefined };
    },
  });
  const { port } = await door.listen({ host: "127.0.0.1", port: 0 });
  const client = new RawSocket(new WebSocket(`ws://127.0.0.1:${port}/v1/test`, "test"));
  closers.push(async () => {
    client.socket.terminate();
    const closing = door.close();
    clock.pass(httpTime.closeMs);
    await closing;
  });
  await client.opened();
  const socket = await opened.promise;
  socket.setReading(false);
  return { clock, socket, client };
}

test("who is not read from is not taken for silent, and not for the time after", async () => {
  const { clock, socket } = await unheard();
  clock.pass(10 * (httpTime.pingMs + httpTime.pongMs) + 1);
  expect(socket.isOpen).toBe(true);
  socket.setReading(true);
  clock.pass(httpTime.pongMs);
  expect(socket.isOpen).toBe(true);
});

test("who leaves much unread is cut when he has taken nothing of it for long", async () => {
  const { clock, socket, client } = await unheard();
  client.socket.pause();
  const part = Buffer.alloc(4 * 1024 * 1024);
  for (let count = 0; count < 8; count += 1) socket.send(part);
  clock.pass(httpTime.unreadMs - httpTime.pingMs);
  const unreadBytes = socket.queuedBytes;
  expect([socket.isOpen, unreadBytes > part.length]).toEqual([true, true]);
  client.socket.resume();
  while (socket.queuedBytes > unreadBytes - part.length) {
    await new Promise<void>((resolve) => client.socket.once("message", () => resolve()));
  }
  client.socket.pause();
  clock.pass(httpTime.unreadMs - httpTime.pingMs);
  expect(socket.isOpen).toBe(true);
  clock.pass(2 * httpTime.pingMs);
  expect(socket.isOpen).toBe(false);
});
