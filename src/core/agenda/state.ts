// SPDX-License-Identifier: MIT
// The state of one agenda: its items (occurrences of events), the timelines and sequences that run,
// the queue and event time. Owns how these fit together, and their form as plain data; what is done
// with them is the business of its neighbours in this folder.
//
//   G1. An item is in the queue exactly while it is `queued`.
//   G2. A token names one item while that is out at the performer, and is never given again.
//   G4. An event that is defined occurs first under its own number; another occurrence, and an
//       event that comes later, get the next one. In an epoch no number is given twice.
//   G3. Event time E = L - shift; it stands still from a pause to the next resume.
import { assert } from "../assert.ts";
import { DueHeap } from "../due-heap.ts";
import type { EdgeEffect, ObservedEffect } from "../effect.ts";
import type { Limits } from "../limits.ts";
import type { AgendaEvent, BarrierCondition } from "./commands.ts";
import type { ErrorRecord } from "./effects.ts";
import { ObjectTable } from "./object-table.ts";
import type {
  AgendaSnapshot,
  Item,
  Performer,
  QueueRow,
  Run,
  Sender,
  SequenceRun,
  TimelineRun,
} from "./types.ts";

/** What the agenda needs from the machine around it. */
export interface AgendaPort {
  readonly limits: Limits;
  /** Log time. */
  readonly nowUs: number;
  /** Stamp of the entry that is applied: the same instant on the clock of the log. */
  readonly stampUs: number;
  /** @param item 0 for the queue, else the item whose completion has this deadline. */
  setTimer(dueUs: number, item: number): number;
  clearTimer(id: number): void;
  tell(edge: Performer, effect: EdgeEffect): void;
  observe(effect: ObservedEffect): void;
}

/** The completion of what was refused, cancelled, lost or never answered. */
export const refusedError = -1;

/** Something that is to complete, or a member of it. */
export interface Done {
  readonly item: number;
  /** Null for the whole of it. */
  readonly member: string | null;
  readonly error: number;
  readonly text: string;
  readonly how: "completed" | "cancelled";
}

export class AgendaState {
  readonly scope: string;
  readonly objects: ObjectTable = new ObjectTable();
  /** Edge and incarnation that loaded the agenda and performs its events; none: not loaded. */
  performer: Performer | undefined;
  /** How often time has started; 0 before it has. */
  epoch = 0;
  /** Whether `agenda-start` was given and the epoch has not ended. */
  started = false;
  /** Event time of time 0; undefined before the main timeline has started. */
  zeroUs: number | undefined;
  shiftUs = 0;
  /** Event time at which the agenda was paused. */
  pausedUs: number | undefined;
  readonly items: Map<number, Item> = new Map();
  readonly runs: Map<number, Run> = new Map();
  readonly queue: DueHeap<QueueRow> = new DueHeap();
  readonly byToken: Map<number, number> = new Map();
  /** Sequences that run; timelines may run more than once. */
  readonly sequenceRuns: Map<string, number> = new Map();
  /** Items that wait for a barrier, by its name, in the order in which they began to. */
  readonly waiting: Map<string, Set<number>> = new Map();
  /** Event time at which a barrier last ended in each way, since the agenda was loaded. */
  readonly outcomes: Map<string, number> = new Map();
  errors: ErrorRecord[] = [];
  errorsDropped = 0;
  /** G4: numbers of defined events that have not occurred in this epoch. */
  readonly unused: Set<number> = new Set();
  /** Who has appended an event that has not occurred yet, by its number. */
  readonly appended: Map<number, Sender> = new Map();
  /** Numbers of events of this epoch that were taken back, the last ones. */
  readonly cancelled: Set<number> = new Set();
  lastItem = 0;
  lastOrder = 0;
  lastRun = 0;
  lastToken = 0;
  /** Timer of the queue and the log time it is set for, 0 for none. */
  queueTimer = 0;
  queueTimerUs = 0;
  idleSaid = false;
  /** What is to complete, in order; empty between entries. */
  readonly done: Done[] = [];
  /** Runs started while one command is handled; 0 between entries. */
  startsAtOnce = 0;

  constructor(scope: string) {
    this.scope = scope;
  }

  /** Event time at log time `nowUs`. */
  eventUs(nowUs: number): number {
    return this.pausedUs ?? nowUs - this.shiftUs;
  }

  /** The clock of the log's stamps at an instant of event time, as things stand. */
  stampOf(us: number, port: Pick<AgendaPort, "nowUs" | "stampUs">): number {
    return port.stampUs + us - this.eventUs(port.nowUs);
  }

  /** Microseconds since time 0, for people; before time 0 is known, since nothing at all. */
  plannedUs(dueUs: number): number {
    return dueUs - (this.zeroUs ?? dueUs);
  }

