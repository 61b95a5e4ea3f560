// SPDX-License-Identifier: MIT
// A WebSocket under virtual time: what the client library and the session endpoint of the HTTP door
// see of one, without the handshake and the frames below it. Messages take time, are held back, and
// are lost with the connection.
//
//   N1. Messages of one direction arrive in order, each once, or not at all: what is on its way
//       when the line is cut is lost.
//   N2. Each end hears by the clock of its own process: one that is stopped hears nothing.
//   N3. Each end hears once that the line is gone.
import type { WebSocketLike } from "../../client/platform.ts";
import type { Random } from "../../core/random.ts";
import type { DoorSocket, SocketHandler } from "../../edges/http/socket.ts";
import type { Clock } from "../../host/clock.ts";
import type { VirtualClock } from "../virtual-clock.ts";

export interface LineOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** Of the processes of both ends. */
  readonly clientClock: Clock;
  readonly serverClock: Clock;
  readonly delayMsMax: () => number;
  /** The server lets it in; undefined turns it away. */
  readonly accept: (socket: DoorSocket) => SocketHandler | undefined;
  /** The client hears that it is gone. */
  readonly onGone: () => void;
}

type End = "client" | "server";

/** Close code of a connection that was lost. */
const lostCode = 1006;

export class SocketLine {
  readonly client: WebSocketLike;
  readonly #options: LineOptions;
  readonly #server: DoorSocket;
  #handler: SocketHandler | undefined;
  /** Closed by one end; the other still hears what was said before. */
  #isOver = false;
  /** Cut: nobody hears anything. */
  #isLost = false;
  #held: (() => void)[] | undefined;
  readonly #arrivesUs: Record<End, number> = { client: 0, server: 0 };
  /** Messages that arrive at an instant which has not come; others wait behind them (N1). */
  #onTheWay = 0;
  /** Bytes on their way to the client. */
  #queuedBytes = 0;
  /** What the server does not read now. */
  #unread: string[] | undefined;
  readonly #hasHeardEnd: Record<End, boolean> = { client: false, server: false };

  constructor(options: LineOptions) {
    this.#options = options;
    this.client = {
      ...{ onopen: null, onmessage: null, onclose: null, onerror: null },
      send: (text) => this.#toServer(text),
      close: () => this.#endBy("client", 1000, ""),
    };
    this.#server = this.#createServerEnd();
    this.#carry("server", () => this.#accept());
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Both ends lose it, each when it can. */
  cut(): void {
    if (this.#isLost) return;
    this.#isOver = true;
    this.#isLost = true;
    this.#held = undefined;
    this.#tellEnd("client", lostCode, "");
    this.#tellEnd("server", lostCode, "");
  }

  hold(): void {
    if (!this.#isOver) this.#held ??= [];
  }

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  heal(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const arrive of held) arrive();
  }

  #accept(): void {
    if (this.#isOver) return;
    this.#handler = this.#options.accept(this.#server);
    if (this.#handler === undefined) {
      this.#endBy("server", lostCode, "nobody lets it in");
      return;
    }
    this.#carry("client", () => this.client.onopen?.());
  }

  #toServer(text: string): void {
    this.#carry("server", () => {
      if (this.#unread !== undefined) this.#unread.push(text);
      else this.#handler?.onMessage(text);
    });
  }

  #toClient(text: string): void {
    this.#queuedBytes += text.length;
    this.#carry("client", () => {
      this.#queuedBytes -= text.length;
      this.client.onmessage?.({ data: text });
      this.#options.serverClock.endOfTurn(() => {
        if (!this.#isOver) this.#handler?.onSent?.();
      });
    });
  }

  #createServerEnd(): DoorSocket {
    const line = this;
    return {
      get isOpen() {
        return !line.#isOver;
      },
      get queuedBytes() {
        return line.#queuedBytes;
      },
      send: (message) => this.#toClient(String(message)),
      setReading: (isReading) => this.#setReading(isReading),
      end: (code, reason) => this.#endBy("server", code, reason),
      destroy: () => this.#endBy("server", lostCode, ""),
    };
  }

  #setReading(isReading: boolean): void {
    if (!isReading) {
      this.#unread ??= [];
      return;
    }
    const unread = this.#unread ?? [];
    this.#unread = undefined;
    this.#options.serverClock.endOfTurn(() => {
      for (const text of unread) this.#handler?.onMessage(text);
    });
  }

  /** One end closes it; the other hears of it behind what was said before. */
  #endBy(end: End, code: number, reason: string): void {
    if (this.#isOver) return;
    const other = end === "client" ? "server" : "client";
    this.#carry(other, () => this.#tellEnd(other, code, reason), true);
    this.#isOver = true;
    this.#tellEnd(end, code, reason);
  }

  /** N3. */
  #tellEnd(end: End, code: number, reason: string): void {
    const { clientClock, serverClock } = this.#options;
    const clock = end === "client" ? clientClock : serverClock;
    clock.endOfTurn(() => {
      if (this.#hasHeardEnd[end]) return;
      this.#hasHeardEnd[end] = true;
      if (end === "server") {
        this.#handler?.onClosed();
        return;
      }
      this.#options.onGone();
      this.client.onclose?.({ code, reason });
    });
  }

  /** N1, N2. @param isLast what is told also when the line is over. */
  #carry(to: End, arrive: () => void, isLast = false): void {
    const { clock, random, delayMsMax, clientClock, serverClock } = this.#options;
    const maxMs = delayMsMax();
    const delayUs = maxMs === 0 ? 0 : random.below(maxMs * 1000);
    const arrivesUs = Math.max(this.#arrivesUs[to], clock.elapsedUs + delayUs);
    this.#arrivesUs[to] = arrivesUs;
    const end = to === "client" ? clientClock : serverClock;
    const hand = (): void =>
      end.endOfTurn(() => {
        if (isLast || !(this.#isLost || this.#hasHeardEnd[to])) arrive();
      });
    const deliver = (): void => {
      if (this.#held !== undefined) this.#held.push(hand);
      else hand();
    };
    if (arrivesUs === clock.elapsedUs && this.#onTheWay === 0) {
      deliver();
      return;
    }
    this.#onTheWay += 1;
    clock.after((arrivesUs - clock.elapsedUs) / 1000, () => {
      this.#onTheWay -= 1;
      deliver();
    });
  }
}
