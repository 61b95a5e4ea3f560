// SPDX-License-Identifier: MIT
// Goal: what a server says of a barrier cannot steer the terminal of the client. Method: a server
// that answers the question with escape sequences.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { encodeDescribeReply } from "../../../src/wire/emulab-sync/index.ts";
import { runSync } from "./programs.ts";

const hostile = "\u001b]0;title\u0007red\u009b31m\nline\u202e";

test("emulab-sync prints what a hostile server says as plain text, and bounded", async () => {
  // Mutant: the texts of the answer are taken as they are.
  const barrier = {
    name: "b",
    expected: 2,
    arrived: 1,
    waiting: [{ who: { address: hostile, node: hostile } }],
    missing: [hostile, ...Array.from({ length: 500 }, () => "x".repeat(1000))],
  };
  const json = JSON.stringify({ version: 1, barrier });
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (bytes: Buffer) => {
      if (bytes.readUInt16LE(64) === 2) return;
      socket.end(encodeDescribeReply(json, "little"));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ended = await runSync(["-s", "127.0.0.1", "-p", String(port), "--timeout", "0.3"]).ended;
  server.close();
  expect(ended.code).toBe(241);
  expect(ended.stderr).toContain("?]0;title?red?31m?line?");
  expect(ended.stderr.trimEnd()).not.toMatch(/[\p{Cc}\u{202e}]/u);
  expect(ended.stderr.length).toBeLessThan(20_000);
});
