// SPDX-License-Identifier: MIT
// Host: the loop around one core. Collects the commands of one turn of the event loop into an
// entry, appends it, applies what the log delivers, hands effects to the edges, and keeps ONE timer
// armed. The append is the only place where it waits between a command and its effects.
//
//   H1. Effects leave only after their entry came back from the log.
//   H2. After a failed append everything unacknowledged is sent again, in order, until it is
//       applied.
//   H3. Effects for an edge that is away are kept until it returns or its lease ends.
import type { Batch, Entry, LogEntry } from "../core/command.ts";
import type { CoreFigures, EventPage, ScopeDescription } from "../core/description.ts";
import type { Applied, EdgeEffect } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";
import { tickIntervalUs } from "../core/limits.ts";
import { type CoreFacts, Service } from "../core/service.ts";
import type { Log, LogReader } from "../engine/log.ts";
import { LogError } from "../engine/log.ts";
import type { Payloads } from "../engine/payloads.ts";
import { MemoryPayloads } from "../engine/payloads.ts";
import type { Cancel, Clock } from "./clock.ts";
import type { ConnectEdge, CoreLink, EdgeHandler } from "./core-link.ts";
import type { Kept } from "./effect-store.ts";
import { EffectStore, keyOf } from "./effect-store.ts";
import type { HostOptions, Observer } from "./host-options.ts";
import { newIncarnation } from "./ids.ts";
import type { LocalLink } from "./local-link.ts";
import { connectLocalEdge } from "./local-link.ts";
import { LogWatch } from "./log-watch.ts";
import type { Logger } from "./logger.ts";
import type { Port, PortHost } from "./port.ts";
import { Publications } from "./publications.ts";
import { ServerMembership, serverLeaseUs } from "./server-membership.ts";
import { settlePayloads } from "./settle-payloads.ts";
import type { TopicLink } from "./topic-link.ts";

export type { HostOptions, Observer } from "./host-options.ts";
export type { BatchSource, Port } from "./port.ts";

/** Pause before a failed append is tried again, milliseconds; doubles up to the second value. */
const retryDelayMs = { first: 20, max: 1_000 };
/** A log that takes nothing for this long does not keep the host from closing. */
const closeWaitMs = 2_000;

