// SPDX-License-Identifier: MIT
// XML-RPC over HTTPS. Who calls is who the client's certificate names; without one that the
// authority has signed there is no connection. Owns the connection, the head of the request and
// what size it may have; does not own what is called.
//
//   H1. A request is answered by its service only after its certificate was accepted and names a
//       user.
//   H2. When the caller goes away the call is aborted.
//   H3. A request that was cut off is not answered, whatever its beginning says.
//   H4. A request that grows too long is answered although more of it comes: that is thrown away,
//       up to as much again as a message may have.
//   H5. To one more than `connectionsMax` who has shown no certificate yet gives way, and then who
//       has no call under way: silent, between two requests, or with one that is not whole.
//   H6. One user has at most `callsPerUserMax` calls under way, so that others have a place.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type PeerCertificate, TLSSocket } from "node:tls";
import type { Logger } from "../../host/logger.ts";
import type { Network } from "../../wire/networks.ts";
import { messageBytesMax } from "../../wire/xmlrpc/index.ts";
import { Admission } from "../admission.ts";
import { createGuard } from "../guard.ts";
import { createHttpServer } from "../http-server.ts";
import { KeyCounts } from "../key-counts.ts";
import { answer } from "./answer.ts";
import { callsPerUserMax, connectionsMax, headBytesMax, paths } from "./bounds.ts";
import type { XmlRpcService } from "./service.ts";
import { headMsMax, idleMsMax, requestMsMax, sweepMs } from "./xmlrpc-time.ts";

/** PEM texts. */
export interface DoorIdentity {
  readonly key: string;
  readonly certificate: string;
  /** Who must have signed a client's certificate. */
  readonly authority: string;
}

export interface XmlRpcDoorOptions {
  readonly service: XmlRpcService;
  readonly identity: DoorIdentity;
  /** From where one may come; everybody when absent or empty. */
  readonly networks?: readonly Network[];
  readonly logger: Logger;
  /** Other bounds than those of bounds.ts. */
  readonly connectionsMax?: number;
  readonly callsPerUserMax?: number;
}

export class XmlRpcDoor {
  readonly #options: XmlRpcDoorOptions;
  readonly #server: Server;
  readonly #admission: Admission;
  /** H6. */
  readonly #calls = new KeyCounts();

  /** @throws Error of OpenSSL for a key or certificate that is none. */
  constructor(options: XmlRpcDoorOptions) {
    this.#options = options;
    const { identity, networks = [], logger, connectionsMax: max = connectionsMax } = options;
    const guard = createGuard({ door: "xmlrpc", networks, logger });
    const admission = new Admission({
      admits: (peer) => guard.admits(peer),
      limits: { all: { name: "connectionsMax", max, isFixed: true } },
      hasStrangers: true, // H5.
      log: (level, line) => logger.log(level, `xmlrpc: ${line}`),
    });
    this.#admission = admission;
    this.#server = createHttpServer({
      ...{ tls: identity, headBytesMax },
      time: { headMs: headMsMax, requestMs: requestMsMax, keepAliveMs: idleMsMax, sweepMs },
    });
    this.#server.on("connection", (socket: Socket) => admission.admit(socket));
    this.#server.on("secureConnection", (socket: TLSSocket) => {
      admission.known(socket);
      admission.rests(socket);
    });
    this.#server.on("request", (request, response) => void this.#onRequest(request, response));
    this.#server.on("tlsClientError", (error) => {
      logger.log("info", `xmlrpc: no handshake: ${error.message}`);
    });
  }

  /** @returns the port. @throws Error that says what to do. */
  async listen(address: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const advice =
          error.code === "EADDRINUSE"
            ? "stop the server that has the port, or choose another"
            : "`ip address` lists the addresses of this machine";
        reject(new Error(`cannot listen for XML-RPC: ${error.message}; ${advice}`));
      });
      this.#server.listen({ host: address, port, exclusive: true }, resolve);
    });
    this.#server.on("error", ({ message }) => this.#options.logger.log("warn", message));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more connections and ends those there are. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = request.socket;
    const user = socket instanceof TLSSocket ? userOf(socket.getPeerCertificate()) : undefined;
    const refusal = refusalOf(request, user);
    if (refusal !== undefined || user === undefined) {
      return void refuse(response, refusal ?? [403, ""]).end();
    }
    const message = await readBody(request);
    if (message === "cut-off") return void response.destroy(); // H3.
    if (message === "too-long") {
      const refused = refuse(response, [
        413,
        `the message is longer than ${messageBytesMax} bytes`,
      ]);
      return endBehind(request, refused);
    }
    const { callsPerUserMax: callsMax = callsPerUserMax } = this.#options;
    if (this.#calls.of(user) >= callsMax) {
      const text = `limit callsPerUserMax (${callsMax}) reached: end other calls of ${user}`;
      return void refuse(response, [429, text]).end();
    }
    await this.#call(message, user, request, response);
  }

  /** Makes a call that is there as a whole, and answers it. */
  async #call(
    message: Uint8Array,
    user: string,
    { socket }: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { service, logger } = this.#options;
    if (socket.destroyed) return;
    const gone = new AbortController();
    // Of the request: a response that waits for the one before it has no socket yet.
    const ends = { remoteAddress: socket.remoteAddress, remotePort: socket.remotePort };
    this.#calls.add(user);
    this.#admission.asks(ends);
    response.once("close", () => {
      gone.abort(); // H2.
      this.#calls.drop(user);
      this.#admission.rests(ends);
    });
    const body = await answer(message, { service, logger, user, signal: gone.signal });
    if (response.destroyed) return;
    response.writeHead(200, { "Content-Type": "text/xml", "Content-Length": body.length });
    response.end(body);
  }
}

