// SPDX-License-Identifier: MIT
// A bus that is somewhere else, over a WebSocket (bus.ts, N1-N4; bus-frames.ts). Runs in Node and
// in pages: the WebSocket, the clock and chance are handed in. Owns the connection: it is opened
// again when it is lost, and every subscription goes on where it was, without its subscriber
// noticing. What one subscriber gets is in remote-subscription.ts.
//
//   B1. What is published while there is no connection is sent when there is one, within
//       `publishWaitMs`. What was sent and not answered when the connection was lost is rejected
//       as `unavailable`: it may have been published, and only its sender knows whether to repeat.
//       Nothing is sent that was published after what was not sent in time.
//   B2. A server that turns us away for good (token, protocol) ends everything, with its reason.
import type { Bus, Published, Subscribed, Subscriber, Subscription } from "../wire/event/bus.ts";
import { BusError, findPlaceFault } from "../wire/event/bus.ts";
import type { BusClientFrame, BusServerFrame } from "../wire/event/bus-frames.ts";
import { formatClientFrame, parseServerFrame } from "../wire/event/bus-frames.ts";
import { toJsonNotification } from "../wire/event/json.ts";
import type { Notification } from "../wire/event/notification.ts";
import { findNotificationFault } from "../wire/event/notification.ts";
import { parseFilter } from "../wire/event/subscription.ts";
import { RemoteSubscription } from "./remote-subscription.ts";
import type { ClientRuntime } from "./runtime.ts";

/** What is used of a WebSocket; that of pages, of Node and of `ws` have it. */
export interface BusSocket {
  send(text: string): void;
  close(): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown } & never) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string } & never) => void) | null;
  onerror: ((event: never) => void) | null;
}

export interface RemoteBusOptions {
  /** Opens a WebSocket that offers `busProtocol` and, behind it, the token. */
  readonly open: () => BusSocket;
  readonly runtime: ClientRuntime;
  /** The first pause before the connection is opened again; it doubles up to `retryMsMax`. */
  readonly retryMs: number;
  readonly retryMsMax: number;
  /** How long `publish` waits for a connection. */
  readonly publishWaitMs: number;
  /** Publications that wait for a connection or an answer. */
  readonly publicationsMax: number;
  /** The server does not want us (B2); nothing will come of this bus any more. */
  readonly onTurnedAway?: (error: BusError) => void;
}

interface Publication {
  readonly frame: BusClientFrame;
  isSent: boolean;
  settle(outcome: Published | BusError): void;
}

export class RemoteBus implements Bus {
  readonly #options: RemoteBusOptions;
  readonly #subscriptions = new Map<number, RemoteSubscription>();
  readonly #publications = new Map<number, Publication>();
  #socket: BusSocket | undefined;
  #isOpen = false;
  #lastId = 0;
  #failures = 0;
  #cancelRetry: () => void = () => undefined;
  #ended: BusError | undefined;

  constructor(options: RemoteBusOptions) {
    this.#options = options;
    this.#connect();
  }

  async publish(notification: Notification): Promise<Published> {
    if (this.#ended !== undefined) throw this.#ended;
    const fault = findNotificationFault(notification);
    if (fault !== undefined) throw new BusError(fault.code, fault.message);
    const { publicationsMax } = this.#options;
    if (this.#publications.size >= publicationsMax) {
      const what = `limit publicationsMax (${publicationsMax}) reached`;
      throw new BusError("refused", `${what}; wait for answers before you publish more`);
    }
    return new Promise((resolve, reject) => {
      const id = this.#newId();
      const cancel = this.#options.runtime.after(this.#options.publishWaitMs, () => {
        if (!publication.isSent) this.#giveUpUnsent();
      });
      const publication: Publication = {
        frame: { kind: "publish", id, notification: toJsonNotification(notification) },
        isSent: false,
        settle: (outcome) => {
          cancel();
          this.#publications.delete(id);
          if (outcome instanceof BusError) reject(outcome);
          else resolve(outcome);
        },
      };
      this.#publications.set(id, publication);
      if (this.#isOpen) this.#sendPublication(publication);
    });
  }

