// SPDX-License-Identifier: MIT
// A session: one client's attachment to a server, over connections that come and go. A session is
// an edge of the server's core (wire/link/edge-link.ts keeps what is sent and seen in order); its
// participants are that edge's connections.
//
//   Q1. Every wait ends: by an outcome, by a refusal, by its signal, or with the session.
//   Q2. What was sent into a lost connection counts once; what was told meanwhile is heard once.
//   Q3. A session whose connection is away for longer than its lease ends as `unavailable`: the
//       server has let its participants go, or will.
import type { BarrierPlace, ScopeDescription } from "../core/description.ts";
import type { EdgeEffect } from "../core/effect.ts";
import { DescribedPages } from "../wire/link/describe-pages.ts";
import { EdgeLink } from "../wire/link/edge-link.ts";
import type { CoreFrame, EdgeCommand, SessionGrant } from "../wire/link/frames.ts";
import {
  formatFrame,
  parseFrame,
  sessionProtocol,
  tokenProtocolPrefix,
} from "../wire/link/frames.ts";
import type { Action } from "../wire/link/roles.ts";
import { mayDo } from "../wire/link/roles.ts";
import { checkErrorNumber } from "./check-arguments.ts";
import { CommonClock } from "./common-clock.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { type ConnectionFailure, describeFailure } from "./connection-failure.ts";
import { CountBarrier } from "./count-barrier.ts";
import { Counter } from "./counter.ts";
import { Election } from "./election.ts";
import { Latch } from "./latch.ts";
import { Liveness } from "./liveness.ts";
import { MusterError, type MusterErrorCode } from "./muster-error.ts";
import { Peers } from "./peers.ts";
import type { ClientPlatform, WebSocketLike } from "./platform.ts";
import { QuorumBarrier } from "./quorum-barrier.ts";
import type { Requester, Settle } from "./requester.ts";
import { RosterBarrier } from "./roster-barrier.ts";
import { sessionTime } from "./session-time.ts";
import { StateBarrier } from "./state-barrier.ts";
import { Topic } from "./topic.ts";
import {
  type SubscribeOptions,
  Subscriptions,
  type TopicSubscription,
} from "./topic-subscription.ts";

export type SessionOptions = ConnectOptions & { readonly platform: ClientPlatform };

const limits = {
  mailboxCommandsMax: 262_144,
  entryCommandsMax: 1_024,
  // A frame of the server's default size has room for a batch whose every character is quoted.
  batchTextMax: 3 * 1024 * 1024,
  mailboxTextMax: 64 * 1024 * 1024,
};
/** The scope of a session that names none, as at the other doors. */
const defaultScope = "default";

export class Session implements Requester, AsyncDisposable {
  /** Settled when the server has let the session in, or will not. */
  readonly ready: Promise<void>;
  /** Of servers of one log, any of which will do. */
  readonly #urls: readonly string[];
  /** The one of them that is called, or called next. */
  #turn = 0;
  readonly #options: SessionOptions;
  readonly #leaseMs: number;
  readonly #link: EdgeLink;
  readonly #pending = new Map<number, Settle>();
  /** How orders that are not in the log yet learn that they will not be known to be (Q1). */
  readonly #orders = new Set<(error: unknown) => void>();
  readonly #subscriptions: Subscriptions;
  #grant: SessionGrant | undefined;
  #socket: WebSocketLike | undefined;
  #commonClock: CommonClock | undefined;
  #lastFailure: ConnectionFailure | undefined;
  #pauseMs: number = sessionTime.firstPauseMs;
  #cancelRetry: () => void = () => undefined;
  #cancelLease: () => void = () => undefined;
  #cancelMove: () => void = () => undefined;
  readonly #liveness: Liveness;
  #lastConnection = 0;
  #isFlushDue = false;
  #error: MusterError | undefined;
  #settleReady: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #resolveClosed: () => void = () => undefined;
  #closing: Promise<void> | undefined;
  readonly #onAbort = (): void => this.#abort(this.#options.signal?.reason);

