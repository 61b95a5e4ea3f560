// SPDX-License-Identifier: MIT
// The TCP door of the configuration server: one or more requests, their replies, close.
// [EMULAB-TMCD 2] [EMULAB-TMCD 3]
//
//   T1. A connection is in one of the states below and only moves down the list.
//   T2. Replies leave in the order of their requests; nothing is read while one is made.
//   T3. What was cut by the network is put together: a request ends at a newline, at the end of the
//       client's side, or when nothing has followed for a while.
//   T4. A connection has one timer at most.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Cancel } from "../../host/clock.ts";
import { parseRequest, requestBytesMaxTcp, splitRequests, sslTag } from "../../wire/tmcd/index.ts";
import { type AnswerOptions, answer } from "./answer.ts";
import { connectionsMax, requestsPerConnectionMax } from "./bounds.ts";
import type { Route } from "./caller.ts";
import { TlsDoor, type TlsIdentity } from "./tls.ts";

/**
 * `sniffing`: TLS or not is not known yet. `secured`: the connection is TLS's now. `reading`: the
 * request is not whole. `answering`: the source's turn. `ended`: answered or dropped.
 */
type State = "sniffing" | "secured" | "reading" | "answering" | "ended";

export interface TcpDoorOptions extends AnswerOptions {
  readonly tls: TlsIdentity | undefined;
}

export class TcpDoor {
  readonly options: TcpDoorOptions;
  readonly #tls: TlsDoor | undefined;
  readonly #open = new Set<Conversation>();

  constructor(options: TcpDoorOptions) {
    this.options = options;
    if (options.tls === undefined) return;
    this.#tls = new TlsDoor({
      identity: options.tls,
      onSecure: (socket) => this.#converse(socket, { ...routeOf(socket), isTls: true }, "reading"),
      onRefused: (why) => options.logger.log("info", `TLS handshake: ${why}`),
    });
  }

  /** Connections open now; one that has turned to TLS counts twice. */
  get openCount(): number {
    return this.#open.size;
  }

  accept(socket: Socket): void {
    if (this.#open.size >= connectionsMax) {
      this.options.logger.log("warn", `more than ${connectionsMax} connections; closing one`);
      socket.on("error", ignore);
      socket.destroy();
      return;
    }
    this.#converse(socket, routeOf(socket), "sniffing");
  }

  close(): void {
    for (const conversation of this.#open) conversation.dismiss();
  }

  forget(conversation: Conversation): void {
    this.#open.delete(conversation);
  }

  /** @returns false when this server has no certificate. */
  startTls(socket: Duplex): boolean {
    if (this.#tls === undefined) return false;
    this.#tls.accept(socket as Socket);
    return true;
  }

  #converse(stream: Duplex, route: Route, state: "sniffing" | "reading"): void {
    this.#open.add(new Conversation(this, stream, route, state));
  }
}

function routeOf(socket: Socket): Route {
  const { remoteAddress = "", localAddress = "" } = socket;
  return { transport: "tcp", isTls: false, peerAddress: remoteAddress, localAddress };
}

class Conversation {
  readonly #door: TcpDoor;
  readonly #stream: Duplex;
  readonly #route: Route;
  readonly #startedUs: number;
  #state: State;
  #sniffed: Buffer = Buffer.alloc(0);
  #text = "";
  #requests: string[] = [];
  #answered = 0;
  #isWhole = false;
  #cancel: Cancel = ignore;
  readonly #dataListener = (chunk: Buffer): void => this.#onData(chunk);
  readonly #endListener = (): void => this.#onEnd();

