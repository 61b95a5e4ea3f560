// SPDX-License-Identifier: MIT
// Goal: the eight faults of the old daemon are absent. [EMULAB-SYNC 3]
// Method: one test per fault over real connections; each names the mutant that puts the fault back
// and turns the test red. Fault 6 has its tests in udp.test.ts; the numbers of faults 2 to 4 at
// full size are in test/conformance/syncd-load.test.ts.
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { encodeRequest } from "../../../src/wire/emulab-sync/index.ts";
import {
  arrived,
  ask,
  askInside,
  dial,
  init,
  startServer,
  type TestServer,
  type TestServerOptions,
  until,
  v1,
  v2,
  wait,
} from "./harness.ts";

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});
async function start(options: TestServerOptions = {}): Promise<TestServer> {
  server = await startServer("memory log", options);
  return server;
}

test("fault 1: an initialised count is not lost when the last waiter gives up", async () => {
  // Mutant: core/barriers.ts leave() ends the barrier when nobody waits, whatever the count.
  const syncd = await start();
  const master = await ask(syncd, init(3, false));
  expect(await master.value()).toBe(0);
  const quitter = await ask(syncd, wait());
  await arrived(syncd, 1);
  quitter.stream.destroy();
  await arrived(syncd, 0);
  const three = [await ask(syncd, wait()), await ask(syncd, wait()), await ask(syncd, wait())];
  expect(await Promise.all(three.map((client) => client.value()))).toEqual([0, 0, 0]);
});

test("fault 2: more than 4096 waiters at one barrier", async () => {
  // Mutant: limits.waitersPerBarrierMax of 4096: the 4097th is refused.
  const syncd = await start();
  const count = 4_200;
  const bytes = encodeRequest(wait(), v2);
  const clients = Array.from({ length: count }, () => askInside(syncd.syncd, bytes));
  await arrived(syncd, count);
  clients.push(await ask(syncd, init(count)));
  const values = await Promise.all(clients.map((client) => client.value()));
  expect(values.every((value) => value === 0)).toBe(true);
});

test("fault 3: more than 1020 clients over TCP", async () => {
  // Mutant: maxConnections of 255 on each of the four listeners.
  const syncd = await start();
  const count = 1_200;
  const clients = await Promise.all(Array.from({ length: count }, () => ask(syncd, wait())));
  await arrived(syncd, count);
  clients.push(await ask(syncd, init(count)));
  const values = await Promise.all(clients.map((client) => client.value()));
  expect(values.every((value) => value === 0)).toBe(true);
});

test("fault 4: a storm of connects fills no accept queue", async () => {
  // Mutant: one listener with a backlog of 128: the kernel drops most of the storm and retries.
  // All connects are begun before this process, which is the server's too, can accept any.
  const syncd = await start();
  const { port } = syncd.syncd;
  const sockets: Socket[] = [];
  let connected = 0;
  for (let index = 0; index < 900; index += 1) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("connect", () => {
      connected += 1;
    });
    socket.on("error", () => undefined);
    sockets.push(socket);
  }
  await until(() => connected === sockets.length, "900 connections");
  expect(listenDrops(port)).toBe(0);
  for (const socket of sockets) socket.destroy();
});

/** Connections the kernel dropped at this port because an accept queue was full. */
function listenDrops(port: number): number {
  const text = execFileSync("ss", ["-Hltnm", `sport = :${port}`], { encoding: "utf8" });
  const drops = [...text.matchAll(/,d(\d+)\)/g)].map((match) => Number(match[1]));
  expect(drops.length).toBeGreaterThan(0);
  return drops.reduce((sum, value) => sum + value, 0);
}

test("fault 5: requests whose names have no NUL meet, whatever their version", async () => {
  // Mutant: wire decodeName() returns 64 bytes for such a name, or only version 1 cuts it.
  const syncd = await start();
  const unterminated = (bytes: Uint8Array): Uint8Array => {
    bytes.set(new Uint8Array(64).fill(0x6e));
    return bytes;
  };
  const requests = [
    unterminated(encodeRequest(wait(), v2)),
    unterminated(encodeRequest(wait(), v1)),
    encodeRequest(init(2, true, "n".repeat(63)), v2),
  ];
  const clients = await Promise.all(
    requests.map(async (bytes) => {
      const client = await dial(syncd.syncd.port);
      client.stream.write(bytes);
      return client;
    }),
  );
  expect(await Promise.all(clients.map((client) => client.value()))).toEqual([0, 1, 0]);
});

test("fault 7: a host that is not allowed uses no barrier, over either transport", async () => {
  // Mutant: syncd.ts #isAllowed() returns true.
  const syncd = await start({ allows: (address) => address === "127.0.0.1" });
  const stranger = await dial(syncd.syncd.port, "127.0.0.2");
  stranger.stream.write(encodeRequest(wait(), v2));
  expect((await stranger.heard).bytes).toHaveLength(0);
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.2");
  await once(socket, "listening");
  socket.send(encodeRequest(wait("barrier", 5), v2), syncd.syncd.port, "127.0.0.1");
  await until(() => syncd.log.count("refused 127.0.0.2/udp") === 1, "refused");
  const friends = [await ask(syncd, wait()), await ask(syncd, init(1))];
  expect(await Promise.all(friends.map((client) => client.value()))).toEqual([0, 0]);
  expect(syncd.log.count("refused 127.0.0.2/tcp")).toBe(1);
  socket.close();
});

test("fault 8: an undo that brings the count to 0 releases the rest at once", async () => {
  // Mutant: core/barriers.ts leave() does not look at the count.
  const syncd = await start();
  const quitter = await ask(syncd, wait());
  const stayer = await ask(syncd, wait());
  await arrived(syncd, 2);
  const master = await ask(syncd, init(1));
  await arrived(syncd, 3);
  quitter.stream.destroy();
  expect(await Promise.all([stayer.value(), master.value()])).toEqual([0, 0]);
});
