// SPDX-License-Identifier: MIT
// The server under the doors that speak HTTP: bounds of its heads, times of its connections, TLS
// where there is a certificate. Who may connect is asked by the door (admission.ts).
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type TlsFiles, tlsServerOptions } from "./tls.ts";

export interface HttpServerOptions {
  readonly tls?: TlsFiles | undefined;
  readonly headBytesMax: number;
  /** All in milliseconds. */
  readonly time: {
    /** A handshake, and then the head of a request, must be complete by then. */
    readonly headMs: number;
    /** So must the request; with its head when absent. */
    readonly requestMs?: number;
    /** An idle connection is closed. */
    readonly keepAliveMs: number;
    /** How often Node looks for connections that are over one of these. */
    readonly sweepMs: number;
  };
}

/** @throws Error of OpenSSL for a key or certificate that is none. */
export function createHttpServer({ tls, headBytesMax, time }: HttpServerOptions): Server {
  const options = {
    maxHeaderSize: headBytesMax,
    headersTimeout: time.headMs,
    requestTimeout: time.requestMs ?? time.headMs,
    keepAliveTimeout: time.keepAliveMs,
    connectionsCheckingInterval: time.sweepMs,
    noDelay: true,
    keepAlive: true,
  };
  if (tls === undefined) return createServer(options);
  return createTlsServer({ ...options, ...tlsServerOptions(tls), handshakeTimeout: time.headMs });
}
