// SPDX-License-Identifier: MIT
// What a state is of a tree of controllers: signals whose numbers the root gives, in the order in
// which they were reported, and the targets that somebody waits for below.
//
//   G1. Signals are answered in the order in which they came; each is in one report.
import type { ConnectionId } from "../participant.ts";

/** Signals in a row, of a connection here or of a controller below. */
export type Segment = {
  /** Number of the message in which the controller above was told of them; 0 when it was not. */
  report: number;
} & (
  | {
      readonly edge: string;
      readonly incarnation: number;
      readonly connection: ConnectionId;
      /** It goes on at once when it has its number. */
      readonly wait?: { readonly target: number; readonly error: number };
    }
  /**
   * Of the message with the number `of`. `child` "": signals of before there was a controller
   * above, which have their numbers.
   */
  | { readonly child: string; readonly count: number; readonly of: number }
);

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
