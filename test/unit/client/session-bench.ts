// SPDX-License-Identifier: MIT
// Sessions of the client library with a core under virtual time. Between them are WebSockets that
// deliver messages in order, late, and not at all when they are cut: what is on its way is lost.

import { connect } from "../../../src/client/connect.ts";
import type { ConnectOptions } from "../../../src/client/connect-options.ts";
import type { ClientPlatform, WebSocketLike } from "../../../src/client/platform.ts";
import type { Session } from "../../../src/client/session.ts";
import type { Command } from "../../../src/core/command.ts";
import type { Limits } from "../../../src/core/limits.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import type { Caller } from "../../../src/edges/http/access.ts";
import { type HttpBounds, resolveHttpBounds } from "../../../src/edges/http/bounds.ts";
import { createSessionEndpoint } from "../../../src/edges/http/session.ts";
import { SessionFeeds } from "../../../src/edges/http/session-feeds.ts";
import type { SocketHandler } from "../../../src/edges/http/socket.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { MemoryPayloads } from "../../../src/engine/payloads.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { DelayingLog, type LogFaults } from "../../../src/testing/delaying-log.ts";
import { DelayingPayloads } from "../../../src/testing/delaying-payloads.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

export interface SessionBenchOptions {
  readonly seed?: number;
  readonly limits?: Partial<Limits>;
  readonly caller?: Partial<Caller>;
  /** Messages take up to this long, milliseconds. */
  readonly delayMsMax?: number;
  /** Of the log under the host. */
  readonly faults?: Partial<LogFaults>;
  readonly bounds?: Partial<HttpBounds>;
  /** Messages take up to this long to be stored, milliseconds. */
  readonly storeMsMax?: number;
}

export class SessionBench {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: Random;
  readonly log: MemoryLog;
  /** Survive a restart, as the log does. */
  readonly payloads: MemoryPayloads = new MemoryPayloads();
  readonly sockets: VirtualSocket[] = [];
  readonly caller: Caller;
  /** What clients have sent, in order. */
  readonly sent: string[] = [];
  /** What they have heard. */
  readonly toClients: string[] = [];
  host: Host;
  #feeds: SessionFeeds;
  readonly #bounds: HttpBounds;
  /** The log as the host sees it. */
  faulty: DelayingLog;
  /** Where clients have called, in order. */
  readonly called: string[] = [];
  /** Nobody answers. */
  isDown = false;
  /** The next socket is cut after so many messages, both ways together. */
  nextMessagesLeft = Number.POSITIVE_INFINITY;
  /** What clocks of sessions that are opened next show beyond the true one. */
  clockOffsetUs = 0;
  readonly #options: SessionBenchOptions;
  readonly #limits: Limits;

  constructor(options: SessionBenchOptions = {}) {
    this.#options = options;
    this.random = new Random(options.seed ?? 1);
    this.#limits = resolveLimits(options.limits);
    this.log = new MemoryLog({ nowUs: () => this.clock.nowUs() });
    this.caller = {
      ...{ role: "driver", token: "t", account: "t", address: "10.0.0.1:1" },
      ...options.caller,
    };
    this.faulty = this.#createLog();
    this.#bounds = resolveHttpBounds(options.bounds);
    this.host = this.#createHost();
    this.#feeds = this.#createFeeds();
  }

  async start(): Promise<void> {
    const started = this.host.start();
    // More than the log takes to be read.
    await this.clock.pass(1_000_000);
    await started;
  }

  /** The server is killed, and another reads the same log. */
  async restart(): Promise<void> {
    this.host.abandon();
    this.isDown = true;
    this.cutAll();
    // What was on its way to the log arrives or does not; nothing of a dead process comes later.
    await this.clock.pass(1_000_000);
    this.faulty = this.#createLog();
    this.host = this.#createHost();
    this.#feeds = this.#createFeeds();
    await this.start();
    this.isDown = false;
  }

  cutAll(): void {
    for (const socket of this.sockets.splice(0)) socket.cut();
  }

  /** Opens a session; virtual time passes until it is in. */
  async session(
    options: Omit<ConnectOptions, "platform"> = {},
    urls: string | readonly string[] = "http://server",
  ): Promise<Session> {
    let session: Session | undefined;
    void this.refusal(options, urls).then((opened) => {
      session = opened;
    });
    for (let tries = 0; session === undefined; tries += 1) {
      if (tries === 1_000) throw new Error("no session came about");
      await this.clock.pass(10_000);
    }
    return session;
  }

