// SPDX-License-Identifier: MIT
// The HTTP door: one server for requests, event streams and WebSockets. Owns its life: what is
// mounted, listening, who is connected, closing. What is served comes from routes (routes/) and
// socket endpoints (session.ts, and those of other modules).
//
// To add to the door, before it listens:
//
//   door.route(defineRoute({ method: "POST", path: "/v1/notifications", access: "notify", ... }));
//   door.socket({ path: "/v1/bus", protocol: "muster.bus.1", access: "listen", ..., open });
//
// A route's schemas check what comes in and are its part of /openapi.json. The door has done
// before: origin, token, right, scope, bounds. See route.ts and socket.ts for what a handler gets.
//
//   W1. Nothing listens beyond loopback unless told; a door without tokens that does is warned of.
//   W2. `close` is bounded: requests that are being answered have `closeMs`, then they are cut.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { assert } from "../../core/assert.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { isLoopbackAddress, type Network } from "../../wire/networks.ts";
import { Admission } from "../admission.ts";
import { createGuard } from "../guard.ts";
import { HeldSweep, type Holding, heldBytesMin } from "../holdings.ts";
import { createHttpServer } from "../http-server.ts";
import { type HttpTime, httpTime } from "../http-time.ts";
import type { TlsFiles } from "../tls.ts";
import type { AccessOptions, Caller } from "./access.ts";
import { Access } from "./access.ts";
import type { HttpBounds } from "./bounds.ts";
import { resolveHttpBounds } from "./bounds.ts";
import { Guests } from "./guests.ts";
import { Metrics } from "./metrics.ts";
import { describeApi } from "./openapi.ts";
import { answerRequest, heldBytesOf } from "./request.ts";
import type { Reply, Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import { RouteTable } from "./route-table.ts";
import { createHealthRoutes } from "./routes/health.ts";
import type { SocketEndpoint } from "./socket.ts";
import { Sockets } from "./sockets.ts";
import { Turns } from "./turns.ts";

export interface HttpDoorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly access: Omit<AccessOptions, "wallMs">;
  readonly tls?: TlsFiles;
  /** Its name as of --listen, for messages; `http` when absent. */
  readonly name?: string;
  /** What the server calls itself, told at /readyz. */
  readonly serverName?: string;
  /** What version the log is of, told at /readyz. */
  readonly logVersion?: () => number;
  /** From where one may come; everybody when absent or empty. */
  readonly networks?: readonly Network[];
  readonly bounds?: Partial<HttpBounds>;
  /** Edge-local times; tests shorten them. */
  readonly time?: HttpTime;
}

export interface BoundDoor {
  readonly address: string;
  readonly port: number;
  /** `http://127.0.0.1:8470` */
  readonly url: string;
}

/** The door's usual port. */
export const defaultHttpPort = 8470;

export function createHttpDoor(options: HttpDoorOptions): HttpDoor {
  return new HttpDoor(options);
}

export class HttpDoor {
  readonly metrics: Metrics = new Metrics();
  readonly bounds: HttpBounds;
  readonly time: HttpTime;
  readonly access: Access;
  /** Everybody who is being served, by token. */
  readonly guests: Guests;
  readonly #options: HttpDoorOptions;
  readonly #routes = new RouteTable();
  readonly #sockets: Sockets;
  readonly #admission: Admission;
  readonly #heldSweep: HeldSweep;
  readonly #closing = new AbortController();
  readonly #readiness: (() => readonly string[])[] = [];
  readonly #turns: Turns;
  /** Made once: it takes as long as 100 other requests. */
  #description: string | undefined;
  #isDraining = false;
  #server: Server | undefined;
  #cancelSweep: Cancel = () => undefined;

