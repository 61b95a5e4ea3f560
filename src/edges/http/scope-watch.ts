// SPDX-License-Identifier: MIT
// What changes in a scope, for those who watch it: its barriers as they are, each again when it has
// changed, and how they end. Changes of one moment are told together; a watcher sees every ending
// and the newest state, not every step between.

import type { LogEntry } from "../../core/command.ts";
import type { BarrierDescription } from "../../core/description.ts";
import type { Applied, BarrierClosed, ObservedEffect, WaitWarning } from "../../core/effect.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { Host } from "../../host/host.ts";

export type ScopeNews =
  | { readonly kind: "barrier"; readonly barrier: BarrierDescription }
  | { readonly kind: "closed"; readonly closed: BarrierClosed }
  | { readonly kind: "warning"; readonly warning: WaitWarning };

export interface ScopeWatchOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly scope: string;
  /** How long changes are collected, milliseconds. */
  readonly watchMs: number;
  /** Barriers that are told of; those beyond it are not. */
  readonly barriersMax: number;
  readonly onNews: (news: readonly ScopeNews[]) => void;
}

export class ScopeWatch {
  readonly #options: ScopeWatchOptions;
  readonly #stopObserving: () => void;
  /** What was told of each open barrier, as text. */
  #told = new Map<string, string>();
  #ends: ScopeNews[] = [];
  #cancel: Cancel | undefined;

  constructor(options: ScopeWatchOptions) {
    this.#options = options;
    this.#stopObserving = options.host.observe((entry, applied) => this.#onEntry(entry, applied));
    this.#tell();
  }

  close(): void {
    this.#stopObserving();
    this.#cancel?.();
  }

  #onEntry({ entry }: LogEntry, { observed, addressed }: Applied): void {
    for (const effect of observed) this.#onObserved(effect);
    const isTick = entry.batches.length === 0 && addressed.length === 0 && observed.length === 0;
    if (isTick || this.#cancel !== undefined) return;
    const { clock, watchMs } = this.#options;
    this.#cancel = clock.after(watchMs, () => this.#tell());
  }

  #onObserved(effect: ObservedEffect): void {
    if (effect.scope !== this.#options.scope) return;
    if (effect.kind === "barrier-closed") this.#ends.push({ kind: "closed", closed: effect });
    if (effect.kind === "wait-warning") this.#ends.push({ kind: "warning", warning: effect });
  }

  #tell(): void {
    this.#cancel = undefined;
    const { host, scope, barriersMax, onNews } = this.#options;
    const news = this.#ends;
    this.#ends = [];
    const told = new Map<string, string>();
    for (const barrier of host.describe(scope).barriers.slice(0, barriersMax)) {
      const text = JSON.stringify(barrier);
      told.set(barrier.name, text);
      if (this.#told.get(barrier.name) !== text) news.push({ kind: "barrier", barrier });
    }
    this.#told = told;
    if (news.length > 0) onNews(news);
  }
}
