// SPDX-License-Identifier: MIT
// The bus of one experiment and its door: a WebSocket and HTTP at port 2917 of each address at
// which a node calls. Owns what listens; who may say what is decided by the experiment's key, which
// receivers check. [EMULAB-EVENTS 7.2]
import { createServer, type Server, type Socket } from "node:net";
import { eventPorts } from "../client/event-address.ts";
import {
  busTime,
  createBusEndpoint,
  createBusRoutes,
  resolveBusDoorBounds,
} from "../edges/bus/index.ts";
import { createHttpDoor, type HttpDoor } from "../edges/http/index.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { Bus } from "../wire/event/bus.ts";

/** The name by which nodes know it. */
export const eventServerName = "event-server";

export interface EventServerOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 for one that is free, at the first address only. */
  readonly port?: number;
}

export class EventServer {
  readonly #options: EventServerOptions;
  readonly #door: HttpDoor;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #port: number;

  constructor(options: EventServerOptions) {
    const { bus, clock, logger, port = eventPorts.experiments } = options;
    this.#options = options;
    this.#port = port;
    this.#door = createHttpDoor({ clock, logger, access: { names: [eventServerName] } });
    const mounted = { bus, clock, bounds: resolveBusDoorBounds(), time: busTime };
    this.#door.socket(createBusEndpoint(mounted));
    for (const route of createBusRoutes(mounted)) this.#door.route(route);
  }

  get port(): number {
    return this.#port;
  }

  /** Also for addresses that come later. @throws Error with a sentence for the user */
  async listen(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) await this.#listenAt(address);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    await this.#door.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listenAt(address: string): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      this.#door.accept(socket);
    });
    server.maxConnections = this.#door.bounds.httpConnectionsMax;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(describe(error, address, this.#port)));
      server.listen({ host: address, port: this.#port, exclusive: true }, resolve);
    });
    server.on("error", (error) => this.#options.logger.log("error", `events: ${error.message}`));
    this.#servers.push(server);
    const bound = server.address();
    if (bound !== null && typeof bound === "object") this.#port = bound.port;
  }
}

function describe(error: NodeJS.ErrnoException, address: string, port: number): Error {
  const where = `the event server cannot listen at ${address}:${port}`;
  if (error.code === "EADDRINUSE") {
    const help = `find who has the port with: ss -ltnp 'sport = :${port}', and stop it`;
    return new Error(`${where}: the port is taken; ${help}`, { cause: error });
  }
  return new Error(`${where}: ${error.message}; is the address one of this machine?`, {
    cause: error,
  });
}
