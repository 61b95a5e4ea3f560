// SPDX-License-Identifier: MIT
// Goal: connections that somebody else has accepted are served under the same times as the door's
// own, and leave no timer behind. Method: a listener of the test's own on loopback.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHttpDoor, type HttpDoor } from "../../../src/edges/http/index.ts";
import { httpTime } from "../../../src/edges/http-time.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { silentLogger } from "../../../src/host/logger.ts";

let door: HttpDoor;
let listener: Server;
beforeEach(async () => {
  const time = { ...httpTime, headMs: 50, sweepMs: 10 };
  door = createHttpDoor({ clock: systemClock, logger: silentLogger, access: {}, time });
  listener = createServer({ allowHalfOpen: true }, (socket) => door.accept(socket));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
});
afterEach(async () => {
  await door.close();
  listener.close();
});

const port = (): number => (listener.address() as AddressInfo).port;

async function heardOf(text: string): Promise<string> {
  const client = connect(port(), "127.0.0.1");
  client.write(text);
  let heard = "";
  for await (const chunk of client) heard += String(chunk);
  return heard;
}

describe("a connection that the door was handed", () => {
  it("is cut when the head of its request does not come", async () => {
    expect(await heardOf("GET / HTTP/1.1\r\nHost: ")).toMatch(/^HTTP\/1.1 408 /);
  });

  it("is answered", async () => {
    const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    expect(await heardOf(request)).toMatch(/^HTTP\/1.1 200 /);
  });

  it("is passed over when it is closed by then, as Node would wait for its end", async () => {
    const stream = new PassThrough();
    stream.destroy();
    await once(stream, "close");
    door.accept(stream);
    expect(door.connectionCount).toBe(0);
  });
});
