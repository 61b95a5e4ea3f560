// SPDX-License-Identifier: MIT
// Whether the addresses of doors can be had, looked at before anything is told to others: who joins
// a log under a name ends whoever has it, and must not do so for doors that will not open.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { Listen } from "./serve-listen.ts";

/**
 * Takes each address and lets it go. Somebody may take it meanwhile, which opening the door says.
 * @throws Error of the system (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`) for the first that is not
 *   to be had
 */
export async function checkFree(places: readonly Listen[]): Promise<void> {
  for (const { edge, host, port } of places) {
    await takeStream(host, port);
    // Its datagrams come to a port of the same number; 0: the system chooses.
    if (edge === "syncd" && port !== 0) await takeDatagrams(host, port);
  }
}

function takeStream(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function takeDatagrams(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.once("error", (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(resolve));
  });
}
