// SPDX-License-Identifier: MIT
// The barest controller: a list of who waits, told to go on when the driver has echoed that as many
// wait as there are peers. No names, no errors, nobody who leaves.
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { decodeMessage, encodeMessage, MessageFramer } from "../../src/wire/gnunet/index.ts";
import { serve } from "../syncd/rpc.ts";

const [folder = "."] = process.argv.slice(2);
let waiting: Socket[] = [];
let peers = 0;
let name = "";
let driver: Socket | undefined;

const status = (what: "initialised" | "crossed"): Uint8Array =>
  encodeMessage({ kind: "barrier-status", status: what, name });

function reach(): void {
  if (waiting.length === peers && name !== "") driver?.write(status("crossed"));
}

function release(): void {
  const message = status("crossed");
  for (const socket of waiting) socket.write(message);
  waiting = [];
}

createServer((socket) => {
  const framer = new MessageFramer();
  driver = socket;
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    for (const bytes of framer.push(chunk).messages) {
      const message = decodeMessage(bytes);
      if (message.kind === "create-peer") {
        peers += 1;
        const { operationId, peerId } = message;
        socket.write(encodeMessage({ kind: "peer-created", operationId, peerId }));
      } else if (message.kind === "barrier-init") {
        ({ name } = message);
        socket.write(status("initialised"));
      } else if (message.kind === "barrier-status") release();
    }
  });
}).listen({ path: join(folder, "floor.sock"), backlog: 4_096 });
createServer((socket) => {
  socket.on("error", () => undefined);
  socket.on("data", () => {
    waiting.push(socket);
    reach();
  });
}).listen({ path: join(folder, "floor-b.sock"), backlog: 4_096 });

serve({});
