// SPDX-License-Identifier: MIT
// Traces of the links of a delay node, as whoever wants them sees them.

import {
  type LinkTrace,
  type LinkTracer,
  problemOf,
  type TraceCounts,
  type TraceOrder,
  tooManyTraces,
} from "../link-tracer.ts";
import { networkLimits } from "../network-limits.ts";
import type { ShaperAnswer, ShaperOrder, TraceEndReport } from "./shaper-messages.ts";

interface Open {
  readonly thread: number;
  readonly ended: PromiseWithResolvers<TraceCounts>;
}

const nothing: TraceCounts = { packets: 0, bytes: 0, dropped: 0, isFull: false };

export interface DelayNodeTracerOptions {
  /** @returns the thread that has the link. @throws NetworkError when there is none */
  readonly threadOf: (link: string) => number;
  /** @throws NetworkError */
  readonly ask: (thread: number, order: ShaperOrder) => Promise<ShaperAnswer>;
  readonly tracesMax?: number;
}

export class DelayNodeTracer implements LinkTracer {
  readonly #options: DelayNodeTracerOptions;
  readonly #open = new Map<number, Open>();
  #last = 0;

  constructor(options: DelayNodeTracerOptions) {
    this.#options = options;
  }

  async begin(order: TraceOrder): Promise<LinkTrace> {
    const { ask, threadOf, tracesMax = networkLimits.tracesMax } = this.#options;
    if (this.#open.size >= tracesMax) {
      throw tooManyTraces(tracesMax);
    }
    const thread = threadOf(order.link);
    this.#last += 1;
    const id = this.#last;
    const open: Open = { thread, ended: Promise.withResolvers() };
    this.#open.set(id, open);
    try {
      await ask(thread, { kind: "trace", trace: id, order });
    } catch (error) {
      this.#open.delete(id);
      // It may yet begin, where the answer was only late.
      void ask(thread, { kind: "trace-end", trace: id }).catch(() => undefined);
      throw error;
    }
    return {
      ended: open.ended.promise,
      pause: async (isPaused) => {
        await ask(thread, { kind: "trace-pause", trace: id, isPaused });
      },
      roll: async (to) => {
        await ask(thread, { kind: "trace-roll", trace: id, to });
      },
      end: () => this.#end(id, open),
    };
  }

  /** One that has had all that it was to have. */
  ended({ trace, counts = nothing, error }: TraceEndReport): void {
    const all = error === undefined ? counts : { ...counts, problem: error };
    this.#open.get(trace)?.ended.resolve(all);
    this.#open.delete(trace);
  }

  /** There is nobody any more who could go on with them. */
  close(): void {
    const all = { ...nothing, problem: "the delay node has ended" };
    for (const { ended } of this.#open.values()) ended.resolve(all);
    this.#open.clear();
  }

  async #end(id: number, open: Open): Promise<TraceCounts> {
    if (this.#open.delete(id)) {
      const end = this.#options.ask(open.thread, { kind: "trace-end", trace: id });
      open.ended.resolve(
        end.then(
          ({ traced = nothing }) => traced,
          (error: unknown) => ({ ...nothing, problem: problemOf(error) }),
        ),
      );
    }
    return await open.ended.promise;
  }
}
