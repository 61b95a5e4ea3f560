// SPDX-License-Identifier: MIT
// Drives a core without host, log or clock: one entry a call, stamps under control. For tests that
// are about what the core decides, and about nothing else.
import type {
  Batch,
  Command,
  CountInit,
  CountWait,
  FollowTopic,
  LogEntry,
  Participant,
  Publish,
  Quorum,
  QuorumInit,
  QuorumWait,
  RosterArrive,
  RosterOpen,
  RosterRules,
  StateSignal,
  StateSignalAndWait,
  StateWait,
} from "../core/command.ts";
import type { Applied, EdgeEffect, Released } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";
import { resolveLimits } from "../core/limits.ts";
import { Service } from "../core/service.ts";

/** Stamps start at some instant: only their differences mean anything. */
const firstStampUs = 1_000_000_000;

export class CoreDriver {
  service: Service;
  readonly limits: Limits;
  /** Every entry applied, for a second core that is to do the same. */
  readonly entries: LogEntry[] = [];
  stampUs: number = firstStampUs;
  readonly #numbers = new Map<string, number>();
  readonly #incarnations = new Map<string, number>();

  constructor(limits: Partial<Limits> = {}) {
    this.limits = resolveLimits(limits);
    this.service = new Service(this.limits);
  }

  /** Applies one entry `afterUs` after the one before. */
  apply(batches: readonly Batch[], afterUs = 0): Applied {
    this.stampUs += afterUs;
    const sequence = this.service.sequence + 1;
    const entry: LogEntry = { sequence, stampUs: this.stampUs, entry: { format: 1, batches } };
    this.entries.push(entry);
    return this.service.apply(entry);
  }

  /** Commands of one edge as one entry; the edge attaches first if it has not. */
  send(edge: string, ...commands: readonly Command[]): Applied {
    return this.apply([this.batch(edge, commands)]);
  }

