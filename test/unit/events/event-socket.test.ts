// SPDX-License-Identifier: MIT
// Goal: a client of a bus notices a server that is gone without a word, and only then. Method: a
// server on loopback that says nothing, and one that asks for signs of life.
import { afterEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { openEventSocket } from "../../../src/cli/event-bus.ts";
import { eventClientTime } from "../../../src/client/event-limits.ts";
import { httpTime } from "../../../src/edges/http-time.ts";

let server: WebSocketServer | undefined;
afterEach(() => {
  for (const client of server?.clients ?? []) client.terminate();
  server?.close();
});

function listen(): Promise<string> {
  const started = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server = started;
  return new Promise((resolve) => {
    started.once("listening", () => {
      const address = started.address();
      resolve(typeof address === "string" ? address : `ws://127.0.0.1:${address?.port}`);
    });
  });
}

const ended = (socket: WebSocket): Promise<number> =>
  new Promise((resolve) => socket.once("close", resolve));

describe("openEventSocket", () => {
  it("ends a connection on which nothing comes", async () => {
    const socket = openEventSocket(await listen(), 50);
    expect(await ended(socket)).toBe(1006);
  });

  it("keeps one whose server asks for signs of life, for as long as it does", async () => {
    const url = await listen();
    let asked = 0;
    server?.on("connection", (client) => {
      client.on("pong", () => {
        asked += 1;
        // From the third answer on it says nothing more.
        if (asked < 3) client.ping();
      });
      client.ping();
    });
    const socket = openEventSocket(url, 2_000);
    await ended(socket);
    expect(asked).toBe(3);
  });

  it("gives a server time to ask, and the client to answer", () => {
    expect(eventClientTime.silenceMs).toBeGreaterThan(httpTime.pingMs + httpTime.pongMs);
  });
});
