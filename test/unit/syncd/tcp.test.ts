// SPDX-License-Identifier: MIT
// Goal: one TCP client, however odd, is served by the rules and disturbs nobody.
// Method: streams that are no sockets, a core that the test plays, time that the test moves; real
// sockets where the kernel's part matters.
import { execFileSync } from "node:child_process";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { edgeTime } from "../../../src/edges/edge-time.ts";
import { boundMax, resolveBounds, type SyncdBounds } from "../../../src/edges/syncd/index.ts";
import { encodeRequest } from "../../../src/wire/emulab-sync/index.ts";
import {
  arrived,
  ask,
  askInside,
  dial,
  init,
  playServer,
  startServer,
  until,
  v1,
  v2,
  wait,
} from "./harness.ts";

const whole = encodeRequest(wait("barrier", 9), v2);
const old = encodeRequest(wait(), v1);

test("a 72-byte prefix is held up to 50 ms: then it is version 1", async () => {
  const { syncd, core, clock } = playServer();
  const client = askInside(syncd, old);
  await turn();
  clock.advance(49);
  expect(core.commands).toEqual([]);
  clock.advance(1);
  expect(core.commands).toMatchObject([{ kind: "count-wait", barrier: "barrier", error: 0 }]);
  core.release([1]);
  expect(await client.value()).toBe(1);
});

test("a version-2 request cut at byte 72 is not taken for version 1 when the rest comes in time", async () => {
  // Mutant: tcpHoldMs of 0, or a 72-byte prefix decoded at once: the client would hear 1.
  const { syncd, core, clock } = playServer();
  const client = askInside(syncd, whole.subarray(0, 72));
  await turn();
  clock.advance(49);
  client.stream.write(whole.subarray(72));
  await turn();
  expect(core.commands).toMatchObject([{ kind: "count-wait", error: 9 }]);
  clock.advance(100);
  expect(core.commands).toHaveLength(1);
  core.release([1], 9);
  expect(await client.value()).toBe(9);
});

test("a byte at a time is a request like any other", async () => {
  const { syncd, core, clock } = playServer();
  const client = askInside(syncd, new Uint8Array());
  for (const byte of whole) {
    client.stream.write(Uint8Array.of(byte));
    await turn();
    clock.advance(40);
  }
  expect(core.commands).toMatchObject([{ kind: "count-wait", error: 9 }]);
});

test("a client that stalls in its request is closed after the deadline, and logged", async () => {
  const { syncd, core, clock, log } = playServer();
  const stalled = askInside(syncd, whole.subarray(0, 40));
  const silent = askInside(syncd, new Uint8Array());
  await turn();
  clock.advance(edgeTime.tcpRequestMs - 1);
  await turn();
  expect(stalled.isOver).toBe(false);
  clock.advance(2 * edgeTime.tcpSweepMs);
  expect((await stalled.heard).bytes).toHaveLength(0);
  await silent.heard;
  expect(log.count("aborted request from 10.0.0.9:7/tcp: 40 bytes after 10 s")).toBe(1);
  expect(core.commands).toEqual([]);
  await until(() => syncd.counters.tcpOpen === 0, "closed");
  clock.advance(edgeTime.tcpSweepMs);
  expect(clock.pendingCount).toBe(0);
});

test("a server that was stopped reads what has come before it closes anybody", async () => {
  // T4. Mutant: the late sweep closes; the request of the first is in the stream already.
  const { syncd, core, clock } = playServer();
  const prompt = askInside(syncd, new Uint8Array());
  const stalled = askInside(syncd, whole.subarray(0, 40));
  await turn();
  // The timers come first, then the sockets.
  clock.stop(60_000);
  prompt.stream.write(whole);
  const late = askInside(syncd, new Uint8Array());
  await turn();
  expect(core.kinds()).toEqual(["count-wait"]);
  clock.advance(edgeTime.tcpSweepMs);
  expect((await stalled.heard).bytes).toHaveLength(0);
  await turn();
  // Its age begins when it is taken up, not when the server was stopped.
  expect(late.isOver).toBe(false);
  core.release([1]);
  expect(await prompt.value()).toBe(0);
});

