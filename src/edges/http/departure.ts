// SPDX-License-Identifier: MIT
// Whether the client of a call is still there to be answered, and who wants to know when it is not.
// It stands where an AbortSignal would: every request needs one, hardly any client goes early, and
// a signal is an event target that is aborted with an error and its stack.
import { HttpError } from "./errors.ts";

export class Departure {
  #hasGone = false;
  #why: HttpError | undefined;
  #listeners: (() => void)[] = [];
  readonly #onWaits: () => void;

  /** @param onWaits somebody wants to know: the call waits for what others do */
  constructor(onWaits: () => void = () => undefined) {
    this.#onWaits = onWaits;
  }

  /** Why nothing is to be answered any more; undefined while the client is there. */
  get reason(): HttpError | undefined {
    if (!this.#hasGone) return undefined;
    return this.#why ?? new HttpError("unavailable", "the client has gone");
  }

  /** @throws HttpError when the client has gone. */
  throwIfGone(): void {
    if (this.#hasGone) throw this.reason;
  }

  /** Calls back, once, with why. @returns what to call when it does not matter any more. */
  onGone(callback: (why: HttpError | undefined) => void): () => void {
    const listener = (): void => callback(this.reason);
    this.#listeners.push(listener);
    this.#onWaits();
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== listener);
    };
  }

  /** The client has gone, or is told to go: `why` is its answer if one can still be given. */
  tell(why?: HttpError): void {
    if (this.#hasGone) return;
    this.#hasGone = true;
    this.#why = why;
    for (const listener of this.#listeners.splice(0)) listener();
  }
}
