// SPDX-License-Identifier: MIT
// TLS of the doors: what a server is made with, and a gate before a door that knows nothing of TLS.
// What is in the files is pki's; a door takes what `pki/loadTlsMaterial` gives, in one line:
//
//   const server = createHttpsServer({ ...tlsServerOptions(files) });
//   const gate = new TlsGate({ files, onSecure: (socket) => door.accept(socket), ... });
//
//   S1. When an authority is given nobody gets through without a certificate that it has signed.
//   S2. Who does not finish the handshake in time is cut off, and costs one connection till then.
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";

/** PEM texts. */
export interface TlsFiles {
  readonly key: string;
  readonly certificate: string;
  /** When given, clients must show a certificate that it has signed (S1). */
  readonly authority?: string;
}

/** For servers of TLS and of HTTPS. */
export function tlsServerOptions({ key, certificate, authority }: TlsFiles): TlsOptions {
  const clients =
    authority === undefined ? {} : { ca: authority, requestCert: true, rejectUnauthorized: true };
  return { key, cert: certificate, minVersion: "TLSv1.2", ...clients };
}

export interface TlsGateOptions {
  readonly files: TlsFiles;
  /** Milliseconds for a handshake (S2). */
  readonly handshakeMs: number;
  /** Who came through; the end of its side does not end ours. */
  readonly onSecure: (socket: TLSSocket) => void;
  readonly onRefused: (why: string) => void;
}

/** Stands before a door of plain connections: what comes through it is secure. */
export class TlsGate {
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  /** @throws Error of OpenSSL for a key or certificate that is none. */
  constructor({ files, handshakeMs, onSecure, onRefused }: TlsGateOptions) {
    const options = { ...tlsServerOptions(files), handshakeTimeout: handshakeMs };
    this.#server = createServer({ ...options, allowHalfOpen: true }, onSecure);
    this.#server.on("tlsClientError", (error, socket) => {
      onRefused(error.message);
      socket.destroy();
    });
  }

  /** Starts the handshake on a connection. */
  accept(socket: Socket): void {
    this.#open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#open.delete(socket));
    this.#server.emit("connection", socket);
  }

  /** Cuts every connection that came here. */
  close(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
