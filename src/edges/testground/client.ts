// SPDX-License-Identifier: MIT
// One connection of a client: reads its requests, keeps their order, writes its answers, and reads
// no further while the client does not read. What a request leads to is the door's business.
//
//   G1. Requests of a connection reach the core in the order in which they were sent.
//   G2. A request that was read is carried out also when its connection is gone, but for waits and
//       subscriptions: an instance says how it ended and leaves.
//   G3. A cancelled request is not answered, whatever comes of it.
import type { WebSocket } from "ws";
import type { Participant, PayloadRef } from "../../core/command.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import { whyNotStored } from "../../host/message-writer.ts";
import {
  badJsonCode,
  badJsonReason,
  type ConfigRefused,
  decodeRequest,
  encodeMessage,
  encodeResponse,
  goMessageBytesMax,
  type Operation,
  type Request,
  type Response,
} from "../../wire/testground/index.ts";
import { unfinishedBytesOf } from "../holdings.ts";
import { mayReach } from "../may-reach.ts";
import type { TestgroundTime } from "../testground-time.ts";
import type { Subscriber } from "../topic-feed.ts";
import type { Ask } from "./ask.ts";
import { AskTable } from "./ask-table.ts";
import { type Objection, objectTo, type TestgroundBounds } from "./bounds.ts";

/** Where a client is and what it speaks, as far as its handshake told. */
export interface ClientPeer {
  /** `127.0.0.1:4711/ws` */
  readonly address: string;
  readonly node: string | undefined;
  readonly name: string | undefined;
  /** Clients in Go end the connection at a message of more than 32 KiB. */
  readonly isGo: boolean;
}

/** What a client may ask of the door. */
export interface ClientDoor {
  readonly bounds: TestgroundBounds;
  readonly clock: Clock;
  readonly time: TestgroundTime;
  /** False while the core has no room: nothing is read. */
  readonly hasRoom: boolean;
  /** Makes an ask of an operation. @returns why not, if it may not. */
  createAsk(client: Client, id: string, operation: Operation): Ask | Objection;
  /** A request was refused by a bound. */
  refused(objection: Objection): void;
  /** Stores the message of a publication, if what it asks for could be done. */
  store(client: Client, ask: Ask): Promise<PayloadRef | ConfigRefused>;
  /** Its turn has come. */
  submit(client: Client, ask: Ask): void;
  /** A wait or a subscription is not wanted any more. */
  withdraw(ask: Ask): void;
  /** A message that was stored, and will not be published. */
  unsent(scope: string, payload: PayloadRef): void;
  /** The message of a publication could not be stored. */
  unstored(ask: Ask): void;
  /** The connection is gone. */
  left(client: Client): void;
  note(line: string): void;
}

/** A request that waits takes 640 bytes here and in the core, whatever it says. */
const requestBytes = 640;

/** What `ws` says of a message beyond `maxPayload`. */
const tooLong = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

export class Client implements Subscriber {
  readonly peer: ClientPeer;
  /** The same for all that it asks: commands that wait share it. */
  readonly who: Participant;
  /** Runs that it has used. */
  readonly runs: Set<string> = new Set();
  readonly #door: ClientDoor;
  readonly #socket: WebSocket;
  readonly #asks = new AskTable();
  /** From the oldest publication that is being stored on. */
  #queue: Ask[] = [];
  /** Bytes of publications and signals that are not answered yet. */
  #briefBytes = 0;
  /** Bytes of waits and subscriptions. */
  #lastingBytes = 0;
  #isReading = true;
  #isBlocked = false;
  /** Something has come of it since it was looked. */
  #isAlive = true;
  #cancelTimer: Cancel = () => undefined;
  readonly #onSent = (): void => this.#sent();

