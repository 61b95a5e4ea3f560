// SPDX-License-Identifier: MIT
// Whether anybody is at the other end of a connection from which nothing comes: a machine that lost
// its power and a cable that was pulled say nothing, and the kernel finds out after many minutes. A
// browser shows a program no pings, so the server's clock is asked instead, which nobody logs.
//
//   V1. Asks only while somebody waits for something, and only after a silence.
import type { ClientPlatform } from "./platform.ts";
import { sessionTime } from "./session-time.ts";

export interface LivenessOptions {
  readonly platform: Pick<ClientPlatform, "after">;
  /** Whether somebody waits for something (V1). */
  readonly isNeeded: () => boolean;
  /** Asks something that is answered at once. */
  readonly ask: () => void;
  /** It was asked, and nothing has come for as long again. */
  readonly onSilent: () => void;
}

export class Liveness {
  readonly #options: LivenessOptions;
  #hasHeard = true;
  #hasAsked = false;
  #cancel: (() => void) | undefined;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** A connection is up. */
  begin(): void {
    this.end();
    [this.#hasHeard, this.#hasAsked] = [true, false];
    this.#wait();
  }

  /** Something has come. */
  heard(): void {
    this.#hasHeard = true;
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(): void {
    this.#cancel = this.#options.platform.after(sessionTime.silenceMs, () => this.#look());
  }

  #look(): void {
    const { isNeeded, ask, onSilent } = this.#options;
    const isQuiet = !this.#hasHeard;
    this.#hasHeard = false;
    if (isQuiet && this.#hasAsked) {
      onSilent();
      return;
    }
    this.#hasAsked = isQuiet && isNeeded();
    if (this.#hasAsked) ask();
    this.#wait();
  }
}
