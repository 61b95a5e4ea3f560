// SPDX-License-Identifier: MIT
// The edge's end of a link to its core, without the transport: what is said when, what is sent
// again, what has been seen. Serves edges behind a UNIX socket (host/remote-link.ts) and sessions
// over a WebSocket (client/session.ts); opening, reopening and timing are theirs.
//
//   K1. Commands reach the log in the order of `submit`, each once, also over a link that was cut:
//       what is not acknowledged is sent again, and the core takes each number once.
//   K2. Effects are handed on in log order, each once: what comes again is dropped.
//   K4. After `onEnd` nothing is sent or handed on any more.
//   K5. A question is answered once: by `undefined` when the link is lost or over before that.
import type { ConnectionId } from "../../core/command.ts";
import type { BarrierPageAsk, EventPage, ScopeDescription } from "../../core/description.ts";
import type { EdgeEffect } from "../../core/effect.ts";
import { EdgeOutbox, type OutboxLimits } from "./edge-outbox.ts";
import type {
  CoreFrame,
  EdgeCommand,
  EdgeFrame,
  EffectsFrame,
  FeedFrame,
  HelloFrame,
  SessionGrant,
  SubscriptionFrame,
} from "./frames.ts";
import { linkFormat } from "./frames.ts";

export interface EdgeLinkOptions {
  /** What the edge calls itself. */
  readonly edge: string;
  readonly incarnation: number;
  /** Which scope it has come for, where that decides in which log it lives. */
  readonly scope?: string | undefined;
  readonly limits: OutboxLimits;
  readonly secret?: string;
  /**
   * How long the core keeps the edge after its link is lost; the core's own measure when absent.
   */
  readonly leaseUs?: number;
  /** Something is to be sent: call `flush` when this turn is over. */
  readonly onWork: () => void;
  readonly onEffects: (effects: readonly EdgeEffect[]) => void;
  readonly onRoom?: () => void;
  /** The core has let this edge in, at first and after each loss. */
  readonly onUp?: (isFirst: boolean, grant: SessionGrant | undefined) => void;
  /** Of a session's subscriptions. */
  readonly onFeed?: (frame: FeedFrame) => void;
  /** The core's log takes nothing, or does again (D10). */
  readonly onLogAway?: (isAway: boolean) => void;
  /** It is over for good; `reason` is undefined when `close` asked for it. */
  readonly onEnd: (reason: string | undefined) => void;
}

/** What is asked for; of one barrier the rest says nothing. */
export interface DescribeAsk extends BarrierPageAsk {
  readonly scope: string;
  readonly barrier?: string | undefined;
}

type Answer = (description: ScopeDescription | undefined) => void;
type ClockAnswer = (us: number | undefined) => void;
type PageAnswer = (page: EventPage | undefined) => void;

export class EdgeLink {
  readonly #options: EdgeLinkOptions;
  readonly #outbox: EdgeOutbox<EdgeCommand>;
  readonly #questions = new Map<number, Answer>();
  readonly #clocks = new Map<number, ClockAnswer>();
  readonly #listings = new Map<number, PageAnswer>();
  /** Who wants to know when so many commands are in the log; in that order. */
  readonly #awaited: { readonly commands: number; readonly onTaken: () => void }[] = [];
  #send: ((frame: EdgeFrame) => void) | undefined;
  #isWelcome = false;
  #wasUp = false;
  #seen = 0;
  #acknowledged = 0;
  #lastQuestion = 0;
  #isClosing = false;
  #isLogAway = false;
  #hasEnded = false;

  constructor(options: EdgeLinkOptions) {
    this.#options = options;
    const { edge, incarnation, limits } = options;
    this.#outbox = new EdgeOutbox(edge, incarnation, limits, () => this.#wake());
    this.#submitAttach();
  }