test("a server that is always late ends the stalled all the same", async () => {
  const { syncd, clock } = playServer();
  const stalled = askInside(syncd, whole.subarray(0, 40));
  await turn();
  for (let index = 0; index < 8; index += 1) clock.stop(5_000);
  expect((await stalled.heard).bytes).toHaveLength(0);
});

test("a server stopped behind byte 72 reads the last four before it takes the rest for 2003", async () => {
  // T4. Mutant: the late timer of the hold decides.
  const { syncd, core, clock } = playServer();
  const client = askInside(syncd, whole.subarray(0, 72));
  await turn();
  clock.stop(500);
  client.stream.write(whole.subarray(72));
  await turn();
  expect(core.commands).toMatchObject([{ kind: "count-wait", error: 9 }]);
});

test("over sockets: a process that stood still loses no request that has arrived", async () => {
  const time = { ...edgeTime, tcpRequestMs: 200, tcpSweepMs: 50 };
  const server = await startServer("memory log", { time });
  const clients = await Promise.all([dial(server.syncd.port), dial(server.syncd.port)]);
  await until(() => server.syncd.counters.tcpOpen === 2, "open");
  for (const client of clients) client.stream.write(whole);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 800);
  await arrived(server, 2);
  await server.close();
  expect(server.log.count("aborted")).toBe(0);
});

test("waiters are not subject to the request deadline", async () => {
  const { syncd, core, clock } = playServer();
  const client = askInside(syncd, whole);
  await turn();
  clock.advance(24 * 3_600_000);
  expect(core.kinds()).toEqual(["count-wait"]);
  core.release([1]);
  expect(await client.value()).toBe(0);
});

test("a megabyte of garbage is refused at once with one line", async () => {
  const { syncd, core, log } = playServer();
  const client = askInside(syncd, new Uint8Array(1_048_576).fill(0x5a));
  expect((await client.heard).bytes).toHaveLength(0);
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]).toContain("bad request from 10.0.0.9:7/tcp: [EMULAB-SYNC 2] request word");
  expect(core.commands).toEqual([]);
});

test("what a waiting client sends is read and dropped", async () => {
  const { syncd, core } = playServer();
  const client = askInside(syncd, whole);
  const junk = new Uint8Array(65_536).fill(1);
  for (let index = 0; index < 64; index += 1) {
    // The callback comes when the other side has taken the bytes: nothing is kept back.
    await new Promise((resolve) => client.stream.write(junk, resolve));
  }
  expect(core.kinds()).toEqual(["count-wait"]);
  core.release([1], 12);
  expect(await client.value()).toBe(12);
});

test("a client that closes its side is taken off the list; the stream goes a little later", async () => {
  const { syncd, core, clock, log } = playServer();
  const client = askInside(syncd, whole);
  await turn();
  client.stream.end();
  await until(() => core.commands.length === 2, "leave");
  expect(core.commands[1]).toEqual({ kind: "leave", connection: 1 });
  expect(log.count("removing 10.0.0.9:7/tcp")).toBe(1);
  clock.advance(edgeTime.tcpFarewellMs + 2 * edgeTime.tcpSweepMs);
  expect((await client.heard).bytes).toHaveLength(0);
  expect(core.kinds()).toEqual(["count-wait", "leave"]);
});

test("a request and a close in one go are counted and taken back; an answer on its way comes", async () => {
  const { syncd, core } = playServer();
  const client = askInside(syncd, new Uint8Array());
  client.stream.end(whole);
  await until(() => core.commands.length === 2, "wait and leave");
  expect(core.kinds()).toEqual(["count-wait", "leave"]);
  core.release([1], 5);
  expect(await client.value()).toBe(5);
});

test("72 bytes and a close are a whole request of version 1", async () => {
  const { syncd, core } = playServer();
  const client = askInside(syncd, new Uint8Array());
  client.stream.end(encodeRequest(init(3, false), v1));
  await until(() => core.commands.length === 1, "init");
  expect(core.commands).toMatchObject([{ kind: "count-init", count: 3, waits: false }]);
  core.tell({ kind: "acknowledged", connection: 1 });
  expect(await client.value()).toBe(1);
  expect(core.kinds()).toEqual(["count-init"]);
});