  constructor(options: HttpDoorOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.bounds = resolveHttpBounds(options.bounds);
    this.time = options.time ?? httpTime;
    this.access = new Access({ ...options.access, wallMs: () => clock.wallMs() });
    this.guests = new Guests();
    const guard = createGuard({
      ...{ door: this.#name, networks: options.networks ?? [], logger },
      onRefused: () => this.metrics.refused("allow"),
    });
    const { httpConnectionsMax, httpConnectionsPerClientMax } = this.bounds;
    this.#admission = new Admission({
      admits: (peer) => guard.admits(peer),
      limits: {
        all: { name: "httpConnectionsMax", max: httpConnectionsMax },
        client: { name: "httpConnectionsPerClientMax", max: httpConnectionsPerClientMax },
      },
      log: (level, line) => logger.log(level, line),
      onRefused: (limit) => this.metrics.refused(limit),
    });
    this.#turns = new Turns({ clock, requestsMax: this.bounds.httpRequestsPerConnectionMax });
    const { access, guests, time } = this;
    this.#sockets = new Sockets({ access, guests, time, clock, logger });
    this.#heldSweep = new HeldSweep({
      ...{ clock, everyMs: time.heldSweepMs, holdings: () => this.#holdings() },
      limit: { name: "httpHeldBytesMax", max: this.bounds.httpHeldBytesMax },
      log: (level, line) => logger.log(level, line),
      onRefused: (limit) => this.metrics.refused(limit),
    });
    const { serverName: name = "muster", logVersion } = options;
    const notReady = (): readonly string[] => this.#notReady();
    for (const route of createHealthRoutes({ name, logVersion, notReady })) this.route(route);
    this.route(this.#descriptionRoute());
  }

  get #name(): string {
    return this.#options.name ?? "http";
  }

  /** Mounts a route. @throws AssertionError when another has its method and path. */
  route(route: Route): void {
    this.#routes.add(route);
  }

  /** Mounts a WebSocket endpoint. @throws AssertionError when another has its path. */
  socket(endpoint: SocketEndpoint): void {
    this.#sockets.add(endpoint);
  }

  /** @throws Error when the address cannot be had, or OpenSSL refuses key or certificate. */
  async listen(address: { readonly host: string; readonly port: number }): Promise<BoundDoor> {
    assert(this.#server === undefined, "a door listens once");
    const server = this.#createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ ...address, exclusive: true }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) => this.#options.logger.log("error", `http: ${error.message}`));
    this.#server = server;
    this.#sweep();
    this.#heldSweep.start();
    const bound = server.address() as AddressInfo;
    const host = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
    const scheme = this.#options.tls === undefined ? "http" : "https";
    this.#warn(bound.address);
    return { address: bound.address, port: bound.port, url: `${scheme}://${host}:${bound.port}` };
  }

  /**
   * Serves a connection that did not come through `listen`: somebody else listens. One that is
   * closed by then would count for ever, because Node waits for its end.
   */
  accept(stream: Duplex): void {
    if (stream.destroyed) return;
    this.#server ??= this.#createForOthers();
    this.#server.emit("connection", stream);
  }

  /** Asked at /readyz: texts say why who balances load should send nobody here. */
  addReadiness(check: () => readonly string[]): void {
    this.#readiness.push(check);
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#admission.count;
  }

  /** Whether new waits, streams and sockets are refused. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /**
   * Takes nobody new who would stay: clients are told to go elsewhere. Who waits, waits on; who has
   * a WebSocket or watches is told to come back, to another server or to the next one here.
   */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#sockets.close();
    this.guests.endKind("stream", "the server is closing; try again later");
  }

  #notReady(): readonly string[] {
    if (this.#isDraining) return ["the server is closing"];
    return this.#readiness.flatMap((check) => check());
  }

  /** Stops as a crash would: nobody is told anything, and no timer runs any more. */
  abandon(): void {
    this.#cancelSweep();
    this.#heldSweep.stop();
    if (this.#server?.listening === false) this.#server.close();
  }

  /** W2. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.drain();
    this.#cancelSweep();
    this.#heldSweep.stop();
    this.guests.endAll("the server is closing; try again later");
    const server = this.#server;
    if (server === undefined) return;
    if (!server.listening) {
      server.close(); // It looks for late requests no more.
      return;
    }
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(this.time.closeMs, () => {
        server.closeAllConnections();
        this.#sockets.destroyAll();
      });
      server.close(() => {
        cancel();
        resolve();
      });
      server.closeIdleConnections();
    });
  }

  #createForOthers(): Server {
    const server = this.#createServer();
    // Node looks for heads and requests that are late from this moment on.
    server.emit("listening");
    this.#sweep();
    this.#heldSweep.start();
    return server;
  }

  #createServer(): Server {
    const { tls } = this.#options;
    const { time, bounds } = this;
    const server = createHttpServer({ tls, time, headBytesMax: bounds.httpHeadBytesMax });
    server.on("connection", (socket: Socket) => this.#admission.admit(socket));
    server.on("request", (request, response) => this.#takeRequest(request, response));
    server.on("upgrade", (request, stream, head) => {
      // What is not answered would be answered in the middle of the WebSocket.
      if (this.#turns.countOf(request.socket) > 0) stream.destroy();
      else this.#sockets.upgrade(request, stream, head);
    });
    return server;
  }

  #takeRequest(request: IncomingMessage, response: ServerResponse): void {
    const { logger, clock } = this.#options;
    const { socket } = request;
    if (socket.destroyed) return; // What came in the same piece.
    const routes = this.#routes;
    request.on("error", ignore);
    response.on("error", ignore);
    const isTaken = this.#turns.take(socket, response, (onWaits) => {
      void answerRequest({ request, response, onWaits, routes, door: this, clock, logger });
    });
    if (isTaken) return;
    this.metrics.refused("httpRequestsPerConnectionMax");
    socket.destroy();
  }

  /** An answer was made, or a piece of one, that may not be read. */
  noteWritten(bytes: number): void {
    this.#heldSweep.noteAdded(bytes);
  }

  /** What is held for each connection and request, if it is much. */
  *#holdings(): Generator<Holding> {
    yield* this.#sockets.holdings();
    for (const response of this.#turns.answers) {
      const bytes = heldBytesOf(response);
      const { socket } = response.req;
      if (bytes >= heldBytesMin)
        yield { client: socket.remoteAddress ?? "", bytes, cut: () => socket.destroy() };
    }
  }

  /** Whoever uses a token that is not good any more is shown out. */
  #sweep(): void {
    this.#cancelSweep = this.#options.clock.after(this.time.tokenSweepMs, () => {
      const isGood = this.access.goodNow();
      const isOpen = (caller: Caller) => caller.token === "open";
      const firstToken = "this server asks for a token since one was made; come back with one";
      this.guests.endWhere((caller) => !isGood(caller) && isOpen(caller), firstToken);
      this.guests.endWhere((caller) => !isGood(caller), "the token was revoked or has expired");
      this.#sweep();
    });
  }

  /** W1. */
  #warn(address: string): void {
    if (isLoopbackAddress(address)) return;
    const { logger, tls } = this.#options;
    const door = `the ${this.#name} door at ${address}`;
    if (!this.access.asksForTokens && tls?.authority === undefined) {
      const advice = "make a token with: muster token create";
      logger.log("warn", `${door} asks nobody for a token; ${advice}`);
    } else if (tls === undefined) {
      const advice = "give it a certificate with --tls DIR";
      logger.log("warn", `tokens travel in clear to ${door}; ${advice}`);
    }
  }

  #descriptionRoute(): Route {
    return defineRoute({
      method: "GET",
      path: "/openapi.json",
      summary: "This description",
      access: "anyone",
      isScoped: false,
      answers: [{ status: 200, what: "An OpenAPI 3.1 document", type: "application/json" }],
      handle: (): Reply => {
        this.#description ??= JSON.stringify(describeApi(this.#routes.routes));
        return { kind: "reply", status: 200, type: "application/json", body: this.#description };
      },
    });
  }
}

/** Whoever goes is told of by `close`. */
function ignore(): void {}
