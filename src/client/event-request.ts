// SPDX-License-Identifier: MIT
// Sends an event to the scheduler of an experiment, and learns what becomes of it. [EMULAB-EVENTS
// 3] Owns the request's token and identity, what is awaited and for how long; does not own the
// connection (event-connection.ts), nor texts and exit codes (cli).
//
//   E1. The outcome is told once, and nothing of the request is left open then.
//   E2. The subscription is in force before the request is sent.
//   E3. A request ends by an authentic answer to its own identity, or an authentic completion of
//       its own token, and by no other: two requests for one object at one moment never meet.
//   E4. A request that nobody hears is not lost: the bus keeps it, and a scheduler that was away
//       for a moment takes it when it is back. So the wait for its answer goes on, and nobody is
//       told that nothing will come of it.
import { getArg, getIntegerArg, parseCompletionArgs } from "../wire/event/args.ts";
import {
  type Bus,
  BusError,
  type BusErrorCode,
  type BusPlace,
  type PlacedNotification,
  type Subscribed,
} from "../wire/event/bus.ts";
import {
  attributeNames,
  createNotification,
  getInt32,
  getText,
  int32Attribute,
  type Notification,
  textAttribute,
  toScheduleRequest,
} from "../wire/event/notification.ts";
import { isIgnored, orderAttributes } from "../wire/event/orders.ts";
import type { EventCredentials } from "./event-credentials.ts";
import { eventClientTime } from "./event-limits.ts";
import type { EventTime } from "./event-time.ts";
import type { ClientRuntime } from "./runtime.ts";

/** Muster's own attribute: the scheduler's answer to a request carries it again. */
export const requestAttribute = "MUSTER_REQUEST";

/** What the scheduler says of a request that asks. */
export const answerTypes = { accepted: "ACCEPTED", refused: "REFUSED" } as const;

export interface EventRequest {
  /** `pid/eid` */
  readonly experiment: string;
  readonly objname: string;
  /** What a scheduler is asked itself; of objects of the experiment it knows the type. */
  readonly objtype?: string;
  readonly eventtype: string;
  /** `""`: none. */
  readonly args: string;
  readonly at: EventTime;
  /** A timeline or sequence that the event is to become part of. */
  readonly timeline?: string;
}

export interface SendOptions {
  readonly bus: Bus;
  readonly request: EventRequest;
  readonly credentials: EventCredentials;
  readonly runtime: ClientRuntime;
  /** Address of this host. */
  readonly sender: string;
  /** Asks the scheduler what becomes of the event; without it nobody says. */
  readonly asks: boolean;
  /** Waits until the event is completed. */
  readonly waits: boolean;
  /** How long for the completion, from when it is sent; for ever when absent. */
  readonly timeoutMs?: number;
  /** @param answer what the scheduler has said, authentic */
  readonly onAccepted?: (
    token: number | undefined,
    answer: Notification,
    id: number | undefined,
  ) => void;
  /** E4: no scheduler listens; the answer is waited for up to `withinMs`. */
  readonly onAway?: (withinMs: number) => void;
  /** It is not completed after a while, `warnAfterMs`, and the wait goes on. */
  readonly onSlow?: () => void;
  /** Notifications were lost, and what is awaited may be among them. */
  readonly onGap?: () => void;
  readonly interrupt?: AbortSignal;
}

export type SendOutcome =
  /** Handed to the bus, and nothing more was wanted. */
  | { readonly kind: "published" }
  | {
      readonly kind: "accepted";
      readonly token: number | undefined;
      /**
       * Its number in lists, by which it can be cancelled; none for what became part of a timeline.
       */
      readonly id: number | undefined;
    }
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  /** Nobody on the bus listened to requests for the experiment, nor came in `withinMs` (E4). */
  | { readonly kind: "no-scheduler"; readonly withinMs: number }
  /** Somebody listens and says nothing: the event may fire or not. */
  | { readonly kind: "no-answer" }
  /** Nobody performs such an event here. */
  | { readonly kind: "ignored"; readonly why: string }
  /** `why` it failed, for people, when somebody said. */
  | { readonly kind: "completed"; readonly error: number; readonly why?: string }
  | { readonly kind: "timeout" }
  /** What the bus refuses (definite), or its loss (`unavailable`). */
  | { readonly kind: "failed"; readonly code: BusErrorCode; readonly message: string }
  | { readonly kind: "cancelled" };