test.each([0, 1, 71, 73, 75])("%i bytes and a close are no request", async (size) => {
  const { syncd, core, log } = playServer({ verbose: false });
  const client = askInside(syncd, new Uint8Array());
  client.stream.end(whole.subarray(0, size));
  await client.heard;
  await until(() => syncd.counters.tcpOpen === 0, "closed");
  expect(core.commands).toEqual([]);
  expect(log.count(`closed after ${size} bytes`)).toBe(size === 0 ? 0 : 1);
});

test("an answered client that never closes is dropped after the linger time", async () => {
  const { syncd, core, clock } = playServer();
  const client = askInside(syncd, whole);
  client.stream.removeAllListeners("end");
  await turn();
  core.release([1]);
  await turn();
  clock.advance(edgeTime.tcpLingerMs + 2 * edgeTime.tcpSweepMs);
  await until(() => syncd.counters.tcpOpen === 0, "dropped");
  expect(core.kinds()).toEqual(["count-wait"]);
});

test("effects for askers that are gone, or unknown, do nothing", async () => {
  const { syncd, core } = playServer();
  const client = askInside(syncd, whole);
  await turn();
  core.release([1]);
  core.release([1, 2, 99], 7);
  core.tell({ kind: "acknowledged", connection: 5 });
  expect(await client.value()).toBe(0);
});

test("a waiter is told 240 when its barrier ends other than by a crossing", async () => {
  const { syncd, core } = playServer();
  const client = askInside(syncd, whole);
  await turn();
  const facts = { scope: "test", barrier: "barrier", barrierKind: "count" } as const;
  const end = { ...facts, generation: 1, error: 0 };
  core.tell({ kind: "released", outcome: "failed", connections: [1], ...end });
  expect(await client.value()).toBe(240);
});

test("a full mailbox stops reading, loses nothing and keeps the order", async () => {
  const { syncd, core } = playServer();
  core.room = 1;
  const first = askInside(syncd, whole);
  await turn();
  const second = askInside(syncd, encodeRequest(wait("second"), v2));
  const partial = askInside(syncd, whole.subarray(0, 10));
  await turn();
  expect(core.kinds()).toEqual(["count-wait"]);
  const third = askInside(syncd, encodeRequest(wait("third"), v2));
  partial.stream.write(whole.subarray(10));
  first.stream.destroy();
  await turn();
  await turn();
  expect(core.kinds()).toEqual(["count-wait"]);
  core.room = 2;
  core.handler?.onRoom?.();
  expect(core.kinds()).toEqual(["count-wait", "count-wait", "leave"]);
  core.room = Number.POSITIVE_INFINITY;
  core.handler?.onRoom?.();
  await until(() => core.commands.length === 5, "the rest");
  expect(core.commands[1]).toMatchObject({ barrier: "second" });
  const late = core.commands.slice(3).map((command) => "barrier" in command && command.barrier);
  expect(late.sort()).toEqual(["barrier", "third"]);
  core.release([2, 3, 4]);
  const values = [second, third, partial].map((client) => client.value());
  expect(await Promise.all(values)).toEqual([0, 0, 0]);
});

test("a core that is away too long, or has given the server up, closes every connection", async () => {
  const { syncd, core, clock, log } = playServer();
  const first = askInside(syncd, whole);
  await turn();
  core.handler?.onLink?.(false);
  clock.advance(9_999);
  await turn();
  expect(first.isOver).toBe(false);
  core.handler?.onLink?.(true);
  clock.advance(5_000);
  core.handler?.onLink?.(false);
  clock.advance(10_000);
  expect((await first.heard).bytes).toHaveLength(0);
  const second = askInside(syncd, whole);
  await turn();
  core.handler?.onClosed?.("the lease ran out");
  expect((await second.heard).bytes).toHaveLength(0);
  expect(core.connections).toBe(2);
  const third = askInside(syncd, whole);
  await turn();
  core.release([3]);
  expect(await third.value()).toBe(0);
  expect(log.count("joining anew")).toBe(1);
});

