// SPDX-License-Identifier: MIT
// Has a run leave its results whatever becomes of it: a mistake in this program, wherever it shows
// itself, ends the run as a failure that says so, and not the process without a word.
import type { Cancel, Clock } from "../../host/clock.ts";

export interface GuardOptions {
  /** The run, which ends in order when its signal says so. */
  readonly run: (interrupt: AbortSignal) => Promise<void>;
  readonly interrupt: AbortSignal;
  readonly clock: Clock;
  /** Told of the first mistake. */
  readonly onFault: (message: string) => void;
  /** Where what nobody has caught is told: the process. */
  readonly faults: Pick<NodeJS.EventEmitter, "on" | "off">;
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
