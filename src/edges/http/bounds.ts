// SPDX-License-Identifier: MIT
// Bounds of the HTTP door: what strangers and clients can make it keep. What a scope or a barrier
// may hold is in core/limits.ts. What is of one token is of one client, by its address, where the
// door asks for none.
import { assert } from "../../core/assert.ts";

export interface HttpBounds {
  /** Connections of one listener. */
  readonly httpConnectionsMax: number;
  /** Connections of one client, by its address. */
  readonly httpConnectionsPerClientMax: number;
  /** Requests of one connection that are not answered; one more, and it is cut. */
  readonly httpRequestsPerConnectionMax: number;
  /** Bytes of a request's first line and headers. */
  readonly httpHeadBytesMax: number;
  /** Bytes of a request's body. */
  readonly httpBodyBytesMax: number;
  /** Bytes that the door holds for all clients: what has not come in full, and what is not read. */
  readonly httpHeldBytesMax: number;
  /** Waits by HTTP at once, of one token. */
  readonly httpWaitsPerTokenMax: number;
  /** Scopes alive that one listener has brought into being; invented names buy no more (D18). */
  readonly httpScopesMax: number;
  /** Of them those of one token. */
  readonly httpScopesPerTokenMax: number;
  /**
   * Quorums made by requests whose drivers let go themselves, those that ended among them. Beyond
   * it the oldest of the token that has most is forgotten.
   */
  readonly httpDriversMax: number;
  /** Barriers that are open and that one token has come to, over requests and sessions. */
  readonly tokenBarriersMax: number;
  /** Parties of one token that wait, over requests and sessions. */
  readonly tokenWaitersMax: number;
  /** Messages that one token has published to scopes that have not ended. */
  readonly tokenMessagesMax: number;
  /** Bytes of them, and `payloadOverheadBytes` for each. */
  readonly tokenMessageBytesMax: number;
  /** Streams of watchers (SSE) at once, of one token. */
  readonly httpStreamsPerTokenMax: number;
  /** Bytes that a watcher may leave unread before its stream is cut. */
  readonly httpStreamQueueBytesMax: number;
  /** Barriers of a scope that a watcher is told of. */
  readonly httpWatchedBarriersMax: number;
  /** Participants of a barrier that ended, in what a watcher is told. */
  readonly httpWatchedNamesMax: number;
  /** Bytes of endings and warnings kept for watchers that come back. */
  readonly httpWatchKeptBytesMax: number;
  /** Sessions of one token, those that are away and may come back among them. */
  readonly sessionsPerTokenMax: number;
  /** Parties of one session at barriers at once. */
  readonly sessionWaitsMax: number;
  /** Bytes of one message of a session. */
  readonly sessionMessageBytesMax: number;
  /** Subscriptions to topics of one session at once. */
  readonly sessionSubscriptionsMax: number;
  /** Bytes of messages on their way to one subscription; more wait in the topic. */
  readonly sessionAheadBytesMax: number;
  /** Bytes that a session may leave unread before the door stops reading from it. */
  readonly sessionQueueBytesMax: number;
}

export const defaultHttpBounds: HttpBounds = {
  httpConnectionsMax: 20_000,
  httpConnectionsPerClientMax: 10_000,
  httpRequestsPerConnectionMax: 100,
  httpHeadBytesMax: 16 * 1024,
  httpBodyBytesMax: 512 * 1024,
  httpHeldBytesMax: 512 * 1024 * 1024,
  httpWaitsPerTokenMax: 10_000,
  httpScopesMax: 500,
  httpScopesPerTokenMax: 250,
  httpDriversMax: 10_000,
  tokenBarriersMax: 100_000,
  tokenWaitersMax: 1_000_000,
  tokenMessagesMax: 1_000_000,
  tokenMessageBytesMax: 256 * 1024 * 1024,
  httpStreamsPerTokenMax: 100,
  httpStreamQueueBytesMax: 4 * 1024 * 1024,
  httpWatchedBarriersMax: 1_000,
  httpWatchedNamesMax: 1_000,
  httpWatchKeptBytesMax: 4 * 1024 * 1024,
  sessionsPerTokenMax: 5_000,
  sessionWaitsMax: 100_000,
  sessionMessageBytesMax: 8 * 1024 * 1024,
  sessionSubscriptionsMax: 1_000,
  sessionAheadBytesMax: 256 * 1024,
  sessionQueueBytesMax: 4 * 1024 * 1024,
};

/** Fills in defaults. @throws AssertionError for a value that is no bound. */
export function resolveHttpBounds(partial: Partial<HttpBounds> = {}): HttpBounds {
  const bounds = { ...defaultHttpBounds, ...partial };
  for (const [name, value] of Object.entries(bounds)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  return bounds;
}

/** The text for a refusal by a bound: what it is, its value, how to raise it. */
export function boundMessage(bounds: HttpBounds, name: keyof HttpBounds): string {
  return `limit ${name} (${bounds[name]}) reached; raise it with --limit ${name}=VALUE`;
}