test("a server joins its core only after it has its port", async () => {
  // Whoever waits for it to join may call at once. Mutant: the constructor joins.
  const { syncd, core } = playServer();
  expect(core.connections).toBe(0);
  await syncd.listen();
  expect(core.connections).toBe(1);
  await syncd.close();
});

test("a server that is refused at the door says so and gives up", () => {
  const reasons: string[] = [];
  const { syncd, core, log } = playServer({ onClosed: (reason) => reasons.push(reason) });
  syncd.clear();
  core.handler?.onClosed?.("wrong secret");
  expect(reasons).toEqual(["wrong secret"]);
  expect(log.count("the core refuses this server: wrong secret")).toBe(1);
});

test("a second server on the same port is refused with a message that says what to do", async () => {
  // Mutant: listen() binds no UDP socket first: the TCP listeners share the port silently.
  const server = await startServer("memory log");
  const second = playServer({ port: server.syncd.port });
  await expect(second.syncd.listen()).rejects.toMatchObject({
    code: "port-in-use",
    message: `port ${server.syncd.port} on 127.0.0.1 is in use; stop the server that has it or choose another port with -p`,
  });
  const served = playServer({ port: server.syncd.port, portOption: "--listen" });
  await expect(served.syncd.listen()).rejects.toMatchObject({
    message: expect.stringContaining("or choose another port with --listen"),
  });
  const fallback = playServer({ port: server.syncd.port, fallback: true });
  const port = await fallback.syncd.listen();
  expect(port).not.toBe(server.syncd.port);
  await fallback.syncd.close();
  await server.close();
});

test("the sockets are as many and as large as the bounds say", async () => {
  const bounds = { tcpListenersPerAddress: 2, tcpBacklog: 77, udpReceiveBufferBytes: 65_536 };
  const server = await startServer("memory log", { bounds });
  const list = (...options: string[]): string =>
    execFileSync("ss", [...options, `sport = :${server.syncd.port}`], { encoding: "utf8" });
  expect(list("-Hltn").match(/^LISTEN +\d+ +77 /gm)).toHaveLength(2);
  // The kernel doubles what is asked for.
  expect(list("-Hlunm")).toContain("rb131072");
  await server.close();
});

test.each(Object.keys(boundMax) as (keyof SyncdBounds)[])("the bound %s has a range", (name) => {
  expect(resolveBounds({ [name]: boundMax[name] })[name]).toBe(boundMax[name]);
  for (const value of [0, 1.5, boundMax[name] + 1]) {
    expect(() => resolveBounds({ [name]: value })).toThrow(`limit ${name} must be`);
  }
});

test("an address that is not this machine's is refused with a message", async () => {
  const { syncd } = playServer({ addresses: ["192.0.2.1"] });
  await expect(syncd.listen()).rejects.toMatchObject({ code: "bad-address" });
});

test("the address called at tells the node", async () => {
  const nodes = new Map([
    ["127.0.0.1", "node0"],
    ["127.0.0.2", "node1"],
  ]);
  const server = await startServer("memory log", {
    addresses: [...nodes.keys()],
    nodeOf: (localAddress) => nodes.get(localAddress),
  });
  await ask(server, wait());
  await arrived(server, 1);
  const [barrier] = server.host.describe("test", "barrier").barriers;
  expect(barrier?.waiting[0]?.who.node).toBe("node0");
  await server.close();
});

test("garbage, stalls and resets of many disturb a barrier of others in no way", async () => {
  const server = await startServer("memory log");
  const odd = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const client = await dial(server.syncd.port);
      if (index % 3 === 0) client.stream.write(new Uint8Array(200_000).fill(index));
      if (index % 3 === 1) client.stream.write(whole.subarray(0, index));
      return client;
    }),
  );
  const good = await Promise.all([ask(server, wait()), ask(server, wait()), ask(server, init(2))]);
  for (const client of odd) client.stream.destroy();
  expect(await Promise.all(good.map((client) => client.value()))).toEqual([0, 0, 0]);
  await server.close();
});
