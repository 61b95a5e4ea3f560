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
  #bound: Bound | undefined;

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
    return this.#bound?.ports ?? [];
  }

  /** Connections and datagrams being served. */
  get openCount(): number {
    return this.#tcp.openCount + this.#udp.inFlightCount;
  }

  /** Takes the ports. @throws TmcdListenError */
  async listen(): Promise<readonly number[]> {
    const { addresses = ["127.0.0.1"], port, logger } = this.#options;
    this.#bound = await listen({
      addresses,
      ports: port === undefined || port === mainPort ? [mainPort, alternatePort] : [port],
      onConnection: (socket) => this.#tcp.accept(socket),
      onDatagram: (bytes, from, at, localAddress) => {
        const send = (reply: Uint8Array, port: number, address: string): void => {
          at.send(reply, port, address, ignore);
        };
        this.#udp.receive(bytes, { address: from.address, port: from.port, localAddress, send });
      },
      onSocketError: (error) => logger.log("error", `socket error: ${error.message}`),
    });
    return this.#bound.ports;
  }

  /** Gives the ports back and closes every connection. */
  close(): void {
    this.#bound?.close();
    this.#bound = undefined;
    this.#tcp.close();
  }
}

/** The sender of a datagram that cannot be answered repeats, or does not care. */
function ignore(): void {}
