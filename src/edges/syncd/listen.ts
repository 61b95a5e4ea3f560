// SPDX-License-Identifier: MIT
// Takes the port of a sync server: one UDP socket and several TCP listeners per address.
//
// The UDP socket comes first and without address reuse: it is the lock against a second server,
// which the TCP listeners, sharing their port by SO_REUSEPORT, would not be. Several listeners,
// because each has its own accept queue and the kernel spreads a storm of connects over them.
import type { RemoteInfo, Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { bindUdp } from "../bind-udp.ts";
import type { EdgeTime } from "../edge-time.ts";
import { fallbackTries, type SyncdBounds } from "./bounds.ts";

export type ListenErrorCode = "port-in-use" | "bad-address" | "not-allowed" | "failed";

/** The port cannot be had; the message says what to do. Definite: nothing listens. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: ListenErrorCode;
  constructor(code: ListenErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ListenOptions {
  readonly addresses: readonly string[];
  /** 0 takes any port that is free for both transports on all addresses. */
  readonly port: number;
  /** Take any free port when `port` is in use. [EMULAB-SYNC 1] */
  readonly fallback: boolean;
  /** Option by which a person chooses another port; `-p` of the old command when absent. */
  readonly portOption?: string | undefined;
  readonly time: EdgeTime;
  readonly bounds: SyncdBounds;
  readonly onConnection: (socket: Socket) => void;
  readonly onDatagram: (bytes: Buffer, from: RemoteInfo, at: UdpSocket, address: string) => void;
  readonly onSocketError: (error: Error) => void;
}

/** A port that is taken. */
export interface Bound {
  readonly port: number;
  close(): void;
}

/** @throws ListenError */
export async function listen(options: ListenOptions): Promise<Bound> {
  const { portOption: option = "-p" } = options;
  if (options.port !== 0) {
    try {
      return await bindAll(options, options.port);
    } catch (error) {
      if (!options.fallback || !isInUse(error)) throw explain(error, options.port, option);
    }
  }
  // Port 0 gives a port free for UDP at the first address only; the rest may be taken.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await bindAll(options, 0);
    } catch (error) {
      if (attempt === fallbackTries || !isInUse(error)) throw explain(error, 0, option);
    }
  }
}

async function bindAll(options: ListenOptions, wanted: number): Promise<Bound> {
  const opened: { close(): unknown }[] = [];
  const { udpReceiveBufferBytes: bytes } = options.bounds;
  const buffers = { recvBufferSize: bytes, sendBufferSize: bytes };
  let port = wanted;
  try {
    for (const address of options.addresses) {
      const udp = await bindUdp({ ...options, buffers }, address, port);
      opened.push(udp);
      port = udp.address().port;
    }
    for (const address of options.addresses) {
      for (let index = 0; index < options.bounds.tcpListenersPerAddress; index += 1) {
        opened.push(await listenTcp(options, address, port));
      }
    }
  } catch (error) {
    for (const socket of opened) socket.close();
    throw error;
  }
  return {
    port,
    close() {
      for (const socket of opened) socket.close();
    },
  };
}

function listenTcp(options: ListenOptions, host: string, port: number): Promise<Server> {
  const server = createServer(
    {
      allowHalfOpen: true,
      keepAlive: true,
      keepAliveInitialDelay: options.time.tcpKeepAliveMs,
    },
    options.onConnection,
  );
  const { tcpBacklog: backlog } = options.bounds;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, reusePort: true, backlog, exclusive: true }, () => {
      server.off("error", reject);
      server.on("error", options.onSocketError);
      resolve(server);
    });
  });
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function isInUse(error: unknown): boolean {
  return errorCode(error) === "EADDRINUSE";
}

/** @param option of the command line, by which another port is chosen */
function explain(error: unknown, port: number, option: string): ListenError {
  const address = error instanceof Error && "address" in error ? String(error.address) : "";
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return new ListenError(
        "port-in-use",
        `port ${port} on ${address} is in use; stop the server that has it or choose another port with ${option}`,
      );
    case "EADDRNOTAVAIL":
    case "EINVAL":
      return new ListenError(
        "bad-address",
        `${address} is not an address of this machine; \`ip address\` lists them, --listen chooses one`,
      );
    case "EACCES":
      return new ListenError(
        "not-allowed",
        `port ${port} needs more rights; choose one above 1023 with ${option}`,
      );
    default:
      return new ListenError("failed", `cannot listen on port ${port}: ${String(error)}`);
  }
}