  /** Use `connect`. @param urls of the session endpoints of servers of one log, at least one. */
  constructor(urls: readonly string[], options: SessionOptions) {
    this.#urls = urls;
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? sessionTime.leaseMs;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    this.ready.catch(() => undefined);
    const { platform, signal } = options;
    this.#subscriptions = new Subscriptions((frame) => this.#link.sayOfFeed(frame), platform.after);
    this.#liveness = new Liveness({
      platform,
      isNeeded: () => this.#isAwaited,
      ask: () => this.#link.askClock(() => undefined),
      onSilent: () => this.#moveOn(),
    });
    this.#link = new EdgeLink({
      edge: hex(platform.randomBytes(16)),
      incarnation: incarnationOf(platform.randomBytes(6)),
      scope: options.scope,
      limits,
      leaseUs: Math.round(this.#leaseMs * 1000),
      onWork: () => this.#scheduleFlush(),
      onEffects: (effects) => {
        for (const effect of effects) this.#onEffect(effect);
      },
      onUp: (_isFirst, grant) => this.#onUp(grant),
      onFeed: (frame) => this.#subscriptions.receive(frame),
      onLogAway: (isAway) => this.#onLogAway(isAway),
      onEnd: (reason) => this.#onLinkEnd(reason),
    });
    signal?.addEventListener("abort", this.#onAbort);
    this.#open();
  }

  /** The name space of this session's barriers. */
  get scope(): string {
    return this.#options.scope ?? this.#grant?.scope ?? defaultScope;
  }

  /** Why the last attempt to connect failed, as far as the platform says it. */
  get lastFailure(): string | undefined {
    return this.#lastFailure?.text;
  }

  /** Who answered then, if anybody. */
  get answeredBy(): ConnectionFailure["by"] {
    return this.#lastFailure?.by;
  }

  /** What the session's token lets it do. */
  get role(): SessionGrant["role"] | undefined {
    return this.#grant?.role;
  }

  /** A barrier at which as many meet as were asked for. */
  countBarrier(name: string): CountBarrier {
    return new CountBarrier(this, name);
  }

  /** A counter of signals, and waits for values of it. */
  stateBarrier(name: string): StateBarrier {
    return new StateBarrier(this, name);
  }

  /** A barrier that some of the peers have to reach, and that a driver watches. */
  quorumBarrier(name: string): QuorumBarrier {
    return new QuorumBarrier(this, name);
  }

  /** A barrier for participants with names, in phases. */
  rosterBarrier(name: string): RosterBarrier {
    return new RosterBarrier(this, name);
  }

  /** Messages in one order for everybody, kept until the scope ends. */
  topic<Message = unknown>(name: string): Topic<Message> {
    return new Topic<Message>(this, name);
  }

  /** Opens when `count` have counted down. @throws MusterError (invalid) */
  latch(name: string, count: number): Latch {
    return new Latch(this, name, count);
  }

  /** Gives numbers, each once. */
  counter(name: string): Counter {
    return new Counter(this, name);
  }

  /** Of all who stand for it, one leads at a time. */
  election(name: string): Election {
    return new Election(this, name);
  }

  /** The peers of the scope, of which quorums are a part. */
  get peers(): Peers {
    return new Peers(this);
  }

  /**
   * Ends every barrier of the scope; who waits gets `cancelled` and this error number. Resolves
   * when the server has it in its log. @throws MusterError
   */
  async cancelAll(error = 0): Promise<void> {
    checkErrorNumber(error);
    await this.order("cancel", { kind: "cancel-all", scope: this.scope, error });
  }

  /** The state of the scope, or of one barrier. @throws MusterError while the connection is lost */
  async describe(barrier?: string): Promise<ScopeDescription> {
    const pages = new DescribedPages();
    do pages.add(await this.#describe(barrier, pages.next));
    while (pages.next !== undefined);
    return pages.whole;
  }

  #describe(barrier?: string, after?: BarrierPlace): Promise<ScopeDescription> {
    const { scope } = this;
    return new Promise((resolve, reject) => {
      this.#link.describe({ scope, barrier, ...(after && { after }) }, (description) => {
        if (description !== undefined) resolve(description);
        else reject(this.#error ?? new MusterError("unavailable", "the connection is lost"));
      });
    });
  }

  /** Ends the session: its participants leave. Waits a bounded time for the server's word. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#link.hasEnded) return;
    const { platform } = this.#options;
    const closed = new Promise<void>((resolve) => {
      this.#resolveClosed = resolve;
    });
    const cancel = platform.after(sessionTime.closeMs, () => this.abandon());
    this.#link.close();
    await closed;
    cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Lets go at once; the server learns by the lease that the session is gone. */
  abandon(): void {
    this.#end(new MusterError("ended", "the session was abandoned"));
  }

  /** The signal: whoever waits hears its reason, and the session ends in order. */
  #abort(reason: unknown): void {
    if (this.#settleReady !== undefined) {
      this.#end(reason);
      return;
    }
    this.#failPending(reason);
    void this.close();
  }

  /** For the handles of barriers: sends a request of one participant. @returns its connection. */
  request(action: Action, build: (connection: number) => EdgeCommand, settle: Settle): number {
    this.#require(action);
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    this.#submit(build(connection));
    this.#pending.set(connection, settle);
    // Whoever asks hears it as those do who asked before.
    if (this.#link.isLogAway) this.#options.platform.soon(() => settle.suspended());
    return connection;
  }

  /** For the handles of barriers: the participant leaves; nothing is told of it any more. */
  leave(connection: number): void {
    if (this.#pending.delete(connection)) this.#link.leave(connection);
  }

  /** How a participant without a name of its own is called. */
  get participantName(): string | undefined {
    return this.#options.name;
  }

  /** The clock by which parties go on together. */
  get commonClock(): CommonClock {
    this.#commonClock ??= new CommonClock(this.platform, (answer) => this.#link.askClock(answer));
    return this.#commonClock;
  }

  /** For the handles of barriers. */
  get platform(): ClientPlatform {
    return this.#options.platform;
  }

  /** For the handles of topics. @throws MusterError */
  subscribe(topic: string, options: SubscribeOptions): TopicSubscription {
    this.#require("listen");
    return this.#subscriptions.open(this.scope, topic, options);
  }

  /** For the handles: a command that is not answered; it is over when it is in the log. */
  order(action: Action, command: EdgeCommand): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#require(action);
      this.#submit(command);
      this.#orders.add(reject);
      this.#link.whenTaken(() => {
        this.#orders.delete(reject);
        resolve();
      });
    });
  }

  #require(action: Action): void {
    if (this.#error !== undefined) throw this.#error;
    const role = this.#grant?.role;
    if (role === undefined || mayDo(role, action)) return;
    const message = `a token of role ${role} may not do this (${action}); make one that may with: muster token create`;
    throw new MusterError("forbidden", message);
  }

  #submit(command: EdgeCommand): void {
    if (this.#link.submit(command)) return;
    if (this.#link.hasEnded) throw this.#error ?? new MusterError("ended", "the session is closed");
    const { mailboxCommandsMax, mailboxTextMax } = limits;
    const what = `${mailboxCommandsMax} requests, or ${mailboxTextMax} characters of messages,`;
    const message = `${what} are on their way at most; wait for some of them`;
    throw new MusterError("limit", message);
  }

  #open(): void {
    const { platform, token } = this.#options;
    const offered = token === undefined ? [] : [`${tokenProtocolPrefix}${token}`];
    const socket = platform.openSocket(this.#url, [sessionProtocol, ...offered]);
    this.#socket = socket;
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      this.#link.connected((frame) => socket.send(formatFrame(frame)));
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#onMessage(data);
    };
    socket.onerror = (event) => {
      if (socket === this.#socket) this.#onFailure(describeFailure(event));
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#onClose(code, reason);
    };
  }

  get #url(): string {
    return this.#urls[this.#turn % this.#urls.length] ?? "";
  }

  /** The close that follows tries again; of no use for who was never let in, if it is TLS. */
  #onFailure(failure: ConnectionFailure | undefined): void {
    this.#lastFailure = failure;
    if (failure?.isFinal !== true || this.#settleReady === undefined) return;
    if (this.#urls.length > 1) return;
    this.#end(new MusterError("unavailable", `no connection to ${this.#url}: ${failure.text}`));
  }

  /** Whether somebody waits for a word of the server. */
  get #isAwaited(): boolean {
    const isAwaited = this.#pending.size + this.#orders.size > 0 || this.#link.isAsked;
    return isAwaited || this.#subscriptions.hasAny;
  }

  /**
   * The server is of no use now: as if its connection were lost, so that the next one is called.
   */
  #moveOn(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#onClose(1000, "");
    socket.close();
  }

  #onMessage(data: unknown): void {
    this.#liveness.heard();
    try {
      this.#link.receive(parseFrame(String(data)) as CoreFrame);
    } catch (error) {
      this.#end(new MusterError("invalid", `the server sent what is no frame: ${String(error)}`));
    }
  }

  #onUp(grant: SessionGrant | undefined): void {
    this.#grant = grant;
    this.#cancelLease();
    this.#commonClock?.forget();
    this.#pauseMs = sessionTime.firstPauseMs;
    this.#liveness.begin();
    const ready = this.#settleReady;
    this.#settleReady = undefined;
    const { scope } = this.#options;
    if (grant?.scope !== undefined && scope !== undefined && scope !== grant.scope) {
      const message = `the token is for scope ${grant.scope}, not for ${scope}`;
      this.#end(new MusterError("forbidden", message), ready?.reject);
      return;
    }
    this.#subscriptions.up();
    if (ready === undefined) this.#options.onLink?.(true);
    else ready.resolve();
  }

  #onClose(code: number, reason: string): void {
    this.#socket = undefined;
    this.#liveness.end();
    this.#cancelMove();
    const wasUp = this.#link.disconnected();
    this.#subscriptions.down();
    if (this.#link.hasEnded) return;
    const final = finalCodes.get(code);
    if (final !== undefined) {
      this.#end(new MusterError(final, reason === "" ? `closed with code ${code}` : reason));
      return;
    }
    const { platform, onLink } = this.#options;
    this.#turn += 1;
    if (wasUp) {
      // The server's lease runs from when it notices; ours, from here, is never the longer one by
      // more than that.
      this.#cancelLease = platform.after(this.#leaseMs, () => this.#onLeaseOver());
      onLink?.(false);
    }
    const [jitter = 0] = platform.randomBytes(1);
    this.#cancelRetry = platform.after(this.#pauseMs * (0.5 + jitter / 512), () => this.#open());
    this.#pauseMs = Math.min(this.#pauseMs * 2, sessionTime.pauseMsMax);
  }

  /** Q3. */
  #onLeaseOver(): void {
    const message = `the server was away for longer than the lease (${this.#leaseMs} ms); open a new session`;
    this.#end(new MusterError("unavailable", message));
  }

  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "released":
        for (const connection of effect.connections) this.#take(connection)?.released(effect);
        return;
      case "acknowledged":
        this.#take(effect.connection)?.acknowledged();
        return;
      case "signalled": {
        const { connection, value } = effect;
        if (this.#pending.get(connection)?.signalled(value) === true) this.#take(connection);
        return;
      }
      case "published": {
        const { connection, number } = effect;
        if (this.#pending.get(connection)?.published(number) === true) this.#take(connection);
        return;
      }
      case "quorum-status": {
        const { connection } = effect;
        if (this.#pending.get(connection)?.statusChanged(effect) === true) this.#take(connection);
        return;
      }
      case "refused":
        this.#take(effect.connection)?.refused(new MusterError(effect.code, effect.message));
        return;
      default:
        return; // The link tells of its end; the rest is of agendas, of which a session has none.
    }
  }

  #take(connection: number): Settle | undefined {
    const settle = this.#pending.get(connection);
    this.#pending.delete(connection);
    return settle;
  }

  #scheduleFlush(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.platform.soon(() => {
      this.#isFlushDue = false;
      this.#link.flush();
    });
  }

  /** The link says that it is over: because `close` asked, or because the server says so. */
  #onLinkEnd(reason: string | undefined): void {
    this.#end(new MusterError("ended", reason ?? "the session is closed"));
  }

  /** D10. Other servers of the log may reach it where this one is cut off. */
  #onLogAway(isAway: boolean): void {
    this.#cancelMove();
    if (!isAway) return;
    if (this.#urls.length > 1) {
      const { platform } = this.#options;
      this.#cancelMove = platform.after(sessionTime.logAwayMs, () => this.#moveOn());
    }
    for (const settle of [...this.#pending.values()]) settle.suspended();
  }

  #failPending(error: unknown): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const settle of pending) settle.refused(error);
    for (const reject of this.#orders) reject(error);
    this.#orders.clear();
  }

  #end(cause: unknown, rejectReady = this.#settleReady?.reject): void {
    if (this.#error !== undefined) return;
    const error = cause instanceof MusterError ? cause : new MusterError("ended", String(cause));
    this.#error = error;
    const wasAsked = this.#link.isClosing;
    this.#link.abandon();
    this.#cancelRetry();
    this.#cancelLease();
    this.#cancelMove();
    this.#liveness.end();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    rejectReady?.(cause);
    this.#failPending(error);
    this.#subscriptions.end(error);
    this.#resolveClosed();
    if (!wasAsked && rejectReady === undefined) this.#options.onEnd?.(error);
  }
}

/** Close codes after which coming back is of no use. */
const finalCodes: ReadonlyMap<number, MusterErrorCode> = new Map([
  [1002, "invalid"],
  [1003, "invalid"],
  [1007, "invalid"],
  [1009, "limit"],
  [4400, "invalid"],
  [4401, "unauthorized"],
  [4403, "forbidden"],
]);

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Positive, below 2^48. */
function incarnationOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0) + 1;
}
