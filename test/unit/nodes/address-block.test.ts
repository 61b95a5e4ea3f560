// SPDX-License-Identifier: MIT
// Goal: who gets no addresses is told what to do about it.
import { expect, test } from "vitest";
import { explainNoBlock } from "../../../src/testbed/nodes/address-block.ts";

test.each([
  ["EADDRINUSE", /^all 187 blocks .* are taken/],
  ["EMFILE", /EMFILE, too many open files; raise the limit \(ulimit -n\)$/],
  ["ENFILE", /ENFILE, too many files are open on this machine/],
  ["EADDRNOTAVAIL", /is the interface lo up\?$/],
])("%s is explained", (code, text) => {
  expect(explainNoBlock(code, 187)).toMatch(text);
});
