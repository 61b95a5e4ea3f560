// SPDX-License-Identifier: MIT
// WebSockets of the door: the handshake, who may, bounds, signs of life. Messages are the business
// of the endpoints. Whoever may not is told with a close code and a reason, because a page cannot
// see the status of a handshake that failed; nothing that he sends is taken.
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { assert } from "../../core/assert.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import { gatherWrites } from "../../host/gather-writes.ts";
import type { Logger } from "../../host/logger.ts";
import { tokenProtocolPrefix } from "../../wire/link/frames.ts";
import { type Holding, heldBytesMin, unfinishedBytesOf } from "../holdings.ts";
import type { HttpTime } from "../http-time.ts";
import { mayReach } from "../may-reach.ts";
import type { Access, Caller } from "./access.ts";
import { checkAction } from "./access.ts";
import { HttpError } from "./errors.ts";
import type { Guests } from "./guests.ts";
import type { DoorSocket, SocketEndpoint, SocketHandler } from "./socket.ts";
import { closeCodes } from "./socket.ts";
import { targetOf } from "./target.ts";

export interface SocketsOptions {
  readonly access: Access;
  readonly guests: Guests;
  readonly time: HttpTime;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Mounted {
  readonly endpoint: SocketEndpoint;
  readonly server: WebSocketServer;
}

interface Found {
  readonly mounted: Mounted;
  readonly query: URLSearchParams;
}

/** Bytes of a reason in a close frame. */
const reasonBytesMax = 123;

export class Sockets {
  readonly #options: SocketsOptions;
  readonly #mounted = new Map<string, Mounted>();
  readonly #open = new Set<OpenSocket>();
  readonly #strangers: WebSocketServer = createRefuser();
  readonly #turn: TurnTime;
  #isClosing = false;

  constructor(options: SocketsOptions) {
    this.#options = options;
    this.#turn = new TurnTime(options.clock);
  }

  add(endpoint: SocketEndpoint): void {
    assert(!this.#mounted.has(endpoint.path), `two sockets for ${endpoint.path}`);
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: endpoint.messageBytesMax,
      perMessageDeflate: false,
      // Never the token that was offered beside it.
      handleProtocols: (offered) => (offered.has(endpoint.protocol) ? endpoint.protocol : false),
    });
    this.#mounted.set(endpoint.path, { endpoint, server });
  }

  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    stream.on("error", () => stream.destroy());
    let found: Found;
    try {
      found = this.#find(request);
    } catch (error) {
      refuse(stream, error);
      return;
    }
    const { mounted, query } = found;
    const { endpoint } = mounted;
    const caller = this.#judge(request, endpoint);
    const server = caller instanceof HttpError ? this.#strangers : mounted.server;
    server.handleUpgrade(request, stream, head, (socket) => {
      const { clock, time } = this.#options;
      const { queueBytesMax = 0 } = endpoint;
      const turn = this.#turn;
      const options = { clock, turn, time, stream: request.socket, queueBytesMax };
      const open: OpenSocket = new OpenSocket(socket, options, () => this.#open.delete(open));
      this.#open.add(open);
      if (mounted.endpoint.gathersWrites) open.beforeSend = gatherWrites(stream, clock);
      if (caller instanceof HttpError) open.end(codeOf(caller), caller.message);
      else this.#greet(open, caller, endpoint, query);
    });
  }