const unanswered: SendOutcome = { kind: "no-answer" };

/** Sends the event and waits for what is wanted. Never rejects for what the bus does. */
export function sendEvent(options: SendOptions): Promise<SendOutcome> {
  return new Promise((resolve, reject) => {
    new Sending(options, resolve).start().catch(reject);
  });
}

class Sending {
  readonly #options: SendOptions;
  readonly #resolve: (outcome: SendOutcome) => void;
  readonly #id: string;
  readonly #token: number;
  readonly #cancels: (() => void)[] = [];
  #subscribed: Subscribed | undefined;
  #isAnswered = false;
  #isDone = false;

  constructor(options: SendOptions, resolve: (outcome: SendOutcome) => void) {
    this.#options = options;
    this.#resolve = resolve;
    const { randomBytes } = options.runtime;
    this.#id = [...randomBytes(16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.#token = newToken(randomBytes(4));
  }

  async start(): Promise<void> {
    const { interrupt, asks, waits, bus } = this.#options;
    if (interrupt?.aborted) {
      this.#finish({ kind: "cancelled" });
      return;
    }
    const onAbort = (): void => this.#finish({ kind: "cancelled" });
    interrupt?.addEventListener("abort", onAbort);
    this.#cancels.push(() => interrupt?.removeEventListener("abort", onAbort));
    try {
      if (asks || waits) await this.#subscribe(undefined);
      if (this.#isDone) return;
      const { matched } = await bus.publish(this.#notification());
      this.#onPublished(matched);
    } catch (error) {
      this.#fail(error);
    }
  }

  #onPublished(matched: number): void {
    const { asks, waits, timeoutMs, onSlow } = this.#options;
    if (this.#isDone) return;
    if (!asks && !waits) this.#finish({ kind: "published" });
    else {
      if (asks && !this.#isAnswered) this.#expectAnswer(matched > 0);
      if (waits && onSlow !== undefined) this.#after(eventClientTime.warnAfterMs, onSlow);
      if (waits && timeoutMs !== undefined) {
        this.#after(timeoutMs, () => this.#finish({ kind: "timeout" }));
      }
    }
  }

  #expectAnswer(isHeard: boolean): void {
    const { waits, timeoutMs, onAway } = this.#options;
    const { answerMs } = eventClientTime;
    const withinMs = isHeard || !waits ? answerMs : (timeoutMs ?? answerMs);
    const outcome = isHeard ? unanswered : ({ kind: "no-scheduler", withinMs } as const);
    if (!isHeard) onAway?.(withinMs);
    this.#after(withinMs, () => {
      if (!this.#isAnswered) this.#finish(outcome);
    });
  }

  #after(delayMs: number, callback: () => void): void {
    this.#cancels.push(this.#options.runtime.after(delayMs, callback));
  }

  async #subscribe(after: BusPlace | undefined): Promise<void> {
    const { bus, request, asks, waits, onGap } = this.#options;
    const { experiment: expt, objname } = request;
    const types = [
      ...(waits ? ["COMPLETE"] : []),
      ...(asks ? [answerTypes.accepted, answerTypes.refused] : []),
    ];
    const address = { expt, objname, eventtype: types.join(","), scheduler: 0 } as const;
    const place = after === undefined ? {} : { after };
    const subscribed = await bus.subscribe(
      { address, slow: "end", ...place },
      {
        onNotifications: (notifications) => this.#onNotifications(notifications),
        onGap: () => onGap?.(),
        onEnd: (_reason, end) => this.#onEnd(end),
      },
    );
    if (this.#isDone) subscribed.close();
    else this.#subscribed = subscribed;
  }

