// SPDX-License-Identifier: MIT
// The calls of the client of NATS: whether what listens there speaks NATS at all, and the end of
// the sockets that the client leaves open. A server of NATS speaks first and says INFO.
//
//   C1. The client leaves open the socket of a call to which nothing was said, the first one or
//       one by which it comes back; it would keep a thread or process that has done its work. There
//       is no public word for it: sockets are seen as Node makes them, in whose name they are made.
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

/** In whose name calls are made; others may be made at the same time. */
const callers = new AsyncLocalStorage<Calls>();
/** What Node says of each socket that calls. */
const madeChannel = "net.client.socket";

/** The sockets of one connection, in the order of its calls. */
class Calls {
  /** All until it is connected; then those that are not closed. */
  sockets: readonly Socket[] = [];
  isConnected = false;
  readonly #note = (message: unknown): void => {
    if (callers.getStore() !== this) return;
    const { socket } = message as { readonly socket: Socket };
    const kept = this.sockets.filter(({ destroyed }) => !(this.isConnected && destroyed));
    this.sockets = [...kept, socket];
  };

  constructor() {
    subscribe(madeChannel, this.#note);
  }

  /** C1. */
  end(): void {
    unsubscribe(madeChannel, this.#note);
    for (const socket of this.sockets) socket.destroy();
  }
}

const callsOf = new WeakMap<NatsConnection, Calls>();

/** Closes it for good. C1 */
export async function closeNats(connection: NatsConnection): Promise<void> {
  await connection.close();
  callsOf.get(connection)?.end();
}

/** Connects. What fails leaves no socket behind. @throws NoGreeting, or what the client throws */
export async function callNats(options: ConnectionOptions): Promise<NatsConnection> {
  const calls = new Calls();
  try {
    const connection = await callers.run(calls, () => connect(options));
    callsOf.set(connection, calls);
    calls.isConnected = true;
    return connection;
  } catch (error) {
    // Who was busy when time was up has yet to hear that the call was taken.
    await delay(1);
    const { sockets } = calls;
    const isSilent = saidNothing(sockets, errorText(error));
    if (isSilent || isOther(error)) throw new NoGreeting(isSilent, error);
    // Of JetStream, which was not asked yet, it would be taken to be.
    const hasBegun = /timeout/i.test(errorText(error)) && sockets.some(hasSpoken);
    if (hasBegun) throw new Error("it began to answer and did not go on", { cause: error });
    const isOpening = sockets.at(-1)?.readyState === "opening";
    throw isOpening ? new Error("the connection timed out", { cause: error }) : error;
  } finally {
    if (!calls.isConnected) calls.end();
  }
}

/** What follows the word INFO is read by the client without a look at what it is. */
function isOther(error: unknown): boolean {
  const reasons = [error, error instanceof Error ? error.cause : undefined];
  if (reasons.some((one) => one instanceof SyntaxError || one instanceof TypeError)) return true;
  return /unexpected response from server/i.test(errorText(error));
}

function hasSpoken({ bytesRead }: Socket): boolean {
  return bytesRead > 0;
}

/** Of one that ends a call at once the client says that it knows no error. */
function saidNothing(sockets: readonly Socket[], text: string): boolean {
  const socket = sockets.at(-1);
  if (socket === undefined || sockets.some(hasSpoken)) return false;
  const isOpen = socket.readyState !== "opening" && socket.readyState !== "closed";
  return isOpen ? /timeout/i.test(text) : /undefined error/i.test(text);
}
