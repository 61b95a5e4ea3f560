// SPDX-License-Identifier: MIT
// Goal: GNUnet's own library, unchanged, meets at our barriers as driver and as peer, and every
// byte is what the specification says. Method: small C programs over Debian's libgnunettestbed
// (gnunet/waiter.c, gnunet/driver.c) and an independent client in Python, against the shipped
// controller on the real host, on a plain log and on one that delays, fails and repeats.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  startController,
  type TestController,
  type TestControllerOptions,
} from "../unit/gnunet/controller-harness.ts";
import { type LogKind, logKinds, until } from "../unit/syncd/harness.ts";
import { GnunetPrograms, type IndependentClient, type LineProgram } from "./gnunet/programs.ts";

let programs: GnunetPrograms;
const open: TestController[] = [];

beforeAll(async () => {
  programs = await GnunetPrograms.build();
}, 120_000);

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

afterAll(() => programs.close());

async function start(
  options: TestControllerOptions = {},
  kind: LogKind = "memory log",
): Promise<TestController> {
  const controller = await startController(kind, options);
  open.push(controller);
  return controller;
}

/** The library's driver, connected and known as the driver. */
async function libraryDriver({ config, controller }: TestController): Promise<LineProgram> {
  const driver = programs.driver(config);
  await driver.said(/^connected/);
  await until(() => controller.counters.hasDriver, "the driver is known");
  return driver;
}

/** The independent client with a driver `d` that has introduced itself. */
async function independent({ at, controller }: TestController): Promise<IndependentClient> {
  const client = programs.python();
  await client.open("d", at.testbed);
  client.send("d", { hello: {} });
  await until(() => controller.counters.hasDriver, "the driver is known");
  return client;
}

/** Opens peers `p1`, `p2`, ... and lets each wait; returns when all of them are counted. */
async function peersWait(
  client: IndependentClient,
  { at, waiting }: TestController,
  ids: readonly string[],
  name = "b",
): Promise<void> {
  for (const id of ids) {
    await client.open(id, at["testbed-barrier"]);
    client.send(id, { wait: { name } });
  }
  await waiting(ids.length);
}

const status = (word: number, name = "b"): string => {
  const bytes = Buffer.from(name);
  const head = Buffer.alloc(8);
  head.writeUInt16BE(9 + bytes.length, 0);
  head.writeUInt16BE(486, 2);
  head.writeUInt16BE(word, 4);
  head.writeUInt16BE(bytes.length, 6);
  return Buffer.concat([head, bytes, Buffer.alloc(1)]).toString("hex");
};

describe.each(logKinds)("the library, on the %s", (kind) => {
  test.each([
    ["sockets in the file system", false],
    ["TCP", true],
  ])("meets as driver and as peers over %s", async (_what, tcp) => {
    const server = await start({ tcp, peers: 3 }, kind);
    const driver = await libraryDriver(server);
    driver.send("init test_barrier 100");
    await driver.said(/^status test_barrier 1$/);
    const first = programs.waiter(server.config, "test_barrier", "2");
    await server.waiting(2);
    expect(first.lines).toEqual(["waiting"]);
    expect(driver.lines.filter((line) => line.startsWith("status"))).toHaveLength(1);
    const last = programs.waiter(server.config, "test_barrier");
    await driver.said(/^status test_barrier 2$/);
    expect(await first.ended).toBe(0);
    expect(await last.ended).toBe(0);
    expect(first.lines).toEqual(["waiting", "result 1", "result 1"]);
    driver.send("quit");
    expect(await driver.ended).toBe(0);
    expect(driver.lines).toContain("bye ok");
  });

  test("registers peers, which are counted, and starts none", async () => {
    const server = await start({}, kind);
    const driver = await libraryDriver(server);
    driver.send("peer");
    driver.send("peer");
    await driver.said(/^peer ok$/, 2);
    driver.send("start");
    expect(await driver.said(/^started/)).toContain("Muster registers peers and starts none");
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const one = programs.waiter(server.config, "b");
    await server.waiting(1);
    expect(one.lines).toEqual(["waiting"]);
    // One of the two is taken out: who waits is everybody now.
    driver.send("destroy");
    await driver.said(/^destroyed ok$/);
    await driver.said(/^status b 2$/);
    expect(await one.ended).toBe(0);
  });

  test("is told what is not done here, of hosts and of peers, and goes on", async () => {
    const server = await start({}, kind);
    const driver = await libraryDriver(server);
    driver.send("peer");
    await driver.said(/^peer ok$/);
    driver.send("host");
    await driver.said(/^host ok$/);
    driver.send("link");
    expect(await driver.said(/^operation/)).toContain("join it by themselves: muster serve");
    driver.send("slave");
    expect(await driver.said(/^operation/, 2)).toContain("muster serve --parent");
    driver.send("information");
    expect(await driver.said(/^information/)).toContain("registers peers and starts none");
    driver.send("change");
    expect(await driver.said(/^operation/, 3)).toContain("registers peers and starts none");
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const waiter = programs.waiter(server.config, "none");
    expect(await waiter.ended).not.toBe(0);
    // Who is shut down is not waited for.
    driver.send("shutdown");
    await driver.said(/^shutdown ok$/);
    await driver.said(/^status b 2$/);
    driver.send("quit");
    expect(await driver.ended).toBe(0);
  });

  test("opens a name again after its release", async () => {
    const server = await start({ peers: 1 }, kind);
    const driver = await libraryDriver(server);
    for (let round = 1; round <= 3; round += 1) {
      driver.send("init again 100");
      await driver.said(/^status again 1$/, round);
      const waiter = programs.waiter(server.config, "again");
      await driver.said(/^status again 2$/, round);
      expect(await waiter.ended).toBe(0);
    }
  });
});

