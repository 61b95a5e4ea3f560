// SPDX-License-Identifier: MIT
// What the handles of barriers and topics have of their session: a way to ask, in the name of one
// participant, and to hear how it ended.
import type { ScopeDescription } from "../core/description.ts";
import type { QuorumStatus, Released } from "../core/effect.ts";
import type { EdgeCommand } from "../wire/link/frames.ts";
import type { Action } from "../wire/link/roles.ts";
import type { CommonClock } from "./common-clock.ts";
import type { ClientPlatform } from "./platform.ts";
import type { SubscribeOptions, TopicSubscription } from "./topic-subscription.ts";

/** How a request ends. */
export interface Settle {
  released(effect: Released): void;
  acknowledged(): void;
  /** Of a signal; one that waits too goes on to its release. @returns whether this was the end. */
  signalled(value: number): boolean;
  /** Of a publication; one that waits too goes on to its release. @returns whether it is over. */
  published(number: number): boolean;
  /** Of a driver. @returns whether this was the end. */
  statusChanged(status: QuorumStatus): boolean;
  refused(error: unknown): void;
  /** The server's log takes nothing: whoever waits is told, and the request stays (D10). */
  suspended(): void;
}

/** Sends the requests of handles. A `Session` is one. */
export interface Requester {
  /** The name space of the barriers and topics. */
  readonly scope: string;
  /** How a participant without a name of its own is called. */
  readonly participantName: string | undefined;
  /** The clock by which parties go on together. */
  readonly commonClock: CommonClock;
  readonly platform: ClientPlatform;
  /** Sends a request of one participant. @returns its connection. @throws MusterError */
  request(action: Action, build: (connection: number) => EdgeCommand, settle: Settle): number;
  /** The participant leaves; nothing is told of it any more. */
  leave(connection: number): void;
  /** A command that is not answered; it is over when it is in the log. @throws MusterError */
  order(action: Action, command: EdgeCommand): Promise<void>;
  /** The state of the scope, or of one barrier. @throws MusterError while the connection is lost */
  describe(barrier?: string): Promise<ScopeDescription>;
  /** @throws MusterError */
  subscribe(topic: string, options: SubscribeOptions): TopicSubscription;
}
