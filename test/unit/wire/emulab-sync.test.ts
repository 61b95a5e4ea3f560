// SPDX-License-Identifier: MIT
// Goal: the Emulab sync codec reads and writes what the specification says, whatever the chunks.
// Method: vector tables in both directions, round trips, every split, garbage. fast-check prints
// its seed and path when it fails; give them to `fc.assert` to repeat.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ByteOrder,
  decodeDescribeReply,
  decodeReply,
  decodeRequest,
  encodeDescribeReply,
  encodeReply,
  encodeRequest,
  type FrameResult,
  type RequestFormat,
  RequestFramer,
  type SyncRequest,
} from "../../../src/wire/emulab-sync/index.ts";
import { parseBytes, readVectors } from "./vectors.ts";

function formatOf(layout: string, order: string): RequestFormat {
  const byteOrder: ByteOrder = order === "big" ? "big" : "little";
  if (layout === "76") return { version: 2, byteOrder };
  return { version: 1, byteOrder, wideWord: layout === "72" };
}

describe("vectors", () => {
  test.each(readVectors("emulab-sync", "requests.md"))("%s: both directions", (...row) => {
    const [, layout, order, hex, json] = row;
    const format = formatOf(layout!, order!);
    const bytes = parseBytes(hex!);
    const request = JSON.parse(json!) as SyncRequest;
    expect(decodeRequest(bytes)).toEqual({
      kind: "request",
      version: format.version,
      byteOrder: format.byteOrder,
      request,
    });
    expect(encodeRequest(request, format)).toEqual(bytes);
  });

  test.each(readVectors("emulab-sync", "refused.md"))("%s: refused", (_what, hex, message) => {
    const result = decodeRequest(parseBytes(hex!));
    expect(result).toMatchObject({ kind: "refused", code: "invalid" });
    expect(result.kind === "refused" && result.message).toContain(message);
    expect(result.kind === "refused" && result.message).toContain("[EMULAB-SYNC 2]");
  });

  test.each(readVectors("emulab-sync", "replies.md"))("%s: both directions", (...row) => {
    const [, order, hex, value] = row;
    const byteOrder = order === "big" ? "big" : "little";
    expect(decodeReply(parseBytes(hex!), byteOrder)).toBe(Number(value));
    expect(encodeReply(Number(value), byteOrder)).toEqual(parseBytes(hex!));
  });
});

const byteOrders = fc.constantFrom<ByteOrder>("little", "big");
const names = fc
  .uint8Array({ minLength: 0, maxLength: 63 })
  .map((bytes) => String.fromCharCode(...bytes.filter((byte) => byte !== 0)));
const errors = fc.integer({ min: 0, max: 239 });
const requestsV2: fc.Arbitrary<SyncRequest> = fc.oneof(
  fc.record({ kind: fc.constant("wait" as const), name: names, error: errors }),
  fc.record({
    kind: fc.constant("init" as const),
    name: names,
    count: fc.integer({ min: 1, max: 0x7fff_ffff }),
    waits: fc.boolean(),
    error: errors,
  }),
  fc.record({ kind: fc.constant("describe" as const), name: names }),
);

interface Case {
  readonly request: SyncRequest;
  readonly format: RequestFormat;
}

const cases: fc.Arbitrary<Case> = fc
  .tuple(requestsV2, byteOrders, fc.constantFrom(72, 721, 76), fc.uint8Array({ maxLength: 12 }))
  .map(([request, byteOrder, layout, nonce]) => {
    if (layout === 76) return { request, format: { version: 2, byteOrder, nonce } };
    const plain = request.kind === "describe" ? request : { ...request, error: 0 };
    const hasFlags = plain.kind === "init" && !plain.waits;
    const wideWord = layout === 72 && !hasFlags && plain.kind !== "describe";
    return { request: plain, format: { version: 1, byteOrder, wideWord, nonce } };
  });

/** What a whole request is, given in these chunks; `finish` is called when it ends at 72 bytes. */
function frameOf(chunks: readonly Uint8Array[]): FrameResult {
  const framer = new RequestFramer();
  for (const chunk of chunks) {
    const result = framer.push(chunk);
    if (result.kind === "request" || result.kind === "refused") return result;
  }
  return framer.finish();
}

describe("encodeRequest() and decodeRequest()", () => {
  test("agree on every request, also with a nonce behind the NUL", () => {
    fc.assert(
      fc.property(cases, ({ request, format }) => {
        const { version, byteOrder } = format;
        const result = decodeRequest(encodeRequest(request, format));
        expect(result).toEqual({ kind: "request", version, byteOrder, request });
      }),
    );
  });

  test("decodeRequest() never throws on garbage and keeps fields in range", () => {
    const sizes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ minLength: 72, maxLength: 72 }),
      fc.uint8Array({ minLength: 76, maxLength: 76 }),
    );
    fc.assert(
      fc.property(sizes, fc.constantFrom(0, 1, 2, 3), (bytes, word) => {
        if (bytes.length >= 72) bytes.set([word, 0], 64);
        const result = decodeRequest(bytes);
        if (result.kind === "refused") return;
        expect(result.request.name.length).toBeLessThanOrEqual(63);
        if (result.request.kind === "init") expect(result.request.count).toBeGreaterThan(0);
      }),
    );
  });

  test("encodeRequest() throws for what the wire cannot say", () => {
    const format = { version: 2, byteOrder: "little" } as const;
    const wait = { kind: "wait", name: "x", error: 0 } as const;
    expect(() => encodeRequest({ ...wait, name: "x".repeat(64) }, format)).toThrow("63 bytes");
    expect(() => encodeRequest({ ...wait, name: "a\0b" }, format)).toThrow("NUL");
    expect(() => encodeRequest({ ...wait, name: "\u0100" }, format)).toThrow("U+00FF");
    expect(() => encodeRequest({ ...wait, error: 240 }, format)).toThrow("0 to 239");
    expect(() => encodeRequest({ ...wait, error: 1 }, { ...format, version: 1 })).toThrow(
      "no error",
    );
    const init = { kind: "init", name: "x", count: 0, waits: true, error: 0 } as const;
    expect(() => encodeRequest(init, format)).toThrow("31 bits");
    expect(() => encodeRequest({ ...init, count: 2 ** 31 }, format)).toThrow("31 bits");
  });
});

