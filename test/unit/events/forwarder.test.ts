// SPDX-License-Identifier: MIT
// Goal: a forwarder passes on every byte and each end (F1), keeps nothing (F2), cuts what cannot
// come (F3, F5), says once that it cannot (F4), and is bounded. Method: sockets on loopback at both
// ends of one.
import { createHash } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Forwarder } from "../../../src/events/forwarder.ts";
import {
  defaultForwarderLimits,
  type ForwarderLimits,
  resolveForwarderLimits,
} from "../../../src/events/forwarder-limits.ts";
import { type Clock, sleep, systemClock } from "../../../src/host/clock.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const host = "127.0.0.1";
const cleanup: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

/** Listens at a port of the system's choice. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  cleanup.push(() => void server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

interface Bench {
  readonly forwarder: Forwarder;
  readonly port: number;
  readonly warnings: string[];
}

async function forwardTo(
  port: number,
  limits: Partial<ForwarderLimits> = {},
  clock: Clock = systemClock,
): Promise<Bench> {
  const warnings: string[] = [];
  const forwarder = new Forwarder({
    to: { host, port },
    clock,
    limits: resolveForwarderLimits(limits),
    logger: { log: (_, message) => warnings.push(message) },
  });
  cleanup.push(() => forwarder.close());
  return { forwarder, port: await forwarder.listen({ host, port: 0 }), warnings };
}

/** A client that does not close its direction by itself. */
function client(port: number): Socket {
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.on("error", () => undefined);
  cleanup.push(() => void socket.destroy());
  return socket;
}

const closed = (socket: Socket): Promise<boolean> =>
  new Promise((resolve) => socket.resume().once("close", resolve));

async function read(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once("end", resolve));
  return Buffer.concat(chunks);
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns += 1) {
    if (turns === 30_000) throw new Error(`waited in vain for ${what}`);
    await sleep(systemClock, 1);
  }
}

