// SPDX-License-Identifier: MIT
// Clients of the simulated world, and what each of them has heard. Those of the sync server speak
// its wire over a simulated connection; the others sit directly on a link to the core.
import type { Duplex } from "node:stream";
import type { Command } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { CoreLink, EdgeHandler } from "../host/core-link.ts";
import type { RequestFormat, SyncRequest } from "../wire/emulab-sync/index.ts";
import { encodeRequest } from "../wire/emulab-sync/index.ts";
import { answerOf, connectionsOf, type KindRequest } from "./simulated-kinds.ts";

/** How it ended for a client; undefined while it waits. */
export type Ending =
  | { readonly kind: "answered"; readonly value: number }
  | { readonly kind: "closed" }
  | { readonly kind: "left" };

export interface Client {
  /** Unique in the whole run; stands in the log as `address`. */
  readonly name: string;
  /** The edge it speaks to, and the life of it. */
  readonly edge: string;
  readonly life: number;
  readonly asked: string;
  readonly hasDeadline: boolean;
  readonly saysOutcome: boolean;
  ending: Ending | undefined;
  /** Answers it got; more than one is a fault. */
  answers: number;
  leave(): void;
}

export interface ClientEvents {
  ended(client: Client): void;
}

export interface WireClientOptions {
  readonly name: string;
  readonly edge: string;
  readonly life: number;
  readonly stream: Duplex;
  readonly request: SyncRequest;
  readonly format: RequestFormat;
  readonly events: ClientEvents;
}

/** A client of the sync server. [EMULAB-SYNC 2] */
export function createWireClient(options: WireClientOptions): Client {
  const { name, edge, life, stream, request, format, events } = options;
  let bytes = Buffer.alloc(0);
  const client: Client = {
    name,
    edge,
    life,
    asked: describeRequest(request),
    hasDeadline: false,
    saysOutcome: format.version === 2,
    ending: undefined,
    answers: 0,
    leave() {
      if (client.ending !== undefined) return;
      client.ending = { kind: "left" };
      stream.destroy();
      events.ended(client);
    },
  };
  const end = (): void => {
    client.answers = Math.ceil(bytes.length / 4);
    if (client.ending !== undefined) return;
    const isLittle = format.byteOrder === "little";
    if (bytes.length < 4) client.ending = { kind: "closed" };
    else {
      const value = isLittle ? bytes.readInt32LE() : bytes.readInt32BE();
      client.ending = { kind: "answered", value };
    }
    events.ended(client);
  };
  stream.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  stream.on("end", () => {
    end();
    stream.end();
  });
  stream.on("close", end);
  stream.write(encodeRequest(request, format));
  return client;
}

function describeRequest(request: SyncRequest): string {
  if (request.kind === "init") {
    const waits = request.waits ? "and waits" : "and goes on";
    return `init ${request.name} ${request.count} ${waits} error ${request.error}`;
  }
  return request.kind === "wait" ? `wait ${request.name} error ${request.error}` : "describe";
}

/** An edge without a wire: its clients are connections of a link to the core. */
export class DirectEdge {
  readonly handler: EdgeHandler;
  link: CoreLink | undefined;
  readonly #clients = new Map<number, Client>();
  /** The kinds of commands that connections have begun with. */
  readonly #asked = new Map<number, string>();
  readonly #events: ClientEvents;
  readonly #onClosed: (reason: string) => void;
  #lastConnection = 0;

  constructor(events: ClientEvents, onClosed: (reason: string) => void) {
    this.#events = events;
    this.#onClosed = onClosed;
    this.handler = {
      onEffects: (effects) => {
        for (const effect of effects) this.#onEffect(effect);
      },
      onClosed: (reason) => {
        this.closeAll();
        this.#onClosed(reason);
      },
    };
  }

  /** @returns undefined when the link has no room. */
  arrive(
    who: Pick<Client, "name" | "edge" | "life">,
    command: Extract<Command, { kind: "count-init" | "count-wait" }> | KindRequest,
  ): Client | undefined {
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    const arrival = { ...command, connection, who: { ...command.who, address: who.name } };
    if (!this.link?.submit(arrival)) return undefined;
    const timeoutUs = "timeoutUs" in command ? command.timeoutUs : undefined;
    this.#asked.set(connection, command.kind);
    const client: Client = {
      ...who,
      asked: `${command.kind} ${command.barrier} timeout ${timeoutUs ?? "none"}`,
      hasDeadline: timeoutUs !== undefined,
      saysOutcome: true,
      ending: undefined,
      answers: 0,
      leave: () => {
        if (client.ending !== undefined) return;
        client.ending = { kind: "left" };
        this.link?.submit({ kind: "leave", connection });
        this.#events.ended(client);
      },
    };
    this.#clients.set(connection, client);
    return client;
  }

  /** The edge is gone, and its connections with it. */
  closeAll(): void {
    for (const client of this.#clients.values()) this.#end(client, { kind: "closed" });
    this.#clients.clear();
  }

  #onEffect(effect: EdgeEffect): void {
    if (effect.kind === "quorum-status" && effect.status === "crossed") {
      // Its driver answers, whether it has to or not.
      const { scope, barrier, connection } = effect;
      this.link?.submit({ kind: "quorum-echo", scope, barrier, connection });
    }
    for (const connection of connectionsOf(effect)) {
      const asked = this.#asked.get(connection) ?? "";
      // A driver's own answer may come too late, and be refused.
      if (asked === "quorum-init" && this.#clients.get(connection)?.ending !== undefined) continue;
      const value = answerOf(effect, asked);
      if (value !== undefined) this.#answer(connection, value);
    }
  }

  /** Something nobody waits for. */
  order(command: Command): void {
    this.link?.submit(command);
  }

  #answer(connection: number, value: number): void {
    const client = this.#clients.get(connection);
    if (client === undefined) return;
    client.answers += 1;
    this.#end(client, { kind: "answered", value });
  }

  #end(client: Client, ending: Ending): void {
    if (client.ending !== undefined) return;
    client.ending = ending;
    this.#events.ended(client);
  }
}
