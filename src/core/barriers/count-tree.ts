// SPDX-License-Identifier: MIT
// Counts over a tree of controllers (D9): each reports the sum of its part up, the root decides,
// and how it ended comes down. Owns what reports and ends mean; when a report goes is in
// tree-reports.ts, what a part is made of in count-shares.ts.
//
//   W4. A report of a round that is over means nothing, and so does an end of one.
//   W5. Whatever has not been reported when the link to the controller above is lost waits for the
//       next one; what has been reported fails, as nobody knows what was decided about it.

import { limitMessage } from "../limits.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import type { Common } from "./common.ts";
import { type CountKind, open, sharesOf } from "./count.ts";
import type { CountBarrier } from "./count-barrier.ts";
import { type CountRow, type CountShares, includedIn, type Layer } from "./count-shares.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { CountEnded, CountNews, CountReport } from "./tree-messages.ts";
import type { TreeReports } from "./tree-reports.ts";

interface CountTreeParts {
  readonly common: Common;
  readonly counts: CountKind;
  readonly reports: TreeReports;
  readonly links: TreeLinks;
}

export class CountTree {
  readonly #parts: CountTreeParts;

  constructor(parts: CountTreeParts) {
    this.#parts = parts;
  }

  /** There is a controller above from now on: whatever is open is to be part of its barriers. */
  adopt(scope: Scope): void {
    for (const barrier of scope.counts.values()) {
      const shares = sharesOf(barrier);
      const { fresh, rows } = shares;
      let [asked, waiting] = [barrier.count, barrier.waiters];
      for (const { report } of rows.values()) asked -= report.count;
      for (const waiter of waiting) {
        asked -= waiter.contribution;
        shares.came(waiter, this.#parts.common.limits.namesInReportMax);
      }
      [fresh.asked, fresh.error] = [asked, barrier.error];
      shares.deadline = barrier.deadline;
      this.#parts.common.clearDeadline(barrier);
      this.#parts.reports.touch(scope, `count ${barrier.name}`);
    }
  }

  /** What is said of these in the message with that number. */
  report(scope: Scope, names: readonly string[], number: number): readonly CountReport[] {
    const said: CountReport[] = [];
    for (const name of names) {
      const barrier = scope.counts.get(name);
      if (barrier === undefined) continue;
      const shares = sharesOf(barrier);
      const { round, lastChange: last, hasCome, deadline, freshNodes: nodes } = shares;
      const { count, expected, error, waiters, waitingBelow } = barrier;
      const waiting = waiters.size + waitingBelow;
      const sums = { count, expected, waiting, error };
      const rest = deadline === undefined ? { nodes } : { nodes, deadline };
      said.push({ barrier: name, round, ...sums, last, hasCome, ...rest });
      if (round === 0) shares.round = number;
      shares.reported(number);
    }
    return said;
  }

  /** There is nobody above who would decide. */
  settle(scope: Scope, names: readonly string[], turn: Turn): void {
    for (const name of names) {
      const barrier = scope.counts.get(name);
      if (barrier?.shares === undefined) continue;
      const { deadline, lastChange } = barrier.shares;
      barrier.shares.deadline = undefined;
      if (deadline !== undefined) this.#parts.common.setDeadline(barrier, deadline, turn.nowUs);
      this.#parts.counts.changed(scope, barrier, lastChange, turn);
    }
  }

  /** A controller below says what its part is. */
  take(scope: Scope, child: string, number: number, report: CountReport, turn: Turn): void {
    const { common, counts, links, reports } = this.#parts;
    const { barrier: name, error, last, hasCome, deadline } = report;
    const known = scope.counts.get(name);
    const old = known?.shares?.rows.get(child);
    if (report.round !== 0 && old?.round !== report.round) return; // W4
    if (known === undefined && scope.openBarriers >= common.limits.barriersPerScopeMax) {
      const reason = `too many barriers are open there: ${limitMessage(common.limits, "barriersPerScopeMax")}`;
      const end = { generation: 0, outcome: "failed", error: 0, reason } as const;
      const facts = { barrier: name, round: number, upTo: number, expected: 0, missing: [] };
      links.sayDown(scope, child, { kind: "count-ended", ...facts, ...end }, turn);
      return;
    }
    const barrier = known ?? open(scope, name, turn.nowUs);
    const shares = sharesOf(barrier);
    this.#setRow(barrier, shares, { child, number, report });
    if (error > barrier.error) barrier.error = error;
    if (reports.isBelow(scope)) {
      if (error > shares.fresh.error) shares.fresh.error = error;
      shares.hasCome ||= hasCome;
      shares.deadline = deadline ?? shares.deadline;
      for (const node of report.nodes) shares.see(node, common.limits.namesInReportMax);
    } else {
      if (deadline !== undefined) common.setDeadline(barrier, deadline, turn.nowUs);
      if (hasCome && barrier.waitingBelow > 0) common.onArrival(barrier, turn.nowUs);
    }
    reports.expectNews(scope, turn);
    counts.changed(scope, barrier, last, turn);
  }

  /** A1. */
  #setRow(
    barrier: CountBarrier,
    { rows }: CountShares,
    said: { readonly child: string; readonly number: number; readonly report: CountReport },
  ): void {
    const { child, number, report } = said;
    const { count, expected, waiting, round } = report;
    const is = { count, expected, waiting };
    const known = rows.get(child);
    barrier.changeBelow(known?.report ?? { count: 0, expected: 0, waiting: 0 }, is);
    const row: CountRow =
      known !== undefined && round !== 0 && known.round === round
        ? known
        : {
            ...{ round: number, number, report: is, included: [] },
            ...{ nodes: new Set<string>(), lost: "", told: "" },
          };
    [row.number, row.report] = [number, is];
    for (const node of report.nodes) {
      if (row.nodes.size < this.#parts.common.limits.namesInReportMax) row.nodes.add(node);
    }
    rows.set(child, row);
  }

  /** How it ended for those in one of the last two reports; who came after them stays (A2). */
  ended(scope: Scope, message: CountEnded, turn: Turn): void {
    const barrier = scope.counts.get(message.barrier);
    const { shares } = barrier ?? {};
    if (barrier === undefined || shares === undefined) return;
    if (shares.round === 0 || shares.round !== message.round) return; // W4
    const { common, links, reports } = this.#parts;
    const { upTo, generation, outcome, error, expected, missing } = message;
    const reason = message.reason === "" ? undefined : message.reason;
    const late = shares.after(upTo, barrier.waiters);
    const lateRows = new Map<string, CountRow>();
    for (const [child, row] of shares.rows) {
      const included = includedIn(row, upTo);
      const { round, lost } = row;
      const end = { ...message, round, upTo: included };
      if (included > 0) links.sayDown(scope, child, end, turn);
      else if (lost === "") lateRows.set(child, row);
      else {
        const how = { upTo: row.number, outcome: "failed", error: 0, reason: lost } as const;
        links.sayDown(scope, child, { ...end, ...how }, turn);
      }
    }
    [barrier.generation, barrier.error] = [generation, error];
    const released = barrier.releaseAllBut(late);
    scope.remember(barrier, { outcome }, common.limits.closedBarriersPerScopeMax);
    const isOver = late.waiters.size === 0 && late.asked === 0 && lateRows.size === 0;
    if (isOver) scope.counts.delete(barrier.name);
    common.tellEnd(barrier, released, { outcome, reason }, { expected, missing }, turn);
    if (isOver) return;
    this.#begin(scope, barrier, { late, lateRows }, turn);
    common.watchAgain(barrier);
    reports.touch(scope, `count ${barrier.name}`);
  }

  #begin(
    scope: Scope,
    barrier: CountBarrier,
    { late, lateRows }: { readonly late: Layer; readonly lateRows: ReadonlyMap<string, CountRow> },
    turn: Turn,
  ): void {
    const before = sharesOf(barrier);
    barrier.begin(scope.nextGeneration("count", barrier.name), late, turn.nowUs);
    barrier.shares = undefined;
    const shares = sharesOf(barrier);
    shares.fresh = late;
    shares.lastChange = before.lastChange;
    shares.hasCome = late.waiters.size > 0 || lateRows.size > 0;
    shares.deadline = before.deadline;
    for (const { who } of late.waiters)
      shares.see(who.node, this.#parts.common.limits.namesInReportMax);
    for (const [child, row] of lateRows) {
      row.included = [];
      shares.rows.set(child, row);
      barrier.changeBelow({ count: 0, expected: 0, waiting: 0 }, row.report);
    }
  }

  /** W5. */
  parentLost(scope: Scope, reason: string, turn: Turn): void {
    for (const barrier of [...scope.counts.values()]) {
      const { round = 0 } = barrier.shares ?? {};
      if (round === 0) {
        this.#parts.reports.touch(scope, `count ${barrier.name}`);
        continue;
      }
      // In case that it is lost on this side only.
      const message = { kind: "count-failed", barrier: barrier.name, round, reason } as const;
      this.#parts.links.sayUp(scope, message, turn);
      this.#parts.counts.fail(barrier, reason, turn);
    }
  }

  /** W2. */
  childLost(scope: Scope, child: string, reason: string, turn: Turn): void {
    for (const barrier of [...scope.counts.values()]) {
      // Its row stays until the end: one that is not lost on its side has to be told.
      const row = barrier.shares?.rows.get(child);
      if (row === undefined) continue;
      row.lost = reason;
      this.#fail(scope, barrier, reason, turn);
    }
  }

  /** Numbers of messages begin again: what was said over the link is not known there any more. */
  childForgot(scope: Scope, child: string): void {
    for (const { shares } of scope.counts.values()) {
      const row = shares?.rows.get(child);
      if (row !== undefined) row.round = 0;
    }
  }

  /** A controller further down is lost. */
  failedBelow(
    scope: Scope,
    child: string,
    {
      barrier: name,
      round,
      reason,
    }: Pick<CountReport, "barrier" | "round"> & { readonly reason: string },
    turn: Turn,
  ): void {
    const barrier = scope.counts.get(name);
    const row = barrier?.shares?.rows.get(child);
    if (barrier === undefined || row?.round !== round) return; // W4
    row.lost = reason;
    this.#fail(scope, barrier, reason, turn);
  }

  /** The root ends it; what the root was not told of ends here. */
  #fail(scope: Scope, barrier: CountBarrier, reason: string, turn: Turn): void {
    const { round = 0 } = barrier.shares ?? {};
    if (!this.#parts.reports.isBelow(scope) || round === 0) {
      this.#parts.counts.fail(barrier, reason, turn);
      return;
    }
    const message = { kind: "count-failed", barrier: barrier.name, round, reason } as const;
    this.#parts.links.sayUp(scope, message, turn);
  }

