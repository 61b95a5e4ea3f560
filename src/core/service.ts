// SPDX-License-Identifier: MIT
// Service: the composite machine. Takes log entries in order and gives back effects; no sockets,
// clocks, randomness or promises. Equal entries give equal effects on every replica.
//
//   S1. Log time L advances by clamp(stamp - previous stamp, 0, 2 s) (D2).
//   S2. Timers due at the entry's L are expired before its commands; at a tie the deadline wins (D3).
//   S3. Batches that are not the next of a living incarnation change nothing (E2).

import type { AgendaPort } from "./agenda.ts";
import { Agenda } from "./agenda.ts";
import { assert, unreachable } from "./assert.ts";
import { Barriers } from "./barriers.ts";
import type { AgendaLoad, Batch, Command, LogEntry } from "./command.ts";
import type { ScopeDescription } from "./description.ts";
import { Digest } from "./digest.ts";
import type { EdgeState } from "./edge-table.ts";
import { EdgeTable } from "./edge-table.ts";
import type { Applied } from "./effect.ts";
import type { Limits } from "./limits.ts";
import { limitMessage, logStepUsMax } from "./limits.ts";
import { describeBarrier } from "./report.ts";
import { Scope } from "./scope.ts";
import type { TimerPurpose } from "./timers.ts";
import { Timers } from "./timers.ts";
import { Turn } from "./turn.ts";