  constructor(door: ClientDoor, socket: WebSocket, peer: ClientPeer) {
    this.#door = door;
    this.#socket = socket;
    this.peer = peer;
    this.who = whoIs(peer);
    socket.on("message", (data: Buffer) => this.#onMessage(data.toString("utf8")));
    socket.on("error", (error: Error & { readonly code?: string }) => {
      const { bounds } = door;
      if (error.code === tooLong) {
        door.refused(objectTo("a message is too long", bounds, "testgroundMessageBytesMax"));
      }
      const line = `bad message from ${peer.address}: ${error.message}; closing`;
      door.note(line);
      this.#linger();
    });
    socket.on("close", () => this.#onClose());
    this.#expectLife();
    this.adjustReading();
  }

  /** Bytes written that the client has not taken yet. */
  get queuedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** What the door keeps for it, with what the core keeps for requests that are not answered. */
  get heldBytes(): number {
    const asked = this.#briefBytes + this.#lastingBytes + this.#asks.count * requestBytes;
    return this.#socket.bufferedAmount + unfinishedBytesOf(this.#socket) + asked;
  }

  get hasRoom(): boolean {
    const isOpen = this.#socket.readyState === this.#socket.OPEN;
    if (isOpen && this.#socket.bufferedAmount < this.#door.bounds.testgroundAheadBytesMax) {
      return true;
    }
    this.#isBlocked = true;
    return false;
  }

  sendMessage(id: string, quoted: string, number: number): string | undefined {
    const text = encodeMessage(id, quoted);
    const bytes = this.peer.isGo ? Buffer.byteLength(text) : 0;
    if (bytes > goMessageBytesMax) {
      return `message ${number} of the topic takes ${bytes} bytes; a client in Go reads ${goMessageBytesMax}`;
    }
    this.#write(text);
    return undefined;
  }

  sendError(id: string, error: string): void {
    this.#write(encodeResponse({ kind: "failed", id, error }));
  }

  /** The answer to an ask, its last. */
  answer(ask: Ask, response: Response): void {
    if (ask.state === "over") return; // G3
    this.settle(ask);
    this.#write(encodeResponse(response));
  }

  /** An ask is over, without an answer. */
  settle(ask: Ask): void {
    if (ask.state === "over") return;
    ask.state = "over";
    this.#asks.delete(ask);
    if (isLasting(ask.operation)) {
      this.#lastingBytes -= ask.heldBytes;
    } else {
      this.#briefBytes -= ask.heldBytes;
      if (!this.#isReading) this.adjustReading();
    }
  }

  /** Reads, or not: while the core has no room, or the client leaves too much unread. */
  adjustReading(): void {
    const { testgroundQueueBytesMax: max } = this.#door.bounds;
    const isFull = this.#briefBytes >= max || this.#socket.bufferedAmount >= max;
    const shouldRead = this.#door.hasRoom && !isFull;
    if (shouldRead === this.#isReading) return;
    this.#isReading = shouldRead;
    if (shouldRead) this.#socket.resume();
    else this.#socket.pause();
  }

  /** Closes in order; a client that does not answer is cut. */
  end(code: number, reason: string): void {
    this.#socket.close(code, reason);
    this.#linger();
  }

  destroy(): void {
    this.#socket.terminate();
  }

  #onMessage(text: string): void {
    this.#isAlive = true;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const result = decodeRequest(text);
    if (result.kind === "refused") {
      this.#door.note(`bad request from ${this.peer.address}: ${result.message}; closing`);
      this.end(badJsonCode, badJsonReason);
      return;
    }
    this.#onRequest(result.request);
  }

  #onRequest({ id, isCancel, operation }: Request): void {
    // Of an id that names nothing the whole message is passed over. [TESTGROUND 4.5]
    if (isCancel && !this.#cancel(id)) return;
    if (operation === undefined) return;
    const ask = this.#objection(operation) ?? this.#door.createAsk(this, id, operation);
    if ("limit" in ask) {
      this.#door.refused(ask);
      this.sendError(id, ask.text);
      return;
    }
    this.#remember(ask);
    if (operation.kind === "publish") this.#store(ask);
    if (this.#queue.length > 0 || ask.operation.kind === "publish") this.#queue.push(ask);
    else this.#submit(ask);
  }

  /** What comes at once may wait until there is room; nobody knows when what lasts is over. */
  #objection(operation: Operation): Objection | undefined {
    const { bounds } = this.#door;
    if (this.#asks.count >= bounds.testgroundRequestsMax) {
      return objectTo("too many requests at once", bounds, "testgroundRequestsMax");
    }
    if (!isLasting(operation) || this.#lastingBytes < bounds.testgroundQueueBytesMax) {
      return undefined;
    }
    return objectTo("too long requests at once", bounds, "testgroundQueueBytesMax");
  }

  #remember(ask: Ask): void {
    this.#asks.add(ask);
    if (isLasting(ask.operation)) {
      this.#lastingBytes += ask.heldBytes;
    } else {
      this.#briefBytes += ask.heldBytes;
      if (this.#briefBytes >= this.#door.bounds.testgroundQueueBytesMax) this.adjustReading();
    }
  }

  /** @returns whether there was something that can be cancelled. */
  #cancel(id: string): boolean {
    let found = false;
    for (const ask of this.#asks.of(id)) {
      if (!isLasting(ask.operation)) continue;
      found = true;
      this.#door.withdraw(ask);
      this.settle(ask);
    }
    return found;
  }

  #store(ask: Ask): void {
    const fail = (error: string): void => {
      this.#door.unstored(ask);
      this.answer(ask, { kind: "failed", id: ask.id, error });
      this.#drain();
    };
    this.#door.store(this, ask).then(
      (stored) => {
        if ("refusal" in stored) {
          fail(stored.refusal);
          return;
        }
        ask.payload = stored;
        this.#drain();
      },
      (error: unknown) => fail(whyNotStored(error)),
    );
  }

