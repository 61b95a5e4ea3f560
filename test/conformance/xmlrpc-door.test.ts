// SPDX-License-Identifier: MIT
// Goal: what the HTTPS door lets through to its service, and that a call ends with its caller.
// Method: the door with a service that only notes, and raw requests over TLS.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectionsMax } from "../../src/edges/xmlrpc/bounds.ts";
import { type DoorIdentity, userOf, XmlRpcDoor } from "../../src/edges/xmlrpc/https.ts";
import type { ServiceCall, XmlRpcService } from "../../src/edges/xmlrpc/service.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { encodeCall, messageBytesMax, text } from "../../src/wire/xmlrpc/index.ts";
import { Certificates, type Pair } from "./xmlrpc/certificates.ts";

let folder = "";
let door: XmlRpcDoor;
let identity: DoorIdentity;
let port = 0;
let ann: Pair;
let authority = "";
let calls: ServiceCall[] = [];
let onCall: (call: ServiceCall) => void = () => undefined;

const service: XmlRpcService = {
  async call(call) {
    calls.push(call);
    onCall(call);
    if (call.method === "wait") await new Promise(() => undefined);
    if (call.method === "break") throw new TypeError("a planted fault");
    return text("done");
  },
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "muster-door-"));
  const certificates = new Certificates(folder);
  const server = certificates.issue("server", "localhost");
  ann = certificates.issue("user", "ann");
  authority = readFileSync(certificates.authority, "utf8");
  identity = {
    key: readFileSync(server.key, "utf8"),
    certificate: readFileSync(server.certificate, "utf8"),
    authority,
  };
  door = new XmlRpcDoor({ logger: silentLogger, identity, service });
  port = await door.listen("127.0.0.1", 0);
});
afterAll(() => {
  door.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly at?: number;
}

/** @returns the status and body. */
function send({ method = "POST", path = "/", headers = {}, body = "", at = port }: Sent) {
  calls = [];
  return new Promise<readonly [status: number, text: string]>((resolve, reject) => {
    const identity = {
      key: readFileSync(ann.key, "utf8"),
      cert: readFileSync(ann.certificate, "utf8"),
    };
    const asked = request({
      ...{ host: "localhost", port: at, method, path, headers, ca: authority, agent: false },
      ...identity,
    });
    asked.on("error", reject);
    asked.on("response", (response) => {
      let got = "";
      response.on("data", (chunk) => {
        got += String(chunk);
      });
      response.on("error", reject);
      response.on("end", () => resolve([response.statusCode ?? 0, got]));
    });
    asked.end(body);
  });
}

describe("the HTTPS door", () => {
  it("passes calls on with the user of the certificate", async () => {
    const body = encodeCall({ method: "a", params: [text("x")] });
    const [status, got] = await send({ body });
    expect([status, got]).toEqual([200, expect.stringContaining("<string>done</string>")]);
    expect(calls).toMatchObject([{ user: "ann", method: "a", params: [text("x")] }]);
  });

  it("answers what is no call, and what breaks, with faults", async () => {
    expect(await send({ body: "<!DOCTYPE a><a/>" })).toEqual([
      200,
      expect.stringContaining("<int>-32700</int>"),
    ]);
    expect(await send({ body: "<a/>" })).toEqual([200, expect.stringContaining("-32600")]);
    expect(calls).toEqual([]);
    const body = encodeCall({ method: "break", params: [] });
    expect(await send({ body })).toEqual([200, expect.stringContaining("a planted fault")]);
  });

  it("takes POST requests for XML-RPC of a limited size and nothing else", async () => {
    expect((await send({ method: "GET" }))[0]).toBe(405);
    expect((await send({ path: "/admin" }))[0]).toBe(404);
    const headers = { "Content-Length": String(messageBytesMax + 1), Expect: "100-continue" };
    expect((await send({ headers }))[0]).toBe(413);
    // No length is declared: it is counted.
    const body = Buffer.alloc(messageBytesMax + 1, " ");
    const chunked = { "Transfer-Encoding": "chunked" };
    expect((await send({ headers: chunked, body }))[0]).toBe(413);
    expect(calls).toEqual([]);
    const least = encodeCall({ method: "a", params: [] });
    const most = Buffer.alloc(messageBytesMax, " ");
    most.set(least);
    expect((await send({ body: most }))[0]).toBe(200);
  });

  it("tells who sends on, and reads then, that it is too long; and cuts who never ends", async () => {
    calls = [];
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const part = Buffer.alloc(64 * 1024, " ");
    const chunk = Buffer.concat([Buffer.from("10000\r\n"), part, Buffer.from("\r\n")]);
    const parts = Math.ceil(messageBytesMax / part.length);
    const sendParts = async (
      count: number,
    ): Promise<{ readonly heard: string; readonly sent: number }> => {
      const socket = connect({
        ...{ host: "127.0.0.1", servername: "localhost", port, ca: authority },
        ...{ key: readFileSync(ann.key, "utf8"), cert: readFileSync(ann.certificate, "utf8") },
      });
      let heard = "";
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => socket.destroy());
      socket.write(head);
      let sent = 0;
      for (; sent < count && !socket.destroyed; sent += 1) {
        const isTaken = new Promise((resolve) => socket.write(chunk, resolve));
        await Promise.race([isTaken, closed]);
      }
      if (!socket.destroyed) socket.write("0\r\n\r\n");
      socket.on("data", (piece: Buffer) => {
        heard += piece.toString();
      });
      await closed;
      return { heard, sent };
    };
    expect((await sendParts(parts + 32)).heard).toContain("HTTP/1.1 413 ");
    expect((await sendParts(4 * parts)).sent).toBeLessThan(4 * parts);
    expect(calls).toEqual([]);
  });

  it("makes no call of a request that was cut off, though its beginning is a whole document", async () => {
    const whole = encodeCall({ method: "cut", params: [] });
    calls = [];
    const socket = connect({
      ...{ host: "127.0.0.1", servername: "localhost", port, ca: authority },
      ...{ key: readFileSync(ann.key, "utf8"), cert: readFileSync(ann.certificate, "utf8") },
    });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => socket.destroy());
    socket.resume();
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${whole.length + 1}\r\n\r\n`);
    socket.end(whole);
    await closed;
    const before = calls;
    await send({ body: encodeCall({ method: "next", params: [] }) });
    expect([...before, ...calls].map(({ method }) => method)).toEqual(["next"]);
  });

  it("cuts who shows no certificate for who does, and nobody who has", async () => {
    const known = connect({
      ...{ host: "127.0.0.1", servername: "localhost", port, ca: authority },
      ...{ key: readFileSync(ann.key, "utf8"), cert: readFileSync(ann.certificate, "utf8") },
    });
    await new Promise((resolve) => known.once("session", resolve));
    const silent = Array.from({ length: connectionsMax + 1 }, () => {
      const socket = connectTcp(port, "127.0.0.1").resume();
      socket.on("error", () => undefined);
      return { socket, closed: new Promise((resolve) => socket.once("close", resolve)) };
    });
    await Promise.all(silent.slice(0, 2).map(({ closed }) => closed));
    expect((await send({ body: encodeCall({ method: "next", params: [] }) }))[0]).toBe(200);
    expect(silent.filter(({ socket }) => socket.destroyed).length).toBeLessThan(5);
    expect(known.destroyed).toBe(false);
    for (const socket of [known, ...silent.map((one) => one.socket)]) socket.destroy();
  });

  it("cuts who has no call under way for one more, and answers a user's calls that are too many", async () => {
    const bounds = { connectionsMax: 4, callsPerUserMax: 2 };
    const narrow = new XmlRpcDoor({ logger: silentLogger, identity, service, ...bounds });
    const at = await narrow.listen("127.0.0.1", 0);
    const body = Buffer.from(encodeCall({ method: "wait", params: [] })).toString();
    const come = async (lackingBytes: number) => {
      const socket = connect({
        ...{ host: "127.0.0.1", servername: "localhost", port: at, ca: authority },
        ...{ key: readFileSync(ann.key), cert: readFileSync(ann.certificate) },
      });
      socket.on("error", () => undefined).resume();
      await once(socket, "secureConnect");
      const bytes = body.length + lackingBytes;
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n${body}`);
      return { socket, closed: new Promise((resolve) => socket.once("close", resolve)) };
    };
    const next = { at, body: encodeCall({ method: "next", params: [] }) };
    let waiting = 0;
    const whenWaiting = new Promise<void>((resolve) => {
      onCall = () => {
        waiting += 1;
        if (waiting === 2) resolve();
      };
    });
    const waits = [await come(0), await come(0)];
    await whenWaiting;
    expect(await send(next)).toEqual([429, expect.stringContaining("callsPerUserMax (2)")]);
    const halves = [await come(1), await come(1), await come(1)];
    await halves[0]?.closed;
    waits[0]?.socket.destroy();
    await expect.poll(async () => (await send(next))[0]).toBe(200);
    expect(waits[1]?.socket.destroyed).toBe(false);
    narrow.close();
    onCall = () => undefined;
  });

  it("ends all calls of a caller who goes, also those that wait for the answer of another", async () => {
    const narrow = new XmlRpcDoor({ logger: silentLogger, identity, service, callsPerUserMax: 2 });
    const at = await narrow.listen("127.0.0.1", 0);
    const body = Buffer.from(encodeCall({ method: "wait", params: [] })).toString();
    const call = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const ended = new Promise<void>((resolve) => {
      let [begun, over] = [0, 0];
      onCall = ({ signal }) => {
        signal.addEventListener("abort", () => {
          over += 1;
          if (over === 2) resolve();
        });
        begun += 1;
        if (begun === 2) socket.destroy();
      };
    });
    const socket = connect({
      ...{ host: "127.0.0.1", servername: "localhost", port: at, ca: authority },
      ...{ key: readFileSync(ann.key), cert: readFileSync(ann.certificate) },
    });
    socket.on("error", () => undefined).resume();
    await once(socket, "secureConnect");
    socket.write(call + call);
    await ended;
    onCall = () => undefined;
    const next = encodeCall({ method: "next", params: [] });
    expect((await send({ at, body: next }))[0]).toBe(200);
    narrow.close();
  });

  it("ends a call when its caller goes", async () => {
    const aborted = new Promise<void>((resolve) => {
      onCall = ({ signal }) => {
        signal.addEventListener("abort", () => resolve());
        asked.destroy();
      };
    });
    const asked = request({
      ...{ host: "localhost", port, method: "POST", ca: authority, agent: false },
      ...{ key: readFileSync(ann.key, "utf8"), cert: readFileSync(ann.certificate, "utf8") },
    });
    asked.on("error", () => undefined);
    asked.end(encodeCall({ method: "wait", params: [] }));
    await aborted;
    onCall = () => undefined;
  });
});

describe("the user of a certificate", () => {
  it("is the one common name of one whose only unit is user", () => {
    const named = (subject: unknown): string | undefined => userOf({ subject } as never);
    expect(named({ OU: "user", CN: "ann" })).toBe("ann");
    for (const subject of [
      undefined,
      {},
      { CN: "ann" },
      { OU: "user" },
      { OU: "user", CN: "" },
      { OU: "node", CN: "ann" },
      { OU: ["user", "node"], CN: "ann" },
      { OU: "user", CN: ["ann", "root"] },
    ]) {
      expect(named(subject)).toBeUndefined();
    }
  });
});
