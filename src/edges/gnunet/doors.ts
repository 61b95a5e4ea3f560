// SPDX-License-Identifier: MIT
// The two services of a controller, each at any number of addresses: `testbed` for a driver,
// `testbed-barrier` for peers. [GNUNET-BARRIERS 4] Owns listening and connections, not what is
// counted.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Participant } from "../../core/command.ts";
import type { Clock } from "../../host/clock.ts";
import { Doorway } from "../doorway.ts";
import type { GnunetTime } from "../gnunet-time.ts";
import type { TlsFiles } from "../tls.ts";
import type { GnunetBounds } from "./bounds.ts";
import { ConnectionTable } from "./connection.ts";
import { Driver, type DriverSeat } from "./driver.ts";
import { type GnunetAddress, type GnunetBound, listenGnunet } from "./listen.ts";
import type { QuorumDesk } from "./quorum-desk.ts";
import { Waiter } from "./waiter.ts";

/** Which service of a controller: that of drivers, or that of peers. */
export type GnunetService = "testbed" | "testbed-barrier";

/** What of an address is about TCP; a socket in the file system is guarded by its rights. */
export interface GnunetListening {
  /** Whether a host may connect; all may when absent. */
  readonly admits?: (peerAddress: string | undefined) => boolean;
  /** Speaks TLS; GNUnet's library does not. */
  readonly tls?: TlsFiles;
}

export interface GnunetDoorsOptions {
  readonly desk: QuorumDesk;
  readonly clock: Clock;
  readonly time: GnunetTime;
  readonly bounds: GnunetBounds;
  readonly hasRoom: () => boolean;
  /** The node that calls, from the address it called at. */
  readonly nodeOf?: ((localAddress: string) => string | undefined) | undefined;
}

export class GnunetDoors {
  readonly #options: GnunetDoorsOptions;
  readonly #table: ConnectionTable;
  readonly #seat: DriverSeat = { taken: undefined };
  readonly #bound: GnunetBound[] = [];
  readonly #doorways: Doorway[] = [];
  #socketCount = 0;

  constructor(options: GnunetDoorsOptions) {
    this.#options = options;
    const { desk, clock, time, bounds, hasRoom } = options;
    const note = (line: string): void => desk.note(line);
    const limited = (name: string): void => desk.limited(name);
    this.#table = new ConnectionTable({ clock, time, bounds, hasRoom, limited, note });
  }

  /** Connections that are not ended, of both services. */
  get connectionCount(): number {
    return this.#table.count;
  }

  /** Whether a driver is there. */
  get hasDriver(): boolean {
    return this.#seat.taken !== undefined;
  }

  /** @returns the address, with the port that was chosen where 0 was. @throws GnunetListenError */
  async listen(
    service: GnunetService,
    address: GnunetAddress,
    more: GnunetListening = {},
  ): Promise<GnunetAddress> {
    const { clock, time, bounds, desk } = this.#options;
    const doorway = this.#createDoorway(service, more);
    this.#doorways.push(doorway);
    const bound = await listenGnunet({
      ...{ address, clock, time, backlog: bounds.gnunetBacklog },
      // A last answer may still be on its way to one who has closed its side.
      allowHalfOpen: true,
      onConnection: (socket) => {
        if (address.kind === "tcp") doorway.accept(socket);
        else this.#onLocal(service, socket);
      },
      onSocketError: (error) => desk.note(`socket error: ${error.message}`),
    });
    this.#bound.push(bound);
    return bound.address;
  }

  /** Serves a connection that did not come through `listen`. */
  accept(service: GnunetService, stream: Duplex, who: Participant): void {
    const { desk, bounds } = this.#options;
    this.#table.accept(stream, who, (at) =>
      service === "testbed-barrier"
        ? new Waiter(desk, at)
        : new Driver(desk, this.#seat, bounds, at),
    );
  }

  setReading(on: boolean): void {
    this.#table.setReading(on);
  }

  /** Ends every connection without an answer. */
  dropAll(): void {
    this.#table.dropAll();
  }

  /** Takes nobody new; who is connected stays. */
  stopListening(): void {
    for (const bound of this.#bound) bound.close();
    this.#bound.length = 0;
  }

  /** Gives the addresses back and ends every connection. */
  close(): void {
    this.stopListening();
    for (const doorway of this.#doorways) doorway.close();
    this.#table.close();
  }

  #createDoorway(service: GnunetService, { admits, tls }: GnunetListening): Doorway {
    const { time, bounds, desk, nodeOf } = this.#options;
    return new Doorway({
      ...{ admits, tls, handshakeMs: time.messageMs },
      limits: {
        all: { name: "gnunetConnectionsMax", max: bounds.gnunetConnectionsMax },
        client: {
          name: "gnunetConnectionsPerClientMax",
          max: bounds.gnunetConnectionsPerClientMax,
        },
      },
      log: (level, line) => level === "info" && desk.note(line),
      onRefused: (limit) => desk.limited(limit),
      onCaller: (stream, { remote, localAddress }) => {
        const address = `${remote}/tcp`;
        const node = nodeOf?.(localAddress);
        this.accept(service, stream, node === undefined ? { address } : { address, node });
      },
    });
  }

  /** A client at a socket of the file system has no address; its number tells it from others. */
  #onLocal(service: GnunetService, socket: Socket): void {
    this.#socketCount += 1;
    this.accept(service, socket, { address: `unix:${this.#socketCount}` });
  }
}
