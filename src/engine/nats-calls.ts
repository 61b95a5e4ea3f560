// SPDX-License-Identifier: MIT
// The first call of the client of NATS: whether what listens there speaks NATS at all, and the end
// of what the client leaves when it does not. A server of NATS speaks first and says INFO.
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import {
  type ConnectionOptions,
  connect,
  delay,
  type NatsConnection,
} from "@nats-io/transport-node";
import { errorText } from "../core/text.ts";

/** What listens there has said something else, or nothing. */
export class NoGreeting extends Error {
  /** It may be a server of NATS that stands still. */
  readonly isSilent: boolean;
  constructor(isSilent: boolean, cause: unknown) {
    super(isSilent ? "it took the call and said nothing" : "it said something else", { cause });
    this.isSilent = isSilent;
  }
}

/** What calls are made in whose name; others may be made at the same time. */
const callers = new AsyncLocalStorage<Socket[]>();

/**
 * Connects. What fails leaves no socket behind: the client leaves the one open at which nothing was
 * said, and it would keep the process. @throws NoGreeting, or what the client throws
 */
export async function callNats(options: ConnectionOptions): Promise<NatsConnection> {
  const sockets: Socket[] = [];
  let isConnected = false;
  const note = (message: unknown): void => {
    if (callers.getStore() === sockets) sockets.push((message as { socket: Socket }).socket);
  };
  subscribe("net.client.socket", note);
  try {
    const connection = await callers.run(sockets, () => connect(options));
    isConnected = true;
    return connection;
  } catch (error) {
    // Who was busy when time was up has yet to hear that the call was taken.
    await delay(1);
    const isSilent = saidNothing(sockets, errorText(error));
    const isOther = /unexpected response from server/i.test(errorText(error));
    if (isSilent || isOther) throw new NoGreeting(isSilent, error);
    const isOpening = sockets.at(-1)?.readyState === "opening";
    throw isOpening ? new Error("the connection timed out", { cause: error }) : error;
  } finally {
    if (!isConnected) for (const socket of sockets) socket.destroy();
    unsubscribe("net.client.socket", note);
  }
}

/** Of one that ends a call at once the client says that it knows no error. */
function saidNothing(sockets: readonly Socket[], text: string): boolean {
  const socket = sockets.at(-1);
  if (socket === undefined || sockets.some(({ bytesRead }) => bytesRead > 0)) return false;
  const isOpen = socket.readyState !== "opening" && socket.readyState !== "closed";
  return isOpen ? /timeout/i.test(text) : /undefined error/i.test(text);
}
