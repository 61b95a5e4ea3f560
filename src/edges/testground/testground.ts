// SPDX-License-Identifier: MIT
// The Testground sync service as an edge: requests become commands, effects become answers.
// [TESTGROUND 3, 4] Owns which request has which connection id, which topics it follows, and what
// its listener has brought into being. Does not own states, topics or messages.
//
//   G4. Nobody is answered before an effect says so.
//   G5. A request is answered at most once; effects for requests that are over do nothing.
import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import type { ConnectionId, Participant, PayloadRef } from "../../core/command.ts";
import type { EdgeEffect, Released } from "../../core/effect.ts";
import { type Limits, payloadOverheadBytes } from "../../core/limits.ts";
import type { Clock } from "../../host/clock.ts";
import type { ConnectEdge } from "../../host/core-link.ts";
import type { Logger } from "../../host/logger.ts";
import type { TopicLink } from "../../host/topic-link.ts";
import {
  type ConfigRefused,
  isEventsTopic,
  nameState,
  type Operation,
  parseNetworkTopic,
  parseRunEvent,
  type RunEvent,
} from "../../wire/testground/index.ts";
import { CoreMembership } from "../core-membership.ts";
import { HeldSweep, type Holding, heldBytesMin } from "../holdings.ts";
import { Outbox } from "../outbox.ts";
import { type TestgroundTime, testgroundTime } from "../testground-time.ts";
import type { TlsFiles } from "../tls.ts";
import type { Ask } from "./ask.ts";
import { type Objection, resolveTestgroundBounds, type TestgroundBounds } from "./bounds.ts";
import { Client, type ClientDoor, type ClientPeer } from "./client.ts";
import { Feeds } from "./feeds.ts";
import { KeyPlaces } from "./key-places.ts";
import { RunQuota } from "./run-quota.ts";
import { WebSocketListener } from "./server.ts";

/** Said by an instance of its end, when it is in the log. */
export interface InstanceEvent extends RunEvent {
  readonly scope: string;
  readonly peer: ClientPeer;
}

/** What is published on a topic `network:HOST`. */
export interface NetworkRequest {
  readonly host: string;
  /** The text of JSON. */
  readonly payload: string;
  readonly peer: ClientPeer;
}

/** Does what is asked of a network. Never rejects. @returns the state to signal, or why not. */
export type ConfigureNetwork = (
  request: NetworkRequest,
) => Promise<{ readonly callbackState: string } | ConfigRefused>;

export interface TestgroundOptions {
  /** Scope of every key that names no run. */
  readonly scope: string;
  /** The run whose keys are those of `scope`, and the only one; any, each a scope, when absent. */
  readonly run?: string;
  /** Name of this edge, unique in the core. */
  readonly edge: string;
  readonly connect: ConnectEdge;
  readonly topics: TopicLink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Limits;
  readonly bounds?: Partial<TestgroundBounds>;
  readonly addresses: readonly string[];
  readonly port: number;
  /** The node that calls, from the address it called at and its own. */
  readonly nodeOf?: (localAddress: string, peerAddress: string) => string | undefined;
  /** The name of who calls, if the address tells. */
  readonly nameOf?: (localAddress: string, peerAddress: string) => string | undefined;
  readonly allows?: (peerAddress: string | undefined) => boolean;
  /** Something was refused by the limit of this name, by this door and not by the core. */
  readonly onLimit?: (limit: string) => void;
  /** Speaks TLS; the libraries of Testground do not. */
  readonly tls?: TlsFiles;
  readonly onEvent?: (event: InstanceEvent) => void;
  /** Left out: topics `network:HOST` are like others. */
  readonly configureNetwork?: ConfigureNetwork | undefined;
  /** The core refuses this edge for good. */
  readonly onClosed?: (reason: string) => void;
  readonly time?: TestgroundTime;
}

/** What a door holds and has done, for tests, benchmarks and metrics. */
export interface TestgroundCounters {
  readonly connections: number;
  readonly requests: number;
  readonly feeds: number;
  readonly runs: number;
  readonly names: number;
  readonly topicBytes: number;
  /** Bytes written to clients that they have not taken yet. */
  readonly queuedBytes: number;
  /** Requests and connections that a limit turned away. */
  readonly refused: number;
}

/** Close code for clients of a server that ends. */
const goingAway = 1001;
/** Close code for clients whose answers are not to be had. */
const tryLater = 1013;

interface Pending {
  readonly client: Client;
  readonly ask: Ask;
}