  async subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    if (this.#ended !== undefined) throw this.#ended;
    const parsed = parseFilter(subscription.address);
    if (parsed.kind === "refused") throw new BusError(parsed.code, parsed.message);
    const fault = subscription.after && findPlaceFault(subscription.after);
    if (fault !== undefined) throw new BusError("invalid", fault);
    const id = this.#newId();
    const added = new RemoteSubscription(id, {
      ...{ subscription, subscriber },
      say: (frame) => this.#say(frame),
      onClosed: () => this.#subscriptions.delete(id),
    });
    this.#subscriptions.set(id, added);
    if (this.#isOpen) added.ask();
    return added.begun;
  }

  get isConnected(): boolean {
    return this.#isOpen;
  }

  /** Subscriptions end without a word; what is published and not answered is rejected. */
  close(): void {
    this.#end(unavailable("this bus was closed"), false);
  }

  #connect(): void {
    const socket = this.#options.open();
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }: { readonly data: unknown }) => this.#heard(data);
    socket.onerror = () => undefined;
    socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) => {
      this.#lost(code, reason);
    };
  }

  #opened(): void {
    this.#isOpen = true;
    for (const subscription of this.#subscriptions.values()) subscription.ask();
    for (const publication of this.#publications.values()) this.#sendPublication(publication);
  }

  #heard(data: unknown): void {
    const frame = typeof data === "string" ? parseServerFrame(data) : undefined;
    if (frame === undefined) {
      // Whatever it was, something may be missing now: the places of the subscriptions decide.
      this.#socket?.close();
      return;
    }
    // Only a server that has said something sensible is worth hurrying back to.
    this.#failures = 0;
    const publication = this.#publications.get(frame.id);
    if (publication === undefined) this.#subscriptions.get(frame.id)?.receive(frame);
    else settle(publication, frame);
  }

  /** 44xx: it would say the same again. */
  #lost(code: number, reason: string): void {
    this.#isOpen = false;
    this.#socket = undefined;
    if (this.#ended !== undefined) return;
    for (const publication of [...this.#publications.values()]) {
      if (publication.isSent) publication.settle(unavailable("the connection was lost"));
    }
    for (const subscription of this.#subscriptions.values()) subscription.disconnected();
    if (code >= 4400 && code < 4500) {
      const error = new BusError("refused", `the server turned us away: ${reason}`);
      this.#end(error, true);
      this.#options.onTurnedAway?.(error);
      return;
    }
    this.#cancelRetry = this.#options.runtime.after(this.#nextPauseMs(), () => this.#connect());
  }

  /** Doubles, and differs from client to client by half: they do not come all at once. */
  #nextPauseMs(): number {
    const { retryMs, retryMsMax, runtime } = this.#options;
    const doublings = Math.min(this.#failures, 16);
    this.#failures += 1;
    const pauseMs = Math.min(retryMs * 2 ** doublings, retryMsMax);
    const [chance = 0] = runtime.randomBytes(1);
    return Math.ceil(pauseMs * (0.5 + chance / 512));
  }

  #end(error: BusError, tellsSubscribers: boolean): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#cancelRetry();
    for (const publication of [...this.#publications.values()]) publication.settle(error);
    for (const subscription of [...this.#subscriptions.values()]) {
      if (tellsSubscribers) subscription.end(error);
      else subscription.abandon(error);
    }
    this.#socket?.close();
  }

  /** B1: those behind it have waited less, and would come before it when it is published again. */
  #giveUpUnsent(): void {
    for (const publication of [...this.#publications.values()]) {
      if (!publication.isSent) publication.settle(unavailable("there is no connection"));
    }
  }

  #sendPublication(publication: Publication): void {
    publication.isSent = true;
    this.#say(publication.frame);
  }

  #say(frame: BusClientFrame): void {
    if (this.#isOpen) this.#socket?.send(formatClientFrame(frame));
  }

  #newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

function settle(publication: Publication, frame: BusServerFrame): void {
  if (frame.kind === "published") {
    publication.settle({ place: frame.place, matched: frame.matched });
  } else if (frame.kind === "refused") {
    publication.settle(new BusError(frame.code, frame.message));
  }
}

function unavailable(why: string): BusError {
  return new BusError("unavailable", `${why}; it may have been published, ask or send it again`);
}
