// SPDX-License-Identifier: MIT
// What a bus promises, whoever carries it: memory in one process, a WebSocket to another one, NATS
// between machines.
//
//   N1. A subscriber gets the notifications that match its address in the order of their positions,
//       each once.
//   N2. Nobody waits for a subscriber: one that takes nothing loses its place by the policy it
//       asked for, and is told.
//   N3. A subscriber that comes back with a place of the same epoch gets what it missed, or is told
//       that there is a gap and gets what is left; it never gets one silently. With a place of
//       another epoch there is always a gap, and then everything that this epoch still has.
//   N4. Subscribers are never called from inside `publish` or `subscribe`, and not after `close` or
//       `onEnd`; `onEnd` may come while a delivery is under way, the others do not.
import type { Address, Notification } from "./notification.ts";

/** A place in the stream of one bus. Positions of different epochs cannot be compared. */
export interface BusPlace {
  /** Made anew each time the bus starts without its memory. */
  readonly epoch: string;
  /** 1, 2, 3, ... in the order in which notifications were accepted. */
  readonly position: number;
}

/** Why nobody can have been at a place, or undefined. */
export function findPlaceFault({ position }: BusPlace): string | undefined {
  if (Number.isSafeInteger(position) && position >= 0) return undefined;
  return "a position is a whole number; give one that the bus has told";
}

export interface PlacedNotification {
  readonly position: number;
  readonly notification: Notification;
}

/** What becomes of a subscriber whose queue is full. */
export type SlowPolicy =
  /** The oldest go; `onGap` says how many. For displays. */
  | "drop-oldest"
  /** The subscription ends; it may come back with its place. For whoever must miss nothing. */
  | "end";

export interface Subscription {
  /** Fields of the address may be lists; see Address. Undefined: everything, scheduled or not. */
  readonly address: Address | undefined;
  /** Where to go on; undefined for what comes from now on. */
  readonly after?: BusPlace;
  readonly slow: SlowPolicy;
}

export interface Subscriber {
  /**
   * In order. While the result is a promise nothing more is delivered (N2 counts from here). What
   * throws or rejects ends the subscription.
   */
  onNotifications(notifications: readonly PlacedNotification[]): void | Promise<void>;
  /** `lost` notifications, or an unknown number of them (-1), that matched will not come. */
  onGap(lost: number): void;
  /** It has ended, not by `close`; the place to come back with. The last call. */
  onEnd(reason: string, place: BusPlace): void;
}

export interface Subscribed {
  /**
   * Everything that matches up to here has been delivered: the place to come back with. At first
   * it is where the subscription begins; it moves on also when nothing matches.
   */
  readonly place: BusPlace;
  close(): void;
}

export interface Published {
  readonly place: BusPlace;
  /**
   * How many subscriptions matched, without those of displays (`drop-oldest`), which watch and do
   * nothing: 0 means that nobody has heard it.
   */
  readonly matched: number;
}

export interface Bus {
  /** @throws BusError when it is too large, or the bus is gone. */
  publish(notification: Notification): Promise<Published>;
  /** Resolves when the subscription is in force; the first delivery may come before. */
  subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed>;
}

export type BusErrorCode =
  /** Definite: it was not published. */
  | "invalid"
  | "too-large"
  | "refused"
  /** Indefinite: it may have been published. */
  | "unavailable";

export class BusError extends Error {
  override readonly name = "BusError";
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
