// SPDX-License-Identifier: MIT
// Host: the loop around one core. Replays the log, applies what it delivers, says what that means
// for the server and its edges, and keeps ONE timer armed. Commands get into the log by its
// appender (H2), effects to the edges by its ports (H3); the append is the only place where it
// waits between a command and its effects.
//
//   H1. Effects leave only after their entry came back from the log.
import type { Batch, LogEntry, PayloadRef } from "../core/command.ts";
import type { CoreFacts } from "../core/core-facts.ts";
import type {
  BarrierPageAsk,
  CoreFigures,
  EventPage,
  ScopeDescription,
} from "../core/description.ts";
import type { Applied } from "../core/effect.ts";
import { type Limits, unusualLimits } from "../core/limits.ts";
import { Service } from "../core/service.ts";
import type { ToldLimits } from "../core/told-limits.ts";
import { CannotFollow, snapshotsVersion } from "../core/version.ts";
import { fenceOf, type Log, LogError, type LogReader } from "../engine/log.ts";
import { MemoryPayloads, type Payloads } from "../engine/payloads.ts";
import { Appender } from "./appender.ts";
import { AttachedPorts } from "./attached-ports.ts";
import { AwaitedEntries } from "./awaited-entries.ts";
import type { Clock } from "./clock.ts";
import type { ConnectEdge, CoreLink } from "./core-link.ts";
import { DigestOnce } from "./digest-once.ts";
import type { Kept } from "./effect-store.ts";
import type { HostOptions, Observer, SnapshotSource } from "./host-options.ts";
import { newIncarnation } from "./ids.ts";
import { LimitTeller } from "./limit-teller.ts";
import { limitsBefore } from "./limits-before.ts";
import { loadPatiently } from "./load-patiently.ts";
import { connectLocalEdge, endLocalEdge, LocalLink } from "./local-link.ts";
import type { Logger } from "./logger.ts";
import { createMessageWriter } from "./message-writer.ts";
import { OwnEdge } from "./own-edge.ts";
import type { Port, PortHost } from "./port.ts";
import { Publications } from "./publications.ts";
import { edgeReplaced, ServerMembership, serverLeaseUs } from "./server-membership.ts";
import { checkEnd, settlePayloads } from "./settle-payloads.ts";
import { TickTimer } from "./tick-timer.ts";
import type { TopicLink } from "./topic-link.ts";

/** A log that takes nothing for this long does not keep the host from closing. */
const closeWaitMs = 2_000;

export class Host implements PortHost {
  readonly clock: Clock;
  /** Those that hold: of the core what the log says, of the process what it was told. */
  readonly limits: Limits;
  /** Messages of sessions on their way to the log. */
  readonly publications: Publications;
  readonly #log: Log;
  readonly #payloads: Payloads;
  readonly #writeMessage: (message: Uint8Array) => Promise<PayloadRef>;
  readonly #logger: Logger;
  readonly #core: Service;
  /** Names a life of an edge of this process. */
  readonly newIncarnation: () => number;
  readonly #onFailed: (error: LogError) => void;
  readonly #membership: ServerMembership | undefined;
  readonly #snapshots: SnapshotSource | undefined;
  readonly #ports: AttachedPorts;
  readonly #own: OwnEdge;
  readonly #told: LimitTeller;
  readonly #appender: Appender;
  readonly #observers = new Set<Observer>();
  readonly #digests = new DigestOnce();
  readonly #timer: TickTimer;
  #reader: LogReader | undefined;
  #closed = false;
  #uncut = 0;
  /** What fails before is told to who starts the host, which is not to be said twice. */
  #hasReplayed = false;
  readonly #awaited = new AwaitedEntries();
  /** Settled when the life of this server among others is in the log, or it has failed. */
  readonly #joining = Promise.withResolvers<LogError | undefined>();

