// SPDX-License-Identifier: MIT
// Which connections a listener takes: from its networks, and no more than its bounds, in all and of
// one client by its address, the only name of a client that all protocols have. Asked before
// anything is read, and before the handshake of TLS.
//
//   const admission = new Admission({ admits, limits, note, onRefused });
//   server.on("connection", (socket) => admission.admit(socket));
//
//   U3. Strangers cannot fill the log here either: the first refusal by each limit is told, the
//       others are details.
//   U4. Where callers have to show something first, those who have not give way: for one more than
//       the listener takes the oldest of them is cut. Else who only connects would keep all out.
//   U5. Behind those, where the door says who asks for something now (`asks`), who does not gives
//       way as well, the one that has been so for longest: one client of a thousand connections, or
//       of requests that never end, would keep all out.
import type { Socket } from "node:net";
import { KeyCounts } from "./key-counts.ts";

/** A bound with the name by which it is raised. */
export interface NamedLimit {
  readonly name: string;
  readonly max: number;
  /** Nobody can raise it. */
  readonly isFixed?: boolean;
}

export interface AdmissionOptions {
  /** Whether a host may come at all; every host may when absent. */
  readonly admits?: ((peerAddress: string | undefined) => boolean) | undefined;
  readonly limits: {
    /** Connections of the listener. */
    readonly all: NamedLimit;
    /** Of them those of one client. */
    readonly client?: NamedLimit;
  };
  /** Callers count as strangers until they are `known` (U4). */
  readonly hasStrangers?: boolean;
  readonly log: (level: "debug" | "info", line: string) => void;
  /** Told the name of the limit. */
  readonly onRefused?: ((limit: string) => void) | undefined;
}

type Caller = Pick<Socket, "remoteAddress" | "remotePort" | "once" | "on" | "destroy">;

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #byClient = new KeyCounts();
  /** U4, the oldest first. TLS is a socket of its own around that of the listener. */
  readonly #strangers = new Map<string, Caller>();
  /** U5, those that are known, the one that has asked for nothing for longest first. */
  readonly #idle = new Map<string, Caller>();
  /** What each asks for now. */
  readonly #asked = new KeyCounts();
  readonly #open = new Map<string, Caller>();
  readonly #told = new Set<string>();
  #count = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Connections that were taken and are open. */
  get count(): number {
    return this.#count;
  }

  /** Takes a connection, until it closes, or closes it. @returns whether it is taken */
  admit(socket: Caller): boolean {
    const { admits, hasStrangers = false } = this.#options;
    if (admits?.(socket.remoteAddress) === false) return refuse(socket);
    const client = socket.remoteAddress ?? "";
    const over = this.#objection(client);
    if (over !== undefined) {
      this.#tell(client, over);
      return refuse(socket);
    }
    this.#count += 1;
    this.#byClient.add(client);
    const ends = endsOf(socket);
    if (hasStrangers) this.#strangers.set(ends, socket);
    this.#open.set(ends, socket);
    socket.once("close", () => {
      for (const some of [this.#strangers, this.#idle, this.#open]) {
        if (some.get(ends) === socket) some.delete(ends);
      }
      this.#release(client);
    });
    return true;
  }

  /** A connection that was taken, or what lies around it, has shown what it had to (U4). */
  known(socket: Ends): void {
    this.#strangers.delete(endsOf(socket));
  }

  /** Such a connection has asked for something, as a whole (U5). */
  asks(socket: Ends): void {
    const ends = endsOf(socket);
    this.#asked.add(ends);
    this.#idle.delete(ends);
  }

  /** It has its answer, or asks for nothing yet. */
  rests(socket: Ends): void {
    const ends = endsOf(socket);
    this.#asked.drop(ends);
    const caller = this.#open.get(ends);
    if (caller !== undefined && this.#asked.of(ends) === 0) this.#idle.set(ends, caller);
  }

  /** @returns the limit that keeps one more of this client out */
  #objection(client: string): NamedLimit | undefined {
    const { all, client: each } = this.#options.limits;
    if (each !== undefined && this.#byClient.of(client) >= each.max) return each;
    return this.#count >= all.max && !this.#cutOne() ? all : undefined;
  }

  /** U4, U5. @returns whether there was one */
  #cutOne(): boolean {
    const [oldest] = this.#strangers.size > 0 ? this.#strangers : this.#idle;
    if (oldest === undefined) return false;
    const [ends, socket] = oldest;
    this.#strangers.delete(ends);
    this.#idle.delete(ends);
    socket.destroy();
    return true;
  }

  #release(client: string): void {
    this.#count -= 1;
    this.#byClient.drop(client);
  }

  /** U3. No wire has a word for it: the client hears that the connection is closed. */
  #tell(client: string, { name, max, isFixed = false }: NamedLimit): void {
    const level = this.#told.has(name) ? "debug" : "info";
    this.#told.add(name);
    const advice = isFixed ? "" : `; raise it with --limit ${name}=VALUE`;
    this.#options.log(level, `refused ${client}: limit ${name} (${max}) reached${advice}`);
    this.#options.onRefused?.(name);
  }
}

type Ends = Pick<Socket, "remoteAddress" | "remotePort">;

/** Tells connections of one listener apart while they are open. */
function endsOf({ remoteAddress, remotePort }: Ends): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Closes a connection that is not taken. */
export function refuse(socket: Pick<Socket, "on" | "destroy">): false {
  socket.on("error", () => undefined);
  socket.destroy();
  return false;
}