  /** The attempt to open one. */
  refusal(
    options: Omit<ConnectOptions, "platform"> = {},
    urls: string | readonly string[] = "http://server",
  ): Promise<Session> {
    return connect(urls, { ...options, platform: this.#platform() });
  }

  /** Arrivals in the log, of batches that counted, as `barrier participant`. */
  async arrivals(): Promise<readonly string[]> {
    const counted = new Map<string, number>();
    const arrivals: string[] = [];
    const reader = this.log.read(1, (entries) => {
      for (const { edge, incarnation, number, commands } of entries.flatMap(
        ({ entry }) => entry.batches,
      )) {
        const key = `${edge} ${incarnation}`;
        if (number !== (counted.get(key) ?? 0) + 1) continue;
        counted.set(key, number);
        for (const command of commands) arrivals.push(...describeArrival(command));
      }
    });
    await this.clock.settle();
    reader.stop();
    return arrivals;
  }

  #createHost(): Host {
    const { clock, faulty: log, random } = this;
    const { storeMsMax: delayMsMax } = this.#options;
    const payloads =
      delayMsMax === undefined
        ? this.payloads
        : new DelayingPayloads({ inner: this.payloads, clock, random, delayMsMax });
    return new Host({ log, payloads, clock, limits: this.#limits, logger: silentLogger });
  }

  #createFeeds(): SessionFeeds {
    const { connectEdge: connect, topics } = this.host;
    return new SessionFeeds({ connect, edge: "feeds", topics, bounds: this.#bounds });
  }

  #createLog(): DelayingLog {
    const { clock, random } = this;
    const { faults = {} } = this.#options;
    return new DelayingLog({ inner: this.log, clock, random, faults });
  }

  #platform(): ClientPlatform {
    const { clock, random, clockOffsetUs } = this;
    return {
      nowUs: () => clock.nowUs() + clockOffsetUs,
      // Virtual timers are exact.
      spinUntil: () => undefined,
      wallMs: () => clock.wallMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      randomBytes: (count) => Uint8Array.from({ length: count }, () => random.below(256)),
      soon: (callback) => clock.endOfTurn(callback),
      openSocket: (url) => {
        this.called.push(new URL(url).host);
        return this.#open();
      },
    };
  }

  #open(): WebSocketLike {
    const { clock, random, host, caller } = this;
    const delayMsMax = this.#options.delayMsMax ?? 0;
    const socket = new VirtualSocket(clock, () => random.below(delayMsMax + 1));
    socket.messagesLeft = this.nextMessagesLeft;
    this.nextMessagesLeft = Number.POSITIVE_INFINITY;
    this.sockets.push(socket);
    socket.onHeard = (text) => this.toClients.push(text);
    const { send } = socket.client;
    socket.client.send = (text) => {
      this.sent.push(text);
      send(text);
    };
    if (this.isDown) {
      socket.cut();
      return socket.client;
    }
    const endpoint = createSessionEndpoint({
      ...{ host, bounds: this.#bounds, feeds: this.#feeds, logger: silentLogger },
      quota: { addSession: () => undefined },
      judge: () => undefined,
    });
    socket.serve((door) => endpoint.open(door, caller, new URLSearchParams()));
    return socket.client;
  }
}

function describeArrival(command: Command): readonly string[] {
  return "who" in command ? [`${command.barrier} ${command.who.name}`] : [];
}

type DoorEnd = Parameters<ReturnType<typeof createSessionEndpoint>["open"]>[0];

/** Two ends of a WebSocket. */
export class VirtualSocket {
  readonly client: WebSocketLike;
  messagesLeft = Number.POSITIVE_INFINITY;
  carried = 0;
  /** Nothing comes through, and nobody is told: as when a cable is pulled. */
  isMute = false;
  onHeard: (text: string) => void = () => undefined;
  readonly #clock: VirtualClock;
  readonly #delayMs: () => number;
  #handler: SocketHandler | undefined;
  #isOpen = false;
  #isCut = false;
  /** Messages arrive in order, whatever their delays. */
  readonly #lastDueUs = { toClient: 0, toServer: 0 };

  constructor(clock: VirtualClock, delayMs: () => number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.client = {
      ...{ onopen: null, onmessage: null, onclose: null, onerror: null },
      send: (text) => this.#carry("toServer", () => this.#handler?.onMessage(text)),
      close: () => this.cut(),
    };
  }

  serve(open: (door: DoorEnd) => SocketHandler): void {
    this.#carry("toClient", () => {
      this.#isOpen = true;
      const isOpen = (): boolean => this.#isOpen;
      this.#handler = open({
        get isOpen() {
          return isOpen();
        },
        queuedBytes: 0,
        send: (text) =>
          this.#carry("toClient", () => {
            this.onHeard(String(text));
            this.client.onmessage?.({ data: String(text) });
          }),
        setReading: () => undefined,
        end: (code, reason) => {
          this.#isOpen = false;
          this.#carry("toClient", () => this.#close(code, reason));
        },
        destroy: () => this.cut(),
      });
      this.client.onopen?.();
    });
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#isOpen = false;
    this.#clock.after(0, () => {
      this.#handler?.onClosed();
      this.client.onclose?.({ code: 1006, reason: "" });
    });
  }

  #close(code: number, reason: string): void {
    this.#isCut = true;
    this.#handler?.onClosed();
    this.client.onclose?.({ code, reason });
  }

  #carry(way: "toClient" | "toServer", deliver: () => void): void {
    if (this.#isCut || this.isMute) return;
    if (this.messagesLeft === 0) {
      this.cut();
      return;
    }
    this.messagesLeft -= 1;
    this.carried += 1;
    const dueUs = Math.max(this.#lastDueUs[way], this.#clock.elapsedUs + this.#delayMs() * 1000);
    this.#lastDueUs[way] = dueUs;
    this.#clock.after((dueUs - this.#clock.elapsedUs) / 1000, () => {
      if (!this.#isCut) deliver();
    });
  }
}