export class Testground {
  readonly #options: TestgroundOptions;
  readonly #bounds: TestgroundBounds;
  readonly #time: TestgroundTime;
  readonly #listener: WebSocketListener;
  readonly #places: KeyPlaces;
  readonly #quota: RunQuota;
  readonly #core: CoreMembership;
  readonly #outbox: Outbox;
  readonly #clients = new Set<Client>();
  readonly #pending = new Map<ConnectionId, Pending>();
  readonly #feeds: Feeds;
  readonly #heldSweep: HeldSweep;
  readonly #door: ClientDoor;
  #lastConnection = 0;
  #refused = 0;
  #port = 0;

  constructor(options: TestgroundOptions) {
    this.#options = options;
    this.#bounds = resolveTestgroundBounds(options.bounds);
    this.#time = options.time ?? testgroundTime;
    this.#listener = new WebSocketListener({
      bounds: this.#bounds,
      time: this.#time,
      allows: options.allows,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      onSocket: (socket, request) => this.#onSocket(socket, request),
      onError: (error) => this.#log("error", `socket error: ${error.message}`),
      log: (level, line) => this.#log(level, line),
      onRefused: (limit) => this.#countRefusal(limit),
    });
    const { scope, run, limits } = options;
    this.#places = new KeyPlaces({ scope, run, limits });
    this.#quota = new RunQuota({
      bounds: this.#bounds,
      idleRunMs: this.#time.idleRunMs,
      nowUs: () => options.clock.nowUs(),
      endRun: (scope) => this.#endRun(scope),
    });
    this.#core = this.#createMembership();
    this.#outbox = new Outbox({
      submit: (command) => this.#core.link.submit(command),
      onRoomChange: () => {
        for (const client of this.#clients) client.adjustReading();
      },
    });
    this.#feeds = new Feeds({
      topics: options.topics,
      readBytesMax: this.#bounds.testgroundAheadBytesMax,
      send: (command) => this.#outbox.send(command),
    });
    this.#heldSweep = new HeldSweep({
      ...{ clock: options.clock, everyMs: this.#time.heldSweepMs },
      limit: { name: "testgroundHeldBytesMax", max: this.#bounds.testgroundHeldBytesMax },
      holdings: () => this.#holdings(),
      log: (level, line) => this.#log(level, line),
      onRefused: (limit) => this.#countRefusal(limit),
    });
    this.#door = this.#createDoor();
  }

  /** The port that is listened at; 0 before `listen`. */
  get port(): number {
    return this.#port;
  }

  get counters(): TestgroundCounters {
    const { runs, names, bytes } = this.#quota.counts;
    let queuedBytes = 0;
    for (const client of this.#clients) queuedBytes += client.queuedBytes;
    return {
      queuedBytes,
      connections: this.#clients.size,
      requests: this.#pending.size,
      feeds: this.#feeds.count,
      runs,
      names,
      topicBytes: bytes,
      refused: this.#refused,
    };
  }

  /** Takes the port. @returns the port. @throws Error of the platform when it cannot be had. */
  async listen(): Promise<number> {
    const { addresses, port } = this.#options;
    this.#port = await this.#listener.listen(addresses, port);
    this.#core.join();
    return this.#port;
  }

  /** Takes nobody new; who is connected goes on. */
  stopListening(): void {
    this.#listener.stop();
  }

  /** Gives the port back, closes every connection and ends the edge. */
  async close(): Promise<void> {
    const closed = this.#listener.close();
    this.#dismissAll("the server ends");
    this.#core.ignoreCuts();
    await closed;
    await this.#core.close();
  }

  #createDoor(): ClientDoor {
    const { clock, topics } = this.#options;
    const hasRoom = (): boolean => this.#outbox.hasRoom;
    return {
      get hasRoom() {
        return hasRoom();
      },
      ...{ bounds: this.#bounds, clock, time: this.#time },
      createAsk: (client, id, operation) => this.#createAsk(client, id, operation),
      store: (client, ask) => this.#store(client, ask),
      refused: ({ limit }) => this.#countRefusal(limit),
      submit: (client, ask) => this.#submit(client, ask),
      withdraw: (ask) => this.#withdraw(ask),
      unsent: (scope, payload) => topics.free(payload, scope),
      unstored: ({ scope, bytes }) => this.#quota.unstore(scope, bytes),
      left: (client) => {
        this.#clients.delete(client);
        if (this.#clients.size === 0) this.#heldSweep.stop();
        this.#quota.leave(client.runs);
      },
      note: (line) => this.#log("info", line),
    };
  }

  #countRefusal(limit: string): void {
    this.#refused += 1;
    this.#options.onLimit?.(limit);
  }

  /** Serves a WebSocket that did not come through `listen`. */
  accept(socket: WebSocket, peer: ClientPeer): void {
    this.#clients.add(new Client(this.#door, socket, peer));
    this.#heldSweep.start();
  }

  /** What is held for each client, if it is much. */
  *#holdings(): Generator<Holding> {
    for (const client of this.#clients) {
      const bytes = client.heldBytes;
      const host = client.peer.address.replace(/:\d+\/ws$/, "");
      if (bytes >= heldBytesMin) yield { client: host, bytes, cut: () => client.destroy() };
    }
  }

  #onSocket(socket: WebSocket, { socket: stream, headers }: IncomingMessage): void {
    const { remoteAddress, remotePort, localAddress } = stream;
    if (remoteAddress === undefined || localAddress === undefined) {
      socket.on("error", () => undefined);
      socket.terminate();
      return;
    }
    const { nodeOf, nameOf } = this.#options;
    this.accept(socket, {
      address: `${remoteAddress}:${remotePort}/ws`,
      node: nodeOf?.(localAddress, remoteAddress),
      name: nameOf?.(localAddress, remoteAddress),
      isGo: headers["user-agent"]?.startsWith("Go-http-client") ?? false,
    });
  }

  /** What asks for another network is published when that is there, and not when it cannot be. */
  async #store({ peer }: Client, ask: Ask): Promise<PayloadRef | ConfigRefused> {
    const { topics, configureNetwork } = this.#options;
    const { operation, network } = ask;
    const payload = operation.kind === "publish" ? operation.payload : "";
    if (network !== undefined && configureNetwork !== undefined) {
      const done = await configureNetwork({ host: network.host, payload, peer });
      if ("refusal" in done) return done;
      const { callbackState } = done;
      if (callbackState !== "") ask.callback = nameState(network.prefix, callbackState);
    }
    return await topics.write(Buffer.from(payload), ask.scope);
  }

  #createAsk(client: Client, id: string, operation: Operation): Ask | Objection {
    const isTopic = operation.kind === "publish" || operation.kind === "subscribe";
    const key = isTopic ? operation.topic : operation.state;
    const bytes =
      operation.kind === "publish"
        ? Buffer.byteLength(operation.payload) + payloadOverheadBytes
        : 0;
    const place = this.#places.find(key);
    if ("limit" in place) return place;
    const { scope, name } = place;
    const objection =
      this.#quota.use(client.runs, scope, isTopic ? "topic" : "state", name) ??
      (bytes > 0 ? this.#quota.store(scope, bytes) : undefined);
    if (objection !== undefined) return objection;
    this.#lastConnection += 1;
    // Written out, here and below: a spread is another object, and there is one for each request.
    return {
      id,
      connection: this.#lastConnection,
      operation,
      scope,
      name,
      bytes,
      heldBytes: Buffer.byteLength(id) + Buffer.byteLength(key) + bytes,
      state: "queued",
      payload: undefined,
      subscription: undefined,
      event:
        operation.kind === "publish" && isEventsTopic(name)
          ? parseRunEvent(operation.payload)
          : undefined,
      network:
        operation.kind === "publish" && this.#options.configureNetwork !== undefined
          ? parseNetworkTopic(name)
          : undefined,
      callback: undefined,
    };
  }

  #submit(client: Client, ask: Ask): void {
    const { operation, scope, name, connection, payload } = ask;
    if (operation.kind !== "subscribe") this.#pending.set(connection, { client, ask });
    const { who } = client;
    switch (operation.kind) {
      case "subscribe":
        this.#feeds.subscribe(ask, client);
        return;
      case "signal":
        this.#outbox.send({ kind: "state-signal", scope, barrier: name, connection, who });
        return;
      case "barrier": {
        const target = Math.max(0, operation.target);
        this.#outbox.send({
          kind: "state-wait",
          scope,
          barrier: name,
          connection,
          who,
          error: 0,
          target,
        });
        return;
      }
      case "publish":
        if (payload === undefined) return;
        this.#outbox.send({ kind: "publish", scope, topic: name, connection, payload });
        return;
    }
  }

  /** The state that a client waits for, when what it asked for is done. */
  #signal({ runs, who }: Client, scope: string, state: string): void {
    const objection = this.#quota.use(runs, scope, "state", state);
    if (objection === undefined) this.signal(scope, state, who);
    else this.#countRefusal(objection.limit);
  }

  /** Counts one more for a state, without a client. Nobody is told of it. */
  signal(scope: string, barrier: string, who: Participant): void {
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    this.#outbox.send({ kind: "state-signal", scope, barrier, connection, who });
  }

  #withdraw(ask: Ask): void {
    if (ask.operation.kind === "subscribe") {
      this.#feeds.withdraw(ask);
    } else if (ask.state === "asked") {
      this.#pending.delete(ask.connection);
      this.#outbox.send({ kind: "leave", connection: ask.connection });
    }
  }

  #onEffects(effects: readonly EdgeEffect[]): void {
    for (const effect of effects) this.#onEffect(effect);
  }

  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "released":
        this.#release(effect);
        return;
      case "signalled": {
        const { client, ask } = this.#take(effect.connection) ?? {};
        if (ask) client?.answer(ask, { kind: "signalled", id: ask.id, sequence: effect.value });
        return;
      }
      case "published": {
        const { client, ask } = this.#take(effect.connection) ?? {};
        if (client === undefined || ask === undefined) return;
        client.answer(ask, { kind: "published", id: ask.id, sequence: effect.number });
        const { scope, event, callback } = ask;
        if (callback !== undefined) this.#signal(client, scope, callback);
        if (event !== undefined) this.#options.onEvent?.({ ...event, scope, peer: client.peer });
        return;
      }
      case "topic-stands":
        this.#feeds.stands(effect.scope, effect.topic, effect.last);
        return;
      case "topic-closed":
        this.#quota.ended(effect.scope);
        this.#feeds.closed(effect.scope, effect.topic);
        return;
      case "refused":
        this.#refuse(effect.connection, effect.message);
        return;
      case "revoked":
        this.#dismissAll("the core has given this server up");
        return;
      default:
        return; // What the agenda says, and counts, go to those who ask for them.
    }
  }

  #release({ connections, outcome, barrier, error, reason }: Released): void {
    for (const connection of connections) {
      const { client, ask } = this.#take(connection) ?? {};
      if (client === undefined || ask === undefined) continue;
      if (outcome === "crossed") {
        client.answer(ask, { kind: "done", id: ask.id });
        continue;
      }
      const why = reason ?? `error ${error}`;
      const text = `the barrier ${barrier} ended: ${outcome}, ${why}`;
      client.answer(ask, { kind: "failed", id: ask.id, error: text });
    }
  }

  #refuse(connection: ConnectionId, message: string): void {
    this.#refused += 1;
    if (this.#feeds.refused(connection, message)) return;
    const { client, ask } = this.#take(connection) ?? {};
    if (client === undefined || ask === undefined) return;
    if (ask.bytes > 0) this.#quota.unstore(ask.scope, ask.bytes);
    client.answer(ask, { kind: "failed", id: ask.id, error: message });
  }

  #take(connection: ConnectionId): Pending | undefined {
    const pending = this.#pending.get(connection);
    this.#pending.delete(connection);
    return pending;
  }

  /** A run that nobody is connected to makes room for another one. */
  #endRun(scope: string): void {
    const why = `nobody was connected to it for ${this.#time.idleRunMs / 1000} s, and there are too many`;
    this.#log(
      "info",
      `audit: close scope ${JSON.stringify(scope)}, by the testground door: ${why}`,
    );
    this.#outbox.send({ kind: "close-scope", scope, error: 0 });
  }

  /** Nobody will be answered: the core has forgotten them, or this server ends. */
  #dismissAll(why: string): void {
    this.#pending.clear();
    this.#feeds.clear();
    for (const command of this.#outbox.clear()) {
      if (command.kind !== "publish") continue;
      this.#options.topics.free(command.payload, command.scope);
    }
    for (const client of [...this.#clients]) client.end(goingAway, why);
  }

  #createMembership(): CoreMembership {
    const { edge, connect, clock, limits, onClosed } = this.#options;
    return new CoreMembership({
      ...{ edge, connect, clock, edgeLeaseUs: limits.edgeLeaseUs, onClosed, what: "server" },
      rejoinMs: this.#time.rejoinMs,
      log: (level, line) => this.#log(level, line),
      onEffects: (effects) => this.#onEffects(effects),
      onRoom: () => this.#outbox.drain(),
      logAwayMs: this.#time.logAwayMs,
      sendAway: (why, of) => {
        for (const client of [...this.#clients]) {
          if ([...client.runs].some(of)) client.end(tryLater, why);
        }
      },
      dismissAll: (why) => this.#dismissAll(why),
    });
  }

  #log(level: "debug" | "info" | "warn" | "error", line: string): void {
    this.#options.logger.log(level, line);
  }
}