  /** An item that is neither queued nor waiting yet. */
  addItem(
    event: AgendaEvent,
    dueUs: number,
    facts: { readonly run?: number; readonly waiter?: number; readonly sender?: Sender } = {},
  ): Item {
    const id = this.unused.delete(event.id) ? event.id : this.nextNumber();
    const appender = this.appended.get(id);
    this.appended.delete(id);
    this.lastOrder += 1;
    const item: Item = {
      id,
      event: event.id === 0 ? { ...event, id } : event,
      order: this.lastOrder,
      dueUs,
      state: "queued",
      on: null,
      token: 0,
      dueStampUs: 0,
      run: facts.run ?? 0,
      waiter: facts.waiter ?? 0,
      sender: facts.sender ?? appender ?? null,
      revoke: null,
      missing: null,
      worst: 0,
      worstText: "",
      deadlineTimer: 0,
    };
    this.items.set(item.id, item);
    this.idleSaid = false;
    return item;
  }

  /** G4. */
  nextNumber(): number {
    this.lastItem += 1;
    return this.lastItem;
  }

  /** G4. Another epoch begins, or what is defined has changed. */
  reserveNumbers(events: Iterable<AgendaEvent>): void {
    for (const { id } of events) {
      if (id === 0) continue;
      this.unused.add(id);
      if (id > this.lastItem) this.lastItem = id;
    }
  }

  /** G1. @param atUs when it leaves the queue; at a performer's that is before it is due. */
  enqueue(item: Item, atUs: number): void {
    item.state = "queued";
    this.queue.add({ id: item.order, dueUs: atUs, subject: item.id });
  }

  /** The place in the queue at which a run ends. */
  enqueueEnd(run: Run, atUs: number): void {
    this.lastOrder += 1;
    run.endOrder = this.lastOrder;
    this.queue.add({ id: run.endOrder, dueUs: atUs, subject: -run.id });
  }

  /** G1. */
  unqueue(item: Item): void {
    if (item.state === "queued") this.queue.remove(item.order);
  }

  waitFor(item: Item, on: BarrierCondition): void {
    item.state = "waiting";
    item.on = on;
    const waiting = this.waiting.get(on.barrier);
    if (waiting === undefined) this.waiting.set(on.barrier, new Set([item.id]));
    else waiting.add(item.id);
  }

  stopWaiting(item: Item): void {
    if (item.on === null) return;
    const waiting = this.waiting.get(item.on.barrier);
    waiting?.delete(item.id);
    if (waiting?.size === 0) this.waiting.delete(item.on.barrier);
    item.on = null;
  }

  /** G2. */
  giveToken(item: Item): void {
    this.lastToken += 1;
    item.token = this.lastToken;
    this.byToken.set(item.token, item.id);
  }

  /** The item forgets that it is out: what the performer still says of it fits nothing. */
  takeToken(item: Item): void {
    this.byToken.delete(item.token);
  }

  itemOfToken(token: number): Item | undefined {
    const id = this.byToken.get(token);
    return id === undefined ? undefined : this.items.get(id);
  }

  /** Removes the item from wherever it is. */
  dropItem(item: Item, port: Pick<AgendaPort, "clearTimer">): void {
    this.unqueue(item);
    this.stopWaiting(item);
    this.takeToken(item);
    if (item.deadlineTimer !== 0) port.clearTimer(item.deadlineTimer);
    item.deadlineTimer = 0;
    this.items.delete(item.id);
  }

  /** Has it completed once the present work is done; nothing happens inside this call. */
  complete(item: number, error: number, text: string, member: string | null = null): void {
    this.done.push({ item, member, error, text, how: "completed" });
  }

  /** The same for what did not fire and will not. */
  cancel(item: number, why: string, member: string | null = null): void {
    this.done.push({ item, member, error: refusedError, text: why, how: "cancelled" });
  }

  /** Whoever has appended this is told that it will not happen, if it has not. */
  dropAppended(port: Pick<AgendaPort, "tell">, id: number, text: string): void {
    const sender = this.appended.get(id);
    this.appended.delete(id);
    if (sender === undefined) return;
    const { edge, request } = sender;
    const facts = { scope: this.scope, request, id, error: refusedError, text };
    port.tell(edge, { kind: "event-done", ...facts });
  }

  /** Bounded as the events are: what was taken back longest ago is forgotten. */
  noteCancelled(id: number, { limits }: Pick<AgendaPort, "limits">): void {
    const [oldest] = this.cancelled;
    const isFull = this.cancelled.size >= limits.eventsPerScopeMax;
    if (isFull && oldest !== undefined) this.cancelled.delete(oldest);
    this.cancelled.add(id);
  }

  addRun(run: Run): void {
    this.runs.set(run.id, run);
    if (run.kind === "sequence") this.sequenceRuns.set(run.name, run.id);
  }

  dropRun(run: Run): void {
    this.runs.delete(run.id);
    if (run.kind === "sequence") this.sequenceRuns.delete(run.name);
    if (run.endOrder !== 0) this.queue.remove(run.endOrder);
  }

  timelineRun(id: number): TimelineRun | undefined {
    const run = this.runs.get(id);
    return run?.kind === "timeline" ? run : undefined;
  }

