// SPDX-License-Identifier: MIT
// Listens for WebSockets on any path. [TESTGROUND 2] Owns the listener, the handshake, and how many
// may be connected; what is said over a connection is not its business.
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { deflateFromBytes } from "../../wire/testground/index.ts";
import type { TestgroundTime } from "../testground-time.ts";
import { type TlsFiles, tlsServerOptions } from "../tls.ts";
import { boundMessage, type TestgroundBounds } from "./bounds.ts";

/** Bytes of the head of a handshake; the libraries send 200. */
const headBytesMax = 16 * 1024;

export interface ServerOptions {
  readonly bounds: TestgroundBounds;
  readonly time: TestgroundTime;
  /** The door speaks TLS, for clients that can. */
  readonly tls?: TlsFiles;
  /** Whether a host may use this door. */
  readonly allows: (peerAddress: string) => boolean;
  readonly onSocket: (socket: WebSocket, request: IncomingMessage) => void;
  readonly onError: (error: Error) => void;
  /** A connection was turned away by a bound. */
  readonly onRefused: (why: string) => void;
}

/** The servers of one door: one for each address, all at one port. */
export class WebSocketListener {
  readonly #options: ServerOptions;
  readonly #sockets: WebSocketServer;
  readonly #servers: Server[] = [];
  readonly #clients = new Map<string, number>();
  #count = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: options.bounds.testgroundMessageBytesMax,
      // The old server chooses no protocol, and keeps no compression between messages.
      handleProtocols: () => false,
      perMessageDeflate: {
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        threshold: deflateFromBytes,
      },
    });
  }

  /** @param port 0 for one that is free at the first address. @throws Error of `listen` */
  async listen(addresses: readonly string[], port: number): Promise<number> {
    let bound = port;
    for (const host of addresses) {
      const server = this.#createServer();
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host, port: bound, exclusive: true }, () => {
          server.off("error", reject);
          server.on("error", this.#options.onError);
          resolve();
        });
      });
      this.#servers.push(server);
      bound = (server.address() as AddressInfo).port;
    }
    return bound;
  }

  /** Takes nobody new; who is connected stays. */
  stop(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeIdleConnections();
    }
  }

  /** Listens no more; connections that are no WebSocket are cut. */
  async close(): Promise<void> {
    const closing = this.#servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    this.#servers.length = 0;
    await Promise.all(closing);
  }

  #createServer(): Server {
    const { time, tls } = this.#options;
    const options = {
      maxHeaderSize: headBytesMax,
      headersTimeout: time.headMs,
      requestTimeout: time.headMs,
      keepAliveTimeout: time.keepAliveMs,
      connectionsCheckingInterval: time.sweepMs,
      noDelay: true,
      keepAlive: true,
    };
    const server =
      tls === undefined
        ? createServer(options)
        : createTlsServer({
            ...options,
            ...tlsServerOptions(tls),
            handshakeTimeout: time.headMs,
          });
    server.on("connection", (socket: Socket) => this.#onConnection(socket));
    server.on("request", answerPlain);
    server.on("upgrade", (request, stream: Duplex, head: Buffer) => {
      stream.on("error", () => stream.destroy());
      this.#sockets.handleUpgrade(request, stream, head, (socket) => {
        this.#options.onSocket(socket, request);
      });
    });
    return server;
  }

  #onConnection(socket: Socket): void {
    const client = socket.remoteAddress ?? "";
    const { bounds, allows, onRefused } = this.#options;
    const own = (this.#clients.get(client) ?? 0) + 1;
    const refusal =
      this.#count >= bounds.testgroundConnectionsMax
        ? boundMessage(bounds, "testgroundConnectionsMax")
        : own > bounds.testgroundConnectionsPerClientMax
          ? boundMessage(bounds, "testgroundConnectionsPerClientMax")
          : allows(client)
            ? undefined
            : "not allowed here";
    if (refusal !== undefined) {
      onRefused(`refused ${client}: ${refusal}`);
      socket.destroy();
      return;
    }
    this.#count += 1;
    this.#clients.set(client, own);
    socket.once("close", () => {
      this.#count -= 1;
      const left = (this.#clients.get(client) ?? 1) - 1;
      if (left === 0) this.#clients.delete(client);
      else this.#clients.set(client, left);
    });
  }
}

/** Whatever is asked over plain HTTP. [TESTGROUND 2] */
function answerPlain(request: IncomingMessage, response: ServerResponse): void {
  const text = "This is a Testground sync service: connect with a WebSocket.\n";
  response.writeHead(426, {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
  });
  // Node takes the word of `Connection` for keeping it open.
  response.end(text, () => request.socket.end());
}
