// SPDX-License-Identifier: MIT
// The only place that reads a clock or arms a timer. Everything above takes a Clock, so that the
// simulator can put virtual time under the shipped code.
/** Cancels what it was returned for; calling it twice, or too late, does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Monotonic, microseconds, integer. Only differences mean anything. */
  nowUs(): number;
  /** Milliseconds since 1970, for people and file names only. */
  wallMs(): number;
  /** Calls `callback` once, `delayMs` from now or a little later. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls `callback` when this turn of the event loop has handled its input. */
  endOfTurn(callback: () => void): void;
}

export const systemClock: Clock = {
  // CLOCK_MONOTONIC, so that stamps of two processes on one machine can be compared.
  nowUs() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1_000_000 + Math.trunc(nanoseconds / 1000);
  },
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  endOfTurn: (callback) => {
    setImmediate(callback);
  },
};

/** Calls `callback` if the process is still there then; does not keep it from ending. */
export function afterUnlessEnded(delayMs: number, callback: () => void): Cancel {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}

/** Resolves after `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