  constructor(options: HostOptions) {
    const { log, clock, logger, steadyTicks = false } = options;
    this.#log = log;
    this.#payloads = options.payloads ?? new MemoryPayloads();
    this.#writeMessage = createMessageWriter(this.#payloads, logger, clock);
    this.publications = new Publications({
      write: this.#writeMessage,
      free: (ids) => this.#free(ids),
    });
    this.clock = clock;
    this.#logger = logger;
    this.newIncarnation = options.newIncarnation ?? newIncarnation;
    this.#onFailed = options.onFailed ?? (() => undefined);
    this.#core = new Service(options.limits);
    const { current: limits } = this.#core.toldLimits;
    this.limits = limits;
    this.#snapshots = options.snapshots;
    if (options.server !== undefined) {
      const { server, build = "", digestEveryEntries, whenReplaced } = options;
      const told = { build, digestEveryEntries, whenReplaced };
      this.#membership = new ServerMembership(server, this.#core, told);
    }
    this.#timer = new TickTimer({
      ...{ clock, core: this.#core, membership: this.#membership, steadyTicks },
      onDue: () => this.#tick(),
    });
    const shared = { clock, membership: this.#membership };
    this.#ports = new AttachedPorts((edge) => this.#core.mayReturn(edge));
    this.#told = new LimitTeller({
      ...{ core: this.#core, logger, server: this.#membership?.edge ?? "" },
      told: options.toldLimits ?? unusualLimits(options.limits),
      say: (command) => this.#own.say(command),
      isQuiet: () => this.#own.isQuiet,
    });
    const onEnd = (): void => this.#onOwnEnd();
    const own = { host: this, core: this.#core, limits: this.#told, onEnd };
    this.#own = new OwnEdge({ ...shared, ...own });
    this.#appender = new Appender({
      ...{ ...shared, log, limits, logger },
      appliedSequence: () => this.#core.sequence,
      own: () => this.#own.link,
      ports: () => this.#ports.values(),
      onAppended: options.onAppended ?? (() => undefined),
      onLogAway: (isAway) => this.#onLogAway(isAway),
    });
  }

  /** Whether the log has taken nothing for too long; what was submitted may still happen (D10). */
  get isLogAway(): boolean {
    return this.#appender.isLogAway;
  }

  /** What is wrong with how the log is kept (log-care.ts). */
  logObjection: string | undefined;

  /** Whether the log has been replayed; before that nobody can be told what is known of them. */
  get isStarted(): boolean {
    return this.#own.link !== undefined && !this.#closed;
  }

  /**
   * Replays the log, behind a snapshot if there is one; afterwards edges of a former life that may
   * come back have their leases running, and those that may not have ended.
   */
  async start(): Promise<void> {
    await this.#snapshots?.load({ core: this.#core, store: this.#ports.store });
    const head = await fenceOf(this.#log);
    checkEnd(this.#core.sequence, head);
    await this.#judgeBefore(head);
    const replayed = this.#awaited.until(head);
    this.#read();
    this.#awaited.applied(this.#core.sequence);
    await replayed;
    this.#hasReplayed = true;
    if (this.#closed) return;
    await settlePayloads(this.#payloads, () => this.#core.payloads());
    this.#told.check();
    this.#join();
    // Where several servers have the log, this one's last life ends with the beginning of the next.
    if (this.#membership === undefined) this.#endFormerEdges();
  }

  /**
   * Resolves when the log has it that this server lives, where several have the log: from there on
   * nothing counts that one before it of the same name appends. @throws LogError
   */
  async joined(): Promise<void> {
    const error = this.#membership === undefined ? undefined : await this.#joining.promise;
    if (error !== undefined) throw error;
  }

  /** Whether another server has joined under its name, which it has ended for. */
  get wasReplaced(): boolean {
    return this.#membership?.ended().isForGood ?? false;
  }

  /** Resolves when the limits hold that this server was told, or have to wait for older builds. */
  limitsTold(): Promise<void> {
    return this.#told.settled();
  }

  /** Those of a process before this one, which had the log alone. */
  #endFormerEdges(): void {
    for (const { name: edge, incarnation, attached, role } of this.#core.livingEdges()) {
      if (this.#ports.has({ edge, incarnation })) continue;
      if (role === "local") endLocalEdge(this, edge, incarnation, this.#core.sequence);
      else if (attached) this.#own.say({ kind: "detach", edge, incarnation });
    }
  }

  async #judgeBefore(head: number): Promise<void> {
    const before = await limitsBefore(this.#log, this.#core, head, (reader) => {
      this.#reader = reader;
    });
    if (before !== undefined) this.#core.toldLimits.judgeBefore(before);
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
    const into = { core: this.#core, store: this.#ports.store };
    const { clock } = this;
    const logger = this.#logger;
    try {
      await loadPatiently({ snapshots, into, clock, logger, isOver: () => this.#closed });
      if (this.#core.sequence <= before && !this.#closed) throw cut;
    } catch (error) {
      this.#fail(error instanceof LogError ? error : cut);
    }
    if (this.#closed) return;
    const why = `the log was cut behind entry ${before} while this server was away`;
    this.#logger.log("warn", `${why}; going on behind entry ${this.#core.sequence}`);
    this.#read();
    for (const port of this.#ports.values()) {
      if (port !== this.#own.link && port instanceof LocalLink) port.end(why, true);
    }
    this.#own.end(why);
    this.#applied();
  }

  #join(): void {
    this.#appender.beginLife();
    this.#own.join();
  }

  /** D5. Reading its own end, a server closes the connections of its edges and joins anew. */
  #onOwnEnd(): void {
    const membership = this.#membership;
    if (this.#closed || membership === undefined) return;
    const { why, isForGood } = membership.ended();
    if (isForGood) {
      this.#fail(new LogError(why, { definite: true }));
      return;
    }
    this.#logger.log("warn", `${why}; joining anew`);
    for (const port of this.#ports.values()) {
      if (!(port instanceof LocalLink)) this.#release(port);
      else if (port.isPassedOn) port.end(why, true);
    }
    this.#join();
    // Those that outlive a process are lost with a life, though they are here as before.
    for (const port of this.#ports.values()) {
      if (!(port instanceof LocalLink) || port === this.#own.link) continue;
      this.#own.say({ kind: "attached", edge: port.edge, incarnation: port.incarnation });
    }
    // What the ended life has appended late the core passes over, and says nothing (H2).
    this.#appender.repeat();
  }

  whyRevoked(): ReturnType<PortHost["whyRevoked"]> {
    return this.#membership?.whyRevoked() ?? { why: edgeReplaced, isMomentary: false };
  }

  /** An edge of another process is not this server's any more; its link is closed. */
  #release(port: Port): void {
    this.#appender.forget(port);
    this.#ports.release(port);
  }

  /** The host cannot go on: nothing more is appended, applied or told. */
  #fail(error: LogError): void {
    if (this.#closed) return;
    if (this.#hasReplayed) this.#logger.log("error", error.message);
    this.abandon();
    this.#awaited.fail(error);
    this.#joining.resolve(error);
    this.#onFailed(error);
  }

  /** Attaches an edge of this process. */
  readonly connectEdge: ConnectEdge = (edge, handler): CoreLink =>
    connectLocalEdge(this, this.#membership?.nameOf(edge) ?? edge, handler, {
      incarnation: this.newIncarnation(),
      as: "local",
    });

  /**
   * The same, of an edge that outlives this server for as long as its lease: what waits behind it
   * may be taken over by an edge of another one.
   */
  readonly connectPassedOn: ConnectEdge = (edge, handler): CoreLink =>
    connectLocalEdge(this, this.#membership?.nameOf(edge) ?? edge, handler, {
      ...{ incarnation: this.newIncarnation(), isPassedOn: true, leaseUs: serverLeaseUs },
    });

  /** Applies all that any server has appended so far. @throws LogError when nobody says what */
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
    this.#own.say({ kind: "snapshot", sequence });
  }

  /** Its log was not cut: a snapshot that has to be there is not whole. */
  noteUncut(): void {
    this.#uncut += 1;
  }

  /** How often. */
  get uncutCount(): number {
    return this.#uncut;
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
    write: (message) => this.#writeMessage(message),
    free: ({ id }) => this.#free([id]),
    read: ({ scope, topic, after, bytesMax }) =>
      this.#payloads.read(this.#core.readTopic(scope, topic, after), bytesMax),
  };

  /** Messages of topics that the log names, as far as it is applied. */
  namedMessages(): Iterable<number> {
    return this.#core.payloads();
  }

  /** The number of the newest message of a topic that is known here, 0 for none. */
  topicLast(scope: string, topic: string): number {
    return this.#core.topicLast(scope, topic);
  }

  /** Of one barrier, or of a page of them, or of all. */
  describe(scope: string, barrier?: string, page?: BarrierPageAsk): ScopeDescription {
    return this.#core.describe(scope, barrier, page);
  }

  listEvents(scope: string, after: number): EventPage {
    return this.#core.listEvents(scope, after);
  }

  get sequence(): number {
    return this.#core.sequence;
  }

  /** Log time, microseconds. */
  get nowUs(): number {
    return this.#core.nowUs;
  }

  /** What is in the core, and what is on its way there. */
  figures(): CoreFigures & { readonly mailboxCommands: number } {
    const own = this.#own.link?.source;
    let mailboxCommands = own?.depth ?? 0;
    for (const { source } of this.#ports.values()) {
      if (source !== own) mailboxCommands += source.depth;
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
    const before = this.#ports.attach(port, seenSequence);
    if (before !== undefined) this.#appender.forget(before);
    if (this.isLogAway) port.logAway(true);
    this.wake(port);
  }

  /** The port is gone. `lost`: its edge may come back within its lease. */
  detach(port: Port, lost: boolean): void {
    if (!this.#ports.detach(port)) return;
    this.#appender.forget(port);
    if (!lost || this.#closed) return;
    const { edge, incarnation } = port;
    this.#own.say({ kind: "detach", edge, incarnation });
  }

  /** What an incarnation, also an ended one, has been told and may not have heard. */
  keptFor(incarnation: Pick<Port, "edge" | "incarnation">, seenSequence: number): readonly Kept[] {
    return this.#ports.keptFor(incarnation, seenSequence);
  }

  /** The edge has these effects; they need not be kept. */
  acknowledgeEffects(port: Port, sequence: number): void {
    this.#noteSeen(port, sequence, this.#ports.store.drop(port, sequence));
  }

  hasSeen(port: Port, sequence: number): void {
    this.#noteSeen(port, sequence, 1);
  }

  #noteSeen(port: Port, sequence: number, count: number): void {
    // A log that only this process reads need not be told.
    if (this.#membership === undefined && this.#snapshots === undefined) return;
    if (!this.#ports.noteSeen(port, count)) return;
    const { edge, incarnation } = port;
    this.#own.say({ kind: "seen", edge, incarnation, sequence });
  }

  /** Parties of an incarnation that wait at barriers. */
  waitersOf({ edge, incarnation }: Pick<Port, "edge" | "incarnation">): number {
    return this.#core.waitersOf(edge, incarnation);
  }

  /** What is there, for who lets in by it. */
  get facts(): CoreFacts {
    return this.#core;
  }

  /** What the log says of limits, by whom; and what its beginning is judged by that does not. */
  get toldLimits(): Pick<ToldLimits, "rows" | "before"> {
    return this.#core.toldLimits;
  }

  lastBatch(edge: string, incarnation: number): number {
    return this.#core.lastBatch(edge, incarnation);
  }

  /** There is something to append: it goes out when this turn has handled its input. */
  wake(port: Port): void {
    this.#appender.wake(port);
  }

  /** Stops; what is in flight is still appended. The log stays open: it belongs to the caller. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const cancel = this.clock.after(closeWaitMs, resolve);
      void this.#own.close().then(cancel).then(resolve);
    });
    this.abandon();
  }

  /** Stops as a crash would: nothing more is appended, applied or told. */
  abandon(): void {
    this.#closed = true;
    this.#appender.stop();
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

  /**
   * A `detach` may be in the log later than the return of its edge: its append failed, and was
   * repeated. Nobody else knows that the edge is here.
   */
  #correct({ commands }: Batch): void {
    for (const command of commands) {
      if (command.kind === "seen") this.#ports.store.drop(command, command.sequence);
      if (command.kind !== "detach") continue;
      const { edge, incarnation } = command;
      if (!this.#ports.has(command)) {
        if (this.#core.lastBatch(edge, incarnation) === 0) this.publications.forget(command);
        continue;
      }
      this.#own.say({ kind: "attached", edge, incarnation });
    }
  }

  #deliver(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      // Also when an entry before it has stopped this host.
      if (this.#closed) return;
      this.#membership?.readJoin(entry);
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
    this.#appender.applied();
    this.#timer.applied(this.#appender.isAppending);
    this.#awaited.applied(this.#core.sequence);
    this.#told.applied();
  }

  /** What an entry says of this server, and of edges that are another's now. */
  #noteServer({ sequence, entry }: LogEntry, membership: ServerMembership): void {
    if (membership.digests.isDue(sequence)) {
      const told = membership.digests.computed(sequence, this.#digests.of(this.#core));
      this.#own.say(told);
    }
    const { verdict, answers } = membership.read(entry);
    if (verdict?.isWrong) this.#fail(new LogError(verdict.message, { definite: true }));
    else if (verdict !== undefined) this.#logger.log("warn", verdict.message);
    for (const answer of answers) this.#own.say(answer);
    const isOwn = membership.appended(entry);
    this.#appender.delivered(sequence, isOwn);
    if (isOwn) {
      membership.heard(this.clock.nowUs());
      this.#joining.resolve(undefined);
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
    this.#ports.handOut(sequence, addressed);
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
    if (this.#membership?.isFirst) this.#own.raiseVersion(this.#core.offeredVersion);
    this.#appender.tick();
  }
}
