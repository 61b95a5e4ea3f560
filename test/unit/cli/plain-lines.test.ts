// SPDX-License-Identifier: MIT
// Goal: what others chose in a message of a log steers no terminal, and looks like no line of the
// server's. Method: a message with some of each.
import { expect, it } from "vitest";
import { plainLines } from "../../../src/cli/plain-lines.ts";

it("indents lines that follow, and escapes what else steers a terminal", () => {
  expect(plainLines("a\tü\r\n\nb\u001b[2J\u009b1m\u202e\u007f\u0000")).toBe(
    "a\tü\n  b\\u001b[2J\\u009b1m\\u202e\\u007f\\u0000",
  );
});
