// SPDX-License-Identifier: MIT
// Takes an address of a GNUnet door: a socket in the file system that only its owner may use, or a
// TCP port. [GNUNET-BARRIERS 4.1] [GNUNET-BARRIERS 4.2] The protocol knows no authentication: the
// permissions of the socket are all there is, and a TCP port has none.
import { existsSync, lstatSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Clock } from "../../host/clock.ts";
import type { GnunetTime } from "../gnunet-time.ts";

export type GnunetAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

export type GnunetListenErrorCode = "in-use" | "bad-address" | "not-allowed" | "failed";

/** The address cannot be had; the message says what to do. Definite: nothing listens. */
export class GnunetListenError extends Error {
  override readonly name = "GnunetListenError";
  readonly code: GnunetListenErrorCode;
  constructor(code: GnunetListenErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What the kernel takes for the path of a socket, in bytes: `sun_path` less its NUL. */
export const socketPathBytesMax = 107;

export interface GnunetListenOptions {
  readonly address: GnunetAddress;
  readonly backlog: number;
  /** Whether a connection stays open for writing when its peer sends nothing more. */
  readonly allowHalfOpen: boolean;
  readonly clock: Clock;
  readonly time: GnunetTime;
  readonly onConnection: (socket: Socket) => void;
  readonly onSocketError: (error: Error) => void;
}

/** An address that is taken. */
export interface GnunetBound {
  /** With the port that was chosen, where 0 was asked for. */
  readonly address: GnunetAddress;
  /** Gives it back; a socket in the file system is removed. */
  close(): void;
}

/** @throws GnunetListenError */
export async function listenGnunet(options: GnunetListenOptions): Promise<GnunetBound> {
  const { address } = options;
  if (address.kind === "unix") await removeStale(address.path, options);
  try {
    return await bind(options);
  } catch (error) {
    throw explain(error, address);
  }
}

function bind(options: GnunetListenOptions): Promise<GnunetBound> {
  const { address, backlog, allowHalfOpen, time, onConnection, onSocketError } = options;
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: time.keepAliveMs };
  const server = createServer({ allowHalfOpen, noDelay: true, ...keepAlive }, onConnection);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      server.on("error", onSocketError);
      resolve({ address: addressOf(server, address), close: () => server.close() });
    });
    if (address.kind === "tcp") {
      server.listen({ host: address.host, port: address.port, backlog, exclusive: true });
      return;
    }
    // The socket must never be there with more rights than it keeps, so they are taken from it as
    // it is made and not afterwards. `listen` makes it before it returns.
    const before = process.umask(0o077);
    try {
      server.listen({ path: address.path, backlog, exclusive: true });
    } finally {
      process.umask(before);
    }
  });
}

function addressOf(server: Server, asked: GnunetAddress): GnunetAddress {
  const bound = server.address();
  if (asked.kind === "unix" || bound === null || typeof bound === "string") return asked;
  return { ...asked, port: bound.port };
}

/**
 * Removes a socket that a process left behind when it was killed.
 * @throws GnunetListenError when somebody answers there, or when it is no socket.
 */
async function removeStale(path: string, options: GnunetListenOptions): Promise<void> {
  if (Buffer.byteLength(path) > socketPathBytesMax) {
    const message = `the path of a socket has at most ${socketPathBytesMax} bytes; choose a shorter one than ${path}`;
    throw new GnunetListenError("bad-address", message);
  }
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    const message = `${path} is there already and is no socket; choose another path, or remove it`;
    throw new GnunetListenError("in-use", message);
  }
  if (await answers(path, options)) {
    const message = `somebody listens at ${path}; stop that server, or choose another path`;
    throw new GnunetListenError("in-use", message);
  }
  try {
    unlinkSync(path);
  } catch (error) {
    throw explain(error, options.address);
  }
}

/** Who neither answers nor refuses in time is busy, and there. */
function answers(path: string, { clock, time }: GnunetListenOptions): Promise<boolean> {
  const socket = connect({ path });
  return new Promise((resolve) => {
    const cancel = clock.after(time.probeMs, () => finish(true));
    const finish = (is: boolean): void => {
      cancel();
      socket.destroy();
      resolve(is);
    };
    socket.on("connect", () => finish(true));
    socket.on("error", (error) => {
      const code = "code" in error ? String(error.code) : "";
      finish(code !== "ECONNREFUSED" && code !== "ENOENT");
    });
  });
}

/** An address as people write it. */
export function formatGnunetAddress(address: GnunetAddress): string {
  if (address.kind === "unix") return address.path;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

function explain(error: unknown, address: GnunetAddress): GnunetListenError {
  if (error instanceof GnunetListenError) return error;
  const place = formatGnunetAddress(address);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  // The platform says EACCES for it.
  if (address.kind === "unix" && !existsSync(dirname(address.path))) {
    const message = `the directory of ${place} is not there; make it, or choose another path`;
    return new GnunetListenError("bad-address", message);
  }
  switch (code) {
    case "EADDRINUSE":
      return new GnunetListenError(
        "in-use",
        `${place} is in use; stop the server that has it, or choose another address`,
      );
    case "EADDRNOTAVAIL":
    case "EINVAL":
      return new GnunetListenError(
        "bad-address",
        `${place} is not an address of this machine; \`ip address\` lists them`,
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new GnunetListenError(
        "not-allowed",
        `${place} may not be made by this user; choose another address`,
      );
    default:
      return new GnunetListenError("failed", `cannot listen at ${place}: ${String(error)}`);
  }
}
