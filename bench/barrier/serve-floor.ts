// SPDX-License-Identifier: MIT
// The barest loop that the client library takes for a server: reads the same frames, counts waits,
// and when as many have come as the init has asked for, answers each connection with one frame. No
// log, no lease, no rights, no limits, nobody who leaves.
import { WebSocketServer } from "ws";
import { serve } from "../syncd/rpc.ts";

interface Command {
  readonly kind: string;
  readonly connection?: number;
  readonly count?: number;
}

interface Frame {
  readonly kind: string;
  readonly number?: number;
  readonly commands?: readonly Command[];
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
const waiting = new Map<(effects: readonly object[]) => void, number[]>();
let expected = 0;
let arrived = 0;

server.on("connection", (socket) => {
  let sequence = 0;
  const send = (frame: object): void => socket.send(JSON.stringify(frame));
  const tell = (effects: readonly object[]): void => {
    sequence += 1;
    send({ kind: "effects", sequence, effects });
  };
  const waits: number[] = [];
  waiting.set(tell, waits);
  socket.on("close", () => waiting.delete(tell));
  socket.on("message", (data) => {
    const { kind, number, commands = [] } = JSON.parse(String(data)) as Frame;
    if (kind === "hello") send({ kind: "welcome", lastBatch: 0 });
    for (const { kind: what, connection = 0, count = 0 } of commands) {
      if (what === "count-init") {
        expected = count;
        tell([{ kind: "acknowledged", connection }]);
      } else if (what === "count-wait") {
        waits.push(connection);
        arrived += 1;
      } else if (what === "end-edge") tell([{ kind: "revoked" }]);
    }
    if (number !== undefined) send({ kind: "applied", number });
    if (expected > 0 && arrived === expected) release();
  });
});

function release(): void {
  [expected, arrived] = [0, 0];
  const facts = { kind: "released", scope: "default", barrier: "b", barrierKind: "count" };
  for (const [tell, waits] of waiting) {
    if (waits.length === 0) continue;
    tell([{ ...facts, generation: 1, outcome: "crossed", error: 0, connections: waits.splice(0) }]);
  }
}

serve({ port: () => (server.address() as { readonly port: number }).port });
