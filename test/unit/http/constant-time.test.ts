// SPDX-License-Identifier: MIT
// Goal: T1, a check of a token does the same work whatever is wrong with it, so that its time tells
// nobody which half of a token he has guessed. Method: counts the hashes and comparisons that a
// check makes; measured times would say something else on every machine.
import * as crypto from "node:crypto";
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  checkToken,
  formatToken,
  hashSecret,
  type TokenRow,
} from "../../../src/edges/http/tokens.ts";

vi.mock("node:crypto", async (original) => {
  const real = await original<typeof crypto>();
  return {
    ...real,
    createHash: vi.fn(real.createHash),
    timingSafeEqual: vi.fn(real.timingSafeEqual),
  };
});

const secret = "s".repeat(40);
const row: TokenRow = {
  ...{ id: "known", hash: hashSecret(secret), role: "driver", scope: null },
  ...{ expiresMs: null, createdMs: 0, note: "" },
};
const rows = new Map([[row.id, row]]);

beforeEach(() => vi.clearAllMocks());

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
    expect(vi.mocked(crypto.createHash)).toHaveBeenCalledOnce();
    const compare = vi.mocked(crypto.timingSafeEqual);
    expect(compare).toHaveBeenCalledOnce();
    const [given, kept] = compare.mock.calls[0] ?? [];
    expect([given?.byteLength, kept?.byteLength]).toEqual([32, 32]);
  });
});