describe("the library's waiters", () => {
  test("hear of a cancel, which the driver survives", async () => {
    const server = await start({ peers: 2 });
    const driver = await libraryDriver(server);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const waiter = programs.waiter(server.config, "b");
    await server.waiting(1);
    driver.send("cancel b");
    expect(await waiter.ended).toBe(1);
    expect(waiter.lines).toEqual(["waiting", "result -1"]);
    driver.send("init b 50");
    await driver.said(/^status b 1$/, 2);
  });

  test("hear at once that nobody opened their barrier", async () => {
    const server = await start({ peers: 2 });
    const waiter = programs.waiter(server.config, "nobody");
    expect(await waiter.ended).toBe(1);
    expect(waiter.lines).toEqual(["waiting", "result -1"]);
  });

  test("that come late hear at once that it is crossed", async () => {
    const server = await start({ peers: 2 });
    const driver = await libraryDriver(server);
    driver.send("init half 50");
    await driver.said(/^status half 1$/);
    const first = programs.waiter(server.config, "half");
    expect(await first.ended).toBe(0);
    const late = programs.waiter(server.config, "half");
    expect(await late.ended).toBe(0);
    // It is not told to the driver again.
    driver.send("quit");
    await driver.ended;
    expect(driver.lines.filter((line) => line === "status half 2")).toHaveLength(1);
  });

  test("that give up are not counted any more", async () => {
    const server = await start({ peers: 2 });
    const driver = await libraryDriver(server);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const gone = programs.waiter(server.config, "--cancel", "b");
    await server.waiting(1);
    gone.endInput();
    await gone.ended;
    expect(gone.lines).toEqual(["waiting", "cancelled"]);
    await server.waiting(0);
    const one = programs.waiter(server.config, "b");
    await server.waiting(1);
    expect(driver.lines).not.toContain("status b 2");
    const two = programs.waiter(server.config, "b");
    expect(await one.ended).toBe(0);
    expect(await two.ended).toBe(0);
  });

  test("hear that the driver is gone", async () => {
    const server = await start({ peers: 2 });
    const driver = await libraryDriver(server);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const waiter = programs.waiter(server.config, "b");
    await server.waiting(1);
    driver.kill("SIGKILL");
    expect(await waiter.ended).toBe(1);
    // The next driver may come, and use the same name.
    await until(() => !server.controller.counters.hasDriver, "the driver is gone");
    const next = await libraryDriver(server);
    next.send("init b 50");
    await next.said(/^status b 1$/);
  });

  test("hear that the controller is gone, and so does the driver", async () => {
    const server = await start({ peers: 2 });
    const driver = await libraryDriver(server);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const waiter = programs.waiter(server.config, "b");
    await server.waiting(1);
    await server.controller.close();
    expect(await waiter.ended).toBe(1);
    await driver.ended;
  });
});

