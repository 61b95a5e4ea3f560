// SPDX-License-Identifier: MIT
// The way of a TCP connection to a door that knows bytes only: who may come (admission.ts), TLS
// where there is a certificate (tls.ts), and then the door. One for each listener.
import type { Socket } from "node:net";
import { Admission, type AdmissionOptions, refuse } from "./admission.ts";
import { type TlsFiles, TlsGate } from "./tls.ts";

/** The two ends of a connection. */
export interface TcpCaller {
  readonly remoteAddress: string;
  /** For people: `127.0.0.1:4711`. */
  readonly remote: string;
  /** The address that was called. */
  readonly localAddress: string;
}

export interface DoorwayOptions extends AdmissionOptions {
  /** Callers speak TLS from the first byte. */
  readonly tls?: TlsFiles | undefined;
  /** Milliseconds that a handshake may take. */
  readonly handshakeMs: number;
  /** Who came through; the end of its side does not end ours. */
  readonly onCaller: (stream: Socket, caller: TcpCaller) => void;
}

export class Doorway {
  readonly #options: DoorwayOptions;
  readonly #admission: Admission;
  readonly #gate: TlsGate | undefined;

  /** @throws Error of OpenSSL for a key or certificate that is none. */
  constructor(options: DoorwayOptions) {
    this.#options = options;
    const { tls: files, handshakeMs, log } = options;
    this.#admission = new Admission({ ...options, hasStrangers: files !== undefined });
    if (files === undefined) return;
    this.#gate = new TlsGate({
      ...{ files, handshakeMs },
      onSecure: (socket) => {
        this.#admission.known(socket);
        this.#enter(socket);
      },
      onRefused: (why) => log("info", `no TLS handshake: ${why}`),
    });
  }

  /** Connections that were taken and are open, those in a handshake as well. */
  get count(): number {
    return this.#admission.count;
  }

  /** A connection of the listener. */
  accept(socket: Socket): void {
    // One that was reset before it was taken up has no addresses any more.
    if (socket.remoteAddress === undefined) {
      refuse(socket);
      return;
    }
    if (!this.#admission.admit(socket)) return;
    if (this.#gate === undefined) this.#enter(socket);
    else this.#gate.accept(socket);
  }

  /** Cuts who is in a handshake, and who came through one. */
  close(): void {
    this.#gate?.close();
  }

  #enter(socket: Socket): void {
    const { remoteAddress = "", remotePort, localAddress = "" } = socket;
    const remote = `${remoteAddress}:${remotePort}`;
    this.#options.onCaller(socket, { remoteAddress, remote, localAddress });
  }
}
