// SPDX-License-Identifier: MIT
// The servers of a run as programs of another machine see them: the agent listens on loopback, at
// the addresses at which its nodes call servers, and the link carries what comes to the run. No
// port of either machine is open to a network.
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { createServer, type Server } from "node:net";
import { nodeLinkLimits } from "../../wire/node-link/index.ts";
import type { CarriedDoor } from "./agent-plan.ts";
import { carrySocket } from "./carried.ts";
import type { NodeLink } from "./node-link.ts";

export class AgentDoors {
  readonly #link: NodeLink;
  readonly #servers: Server[] = [];
  readonly #sockets: Datagrams[] = [];

  constructor(link: NodeLink) {
    this.#link = link;
  }

  /** @returns the port, which the system chooses for 0. @throws Error of the system */
  async open(node: string, address: string, door: CarriedDoor): Promise<number> {
    return door.carrier === "tcp"
      ? await this.#listen(node, address, door.port)
      : await this.#bind(node, address, door.port);
  }

  /** Listens at a port of the system's choice for a door at another one. */
  async openAt(address: string, port: number): Promise<number> {
    return await this.#listen("", address, 0, port);
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.close();
    this.#servers.length = 0;
    this.#sockets.length = 0;
  }

  #listen(node: string, address: string, port: number, calls: number = port): Promise<number> {
    const link = this.#link;
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const stream = link.newStream();
      link.send({ kind: "open", stream, carrier: "tcp", node, port: calls });
      carrySocket(link, stream, socket);
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, address, () => {
        server.off("error", reject);
        server.on("error", () => undefined); // No descriptors: the next call may succeed.
        const bound = server.address();
        resolve(typeof bound === "object" && bound !== null ? bound.port : port);
      });
    });
  }

  #bind(node: string, address: string, port: number): Promise<number> {
    const socket = createSocket("udp4");
    this.#sockets.push(socket);
    const callers = new Callers(this.#link, socket, { node, port });
    socket.on("message", (bytes, from) => callers.hear(bytes, from));
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, address, () => {
        socket.off("error", reject);
        socket.on("error", () => undefined);
        resolve(port);
      });
    });
  }
}

interface CalledDoor {
  readonly node: string;
  readonly port: number;
}

interface Caller {
  readonly address: string;
  readonly port: number;
}

/** A stream for each caller, so that servers tell them apart as they do on one machine. */
class Callers {
  readonly #link: NodeLink;
  readonly #socket: Datagrams;
  readonly #door: CalledDoor;
  /** By address and port; who has called last is the last. */
  readonly #streams = new Map<string, number>();

  constructor(link: NodeLink, socket: Datagrams, door: CalledDoor) {
    this.#link = link;
    this.#socket = socket;
    this.#door = door;
  }

  hear(bytes: Uint8Array, caller: Caller): void {
    const key = `${caller.address} ${caller.port}`;
    const stream = this.#streams.get(key) ?? this.#open(key, caller);
    if (stream === undefined) return;
    this.#streams.delete(key);
    this.#streams.set(key, stream);
    this.#link.sendData(stream, bytes);
  }

  #open(key: string, { address, port }: Caller): number | undefined {
    const link = this.#link;
    if (this.#streams.size >= nodeLinkLimits.udpCallersMax) this.#forgetOldest();
    const stream = link.newStream();
    const isOpen = link.openStream(stream, {
      data: (bytes) => this.#socket.send(bytes, port, address),
      close: () => {
        this.#streams.delete(key);
      },
    });
    if (!isOpen) return undefined;
    link.send({ kind: "open", stream, carrier: "udp", ...this.#door });
    return stream;
  }

  #forgetOldest(): void {
    for (const [key, stream] of this.#streams) {
      this.#streams.delete(key);
      this.#link.closeStream(stream);
      return;
    }
  }
}
