// SPDX-License-Identifier: MIT
// Goal: whatever a stranger asks to upgrade, the door stays, keeps nothing of him, and takes
// nothing from whom it has told to go. Method: raw bytes on loopback, and a client that keeps its
// side open.
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { SocketHandler } from "../../../src/edges/http/index.ts";
import { closeCodes } from "../../../src/edges/http/index.ts";
import { sessionProtocol } from "../../../src/wire/link/frames.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

function askUpgrade(port: number, target: string): Socket {
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  client.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n`);
  client.write("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  client.write("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
  return client;
}

async function answerTo(port: number, target: string): Promise<string> {
  const client = askUpgrade(port, target);
  let heard = "";
  for await (const chunk of client) heard += String(chunk);
  client.destroy();
  return heard;
}

describe("an upgrade", () => {
  it("to what is no path is refused, and the door goes on", async () => {
    bench = await HttpBench.start();
    for (const target of ["//", "http://[", "///x"]) {
      expect(await answerTo(bench.port, target)).toMatch(/^HTTP\/1\.1 40[04] /);
    }
    expect((await fetch(`${bench.url}/healthz`)).status).toBe(200);
  });

  it("that is refused leaves no connection behind, also when the client keeps its side", async () => {
    bench = await HttpBench.start();
    const client = askUpgrade(bench.port, "/nothing");
    const reset = new Promise<void>((resolve) => client.once("error", () => resolve()));
    for await (const _ of client.iterator({ destroyOnReturn: false })) break;
    // Whoever is gone answers with a reset; a door that waits for us would take it all.
    const write = (): void => {
      if (client.writable) client.write("x", () => setImmediate(write));
    };
    write();
    await reset;
  });
});

describe("an upgrade behind a request on the same connection", () => {
  const ask = (path: string, body: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const upgrade = [
    "GET /v1/session HTTP/1.1",
    ...["Host: localhost", "Connection: Upgrade", "Upgrade: websocket"],
    ...["Sec-WebSocket-Version: 13", `Sec-WebSocket-Protocol: ${sessionProtocol}`],
    ...["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""],
  ].join("\r\n");

  it("that still waits ends the connection: no answer gets into a WebSocket, and nobody waits on", async () => {
    bench = await HttpBench.start();
    const client = connect(bench.port, "127.0.0.1");
    client.write(ask("/v1/barriers/b/wait", "{}") + upgrade);
    let heard = "";
    client.on("data", (text) => (heard += String(text)));
    client.on("error", () => undefined);
    await new Promise((resolve) => client.once("close", resolve));
    expect(heard).toBe("");
    while (bench.host.figures().waiters > 0) await new Promise((next) => setImmediate(next));
    expect((await fetch(`${bench.url}/healthz`)).status).toBe(200);
  });

  it("that was answered takes place", async () => {
    bench = await HttpBench.start();
    const client = connect(bench.port, "127.0.0.1");
    client.write(ask("/v1/barriers/b/init", '{"count":1}'));
    let heard = "";
    client.on("data", (text) => {
      heard += String(text);
      if (heard.endsWith("}\n")) client.write(upgrade);
    });
    while (!heard.includes("101 Switching")) await new Promise((next) => setImmediate(next));
    expect(heard).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*HTTP\/1\.1 101 Switching/);
    client.destroy();
  });
});

describe("a WebSocket that the door has told to go", () => {
  it("is not listened to any more", async () => {
    bench = await HttpBench.start();
    const heard: string[] = [];
    bench.door.socket({
      ...{ path: "/v1/test", protocol: "test", summary: "", access: "look" },
      ...{ messageBytesMax: 100, perTokenMax: 1 },
      open: (socket): SocketHandler => ({
        onMessage(message) {
          heard.push(String(message));
          socket.end(closeCodes.invalid, "no more");
        },
        onClosed: () => undefined,
      }),
    });
    const raw = bench.socket("/v1/test", ["test"]);
    await raw.opened();
    for (const text of ["a", "b", "c"]) raw.say(text);
    expect((await raw.closed).code).toBe(closeCodes.invalid);
    expect(heard).toEqual(["a"]);
  });
});
