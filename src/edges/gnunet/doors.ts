// SPDX-License-Identifier: MIT
// The two services of a controller, each at any number of addresses: `testbed` for a driver,
// `testbed-barrier` for peers. [GNUNET-BARRIERS 4] Owns listening and connections, not what is
// counted.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Participant } from "../../core/command.ts";
import type { Clock } from "../../host/clock.ts";
import type { GnunetTime } from "../gnunet-time.ts";
import type { GnunetBounds } from "./bounds.ts";
import { ConnectionTable } from "./connection.ts";
import { Driver, type DriverSeat } from "./driver.ts";
import { type GnunetAddress, type GnunetBound, listenGnunet } from "./listen.ts";
import type { QuorumDesk } from "./quorum-desk.ts";
import { Waiter } from "./waiter.ts";

/** Which service of a controller: that of drivers, or that of peers. */
export type GnunetService = "testbed" | "testbed-barrier";

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
  #socketCount = 0;

  constructor(options: GnunetDoorsOptions) {
    this.#options = options;
    const { desk, clock, time, bounds, hasRoom } = options;
    const note = (line: string): void => desk.note(line);
    this.#table = new ConnectionTable({ clock, time, bounds, hasRoom, note });
  }

  /** Connections that are not ended, of both services. */
  get connectionCount(): number {
    return this.#table.count;
  }

  /** Whether a driver is there. */
  get hasDriver(): boolean {
    return this.#seat.taken !== undefined;
  }

  /**
   * @param admits whether a host may connect over TCP; all may when absent.
   * @returns the address, with the port that was chosen where 0 was. @throws GnunetListenError
   */
  async listen(
    service: GnunetService,
    address: GnunetAddress,
    admits?: (peerAddress: string) => boolean,
  ): Promise<GnunetAddress> {
    const { clock, time, bounds, desk } = this.#options;
    const bound = await listenGnunet({
      ...{ address, clock, time, backlog: bounds.gnunetBacklog },
      // A last answer may still be on its way to one who has closed its side.
      allowHalfOpen: true,
      onConnection: (socket) => this.#onConnection(service, socket, admits),
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
    this.#table.close();
  }

  #onConnection(
    service: GnunetService,
    socket: Socket,
    admits?: (peerAddress: string) => boolean,
  ): void {
    const { remoteAddress, remotePort, localAddress = "" } = socket;
    const isTcp = remoteAddress !== undefined;
    if (isTcp && admits?.(remoteAddress) === false) {
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    // A client on a socket of the file system has no address; its number tells it from the others.
    this.#socketCount += 1;
    const address = isTcp ? `${remoteAddress}:${remotePort}/tcp` : `unix:${this.#socketCount}`;
    const node = isTcp ? this.#options.nodeOf?.(localAddress) : undefined;
    this.accept(service, socket, node === undefined ? { address } : { address, node });
  }
}
