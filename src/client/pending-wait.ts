// SPDX-License-Identifier: MIT
// One participant's request that is on its way: who is told its end, and who may ask for it again
// when the server's log was away. Every handle of a barrier uses it, whatever it waits for.
//
//   R1. A promise settles once; a request ends once, and its end is kept until somebody has it.
//   R2. When the log is away the promise rejects with `unavailable`, and the request stays:
//       `resume` waits on for the same one, so that it counts once.
import { MusterError } from "./muster-error.ts";

type End<Result> =
  | { readonly kind: "value"; readonly value: Result }
  | { readonly kind: "error"; readonly error: unknown };

export class PendingWait<Result> {
  readonly #leave: () => void;
  #end: End<Result> | undefined;
  #settle: ((end: End<Result>) => void) | undefined;

  /** @param leave takes the request back at the server. */
  constructor(leave: () => void) {
    this.#leave = leave;
  }

  /** Waits for the end. @throws MusterError; the signal's reason when it was aborted */
  wait(signal?: AbortSignal): Promise<Result> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#settle = undefined;
        this.#leave();
        reject(signal?.reason);
      };
      this.#settle?.({
        kind: "error",
        error: new MusterError("invalid", "this wait was resumed somewhere else"),
      });
      this.#settle = (end) => {
        signal?.removeEventListener("abort", onAbort);
        this.#settle = undefined;
        if (end.kind === "value") resolve(end.value);
        else reject(end.error);
      };
      if (signal?.aborted) onAbort();
      else if (this.#end !== undefined) this.#settle(this.#end);
      else signal?.addEventListener("abort", onAbort);
    });
  }

  resolve(value: Result): void {
    this.#finish({ kind: "value", value });
  }

  reject(error: unknown): void {
    this.#finish({ kind: "error", error });
  }

  /** R2. */
  suspend(): void {
    const message =
      "the server's log takes nothing; whether this happens is open: resume it, or wait again later";
    const resume = (signal?: AbortSignal): Promise<Result> => this.wait(signal);
    this.#settle?.({ kind: "error", error: new MusterError("unavailable", message, { resume }) });
  }

  #finish(end: End<Result>): void {
    this.#end = end;
    this.#settle?.(end);
  }
}

/** Waits for what ends anyhow, no longer than until the signal. @throws its reason */
export async function untilAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason);
    stop = () => signal.removeEventListener("abort", onAbort);
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}
