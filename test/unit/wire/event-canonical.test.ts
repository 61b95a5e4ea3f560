// SPDX-License-Identifier: MIT
// Goal: the bytes that are authenticated are those that docs/reference/notifications.md describes,
// whatever is in the names and values. Method: a naive form of the description, on any notification
// and on names that UTF-16 orders otherwise than UTF-8.
import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalBytes } from "../../../src/wire/event/authentication.ts";
import {
  type AttributeValue,
  type Notification,
  textAttribute,
} from "../../../src/wire/event/notification.ts";
import { anyNotification } from "./event-arbitrary.ts";

const head = Buffer.from("0123456789abcdefghijklmno");
const notCounted = ["__auth__", "__hmac__", "__elvin_hmac__", "___elvin_ordered___"];

function naiveBytes({ attributes }: Notification): Buffer {
  const counted = attributes
    .filter(({ name }) => !notCounted.includes(name))
    .map(({ name, value }) => ({ name: Buffer.from(name), value }))
    .sort((a, b) => Buffer.compare(a.name, b.name));
  const parts = counted.flatMap(({ name, value }) => {
    const [type, bytes] = naiveValue(value);
    return [Buffer.from([type]), length(name), name, length(bytes), bytes];
  });
  const count = Buffer.alloc(4);
  count.writeUInt32BE(counted.length);
  return Buffer.concat([Buffer.from("muster notification\0"), head, count, ...parts]);
}

function naiveValue(value: AttributeValue): readonly [type: number, bytes: Buffer] {
  const bytes = Buffer.alloc(8);
  switch (value.kind) {
    case "int32":
      bytes.writeInt32BE(value.value);
      return [1, bytes.subarray(0, 4)];
    case "int64":
      bytes.writeBigInt64BE(value.value);
      return [2, bytes];
    case "real64":
      if (Number.isNaN(value.value)) return [3, Buffer.from("7ff8000000000000", "hex")];
      bytes.writeDoubleBE(value.value);
      return [3, bytes];
    case "string":
      return [4, Buffer.from(value.value)];
    case "opaque":
      return [5, Buffer.from(value.value)];
  }
}

function length(bytes: Buffer): Buffer {
  const written = Buffer.alloc(4);
  written.writeUInt32BE(bytes.length);
  return written;
}

it("are the described ones for any notification", () => {
  fc.assert(
    fc.property(anyNotification, (notification) => {
      expect(Buffer.from(canonicalBytes(notification, head))).toEqual(naiveBytes(notification));
    }),
  );
});

it("are ordered by the UTF-8 bytes of the names, and longer than a first buffer", () => {
  const names = ["\u{1f600}", "\uff5e", "z", "é", "a".repeat(300), "Z"];
  const attributes = names.map((name) => textAttribute(name, `${name} ${"ü".repeat(700)}`));
  const bytes = Buffer.from(canonicalBytes({ attributes }, head));
  expect(bytes).toEqual(naiveBytes({ attributes }));
  expect(bytes.indexOf("\uff5e")).toBeLessThan(bytes.indexOf("\u{1f600}"));
});
