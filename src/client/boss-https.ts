// SPDX-License-Identifier: MIT
// Carries XML-RPC calls to boss over HTTPS, with a user's certificate. One connection, used again
// while calls follow each other.
import { Agent, request } from "node:https";
import { messageBytesMax } from "../wire/xmlrpc/index.ts";
import type { XmlRpcTransport } from "./boss-client.ts";

export interface BossHttpsOptions {
  readonly host: string;
  readonly port: number;
  /** Root of the tree that is asked; `/` for the installed one. */
  readonly path: string;
  /** PEM texts: the user's key and certificate, and who must have signed boss's. */
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
  /** A call that has no answer by then is given up; the old clients wait 30 minutes. */
  readonly timeoutMs: number;
}

export interface BossHttps {
  readonly transport: XmlRpcTransport;
  close(): void;
}

/** @throws Error of OpenSSL for a key or certificate that is none */
export function openBossHttps(options: BossHttpsOptions): BossHttps {
  const { host, port, path, key, certificate, authority, timeoutMs } = options;
  const identity = { key, cert: certificate, ca: authority, minVersion: "TLSv1.2" } as const;
  const agent = new Agent({ ...identity, keepAlive: true, maxSockets: 1 });
  const transport: XmlRpcTransport = (call) =>
    new Promise((resolve, reject) => {
      const headers = { "Content-Type": "text/xml", "Content-Length": call.length };
      const asked = request({
        host,
        port,
        path,
        agent,
        method: "POST",
        headers,
        timeout: timeoutMs,
      });
      const fail = (why: string): void => {
        reject(new Error(`boss at ${host}:${port}: ${why}`));
        asked.destroy();
      };
      asked.on("timeout", () => fail(`no answer in ${timeoutMs} ms`));
      asked.on("error", ({ message }) => fail(message));
      asked.on("response", (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > messageBytesMax) fail(`an answer longer than ${messageBytesMax} bytes`);
          else chunks.push(chunk);
        });
        response.on("error", ({ message }) => fail(message));
        response.on("end", () => {
          const body = Buffer.concat(chunks);
          if (response.statusCode === 200) resolve(body);
          else fail(`HTTP ${response.statusCode}: ${body.toString("utf8", 0, 500).trim()}`);
        });
      });
      asked.end(call);
    });
  return { transport, close: () => agent.destroy() };
}
