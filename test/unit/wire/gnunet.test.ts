// SPDX-License-Identifier: MIT
// Goal: the codec of the GNUnet testbed wire reads and writes what the specification says, whatever
// the chunks, and refuses everything else. Method: vector tables in both directions, round trips,
// every split, garbage. fast-check prints its seed and path when it fails.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BarrierStatus,
  decodeMessage,
  decodeName,
  encodeMessage,
  encodeName,
  type FramerResult,
  type GnunetMessage,
  MessageFramer,
  messageBytesMax,
  nameBytesMaxOnWire,
} from "../../../src/wire/gnunet/index.ts";
import { parseBytes, readVectors } from "./vectors.ts";

/** A message as the tables write it. */
function parseMessage(json: string): GnunetMessage {
  return JSON.parse(json, (key, value: unknown) => {
    if (typeof value !== "string") return value;
    if (key === "config") return Uint8Array.from(Buffer.from(value, "hex"));
    if (value.startsWith("0x")) return BigInt(value);
    const repeated = /^(\d+)\*a$/.exec(value);
    return repeated === null ? value : "a".repeat(Number(repeated[1]));
  }) as GnunetMessage;
}

describe("vectors", () => {
  test.each(readVectors("gnunet", "messages.md"))("%s: both directions", (_what, hex, json) => {
    const bytes = parseBytes(hex!);
    const message = parseMessage(json!);
    expect(decodeMessage(bytes)).toEqual(message);
    expect(encodeMessage(message)).toEqual(bytes);
  });

  test.each(readVectors("gnunet", "refused.md"))("%s: refused", (_what, hex, message) => {
    const result = decodeMessage(parseBytes(hex!));
    expect(result).toMatchObject({ kind: "refused", code: "invalid" });
    expect(result.kind === "refused" && result.message).toContain(message);
  });

  test("types that need no layout here are told by number", () => {
    for (const type of [0, 1, 469, 471, 477, 480, 483, 488, 495, 496, 65_535]) {
      const bytes = Uint8Array.from([0, 4, type >> 8, type & 0xff]);
      expect(decodeMessage(bytes)).toEqual({ kind: "unknown", type });
    }
  });
});

const nameBytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.filter((byte) => byte !== 0)),
  fc
    .string({ unit: "binary", maxLength: 20 })
    .map((text) => Uint8Array.from(Buffer.from(text.replaceAll("\0", ""), "utf8"))),
);
const names = nameBytes.map(decodeName);
const texts = fc
  .uint8Array({ maxLength: 30 })
  .map((bytes) => String.fromCharCode(...bytes.filter((byte) => byte !== 0)));