describe("names", () => {
  // Fault 5. Mutant: decodeName() cuts at 64 instead of 63 when there is no NUL.
  test("a name without a NUL is its first 63 bytes, in every version", () => {
    for (const [tail, size] of [
      ["0200000000000000", 72],
      ["020000000000000000000000", 76],
    ] as const) {
      const bytes = Uint8Array.from([
        ...new Uint8Array(64).fill(0x61),
        ...Buffer.from(tail, "hex"),
      ]);
      expect(bytes).toHaveLength(size);
      expect(decodeRequest(bytes)).toMatchObject({ request: { name: "a".repeat(63) } });
      bytes[63] = 0;
      expect(decodeRequest(bytes)).toMatchObject({ request: { name: "a".repeat(63) } });
      bytes[63] = 0x62;
      expect(decodeRequest(bytes)).toMatchObject({ request: { name: "a".repeat(63) } });
    }
  });

  test("what follows the NUL is not part of the name", () => {
    const bytes = parseBytes("'x' 00 ff*62 02000000 00000000");
    expect(decodeRequest(bytes)).toMatchObject({ request: { name: "x" } });
  });
});

describe("RequestFramer", () => {
  test("push() gives the same result for every split of the input into two and three chunks", () => {
    const request = { kind: "init", name: "split", count: 258, waits: false, error: 7 } as const;
    const whole = encodeRequest(request, { version: 2, byteOrder: "big" });
    const expected = decodeRequest(whole);
    for (let first = 0; first <= whole.length; first += 1) {
      for (let second = first; second <= whole.length; second += 1) {
        const chunks = [whole.slice(0, first), whole.slice(first, second), whole.slice(second)];
        expect(frameOf(chunks)).toEqual(expected);
      }
    }
  });

  test("push() gives the same result for any chunks, with junk behind", () => {
    const cuts = fc.array(fc.nat({ max: 90 }), { maxLength: 8 });
    fc.assert(
      fc.property(
        cases,
        cuts,
        fc.uint8Array({ maxLength: 20 }),
        ({ request, format }, at, junk) => {
          const bytes = encodeRequest(request, format);
          const behind = format.version === 2 ? junk : new Uint8Array();
          const input = Uint8Array.from([...bytes, ...behind]);
          const edges = [0, ...at.map((cut) => cut % (input.length + 1)), input.length];
          edges.sort((left, right) => left - right);
          const chunks = edges.slice(1).map((end, index) => input.slice(edges[index], end));
          expect(frameOf(chunks)).toEqual(decodeRequest(bytes));
        },
      ),
    );
  });

  test("push() holds 72 bytes, and 73 to 75 are neither version", () => {
    const bytes = encodeRequest(
      { kind: "wait", name: "hold", error: 5 },
      { version: 2, byteOrder: "little" },
    );
    for (let size = 0; size < 76; size += 1) {
      const framer = new RequestFramer();
      expect(framer.push(bytes.subarray(0, size)).kind).toBe(size === 72 ? "hold" : "more");
      const end = framer.finish();
      expect(end.kind).toBe(size === 72 ? "request" : "more");
      if (end.kind === "request") expect(end.version).toBe(1);
    }
  });

  test("push() takes a megabyte of garbage without keeping it", () => {
    const framer = new RequestFramer();
    const result = framer.push(new Uint8Array(1_048_576).fill(0xaa));
    expect(result).toMatchObject({ kind: "refused" });
    expect(framer.receivedBytes).toBe(0);
  });
});

describe("describe replies", () => {
  test("carry any text, in both byte orders, and nothing truncated or longer", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), byteOrders, (text, order) => {
        const clean = text.toWellFormed();
        const bytes = encodeDescribeReply(clean, order);
        expect(decodeDescribeReply(bytes, order)).toBe(clean);
        expect(decodeDescribeReply(bytes.subarray(0, -1), order)).toBeUndefined();
        expect(decodeDescribeReply(Uint8Array.from([...bytes, 0]), order)).toBeUndefined();
      }),
    );
  });

  test("decodeReply() takes four bytes and nothing else", () => {
    for (let size = 0; size < 9; size += 1) {
      expect(decodeReply(new Uint8Array(size), "little")).toBe(size === 4 ? 0 : undefined);
    }
  });
});
