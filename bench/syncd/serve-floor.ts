// SPDX-License-Identifier: MIT
// The floor: the barest program that does the same work with the same primitives. Four listeners on
// one port, a list of sockets, and `socket.end` in a loop. No barriers, no errors, no leaving.
import { createServer, type Server, type Socket } from "node:net";
import { serve } from "./rpc.ts";

const reply = Buffer.alloc(4);
const waiting: Socket[] = [];
let open = 0;
let releaseUs = 0;
let expected = Number.POSITIVE_INFINITY;

function release(): void {
  const before = process.hrtime.bigint();
  for (const socket of waiting) socket.end(reply);
  releaseUs += Number(process.hrtime.bigint() - before) / 1000;
  waiting.length = 0;
  expected = Number.POSITIVE_INFINITY;
}

function onConnection(socket: Socket): void {
  open += 1;
  socket.on("data", (chunk: Buffer) => {
    waiting.push(socket);
    if (chunk[64] === 1) expected = chunk.readInt32LE(68) + 1;
    if (waiting.length >= expected) release();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    open -= 1;
  });
}

function listen(port: number): Promise<number> {
  return new Promise((resolve) => {
    const server: Server = createServer({ allowHalfOpen: false }, onConnection);
    server.listen({ host: "127.0.0.1", port, reusePort: true, backlog: 65_535 }, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

const port = await listen(0);
for (let index = 1; index < 4; index += 1) await listen(port);

serve({
  port: () => port,
  open: () => open,
  arrived: () => waiting.length,
  releaseUs: () => releaseUs,
  memory: () => process.memoryUsage().rss,
});
