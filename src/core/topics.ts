// SPDX-License-Identifier: MIT
// The topics of a scope: an order of messages each. Owns which message has which number and who
// follows; the messages themselves are outside the log (D11), and the core knows of each where it
// lies and what it looks like.
//
//   P1. The messages of a topic are numbered 1, 2, 3, ... in the order of the log, without gaps.
//   P2. Each publication is answered once: with its number, or with why it has none.
//   P3. A follower is told where the topic stands when it begins to follow, and after each entry
//       that has moved it, once.
//   P4. A message stays until its scope ends; then, and when it is refused, its payload is given
//       free, once.
//   P5. Scopes never meet (B7).
import { assert } from "./assert.ts";
import type { FollowTopic, PayloadRef, Publish, TopicCommand } from "./command.ts";
import { Digest } from "./digest.ts";
import type { EdgeState, EdgeTable } from "./edge-table.ts";
import type { Limits } from "./limits.ts";
import { payloadOverheadBytes } from "./limits.ts";
import type { Refusal } from "./refusal.ts";
import { invalid, overLimit } from "./refusal.ts";
import type { Scope } from "./scope.ts";
import type { ScopeTable } from "./scope-table.ts";
import { utf8Length } from "./text.ts";
import type { Turn } from "./turn.ts";

/** Where a message lies, for those who read it. */
export type PayloadPlace = Pick<PayloadRef, "id" | "hash">;

export class Topic {
  readonly scope: string;
  readonly name: string;
  /** Of message n at n - 1. Two arrays of numbers: a topic may have a million messages. */
  readonly ids: number[] = [];
  readonly hashes: number[] = [];
  readonly followers: Set<EdgeState> = new Set();
  readonly digest: Digest = new Digest();

  constructor(scope: string, name: string) {
    this.scope = scope;
    this.name = name;
  }

  /** The number of the last message, 0 while there is none. */
  get last(): number {
    return this.ids.length;
  }

  add({ id, hash }: PayloadPlace): void {
    this.ids.push(id);
    this.hashes.push(hash);
    this.digest.addRow(`message ${this.scope} ${this.name} ${this.last} ${id} ${hash}`, 1);
  }

  /** At most `max` messages behind number `after`. */
  places(after: number, max: number): readonly PayloadPlace[] {
    const ids = this.ids.slice(after, after + max);
    return ids.map((id, index) => ({ id, hash: this.hashes[after + index] ?? 0 }));
  }
}

export class Topics {
  readonly #limits: Limits;
  readonly #scopes: ScopeTable;
  /** Moved by the entry that is being applied (P3). */
  readonly #moved = new Set<Topic>();

  constructor(limits: Limits, scopes: ScopeTable) {
    this.#limits = limits;
    this.#scopes = scopes;
  }

  /** Where messages behind number `after` lie, as many as one read gives. */
  read(scope: string, topic: string, after: number): readonly PayloadPlace[] {
    const found = this.#scopes.get(scope)?.topics.get(topic);
    return found?.places(after, this.#limits.messagesPerReadMax) ?? [];
  }

  /** The number of the newest message, 0 for none. */
  lastOf(scope: string, topic: string): number {
    return this.#scopes.get(scope)?.topics.get(topic)?.last ?? 0;
  }

  /** Every payload that a message refers to. */
  *payloads(): Iterable<number> {
    for (const scope of this.#scopes.scopes.values()) {
      for (const topic of scope.topics.values()) yield* topic.ids;
    }
  }

  /**
   * @param objection why it is refused, if something else than topics is against it.
   * @returns whether it has happened.
   */
  apply(edge: EdgeState, command: TopicCommand, turn: Turn, objection?: Refusal): boolean {
    const known = this.#scopes.get(command.scope);
    if (command.kind === "topic-unfollow") {
      const topic = known?.topics.get(command.topic);
      if (known === undefined || topic === undefined) return true;
      edge.followed.delete(topic);
      settle(known, topic, edge);
      return true;
    }
    const refusal =
      this.#scopes.refusal(command.scope) ?? this.#refusal(known, command) ?? objection;
    if (refusal === undefined) {
      const scope = this.#scopes.obtain(command.scope);
      if (command.kind === "publish") this.#publish(scope, edge, command, turn);
      else follow(scope, edge, command, turn);
      return true;
    }
    turn.tell(edge, { kind: "refused", connection: command.connection, ...refusal });
    // P4. The payload of a publication that was refused is nobody's.
    if (command.kind === "publish") turn.freePayload(command.payload.id);
    return false;
  }

  /** The edge is gone: it follows nothing any more. */
  edgeEnded(edge: EdgeState): void {
    for (const topic of edge.followed) {
      const scope = this.#scopes.get(topic.scope);
      if (scope !== undefined) settle(scope, topic, edge);
    }
    edge.followed.clear();
  }

  /** Why the command has no effect, given the scope if there is one. */
  #refusal(scope: Scope | undefined, command: Publish | FollowTopic): Refusal | undefined {
    const limits = this.#limits;
    const { topic: name } = command;
    if (name === "") return invalid("a topic needs a name");
    if (utf8Length(name) > limits.nameBytesMax) {
      return overLimit(limits, "nameBytesMax", "the topic's name is too long");
    }
    const count = scope?.topics.size ?? 0;
    if (count >= limits.topicsPerScopeMax && scope?.topics.has(name) !== true) {
      return overLimit(limits, "topicsPerScopeMax", "too many topics in this scope");
    }
    return command.kind === "publish" ? this.#payloadRefusal(scope, command.payload) : undefined;
  }