  /** B10. For each controller below; undefined when there is no part that may need news. */
  newsFor(scope: Scope): ReadonlyMap<string, readonly CountNews[]> | undefined {
    const { common } = this.#parts;
    const news = new Map<string, CountNews[]>();
    let isAnybody = false;
    for (const barrier of scope.counts.values()) {
      const { shares } = barrier;
      if (shares === undefined || shares.rows.size === 0) continue;
      const { rows, above } = shares;
      isAnybody = true;
      const { count, expected } = above ?? barrier;
      if (above === undefined && scope.tree.isBelow) continue;
      const { name, generation, error } = barrier;
      const stands = { generation, count, expected, error };
      const facts = { barrier: name, ...stands, missing: common.missing(barrier) };
      for (const [child, row] of rows) {
        const told = news.get(child) ?? [];
        const settled = scope.tree.isBelow ? includedIn(row, shares.settled) : row.number;
        const text = JSON.stringify([facts, settled]);
        if (row.told === text || told.length >= common.limits.treeReportMax) continue;
        row.told = text;
        told.push({ ...facts, round: row.round, settled });
        news.set(child, told);
      }
    }
    return isAnybody ? news : undefined;
  }

  /** The controller above has said how they stand. */
  hearNews(scope: Scope, counts: readonly CountNews[]): void {
    for (const { barrier: name, round, generation, error, ...above } of counts) {
      const barrier = scope.counts.get(name);
      if (barrier?.shares === undefined || round === 0 || barrier.shares.round !== round) continue;
      const { count, expected, missing, settled } = above;
      barrier.shares.settle(settled);
      barrier.shares.above = { count, expected, missing };
      barrier.generation = generation;
      if (error > barrier.error) barrier.error = error;
    }
  }
}
