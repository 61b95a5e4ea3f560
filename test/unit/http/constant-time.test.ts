// SPDX-License-Identifier: MIT
// Goal: T1, a check of a token does the same work whatever is wrong with it, so that its time tells
// nobody which half of a token he has guessed. Method: counts the hashes and comparisons that a
// check makes; measured times would say something else on every machine.
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  checkToken,
  formatToken,
  hashSecret,
  type TokenRow,
} from "../../../src/edges/http/tokens.ts";

const secret = "s".repeat(40);
const row: TokenRow = {
  ...{ id: "known", hash: hashSecret(secret), role: "driver", scope: null },
  ...{ expiresMs: null, createdMs: 0, note: "" },
};
const rows = new Map([[row.id, row]]);

const { createHash, timingSafeEqual } = crypto;
let hashes = 0;
let compared: number[] = [];

/** The program's own functions, counted: other test files of this process get the real ones. */
function replace(functions: Partial<typeof crypto>): void {
  Object.assign(crypto, functions);
  syncBuiltinESMExports();
}

beforeEach(() => {
  [hashes, compared] = [0, []];
  replace({
    createHash: (...given) => {
      hashes += 1;
      return createHash(...given);
    },
    timingSafeEqual: (given, kept) => {
      compared.push(given.byteLength, kept.byteLength);
      return timingSafeEqual(given, kept);
    },
  });
});
afterEach(() => replace({ createHash, timingSafeEqual }));

describe("T1 a check of a token", () => {
  it.each([
    ["the right one", formatToken("known", secret), true],
    ["a wrong secret, whose beginning is right", formatToken("known", `${"s".repeat(39)}x`), false],
    ["a wrong secret of another length", formatToken("known", "x"), false],
    ["an id that is not known", formatToken("other", secret), false],
    ["something else", "garbage", false],
    ["nothing", "", false],
  ])("%s: one hash and one comparison of 32 bytes in constant time", (_, token, isGood) => {
    expect(checkToken(token, rows, 1) !== undefined).toBe(isGood);
    expect([hashes, compared]).toEqual([1, [32, 32]]);
  });
});