const u32 = fc.nat({ max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const one = <Kind extends string>(kind: Kind) => fc.constant(kind);

const statuses: fc.Arbitrary<BarrierStatus> = fc.oneof(
  fc.record({
    kind: one("barrier-status"),
    status: fc.constantFrom("initialised" as const, "crossed" as const),
    name: names,
  }),
  fc.record({ kind: one("barrier-status"), status: one("error"), name: names, text: texts }),
);

const configs = fc.uint8Array({ maxLength: 30 });
const latin = fc.uint8Array({ maxLength: 20 }).map((bytes) => String.fromCharCode(...bytes));
const u16 = fc.nat({ max: 0xffff });

const hierarchy: fc.Arbitrary<GnunetMessage> = fc.oneof(
  fc.record({
    ...{ kind: one("add-host"), hostId: u32, sshPort: u16, user: latin, hostname: latin },
    ...{ configBytes: u16, config: configs },
  }),
  fc.record({ kind: one("host-added"), hostId: u32, text: texts }),
  fc.record({
    ...{ kind: one("link-controllers"), delegatedHostId: u32, operationId: u64 },
    ...{ slaveHostId: u32, isSubordinate: fc.nat({ max: 255 }) },
  }),
  fc.record({ kind: one("link-failed"), operationId: u64, text: latin }),
  fc.record({
    ...{ kind: one("reconfigure-peer"), peerId: u32, operationId: u64 },
    ...{ configBytes: u16, config: configs },
  }),
  fc.record({ kind: one("get-slave-configuration"), hostId: u32, operationId: u64 }),
  fc.record({ kind: one("shutdown-peers"), operationId: u64 }),
);

const messages: fc.Arbitrary<GnunetMessage> = fc.oneof(
  hierarchy,
  fc.record({ kind: one("testbed-init"), hostId: u32, eventMask: u64, hostname: texts }),
  fc.record({
    kind: one("create-peer"),
    hostId: u32,
    operationId: u64,
    peerId: u32,
    configBytes: fc.nat({ max: 0xffff }),
    config: fc.uint8Array({ maxLength: 50 }),
  }),
  fc.record({
    kind: fc.constantFrom("start-peer" as const, "stop-peer" as const, "destroy-peer" as const),
    peerId: u32,
    operationId: u64,
  }),
  fc.record({ kind: one("peer-created"), peerId: u32, operationId: u64 }),
  fc.record({ kind: one("operation-succeeded"), operationId: u64 }),
  fc.record({ kind: one("operation-failed"), operationId: u64, text: texts }),
  fc.record({ kind: one("barrier-init"), quorum: fc.nat({ max: 255 }), name: names }),
  fc.record({ kind: one("barrier-cancel"), name: names }),
  fc.record({ kind: one("barrier-wait"), name: names }),
  statuses,
);

describe("encodeMessage() and decodeMessage()", () => {
  test("agree on every message", () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
    );
  });

  test("every prefix and every longer message is refused", () => {
    fc.assert(
      fc.property(messages, fc.uint8Array({ minLength: 1, maxLength: 5 }), (message, junk) => {
        const bytes = encodeMessage(message);
        for (let size = 0; size < bytes.length; size += 1) {
          expect(decodeMessage(bytes.subarray(0, size)).kind).toBe("refused");
        }
        expect(decodeMessage(Uint8Array.from([...bytes, ...junk])).kind).toBe("refused");
      }),
      { numRuns: 30 },
    );
  });

  // W2. Whatever is accepted is written again with the same bytes: nothing in it was overlooked.
  test("a damaged message is refused or means something else, and never throws", () => {
    const damages = fc.array(fc.record({ at: fc.nat({ max: 100 }), byte: fc.nat({ max: 255 }) }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(messages, damages, (message, changes) => {
        const bytes = encodeMessage(message);
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
        const result = decodeMessage(bytes);
        if (result.kind === "refused" || result.kind === "unknown") return;
        expect(encodeMessage(result)).toEqual(bytes);
      }),
      { numRuns: 1_000 },
    );
  });

  test("decodeMessage() never throws on garbage of every type", () => {
    const types = fc.integer({ min: 455, max: 490 });
    fc.assert(
      fc.property(types, fc.uint8Array({ maxLength: 60 }), (type, tail) => {
        const size = tail.length + 4;
        const bytes = Uint8Array.from([size >> 8, size & 0xff, type >> 8, type & 0xff, ...tail]);
        const result = decodeMessage(bytes);
        if (result.kind === "refused" || result.kind === "unknown") return;
        expect(encodeMessage(result)).toEqual(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  test("encodeMessage() throws for what the wire cannot say", () => {
    const wait = { kind: "barrier-wait", name: "a".repeat(nameBytesMaxOnWire) } as const;
    expect(encodeMessage(wait)).toHaveLength(4 + nameBytesMaxOnWire);
    expect(() => encodeMessage({ ...wait, name: `${wait.name}a` })).toThrow("fits a STATUS");
    expect(() => encodeMessage({ ...wait, name: "a\0b" })).toThrow("no NUL");
    const init = { kind: "barrier-init", quorum: 256, name: "b" } as const;
    expect(() => encodeMessage(init)).toThrow("a byte");
    expect(() => encodeMessage({ ...init, quorum: -1 })).toThrow("a byte");
    expect(() => encodeMessage({ ...init, quorum: 1.5 })).toThrow("whole number");
    const name = "a".repeat(nameBytesMaxOnWire);
    const error = { kind: "barrier-status", status: "error", name, text: "" } as const;
    expect(() => encodeMessage(error)).toThrow(`at most ${messageBytesMax} bytes`);
    expect(() => encodeMessage({ ...error, name: "b", text: "a\0" })).toThrow("no NUL");
    expect(() => encodeMessage({ ...error, name: "b", text: "\u0100" })).toThrow("U+00FF");
  });
});

describe("names", () => {
  // N1.
  test("any bytes come back from their text, and different bytes are different texts", () => {
    fc.assert(
      fc.property(nameBytes, nameBytes, (left, right) => {
        expect(encodeName(decodeName(left))).toEqual(left);
        const same = Buffer.compare(left, right) === 0;
        expect(decodeName(left) === decodeName(right)).toBe(same);
      }),
      { numRuns: 1_000 },
    );
  });

  test("text of other dialects comes back from its bytes", () => {
    for (const text of ["", "b", "größe", "€", "😀", "a😀ß", "\u0001\u007f", "\ufffd"]) {
      expect(decodeName(encodeName(text))).toBe(text);
    }
    // No bytes are the half of an emoji.
    expect(encodeName("\ud83d")).toEqual(encodeName("\ufffd"));
    expect(encodeName("x\udc01")).toEqual(encodeName("x\ufffd"));
  });
});

/** All that a framer makes of these chunks. */
function framed(chunks: readonly Uint8Array[], bytesMax?: number): FramerResult {
  const framer = new MessageFramer(bytesMax);
  const whole: Uint8Array[] = [];
  let fault: string | undefined;
  for (const chunk of chunks) {
    const result = framer.push(chunk);
    whole.push(...result.messages.map((message) => Uint8Array.from(message)));
    fault = result.fault;
  }
  return fault === undefined ? { messages: whole } : { messages: whole, fault };
}

const stream = Uint8Array.from([
  ...encodeMessage({ kind: "barrier-wait", name: "late" }),
  ...encodeMessage({ kind: "barrier-wait", name: "" }),
  ...encodeMessage({ kind: "barrier-status", status: "crossed", name: "b" }),
]);

describe("MessageFramer", () => {
  // F1.
  test("push() gives the same messages for every split into three chunks, and byte by byte", () => {
    const expected = framed([stream]);
    expect(expected.messages.map((bytes) => decodeMessage(bytes).kind)).toEqual([
      "barrier-wait",
      "barrier-wait",
      "barrier-status",
    ]);
    for (let first = 0; first <= stream.length; first += 1) {
      for (let second = first; second <= stream.length; second += 1) {
        const ends = [0, first, second, stream.length];
        const chunks = ends.slice(1).map((end, index) => stream.slice(ends[index], end));
        expect(framed(chunks)).toEqual(expected);
      }
    }
    expect(framed([...stream].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test("push() gives the same for any bytes in any chunks, faults included", () => {
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(messages, { maxLength: 6 }).map((list) => Buffer.concat(list.map(encodeMessage))),
    );
    const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });
    fc.assert(
      fc.property(input, cuts, fc.constantFrom(undefined, 20), (bytes, at, bytesMax) => {
        const all = Uint8Array.from(bytes);
        const ends = [0, ...at.map((cut) => cut % (all.length + 1)), all.length];
        ends.sort((left, right) => left - right);
        const chunks = ends.slice(1).map((end, index) => all.slice(ends[index], end));
        expect(framed(chunks, bytesMax)).toEqual(framed([all], bytesMax));
      }),
      { numRuns: 1_000 },
    );
  });

  // F3.
  test("push() reads nothing after a size below 4 or above its bound, and says so", () => {
    const bad = Uint8Array.from([0, 3, 1, 0xe7]);
    const { messages: before, fault } = framed([stream, bad, stream]);
    expect(before).toHaveLength(3);
    expect(fault).toContain("[GNUNET-BARRIERS 2.1]");
    expect(fault).toContain("says 3");
    const wait = encodeMessage({ kind: "barrier-wait", name: "late" });
    expect(framed([wait], wait.length)).toEqual({ messages: [wait] });
    const over = framed([wait, wait], wait.length - 1);
    expect(over.messages).toEqual([]);
    expect(over.fault).toContain("from 4 to 7 bytes, its header says 8");
  });

  // F2.
  test("push() keeps what has come, not what a header promises", () => {
    const framer = new MessageFramer();
    framer.push(Uint8Array.from([0xff, 0xff, 1, 0xe7, 0x61]));
    expect(framer.keptBytes).toBe(5);
    framer.push(new Uint8Array(65_530));
    expect(framer.keptBytes).toBe(0);
  });
});
