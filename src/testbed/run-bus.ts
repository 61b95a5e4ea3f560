// SPDX-License-Identifier: MIT
// The bus of a run with a door on every node, and whose word is believed on it.
import { createCredentials, type LastingCredentials } from "../client/event-credentials.ts";
import { OwnNotifications } from "../client/own-notifications.ts";
import type { AgendaLoad, TimedEvent } from "../core/agenda/commands.ts";
import { assert } from "../core/assert.ts";
import { resolveBusLimits } from "../engine/bus-limits.ts";
import { MemoryBus } from "../engine/memory-bus.ts";
import { EventServer, OpsBus, SealedBus } from "../events/index.ts";
import type { Clock } from "../host/clock.ts";
import { eventHash } from "../host/event-hash.ts";
import { newNonce, newRunId } from "../host/ids.ts";
import type { Logger } from "../host/logger.ts";
import type { Bus } from "../wire/event/bus.ts";
import { attributeNames, createNotification, textAttribute } from "../wire/event/notification.ts";
import type { NodeBackend } from "./nodes/index.ts";

export interface RunBusOptions {
  /** `pid/eid` */
  readonly experiment: string;
  readonly backend: NodeBackend;
  /** Object -> its node, where it has one. */
  readonly nodeOf: (object: string) => string | undefined;
  readonly eventKey: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a run says of its own accord. */
export interface Announcement {
  readonly objname: string;
  readonly objtype: string;
  readonly eventtype: string;
  readonly args: string;
  /** Attributes of Muster's own. */
  readonly extra?: Readonly<Record<string, string>>;
}

export class RunBus {
  readonly bus: MemoryBus;
  readonly #options: RunBusOptions;
  readonly #server: EventServer;
  readonly #listening = new Set<string>();
  /** What those in this process say to each other; programs come through the door. */
  readonly #own = new OwnNotifications();
  /** As all others see it. */
  readonly outside: Bus;
  #announcer: LastingCredentials | undefined;

  constructor(options: RunBusOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.bus = new MemoryBus({ epoch: newRunId(), limits: resolveBusLimits() });
    this.outside = new SealedBus(new OpsBus(this.bus), this.#own);
    this.#server = new EventServer({ bus: this.outside, clock, logger });
  }

  /** Opens the door for nodes that came since. @throws Error with a sentence for the user */
  async listenForNodes(): Promise<void> {
    const addresses = [...this.#options.backend.nodes.values()].map(({ calledAt }) => calledAt);
    const fresh = addresses.filter((address) => !this.#listening.has(address));
    for (const address of fresh) this.#listening.add(address);
    await this.#server.listen(fresh);
  }

  /** HOST:PORT at which the bus answers on this machine, while there is a node. */
  get address(): string | undefined {
    const [host] = this.#listening;
    return host === undefined ? undefined : `${host}:${this.#server.port}`;
  }

  /** Each receiver has its own: what one has taken once is no replay for another. */
  credentials(): LastingCredentials {
    const { experiment, eventKey, clock } = this.#options;
    const credentials = createCredentials({
      ...{ experiment, hash: eventHash, randomBytes: newNonce, own: this.#own },
      key: new TextEncoder().encode(eventKey),
      wallUs: () => BigInt(clock.wallMs()) * 1_000n,
    });
    assert(typeof credentials !== "string", "the key of a run is one that we made");
    return credentials;
  }

  /** Control address of the node an object is on, or `*`. */
  hostOf(object: string): string {
    const { backend, nodeOf } = this.#options;
    const node = nodeOf(object);
    const addresses = node === undefined ? undefined : backend.nodes.get(node)?.addresses;
    return addresses?.[0]?.loopback ?? "*";
  }

  /** Tells whoever listens, which nobody has to. */
  announce({ args, extra = {}, ...address }: Announcement): void {
    const { experiment: expt } = this.#options;
    this.#announcer ??= this.credentials();
    const attributes = [
      textAttribute(attributeNames.args, args),
      ...Object.entries(extra).map(([name, text]) => textAttribute(name, text)),
    ];
    const notification = createNotification(
      { expt, ...address, scheduler: 0 },
      { sender: "127.0.0.1", layout: "2011", extra: attributes },
    );
    this.bus.publish(this.#announcer.sign(notification)).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#server.close();
    this.bus.close();
  }
}

/** What agents obey for: not groups, timelines and sequences, which the core takes apart. */
export function objectsOf(agenda: AgendaLoad): readonly string[] {
  const { agents, groups, main, timelines, sequences } = agenda;
  const named = (events: readonly TimedEvent[]): string[] =>
    events.map(({ event }) => event.object);
  const all = [
    ...agents.map(({ name }) => name),
    ...named(main),
    ...timelines.flatMap(({ events }) => named(events)),
    ...sequences.flatMap(({ steps }) => named(steps)),
  ];
  const own = new Set([...groups, ...timelines, ...sequences].map(({ name }) => name));
  return [...new Set(all)].filter((name) => !own.has(name));
}
