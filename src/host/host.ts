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
import type {
  BarrierPageAsk,
  CoreFigures,
  EventPage,
  ScopeDescription,
} from "../core/description.ts";
import type { Applied } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";
import { type CoreFacts, Service } from "../core/service.ts";
import { CannotFollow, coreVersionMax, snapshotsVersion } from "../core/version.ts";
import { fenceOf, type Log, LogError, type LogReader } from "../engine/log.ts";
import { MemoryPayloads, type Payloads } from "../engine/payloads.ts";
import { AwaitedEntries } from "./awaited-entries.ts";
import type { Clock } from "./clock.ts";
import type { ConnectEdge, CoreLink, EdgeHandler } from "./core-link.ts";
import { cutBatches } from "./cut-batches.ts";
import { DigestOnce } from "./digest-once.ts";
import type { Kept } from "./effect-store.ts";
import { byEdge, EffectStore } from "./effect-store.ts";
import type { HostOptions, Observer, SnapshotSource } from "./host-options.ts";
import { newIncarnation } from "./ids.ts";
import { keyOf, LifeTable } from "./life-table.ts";
import { connectLocalEdge, endLocalEdge, LocalLink } from "./local-link.ts";
import { LogWatch } from "./log-watch.ts";
import type { Logger } from "./logger.ts";
import { LostAppends } from "./lost-appends.ts";
import type { Port, PortHost } from "./port.ts";
import { Publications } from "./publications.ts";
import { ReadyPorts, unacknowledged } from "./ready-ports.ts";
import { SeenCount } from "./seen-count.ts";
import { ServerMembership, serverLeaseUs } from "./server-membership.ts";
import { checkEnd, settlePayloads } from "./settle-payloads.ts";
import { TickTimer } from "./tick-timer.ts";
import type { TopicLink } from "./topic-link.ts";

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
  /** Names a life of an edge of this process. */
  readonly newIncarnation: () => number;
  readonly #onAppended: (tookUs: number) => void;
  readonly #onFailed: (error: LogError) => void;
  readonly #membership: ServerMembership | undefined;
  readonly #snapshots: SnapshotSource | undefined;
  /** By edge and incarnation: one that ends still has to be told so when the next is here. */
  readonly #ports = new LifeTable<Port>();
  /** Those that may have something to take: there can be thousands, and few speak in one turn. */
  readonly #ready = new ReadyPorts();
  readonly #store = new EffectStore();
  readonly #seen = new SeenCount();
  readonly #observers = new Set<Observer>();
  readonly #watch: LogWatch;
  readonly #lost = new LostAppends();
  readonly #digests = new DigestOnce();
  readonly #timer: TickTimer;
  #reader: LogReader | undefined;
  #own: LocalLink | undefined;
  #flushScheduled = false;
  #tickDue = false;
  #inFlight = 0;
  #failed = false;
  #retryMs = retryDelayMs.first;
  #closed = false;
  readonly #awaited = new AwaitedEntries();

  constructor(options: HostOptions) {
    const { log, clock, limits, logger, steadyTicks = false } = options;
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
    this.newIncarnation = options.newIncarnation ?? newIncarnation;
    this.#onFailed = options.onFailed ?? (() => undefined);
    this.#core = new Service(limits);
    this.#snapshots = options.snapshots;
    if (options.server !== undefined) {
      const { server, build = "", digestEveryEntries } = options;
      this.#membership = new ServerMembership(server, this.#core, { build, digestEveryEntries });
    }
    this.#timer = new TickTimer({
      ...{ clock, core: this.#core, membership: this.#membership, steadyTicks },
      onDue: () => this.#tick(),
    });
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

  /**
   * Replays the log, behind a snapshot if there is one; afterwards edges of a former life that may
   * come back have their leases running, and those that may not have ended.
   */
  async start(): Promise<void> {
    await this.#snapshots?.load({ core: this.#core, store: this.#store });
    const head = await fenceOf(this.#log);
    checkEnd(this.#core.sequence, head);
    const replayed = this.#awaited.until(head);
    this.#read();
    this.#awaited.applied(this.#core.sequence);
    await replayed;
    if (this.#closed) return;
    await settlePayloads(this.#payloads, () => this.#core.payloads());
    this.#join();
    // Where several servers have the log, this one's last life ends with the beginning of the next.
    if (this.#membership !== undefined) return;
    for (const { name: edge, incarnation, attached, role } of this.#core.livingEdges()) {
      if (this.#ports.has({ edge, incarnation })) continue;
      if (role === "local") endLocalEdge(this, edge, incarnation, this.#core.sequence);
      else if (attached) this.#own?.source.submitAlways({ kind: "detach", edge, incarnation });
    }
  }

  #read(): void {
    const onLost = (error: LogError): void => {
      if (error.isCut && this.#snapshots !== undefined) void this.#leap(this.#snapshots, error);
      else this.#fail(error);
    };
    const from = this.#core.sequence + 1;
    this.#reader = this.#log.read(from, (entries) => this.#deliver(entries), onLost);
  }

  /**
   * What comes next was cut away while this server was away. It goes on behind the newest snapshot,
   * and whoever is connected starts anew: what was said to them meanwhile is not known here.
   */
  async #leap(snapshots: SnapshotSource, cut: LogError): Promise<void> {
    const before = this.#core.sequence;
    try {
      await snapshots.load({ core: this.#core, store: this.#store });
      if (this.#core.sequence <= before) throw cut;
    } catch (error) {
      this.#fail(error instanceof LogError ? error : cut);
    }
    if (this.#closed) return;
    const [own, why] = [
      this.#own,
      `the log was cut behind entry ${before} while this server was away`,
    ];
    this.#logger.log("warn", `${why}; going on behind entry ${this.#core.sequence}`);
    this.#read();
    for (const port of this.#ports.values()) {
      if (port !== own && port instanceof LocalLink) port.end(why);
    }
    own?.end(why);
    this.#applied();
  }

  /** The host's own edge, by which it says what it sees of others. */
  #join(): void {
    const incarnation = this.newIncarnation();
    const membership = this.#membership;
    membership?.begin(incarnation, this.clock.nowUs());
    this.#lost.forget();
    const asServer = { as: "server", leaseUs: serverLeaseUs, offers: coreVersionMax } as const;
    const life = { incarnation, ...(membership ? asServer : { as: "local" as const }) };
    this.#own = connectLocalEdge(this, membership?.edge ?? "host", this.#ownHandler, life);
    this.#raiseVersion(coreVersionMax);
  }

  /** D12. Decided in the log, where every server sees what each of them offers. */
  #raiseVersion(version: number): void {
    if (version > this.#core.version) this.#own?.source.submitAlways({ kind: "version", version });
  }

  readonly #ownHandler: EdgeHandler = {
    onEffects: () => undefined,
    onClosed: () => this.#onOwnEnd(),
  };

  /** D5. Reading its own end, a server closes the connections of its edges and joins anew. */
  #onOwnEnd(): void {
    const membership = this.#membership;
    if (this.#closed || membership === undefined) return;
    const replaced = membership.whyReplaced();
    if (replaced !== undefined) this.#fail(replaced);
    if (this.#closed) return;
    this.#logger.log("warn", "the other servers took this one as ended; joining anew");
    for (const port of this.#ports.values()) {
      if (!(port instanceof LocalLink)) this.#release(port);
    }
    this.#join();
    // What the ended life has appended late the core passes over, and says nothing (H2).
    this.#failed = true;
    this.#retryWhenQuiet();
  }

  /** An edge of another process is not this server's any more; its link is closed. */
  #release(port: Port): void {
    this.#ports.delete(port);
    this.#ready.delete(port);
    this.#seen.forget(keyOf(port));
    port.replaced();
  }

  /** The host cannot go on: nothing more is appended, applied or told. */
  #fail(error: LogError): void {
    if (this.#closed) return;
    this.#logger.log("error", error.message);
    this.abandon();
    this.#awaited.fail(error);
    this.#onFailed(error);
  }

  /** Attaches an edge of this process. */
  readonly connectEdge: ConnectEdge = (edge, handler): CoreLink =>
    connectLocalEdge(this, this.#membership?.nameOf(edge) ?? edge, handler, {
      incarnation: this.newIncarnation(),
      as: "local",
    });

  /**
   * Resolves when everything is applied that any server has appended so far.
   * @throws LogError when the log does not say where it ends
   */
  async catchUp(): Promise<void> {
    const at = await fenceOf(this.#log);
    if (this.#core.sequence < at && !this.#closed) await this.#awaited.until(at);
  }

  get hasStopped(): boolean {
    return this.#closed;
  }

  /** Whether snapshots are this server's to make (K1). */
  get makesSnapshots(): boolean {
    const isOld = this.#core.version < snapshotsVersion;
    return this.isStarted && !isOld && (this.#membership?.isFirst ?? true);
  }

  /**
   * There is a snapshot at this entry.
   * @param cut is called when every server that lives is beyond it
   */
  tellSnapshot(sequence: number, cut: () => void): void {
    this.#membership?.whenReached(sequence, cut);
    this.#own?.source.submitAlways({ kind: "snapshot", sequence });
  }

  /** Whether other servers may know more of an edge than this one does yet. */
  get isShared(): boolean {
    return this.#membership !== undefined;
  }

  /** What the clock shows that stamps the log, microseconds. */
  logClockUs(): number {
    return this.#log.clockUs?.() ?? this.clock.nowUs();
  }

  /** The messages of topics, for edges of this process. */
  readonly topics: TopicLink = {
    write: (message) => this.#payloads.write(message),
    free: ({ id }) => this.#free([id]),
    read: ({ scope, topic, after, bytesMax }) =>
      this.#payloads.read(this.#core.readTopic(scope, topic, after), bytesMax),
  };

  /** Of one barrier, or of a page of them, or of all. */
  describe(scope: string, barrier?: string, page?: BarrierPageAsk): ScopeDescription {
    return this.#core.describe(scope, barrier, page);
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
    return this.#digests.of(this.#core).all;
  }

  observe(observer: Observer): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Puts a port in place; a port of the same incarnation that was there is replaced. */
  attach(port: Port, seenSequence: number): void {
    const before = this.#ports.get(port);
    this.#ports.set(port, port);
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
    if (this.#ports.get(port) !== port) return;
    this.#ports.delete(port);
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
    // A log that only this process reads need not be told.
    if (this.#membership === undefined && this.#snapshots === undefined) return;
    if (!this.#seen.add(keyOf(port), dropped)) return;
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
      void this.#own.close().then(cancel).then(resolve);
    });
    this.abandon();
  }

  /** Stops as a crash would: nothing more is appended, applied or told. */
  abandon(): void {
    this.#closed = true;
    this.#watch.close();
    this.#timer.stop();
    this.#reader?.stop();
  }

  /** As `abandon`, and nobody waits any more for the end of an edge to be in the log. */
  leaveLog(): void {
    this.abandon();
    for (const port of this.#ports.values()) if (port instanceof LocalLink) port.leave();
  }

  #onLogAway(isAway: boolean): void {
    const text = isAway ? "the log takes nothing; who waits is told so" : "the log is back";
    this.#logger.log("warn", text);
    for (const port of this.#ports.values()) port.logAway(isAway);
  }

  #flush(): void {
    if (this.#closed || this.#failed) return;
    while (this.#inFlight < this.limits.appendsInFlightMax) {
      const batches = this.#ready.take(this.#own);
      if (batches.length === 0 && !this.#tickDue) return;
      this.#tickDue = false;
      this.#append(batches);
    }
  }

  #append(batches: readonly Batch[]): void {
    const server = this.#membership?.life;
    const entry: Entry = { format: 1, ...(server && { server }), batches };
    const { life } = this.#lost;
    this.#inFlight += 1;
    this.#watch.sent();
    const startedUs = this.clock.nowUs();
    this.#log.append(entry).then(
      (sequence) => {
        this.#onAppended(this.clock.nowUs() - startedUs);
        this.#inFlight -= 1;
        if (this.#closed) return;
        const isServer = server !== undefined;
        if (isServer && this.#lost.taken(life, sequence, this.#core.sequence)) this.#onLoss();
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

  #onLoss(): void {
    this.#logger.log("warn", "the log has lost an entry that it took; appending it again");
    this.#failed = true;
    this.#retryWhenQuiet();
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
    // The first word of a life goes before all that is to count (E5).
    while (this.#own?.source.hasQueued) this.#own.source.take();
    const batches = unacknowledged(this.#own, this.#ports.values());
    for (const entry of cutBatches(batches, this.limits.entryCommandsMax)) this.#append(entry);
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
      if (!this.#ports.has(command)) {
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
      const applied = this.#apply(entry);
      if (applied === undefined) return;
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
    if (!this.#closed) this.#applied();
  }

  #apply(entry: LogEntry): Applied | undefined {
    try {
      return this.#core.apply(entry);
    } catch (error) {
      // D12: nothing of the entry has left.
      if (!(error instanceof CannotFollow)) throw error;
      this.#fail(new LogError(error.message, { definite: true, cause: error }));
      return undefined;
    }
  }

  /** The core is at another entry. */
  #applied(): void {
    // Also where the log's word that it took them was lost.
    this.#watch.taken(this.#inFlight > 0 || this.#failed);
    this.#timer.applied(this.#inFlight > 0);
    this.#awaited.applied(this.#core.sequence);
  }

  /** What an entry says of this server, and of edges that are another's now. */
  #noteServer({ sequence, entry }: LogEntry, membership: ServerMembership): void {
    if (membership.digests.isDue(sequence)) {
      const told = membership.digests.computed(sequence, this.#digests.of(this.#core));
      this.#own?.source.submitAlways(told);
    }
    const { verdict, answers } = membership.read(entry);
    if (verdict?.isWrong) this.#fail(new LogError(verdict.message, { definite: true }));
    else if (verdict !== undefined) this.#logger.log("warn", verdict.message);
    for (const answer of answers) this.#own?.source.submitAlways(answer);
    if (this.#lost.delivered(sequence, membership.appended(entry))) this.#onLoss();
    if (membership.appended(entry)) {
      membership.heard(this.clock.nowUs());
      return;
    }
    for (const batch of entry.batches) {
      const port = this.#ports.get(batch);
      if (port !== undefined && membership.isMove(batch)) this.#release(port);
    }
  }

  #handOut(sequence: number, { addressed }: Applied): void {
    if (addressed.length === 0) return;
    for (const to of addressed) {
      if (to.effect.kind === "revoked") this.publications.ended(to);
    }
    for (const { life, effects } of byEdge(addressed)) {
      if (this.#ports.get(life)?.deliver(sequence, effects)) continue;
      if (this.#core.mayReturn(life.edge)) this.#store.keep(life, sequence, effects);
    }
  }

  /** What could not be deleted costs room until the next start, which deletes it (D11). */
  #free(payloads: readonly number[]): void {
    try {
      this.#payloads.free(payloads);
    } catch (error) {
      this.#logger.log("warn", `messages that nobody can read stay for now: ${String(error)}`);
    }
  }

  #acknowledge(batch: Batch): void {
    const port = this.#ports.get(batch);
    const number = this.#core.lastBatch(batch.edge, batch.incarnation);
    if (this.publications.size > 0) this.publications.applied(batch, number);
    if (port === undefined) return;
    if (number > 0) port.applied(number, port.source.acknowledge(number));
  }

  #tick(): void {
    this.#tickDue = true;
    if (this.#membership?.isFirst) this.#raiseVersion(this.#core.offeredVersion);
    this.#scheduleFlush();
  }
}