  /** Goes on where it ended. */
  #onEnd(place: BusPlace): void {
    this.#subscribed = undefined;
    if (!this.#isDone) this.#subscribe(place).catch((error: unknown) => this.#fail(error));
  }

  #onNotifications(notifications: readonly PlacedNotification[]): void {
    for (const { notification } of notifications) {
      if (this.#isDone) return;
      const isAnswer = getText(notification, requestAttribute) === this.#id;
      const completion = this.#completionIn(notification);
      if (!isAnswer && completion === undefined) continue;
      if (!this.#options.credentials.verify(notification)) continue;
      if (completion === undefined) this.#onAnswer(notification);
      else {
        const { error } = completion;
        const why = getText(notification, orderAttributes.outcome);
        if (error === 0 && why !== undefined && isIgnored(why)) {
          this.#finish({ kind: "ignored", why: why.replace("ignored: ", "") });
        } else this.#finish({ kind: "completed", error, ...(why === undefined ? {} : { why }) });
      }
    }
  }

  /** E3: what a COMPLETE says of the work that this request has caused. */
  #completionIn(notification: Notification): { readonly error: number } | undefined {
    if (getText(notification, attributeNames.eventtype) !== "COMPLETE") return undefined;
    const completion = parseCompletionArgs(getText(notification, attributeNames.args) ?? "");
    return completion?.token === this.#token ? completion : undefined;
  }

  #onAnswer(notification: Notification): void {
    const { waits, onAccepted } = this.#options;
    const type = getText(notification, attributeNames.eventtype);
    if (type === answerTypes.refused) {
      const args = getText(notification, attributeNames.args) ?? "";
      const code = getArg(args, "CODE") ?? "REFUSED";
      const message = getArg(args, "TEXT") ?? "it gives no reason; see its log";
      this.#finish({ kind: "refused", code, message });
    } else if (type === answerTypes.accepted && !this.#isAnswered) {
      this.#isAnswered = true;
      const token = getInt32(notification, attributeNames.token);
      const id = getIntegerArg(getText(notification, attributeNames.args) ?? "", "ID");
      onAccepted?.(token, notification, id);
      if (!waits) this.#finish({ kind: "accepted", token, id });
    }
  }

  #notification(): Notification {
    const { request, asks, waits, sender, credentials } = this.#options;
    const { experiment: expt, objname, objtype, eventtype, args, at, timeline } = request;
    const extra = [
      textAttribute(attributeNames.args, args),
      ...(waits ? [int32Attribute(attributeNames.token, this.#token)] : []),
      ...(asks ? [textAttribute(requestAttribute, this.#id)] : []),
    ];
    // The object's type and host are the scheduler's to fill in. [EMULAB-EVENTS 3]
    const address = {
      ...{ expt, objname, eventtype, scheduler: 1 as const },
      ...(objtype === undefined ? {} : { objtype }),
      ...(timeline === undefined ? {} : { timeline }),
    };
    const notification = createNotification(address, { sender, layout: "2011", extra });
    return credentials.sign(toScheduleRequest(notification, at));
  }

  #fail(error: unknown): void {
    if (!(error instanceof BusError)) throw error;
    this.#finish({ kind: "failed", code: error.code, message: error.message });
  }

  /** E1. */
  #finish(outcome: SendOutcome): void {
    if (this.#isDone) return;
    this.#isDone = true;
    for (const cancel of this.#cancels) cancel();
    this.#subscribed?.close();
    this.#resolve(outcome);
  }
}

/**
 * Positive, 31 bits, the highest of them set: a scheduler counts its own tokens from 0, and the
 * seconds that the old tevc took are the same for everybody who asks within one. [EMULAB-EVENTS
 * 9.4]
 */
function newToken([a = 0, b = 0, c = 0, d = 0]: Uint8Array): number {
  return 0x4000_0000 | ((a & 0x3f) << 24) | (b << 16) | (c << 8) | d;
}
