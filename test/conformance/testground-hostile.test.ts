// SPDX-License-Identifier: MIT
// Goal: whatever a client sends, however it cuts it, its connection gets the documented end, nobody
// else notices, and nothing is left behind. Method: bytes on a socket, by hand, beside a client
// that goes on all the time; the heap and the open handles before and after.
import { connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/core/random.ts";
import { startDoor, TestClient, type TestDoor, until } from "../unit/testground/harness.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let door: TestDoor;
let bystander: TestClient;
let asked = 0;
beforeAll(async () => {
  door = await startDoor("memory log");
  bystander = await TestClient.open(door.port);
});
afterAll(async () => {
  bystander.socket.terminate();
  await door.close();
});

/** The client beside them is served as ever. */
async function goesOn(): Promise<void> {
  asked += 1;
  bystander.ask(`by${asked}`, { kind: "barrier", state: "quiet", target: 0 });
  expect(await bystander.answer(`by${asked}`)).toMatchObject({ kind: "done" });
  bystander.got.length = 0;
}

const handshake = Buffer.from(
  "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
);

/** A frame with a mask of zeros, so that its payload is as it reads. */
function frame(payload: string | Buffer, first = 0x81, saidLength?: number): Buffer {
  const bytes = Buffer.from(payload);
  const length = saidLength ?? bytes.length;
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(4), bytes]);
}

/** What the server sent until the end of the connection. */
class Raw {
  readonly socket: Socket;
  readonly ended: Promise<void>;
  bytes = Buffer.alloc(0);

  constructor() {
    this.socket = connect({ port: door.port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
    });
    this.socket.on("error", () => undefined);
    this.ended = new Promise((resolve) => this.socket.once("close", () => resolve()));
  }

  write(...parts: readonly Buffer[]): this {
    for (const part of parts) this.socket.write(part);
    return this;
  }

  /** The code of the close frame it got, 0 for none. */
  async closeCode(): Promise<number> {
    await until(() => this.socket.destroyed || this.#code() !== 0);
    const code = this.#code();
    this.socket.destroy();
    await this.ended;
    return code;
  }

  #code(): number {
    const body = this.bytes.subarray(this.bytes.indexOf("\r\n\r\n") + 4);
    for (let at = 0; at + 3 < body.length; ) {
      const length = body[at + 1] ?? 0;
      if (body[at] === 0x88) return body.readUInt16BE(at + 2);
      at += 2 + length;
    }
    return 0;
  }
}

const signal = '{"id":"0","signal_entry":{"state":"s"}}';
const deep = `{"id":"0","publish":{"topic":"t","payload":${"[".repeat(50_000)}`;

const documented: readonly (readonly [what: string, bytes: Buffer, code: number])[] = [
  ["no JSON", frame("hello"), 1007],
  ["null", frame("null"), 1007],
  ["an empty message", frame(""), 1007],
  ["JSON that is too deep", frame(deep), 1007],
  ["text that is no UTF-8", frame(Buffer.from([0x22, 0xc3, 0x22])), 1007],
  ["a frame that says 64 MB", frame("{", 0x81, 64 * 1024 * 1024), 1009],
  ["a frame that says 2^63", frame("{", 0x81, Number.MAX_SAFE_INTEGER), 1009],
  ["a compressed message that is none", frame("\x07\x07\x07", 0xc1), 1007],
  ["a frame without a mask", Buffer.from([0x81, 2, 0x7b, 0x7d]), 1002],
  ["a frame of an unknown kind", frame("{}", 0x83), 1002],
  ["a frame with reserved bits", frame("{}", 0xb1), 1002],
  ["a continuation of nothing", frame("{}", 0x80), 1002],
  ["a control frame in pieces", frame("", 0x09), 1002],
];

async function assault(seed: number): Promise<void> {
  const random = new Random(seed);
  for (const [what, bytes, code] of documented) {
    expect(await new Raw().write(handshake, bytes).closeCode(), what).toBe(code);
  }
  // Cut off at every position of the frame, and in the middle of the handshake.
  const whole = frame(signal);
  for (let at = 0; at < whole.length; at += 3) {
    const raw = new Raw().write(handshake, whole.subarray(0, at));
    raw.socket.end();
    await raw.ended;
  }
  for (let at = 0; at < handshake.length; at += 10) {
    const raw = new Raw().write(handshake.subarray(0, at));
    raw.socket.destroy();
    await raw.ended;
  }
  for (let round = 0; round < 50; round += 1) {
    const noise = Buffer.from(Array.from({ length: 200 }, () => random.below(256)));
    const raw = new Raw().write(...(round % 2 === 0 ? [handshake, noise] : [noise]));
    raw.socket.end();
    await raw.ended;
  }
  await goesOn();
}

describe("hostile clients", () => {
  it.each(documented)("%s: the documented close", async (_what, bytes, code) => {
    expect(await new Raw().write(handshake, bytes).closeCode()).toBe(code);
    await goesOn();
  });

  it("a request is read wherever the bytes are cut", async () => {
    const whole = Buffer.concat([handshake, frame(signal)]);
    for (let at = 1; at < whole.length; at += 1) {
      const raw = new Raw().write(whole.subarray(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      raw.write(whole.subarray(at));
      await until(() => raw.bytes.includes('"signal_entry":{"seq":'));
      raw.socket.destroy();
      await raw.ended;
    }
    await goesOn();
  });

  it("one that sends a byte at a time is served when it is done", async () => {
    const raw = new Raw().write(handshake);
    for (const byte of frame(signal)) {
      raw.write(Buffer.from([byte]));
      await goesOn();
    }
    await until(() => raw.bytes.includes('"signal_entry":{"seq":'));
    raw.socket.destroy();
    await raw.ended;
  });

  it("leave neither memory nor handles behind", async () => {
    const measure = async () => {
      await until(() => door.door.counters.connections === 1);
      for (let turn = 0; turn < 5; turn += 1) {
        collectGarbage();
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { heapUsed, external } = process.memoryUsage();
      const handles = process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"));
      return { bytes: heapUsed + external, handles: handles.length };
    };
    await assault(1);
    await assault(2);
    const before = await measure();
    for (const seed of [3, 4, 5]) await assault(seed);
    const after = await measure();
    expect(after.handles).toBe(before.handles);
    expect(after.bytes).toBeLessThan(before.bytes * 1.05);
    expect(door.door.counters).toMatchObject({ connections: 1, requests: 0, feeds: 0 });
  });
});
