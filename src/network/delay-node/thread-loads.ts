// SPDX-License-Identifier: MIT
// Which thread of the delay node has which link, and how many threads there are. Pure.
//
//   W1. A link or LAN is in one thread for as long as it is there: in the one that is asked for
//       least when it comes. What it is asked for later moves it to no other.
//   W2. Of links that come together those that ask for most are first, whatever their order: so no
//       thread is asked for more than 4/3 of what would be possible. (Graham, 1969)
import { networkLimits } from "../network-limits.ts";

/** Bits per second of links that one thread is given before another one is started. */
const threadBps = 600_000_000;

/** As far as it is known here: what each member may send into the link, bits a second. */
export interface LoadingLink {
  readonly members: readonly { readonly up: { readonly bandwidthBps: number } }[];
}

export interface ComingLink {
  readonly name: string;
  readonly link: LoadingLink;
  /** The thread that it must be in; left out: any. */
  readonly only?: number | undefined;
}

export class ThreadLoads {
  readonly #places = new Map<string, { readonly thread: number; readonly bps: number }>();
  /** Bits per second by thread. */
  readonly #loads: number[];

  constructor(threads: number) {
    this.#loads = Array.from({ length: threads }, () => 0);
  }

  get threads(): number {
    return this.#loads.length;
  }

  /** Undefined for a link that is not there. */
  threadOf(link: string): number | undefined {
    return this.#places.get(link)?.thread;
  }

  /** W1, W2. Those that must be in one come first. */
  add(links: readonly ComingLink[]): void {
    const loads = links.map((one) => ({ ...one, bps: loadOf(one.link) }));
    const [bound, free] = [true, false].map((isBound) =>
      loads.filter(({ only }) => (only !== undefined) === isBound),
    );
    for (const { name, bps, only } of [
      ...(bound ?? []),
      ...(free ?? []).toSorted((a, b) => b.bps - a.bps),
    ]) {
      this.#place(name, only ?? this.#loads.indexOf(Math.min(...this.#loads)), bps);
    }
  }

  /** It has more members. */
  grow(name: string, link: LoadingLink): void {
    const thread = this.threadOf(name);
    if (thread !== undefined) this.#place(name, thread, loadOf(link));
  }

  remove(name: string): void {
    const thread = this.threadOf(name);
    if (thread !== undefined) this.#place(name, thread, 0);
    this.#places.delete(name);
  }

  #place(name: string, thread: number, bps: number): void {
    const before = this.#places.get(name)?.bps ?? 0;
    this.#loads[thread] = (this.#loads[thread] ?? 0) + bps - before;
    this.#places.set(name, { thread, bps });
  }
}

/** As many as links need; one processor is left for everything else. */
export function threadsFor(links: readonly LoadingLink[], processors: number): number {
  const sumBps = links.reduce((sum, link) => sum + loadOf(link), 0);
  const most = Math.min(processors - 1, networkLimits.delayNodeThreadsMax);
  return Math.max(1, Math.min(Math.ceil(sumBps / threadBps), most));
}

/** One without limit is asked for a part of a thread. */
function loadOf({ members }: LoadingLink): number {
  const ways = members.map(({ up }) => up.bandwidthBps || threadBps / 4);
  return ways.reduce((sum, bps) => sum + bps, 0);
}