  /** G1. */
  #drain(): void {
    let done = 0;
    for (const ask of this.#queue) {
      const isStored = ask.operation.kind !== "publish" || ask.payload !== undefined;
      if (!isStored && ask.state !== "over") break;
      done += 1;
      this.#submit(ask);
    }
    if (done > 0) this.#queue = this.#queue.slice(done);
  }

  #submit(ask: Ask): void {
    if (ask.state === "over") {
      if (ask.payload !== undefined) this.#door.unsent(ask.scope, ask.payload);
      return;
    }
    ask.state = "asked";
    this.#door.submit(this, ask);
  }

  #write(text: string): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    const { testgroundAheadBytesMax: aheadMax, testgroundQueueBytesMax: queueMax } =
      this.#door.bounds;
    // One byte less: whoever has as much as either is held up.
    const isMuch = mayReach(Math.min(aheadMax, queueMax) - 1, socket.bufferedAmount, text);
    socket.send(text, isMuch ? this.#onSent : undefined);
    if (isMuch && socket.bufferedAmount > 0) this.adjustReading();
  }

  /** Something of what was written has left. */
  #sent(): void {
    this.adjustReading();
    const { testgroundAheadBytesMax: max } = this.#door.bounds;
    if (!this.#isBlocked || this.#socket.bufferedAmount > max / 2) return;
    this.#isBlocked = false;
    for (const ask of this.#asks.all()) ask.subscription?.resume();
  }

  /** G2. */
  #onClose(): void {
    this.#cancelTimer();
    for (const ask of this.#asks.all()) {
      if (!isLasting(ask.operation)) continue;
      this.#door.withdraw(ask);
      this.settle(ask);
    }
    this.#door.left(this);
  }

  #linger(): void {
    this.#cancelTimer();
    const { clock, time } = this.#door;
    this.#cancelTimer = clock.after(time.lingerMs, () => this.#socket.terminate());
  }

  /** A client that is silent is asked; one that does not answer for long is gone. */
  #expectLife(): void {
    const { clock, time } = this.#door;
    const socket = this.#socket;
    let silentMs = 0;
    const onLife = (): void => {
      this.#isAlive = true;
    };
    socket.on("pong", onLife);
    socket.on("ping", onLife);
    const look = (): void => {
      silentMs = this.#isAlive ? 0 : silentMs + time.pingMs;
      this.#isAlive = false;
      if (silentMs > time.pongMs) {
        socket.terminate();
        return;
      }
      socket.ping();
      this.#cancelTimer = clock.after(time.pingMs, look);
    };
    this.#cancelTimer = clock.after(time.pingMs, look);
  }
}

/** Waits and subscriptions: answered when others do something, and not at all when cancelled. */
function isLasting({ kind }: Operation): boolean {
  return kind === "barrier" || kind === "subscribe";
}

function whoIs({ address, node, name }: ClientPeer): Participant {
  return {
    address,
    ...(node === undefined ? {} : { node }),
    ...(name === undefined ? {} : { name }),
  };
}
