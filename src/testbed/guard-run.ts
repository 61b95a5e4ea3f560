// SPDX-License-Identifier: MIT
// Has a run leave its results whatever becomes of it: a mistake in this program, wherever it shows
// itself, ends the run as a failure that says so, and not the process without a word.
import { EventEmitter } from "node:events";
import type { Cancel, Clock } from "../host/clock.ts";

/** Where what nobody has caught is told: the process. */
export type Faults = Pick<NodeJS.EventEmitter, "on" | "off">;

export interface GuardOptions {
  /** The run, which ends in order when its signal says so. */
  readonly run: (interrupt: AbortSignal) => Promise<void>;
  readonly interrupt: AbortSignal;
  readonly clock: Clock;
  /** Told of the first mistake. */
  readonly onFault: (message: string) => void;
  readonly faults: Faults;
}

/** The longest that a run may take to end in order behind a mistake. */
const endMs = 60_000;

/** Resolves when the run has ended, or will not. Never rejects. */
export async function guardRun(options: GuardOptions): Promise<void> {
  const { run, interrupt, clock, onFault, faults } = options;
  const ended = new AbortController();
  const stuck = Promise.withResolvers<void>();
  let cancel: Cancel = () => undefined;
  const fail = (error: unknown): void => {
    if (ended.signal.aborted) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    onFault(`a mistake in muster has ended the run, please report it: ${text}`);
    ended.abort();
    cancel = clock.after(endMs, () => stuck.resolve());
  };
  faults.on("uncaughtException", fail);
  faults.on("unhandledRejection", fail);
  try {
    const both = AbortSignal.any([interrupt, ended.signal]);
    await Promise.race([run(both).catch(fail), stuck.promise]);
  } finally {
    cancel();
    faults.off("uncaughtException", fail);
    faults.off("unhandledRejection", fail);
  }
}

/**
 * The same for many runs: whose mistake it is cannot be told, so that all of them end. Listens at
 * the source once, and only while somebody listens here.
 */
export function sharedFaults(source: Faults): Faults {
  const all = new EventEmitter().setMaxListeners(0);
  const tellers = new Map<string | symbol, (error: unknown) => void>();
  return {
    on(kind, listener) {
      if (!tellers.has(kind)) {
        const tell = (error: unknown): void => void all.emit(kind, error);
        tellers.set(kind, tell);
        source.on(kind, tell);
      }
      return all.on(kind, listener);
    },
    off(kind, listener) {
      all.off(kind, listener);
      const tell = tellers.get(kind);
      if (tell !== undefined && all.listenerCount(kind) === 0) {
        tellers.delete(kind);
        source.off(kind, tell);
      }
      return all;
    },
  };
}
