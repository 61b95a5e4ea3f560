// SPDX-License-Identifier: MIT
// A program of its own, for a moment: it is started in a network of the run, opens the sockets it
// is told to, hands them over to Muster and ends. A socket stays in the network that it was opened
// in, whoever holds it.
//
//   Arguments: JSON of `WantedSocket[]`. Messages: `GateMessage`, the handle beside it.
import type { SendHandle } from "node:child_process";
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import type { GateMessage, WantedSocket } from "./gate-messages.ts";

function say(message: GateMessage, handle?: SendHandle): void {
  process.send?.(message, handle);
}

function open(wanted: WantedSocket, index: number): void {
  const fail = (error: Error): void => say({ index, error: error.message });
  switch (wanted.kind) {
    case "tcp":
    case "unix":
    case "bare-tcp-server": {
      const server = createServer();
      server.once("error", fail);
      const done = (): void =>
        say({ index }, wanted.kind === "bare-tcp-server" ? bare(server) : server);
      server.listen({ ...placeOf(wanted), backlog: 511 }, done);
      return;
    }
    case "udp":
    case "bare-udp": {
      const socket = createSocket("udp4");
      socket.once("error", fail);
      const address = wanted.kind === "udp" ? "0.0.0.0" : wanted.address;
      const done = (): void => say({ index }, wanted.kind === "udp" ? socket : bareUdp(socket));
      socket.bind({ address, port: wanted.port, exclusive: true }, done);
      return;
    }
    case "bare-tcp-client": {
      const { address: localAddress, port: localPort, peerAddress: host, peerPort: port } = wanted;
      const socket = connect({ host, port, localAddress, localPort, noDelay: true });
      socket.once("error", fail);
      socket.once("connect", () => say({ index }, bare(socket)));
    }
  }
}

function placeOf(wanted: Extract<WantedSocket, { kind: "tcp" | "unix" | "bare-tcp-server" }>) {
  if (wanted.kind === "unix") return { path: `\0${wanted.name}` };
  return { host: wanted.kind === "tcp" ? "0.0.0.0" : wanted.address, port: wanted.port };
}

/** The handle below: the platform sends it as it is, and the other side starts nothing with it. */
function bare(socket: object): SendHandle {
  return Reflect.get(socket, "_handle") as SendHandle;
}

function bareUdp(socket: object): SendHandle {
  const symbol = Object.getOwnPropertySymbols(socket).find((one) => {
    return one.description === "state symbol";
  });
  const state: unknown = symbol === undefined ? undefined : Reflect.get(socket, symbol);
  return Reflect.get(state as object, "handle") as SendHandle;
}

const all = JSON.parse(process.argv[2] ?? "[]") as readonly WantedSocket[];
for (const [index, wanted] of all.entries()) open(wanted, index);
// Muster has everything, or is gone.
process.once("disconnect", () => process.exit(0));
