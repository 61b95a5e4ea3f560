// SPDX-License-Identifier: MIT
// The rows an agenda is made of: items, runs, places in the queue. Plain data without behaviour.
// Instants called `...Us` are event time unless another clock is named.
import type { DueRow } from "../due-heap.ts";
import type { AgendaEvent, BarrierCondition } from "./commands.ts";
import type { ErrorRecord } from "./effects.ts";
import type { ObjectsSnapshot } from "./object-table.ts";

/** An incarnation of an edge. */
export interface Performer {
  readonly name: string;
  readonly incarnation: number;
}

/** Who asked, and by which of its numbers. */
export interface Sender {
  readonly edge: Performer;
  readonly request: number;
}

/**
 * What is to become of an item if its performer has not fired it. `cancel` ends it, `hold` puts it
 * back into the queue, as an edit does, with what the edit changed.
 */
export interface Withdrawal {
  purpose: "cancel" | "hold";
  /** Why it is cancelled. */
  why: string;
  /** What an edit changes it to. */
  dueUs: number;
  event: AgendaEvent;
  /** Who is told what became of it, in order. */
  readonly askers: Asker[];
}

export interface Asker {
  readonly sender: Sender;
  readonly answer: "cancelled" | "edited";
}

/**
 * - `waiting`: for a barrier
 * - `queued`: for its time
 * - `armed`: sent out, to fire when due
 * - `revoking`: sent out and asked back
 * - `fired`: sent out, fired, not completed
 * - `running`: a sequence or timeline that this started has not ended
 */
export type ItemState = "waiting" | "queued" | "armed" | "revoking" | "fired" | "running";

/** One occurrence of an event. */
export interface Item {
  /** Of its event, where this is the first time that it occurs; else another one. */
  readonly id: number;
  event: AgendaEvent;
  /** First come, first served among equal instants. */
  order: number;
  dueUs: number;
  state: ItemState;
  on: BarrierCondition | null;
  /** Of the last time it was sent out, 0 when it never was. */
  token: number;
  dueStampUs: number;
  /** The run it is part of, 0 for none. */
  readonly run: number;
  /** The sequence run that waits for its completion, 0 for none. */
  readonly waiter: number;
  readonly sender: Sender | null;
  revoke: Withdrawal | null;
  /** Members of a group that have not completed; null for a single object. */
  missing: Set<string> | null;
  /** The worst error of the members that have. */
  worst: number;
  worstText: string;
  /** 0 for none. */
  deadlineTimer: number;
}

/** The item that completes when a run ends, or the part of it that does. */
export interface Owner {
  /** 0 for nobody. */
  readonly item: number;
  /** The member of a group that this run is; null for a single object. */
  readonly member: string | null;
  /** The failed sequence that this one cleans up for, 0 for none. */
  readonly failedRun: number;
}

export interface TimelineRun {
  readonly kind: "timeline";
  readonly id: number;
  readonly name: string;
  readonly owner: Owner;
  /** Barriers that ended before do not count. */
  readonly startUs: number;
  /** Instant of the last event whose instant is known. */
  lastUs: number;
  /** Events that wait for barriers, so that their instant is not known. */
  unknown: number;
  /** Its place in the queue, 0 for none. */
  endOrder: number;
}

export interface SequenceRun {
  readonly kind: "sequence";
  readonly id: number;
  readonly name: string;
  readonly owner: Owner;
  /** Barriers that ended before do not count. */
  readonly startUs: number;
  /** Index of the next step. */
  next: number;
  /** When the step before was due; the offset of the next one counts from there. */
  lastUs: number;
  /** The item of the step it is at, 0 for none. */
  current: number;
  /** Its place in the queue, 0 for none. */
  endOrder: number;
  /** Set once a step has failed and the sequence for errors runs. */
  failed: { readonly error: number; readonly text: string } | null;
}

export type Run = TimelineRun | SequenceRun;

/** A place in the queue; its `id` is an order. */
export interface QueueRow extends DueRow {
  /** An item, or a run that ends, negated. */
  readonly subject: number;
}

/** Everything that decides what fires next, as plain data. */
export interface AgendaSnapshot {
  readonly performer: Performer | null;
  readonly objects: ObjectsSnapshot;
  readonly epoch: number;
  readonly started: boolean;
  readonly zeroUs: number | null;
  readonly shiftUs: number;
  readonly pausedUs: number | null;
  readonly items: readonly (Omit<Item, "missing"> & {
    readonly missing: readonly string[] | null;
  })[];
  readonly runs: readonly Run[];
  readonly queue: readonly QueueRow[];
  readonly waiting: readonly (readonly [string, readonly number[]])[];
  readonly outcomes: readonly (readonly [string, number])[];
  readonly errors: readonly ErrorRecord[];
  readonly errorsDropped: number;
  readonly unused: readonly number[];
  readonly appended: readonly (readonly [number, Sender])[];
  readonly cancelled: readonly number[];
  readonly lastItem: number;
  readonly lastOrder: number;
  readonly lastRun: number;
  readonly lastToken: number;
  readonly queueTimer: number;
  readonly queueTimerUs: number;
  readonly idleSaid: boolean;
}