  /** The next batch of an edge. */
  batch(edge: string, commands: readonly Command[]): Batch {
    const incarnation = this.#incarnations.get(edge);
    if (incarnation === undefined) return this.attachBatch(edge, 1, commands);
    const number = (this.#numbers.get(edge) ?? 0) + 1;
    this.#numbers.set(edge, number);
    return { edge, incarnation, number, commands };
  }

  /** The first batch of an incarnation. */
  attachBatch(edge: string, incarnation: number, commands: readonly Command[] = []): Batch {
    this.#incarnations.set(edge, incarnation);
    this.#numbers.set(edge, 1);
    return { edge, incarnation, number: 1, commands: [{ kind: "attach" }, ...commands] };
  }

  /** Attaches an edge anew if its incarnation has ended. */
  revive(edge: string): void {
    const incarnation = this.#incarnations.get(edge);
    if (incarnation === undefined || this.service.lastBatch(edge, incarnation) !== 0) return;
    this.apply([this.attachBatch(edge, incarnation + 1)]);
  }

  /** An empty entry: time passes, at most 2 s of it (D2). */
  tick(afterUs: number): Applied {
    return this.apply([], afterUs);
  }

  /** Lets this much log time pass in ticks of one second. @returns everything it led to. */
  pass(us: number): Applied {
    const addressed: Applied["addressed"][number][] = [];
    const observed: Applied["observed"][number][] = [];
    const keptPayloads: number[] = [];
    const freedPayloads: number[] = [];
    for (let leftUs = us; leftUs > 0; leftUs -= 1_000_000) {
      const applied = this.tick(Math.min(leftUs, 1_000_000));
      addressed.push(...applied.addressed);
      observed.push(...applied.observed);
      keptPayloads.push(...applied.keptPayloads);
      freedPayloads.push(...applied.freedPayloads);
    }
    return { nowUs: this.service.nowUs, addressed, observed, keptPayloads, freedPayloads };
  }
}

/** What an arrival needs beyond its connection; the rest has values that do not matter. */
export interface ArrivalOptions {
  readonly scope?: string;
  readonly barrier?: string;
  readonly error?: number;
  readonly timeoutUs?: number;
  readonly who?: Participant;
}

function arrival(connection: number, options: ArrivalOptions) {
  const { scope = "s", barrier = "b", error = 0, timeoutUs } = options;
  const who = options.who ?? { address: `10.0.0.1:${connection}/tcp` };
  const timeout = timeoutUs === undefined ? {} : { timeoutUs };
  return { scope, barrier, connection, who, error, ...timeout };
}

export function wait(connection: number, options: ArrivalOptions = {}): CountWait {
  return { kind: "count-wait", ...arrival(connection, options) };
}

/** An initialiser that waits. */
export function init(connection: number, count: number, options: ArrivalOptions = {}): CountInit {
  return { kind: "count-init", ...arrival(connection, options), count, waits: true };
}

/** An initialiser that does not wait. */
export function initOnly(
  connection: number,
  count: number,
  options: ArrivalOptions = {},
): CountInit {
  return { kind: "count-init", ...arrival(connection, options), count, waits: false };
}

/** A publication; the id of its payload is that of the connection. */
export function publish(
  connection: number,
  options: { readonly scope?: string; readonly topic?: string; readonly bytes?: number } = {},
): Publish {
  const { scope = "s", topic = "t", bytes = 10 } = options;
  const payload = { id: connection, bytes, hash: connection * 7 };
  return { kind: "publish", scope, topic, connection, payload };
}

export function follow(
  connection: number,
  { scope = "s", topic = "t" }: { readonly scope?: string; readonly topic?: string } = {},
): FollowTopic {
  return { kind: "topic-follow", scope, topic, connection };
}

/** The effects of one kind, without their address. */
export function effectsOf<K extends EdgeEffect["kind"]>(
  applied: Applied,
  kind: K,
): readonly Extract<EdgeEffect, { kind: K }>[] {
  return applied.addressed
    .map(({ effect }) => effect)
    .filter((effect): effect is Extract<EdgeEffect, { kind: K }> => effect.kind === kind);
}

/** Every connection that was released, with its outcome: `[1, "crossed", 0]`. */
export function releases(applied: Applied): readonly (readonly [number, string, number])[] {
  return effectsOf(applied, "released").flatMap(({ connections, outcome, error }: Released) =>
    connections.map((connection) => [connection, outcome, error] as const),
  );
}

/** A signal of a state. */
export function signal(connection: number, options: ArrivalOptions = {}): StateSignal {
  const { scope, barrier, who } = arrival(connection, options);
  return { kind: "state-signal", scope, barrier, connection, who };
}

export function waitFor(
  connection: number,
  target: number,
  options: ArrivalOptions = {},
): StateWait {
  return { kind: "state-wait", ...arrival(connection, options), target };
}

export function signalAndWait(
  connection: number,
  target: number,
  options: ArrivalOptions = {},
): StateSignalAndWait {
  return { kind: "state-signal-and-wait", ...arrival(connection, options), target };
}

/** Makes a quorum; its driver need not answer unless `echo` says so. */
export function quorumInit(
  connection: number,
  quorum: Quorum,
  options: ArrivalOptions & Partial<Pick<QuorumInit, "echo" | "deadline">> = {},
): QuorumInit {
  const { scope, barrier, who } = arrival(connection, options);
  const { echo = "automatic", deadline } = options;
  const rest = deadline === undefined ? {} : { deadline };
  return { kind: "quorum-init", scope, barrier, connection, who, quorum, echo, ...rest };
}

export function quorumWait(connection: number, options: ArrivalOptions = {}): QuorumWait {
  return { kind: "quorum-wait", ...arrival(connection, options) };
}

export function percent(value: number): Quorum {
  return { kind: "percent", percent: value };
}

/** What drivers were told: `[1, "crossed"]`. */
export function statuses(applied: Applied): readonly (readonly [number, string])[] {
  return effectsOf(applied, "quorum-status").map(
    ({ connection, status }) => [connection, status] as const,
  );
}

/** Opens a roster of members without groups: one phase, a death fails it, the late pass. */
export function rosterOpen(
  connection: number,
  names: readonly string[],
  options: ArrivalOptions & Partial<RosterRules> = {},
): RosterOpen {
  const { scope, barrier, who } = arrival(connection, options);
  const { phases = 1, whenDead = "fail", whenLate = "pass", deadline } = options;
  const rules = { phases, whenDead, whenLate, ...(deadline === undefined ? {} : { deadline }) };
  const members = names.map((name) => ({ name }));
  return { kind: "roster-open", scope, barrier, connection, who, members, rules };
}

/** Somebody arrives, by name. */
export function rosterArrive(
  connection: number,
  name: string,
  options: ArrivalOptions & { readonly phase?: number } = {},
): RosterArrive {
  const { phase } = options;
  const facts = arrival(connection, { who: { address: "x", name }, ...options });
  return { kind: "roster-arrive", ...facts, ...(phase === undefined ? {} : { phase }) };
}