  /** Those who are connected are told to come back later; `destroyAll` follows. */
  close(): void {
    this.#isClosing = true;
    for (const socket of [...this.#open]) {
      socket.end(closeCodes.goingAway, "the server is closing; try again later");
    }
  }

  /** What is held for each, if it is much. */
  *holdings(): Generator<Holding> {
    for (const socket of this.#open) {
      const bytes = socket.heldBytes;
      if (bytes >= heldBytesMin)
        yield { client: socket.client, bytes, cut: () => socket.destroy() };
    }
  }

  destroyAll(): void {
    for (const socket of [...this.#open]) socket.destroy();
  }

  /** @throws HttpError for what is no handshake here. */
  #find(request: IncomingMessage): Found {
    const { pathname, searchParams: query } = targetOf(request);
    this.#options.access.checkSocketOrigin(request);
    const mounted = this.#mounted.get(pathname);
    if (mounted === undefined) {
      throw new HttpError("not-found", `there is no WebSocket at ${pathname}; try /v1/session`);
    }
    if (this.#isClosing) throw new HttpError("unavailable", "the server is closing; try later");
    return { mounted, query };
  }

  #judge(request: IncomingMessage, endpoint: SocketEndpoint): Caller | HttpError {
    try {
      const caller = this.#options.access.identify(request);
      checkAction(caller, endpoint.access);
      return caller;
    } catch (error) {
      if (error instanceof HttpError) return error;
      throw error;
    }
  }

  #greet(open: OpenSocket, caller: Caller, endpoint: SocketEndpoint, query: URLSearchParams): void {
    const end = (why: string): void => open.end(closeCodes.unauthorized, why);
    const guest = { caller, kind: `socket ${endpoint.path}` as const, end };
    const leave = this.#options.guests.admit(guest, endpoint.perTokenMax);
    if (leave === undefined) {
      const why = `this token or client has ${endpoint.perTokenMax} sockets open here, and no more at once`;
      open.end(closeCodes.tryLater, why);
      return;
    }
    open.serve(endpoint.open(open, caller, query), leave);
  }
}

/** Takes part in a handshake only to say no: it reads nothing longer than a close frame. */
function createRefuser(): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: reasonBytesMax,
    perMessageDeflate: false,
    handleProtocols: (offered) =>
      [...offered].find((protocol) => !protocol.startsWith(tokenProtocolPrefix)) ?? false,
  });
}

function codeOf({ code }: HttpError): number {
  return code === "unauthorized" ? closeCodes.unauthorized : closeCodes.forbidden;
}

/** The clock as of the first look in a turn of the event loop: one for each message is costly. */
class TurnTime {
  readonly #clock: Clock;
  #us: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get nowUs(): number {
    if (this.#us !== undefined) return this.#us;
    this.#clock.endOfTurn(() => {
      this.#us = undefined;
    });
    this.#us = this.#clock.nowUs();
    return this.#us;
  }
}

interface OpenSocketOptions extends Pick<SocketsOptions, "clock" | "time"> {
  readonly turn: TurnTime;
  readonly stream: Pick<Socket, "remoteAddress">;
  /** See `SocketEndpoint`. */
  readonly queueBytesMax: number;
}

/**
 * One WebSocket, with its signs of life.
 *
 *   K1. While nothing is read nothing is handed over: one piece from the network holds a thousand
 *       messages, and the answers to them may be a thousand times as long. What came with the one
 *       after which reading stopped is held, no more than the kernel gave at once.
 */