export class Host implements PortHost {
  readonly clock: Clock;
  readonly limits: Limits;
  /** Messages of sessions on their way to the log. */
  readonly publications: Publications;
  readonly #log: Log;
  readonly #payloads: Payloads;
  readonly #logger: Logger;
  readonly #core: Service;
  readonly #newIncarnation: () => number;
  readonly #onAppended: (tookUs: number) => void;
  readonly #onFailed: (error: LogError) => void;
  readonly #membership: ServerMembership | undefined;
  /** By edge and incarnation: one that ends still has to be told so when the next is here. */
  readonly #ports = new Map<string, Port>();
  /** Those that may have something to take: there can be thousands, and few speak in one turn. */
  readonly #ready = new Set<Port>();
  readonly #store = new EffectStore();
  readonly #observers = new Set<Observer>();
  readonly #watch: LogWatch;
  readonly #steadyTicks: boolean;
  #reader: LogReader | undefined;
  #own: LocalLink | undefined;
  #flushScheduled = false;
  #tickDue = false;
  #inFlight = 0;
  #failed = false;
  #retryMs = retryDelayMs.first;
  #cancelTimer: Cancel = () => undefined;
  #lastDeliveryUs = 0;
  #closed = false;
  /** Who waits until the entry with this sequence is applied. */
  #awaited: {
    readonly at: number;
    readonly resolve: () => void;
    readonly reject: (error: LogError) => void;
  }[] = [];

  constructor(options: HostOptions) {
    const { log, clock, limits, logger, steadyTicks = false } = options;
    this.#steadyTicks = steadyTicks;
    this.#log = log;
    this.#payloads = options.payloads ?? new MemoryPayloads();
    this.publications = new Publications({
      write: (message) => this.#payloads.write(message),
      free: (ids) => this.#free(ids),
    });
    this.clock = clock;
    this.limits = limits;
    this.#logger = logger;
    this.#onAppended = options.onAppended ?? (() => undefined);
    this.#newIncarnation = options.newIncarnation ?? newIncarnation;
    this.#onFailed = options.onFailed ?? (() => undefined);
    this.#core = new Service(limits);
    if (options.server !== undefined) {
      const { server, build = "", digestEveryEntries } = options;
      this.#membership = new ServerMembership(server, this.#core, { build, digestEveryEntries });
    }
    this.#watch = new LogWatch(clock, (isAway) => this.#onLogAway(isAway));
  }

  /** Whether the log has taken nothing for too long; what was submitted may still happen (D10). */
  get isLogAway(): boolean {
    return this.#watch.isAway;
  }

  /** Whether the log has been replayed; before that nobody can be told what is known of them. */
  get isStarted(): boolean {
    return this.#own !== undefined && !this.#closed;
  }

  /** Replays the log; afterwards edges of a former life have their leases running. */
  async start(): Promise<void> {
    const head = await this.#log.head();
    await new Promise<void>((resolve, reject) => {
      this.#awaited.push({ at: head, resolve, reject });
      const onLost = (error: LogError): void => this.#fail(error);
      this.#reader = this.#log.read(1, (entries) => this.#deliver(entries), onLost);
      if (head === 0) resolve();
    });
    if (this.#closed) return;
    await settlePayloads(this.#payloads, () => this.#core.payloads());
    this.#join();
    // Where several servers have the log, this one's last life ends with the beginning of the next.
    if (this.#membership !== undefined) return;
    for (const { edge, incarnation, attached } of this.#core.livingEdges()) {
      if (attached && !this.#ports.has(keyOf({ edge, incarnation }))) {
        this.#own?.source.submitAlways({ kind: "detach", edge, incarnation });
      }
    }
  }

  /** The host's own edge, by which it says what it sees of others. */
  #join(): void {
    const incarnation = this.#newIncarnation();
    const membership = this.#membership;
    membership?.begin(incarnation, this.clock.nowUs());
    const life = {
      incarnation,
      ...(membership && { as: "server" as const, leaseUs: serverLeaseUs }),
    };
    this.#own = connectLocalEdge(this, membership?.edge ?? "host", this.#ownHandler, life);
  }

  readonly #ownHandler: EdgeHandler = {
    onEffects: () => undefined,
    onClosed: () => this.#onOwnEnd(),
  };

  /** D5. Reading its own end, a server closes the connections of its edges and joins anew. */
  #onOwnEnd(): void {
    const membership = this.#membership;
    if (this.#closed || membership === undefined) return;
    if (membership.isReplaced) {
      const name = membership.edge.slice("server/".length);
      const message = `another server named ${name} has joined the log, so this one has ended; give each a name of its own with --name`;
      this.#fail(new LogError(message, { definite: true }));
      return;
    }
    this.#logger.log("warn", "the other servers took this one as ended; joining anew");
    for (const port of [...this.#ports.values()]) {
      if (membership.mayReturn(port.edge)) this.#release(port);
    }
    this.#join();
  }

  /** An edge of another process is not this server's any more; its link is closed. */
  #release(port: Port): void {
    this.#ports.delete(keyOf(port));
    this.#ready.delete(port);
    this.#membership?.forget(keyOf(port));
    port.replaced();
  }

  /** The host cannot go on: nothing more is appended, applied or told. */
  #fail(error: LogError): void {
    if (this.#closed) return;
    this.#logger.log("error", error.message);
    this.abandon();
    for (const { reject } of this.#awaited.splice(0)) reject(error);
    this.#onFailed(error);
  }

  /** Attaches an edge of this process. */
  readonly connectEdge: ConnectEdge = (edge, handler): CoreLink =>
    connectLocalEdge(this, this.#membership?.nameOf(edge) ?? edge, handler, {
      incarnation: this.#newIncarnation(),
      ...(this.#membership === undefined ? {} : { as: "local" }),
    });

  /**
   * Resolves when everything is applied that any server has appended so far.
   * @throws LogError when the log does not say where it ends
   */
  async catchUp(): Promise<void> {
    const at = await this.#log.head();
    if (this.#core.sequence >= at || this.#closed) return;
    await new Promise<void>((resolve, reject) => this.#awaited.push({ at, resolve, reject }));
  }

  get hasStopped(): boolean {
    return this.#closed;
  }

  /** Whether other servers may know more of an edge than this one does yet. */
  get isShared(): boolean {
    return this.#membership !== undefined;
  }

  /** What the clock shows that stamps the log, microseconds. */
  logClockUs(): number {
    return this.#log.clockUs?.() ?? this.clock.nowUs();
  }

  /**
   * Attaches an edge of this process that outlives it: after a crash the next process goes on with
   * the incarnation that the log has, and what waits for the edge does not end with it.
   */
  connectLastingEdge(
    edge: string,
    handler: EdgeHandler,
    life: { readonly incarnation?: number | undefined; readonly seenSequence?: number | undefined },
  ): CoreLink {
    const incarnation = life.incarnation ?? this.#newIncarnation();
    const leaseUs = this.limits.edgeLeaseUsMax;
    const { seenSequence } = life;
    return connectLocalEdge(this, edge, handler, { incarnation, leaseUs, seenSequence });
  }

  /** The messages of topics, for edges of this process. */
  readonly topics: TopicLink = {
    write: (message) => this.#payloads.write(message),
    read: ({ scope, topic, after, bytesMax }) =>
      this.#payloads.read(this.#core.readTopic(scope, topic, after), bytesMax),
  };

  describe(scope: string, barrier?: string): ScopeDescription {
    return this.#core.describe(scope, barrier);
  }

  listEvents(scope: string, after: number): EventPage {
    return this.#core.listEvents(scope, after);
  }

  /** Log time, microseconds. */
  get nowUs(): number {
    return this.#core.nowUs;
  }

  /** What is in the core, and what is on its way there. */
  figures(): CoreFigures & { readonly mailboxCommands: number } {
    let mailboxCommands = this.#own?.source.depth ?? 0;
    for (const { source } of this.#ports.values()) {
      if (source !== this.#own?.source) mailboxCommands += source.depth;
    }
    return { ...this.#core.figures(), mailboxCommands };
  }

  digest(): string {
    return this.#core.digest();
  }

  observe(observer: Observer): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Puts a port in place; a port of the same incarnation that was there is replaced. */
  attach(port: Port, seenSequence: number): void {
    const key = keyOf(port);
    const before = this.#ports.get(key);
    this.#ports.set(key, port);
    if (before !== undefined) {
      this.#ready.delete(before);
      before.replaced();
    }
    this.#store.drop(port, seenSequence);
    for (const { sequence, effects } of this.#store.after(port, seenSequence)) {
      port.deliver(sequence, effects);
    }
    if (this.isLogAway) port.logAway(true);
    this.wake(port);
  }

  /** The port is gone. `lost`: its edge may come back within its lease. */
  detach(port: Port, lost: boolean): void {
    if (this.#ports.get(keyOf(port)) !== port) return;
    this.#ports.delete(keyOf(port));
    this.#ready.delete(port);
    if (!lost || this.#closed) return;
    const { edge, incarnation } = port;
    this.#own?.source.submitAlways({ kind: "detach", edge, incarnation });
  }

  /** What an incarnation, also an ended one, has been told and may not have heard. */
  keptFor(incarnation: Pick<Port, "edge" | "incarnation">, seenSequence: number): readonly Kept[] {
    return this.#store.after(incarnation, seenSequence);
  }

  /** The edge has these effects; they need not be kept. */
  acknowledgeEffects(port: Port, sequence: number): void {
    const dropped = this.#store.drop(port, sequence);
    if (!this.#membership?.countSeen(keyOf(port), dropped)) return;
    const { edge, incarnation } = port;
    this.#own?.source.submitAlways({ kind: "seen", edge, incarnation, sequence });
  }

  /** Parties of an incarnation that wait at barriers. */
  waitersOf({ edge, incarnation }: Pick<Port, "edge" | "incarnation">): number {
    return this.#core.waitersOf(edge, incarnation);
  }

  /** What is there, for who lets in by it. */
  get facts(): CoreFacts {
    return this.#core;
  }

  lastBatch(edge: string, incarnation: number): number {
    return this.#core.lastBatch(edge, incarnation);
  }

  /** There is something to append: it goes out when this turn has handled its input. */
  wake(port: Port): void {
    this.#ready.add(port);
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#closed) return;
    this.#flushScheduled = true;
    this.clock.endOfTurn(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  /** Stops; what is in flight is still appended. The log stays open: it belongs to the caller. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      if (this.#own === undefined) return resolve();
      const cancel = this.clock.after(closeWaitMs, resolve);
      void this.#own.close().then(() => {
        cancel();
        resolve();
      });
    });
    this.#closed = true;
    this.#watch.close();
    this.#cancelTimer();
    this.#reader?.stop();
  }

  /** Stops as a crash would: nothing more is appended, applied or told. */
  abandon(): void {
    this.#closed = true;
    this.#watch.close();
    this.#cancelTimer();
    this.#reader?.stop();
  }

  #onLogAway(isAway: boolean): void {
    const text = isAway ? "the log takes nothing; who waits is told so" : "the log is back";
    this.#logger.log("warn", text);
    for (const port of [...this.#ports.values()]) port.logAway(isAway);
  }

  #flush(): void {
    if (this.#closed || this.#failed) return;
    while (this.#inFlight < this.limits.appendsInFlightMax) {
      const batches = this.#takeBatches();
      if (batches.length === 0 && !this.#tickDue) return;
      this.#tickDue = false;
      this.#append(batches);
    }
  }

  /** The next batch of everybody, the host's own first. */
  #takeBatches(): readonly Batch[] {
    const batches: Batch[] = [];
    const own = this.#own?.source.take();
    if (own !== undefined) batches.push(own);
    // The loss of a link goes before what its edge sends when it is back, or the lease would run
    // for an edge that is here.
    if (this.#own?.source.hasQueued) return batches;
    for (const port of this.#ready) {
      const batch = port.source.take();
      if (batch !== undefined) batches.push(batch);
      if (!port.source.hasQueued) this.#ready.delete(port);
    }
    return batches;
  }

  #append(batches: readonly Batch[]): void {
    const server = this.#membership?.life;
    const entry: Entry = { format: 1, ...(server && { server }), batches };
    this.#inFlight += 1;
    this.#watch.sent();
    const startedUs = this.clock.nowUs();
    this.#log.append(entry).then(
      () => {
        this.#onAppended(this.clock.nowUs() - startedUs);
        this.#inFlight -= 1;
        if (this.#closed) return;
        this.#watch.taken(this.#inFlight > 0 || this.#failed);
        this.#retryMs = retryDelayMs.first;
        if (this.#failed) this.#retryWhenQuiet();
        else this.#scheduleFlush();
      },
      (error: unknown) => {
        this.#inFlight -= 1;
        this.#logger.log("warn", `the log did not take an entry, trying again: ${String(error)}`);
        this.#failed = true;
        this.#retryWhenQuiet();
      },
    );
  }

  /** H2. Waits until nothing is in flight, because a later batch may not overtake a failed one. */
  #retryWhenQuiet(): void {
    if (this.#inFlight > 0 || this.#closed) return;
    this.clock.after(this.#retryMs, () => {
      if (this.#closed) return;
      this.#failed = false;
      // An entry goes out in any case: it tells whether the log is back, and carries time.
      this.#tickDue = true;
      this.#appendAgain();
      this.#scheduleFlush();
    });
    this.#retryMs = Math.min(this.#retryMs * 2, retryDelayMs.max);
  }

  /** Everything that was not applied, in entries of the usual size. */
  #appendAgain(): void {
    const own: readonly Batch[] = this.#own?.source.unacknowledged() ?? [];
    const others = [...this.#ports.values()].filter(({ source }) => source !== this.#own?.source);
    const batches = [...own, ...others.flatMap(({ source }) => source.unacknowledged())];
    let entry: Batch[] = [];
    let commands = 0;
    for (const batch of batches) {
      if (commands > 0 && commands + batch.commands.length > this.limits.entryCommandsMax) {
        this.#append(entry);
        [entry, commands] = [[], 0];
      }
      entry.push(batch);
      commands += batch.commands.length;
    }
    if (entry.length > 0) this.#append(entry);
  }

  /**
   * A `detach` may be in the log later than the return of its edge: its append failed, and was
   * repeated. Nobody else knows that the edge is here.
   */
  #correct({ commands }: Batch): void {
    for (const command of commands) {
      if (command.kind === "seen") this.#store.drop(command, command.sequence);
      if (command.kind !== "detach") continue;
      const { edge, incarnation } = command;
      if (!this.#ports.has(keyOf(command))) {
        if (this.#core.lastBatch(edge, incarnation) === 0) this.publications.forget(command);
        continue;
      }
      this.#own?.source.submitAlways({ kind: "attached", edge, incarnation });
    }
  }

  #deliver(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      // Also when an entry before it has stopped this host.
      if (this.#closed) return;
      const applied = this.#core.apply(entry);
      for (const id of applied.keptPayloads) this.publications.kept(id);
      this.#handOut(entry.sequence, applied);
      if (applied.freedPayloads.length > 0) this.#free(applied.freedPayloads);
      for (const batch of entry.entry.batches) {
        this.#acknowledge(batch);
        this.#correct(batch);
      }
      if (this.#membership !== undefined) this.#noteServer(entry, this.#membership);
      for (const observer of this.#observers) observer(entry, applied);
    }
    if (this.#closed) return;
    this.#lastDeliveryUs = this.clock.nowUs();
    // Also where the log's word that it took them was lost.
    this.#watch.taken(this.#inFlight > 0 || this.#failed);
    this.#armTimer();
    const { sequence } = this.#core;
    const reached = this.#awaited.filter(({ at }) => at <= sequence);
    if (reached.length > 0) this.#awaited = this.#awaited.filter(({ at }) => at > sequence);
    for (const { resolve } of reached) resolve();
  }

  /** What an entry says of this server, and of edges that are another's now. */
  #noteServer({ sequence, entry }: LogEntry, membership: ServerMembership): void {
    if (membership.digests.isDue(sequence)) {
      const told = membership.digests.computed(sequence, this.#core.digest());
      this.#own?.source.submitAlways(told);
    }
    const wrong = membership.judgeDigests(entry);
    if (wrong !== undefined) this.#fail(new LogError(wrong, { definite: true }));
    if (membership.appended(entry)) {
      membership.heard(this.clock.nowUs());
      return;
    }
    for (const batch of entry.batches) {
      const port = this.#ports.get(keyOf(batch));
      if (port !== undefined && membership.isMove(batch)) this.#release(port);
    }
  }

  #handOut(sequence: number, { addressed }: Applied): void {
    if (addressed.length === 0) return;
    const byEdge = new Map<string, { readonly edge: string; readonly effects: EdgeEffect[] }>();
    for (const to of addressed) {
      if (to.effect.kind === "revoked") this.publications.ended(to);
      const key = keyOf(to);
      const known = byEdge.get(key);
      if (known === undefined) byEdge.set(key, { edge: to.edge, effects: [to.effect] });
      else known.effects.push(to.effect);
    }
    for (const [key, { edge, effects }] of byEdge) {
      if (this.#ports.get(key)?.deliver(sequence, effects)) continue;
      if (this.#membership?.mayReturn(edge) ?? true) this.#store.keep(key, sequence, effects);
    }
  }

  /** What could not be deleted costs room until the next start, which deletes it (D11). */
  #free(payloads: readonly number[]): void {
    try {
      this.#payloads.free(payloads);
    } catch (error) {
      this.#logger.log("warn", `messages of an ended scope stay for now: ${String(error)}`);
    }
  }

  #acknowledge(batch: Batch): void {
    const port = this.#ports.get(keyOf(batch));
    const number = this.#core.lastBatch(batch.edge, batch.incarnation);
    if (this.publications.size > 0) this.publications.applied(batch, number);
    if (port === undefined) return;
    if (number > 0) port.applied(number, port.source.acknowledge(number));
  }

  /** One timer: the next deadline of log time, or the tick that keeps log time moving (D2, D3). */
  #armTimer(): void {
    this.#cancelTimer();
    const steadyUs = this.#steadyTicks ? this.#core.nowUs + tickIntervalUs : undefined;
    const dueUs = this.#core.nextDeadlineUs() ?? steadyUs;
    if (dueUs === undefined || this.#closed) return;
    const sinceDeliveryUs = this.clock.nowUs() - this.#lastDeliveryUs;
    const tickUs = Math.min(dueUs - this.#core.nowUs, tickIntervalUs) - sinceDeliveryUs;
    const waitUs = this.#membership ? this.#waitAmongServersUs(tickUs, this.#membership) : tickUs;
    // Rounded up: a timer takes whole milliseconds, and a tick that comes early is wasted.
    this.#cancelTimer = this.clock.after(Math.max(0, Math.ceil(waitUs / 1000)), () => {
      this.#tickDue = true;
      this.#scheduleFlush();
    });
  }

  /** V1, V2. While an entry of ours is on its way it says that this server lives. */
  #waitAmongServersUs(tickUs: number, membership: ServerMembership): number {
    const waitUs = tickUs + membership.tickDelayUs;
    const heartbeatUs = membership.untilHeartbeatUs(this.clock.nowUs());
    return this.#inFlight > 0 ? waitUs : Math.min(waitUs, heartbeatUs);
  }
}
