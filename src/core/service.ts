// SPDX-License-Identifier: MIT
// Service: the composite machine. Takes log entries in order and gives back effects; no sockets,
// clocks, randomness or promises. Equal entries give equal effects on every replica.
//
//   S1. Log time L advances by clamp(stamp - previous stamp, 0, 2 s) (D2).
//   S2. Timers due at the entry's L are expired before its commands; at a tie the deadline wins
//       (D3).
//   S3. Batches that are not the next of a living incarnation change nothing (E2).

import { Agenda } from "./agenda/agenda.ts";
import type { AgendaCommand, AgendaLoad, AgendaOrder, AgendaRequest } from "./agenda/commands.ts";
import type { AgendaPort } from "./agenda/state.ts";
import { assert } from "./assert.ts";
import { Barriers } from "./barriers/barriers.ts";
import type { BarrierCommand } from "./barriers/commands.ts";
import type {
  BarrierTold,
  Batch,
  CloseScope,
  Command,
  Entry,
  LogEntry,
  OpenScope,
  Publish,
  RaiseVersion,
} from "./command.ts";
import { describeBarriers, describePage } from "./describe-scope.ts";
import type { BarrierPageAsk, CoreFigures, EventPage, ScopeDescription } from "./description.ts";
import { EdgeLeases } from "./edge-leases.ts";
import type { EdgeState } from "./edge-table.ts";
import { EdgeTable } from "./edge-table.ts";
import type { Applied, BarrierKind } from "./effect.ts";
import type { Limits } from "./limits.ts";
import { logStepUsMax } from "./limits.ts";
import { overLimit } from "./refusal.ts";
import { Scope } from "./scope.ts";
import { ScopeTable } from "./scope-table.ts";
import type { Snapshot, Tables } from "./snapshot.ts";
import { captureTables, restoreTables, snapshotFormat } from "./snapshot.ts";
import { digestState, type StateDigests } from "./state-digest.ts";
import type { TimerPurpose } from "./timers.ts";
import { Timers } from "./timers.ts";
import { ToldLimits } from "./told-limits.ts";
import type { PayloadPlace } from "./topics.ts";
import { Topics } from "./topics.ts";
import { Turn } from "./turn.ts";
import { CannotFollow, coreVersionMax, toldLimitsVersion } from "./version.ts";

type ScopeCommand = OpenScope | CloseScope | BarrierTold | AgendaCommand;

export class Service {
  /** What the log says of limits. */
  readonly toldLimits: ToldLimits;
  /** What holds now. */
  readonly #limits: Limits;
  readonly #timers: Timers = new Timers();
  readonly #edges: EdgeTable = new EdgeTable();
  readonly #scopes: ScopeTable;
  readonly #leases: EdgeLeases;
  readonly #barriers: Barriers;
  readonly #topics: Topics;
  #sequence = 0;
  #nowUs = 0;
  #lastStampUs: number | undefined;
  /** What the log has been raised to (D12). */
  #version = 1;
  readonly #onTold: ConstructorParameters<typeof Turn>[2] = (edge, effect, nowUs) =>
    this.#barriers.told(edge, effect, nowUs);
  /** Whose entry is being applied; empty where only one server appends. */
  #server = "";

  /** @param before those that decide until the log says which do (version 5), and those of looks */
  constructor(before: Limits) {
    this.toldLimits = new ToldLimits(before);
    const limits = this.toldLimits.current;
    this.#limits = limits;
    this.#leases = new EdgeLeases({ timers: this.#timers, edges: this.#edges, limits });
    this.#scopes = new ScopeTable(limits);
    this.#topics = new Topics(limits, this.#scopes);
    this.#barriers = new Barriers({
      ...{ limits, timers: this.#timers, edges: this.#edges, scopes: this.#scopes },
      version: () => this.#version,
      onEnded: (scope, end, turn) => {
        scope.agenda.barrierEnded(end, this.#agendaPort(scope, turn));
      },
    });
  }

  /**
   * The machine as it was when `snapshot` was made; applying the rest of the log to it gives the
   * same effects as applying all of the log to a new one.
   * @throws AssertionError when the snapshot is of another format.
   */
  static restore(limits: Limits, snapshot: Snapshot): Service {
    const service = new Service(limits);
    service.load(snapshot);
    return service;
  }

