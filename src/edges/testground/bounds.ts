// SPDX-License-Identifier: MIT
// Bounds of the Testground door: what strangers can make one listener keep. What a scope, a barrier
// or a topic may hold is in core/limits.ts.
import { assert } from "../../core/assert.ts";

export interface TestgroundBounds {
  /** Connections of one listener. */
  readonly testgroundConnectionsMax: number;
  /** Connections of one client, by its address. */
  readonly testgroundConnectionsPerClientMax: number;
  /** Bytes of one message of a client, after it was decompressed. */
  readonly testgroundMessageBytesMax: number;
  /** Requests of one connection that are not answered yet, subscriptions included. */
  readonly testgroundRequestsMax: number;
  /** Bytes that a client may leave unread before the door stops reading from it. */
  readonly testgroundQueueBytesMax: number;
  /** Bytes of topics on their way to one client; further messages wait where they are kept. */
  readonly testgroundAheadBytesMax: number;
  /**
   * Bytes that the door holds for all clients: messages that have not come in full, requests that
   * are not answered, answers that are not read.
   */
  readonly testgroundHeldBytesMax: number;
  /** Runs that one listener may bring into being; invented names buy no more (D18). */
  readonly testgroundRunsMax: number;
  /** States and topics that one listener may bring into being, in all runs. */
  readonly testgroundNamesMax: number;
  /** Bytes of messages that one listener may store, in all runs. */
  readonly testgroundTopicBytesMax: number;
}

export const defaultTestgroundBounds: TestgroundBounds = {
  testgroundConnectionsMax: 20_000,
  testgroundConnectionsPerClientMax: 20_000,
  testgroundMessageBytesMax: 512 * 1024,
  testgroundRequestsMax: 10_000,
  testgroundQueueBytesMax: 4 * 1024 * 1024,
  testgroundAheadBytesMax: 256 * 1024,
  testgroundHeldBytesMax: 512 * 1024 * 1024,
  testgroundRunsMax: 500,
  testgroundNamesMax: 100_000,
  testgroundTopicBytesMax: 256 * 1024 * 1024,
};

/** Fills in defaults. @throws AssertionError for a value that is no bound. */
export function resolveTestgroundBounds(partial: Partial<TestgroundBounds> = {}): TestgroundBounds {
  const bounds = { ...defaultTestgroundBounds, ...partial };
  for (const [name, value] of Object.entries(bounds)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  return bounds;
}

/** The text for a refusal by a bound: what it is, its value, how to raise it. */
function boundMessage(bounds: TestgroundBounds, name: keyof TestgroundBounds): string {
  return `limit ${name} (${bounds[name]}) reached; raise it with --limit ${name}=VALUE`;
}

/** Why something is refused, and by which limit. */
export interface Objection {
  readonly limit: string;
  readonly text: string;
}

/** @param what is too many or too much */
export function objectTo(
  what: string,
  bounds: TestgroundBounds,
  limit: keyof TestgroundBounds,
): Objection {
  return { limit, text: `${what}: ${boundMessage(bounds, limit)}` };
}
