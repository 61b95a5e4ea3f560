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

/** Who takes a request back. */
interface Leaver {
  leave(connection: number): void;
}

export class PendingWait<Result> {
  /** Of the request, once it is sent. */
  connection = 0;
  readonly #leaver: Leaver;
  #end: End<Result> | undefined;
  /** The promise that waits, if one does. */
  #resolve: ((value: Result) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #stopListening: (() => void) | undefined;

  constructor(leaver: Leaver) {
    this.#leaver = leaver;
  }

  /** Waits for the end. @throws MusterError; the signal's reason when it was aborted */
  wait(signal?: AbortSignal): Promise<Result> {
    return new Promise((resolve, reject) => {
      // An error is made when there is somebody to tell: it is the costliest part of a wait.
      if (this.#reject !== undefined) {
        this.#rejectNow(new MusterError("invalid", "this wait was resumed somewhere else"));
      }
      this.#resolve = resolve;
      this.#reject = reject;
      if (signal !== undefined) this.#listen(signal);
      if (this.#end !== undefined) this.#settle(this.#end);
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
    if (this.#reject === undefined) return;
    const message =
      "the server's log takes nothing; whether this happens is open: resume it, or wait again later";
    const resume = (signal?: AbortSignal): Promise<Result> => this.wait(signal);
    this.#rejectNow(new MusterError("unavailable", message, { resume }));
  }

  #listen(signal: AbortSignal): void {
    const onAbort = (): void => {
      this.#leaver.leave(this.connection);
      this.#rejectNow(signal.reason);
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort);
    this.#stopListening = () => signal.removeEventListener("abort", onAbort);
  }

  #finish(end: End<Result>): void {
    this.#end = end;
    this.#settle(end);
  }

  #settle(end: End<Result>): void {
    if (end.kind === "error") {
      this.#rejectNow(end.error);
      return;
    }
    const resolve = this.#resolve;
    this.#letGo();
    resolve?.(end.value);
  }

  #rejectNow(error: unknown): void {
    const reject = this.#reject;
    this.#letGo();
    reject?.(error);
  }

  /** R1. */
  #letGo(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#resolve = undefined;
    this.#reject = undefined;
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
