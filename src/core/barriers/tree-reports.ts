// SPDX-License-Identifier: MIT
// When what is reported to the controller above: at the end of an entry, at most one report at a
// time (M5), one message for all barriers of the scope that have changed. And when those below are
// told news. What is in a report is the business of the kinds.
import type { Limits } from "../limits.ts";
import type { Scope } from "../scope.ts";
import type { Timers } from "../timers.ts";
import type { Turn } from "../turn.ts";
import { treesVersion } from "../version.ts";
import type { TreeLink } from "./tree.ts";
import type { TreeLinks } from "./tree-links.ts";
import type { UpMessage } from "./tree-messages.ts";

type Report = Extract<UpMessage, { kind: "report" }>;

/** How kinds answer. */
export interface ReportSources {
  /** What is to be said of these, `KIND NAME`, in the message with that number. */
  report(scope: Scope, keys: readonly string[], number: number): Report;
  /** There is no controller above, or none that takes reports: it is decided here. */
  settle(scope: Scope, keys: readonly string[], turn: Turn): void;
  /** Tells those below. @returns whether there is anybody who may have to be told later. */
  tellNews(scope: Scope, turn: Turn): boolean;
}

export interface ReportParts {
  readonly limits: Limits;
  readonly timers: Timers;
  readonly version: () => number;
  readonly links: TreeLinks;
}

export class TreeReports {
  readonly #parts: ReportParts;
  /** Scopes to be looked at when the entry ends. */
  readonly #touched = new Set<Scope>();

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  /** Whether others than quorums are decided by a controller above. */
  isBelow({ tree }: Scope): boolean {
    return tree.isBelow && this.#parts.version() >= treesVersion;
  }

  /** Whether that controller has said that it takes reports. */
  isHeard({ tree }: Scope): boolean {
    return tree.parent !== undefined && tree.parent.speaks >= treesVersion;
  }

  /** What is to be reported. @param key `KIND NAME` */
  touch(scope: Scope, key: string): void {
    scope.tree.reports.dirty.add(key);
    this.#touched.add(scope);
  }

  /** The link has changed, or time has passed. */
  wake(scope: Scope): void {
    this.#touched.add(scope);
  }

  /** A report, or part of it, is known to be in the log above. */
  acknowledged(scope: Scope, link: TreeLink, number: number): void {
    const { reports } = scope.tree;
    if (link.side !== "parent" || reports.onItsWay === 0 || number < reports.onItsWay) return;
    reports.onItsWay = 0;
    this.wake(scope);
  }

  /** The other side is there, and has said what it has taken. */
  met(scope: Scope, link: TreeLink, received: number): void {
    this.acknowledged(scope, link, received);
    this.wake(scope);
  }

  /** Nothing of what was said over the link is known to the other side any more. */
  forget({ tree: { reports } }: Scope): void {
    reports.onItsWay = 0;
  }

  reportDue(scope: Scope): void {
    scope.tree.reports.timer = 0;
    this.wake(scope);
  }

  newsDue(scope: Scope, sources: ReportSources, turn: Turn): void {
    scope.tree.reports.newsTimer = 0;
    if (sources.tellNews(scope, turn)) this.expectNews(scope, turn);
  }

  /** Somebody below may have to be told how something stands. */
  expectNews(scope: Scope, turn: Turn): void {
    const { reports } = scope.tree;
    if (reports.newsTimer !== 0) return;
    const purpose = { kind: "tree-news", scope: scope.name } as const;
    const { timers, limits } = this.#parts;
    reports.newsTimer = timers.set(turn.nowUs + limits.treeNewsUs, purpose);
  }

  /** At the end of an entry. */
  flush(sources: ReportSources, turn: Turn): void {
    if (this.#touched.size === 0) return;
    for (const scope of this.#touched) {
      this.#touched.delete(scope);
      const { dirty } = scope.tree.reports;
      if (dirty.size === 0) continue;
      if (this.isBelow(scope)) {
        this.#report(scope, sources, turn);
        continue;
      }
      const keys = [...dirty];
      dirty.clear();
      sources.settle(scope, keys, turn);
    }
  }

  #report(scope: Scope, sources: ReportSources, turn: Turn): void {
    const { parent, reports } = scope.tree;
    if (parent?.isMet !== true || !this.isHeard(scope)) return;
    if (reports.onItsWay !== 0 || reports.timer !== 0) return;
    const { limits, timers, links } = this.#parts;
    if (turn.nowUs < reports.nextUs) {
      reports.timer = timers.set(reports.nextUs, { kind: "tree-report", scope: scope.name });
      return;
    }
    const keys = [...reports.dirty].slice(0, limits.treeReportMax);
    for (const key of keys) reports.dirty.delete(key);
    const number = parent.lastSent + 1;
    reports.onItsWay = number;
    reports.nextUs = turn.nowUs + limits.treeFlushUs;
    links.sayUp(scope, sources.report(scope, keys, number), turn);
  }
}