  /**
   * Becomes the machine that `snapshot` was made of; what it was before is gone.
   * @throws AssertionError when the snapshot is of another format or does not fit together.
   * @throws CannotFollow when the log has gone on to what this build does not know (D12).
   */
  load(snapshot: Snapshot): void {
    this.clear();
    this.#sequence = snapshot.sequence;
    this.#nowUs = snapshot.nowUs;
    this.#lastStampUs = snapshot.lastStampUs ?? undefined;
    this.#version = snapshot.version;
    if (this.#version > coreVersionMax) throw new CannotFollow(this.#version, this.#sequence);
    this.toldLimits.restore(snapshot.limits);
    restoreTables(snapshot, this.#tables());
    this.#barriers.restored();
    this.#scopes.origin = snapshot.origin ?? 0;
  }

  /** Becomes the machine before the first entry. */
  clear(): void {
    this.#edges.clear();
    this.#scopes.clear();
    this.#barriers.restored();
    this.#timers.clearAll();
    this.toldLimits.clear();
    [this.#sequence, this.#nowUs, this.#lastStampUs, this.#version] = [0, 0, undefined, 1];
  }

  /** Everything that decides what later entries lead to, as plain data. */
  snapshot(): Snapshot {
    const clock = {
      sequence: this.#sequence,
      nowUs: this.#nowUs,
      lastStampUs: this.#lastStampUs ?? null,
      version: this.#version,
      ...this.toldLimits.capture(),
      ...(this.#scopes.origin === 0 ? {} : { origin: this.#scopes.origin }),
    };
    return { format: snapshotFormat, ...clock, ...captureTables(this.#tables()) };
  }

  /** What the log has been raised to (D12). */
  get version(): number {
    return this.#version;
  }

  /** What all living servers offer; without servers what this build knows (D12). */
  get offeredVersion(): number {
    return this.#edges
      .servers()
      .reduce((least, { offers }) => Math.min(least, offers), coreVersionMax);
  }

  /** Sequence of the last entry applied. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Log time, microseconds since the log began. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /**
   * Applies the next entry of the log.
   * @throws AssertionError when the entry is not the next one: the caller has lost the order.
   * @throws CannotFollow when it raises the log to what this build does not know (D12).
   */
  apply({ sequence, stampUs, entry }: LogEntry): Applied {
    assert(sequence === this.#sequence + 1, `entry ${sequence} after ${this.#sequence}`);
    this.#sequence = sequence;
    this.#nowUs += clamp(stampUs - (this.#lastStampUs ?? stampUs), 0, logStepUsMax);
    this.#lastStampUs = stampUs;
    const turn = new Turn(this.#nowUs, stampUs, this.#onTold);
    for (
      let row = this.#timers.takeDue(this.#nowUs);
      row;
      row = this.#timers.takeDue(this.#nowUs)
    ) {
      this.#expire(row.purpose, turn);
    }
    this.#applyBatches(entry, turn);
    this.#barriers.flush(turn);
    this.#topics.tellMoved(turn);
    return turn.result();
  }

  /** The earliest instant of log time at which a tick is needed. Spurious ticks do no harm. */
  nextDeadlineUs(): number | undefined {
    return this.#timers.nextDueUs();
  }

  /** Number of the last batch that counted, 0 when the incarnation does not live. */
  lastBatch(edge: string, incarnation: number): number {
    const state = this.#edges.get(edge);
    return state?.incarnation === incarnation ? state.lastBatch : 0;
  }

  /** Parties of an incarnation that wait, at all barriers together. */
  waitersOf(edge: string, incarnation: number): number {
    const state = this.#edges.get(edge);
    return state?.incarnation === incarnation ? state.waiters.size : 0;
  }

  /** Parties of an edge that wait, whatever its incarnation. */
  waitersOfEdge(edge: string): number {
    return this.#edges.get(edge)?.waiters.size ?? 0;
  }

  /** Whether an incarnation of the edge lives. */
  isAlive(edge: string): boolean {
    return (this.#edges.get(edge)?.incarnation ?? 0) !== 0;
  }

  hasScope(scope: string): boolean {
    return this.#scopes.get(scope) !== undefined;
  }

  /** Whether a barrier of this kind and name is open. */
  hasBarrier(scope: string, kind: BarrierKind, barrier: string): boolean {
    return this.#scopes.get(scope)?.barrier(kind, barrier) !== undefined;
  }

  /** Living incarnations, for a host that starts and finds edges of its former life. */
  livingEdges(): readonly Pick<EdgeState, "name" | "incarnation" | "attached" | "role">[] {
    return [...this.#edges.edges.values()].filter(({ incarnation }) => incarnation !== 0);
  }

  /** Living servers of a shared log in the order of their ranks (D3). */
  servers(): readonly string[] {
    return this.#edges.servers().map(({ name }) => name);
  }

  /** Those of them that cannot follow a log of this version. */
  serversBefore(version: number): readonly string[] {
    const before = this.#edges.servers().filter(({ offers }) => offers < version);
    return before.map(({ name }) => name);
  }

  /** The life of an edge that lasts, 0 for none; and which server has it, or had it last. */
  placeOf(edge: string): Pick<EdgeState, "incarnation" | "server" | "attached" | "role"> {
    const known = this.#edges.get(edge);
    const { incarnation = 0, server = "", attached = false, role = undefined } = known ?? {};
    return { incarnation, server, attached, role };
  }

  /** Whether the link of a scope to another controller has an edge whose process is there. */
  isCarried(scope: string, controller: string): boolean {
    return this.#edges.isThere(this.#scopes.get(scope)?.tree.get(controller));
  }

  /**
   * The server that carries the link of a scope to another controller, or did last; "" for none.
   */
  carrierOf(scope: string, controller: string): string {
    const edge = this.#scopes.get(scope)?.tree.get(controller)?.edge ?? "";
    return this.#edges.get(edge)?.server ?? "";
  }

  /** Whether an edge whose process is gone may be in another one, and wants what it was told. */
  mayReturn(edge: string): boolean {
    return this.#edges.get(edge)?.role === undefined;
  }

  /** Sums over all scopes, for those who watch the server. */
  figures(): CoreFigures {
    return this.#scopes.figures(this.#nowUs);
  }

  /**
   * Where messages of a topic lie, at most `messagesPerReadMax`, in the order of their numbers.
   * @param after the number of the last message that the reader has, 0 for none.
   */
  readTopic(scope: string, topic: string, after: number): readonly PayloadPlace[] {
    return this.#topics.read(scope, topic, after);
  }

  /** The number of the newest message of a topic, 0 for none. */
  topicLast(scope: string, topic: string): number {
    return this.#topics.lastOf(scope, topic);
  }

  /** Every payload that a message refers to. */
  payloads(): Iterable<number> {
    return this.#topics.payloads();
  }

  /** Of one barrier, or of a page of them, or of all. */
  describe(scopeName: string, barrier?: string, page?: BarrierPageAsk): ScopeDescription {
    const scope = this.#scopes.get(scopeName);
    if (scope === undefined) return { scope: scopeName, barriers: [], pendingEvents: 0 };
    const { pending, waiting, next: nextEvent } = scope.agenda.outlook(this.#nowUs);
    const isPage = page !== undefined && barrier === undefined;
    const barriers = isPage
      ? describePage(scope, this.#limits, page)
      : describeBarriers(scope, this.#limits, barrier);
    return {
      ...{ scope: scopeName, ...barriers, pendingEvents: pending },
      ...(waiting === 0 ? {} : { waitingEvents: waiting }),
      ...(nextEvent === undefined ? {} : { nextEvent }),
    };
  }

  /**
   * Events of a scope that have not completed, in the order of their numbers.
   * @param after the last number of the page before, 0 for the first page.
   */
  listEvents(scopeName: string, after: number): EventPage {
    const agenda = this.#scopes.get(scopeName)?.agenda ?? new Agenda(scopeName);
    const now = { nowUs: this.#nowUs, stampUs: this.#lastStampUs ?? 0 };
    return agenda.list({ after, max: this.#limits.eventsPerPageMax }, now);
  }

  /** 32 hex digits; equal for replicas that applied the same entries. */
  digest(): string {
    return this.digests().all;
  }

  /** The same, and of each scope for itself (D11). */
  digests(): StateDigests {
    const [sequence, nowUs, lastStampUs] = [this.#sequence, this.#nowUs, this.#lastStampUs];
    const place = { sequence, nowUs, lastStampUs, version: this.#version };
    const { origin } = this.#scopes;
    return digestState({ ...place, limits: this.toldLimits.rows, origin }, this.#tables());
  }

  /** E5. */
  #applyBatches({ batches, server }: Entry, turn: Turn): void {
    this.#server = server?.edge ?? "";
    for (const batch of batches) {
      const counts = server === undefined || batch.edge === server.edge;
      if (counts || this.#edges.serving(server)) this.#applyBatch(batch, turn);
    }
    const alive = server && this.#edges.serving(server);
    if (alive) alive.heardUs = this.#nowUs;
  }

  #applyBatch(batch: Batch, turn: Turn): void {
    const edge = this.#edges.obtain(batch.edge, this.#limits.edgesMax);
    if (edge === undefined) {
      this.#turnAway(batch, turn);
      return;
    }
    if (!this.#edges.accepts(edge, batch)) return;
    if (edge.incarnation !== batch.incarnation) {
      this.#endEdge(edge, turn);
      this.#edges.begin(edge, batch.incarnation);
    }
    const counted = edge.takenCommands - (batch.from ?? 0);
    if (batch.more) {
      edge.takenCommands = Math.max(edge.takenCommands, (batch.from ?? 0) + batch.commands.length);
    } else {
      edge.lastBatch = batch.number;
      edge.takenCommands = 0;
    }
    for (const command of counted > 0 ? batch.commands.slice(counted) : batch.commands) {
      this.#applyCommand(edge, command, turn);
      // E3. What follows `end-edge` in its batch has nobody it could belong to.
      if (edge.incarnation !== batch.incarnation) return;
    }
  }

  /** One edge too many: it is told why, and that it does not live. */
  #turnAway({ edge, incarnation }: Batch, turn: Turn): void {
    const refusal = overLimit(this.#limits, "edgesMax", "too many edges");
    turn.tell({ name: edge, incarnation }, { kind: "refused", connection: 0, ...refusal });
    turn.tell({ name: edge, incarnation }, { kind: "revoked" });
  }

  #applyCommand(edge: EdgeState, command: Command, turn: Turn): void {
    switch (command.kind) {
      case "leave":
        this.#barriers.leave(edge, command.connection, turn);
        return;
      case "publish":
        this.#publish(edge, command, turn);
        return;
      case "topic-follow":
      case "topic-unfollow":
        this.#topics.apply(edge, command, turn);
        return;
      case "attach":
        this.#leases.attach(edge, command, this.#time);
        return;
      case "attached":
        this.#leases.reattach(command.edge, command.incarnation, this.#time);
        return;
      case "detach":
        this.#leases.detach(command.edge, command.incarnation, this.#time);
        return;
      case "seen":
      case "digest":
      case "snapshot":
      case "reached":
        return;
      case "version":
        this.#raise(command, turn);
        return;
      case "limits":
        this.toldLimits.tell(command.limits, this.#server);
        return;
      case "end-edge":
        this.#endEdge(edge, turn);
        return;
      case "refuse": {
        const { connection, code, message } = command;
        turn.tell(edge, { kind: "refused", connection, code, message });
        return;
      }
      case "open-scope":
      case "barrier-told":
      case "close-scope":
        this.#applyScopeCommand(edge, command, turn);
        return;
      default:
        if (isOfAgenda(command)) this.#applyScopeCommand(edge, command, turn);
        else this.#barriers.apply(edge, command, turn);
        return;
    }
  }

  /** An arrival that goes with it is made at the same instant, or both are refused. */
  #publish(edge: EdgeState, command: Publish, turn: Turn): void {
    const { scope, connection } = command;
    const arrival = command.arrival && { ...command.arrival, scope, connection };
    const objection = arrival && this.#barriers.stateRefusal(edge, arrival);
    const isTaken = this.#topics.apply(edge, command, turn, objection);
    if (isTaken && arrival !== undefined) this.#barriers.apply(edge, arrival, turn);
  }

  #applyScopeCommand(edge: EdgeState, command: ScopeCommand, turn: Turn): void {
    switch (command.kind) {
      case "open-scope": {
        const refusal = this.#scopes.refusal(command.scope);
        if (refusal) turn.tell(edge, { kind: "refused", connection: 0, ...refusal });
        else this.#scopes.obtain(command.scope).nodes = command.nodes;
        return;
      }
      case "close-scope":
        this.#closeScope(command.scope, command.error, turn);
        return;
      case "barrier-told": {
        const scope = this.#scopes.get(command.scope);
        const { barrier, outcome } = command;
        scope?.agenda.barrierEnded({ barrier, outcome }, this.#agendaPort(scope, turn));
        return;
      }
      case "agenda-load":
        this.#loadAgenda(edge, command, turn);
        return;
      default:
        this.#applyToAgenda(edge, command, turn);
        return;
    }
  }

  /** A scope that does not exist has no agenda, and says so as one that was not loaded does. */
  #applyToAgenda(edge: EdgeState, command: AgendaOrder | AgendaRequest, turn: Turn): void {
    const scope = this.#scopes.get(command.scope) ?? new Scope(command.scope);
    const { name, incarnation } = edge;
    scope.agenda.apply(command, { name, incarnation }, this.#agendaPort(scope, turn));
  }

  #expire(purpose: TimerPurpose, turn: Turn): void {
    switch (purpose.kind) {
      case "wait-timeout": {
        const edge = this.#edges.get(purpose.edge);
        if (edge !== undefined) this.#barriers.timeOut(edge, purpose.connection, turn);
        return;
      }
      case "edge-lease": {
        const edge = this.#edges.get(purpose.edge);
        if (edge?.incarnation !== purpose.incarnation) return;
        if (this.#leases.isOver(edge, this.#nowUs)) this.#endEdge(edge, turn);
        return;
      }
      case "agenda": {
        const scope = this.#scopes.get(purpose.scope);
        const port = scope && this.#agendaPort(scope, turn);
        if (port && purpose.item === 0) scope.agenda.queueDue(port);
        else if (port) scope.agenda.deadlineDue(purpose.item, port);
        return;
      }
      default:
        this.#barriers.due(purpose, turn);
        return;
    }
  }

  /** D12. Of what this build does not know, what the servers offer is known all the same. */
  #raise({ version, limits }: RaiseVersion, turn: Turn): void {
    if (version <= this.#version) return;
    if (this.#edges.servers().some(({ offers }) => offers < version)) return;
    if (version > coreVersionMax) throw new CannotFollow(version, this.#sequence);
    this.#version = version;
    if (version >= toldLimitsVersion) this.toldLimits.begin(limits, this.#server);
    this.#barriers.versionRaised(turn);
  }

  /** Of the entry that is being applied. */
  get #time() {
    return { nowUs: this.#nowUs, server: this.#server };
  }

  /** E5. */
  #endServer({ name }: EdgeState, turn: Turn): void {
    for (const edge of this.#edges.edges.values()) {
      if (edge.server !== name || edge.role === "server" || edge.incarnation === 0) continue;
      if (edge.role === "local") this.#endEdge(edge, turn);
      else if (edge.attached) this.#leases.lose(edge, this.#nowUs);
    }
  }

  /** The living incarnation ends: its participants leave, then it is told (D5). */
  #endEdge(edge: EdgeState, turn: Turn): void {
    if (edge.incarnation === 0) return;
    this.#barriers.leaveTogether(edge, turn);
    this.#topics.edgeEnded(edge);
    for (const scope of this.#scopes.scopes.values()) {
      const { performer } = scope.agenda;
      if (performer?.name !== edge.name || performer.incarnation !== edge.incarnation) continue;
      // Nobody is left who could perform its events, or could be told of them.
      scope.agenda.stop("its performer is gone", this.#agendaPort(scope, turn));
    }
    if (edge.role === "server") this.#endServer(edge, turn);
    turn.tell(edge, { kind: "revoked" });
    this.#leases.cancel(edge);
    this.#edges.end(edge);
  }

  #closeScope(name: string, error: number, turn: Turn): void {
    const scope = this.#scopes.get(name);
    if (scope === undefined) return;
    // First, so that barriers that end with the scope set nothing going; and a timer left behind
    // would find the next scope of this name.
    scope.agenda.stop("the experiment has ended", this.#agendaPort(scope, turn));
    this.#barriers.cancelAll(scope, { error }, turn, true);
    this.#topics.closeAll(scope, turn);
    this.#barriers.scopeClosed(scope);
    this.#scopes.scopes.delete(name);
  }

  #loadAgenda(edge: EdgeState, load: AgendaLoad, turn: Turn): void {
    const refusal =
      Agenda.sizeOf(load) > this.#limits.eventsPerScopeMax
        ? overLimit(this.#limits, "eventsPerScopeMax", "too many planned events")
        : this.#scopes.refusal(load.scope);
    if (refusal !== undefined) {
      turn.tell(edge, { kind: "refused", connection: 0, ...refusal });
      return;
    }
    const scope = this.#scopes.obtain(load.scope);
    const { name, incarnation } = edge;
    scope.agenda.load(load, { name, incarnation }, this.#agendaPort(scope, turn));
  }

  #tables(): Tables {
    return { edges: this.#edges, scopes: this.#scopes.scopes, timers: this.#timers };
  }

  #agendaPort(scope: Scope, turn: Turn): AgendaPort {
    const timers = this.#timers;
    return {
      limits: this.#limits,
      nowUs: turn.nowUs,
      stampUs: turn.stampUs,
      setTimer: (dueUs, item) => timers.set(dueUs, { kind: "agenda", scope: scope.name, item }),
      clearTimer: (id) => timers.clear(id),
      tell: (edge, effect) => turn.tell(edge, effect),
      observe: (effect) => turn.observe(effect),
    };
  }
}

function isOfAgenda(command: AgendaCommand | BarrierCommand): command is AgendaCommand {
  return command.kind.startsWith("agenda-");
}

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value));
}