export class Service {
  readonly #limits: Limits;
  readonly #timers = new Timers();
  readonly #edges = new EdgeTable();
  readonly #scopes = new Map<string, Scope>();
  readonly #barriers: Barriers;
  #sequence = 0;
  #nowUs = 0;
  #lastStampUs: number | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#barriers = new Barriers(limits, this.#timers);
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
   */
  apply({ sequence, stampUs, entry }: LogEntry): Applied {
    assert(sequence === this.#sequence + 1, `entry ${sequence} after ${this.#sequence}`);
    this.#sequence = sequence;
    this.#nowUs += clamp(stampUs - (this.#lastStampUs ?? stampUs), 0, logStepUsMax);
    this.#lastStampUs = stampUs;
    const turn = new Turn(this.#nowUs);
    for (
      let row = this.#timers.takeDue(this.#nowUs);
      row;
      row = this.#timers.takeDue(this.#nowUs)
    ) {
      this.#expire(row.purpose, turn);
    }
    for (const batch of entry.batches) this.#applyBatch(batch, turn);
    return turn.result();
  }

  /** The earliest instant of log time at which a tick is needed. Spurious ticks do no harm. */
  nextDeadlineUs(): number | undefined {
    this.#timers.nextDueUs();
    return;
  }

  /** Number of the last batch that counted, 0 when the incarnation does not live. */
  lastBatch(edge: string, incarnation: number): number {
    const state = this.#edges.get(edge);
    return state?.incarnation === incarnation ? state.lastBatch : 0;
  }

  /** Living incarnations, for a host that starts and finds edges of its former life. */
  livingEdges(): readonly {
    readonly edge: string;
    readonly incarnation: number;
    readonly attached: boolean;
  }[] {
    return [...this.#edges.edges.values()]
      .filter((edge) => edge.incarnation !== 0)
      .map(({ name, incarnation, attached }) => ({ edge: name, incarnation, attached }));
  }

  describe(scopeName: string, barrierName?: string): ScopeDescription {
    const scope = this.#scopes.get(scopeName);
    if (scope === undefined) return { scope: scopeName, barriers: [], pendingEvents: 0 };
    const max = this.#limits.namesInReportMax;
    const named = barrierName === undefined ? undefined : scope.barriers.get(barrierName);
    const chosen = barrierName === undefined ? [...scope.barriers.values()] : named ? [named] : [];
    const { pending, next } = scope.agenda.outlook();
    const barriers = chosen.map((barrier) => describeBarrier(scope, barrier, max));
    if (next === undefined) return { scope: scopeName, barriers, pendingEvents: pending };
    const { object, event } = next.event;
    const nextEvent = { object, event, inUs: next.dueUs - this.#nowUs };
    return { scope: scopeName, barriers, nextEvent, pendingEvents: pending };
  }

  /** 32 hex digits; equal for replicas that applied the same entries. */
  digest(): string {
    const digest = new Digest();
    digest.addRow(`${this.#sequence} ${this.#nowUs} ${this.#lastStampUs}`, 1);
    for (const edge of this.#edges.edges.values()) {
      digest.addRow(`edge ${edge.name} ${edge.incarnation} ${edge.lastBatch} ${edge.attached}`, 1);
    }
    for (const scope of this.#scopes.values()) digestScope(scope, digest);
    for (const { id, dueUs } of this.#timers.dump().rows) digest.addRow(`timer ${id} ${dueUs}`, 1);
    return digest.toString();
  }

  #applyBatch(batch: Batch, turn: Turn): void {
    const edge = this.#edges.obtain(batch.edge, this.#limits.edgesMax);
    if (edge === undefined || !this.#edges.accepts(edge, batch)) return;
    if (edge.incarnation !== batch.incarnation) {
      this.#endEdge(edge, turn);
      edge.incarnation = batch.incarnation;
      edge.lastBatch = 0;
    }
    edge.lastBatch = batch.number;
    for (const command of batch.commands) this.#applyCommand(edge, command, turn);
  }

  #applyCommand(edge: EdgeState, command: Command, turn: Turn): void {
    switch (command.kind) {
      case "count-init":
      case "count-wait":
        this.#arrive(edge, command, turn);
        return;
      case "leave": {
        const waiter = edge.waiters.get(command.connection);
        const scope = waiter && this.#scopes.get(waiter.barrier.scope);
        if (waiter && scope) this.#barriers.leave(scope, waiter, turn);
        return;
      }
      case "cancel-all": {
        const scope = this.#scopes.get(command.scope);
        if (scope !== undefined) this.#barriers.cancelAll(scope, command, turn);
        return;
      }
      case "attach":
        this.#attach(edge);
        return;
      case "detach":
        this.#detach(command.edge, command.incarnation);
        return;
      case "end-edge":
        this.#endEdge(edge, turn);
        return;
      default:
        this.#applyScopeCommand(edge, command, turn);
        return;
    }
  }

  #applyScopeCommand(
    edge: EdgeState,
    command: Extract<Command, { kind: "open-scope" | "close-scope" | `agenda-${string}` }>,
    turn: Turn,
  ): void {
    switch (command.kind) {
      case "open-scope": {
        const scope = this.#obtainScope(command.scope);
        if (scope !== undefined) scope.nodes = command.nodes;
        return;
      }
      case "close-scope":
        this.#closeScope(command.scope, command.error, turn);
        return;
      case "agenda-load":
        this.#loadAgenda(edge, command);
        return;
      case "agenda-start": {
        const scope = this.#scopes.get(command.scope);
        scope?.agenda.start(this.#agendaPort(scope, turn));
        return;
      }
      case "agenda-complete": {
        const scope = this.#scopes.get(command.scope);
        scope?.agenda.complete(command.token, command.error, this.#agendaPort(scope, turn));
        return;
      }
      default:
        unreachable(command);
        return;
    }
  }

  #arrive(
    edge: EdgeState,
    command: Extract<Command, { kind: "count-init" | "count-wait" }>,
    turn: Turn,
  ): void {
    const scope = this.#obtainScope(command.scope);
    if (scope !== undefined) {
      this.#barriers.arrive(scope, edge, command, turn);
      return;
    }
    const message = `too many scopes: ${limitMessage(this.#limits, "scopesMax")}`;
    turn.tell(edge, { kind: "refused", connection: command.connection, code: "limit", message });
  }

  #expire(purpose: TimerPurpose, turn: Turn): void {
    switch (purpose.kind) {
      case "wait-timeout": {
        const waiter = this.#edges.get(purpose.edge)?.waiters.get(purpose.connection);
        const scope = waiter && this.#scopes.get(waiter.barrier.scope);
        if (waiter && scope) this.#barriers.timeOut(scope, waiter, turn);
        return;
      }
      case "wait-warning": {
        const scope = this.#scopes.get(purpose.scope);
        const barrier = scope?.barriers.get(purpose.barrier);
        if (scope && barrier) this.#barriers.warn(scope, barrier, turn);
        return;
      }
      case "edge-lease": {
        const edge = this.#edges.get(purpose.edge);
        if (edge?.incarnation === purpose.incarnation) this.#endEdge(edge, turn);
        return;
      }
      case "agenda": {
        const scope = this.#scopes.get(purpose.scope);
        scope?.agenda.timerDue(purpose.entry, this.#agendaPort(scope, turn));
        return;
      }
      default:
        unreachable(purpose);
        return;
    }
  }

  #attach(edge: EdgeState): void {
    edge.attached = true;
    if (edge.leaseTimer !== 0) this.#timers.clear(edge.leaseTimer);
    edge.leaseTimer = 0;
  }

  /** The lease runs from here (D5). A detach of an incarnation that is gone is late news. */
  #detach(name: string, incarnation: number): void {
    const edge = this.#edges.get(name);
    if (edge?.incarnation !== incarnation || !edge.attached) return;
    edge.attached = false;
    const purpose = { kind: "edge-lease", edge: name, incarnation } as const;
    edge.leaseTimer = this.#timers.set(this.#nowUs + this.#limits.edgeLeaseUs, purpose);
  }

  /** The living incarnation ends: its participants leave, then it is told (D5). */
  #endEdge(edge: EdgeState, turn: Turn): void {
    if (edge.incarnation === 0) return;
    for (const waiter of [...edge.waiters.values()]) {
      const scope = this.#scopes.get(waiter.barrier.scope);
      // An earlier leave of this loop may have completed the barrier and released this one.
      if (scope && edge.waiters.has(waiter.connection)) this.#barriers.leave(scope, waiter, turn);
    }
    turn.tell(edge, { kind: "revoked" });
    if (edge.leaseTimer !== 0) this.#timers.clear(edge.leaseTimer);
    this.#edges.end(edge);
  }

  #obtainScope(name: string): Scope | undefined {
    const known = this.#scopes.get(name);
    if (known !== undefined) return known;
    if (this.#scopes.size >= this.#limits.scopesMax) return undefined;
    const scope = new Scope(name);
    this.#scopes.set(name, scope);
    return scope;
  }

  #closeScope(name: string, error: number, turn: Turn): void {
    const scope = this.#scopes.get(name);
    if (scope === undefined) return;
    this.#barriers.cancelAll(scope, { error }, turn);
    // Timers of the agenda find no scope when they are due, and do nothing.
    this.#scopes.delete(name);
  }

  #loadAgenda(edge: EdgeState, load: AgendaLoad): void {
    const scope = this.#obtainScope(load.scope);
    if (scope === undefined || Agenda.sizeOf(load) > this.#limits.eventsPerScopeMax) return;
    scope.agenda.performer = { edge: edge.name, incarnation: edge.incarnation };
    scope.agenda.load(load);
  }

  #agendaPort(scope: Scope, turn: Turn): AgendaPort {
    const timers = this.#timers;
    const performer = scope.agenda.performer;
    const addressee = performer && { name: performer.edge, incarnation: performer.incarnation };
    return {
      nowUs: turn.nowUs,
      setTimer: (dueUs, entry) => timers.set(dueUs, { kind: "agenda", scope: scope.name, entry }),
      clearTimer: (id) => timers.clear(id),
      fire(token, event, plannedUs) {
        if (addressee === undefined) return;
        turn.tell(addressee, { kind: "fire", scope: scope.name, token, event, plannedUs });
      },
      sequenceEnded: (name, error) => {
        turn.observe({ kind: "sequence-ended", scope: scope.name, name, error });
      },
      idle() {
        if (addressee) turn.tell(addressee, { kind: "agenda-idle", scope: scope.name });
      },
    };
  }
}

function digestScope(scope: Scope, digest: Digest): void {
  for (const barrier of scope.barriers.values()) {
    digest.addRow(
      `barrier ${scope.name} ${barrier.name} ${barrier.generation} ${barrier.count} ${barrier.error} ${barrier.expected}`,
      1,
    );
    digest.addDigest(barrier.digest);
  }
  for (const [name, closed] of scope.closed) {
    digest.addRow(`closed ${scope.name} ${name} ${closed.generation} ${closed.outcome}`, 1);
  }
  for (const row of scope.agenda.rows()) digest.addRow(row, 1);
}

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value));
}