  /** Whether the core has let this edge in over the present transport. */
  get isUp(): boolean {
    return this.#isWelcome;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether the core has said that its log takes nothing. */
  get isLogAway(): boolean {
    return this.#isLogAway;
  }

  /** Whether something was asked that is not answered yet. */
  get isAsked(): boolean {
    return this.#questions.size + this.#listings.size + this.#clocks.size > 0;
  }

  /** Whether `close` was called. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Queues a command. False: there is no room, or the link is closing. */
  submit(command: EdgeCommand): boolean {
    return !this.#hasEnded && !this.#isClosing && this.#outbox.submit(command);
  }

  /**
   * Takes an arrival back, also when there is no room: it has been taken once, so that no more
   * leave than have come.
   */
  leave(connection: ConnectionId): void {
    if (this.#hasEnded || this.#isClosing) return;
    this.#outbox.submitAlways({ kind: "leave", connection });
  }

  /** Calls back once everything submitted so far is in the log; never, when the link ends first. */
  whenTaken(onTaken: () => void): void {
    this.#awaited.push({ commands: this.#outbox.done + this.#outbox.depth, onTaken });
  }

  /** Asks for a description; the answer is undefined when the link goes down before it comes. */
  describe({ scope, barrier, after, max }: DescribeAsk, answer: Answer): void {
    if (!this.#isWelcome) {
      answer(undefined);
      return;
    }
    this.#lastQuestion += 1;
    const id = this.#lastQuestion;
    this.#questions.set(id, answer);
    this.#send?.({
      ...{ kind: "describe", id, scope },
      ...(barrier === undefined ? {} : { barrier }),
      ...(after === undefined ? {} : { after }),
      ...(max === undefined ? {} : { max }),
    });
  }

  /** Asks what the core's clock says; the answer is undefined when the link goes down before. */
  askClock(answer: ClockAnswer): void {
    if (!this.#isWelcome) {
      answer(undefined);
      return;
    }
    this.#lastQuestion += 1;
    this.#clocks.set(this.#lastQuestion, answer);
    this.#send?.({ kind: "clock", id: this.#lastQuestion });
  }

