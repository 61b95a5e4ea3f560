// SPDX-License-Identifier: MIT
// Listens for WebSockets on any path. [TESTGROUND 2] Owns the listener, the handshake, and how many
// may be connected; what is said over a connection is not its business.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { deflateFromBytes } from "../../wire/testground/index.ts";
import { Admission } from "../admission.ts";
import { createHttpServer } from "../http-server.ts";
import type { TestgroundTime } from "../testground-time.ts";
import type { TlsFiles } from "../tls.ts";
import type { TestgroundBounds } from "./bounds.ts";

/** Bytes of the head of a handshake; the libraries send 200. */
const headBytesMax = 16 * 1024;

export interface ServerOptions {
  readonly bounds: TestgroundBounds;
  readonly time: TestgroundTime;
  /** The door speaks TLS, for clients that can. */
  readonly tls?: TlsFiles;
  /** Whether a host may use this door. */
  readonly allows?: ((peerAddress: string | undefined) => boolean) | undefined;
  readonly onSocket: (socket: WebSocket, request: IncomingMessage) => void;
  readonly onError: (error: Error) => void;
  readonly log: (level: "debug" | "info", line: string) => void;
  /** A connection was turned away by the bound of this name. */
  readonly onRefused: (limit: string) => void;
}

/** The servers of one door: one for each address, all at one port. */
export class WebSocketListener {
  readonly #options: ServerOptions;
  readonly #sockets: WebSocketServer;
  readonly #servers: Server[] = [];
  readonly #admission: Admission;

  constructor(options: ServerOptions) {
    this.#options = options;
    const { bounds, allows: admits, log, onRefused } = options;
    const all = { name: "testgroundConnectionsMax", max: bounds.testgroundConnectionsMax };
    const max = bounds.testgroundConnectionsPerClientMax;
    const client = { name: "testgroundConnectionsPerClientMax", max };
    this.#admission = new Admission({ admits, limits: { all, client }, log, onRefused });
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: bounds.testgroundMessageBytesMax,
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
    const server = createHttpServer({ tls, time, headBytesMax });
    server.on("connection", (socket: Socket) => this.#admission.admit(socket));
    server.on("request", answerPlain);
    server.on("upgrade", (request, stream: Duplex, head: Buffer) => {
      stream.on("error", () => stream.destroy());
      this.#sockets.handleUpgrade(request, stream, head, (socket) => {
        this.#options.onSocket(socket, request);
      });
    });
    return server;
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
