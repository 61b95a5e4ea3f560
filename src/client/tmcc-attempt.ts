// SPDX-License-Identifier: MIT
// One exchange with the configuration server over a stream or a datagram: connect, say it, read
// all. [EMULAB-TMCD 3] [EMULAB-TMCD 5]
import { createSocket } from "node:dgram";
import { lookup } from "node:dns";
import { connect, isIPv6, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { sslTag } from "../wire/tmcd/index.ts";
import { tmccTime } from "./tmcc-time.ts";

export type TmccTarget =
  | { readonly kind: "tcp" | "udp"; readonly address: string; readonly port: number }
  /** A proxy on this machine. */
  | { readonly kind: "unix"; readonly path: string };

/** PEM texts for TLS. */
export interface TmccTls {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  /** `legacy`: also TLS 1.0, for old servers. */
  readonly versions: "modern" | "legacy";
}

export type TmccAttemptResult =
  | { readonly kind: "reply"; readonly bytes: Buffer }
  /** Nobody listens there. */
  | { readonly kind: "refused" }
  | { readonly kind: "failed"; readonly message: string };

export interface TmccAttemptOptions {
  readonly target: TmccTarget;
  readonly bytes: Uint8Array;
  readonly tls: TmccTls | undefined;
  /** Data have moved. */
  readonly onProgress: () => void;
  /** Called once, unless closed before. */
  readonly onResult: (result: TmccAttemptResult) => void;
}

/** The most a server may answer. */
export const replyBytesMax: number = 16 * 1024 * 1024;

/** @returns what ends the exchange without a result. */
export function startTmccAttempt(options: TmccAttemptOptions): () => void {
  return options.target.kind === "udp" ? startDatagram(options) : startStream(options);
}

function startStream(options: TmccAttemptOptions): () => void {
  const { target, bytes, tls, onProgress, onResult } = options;
  const raw =
    target.kind === "unix"
      ? connect({ path: target.path })
      : connect({ host: target.address, port: target.port });
  let stream: Socket = raw;
  let isOver = false;
  let isConnected = false;
  const received: Buffer[] = [];
  let receivedBytes = 0;
  const finish = (result: TmccAttemptResult): void => {
    if (isOver) return;
    isOver = true;
    stream.destroy();
    raw.destroy();
    onResult(result);
  };
  const listen = (socket: Socket): void => {
    socket.on("data", (chunk: Buffer) => {
      received.push(chunk);
      receivedBytes += chunk.length;
      onProgress();
      if (receivedBytes > replyBytesMax) {
        finish({ kind: "failed", message: `the reply has more than ${replyBytesMax} bytes` });
      }
    });
    socket.on("end", () => finish({ kind: "reply", bytes: Buffer.concat(received) }));
  };
  raw.on("connect", () => {
    isConnected = true;
    onProgress();
    raw.setKeepAlive(true, tmccTime.keepAliveMs);
    if (tls === undefined) {
      listen(raw);
      raw.end(bytes); // The half-close tells where the request ends.
      return;
    }
    raw.write(sslTag);
    const secure = startTls(raw, tls, finish);
    stream = secure;
    listen(secure);
    secure.on("secureConnect", () => {
      onProgress();
      checkName(secure, () => secure.end(bytes), finish);
    });
  });
  raw.on("error", (error: NodeJS.ErrnoException) => {
    const isAway = !isConnected && error.code === "ECONNREFUSED";
    finish(isAway ? { kind: "refused" } : { kind: "failed", message: error.message });
  });
  return () => {
    isOver = true;
    stream.destroy();
    raw.destroy();
  };
}

function startTls(
  raw: Socket,
  { authority, certificate, key, versions }: TmccTls,
  finish: (result: TmccAttemptResult) => void,
): TLSSocket {
  const secure = connectTls({
    socket: raw,
    ca: authority,
    cert: certificate,
    key,
    // The name is checked against the address, below: certificates of testbeds have no other name.
    checkServerIdentity: () => undefined,
    ...(versions === "legacy"
      ? { minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" }
      : { minVersion: "TLSv1.2" }),
  });
  secure.on("error", (error) => finish({ kind: "failed", message: `TLS: ${error.message}` }));
  return secure;
}

/** The common name of the server's certificate must lead to the address that was called. */
function checkName(
  secure: TLSSocket,
  onGood: () => void,
  finish: (result: TmccAttemptResult) => void,
): void {
  const name = secure.getPeerCertificate().subject?.CN;
  const called = secure.remoteAddress;
  const commonName = Array.isArray(name) ? (name[0] ?? "") : (name ?? "");
  lookup(commonName, { all: true }, (error, found) => {
    if (error === null && found.some(({ address }) => address === called)) onGood();
    else {
      const message = `the server's certificate is for ${commonName}, which is not ${called}`;
      finish({ kind: "failed", message });
    }
  });
}

/** One datagram each way, no repeat. */
function startDatagram({ target, bytes, onProgress, onResult }: TmccAttemptOptions): () => void {
  if (target.kind !== "udp") return () => undefined;
  const socket = createSocket(isIPv6(target.address) ? "udp6" : "udp4");
  let isOver = false;
  const close = (): void => {
    if (!isOver) socket.close();
    isOver = true;
  };
  const finish = (result: TmccAttemptResult): void => {
    if (isOver) return;
    close();
    onResult(result);
  };
  socket.on("message", (reply) => finish({ kind: "reply", bytes: reply }));
  socket.on("error", (error) => finish({ kind: "failed", message: error.message }));
  // Connected, so that only the server's datagrams come in.
  socket.connect(target.port, target.address, () => {
    socket.send(bytes, (error) => {
      if (error === null) onProgress();
    });
  });
  return close;
}
