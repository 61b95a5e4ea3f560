// SPDX-License-Identifier: MIT
// Goal: frames between a run and a host depend on the bytes alone, and what no side says is named
// and ends nothing else. Method: every cut of a stream, limits and one past them, wrong fields.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  encodeData,
  encodeMessage,
  type LinkFrame,
  LinkFramer,
  parseLinkMessage,
  partsOfResult,
} from "../../../src/wire/node-link/index.ts";

const frames: readonly Uint8Array[] = [
  encodeMessage('{"kind":"clock","id":7}'),
  encodeData(3, Uint8Array.of(1, 2, 3)),
  encodeData(4, new Uint8Array(0)),
  encodeMessage("é"),
];
const whole = Uint8Array.from(frames.flatMap((one) => [...one]));
const expected: readonly LinkFrame[] = [
  { kind: "message", text: '{"kind":"clock","id":7}' },
  { kind: "data", stream: 3, bytes: Uint8Array.of(1, 2, 3) },
  { kind: "data", stream: 4, bytes: new Uint8Array(0) },
  { kind: "message", text: "é" },
];

/** Copies, as a frame may be a view of what is read next. */
function readAll(framer: LinkFramer, chunks: readonly Uint8Array[]): LinkFrame[] {
  return chunks.flatMap((chunk) =>
    framer
      .push(chunk)
      .frames.map((frame) =>
        frame.kind === "data" ? { ...frame, bytes: Uint8Array.from(frame.bytes) } : frame,
      ),
  );
}

describe("frames", () => {
  test("are the same however the bytes are cut in two", () => {
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const chunks = [whole.subarray(0, cut), whole.subarray(cut)];
      expect(readAll(new LinkFramer(), chunks)).toEqual(expected);
    }
  });

  test("are the same however the bytes are cut in many (N1)", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const chunks = at.slice(1).map((end, index) => whole.slice(at[index], end));
        expect(readAll(new LinkFramer(), chunks)).toEqual(expected);
      }),
    );
  });

  test("stay as they were given out when more comes", () => {
    const framer = new LinkFramer();
    framer.push(whole.subarray(0, 3));
    const first = framer.push(whole.subarray(3, whole.length - 1)).frames[1];
    framer.push(whole.subarray(whole.length - 1));
    framer.push(whole);
    expect(first).toEqual(expected[1]);
  });

  test("of the limit are read, one byte more is a fault after which nothing is read (N3)", () => {
    const bytes = encodeData(1, new Uint8Array(11)); // 16 behind the length.
    expect(new LinkFramer(16).push(bytes).frames).toHaveLength(1);
    const framer = new LinkFramer(15);
    expect(framer.push(bytes)).toEqual({
      frames: [],
      fault: "a frame of 16 bytes (frameBytesMax)",
    });
    expect(framer.push(whole).frames).toEqual([]);
  });

  test.each([
    ["an empty frame", [0, 0, 0, 0, 0], "a frame of 0 bytes (frameBytesMax)"],
    ["an unknown kind", [0, 0, 0, 1, 9], "a frame of the unknown kind 9"],
    ["data without a stream", [0, 0, 0, 4, 1, 0, 0, 0], "a frame of data without a stream"],
    ["text that is none", [0, 0, 0, 2, 0, 0xff], "a message that is not UTF-8"],
  ])("%s is a fault, and what came before it is read", (_, bytes, fault) => {
    const read = new LinkFramer().push(Uint8Array.from([...whole, ...bytes]));
    expect(read.frames).toHaveLength(expected.length);
    expect(read.fault).toBe(fault);
  });
});

describe("messages", () => {
  test("are read with the fields that they have", () => {
    const message = { kind: "open", stream: 5, carrier: "udp", node: "n0", port: 16534 };
    expect(parseLinkMessage(JSON.stringify(message))).toEqual(message);
  });

  test.each([
    ["[", "a message that is no JSON"],
    ["7", "a message that is no object"],
    ['{"kind":"toString"}', 'a message of the unknown kind "toString"'],
    ["null", "a message that is no object"],
    ['{"kind":[7]}', "a message of the unknown kind (object)"],
    ["{}", "a message of the unknown kind (undefined)"],
    ['{"kind":"clock"}', "the message clock without a proper id"],
    ['{"kind":"clock","id":-1}', "the message clock without a proper id"],
    ['{"kind":"clock","id":1.5}', "the message clock without a proper id"],
    ['{"kind":"clock","id":1,"more":2}', "the message clock with a field it does not have"],
    [
      '{"kind":"open","stream":1,"carrier":"sctp","node":"","port":1}',
      "the message open without a proper carrier",
    ],
  ])("%s is refused", (text, why) => {
    expect(parseLinkMessage(text)).toBe(why);
  });

  test("of a kind that is nested as deeply as a frame allows are refused, and end nothing", () => {
    const depth = 200_000;
    const text = `{"kind":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(parseLinkMessage(text)).toBe("a message of the unknown kind (object)");
  });
});

test.each([
  ["nodes/n0/local/logs/p.out", true],
  ["proj/x", true],
  ["nodes/n0", false],
  ["proj", false],
  ["result.json", false],
  ["proj/../result.json", false],
  ["proj/./x", false],
  ["proj//x", false],
  ["/proj/x", false],
  ["proj/\u001b[2J", false],
  ["proj/\u009bx", false],
  [`proj/${"d/".repeat(62)}x`, true],
  [`proj/${"d/".repeat(63)}x`, false],
])("a host may give back %s: %s", (path, isProper) => {
  expect(partsOfResult(path) !== undefined).toBe(isProper);
});
