// SPDX-License-Identifier: MIT
// Goal: one try over TCP ends with a whole answer, whatever the server does afterwards.
// Method: a server that answers with given bytes and never closes; time is the client's own timer,
// run by hand.
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type AttemptResult, startTcp } from "../../../src/client/sync-attempt.ts";
import { syncClientTime } from "../../../src/client/sync-time.ts";

let server: Server | undefined;
afterEach(() => server?.close());

/** @returns what the try came to, its last timer being run as soon as it is armed. */
async function tryAt(answer: readonly number[]): Promise<AttemptResult> {
  const open = createServer((socket) => socket.on("data", () => socket.write(Buffer.from(answer))));
  server = open;
  await new Promise<void>((resolve) => open.listen(0, "127.0.0.1", resolve));
  const { port } = open.address() as AddressInfo;
  return new Promise((onResult) => {
    startTcp({
      address: "127.0.0.1",
      port,
      bytes: Buffer.alloc(76),
      byteOrder: "big",
      onResult,
      runtime: {
        after(ms, act) {
          if (ms !== syncClientTime.endMs) return () => undefined;
          const timer = setImmediate(act);
          return () => clearImmediate(timer);
        },
        nowUs: () => 0,
        randomBytes: (count) => new Uint8Array(count),
      },
    });
  });
}

test("a whole answer ends the try although the server never closes", async () => {
  // Mutant: only the end of file ends it, and the client hangs after its release.
  const bytes = Buffer.from([0, 0, 0, 7]);
  expect(await tryAt([0, 0, 0, 7])).toEqual({ kind: "reply", bytes });
});

test("an answer that is too long is seen as such", async () => {
  expect(await tryAt([0, 0, 0, 7, 1])).toEqual({
    kind: "reply",
    bytes: Buffer.from([0, 0, 0, 7, 1]),
  });
});
