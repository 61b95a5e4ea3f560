// SPDX-License-Identifier: MIT
// The logs of one server, as its doors see them: one core as long as there is one, else as many,
// each with the scopes of its log (core/shard.ts). Owns what is asked of all of them; each log has
// a host of its own, which knows nothing of the others, so that nothing happens in two logs at once
// (D1).

import { assert } from "../core/assert.ts";
import type { CoreFacts } from "../core/core-facts.ts";
import type { CoreFigures } from "../core/description.ts";
import type { Limits } from "../core/limits.ts";
import { shardOf } from "../core/shard.ts";
import type { Clock } from "./clock.ts";
import type { ConnectEdge } from "./core-link.ts";
import type { Host } from "./host.ts";
import type { Observer } from "./host-options.ts";
import { ShardLink } from "./shard-link.ts";
import type { TopicLink } from "./topic-link.ts";

export class Shards {
  /** By shard, at least one. */
  readonly hosts: readonly Host[];
  readonly #first: Host;
  /** Attaches an edge of this process. */
  readonly connectEdge: ConnectEdge;
  /** Attaches one that servers pass on; of a server that has one log. */
  readonly connectPassedOn: ConnectEdge;
  /** The messages of topics, for edges of this process. */
  readonly topics: TopicLink;
  /** What is there, for who lets in by it. */
  readonly facts: CoreFacts;

  constructor(hosts: readonly Host[]) {
    const [first] = hosts;
    assert(first !== undefined, "shards of no host");
    this.hosts = hosts;
    this.#first = first;
    this.connectEdge = hosts.length === 1 ? first.connectEdge : this.#connectToAll;
    this.connectPassedOn = first.connectPassedOn;
    this.topics = hosts.length === 1 ? first.topics : this.#createTopics();
    this.facts = hosts.length === 1 ? first.facts : this.#createFacts();
  }

  /** The one that has the scope. */
  of(scope: string): Host {
    return this.hosts[this.indexOf(scope)] ?? this.#first;
  }

  /** Which one that is. */
  indexOf(scope: string): number {
    return shardOf(scope, this.hosts.length);
  }

  get clock(): Clock {
    return this.#first.clock;
  }

  get limits(): Limits {
    return this.#first.limits;
  }

  /** Whether other servers may know more of an edge than this one does yet. */
  get isShared(): boolean {
    return this.#first.isShared;
  }

  /** Those whose log takes nothing. */
  get away(): readonly number[] {
    return this.hosts.flatMap(({ isLogAway }, index) => (isLogAway ? [index] : []));
  }

  /** In words, that logs take nothing; undefined when all take what they are given. */
  get outage(): string | undefined {
    const { away } = this;
    if (away.length === 0) return undefined;
    if (this.hosts.length === 1) return "the log takes nothing";
    return `of ${this.hosts.length} shards these take nothing: ${away.join(", ")}`;
  }

  /** What is wrong with how their logs are kept. */
  get objections(): readonly string[] {
    return this.hosts.flatMap(({ logObjection }) => logObjection ?? []);
  }

  /** What is in the cores, and what is on its way there. */
  figures(): CoreFigures & { readonly mailboxCommands: number } {
    const all = this.hosts.map((host) => host.figures());
    const sum = (read: (one: (typeof all)[number]) => number): number =>
      all.reduce((total, one) => total + read(one), 0);
    return {
      waiters: sum(({ waiters }) => waiters),
      oldestWaitUs: Math.max(...all.map(({ oldestWaitUs }) => oldestWaitUs)),
      barriers: sum(({ barriers }) => barriers),
      scopes: sum(({ scopes }) => scopes),
      mailboxCommands: sum(({ mailboxCommands }) => mailboxCommands),
    };
  }

  /** Resolves when this server lives in every log, where several servers have them. */
  readonly joined = async (): Promise<void> => {
    await Promise.all(this.hosts.map((host) => host.joined()));
  };

  /** Sees the entries of every log; those of one in order. @returns what ends it */
  readonly observe = (observer: Observer): (() => void) => {
    const stops = this.hosts.map((host) => host.observe(observer));
    return () => {
      for (const stop of stops) stop();
    };
  };

  readonly #connectToAll: ConnectEdge = (edge, handler) =>
    new ShardLink({
      ...{ edge, handler },
      connects: this.hosts.map(({ connectEdge }) => connectEdge),
      shardOf: (scope) => this.indexOf(scope),
    });

  #createTopics(): TopicLink {
    return {
      write: (message, scope) => this.of(scope).topics.write(message, scope),
      free: (payload, scope) => this.of(scope).topics.free(payload, scope),
      read: (part) => this.of(part.scope).topics.read(part),
    };
  }

  #createFacts(): CoreFacts {
    const { hosts } = this;
    return {
      hasScope: (scope) => this.of(scope).facts.hasScope(scope),
      hasBarrier: (scope, kind, barrier) => this.of(scope).facts.hasBarrier(scope, kind, barrier),
      isAlive: (edge) => this.hosts.some(({ facts }) => facts.isAlive(edge)),
      waitersOfEdge: (edge) =>
        this.hosts.reduce((total, { facts }) => total + facts.waitersOfEdge(edge), 0),
      // Of one controller, which no server with several logs lets in: there is one log.
      placeOf: (edge) => this.#first.facts.placeOf(edge),
      carrierOf: (scope, controller) => this.of(scope).facts.carrierOf(scope, controller),
      isCarried: (scope, controller) => this.of(scope).facts.isCarried(scope, controller),
      livingEdges: () => this.#first.facts.livingEdges(),
      servers: () => this.#first.facts.servers(),
      get version() {
        return Math.min(...hosts.map(({ facts }) => facts.version));
      },
      serversBefore: (version) => [
        ...new Set(hosts.flatMap(({ facts }) => facts.serversBefore(version))),
      ],
    };
  }
}

/** The one core of a server that has one log, or what is there already. */
export function asShards(core: Host | Shards): Shards {
  return core instanceof Shards ? core : new Shards([core]);
}