/**
 * The login name: the common name of a certificate whose unit is `user`. A server's or a node's
 * certificate, signed by the same authority, is nobody's login. [EMULAB-EVENTS 2.2 step 2]
 */
export function userOf({ subject }: Pick<PeerCertificate, "subject">): string | undefined {
  const { OU: unit, CN: name } = (subject ?? {}) as {
    readonly OU?: unknown;
    readonly CN?: unknown;
  };
  // Two names in one certificate would leave the choice to whoever reads them.
  return unit === "user" && typeof name === "string" && name !== "" ? name : undefined;
}

type Refusal = readonly [status: number, text: string];

/** H1. */
function refusalOf(request: IncomingMessage, user: string | undefined): Refusal | undefined {
  if (user === undefined) {
    return [403, "the certificate is not a user's; make one with: muster cert issue user NAME"];
  }
  const path = (request.url ?? "/").replace(/\?.*$/, "");
  if (!paths.includes(path)) return [404, `XML-RPC is at ${paths.join(", ")}`];
  if (request.method !== "POST") return [405, "XML-RPC calls are POST requests"];
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared <= messageBytesMax) return undefined;
  return [413, `the message is longer than ${messageBytesMax} bytes`];
}

/** @returns the answer, to be ended */
function refuse(response: ServerResponse, [status, text]: Refusal): ServerResponse {
  const body = `${text}\n`;
  response.writeHead(status, {
    ...{ "Content-Type": "text/plain", "Content-Length": Buffer.byteLength(body) },
    ...{ Connection: "close", ...(status === 405 ? { Allow: "POST" } : {}) },
  });
  response.write(body);
  return response;
}

/** H4. Whoever sends all before he reads would find a reset, were the connection closed at once. */
function endBehind(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > messageBytesMax) request.destroy();
  });
  request.once("error", () => request.destroy());
  request.once("close", () => response.end());
  request.once("end", () => response.end());
}

/** What comes is copied together: to keep each piece takes 200 times a piece of one byte. */
function readBody(request: IncomingMessage): Promise<Uint8Array | "too-long" | "cut-off"> {
  return new Promise((resolve) => {
    let body: Buffer = Buffer.alloc(0);
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      const before = bytes;
      bytes += chunk.length;
      if (bytes > messageBytesMax) {
        request.off("data", onData);
        resolve("too-long");
        return;
      }
      if (bytes > body.length) {
        const larger = Buffer.allocUnsafe(
          Math.min(Math.max(2 * bytes, bodyBytesMin), messageBytesMax),
        );
        body.copy(larger, 0, 0, before);
        body = larger;
      }
      chunk.copy(body, before);
    };
    request.on("data", onData);
    request.once("end", () => resolve(body.subarray(0, bytes)));
    request.once("error", () => resolve("cut-off"));
    request.once("close", () => resolve("cut-off"));
  });
}

const bodyBytesMin = 4_096;