const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("a forwarder", () => {
  it("F1 passes on what comes before an end, and answers after it", async () => {
    // Answers only when it has seen the end of what was asked.
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      void read(socket).then((asked) => socket.end(Buffer.concat([asked, asked])));
    });
    const { port, forwarder } = await forwardTo(await listen(server));
    const asked = Buffer.alloc(5_000_001, "all of it, and in order; ");
    const socket = client(port);
    socket.end(asked);
    const answer = await read(socket);
    expect(digest(answer)).toBe(digest(Buffer.concat([asked, asked])));
    await until("both sides to be gone", () => forwarder.connections === 0);
  });

  it("F1 the server's end leaves the client's direction open", async () => {
    const heard = new Promise<Buffer>((resolve) => {
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.end("that was all");
        resolve(read(socket));
      });
      void listen(server).then(async (to) => {
        const socket = client((await forwardTo(to)).port);
        await read(socket);
        socket.end("and that is mine");
      });
    });
    expect((await heard).toString()).toBe("and that is mine");
  });

  it("F2 reads no more of one side than the other takes", async () => {
    let peer: Socket | undefined;
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      peer = socket.pause();
    });
    const { port } = await forwardTo(await listen(server));
    const socket = client(port);
    const chunk = Buffer.alloc(64 * 1024);
    const total = 1_024 * chunk.length;
    for (let sent = 0; sent < total; sent += chunk.length) socket.write(chunk);
    await until("the server to have the connection", () => peer !== undefined);
    // The kernel takes some at each socket; the rest waits at the client while nobody reads.
    for (let quiet = 0, before = -1; quiet < 20; ) {
      await sleep(systemClock, 5);
      quiet = socket.writableLength === before ? quiet + 1 : 0;
      before = socket.writableLength;
    }
    expect(socket.writableLength).toBeGreaterThan(total / 4);
    let got = 0;
    peer?.on("data", (data: Buffer) => {
      got += data.length;
    });
    peer?.resume();
    await until("all of it", () => got === total);
  });

  it("F3 cuts a client when the other side does not answer, and says so", async () => {
    const unused = createServer();
    const port = await listen(unused);
    await new Promise((resolve) => unused.close(resolve));
    const bench = await forwardTo(port);
    await closed(client(bench.port));
    expect(bench.warnings.join()).toContain(`127.0.0.1:${port} does not answer (ECONNREFUSED)`);
    await until("nothing to be left", () => bench.forwarder.connections === 0);
  });

  it("F4 says once that nobody answers, cuts who comes meanwhile, and says when it is over", async () => {
    const unused = createServer();
    const port = await listen(unused);
    await new Promise((resolve) => unused.close(resolve));
    const bench = await forwardTo(port, { forwardRetryMs: 300 });
    await closed(client(bench.port));
    const sinceUs = systemClock.nowUs();
    // The first again after a while asks the other side; both are cut.
    for (let cut = 0; cut < 20; cut += 1) await closed(client(bench.port));
    while (systemClock.nowUs() - sinceUs < 300_000) await closed(client(bench.port));
    await closed(client(bench.port));
    expect(bench.warnings).toHaveLength(1);
    const server = createServer((socket) => socket.on("error", () => undefined));
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
    cleanup.push(() => void server.close());
    while (bench.warnings.length === 1) {
      const again = client(bench.port);
      await Promise.race([closed(again), until("it is told", () => bench.warnings.length > 1)]);
    }
    const [, over] = bench.warnings;
    expect(over).toMatch(
      /answers again; connections that were cut meanwhile: (?:2[2-9]|\d{3,}|[3-9]\d)$/,
    );
  });

  it("F5 what breaks one side breaks the other", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      sockets.push(socket);
    });
    const { port, forwarder } = await forwardTo(await listen(server));
    const [first, second] = [client(port), client(port)];
    await until("both", () => sockets.length === 2 && forwarder.connections === 2);
    sockets[0]?.resetAndDestroy();
    sockets[1]?.resetAndDestroy();
    await Promise.all([closed(first), closed(second)]);
    const third = client(port);
    await until("the third", () => sockets.length === 3);
    third.resetAndDestroy();
    await closed(sockets[2] ?? third);
    await until("nothing to be left", () => forwarder.connections === 0);
  });

  it("takes forwardedPerClientMax of one client and no more, and more when one has gone", async () => {
    const server = createServer((socket) => {
      socket.write("hello");
      socket.on("error", () => undefined);
    });
    const limits = { forwardedPerClientMax: 2, forwardedConnectionsMax: 3 };
    const { port, warnings } = await forwardTo(await listen(server), limits);
    const greeted = (socket: Socket): Promise<boolean> =>
      new Promise((resolve) => {
        socket.once("data", () => resolve(true));
        socket.once("close", () => resolve(false));
      });
    const first = client(port);
    expect(await greeted(first)).toBe(true);
    expect(await greeted(client(port))).toBe(true);
    expect(await greeted(client(port))).toBe(false);
    expect(warnings[0]).toContain("limit forwardedPerClientMax (2) reached");
    // From other addresses it is the other limit.
    const elsewhere = (localAddress: string): Socket => {
      const socket = connect({ host, port, localAddress });
      socket.on("error", () => undefined);
      cleanup.push(() => void socket.destroy());
      return socket;
    };
    expect(await greeted(elsewhere("127.0.0.2"))).toBe(true);
    expect(await greeted(elsewhere("127.0.0.3"))).toBe(false);
    expect(warnings[1]).toContain("limit forwardedConnectionsMax (3) reached");
    first.destroy();
    for (;;) if (await greeted(client(port))) break;
  });

  it("ends a connection on which nothing is said, and not one that speaks one way", async () => {
    const clock = new VirtualClock();
    const accepted: Socket[] = [];
    let speaking: Socket | undefined;
    const server = createServer((socket) => {
      accepted.push(socket);
      socket.on("error", () => undefined);
      socket.once("data", () => {
        speaking = socket;
      });
    });
    const { port } = await forwardTo(await listen(server), { forwardIdleMs: 100 }, clock);
    const [silent, busy] = [client(port), client(port)];
    let isBusyOpen = true;
    let heard = "";
    busy.write("x");
    busy.on("data", (chunk) => {
      heard += String(chunk);
    });
    busy.once("close", () => {
      isBusyOpen = false;
    });
    const isOver = closed(silent);
    await until("both to be passed on", () => accepted.length === 2 && speaking !== undefined);
    // Time stands still while something is on its way.
    for (let word = 1; word <= 8; word += 1) {
      speaking?.write("y");
      await until("a word to arrive", () => heard.length === word);
      await clock.pass(25_000);
    }
    await isOver;
    speaking?.write("y");
    await until("the last word to arrive", () => heard.length === 9);
    expect(isBusyOpen).toBe(true);
  });

  it("resolves its limits and refuses values that do not fit", () => {
    expect(resolveForwarderLimits()).toEqual(defaultForwarderLimits);
    expect(() => resolveForwarderLimits({ forwardIdleMs: 0 })).toThrow("forwardIdleMs");
    expect(() => resolveForwarderLimits({ forwardedConnectionsMax: 1 })).toThrow("one of all");
  });
});
