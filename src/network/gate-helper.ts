// SPDX-License-Identifier: MIT
// A program of its own, for a moment: it is started in the run's own namespace, opens the sockets
// it is told to, hands them over to Muster and ends. A socket stays in the namespace that it was
// opened in, whoever holds it.
//
//   Arguments: JSON of `GatePort[]`. Messages: `GateMessage`, the handle beside it.
import type { SendHandle } from "node:child_process";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { GateMessage, GatePort } from "./gate-messages.ts";

function say(message: GateMessage, handle?: SendHandle): void {
  process.send?.(message, handle);
}

function open(wanted: GatePort, index: number): void {
  const fail = (error: Error): void => say({ index, error: error.message });
  if (wanted.kind !== "udp") {
    const server = createServer();
    server.once("error", fail);
    const place =
      wanted.kind === "unix"
        ? { path: `\0${wanted.name}` }
        : { host: "0.0.0.0", port: wanted.port };
    server.listen({ ...place, backlog: 511 }, () => say({ index }, server));
    return;
  }
  const socket = createSocket("udp4");
  socket.once("error", fail);
  socket.bind({ address: "0.0.0.0", port: wanted.port, exclusive: true }, () =>
    say({ index }, socket),
  );
}

const ports = JSON.parse(process.argv[2] ?? "[]") as readonly GatePort[];
for (const [index, port] of ports.entries()) open(port, index);
// Muster has everything, or is gone.
process.once("disconnect", () => process.exit(0));