  /** Says something of a subscription, if the link is up: the next link knows of none. */
  sayOfFeed(frame: SubscriptionFrame): void {
    if (this.#isWelcome) this.#send?.(frame);
  }

  /** Asks for a page of events; the answer is undefined when the link goes down before it comes. */
  listEvents(scope: string, after: number, answer: PageAnswer): void {
    if (!this.#isWelcome) {
      answer(undefined);
      return;
    }
    this.#lastQuestion += 1;
    const id = this.#lastQuestion;
    this.#listings.set(id, answer);
    this.#send?.({ kind: "list-events", id, scope, after });
  }

  /** Ends the edge in order: its participants leave, then `onEnd` is called. */
  close(): void {
    if (this.#hasEnded || this.#isClosing) return;
    this.#isClosing = true;
    this.#outbox.submitAlways({ kind: "end-edge" });
  }

  /**
   * Ends this end without a word: the core decides by the lease. `onEnd` is not called. Whoever has
   * asked something is told that there is no answer (K5): the transport may go without a word.
   */
  abandon(): void {
    this.#hasEnded = true;
    this.#isWelcome = false;
    this.#send = undefined;
    this.#answerNone();
  }

  /**
   * A transport is there; `send` must take frames until `disconnected`.
   * @param proof answers the core's challenge, where there was one
   */
  connected(
    send: (frame: EdgeFrame) => void,
    proof: Pick<HelloFrame, "nonce" | "proof"> = {},
  ): void {
    if (this.#hasEnded) return;
    this.#send = send;
    const { edge, incarnation, scope, secret } = this.#options;
    const [acknowledged, seen] = [this.#acknowledged, this.#seen];
    const hello = { format: linkFormat, edge, incarnation, acknowledged, seen };
    send({
      ...{ kind: "hello", ...hello },
      ...(scope === undefined ? {} : { scope }),
      ...(secret === undefined ? {} : { secret }),
      ...proof,
    });
  }

  /** The transport is gone. @returns whether the edge was in. */
  disconnected(): boolean {
    const wasUp = this.#isWelcome;
    this.#send = undefined;
    this.#isWelcome = false;
    this.#answerNone();
    // A link that was cut may come back and take the end of this edge; a core that is away decides
    // by the lease.
    if (this.#isClosing && !wasUp) this.#end(undefined);
    return wasUp;
  }

  receive(frame: CoreFrame): void {
    if (this.#hasEnded || this.#send === undefined) return;
    switch (frame.kind) {
      case "welcome":
        this.#onWelcome(frame.lastBatch, frame.grant);
        return;
      case "applied":
        this.#onApplied(frame.number);
        return;
      case "effects":
        this.#onEffects(frame);
        return;
      case "description": {
        const answer = this.#questions.get(frame.id);
        this.#questions.delete(frame.id);
        answer?.(frame.description);
        return;
      }
      case "clock": {
        const answer = this.#clocks.get(frame.id);
        this.#clocks.delete(frame.id);
        answer?.(frame.us);
        return;
      }
      case "events": {
        const answer = this.#listings.get(frame.id);
        this.#listings.delete(frame.id);
        answer?.(frame.page);
        return;
      }
      case "subscribed":
      case "messages":
      case "unsubscribed":
        this.#options.onFeed?.(frame);
        return;
      case "log":
        this.#setLogAway(frame.isAway);
        return;
      case "challenge":
        return; // Answered below the link, by whoever opens the transport.
      case "closed":
        if (!frame.mayReturn) this.#end(frame.reason);
        return;
    }
  }

  /** Sends what has been queued in this turn. */
  flush(): void {
    if (!this.#isWelcome) return;
    for (let batch = this.#outbox.take(); batch !== undefined; batch = this.#outbox.take()) {
      this.#sendBatch(batch);
    }
  }

  #onWelcome(lastBatch: number, grant: SessionGrant | undefined): void {
    this.#isWelcome = true;
    // A core whose log is away says so after its welcome.
    this.#setLogAway(false);
    this.#onApplied(lastBatch);
    for (const batch of this.#outbox.unacknowledged()) this.#sendBatch(batch);
    // The lease may be running: the core must learn that the edge is back.
    if (this.#wasUp) this.#submitAttach();
    this.#wake();
    const isFirst = !this.#wasUp;
    this.#wasUp = true;
    this.#options.onUp?.(isFirst, grant);
  }

  #setLogAway(isAway: boolean): void {
    if (this.#isLogAway === isAway) return;
    this.#isLogAway = isAway;
    this.#options.onLogAway?.(isAway);
  }

  #onApplied(number: number): void {
    if (number > this.#acknowledged) this.#acknowledged = number;
    if (this.#outbox.acknowledge(number)) this.#options.onRoom?.();
    while (this.#awaited[0] !== undefined && this.#awaited[0].commands <= this.#outbox.done) {
      this.#awaited.shift()?.onTaken();
    }
    this.#wake();
  }

  #onEffects({ sequence, effects }: EffectsFrame): void {
    if (sequence <= this.#seen) return;
    this.#seen = sequence;
    this.#send?.({ kind: "seen", sequence });
    const rest = effects.filter(({ kind }) => kind !== "revoked");
    if (rest.length > 0) this.#options.onEffects(rest);
    if (rest.length < effects.length) this.#end("the core ended this edge's incarnation");
  }

  #submitAttach(): void {
    const { leaseUs } = this.#options;
    this.#outbox.submitAlways({ kind: "attach", ...(leaseUs === undefined ? {} : { leaseUs }) });
  }

  /** K5. */
  #answerNone(): void {
    for (const asked of [this.#questions, this.#listings, this.#clocks]) {
      const answers = [...asked.values()];
      asked.clear();
      for (const answer of answers) answer(undefined);
    }
  }

  #wake(): void {
    if (this.#isWelcome && this.#outbox.hasQueued) this.#options.onWork();
  }

  #sendBatch({ number, commands }: { number: number; commands: readonly EdgeCommand[] }): void {
    this.#send?.({ kind: "batch", number, commands });
  }

  #end(reason: string | undefined): void {
    if (this.#hasEnded) return;
    this.abandon();
    this.#options.onEnd(this.#isClosing ? undefined : reason);
  }
}
