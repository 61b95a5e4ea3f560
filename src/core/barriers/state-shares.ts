// SPDX-License-Identifier: MIT
// What a state is of a tree of controllers: signals whose numbers the root gives, in the order in
// which they were reported, and the targets that somebody waits for below.
//
//   G1. Signals are answered in the order in which they came; each is in one report.
//   G2. Who signals and waits is told its number first: when the target is over before, it stays
//       one who waits until the number is there, and may leave or be out of time (B4, B9).
import type { ConnectionId } from "../participant.ts";
import type { Holder } from "./keyed-table.ts";
import type { PlaceState, Waiter } from "./place.ts";

/** What becomes of one who waits when its signal has a number. */
export interface NumberedWait {
  /** The target is reached and over for everybody else: it goes on, and is told `error`. */
  readonly isOver: boolean;
  readonly error: number;
}

/** Signals in a row, of a connection here or of a controller below. */
export type Segment = {
  /** Number of the message in which the controller above was told of them; 0 when it was not. */
  report: number;
} & (
  | {
      edge: string;
      incarnation: number;
      connection: ConnectionId;
      /** It goes on when it has its number, also when it has left: in logs before version 4. */
      readonly wait?: { readonly target: number; readonly error: number };
      /** It waits as well, and waits yet. From version 4. */
      waits?: NumberedWait;
    }
  /**
   * Of the message with the number `of`. `child` "": signals of before there was a controller
   * above, which have their numbers.
   */
  | { readonly child: string; readonly count: number; readonly of: number }
);

export type OwnSegment = Extract<Segment, { readonly edge: string }>;

/** Who waits for a target at a controller below. */
export interface Want {
  readonly waiting: number;
  readonly error: number;
}

export class StateShares {
  /** In the order in which they came (G1). */
  segments: Segment[] = [];
  /** What was signalled here before there was a controller above is among the segments. */
  isAdopted = false;
  /** Targets whose waiters have changed since the last report. */
  readonly dirty: Set<number> = new Set();
  /** By target and controller. */
  readonly wants: Map<number, Map<string, Want>> = new Map();
  /** Who waits and whose signal has no number yet (G2). */
  readonly unnumbered: Map<Waiter, OwnSegment> = new Map();

  /** @returns how many signals the message with that number is to tell the controller above of. */
  reported(number: number): number {
    let signals = 0;
    for (const segment of this.segments) {
      if (segment.report !== 0) continue;
      segment.report = number;
      signals += countOf(segment);
    }
    return signals;
  }

  /** Takes those of one message off the list, or those of none. */
  takeOf(report: number): readonly Segment[] {
    const taken = this.segments.filter((one) => one.report === report);
    if (taken.length > 0) this.segments = this.segments.filter((one) => one.report !== report);
    return taken;
  }

  /** Who has just signalled waits as well. */
  awaitNumber(waiter: Waiter, segment: OwnSegment, waits: NumberedWait): void {
    segment.waits = waits;
    this.unnumbered.set(waiter, segment);
  }

  /** X1. Its number is for another connection. */
  move(from: Holder, to: Holder): void {
    for (const segment of this.segments) {
      if ("child" in segment || segment.connection !== from.connection) continue;
      if (segment.edge !== from.edge || segment.incarnation !== from.incarnation) continue;
      Object.assign(segment, to);
    }
  }

  /** It waits no more, or has its number. @returns whether the target was over for the others */
  forget(waiter: Waiter): boolean {
    const segment = this.unnumbered.get(waiter);
    const isOver = segment?.waits?.isOver === true;
    if (segment !== undefined) delete segment.waits;
    this.unnumbered.delete(waiter);
    return isOver;
  }

  /** G2. A target is over. @returns who stays there until it has its number */
  hold({ waiters, error }: PlaceState, isReached: boolean): ReadonlySet<Waiter> {
    const held = new Set<Waiter>();
    if (this.unnumbered.size === 0) return held;
    for (const waiter of waiters) {
      const segment = this.unnumbered.get(waiter);
      if (segment?.waits === undefined) continue;
      if (!segment.waits.isOver && !isReached) {
        this.forget(waiter);
        continue;
      }
      if (!segment.waits.isOver) segment.waits = { isOver: true, error };
      held.add(waiter);
    }
    return held;
  }

  /** What waits below for a target. */
  below(target: number): Want {
    let [waiting, error] = [0, 0];
    for (const want of this.wants.get(target)?.values() ?? []) {
      waiting += want.waiting;
      error = Math.max(error, want.error);
    }
    return { waiting, error };
  }
}

export function countOf(segment: Segment): number {
  return "child" in segment ? segment.count : 1;
}
