// SPDX-License-Identifier: MIT
// Takes the ports of the configuration door: one UDP socket and one TCP listener per address and
// port. The UDP socket comes first and without address reuse: it is the lock against a second
// server.
import type { RemoteInfo, Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { errorText } from "../../core/text.ts";
import { bindUdp } from "../bind-udp.ts";
import { freePortTries, tcpBacklog, udpReceiveBufferBytes } from "./bounds.ts";

/** A port cannot be had; the message says what to do. Definite: nothing listens. */
export class TmcdListenError extends Error {
  override readonly name = "TmcdListenError";
  readonly code: "port-in-use" | "bad-address" | "failed";
  constructor(code: TmcdListenError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

export interface ListenOptions {
  readonly addresses: readonly string[];
  /** 0 takes a port that is free for both transports on all addresses. */
  readonly ports: readonly number[];
  readonly onConnection: (socket: Socket) => void;
  readonly onDatagram: (bytes: Buffer, from: RemoteInfo, at: UdpSocket, address: string) => void;
  readonly onSocketError: (error: Error) => void;
}

export interface Bound {
  /** In the order asked for. */
  readonly ports: readonly number[];
  close(): void;
}

/** @throws TmcdListenError */
export async function listen(options: ListenOptions): Promise<Bound> {
  const opened: Closable[] = [];
  const ports: number[] = [];
  try {
    for (const port of options.ports) ports.push(await bindPort(options, port, opened));
  } catch (error) {
    for (const socket of opened) socket.close();
    throw explain(error);
  }
  return {
    ports,
    close() {
      for (const socket of opened) socket.close();
    },
  };
}

interface Closable {
  close(): unknown;
}

/** Port 0 gives a port free for UDP at the first address only; the rest may be taken. */
async function bindPort(options: ListenOptions, port: number, all: Closable[]): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const opened: Closable[] = [];
    try {
      const taken = await bindAll(options, port, opened);
      all.push(...opened);
      return taken;
    } catch (error) {
      for (const socket of opened) socket.close();
      const isRace = port === 0 && errorCode(error) === "EADDRINUSE";
      if (!isRace || attempt === freePortTries) throw error;
    }
  }
}

const buffers = { recvBufferSize: udpReceiveBufferBytes };

async function bindAll(options: ListenOptions, wanted: number, opened: Closable[]) {
  let port = wanted;
  for (const address of options.addresses) {
    const udp = await bindUdp({ ...options, buffers }, address, port);
    opened.push(udp);
    port = udp.address().port;
    opened.push(await listenTcp(options, address, port));
  }
  return port;
}

function listenTcp(options: ListenOptions, host: string, port: number): Promise<Server> {
  // The end of the request is the client's half-close; the reply comes after it.
  const server = createServer({ allowHalfOpen: true }, options.onConnection);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog: tcpBacklog, exclusive: true }, () => {
      server.off("error", reject);
      server.on("error", options.onSocketError);
      resolve(server);
    });
  });
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function explain(error: unknown): TmcdListenError {
  const text = errorText(error);
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return new TmcdListenError(
        "port-in-use",
        `${text}; stop the server that has the port, or listen at another address or port`,
      );
    case "EADDRNOTAVAIL":
    case "EINVAL":
      return new TmcdListenError(
        "bad-address",
        `${text}; \`ip address\` lists the addresses of this machine`,
      );
    default:
      return new TmcdListenError("failed", `cannot listen: ${text}`);
  }
}