  /** P4. The scope ends: so do its topics, and whoever follows is told. */
  closeAll(scope: Scope, turn: Turn): void {
    for (const topic of scope.topics.values()) {
      for (const id of topic.ids) turn.freePayload(id);
      for (const edge of topic.followers) {
        edge.followed.delete(topic);
        turn.tell(edge, { kind: "topic-closed", scope: scope.name, topic: topic.name });
      }
      this.#moved.delete(topic);
    }
    scope.topics.clear();
    scope.topicBytes = 0;
  }

  /** P3. The end of an entry. */
  tellMoved(turn: Turn): void {
    if (this.#moved.size === 0) return;
    for (const topic of this.#moved) {
      for (const edge of topic.followers) turn.tell(edge, standing(topic));
    }
    this.#moved.clear();
  }

  #payloadRefusal(scope: Scope | undefined, payload: PayloadRef): Refusal | undefined {
    const limits = this.#limits;
    const { id, bytes, hash } = payload;
    if (![id, bytes, hash].every((value) => Number.isSafeInteger(value) && value >= 0)) {
      return invalid("a payload is named by whole numbers");
    }
    if (bytes > limits.messageBytesMax) {
      return overLimit(limits, "messageBytesMax", "the message is too long");
    }
    const held = scope?.topicBytes ?? 0;
    if (held + bytes + payloadOverheadBytes > limits.topicBytesPerScopeMax) {
      return overLimit(limits, "topicBytesPerScopeMax", "the scope's topics are full");
    }
    return undefined;
  }

  #publish(scope: Scope, edge: EdgeState, command: Publish, turn: Turn): void {
    const { connection, payload } = command;
    const topic = obtain(scope, command.topic);
    topic.add(payload);
    turn.keepPayload(payload.id);
    scope.topicBytes += payload.bytes + payloadOverheadBytes;
    const place = { scope: scope.name, topic: topic.name };
    turn.tell(edge, { kind: "published", connection, ...place, number: topic.last });
    if (topic.followers.size > 0) this.#moved.add(topic);
  }
}

function follow(scope: Scope, edge: EdgeState, command: FollowTopic, turn: Turn): void {
  const topic = obtain(scope, command.topic);
  topic.followers.add(edge);
  edge.followed.add(topic);
  turn.tell(edge, standing(topic));
}

/** Rows for the digest of a scope. */
export function digestTopics(scope: Scope, digest: Digest): void {
  if (scope.topics.size > 0) digest.addRow(`topics ${scope.name} ${scope.topicBytes}`, 1);
  for (const topic of scope.topics.values()) {
    const followers = [...topic.followers].map(({ name }) => name);
    digest.addRow(`topic ${scope.name} ${topic.name} ${topic.last} ${followers.join(" ")}`, 1);
    digest.addDigest(topic.digest);
  }
}

function standing({ scope, name, last }: Topic) {
  return { kind: "topic-stands", scope, topic: name, last } as const;
}

function obtain(scope: Scope, name: string): Topic {
  const known = scope.topics.get(name);
  if (known !== undefined) return known;
  const topic = new Topic(scope.name, name);
  scope.topics.set(name, topic);
  return topic;
}

/** One that nobody follows any more and that holds nothing is forgotten. */
function settle(scope: Scope, topic: Topic, edge: EdgeState): void {
  topic.followers.delete(edge);
  if (topic.followers.size === 0 && topic.last === 0) scope.topics.delete(topic.name);
}

/** A topic as plain data. */
export interface TopicSnapshot {
  readonly name: string;
  readonly ids: readonly number[];
  readonly hashes: readonly number[];
  /** Names of edges, in the order in which they began to follow. */
  readonly followers: readonly string[];
}

export function captureTopics(scope: Scope): readonly TopicSnapshot[] {
  return [...scope.topics.values()].map(({ name, ids, hashes, followers }) => ({
    name,
    ids: [...ids],
    hashes: [...hashes],
    followers: [...followers].map((edge) => edge.name),
  }));
}

/** Into a scope without topics. @throws AssertionError when a follower is no edge. */
export function restoreTopics(
  scope: Scope,
  snapshots: readonly TopicSnapshot[],
  edges: EdgeTable,
): void {
  for (const { name, ids, hashes, followers } of snapshots) {
    const topic = obtain(scope, name);
    ids.forEach((id, index) => {
      topic.add({ id, hash: hashes[index] ?? 0 });
    });
    for (const follower of followers) {
      const edge = edges.get(follower);
      assert(edge !== undefined, "a snapshot with a follower that is no edge");
      topic.followers.add(edge);
      edge.followed.add(topic);
    }
  }
}
