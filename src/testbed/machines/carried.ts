// SPDX-License-Identifier: MIT
// A connection whose two ends are sockets of two machines, with a link between: bytes, the end of
// each way, and pressure go through, so that neither end notices.
//
//   C1. At most `windowBytes` are on their way, not taken by the far socket: one that does not read
//       stops the near one, and nothing else of the link.
import type { Socket as Datagrams } from "node:dgram";
import type { Socket } from "node:net";
import { nodeLinkLimits } from "../../wire/node-link/index.ts";
import type { NodeLink } from "./node-link.ts";

/** The socket allows half-open connections. It is destroyed when there are too many streams. */
export function carrySocket(link: NodeLink, stream: number, socket: Socket): void {
  let onWay = 0;
  const isOpen = link.openStream(stream, {
    data: (bytes) => {
      socket.write(bytes, () => link.send({ kind: "taken", stream, bytes: bytes.length }));
    },
    taken: (bytes) => {
      onWay -= bytes;
      if (onWay < nodeLinkLimits.windowBytes) socket.resume();
    },
    finish: () => {
      socket.end();
    },
    close: () => {
      socket.destroy();
    },
  });
  if (!isOpen) {
    socket.destroy();
    link.send({ kind: "close", stream });
    return;
  }
  socket.setNoDelay(true);
  socket.on("data", (bytes: Buffer) => {
    onWay += bytes.length;
    link.sendData(stream, bytes);
    if (onWay >= nodeLinkLimits.windowBytes) socket.pause(); // C1.
  });
  socket.on("end", () => link.send({ kind: "finish", stream }));
  socket.on("error", () => undefined); // `close` follows.
  socket.on("close", () => link.closeStream(stream));
}

/** The near end of a caller's datagrams: a socket of its own, connected to who is called. */
export function carryDatagrams(
  link: NodeLink,
  stream: number,
  socket: Datagrams,
  to: { readonly host: string; readonly port: number },
): void {
  let isConnected = false;
  const waiting: Uint8Array[] = [];
  const isOpen = link.openStream(stream, {
    data: (bytes) => {
      if (isConnected) socket.send(bytes);
      else if (waiting.length < waitingMax) waiting.push(bytes.slice());
    },
    close: () => {
      socket.close();
    },
  });
  if (!isOpen) {
    socket.close();
    link.send({ kind: "close", stream });
    return;
  }
  socket.on("message", (bytes) => link.sendData(stream, bytes));
  // Nobody listens there: who calls by UDP hears nothing, and asks again.
  socket.on("error", () => undefined);
  socket.on("close", () => link.closeStream(stream));
  socket.connect(to.port, to.host, () => {
    isConnected = true;
    for (const bytes of waiting.splice(0)) socket.send(bytes);
  });
}

/** Datagrams that may come before the socket is connected. */
const waitingMax = 64;