  sequenceRun(id: number): SequenceRun | undefined {
    const run = this.runs.get(id);
    return run?.kind === "sequence" ? run : undefined;
  }

  /** Whether nothing is due, out or awaited but barriers. */
  isQuiet(): boolean {
    return this.started && this.queue.size === 0 && this.byToken.size === 0;
  }

  capture(): AgendaSnapshot {
    assert(this.done.length === 0, "a snapshot is taken between entries");
    return {
      performer: this.performer ?? null,
      objects: this.objects.capture(),
      epoch: this.epoch,
      started: this.started,
      zeroUs: this.zeroUs ?? null,
      shiftUs: this.shiftUs,
      pausedUs: this.pausedUs ?? null,
      items: [...this.items.values()].map(({ missing, ...item }) => ({
        ...item,
        missing: missing === null ? null : [...missing],
      })),
      runs: [...this.runs.values()].map((run) => ({ ...run })),
      queue: this.queue.rows(),
      waiting: [...this.waiting].map(([barrier, items]) => [barrier, [...items]]),
      outcomes: [...this.outcomes],
      errors: [...this.errors],
      errorsDropped: this.errorsDropped,
      unused: [...this.unused],
      appended: [...this.appended],
      cancelled: [...this.cancelled],
      lastItem: this.lastItem,
      lastOrder: this.lastOrder,
      lastRun: this.lastRun,
      lastToken: this.lastToken,
      queueTimer: this.queueTimer,
      queueTimerUs: this.queueTimerUs,
      idleSaid: this.idleSaid,
    };
  }

  restore(snapshot: AgendaSnapshot): void {
    this.performer = snapshot.performer ?? undefined;
    this.objects.restore(snapshot.objects);
    this.epoch = snapshot.epoch;
    this.started = snapshot.started;
    this.zeroUs = snapshot.zeroUs ?? undefined;
    this.shiftUs = snapshot.shiftUs;
    this.pausedUs = snapshot.pausedUs ?? undefined;
    for (const { missing, ...rest } of snapshot.items) {
      const item: Item = { ...rest, missing: missing === null ? null : new Set(missing) };
      this.items.set(item.id, item);
      if (isOut(item)) this.byToken.set(item.token, item.id);
    }
    for (const run of snapshot.runs) this.addRun({ ...run });
    for (const row of snapshot.queue) this.queue.add(row);
    for (const [barrier, items] of snapshot.waiting) this.waiting.set(barrier, new Set(items));
    for (const [key, atUs] of snapshot.outcomes) this.outcomes.set(key, atUs);
    this.errors = [...snapshot.errors];
    this.errorsDropped = snapshot.errorsDropped;
    for (const id of snapshot.unused) this.unused.add(id);
    for (const [id, sender] of snapshot.appended) this.appended.set(id, sender);
    for (const id of snapshot.cancelled) this.cancelled.add(id);
    this.lastItem = snapshot.lastItem;
    this.lastOrder = snapshot.lastOrder;
    this.lastRun = snapshot.lastRun;
    this.lastToken = snapshot.lastToken;
    this.queueTimer = snapshot.queueTimer;
    this.queueTimerUs = snapshot.queueTimerUs;
    this.idleSaid = snapshot.idleSaid;
  }

  /** Rows for the digest: everything that decides what fires next. */
  rows(): readonly string[] {
    const { scope } = this;
    const numbers = [this.epoch, this.started, this.zeroUs, this.shiftUs, this.pausedUs];
    const counters = [this.lastItem, this.lastOrder, this.lastRun, this.lastToken, this.idleSaid];
    const rows = [`agenda ${scope} ${numbers.join(" ")} ${counters.join(" ")}`];
    for (const item of this.items.values()) rows.push(`item ${scope} ${describeItem(item)}`);
    for (const run of this.runs.values()) rows.push(`run ${scope} ${JSON.stringify(run)}`);
    for (const row of this.queue.rows()) rows.push(`place ${scope} ${JSON.stringify(row)}`);
    for (const [barrier, items] of this.waiting) {
      rows.push(`awaits ${scope} ${barrier} ${[...items].join(" ")}`);
    }
    for (const [key, atUs] of this.outcomes) rows.push(`outcome ${scope} ${key} ${atUs}`);
    rows.push(`cancelled ${scope} ${[...this.cancelled].join(" ")}`);
    rows.push(`unused ${scope} ${[...this.unused].join(" ")}`);
    for (const [id, sender] of this.appended) {
      rows.push(`appended ${scope} ${id} ${JSON.stringify(sender)}`);
    }
    rows.push(`errors ${scope} ${this.errors.length} ${this.errorsDropped}`);
    for (const row of this.objects.rows()) rows.push(`${scope} ${row}`);
    return rows;
  }
}

/** Whether the performer has it, and is to answer for it. */
export function isOut({ state }: Pick<Item, "state">): boolean {
  return state === "armed" || state === "revoking" || state === "fired";
}

function describeItem({ missing, ...item }: Item): string {
  return `${JSON.stringify(item)} ${missing === null ? "-" : [...missing].join(" ")}`;
}