  constructor(door: TcpDoor, stream: Duplex, route: Route, state: "sniffing" | "reading") {
    this.#door = door;
    this.#stream = stream;
    this.#route = route;
    this.#state = state;
    this.#startedUs = door.options.clock.nowUs();
    stream.on("data", this.#dataListener);
    stream.on("end", this.#endListener);
    stream.on("close", () => this.#onClose());
    // A reset is told by `close`, too; without a listener it would end the process.
    stream.on("error", ignore);
    this.#wait();
  }

  dismiss(): void {
    this.#state = "ended";
    this.#stream.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#state === "sniffing") this.#sniff(chunk);
    else if (this.#state === "reading") this.#take(chunk);
  }

  /** Bytes that may still become the tag are kept; the first that does not fit decides. */
  #sniff(chunk: Buffer): void {
    this.#sniffed = Buffer.concat([this.#sniffed, chunk]);
    const head = this.#sniffed.subarray(0, sslTag.length).toString("latin1");
    if (!sslTag.startsWith(head)) this.#takePlain();
    else if (head.length === sslTag.length) this.#secure();
    else this.#wait();
  }

  #takePlain(): void {
    this.#state = "reading";
    const bytes = this.#sniffed;
    this.#sniffed = Buffer.alloc(0);
    this.#take(bytes);
  }

  #secure(): void {
    const { clock, time } = this.#door.options;
    this.#stream.off("data", this.#dataListener);
    this.#stream.off("end", this.#endListener);
    this.#stream.pause();
    const rest = this.#sniffed.subarray(sslTag.length);
    if (rest.length > 0) this.#stream.unshift(rest);
    this.#state = "secured";
    this.#arm(clock.after(time.tlsMs, () => this.dismiss()));
    if (this.#door.startTls(this.#stream)) return;
    this.#note("asks for TLS, and this server has no certificate");
    this.dismiss();
  }

  #take(chunk: Buffer): void {
    this.#text += chunk.toString("latin1");
    this.#split();
  }

  #onEnd(): void {
    this.#isWhole = true;
    if (this.#state === "sniffing") this.#takePlain();
    else if (this.#state === "reading") this.#split();
  }

  /** T3. */
  #split(): void {
    const { requests, rest } = splitRequests(this.#text, this.#isWhole);
    this.#text = rest;
    this.#requests.push(...requests);
    if ([...requests, rest].some(({ length }) => length > requestBytesMaxTcp)) {
      this.#note(`a request is longer than ${requestBytesMaxTcp} bytes`);
      this.dismiss();
    } else if (this.#requests.length > 0) void this.#answer();
    else if (this.#isWhole) this.#finish();
    else this.#wait();
  }

  /** T2. */
  async #answer(): Promise<void> {
    this.#state = "answering";
    this.#cancel();
    this.#stream.pause();
    for (let text = this.#requests.shift(); text !== undefined; text = this.#requests.shift()) {
      const reply = await answer(text, this.#route, this.#door.options);
      if (this.#isOver()) return;
      if (reply.length > 0) this.#stream.write(reply);
      this.#answered += 1;
      if (this.#answered >= requestsPerConnectionMax) return this.#finish();
    }
    if (this.#isWhole) return this.#finish();
    this.#state = "reading";
    this.#stream.resume();
    this.#wait();
  }

  /** The state as it is now; it changes while a reply is awaited. */
  #isOver(): boolean {
    return this.#state === "ended";
  }

  #finish(): void {
    const { clock, time } = this.#door.options;
    this.#state = "ended";
    this.#arm(clock.after(time.lingerMs, () => this.#stream.destroy()));
    this.#stream.resume();
    this.#stream.end();
  }

  /** Waits for more, as long as it makes sense for what is there. */
  #wait(): void {
    const { clock, time } = this.#door.options;
    const leftMs = time.requestMs - (clock.nowUs() - this.#startedUs) / 1000;
    const patienceMs = this.#patienceMs();
    const isLate = leftMs <= patienceMs;
    this.#arm(
      clock.after(Math.max(0, Math.min(leftMs, patienceMs)), () => {
        if (this.#text === "" && this.#answered === 0) this.#giveUp();
        else if (isLate) this.#giveUp();
        else this.#onEnd();
      }),
    );
  }

  #patienceMs(): number {
    const { time } = this.#door.options;
    if (this.#text === "") return this.#answered > 0 ? time.holdMs : time.silenceMs;
    const request = parseRequest(this.#text);
    const takesRest = request.kind === "request" && request.command.body === "rest";
    return takesRest ? time.bodyHoldMs : time.holdMs;
  }

  #giveUp(): void {
    const got = this.#text.length + this.#sniffed.length;
    if (got > 0) this.#note(`no whole request in time; closing after ${got} bytes`);
    this.dismiss();
  }

  #onClose(): void {
    this.#cancel();
    this.#state = "ended";
    this.#door.forget(this);
  }

  #arm(cancel: Cancel): void {
    this.#cancel();
    this.#cancel = cancel;
  }

  #note(text: string): void {
    this.#door.options.logger.log("info", `${this.#route.peerAddress}/tcp: ${text}`);
  }
}

function ignore(): void {}
