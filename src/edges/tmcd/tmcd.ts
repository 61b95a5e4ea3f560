// SPDX-License-Identifier: MIT
// The node configuration server as an edge: both doors on its ports. [EMULAB-TMCD 1] Owns listening
// and what is open; facts and reports are the source's (source.ts).
//
//   E1. It listens on loopback unless told otherwise.
//   E2. The second port goes with the main one only.
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { alternatePort, mainPort } from "../../wire/tmcd/index.ts";
import { type TmcdTime, tmcdTime } from "../tmcd-time.ts";
import { type Bound, listen } from "./listen.ts";
import type { TmcdSource } from "./source.ts";
import { TcpDoor } from "./tcp.ts";
import type { TlsIdentity } from "./tls.ts";
import { UdpDoor } from "./udp.ts";

export interface TmcdOptions {
  readonly source: TmcdSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Loopback when absent; a node is told apart by the one it calls. */
  readonly addresses?: readonly string[];
  /** 7777, and 14447 beside it, when absent. */
  readonly port?: number;
  readonly tls?: TlsIdentity;
  /** Control nodes may use plain connections. */
  readonly isInsecure?: boolean;
  /** Test requests are answered. */
  readonly isDebugging?: boolean;
  /** Edge-local times; tests shorten them. */
  readonly time?: TmcdTime;
}

export class Tmcd {
  readonly #options: TmcdOptions;
  readonly #tcp: TcpDoor;
  readonly #udp: UdpDoor;
  readonly #bound: Bound[] = [];

  /** @throws Error of OpenSSL for a key or certificate that is none. */
  constructor(options: TmcdOptions) {
    this.#options = options;
    const { source, clock, logger, time = tmcdTime, tls } = options;
    const { isInsecure = false, isDebugging = false } = options;
    const shared = { source, clock, logger, time, isInsecure, isDebugging };
    this.#tcp = new TcpDoor({ ...shared, tls });
    this.#udp = new UdpDoor(shared);
  }

  /** Ports listened at; none before `listen`. */
  get ports(): readonly number[] {
    return this.#bound[0]?.ports ?? [];
  }

  /** Connections and datagrams being served. */
  get openCount(): number {
    return this.#tcp.openCount + this.#udp.inFlightCount;
  }

  /** Takes the ports. @throws TmcdListenError */
  async listen(): Promise<readonly number[]> {
    const { addresses = ["127.0.0.1"], port } = this.#options;
    const ports = port === undefined || port === mainPort ? [mainPort, alternatePort] : [port];
    this.#bound.push(await this.#listenAt(addresses, ports));
    return this.ports;
  }

  /** Takes the same ports at further addresses. @throws TmcdListenError; nothing is taken then. */
  async listenAlso(addresses: readonly string[]): Promise<void> {
    if (addresses.length > 0) this.#bound.push(await this.#listenAt(addresses, this.ports));
  }

  /** Gives the ports back and closes every connection. */
  close(): void {
    for (const bound of this.#bound.splice(0)) bound.close();
    this.#tcp.close();
  }

  #listenAt(addresses: readonly string[], ports: readonly number[]): Promise<Bound> {
    const { logger } = this.#options;
    return listen({
      ...{ addresses, ports },
      onConnection: (socket) => this.#tcp.accept(socket),
      onDatagram: (bytes, from, at, localAddress) => {
        const send = (reply: Uint8Array, port: number, address: string): void => {
          at.send(reply, port, address, ignore);
        };
        this.#udp.receive(bytes, { address: from.address, port: from.port, localAddress, send });
      },
      onSocketError: (error) => logger.log("error", `socket error: ${error.message}`),
    });
  }
}

/** The sender of a datagram that cannot be answered repeats, or does not care. */
function ignore(): void {}