describe("every byte", () => {
  test("of both phases, with nobody told before the echo", async () => {
    const server = await start({ peers: 3 });
    const client = await independent(server);
    client.send("d", { init: { quorum: 100, name: "b" } });
    const [initialised] = await client.heard("d", 1);
    expect(initialised?.hex).toBe(status(1));
    await peersWait(client, server, ["p1", "p2"]);
    expect(client.told("d")).toHaveLength(1);
    await client.open("p3", server.at["testbed-barrier"]);
    client.send("p3", { wait: { name: "b" } });
    const crossed = await client.heard("d", 2);
    expect(crossed.map(({ hex }) => hex)).toEqual([status(1), status(2)]);
    for (const id of ["p1", "p2", "p3"]) expect(client.told(id)).toEqual([]);
    client.send("d", { status: { status: 2, name: "b" } });
    for (const id of ["p1", "p2", "p3"]) {
      const told = await client.heard(id, 1);
      expect(told.map(({ hex }) => hex)).toEqual([status(2)]);
    }
    // The connections stay open: each may wait for something else.
    client.send("d", { init: { quorum: 34, name: "next" } });
    await client.heard("d", 3);
    client.send("p1", { wait: { name: "next" } });
    await server.waiting(1);
    client.send("p2", { wait: { name: "next" } });
    expect((await client.heard("d", 4)).at(-1)?.hex).toBe(status(2, "next"));
  });

  test("of what waiters are told when they cannot have what they wait for", async () => {
    const server = await start({ peers: 2 });
    const client = await independent(server);
    await client.open("unknown", server.at["testbed-barrier"]);
    client.send("unknown", { wait: { name: "nobody" } });
    const unknown = await client.heard("unknown", 2);
    expect(unknown[0]).toMatchObject({ type: 486, status: 3, name: "nobody" });
    expect(unknown[0]?.text).toContain("nobody");
    expect(unknown[1]?.closed).toBe("eof");
    client.send("d", { init: { quorum: 100, name: "b" } });
    await client.heard("d", 1);
    await peersWait(client, server, ["p"]);
    client.send("d", { cancel: { name: "b" } });
    const cancelled = await client.heard("p", 2);
    expect(cancelled[0]).toMatchObject({ type: 486, status: 3, name: "b" });
    expect(cancelled[0]?.text).toContain("cancelled");
    expect(cancelled[1]?.closed).toBe("eof");
    expect(client.told("d")).toHaveLength(1);
  });

  // [GNUNET-BARRIERS 5]
  test.each([
    [0, 1],
    [1, 1],
    [33, 1],
    [34, 2],
    [50, 2],
    [66, 2],
    [67, 3],
    [99, 3],
    [100, 3],
  ])("a quorum of %i percent of three needs %i", async (quorum, needed) => {
    const server = await start({ peers: 3 });
    const client = await independent(server);
    client.send("d", { init: { quorum, name: "b" } });
    await client.heard("d", 1);
    const ids = ["p1", "p2", "p3"].slice(0, needed);
    await peersWait(client, server, ids.slice(0, -1));
    await client.obeyed();
    expect(client.told("d")).toHaveLength(1);
    const last = ids.at(-1) ?? "";
    await client.open(last, server.at["testbed-barrier"]);
    client.send(last, { wait: { name: "b" } });
    expect((await client.heard("d", 2)).map(({ hex }) => hex)).toEqual([status(1), status(2)]);
  });

  test("in pieces of one byte, and many messages in one write", async () => {
    const server = await start();
    const client = await independent(server);
    client.send("d", { create: { operation: 5, peer: 1 }, pieces: 1 });
    client.send("d", { init: { quorum: 100, name: "b" }, pieces: 1 });
    const [created, initialised] = await client.heard("d", 2);
    expect(created).toMatchObject({ type: 474, peer: 1, operation: 5 });
    expect(initialised?.hex).toBe(status(1));
    await client.open("p", server.at["testbed-barrier"]);
    client.send("p", { wait: { name: "b" }, pieces: 1 });
    expect((await client.heard("d", 3)).at(-1)?.hex).toBe(status(2));
    const echoAndMore = `${status(2)}000801e4640061`.replace("000801e4640061", "000601e46461");
    client.send("d", { raw: `${echoAndMore}000601e46462` });
    const told = await client.heard("d", 5);
    expect(told.slice(3).map(({ hex }) => hex)).toEqual([status(1, "a"), status(1, "b")]);
    expect((await client.heard("p", 1))[0]?.hex).toBe(status(2));
  });

  test.each([
    ["of one byte", "x", {}],
    ["in UTF-8", "größe €", {}],
    ["of bytes that are no UTF-8", "b\udcff\udc80", {}],
    ["as long as the limit", "n".repeat(255), {}],
    ["as long as a status can carry", "n".repeat(65_526), { nameBytesMax: 65_526 }],
  ])("of a name %s", async (_what, name, limits) => {
    const server = await start({ peers: 1, limits });
    const client = await independent(server);
    client.send("d", { init: { quorum: 100, name } });
    expect((await client.heard("d", 1))[0]).toMatchObject({ status: 1, name });
    await client.open("p", server.at["testbed-barrier"]);
    client.send("p", { wait: { name } });
    expect((await client.heard("d", 2))[1]).toMatchObject({ status: 2, name });
    client.send("d", { status: { status: 2, name } });
    expect((await client.heard("p", 1))[0]).toMatchObject({ status: 2, name });
  });

  test("of a name one byte too long, which is refused at both doors", async () => {
    const server = await start({ peers: 1 });
    const client = await independent(server);
    const name = "n".repeat(256);
    client.send("d", { init: { quorum: 100, name } });
    const [refused] = await client.heard("d", 1);
    expect(refused).toMatchObject({ status: 3, name });
    expect(refused?.text).toContain("nameBytesMax");
    await client.open("p", server.at["testbed-barrier"]);
    client.send("p", { wait: { name } });
    expect((await client.heard("p", 2)).map(({ status, closed }) => status ?? closed)).toEqual([
      3,
      "eof",
    ]);
  });
});
