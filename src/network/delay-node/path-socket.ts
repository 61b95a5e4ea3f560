// SPDX-License-Identifier: MIT
// The UDP socket of this machine's own network by which its delay node is reached from others: it
// is opened here, where that network is, and given to the process, which is in another one.
import { createSocket } from "node:dgram";
import { NetworkError } from "../link-backend.ts";

export interface PathSocket {
  readonly port: number;
  /** To be given to the process before `close`. */
  readonly descriptor: number;
  /** Whoever was given it keeps it. Idempotent. */
  close(): void;
}

/** At a port that the system chooses. @throws NetworkError */
export async function openPathSocket(address: string): Promise<PathSocket> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", ({ message }) => {
      reject(new NetworkError(`links to other machines cannot be at ${address}: ${message}`));
    });
    socket.bind({ address, port: 0, exclusive: true }, resolve);
  });
  // The platform tells the descriptor of a socket in no other way.
  const symbol = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === "state symbol",
  );
  const state = symbol && (Reflect.get(socket, symbol) as { readonly handle?: object } | undefined);
  const descriptor: unknown = state?.handle && Reflect.get(state.handle, "fd");
  if (typeof descriptor !== "number" || descriptor < 0) {
    throw new NetworkError("the socket to other machines has no descriptor here");
  }
  let isOpen = true;
  return {
    descriptor,
    port: socket.address().port,
    close() {
      if (isOpen) socket.close();
      isOpen = false;
    },
  };
}
