// SPDX-License-Identifier: MIT
// The TLS side of the configuration door. [EMULAB-TMCD 3] A client says a tag in clear and starts a
// handshake on the same connection. Owns versions, ciphers and whose certificates count; does not
// own the connection before (tcp.ts) or what is asked in it.
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import { type TlsFiles, tlsServerOptions } from "../tls.ts";

export interface TlsIdentity extends TlsFiles {
  /** Common name of the certificate: clients want it to lead to the address that they call. */
  readonly name?: string;
  /** `legacy`: also TLS 1.0 and the ciphers and short keys of its time, for old clients. */
  readonly versions: "modern" | "legacy";
}

export interface TlsDoorOptions {
  readonly identity: TlsIdentity;
  readonly onSecure: (socket: TLSSocket) => void;
  readonly onRefused: (why: string) => void;
}

export class TlsDoor {
  readonly #server: Server;

  /** @throws Error of OpenSSL for a key or certificate that is none. */
  constructor({ identity, onSecure, onRefused }: TlsDoorOptions) {
    this.#server = createServer({ ...tlsOptions(identity), allowHalfOpen: true }, onSecure);
    this.#server.on("tlsClientError", (error, socket) => {
      onRefused(error.message);
      socket.destroy();
    });
  }

  /** Starts the handshake on a connection; bytes of it already read must be put back before. */
  accept(socket: Socket): void {
    this.#server.emit("connection", socket);
  }
}

/** Both ends show a certificate; it is checked wherever there is something to check it against. */
function tlsOptions({ versions, ...files }: TlsIdentity): TlsOptions {
  const old = { minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  return {
    ...{ requestCert: true, rejectUnauthorized: false },
    ...tlsServerOptions(files),
    ...(versions === "legacy" ? old : {}),
  };
}
