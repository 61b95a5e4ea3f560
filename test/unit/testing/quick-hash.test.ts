// SPDX-License-Identifier: MIT
// Goal: who has another key, or got other bytes, is told so in the simulator as well. Method: one
// byte after the other is changed.
import { expect, it } from "vitest";
import { quickHash } from "../../../src/testing/quick-hash.ts";

const key = new Uint8Array(32).fill(7);
const bytes = Uint8Array.from({ length: 200 }, (_, index) => index);
const withChange = (of: Uint8Array, at: number): Uint8Array => of.with(at, (of[at] ?? 0) ^ 1);

it("differs by each byte of the key and of what is hashed, and by its length", () => {
  const { hmacSha256, equal } = quickHash;
  const mac = hmacSha256(key, bytes);
  expect(equal(mac, hmacSha256(key.slice(), bytes.slice()))).toBe(true);
  for (const at of key.keys()) {
    expect(equal(mac, hmacSha256(withChange(key, at), bytes)), `key ${at}`).toBe(false);
  }
  for (const at of bytes.keys()) {
    expect(equal(mac, hmacSha256(key, withChange(bytes, at))), `byte ${at}`).toBe(false);
  }
  expect(equal(mac, hmacSha256(key, bytes.subarray(1)))).toBe(false);
  expect(equal(mac, hmacSha256(key, new Uint8Array([...bytes, 0])))).toBe(false);
});

it("is as long as the hash that it stands for", () => {
  expect(quickHash.hmacSha256(key, bytes)).toHaveLength(32);
  expect(quickHash.hmacSha1(key, bytes)).toHaveLength(20);
});
