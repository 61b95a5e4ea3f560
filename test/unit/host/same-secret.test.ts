// SPDX-License-Identifier: MIT
// Goal: secrets are the same exactly when every byte is. Method: each byte changed, each end cut,
// and values that are no texts.
import { expect, it } from "vitest";
import { isSameBytes, isSameSecret } from "../../../src/host/same-secret.ts";

it("isSameBytes(): every byte counts, and the length", () => {
  const kept = Uint8Array.from({ length: 32 }, (_, at) => at);
  expect(isSameBytes(Uint8Array.from(kept), kept)).toBe(true);
  for (const at of kept.keys()) {
    expect(isSameBytes(kept.with(at, 255), kept)).toBe(false);
    expect(isSameBytes(kept.subarray(0, at), kept)).toBe(false);
  }
});

it("isSameSecret(): whatever is given is compared, and only the secret is the same", () => {
  expect(isSameSecret("secret", "secret")).toBe(true);
  for (const other of ["", "secre", "secret ", "Secret", undefined, null, 0, ["secret"], {}]) {
    expect(isSameSecret(other, "secret")).toBe(false);
  }
});
