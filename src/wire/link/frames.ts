// SPDX-License-Identifier: MIT
// Frames between an edge and its core when they are not one process: JSON objects, carried a line
// each by a UNIX socket, or a message each by a WebSocket (there the edge is a session of the
// client library). Which of them an edge may send is checked in host/check-frame.ts.
import type { ErrorCode } from "../../core/code.ts";
import type { Command, PublishedArrival } from "../../core/command.ts";
import type { BarrierPageAsk, EventPage, ScopeDescription } from "../../core/description.ts";
import type { EdgeEffect } from "../../core/effect.ts";
import type { Role } from "./roles.ts";

/** Raised when a frame changes its meaning; a core turns away who speaks another format. */
export const linkFormat = 2;
/** What a client offers first when it opens a WebSocket for a session. */
export const sessionProtocol = "muster.session.2";
/** It offers its token as a second protocol, which begins so: a page cannot send headers. */
export const tokenProtocolPrefix = "muster.token.";

/** The first frame of a link. `seen` is the sequence up to which the edge has the effects. */
export interface HelloFrame {
  readonly kind: "hello";
  readonly format: number;
  /** What the edge calls itself; the core may know it by a longer name. */
  readonly edge: string;
  readonly incarnation: number;
  /** Number of the last batch that the edge knows to be in the log. */
  readonly acknowledged: number;
  readonly seen: number;
  /** What a session has come for: it lives in the log of that scope. */
  readonly scope?: string;
  /** Of a link over a UNIX socket; a session has shown a token before its first frame. */
  readonly secret?: string;
  /** In place of it, after a challenge: what the edge has drawn, and its proof. */
  readonly nonce?: string;
  readonly proof?: string;
}

/** The first frame of a core that wants a proof of the key; the edge's hello comes after it. */
export interface ChallengeFrame {
  readonly kind: "challenge";
  readonly nonce: string;
}

/**
 * What a session says to add a message to a topic. The door stores the message and puts a `publish`
 * in the place of this: where a message lies is not the session's to say (D11).
 */
export interface TopicPublish {
  readonly kind: "topic-publish";
  readonly scope: string;
  readonly topic: string;
  readonly connection: number;
  /** JSON, as text: what is published is what everybody gets, to the byte. */
  readonly message: string;
  readonly arrival?: PublishedArrival;
}

/** What an edge may put into a batch. */
export type EdgeCommand = Command | TopicPublish;

/** Numbers count from 1 within an incarnation; a number that comes again is ignored (E2). */
export interface BatchFrame {
  readonly kind: "batch";
  readonly number: number;
  readonly commands: readonly EdgeCommand[];
}

/**
 * Of a session: wants the messages of a topic behind number `after`, or those that come from now
 * on. Answered by `subscribed`, then `messages`; a subscription ends with its connection.
 */
export interface SubscribeFrame {
  readonly kind: "subscribe";
  /** Chosen by the session, anew for each. */
  readonly id: number;
  readonly scope: string;
  readonly topic: string;
  readonly after?: number;
}

/** Messages up to `number` are done with: the door sends so much more. */
export interface TakenFrame {
  readonly kind: "taken";
  readonly id: number;
  readonly number: number;
}

export interface UnsubscribeFrame {
  readonly kind: "unsubscribe";
  readonly id: number;
}

/** About subscriptions; nothing of them is in the log. */
export type SubscriptionFrame = SubscribeFrame | TakenFrame | UnsubscribeFrame;

/** Asks for one barrier, or for a page of those that are open. */
export interface DescribeFrame extends BarrierPageAsk {
  readonly kind: "describe";
  readonly id: number;
  readonly scope: string;
  readonly barrier?: string;
}

/** Asks what the clock says that stamps the log. */
export interface ClockFrame {
  readonly kind: "clock";
  readonly id: number;
}

/** Asks for a page of the events of a scope. */
export interface ListEventsFrame {
  readonly kind: "list-events";
  readonly id: number;
  readonly scope: string;
  readonly after: number;
}

/** From the edge. */
export type EdgeFrame =
  | HelloFrame
  | BatchFrame
  | { readonly kind: "seen"; readonly sequence: number }
  | DescribeFrame
  | ClockFrame
  | ListEventsFrame
  | SubscriptionFrame;

/** What a token lets a session do. */
export interface SessionGrant {
  readonly role: Role;
  /** The one scope it may use; absent for any. */
  readonly scope?: string;
}

export interface EffectsFrame {
  readonly kind: "effects";
  readonly sequence: number;
  readonly effects: readonly EdgeEffect[];
}

/** Of a subscription, to its session. */
export type FeedFrame =
  /** It is there; `after` is the number behind which its messages begin. */
  | { readonly kind: "subscribed"; readonly id: number; readonly after: number }
  /** The messages behind number `after`, JSON as text each, in order and without a gap. */
  | {
      readonly kind: "messages";
      readonly id: number;
      readonly after: number;
      readonly messages: readonly string[];
    }
  /** It was refused, or has ended: nothing follows. */
  | {
      readonly kind: "unsubscribed";
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
    };
export interface WelcomeFrame {
  readonly kind: "welcome";
  readonly lastBatch: number;
  readonly grant?: SessionGrant;
  /** After a challenge: the core has the key, too. */
  readonly proof?: string;
}

/** From the core. */
export type CoreFrame =
  | ChallengeFrame
  | WelcomeFrame
  | { readonly kind: "applied"; readonly number: number }
  | EffectsFrame
  | { readonly kind: "description"; readonly id: number; readonly description: ScopeDescription }
  /** Microseconds when it was asked. */
  | { readonly kind: "clock"; readonly id: number; readonly us: number }
  | { readonly kind: "events"; readonly id: number; readonly page: EventPage }
  /** The log takes nothing, or does again (D10); an edge that is told nothing has one. */
  | { readonly kind: "log"; readonly isAway: boolean }
  | FeedFrame
  | ClosedFrame;

/** The core's last word: whether this incarnation may come back, and why it had to go. */
export interface ClosedFrame {
  readonly kind: "closed";
  readonly reason: string;
  readonly mayReturn: boolean;
}

export class FrameError extends Error {
  override readonly name = "FrameError";
  /** `shape`: no frame that an edge sends; `rights`: one that this edge may not send. */
  readonly code: "shape" | "rights";

  constructor(message: string, code: FrameError["code"] = "shape") {
    super(message);
    this.code = code;
  }
}

/** One line of JSON, without its end. */
export function formatFrame(frame: EdgeFrame | CoreFrame): string {
  return JSON.stringify(frame);
}

/** @throws FrameError when the text is no JSON object. */
export function parseFrame(text: string): object {
  try {
    const frame: unknown = JSON.parse(text);
    if (typeof frame === "object" && frame !== null) return frame;
  } catch {
    // Said below, the same as for JSON that is not an object.
  }
  throw new FrameError("a frame is not a JSON object");
}
