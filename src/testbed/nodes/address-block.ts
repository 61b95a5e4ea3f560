// SPDX-License-Identifier: MIT
// Which block of loopback addresses a run owns. Owning is listening on the lock address of the
// block, so two runs never share one and the kernel gives a block back however its owner dies.
import { createServer, type Server } from "node:net";
import { BLOCK_FIRST, BLOCK_LAST, lockAddress } from "./addresses.ts";

const LOCK_PORT = 16530;

export interface AddressBlock {
  /** The second octet. */
  readonly block: number;
  release(): Promise<void>;
}

/**
 * Takes the block the seed names, or the next one that is free.
 *
 * @returns the block, or the sentence that says why there is none.
 */
export async function claimAddressBlock(seed: number): Promise<AddressBlock | string> {
  const count = BLOCK_LAST - BLOCK_FIRST + 1;
  const start = Math.abs(Math.trunc(seed)) % count;
  let last = "";
  for (let step = 0; step < count; step += 1) {
    const block = BLOCK_FIRST + ((start + step) % count);
    const server = await listenOn(lockAddress(block));
    if (typeof server !== "string") return { block, release: () => closeServer(server) };
    last = server;
    if (last !== "EADDRINUSE") break;
  }
  return explainNoBlock(last, count);
}

/** @param code of the last attempt to listen. */
export function explainNoBlock(code: string, count: number): string {
  if (code === "EADDRINUSE") {
    return `all ${count} blocks of loopback addresses are taken (port ${LOCK_PORT} is in use on each)`;
  }
  const what = `cannot listen on the loopback addresses 127.0.0.0/8: ${code}`;
  if (code === "EMFILE") return `${what}, too many open files; raise the limit (ulimit -n)`;
  if (code === "ENFILE") return `${what}, too many files are open on this machine; end something`;
  return `${what}; is the interface lo up?`;
}

function listenOn(host: string): Promise<Server | string> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port: LOCK_PORT, exclusive: true, backlog: 1 }, () => {
      // The lock alone must not keep a process alive that has nothing else to do.
      server.unref();
      resolve(server);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
