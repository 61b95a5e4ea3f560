// SPDX-License-Identifier: MIT
// What changes in a scope, for one who watches it: its barriers as they are, each again when it has
// changed, and how they end. Changes of one moment are told together; a watcher sees every ending
// and the newest state, not every step between.
import type { LogEntry } from "../../core/command.ts";
import type { BarrierDescription, BarrierPlace } from "../../core/description.ts";
import type { Applied } from "../../core/effect.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { Host } from "../../host/host.ts";
import type { PastNews, WatchHistory } from "./watch-history.ts";

export type ScopeNews =
  | { readonly kind: "barrier"; readonly barrier: BarrierDescription }
  /** News before this place were lost to this watcher. */
  | { readonly kind: "gap" }
  | (PastNews & { readonly id: string });

export interface ScopeWatchOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly scope: string;
  readonly history: WatchHistory;
  /** Where the watcher was when it went; undefined for one that is new. */
  readonly after: { readonly place: number | undefined } | undefined;
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
  /** News up to here were told. */
  #place: number;
  #cancel: Cancel | undefined;

  constructor(options: ScopeWatchOptions) {
    this.#options = options;
    const { history, host, after, onNews } = options;
    this.#place = after?.place ?? history.place;
    if (after !== undefined && after.place === undefined) onNews([{ kind: "gap" }]);
    this.#stopObserving = host.observe((entry, applied) => this.#onEntry(entry, applied));
    this.#tell();
  }

  close(): void {
    this.#stopObserving();
    this.#cancel?.();
  }

  #onEntry({ entry }: LogEntry, { observed, addressed }: Applied): void {
    const isTick = entry.batches.length === 0 && addressed.length === 0 && observed.length === 0;
    if (isTick || this.#cancel !== undefined) return;
    const { clock, watchMs } = this.#options;
    this.#cancel = clock.after(watchMs, () => this.#tell());
  }

  #tell(): void {
    this.#cancel = undefined;
    const { host, scope, history, barriersMax, onNews } = this.#options;
    const { rows, isGap } = history.since(this.#place, scope);
    this.#place = history.place;
    const news: ScopeNews[] = isGap ? [{ kind: "gap" }] : [];
    for (const { id, news: past } of rows) news.push({ ...past, id });
    const told = new Map<string, string>();
    for (const barrier of firstBarriers(host, scope, barriersMax)) {
      const text = JSON.stringify(barrier);
      // Each kind has names of its own.
      const key = `${barrier.kind} ${barrier.name}`;
      told.set(key, text);
      if (this.#told.get(key) !== text) news.push({ kind: "barrier", barrier });
    }
    this.#told = told;
    if (news.length > 0) onNews(news);
  }
}

/** In the order of names; a scope may hold many more, and those are not looked at. */
function* firstBarriers(host: Host, scope: string, max: number): Generator<BarrierDescription> {
  let left = max;
  let after: BarrierPlace | undefined;
  do {
    const page = host.describe(scope, undefined, { max: left, ...(after && { after }) });
    yield* page.barriers;
    left -= page.barriers.length;
    after = page.next;
  } while (after !== undefined && left > 0);
}
