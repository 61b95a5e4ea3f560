// SPDX-License-Identifier: MIT
// Goal: requests that come on one connection before the ones ahead of them were answered cost what
// is read of them (T1), keep nobody else waiting (T2), and all leave with their connection (T3).
// Method: a door on loopback with a route that counts, and raw connections; what is expected is
// counted, not timed.
import { connect as connectSocket, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defineRoute } from "../../../src/edges/http/route.ts";
import { HttpBench } from "./http-bench.ts";

const answerBytes = 1024 * 1024;
let bench: HttpBench;
let sockets: Socket[];
/** Answers that were made, in this turn of the event loop, and in the turn that made most. */
let made: number;
let madeInTurn: number;
let madeInTurnMax: number;
beforeEach(async () => {
  sockets = [];
  [made, madeInTurn, madeInTurnMax] = [0, 0, 0];
  bench = await HttpBench.start();
  const answers = [{ status: 200, what: "Much", type: "text/plain" }];
  const rest = { summary: "Much", access: "anyone", isScoped: false, answers } as const;
  const count = (): void => {
    made += 1;
    madeInTurn += 1;
    madeInTurnMax = Math.max(madeInTurnMax, madeInTurn);
    bench.host.clock.endOfTurn(() => {
      madeInTurn = 0;
    });
  };
  const say = (path: string, body: string) =>
    bench.door.route(
      defineRoute({
        ...{ ...rest, method: "GET", path },
        handle: () => {
          count();
          return { kind: "reply", status: 200, type: "text/plain", body };
        },
      }),
    );
  say("/much", "x".repeat(answerBytes));
  say("/little", "x");
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await bench.close();
});

/** A connection that reads nothing until it is resumed. */
function open(): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connectSocket(bench.port, "127.0.0.1", () => resolve(socket));
    socket.on("error", () => undefined).pause();
    sockets.push(socket);
  });
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
const wait = (barrier: string): string =>
  `POST /v1/barriers/${barrier}/wait HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}`;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await askElsewhere();
}

/** By another connection: the door has gone on by some turns then. */
async function askElsewhere(): Promise<void> {
  expect((await fetch(`${bench.url}/healthz`)).status).toBe(200);
}

describe("requests that are pipelined", () => {
  it("T1: who reads nothing has no more answers made than the kernel takes, and one", async () => {
    const count = 90;
    const socket = await open();
    socket.write(get("/much").repeat(count));
    await until(() => made > 0);
    for (let at = 0; at < 50; at += 1) await askElsewhere();
    // Buffers of both ends grow to 10 MB where they are as the kernel has them.
    expect(made).toBeLessThan(count / 2);
    let bytes = 0;
    socket.on("data", (some: Buffer) => {
      bytes += some.length;
    });
    socket.resume();
    await until(() => bytes > count * answerBytes);
    expect(made).toBe(count);
  });

  it("T2: in a turn one is begun, beside the first of each connection", async () => {
    const [one, other] = [await open(), await open()];
    for (const socket of [one, other]) socket.resume().write(get("/little").repeat(90));
    await until(() => made === 180);
    expect(madeInTurnMax).toBeLessThanOrEqual(3);
  });

  it("T1: those that wait keep nobody back who may be for them", async () => {
    const socket = await open();
    let text = "";
    socket.on("data", (some: Buffer) => {
      text += some.toString();
    });
    const state = "POST /v1/states/s";
    const head = "HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ";
    const waits = `${state}/wait ${head}12\r\n\r\n{"target":1}`;
    const signals = `${state}/signal ${head}2\r\n\r\n{}`;
    socket.resume().write(`${waits}${waits}${signals}${get("/little")}`);
    await until(() => text.split("200 OK").length === 5);
  });

  it("T3: all that wait leave with their connection", async () => {
    const socket = await open();
    await fetch(`${bench.url}/v1/barriers/b/init`, { method: "POST", body: '{"count":9}' });
    socket.write(wait("b").repeat(3));
    await until(() => bench.host.figures().waiters === 3);
    socket.destroy();
    await until(() => bench.host.figures().waiters === 0);
  });
});