class OpenSocket implements DoorSocket {
  readonly #socket: WebSocket;
  readonly #options: OpenSocketOptions;
  readonly client: string;
  #cancelTimer: Cancel = () => undefined;
  #handler: SocketHandler | undefined;
  #isReading = true;
  /** K1. */
  #held: (string | Uint8Array)[] = [];
  /** When the peer has shown last that it is there. */
  #lifeUs = 0;
  readonly #onSent = (): void => {
    if (this.isOpen) this.#handler?.onSent?.();
  };
  beforeSend: () => void = () => undefined;

  constructor(socket: WebSocket, options: OpenSocketOptions, onGone: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.client = options.stream.remoteAddress ?? "";
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      this.#cancelTimer();
      onGone();
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get queuedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** What was written and not read, and what has come of a message that is not here in full. */
  get heldBytes(): number {
    return this.queuedBytes + unfinishedBytesOf(this.#socket);
  }

  serve(handler: SocketHandler, leave: () => void): void {
    this.#handler = handler;
    const socket = this.#socket;
    const { turn } = this.#options;
    socket.on("message", (data: Buffer, isBinary) => {
      this.#lifeUs = turn.nowUs;
      const message = isBinary ? data : data.toString("utf8");
      if (this.#isReading && this.#held.length === 0) this.#take(message);
      else this.#held.push(message);
    });
    socket.on("close", () => {
      leave();
      handler.onClosed();
    });
    this.#expectLife();
  }

  send(message: string | Uint8Array): void {
    if (!this.isOpen) return;
    this.beforeSend();
    const isMuch = mayReach(this.#options.queueBytesMax, this.queuedBytes, message);
    this.#socket.send(message, isMuch ? this.#onSent : undefined);
  }

  setReading(isReading: boolean): void {
    if (isReading === this.#isReading) return;
    this.#isReading = isReading;
    // What it has said meanwhile is read from now on.
    if (isReading) this.#lifeUs = this.#options.clock.nowUs();
    if (!isReading) this.#socket.pause();
    else if (this.#held.length === 0) this.#socket.resume();
    else this.#options.clock.endOfTurn(() => this.#takeHeld());
  }

  end(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#socket.close(code, cutToBytes(reason, reasonBytesMax));
    this.#cancelTimer();
    const { clock, time } = this.#options;
    this.#cancelTimer = clock.after(time.lingerMs, () => this.destroy());
  }

  destroy(): void {
    this.#socket.terminate();
  }

  /** Whoever was told to go, with a token that was revoked perhaps, has said what he had to say. */
  #take(message: string | Uint8Array): void {
    if (this.isOpen) this.#handler?.onMessage(message);
  }

  /** K1. */
  #takeHeld(): void {
    const held = this.#held;
    let taken = 0;
    while (this.#isReading && taken < held.length) {
      const message = held[taken];
      taken += 1;
      if (message !== undefined) this.#take(message);
    }
    this.#held = held.slice(taken);
    if (this.#isReading) this.#socket.resume();
  }

  /**
   * A peer that is silent is asked; one that does not answer is gone. A sign of life is noted, and
   * the timer looks when it is due: to set it anew at each message costs more than to read one.
   */
  #expectLife(): void {
    const { clock, time } = this.#options;
    const socket = this.#socket;
    let cancel: Cancel = () => undefined;
    const onLife = (): void => {
      this.#lifeUs = clock.nowUs();
    };
    onLife();
    const look = (): void => {
      const leftMs = time.pingMs - (clock.nowUs() - this.#lifeUs) / 1000;
      if (leftMs > 0) cancel = clock.after(leftMs, look);
      else cancel = this.#isReading ? ask() : bear();
    };
    const ask = (): Cancel => {
      const silentSinceUs = this.#lifeUs;
      socket.ping();
      return clock.after(time.pongMs, () => {
        if (this.#lifeUs === silentSinceUs && this.#isReading) socket.terminate();
        else look();
      });
    };
    /** Its answer would not be read: of one that is slow, only what it takes says that it lives. */
    const bear = (): Cancel => {
      const unreadBytes = this.queuedBytes;
      const leftMs = time.unreadMs - (clock.nowUs() - this.#lifeUs) / 1000;
      if (unreadBytes > 0 && leftMs <= 0) socket.terminate();
      return clock.after(time.pingMs, () => {
        if (this.queuedBytes < unreadBytes || unreadBytes === 0) onLife();
        look();
      });
    };
    socket.on("pong", onLife);
    socket.on("ping", onLife);
    socket.on("close", () => cancel());
    look();
  }
}

/** An answer to a handshake that does not take place. */
function refuse(stream: Duplex, error: unknown): void {
  const { status, body } =
    error instanceof HttpError ? error : new HttpError("internal", "a fault of Muster");
  const text = `${JSON.stringify(body)}\n`;
  // Nobody waits for the client to close its side too: it may never.
  stream.once("finish", () => stream.destroy());
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

function cutToBytes(text: string, bytesMax: number): string {
  let cut = text;
  while (Buffer.byteLength(cut) > bytesMax) cut = cut.slice(0, -1);
  return cut;
}
