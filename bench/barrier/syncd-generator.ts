// SPDX-License-Identifier: MIT
// Parties that meet at a sync server, in a process of their own. The server closes the connection
// of whoever it has answered, so that each round has connections of its own, made before it begins.
import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";
import { encodeRequest } from "../../src/wire/emulab-sync/index.ts";
import { serve } from "../syncd/rpc.ts";

const format = { version: 2, byteOrder: "little" } as const;
const waitBytes = encodeRequest({ kind: "wait", name: "bench", error: 0 }, format);

let port = 0;
let parties = 0;
let sockets: Socket[] = [];

async function open(): Promise<Socket> {
  const socket = dial({ host: "127.0.0.1", port });
  await once(socket, "connect");
  return socket;
}

serve({
  port: (given) => {
    port = given;
  },
  connect(count) {
    parties = count;
  },
  async prepare() {
    sockets = [];
    while (sockets.length < parties) {
      const some = Math.min(200, parties - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: some }, open))));
    }
  },
  /** @returns microseconds from the first request until every connection has ended. */
  play() {
    const count = parties - 1;
    const init = encodeRequest(
      { kind: "init", name: "bench", count, waits: true, error: 0 },
      format,
    );
    let left = sockets.length;
    const begun = process.hrtime.bigint();
    return new Promise((resolve, reject) => {
      for (const [index, socket] of sockets.entries()) {
        let bytes = 0;
        socket.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
        });
        socket.on("close", () => {
          if (bytes !== 4) reject(new Error(`an answer of ${bytes} bytes`));
          left -= 1;
          if (left === 0) resolve(Number(process.hrtime.bigint() - begun) / 1_000);
        });
        socket.write(index === count ? init : waitBytes);
      }
    });
  },
});
