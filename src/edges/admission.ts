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
  readonly log: (level: "debug" | "info", line: string) => void;
  /** Told the name of the limit. */
  readonly onRefused?: ((limit: string) => void) | undefined;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #byClient = new KeyCounts();
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
  admit(socket: Pick<Socket, "remoteAddress" | "once" | "on" | "destroy">): boolean {
    const { admits, limits } = this.#options;
    if (admits?.(socket.remoteAddress) === false) return refuse(socket);
    const client = socket.remoteAddress ?? "";
    const own = this.#byClient.of(client);
    const over =
      this.#count >= limits.all.max
        ? limits.all
        : limits.client !== undefined && own >= limits.client.max
          ? limits.client
          : undefined;
    if (over !== undefined) {
      this.#tell(client, over);
      return refuse(socket);
    }
    this.#count += 1;
    this.#byClient.add(client);
    socket.once("close", () => this.#release(client));
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

/** Closes a connection that is not taken. */
export function refuse(socket: Pick<Socket, "on" | "destroy">): false {
  socket.on("error", () => undefined);
  socket.destroy();
  return false;
}
