// SPDX-License-Identifier: MIT
// What a count barrier is made of where a tree of controllers carries it: the parts of the
// controllers below, and of its own parties those that the controller above knows of.
//
//   A1. A part is told as a whole: taking it twice changes nothing.
//   A2. An end from above is about the parties of one report; who has come after it stays, for the
//       next generation. Who was in it and has left meanwhile changes nothing any more (D9).
//   A3. Which report that will be is not known before: what came with each is kept apart until the
//       controller above has said that no end will be about an earlier one.

import type { Waiter } from "./place.ts";
import type { Deadline } from "./rules.ts";
import type { CountReport, LastChange } from "./tree-messages.ts";

/** The part of a controller below. */
export interface CountRow {
  /** 0 when the controller does not know of it any more. */
  round: number;
  /** Number of the message in which it said so. */
  number: number;
  report: Pick<CountReport, "count" | "expected" | "waiting">;
  /** `number` as it was in reports of this controller, the oldest first; those that may matter. */
  included: { readonly report: number; readonly number: number }[];
  readonly nodes: Set<string>;
  /** Why it cannot take part any more, if its controller was lost: it ends with the others. */
  lost: string;
  /** What it was told of how the barrier stands. */
  told: string;
}

/** What has come within one report. */
export interface Layer {
  /** Some of them may have left. */
  readonly waiters: Set<Waiter>;
  /** Asked for by inits that do not wait. */
  asked: number;
  /** The largest that anybody has brought who came to wait, also if they left. */
  error: number;
}

/** How the whole barrier stands, as the controller above has said. */
export interface CountAbove {
  readonly count: number;
  readonly expected: number;
  readonly missing: readonly string[];
}

export class CountShares {
  readonly rows: Map<string, CountRow> = new Map();
  /** By which the controller above knows this part; 0 when it was not told of it. */
  round = 0;
  /** Since the last report. */
  fresh: Layer = emptyLayer();
  /** What came with each report (A3). */
  layers: (Layer & { readonly report: number })[] = [];
  /** No end will be about a report before this one. */
  settled = 0;
  lastChange: LastChange = "came";
  hasCome = false;
  deadline: Deadline | undefined;
  /** Nodes to be named in the next report. */
  freshNodes: string[] = [];
  readonly nodes: Set<string> = new Set();
  above: CountAbove | undefined;

  /** A party has come to wait. */
  came(waiter: Waiter, namesMax: number): void {
    this.fresh.waiters.add(waiter);
    if (waiter.error > this.fresh.error) this.fresh.error = waiter.error;
    this.lastChange = "came";
    this.hasCome = true;
    this.see(waiter.who.node, namesMax);
  }

  see(node: string | undefined, namesMax: number): void {
    if (node === undefined || this.nodes.has(node) || this.nodes.size >= namesMax) return;
    this.nodes.add(node);
    this.freshNodes.push(node);
  }

  left(waiter: Waiter, how: LastChange): void {
    this.fresh.waiters.delete(waiter);
    this.lastChange = how;
  }

  /** What has come is in the report with this number. */
  reported(report: number): void {
    this.layers.push({ ...this.fresh, report });
    this.fresh = emptyLayer();
    this.hasCome = false;
    this.deadline = undefined;
    this.freshNodes = [];
    for (const { included, number } of this.rows.values()) {
      if (included.at(-1)?.number !== number) included.push({ report, number });
    }
  }

  /** A2. Who has come after the report with this number, and who of them waits yet. */
  after(report: number, waiting: ReadonlySet<Waiter>): Layer {
    const late = emptyLayer();
    const layers = [...this.layers.filter((layer) => layer.report > report), this.fresh];
    for (const { waiters, asked, error } of layers) {
      for (const waiter of waiters) if (waiting.has(waiter)) late.waiters.add(waiter);
      late.asked += asked;
      if (error > late.error) late.error = error;
    }
    return late;
  }

  /** A3. */
  settle(report: number): void {
    if (report <= this.settled) return;
    this.settled = report;
    this.layers = this.layers.filter((layer) => layer.report > report);
    for (const row of this.rows.values()) {
      const last = row.included.findLastIndex((one) => one.report <= report);
      if (last > 0) row.included = row.included.slice(last);
    }
  }
}

/** Which of its messages a row had in the report with this number; 0 for none. */
export function includedIn({ included }: CountRow, report: number): number {
  return included.findLast((one) => one.report <= report)?.number ?? 0;
}

export function emptyLayer(): Layer {
  return { waiters: new Set(), asked: 0, error: 0 };
}
