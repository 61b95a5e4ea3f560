// SPDX-License-Identifier: MIT
// The events planned for swap-out (`$ns at swapout`): fired while everything is still there, and
// the programs they start get their time. What else is planned does not fire any more. Both waits
// are bounded, so that a swap-out cannot hang on them.
import { builtIn } from "../core/agenda/object-table.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { CoreLink } from "../host/core-link.ts";

/** The longest the events may take, and then the programs they have started. */
const swapoutMs = 30_000;
/** The number of the only request this makes. */
const request = 1;

export interface SwapoutOptions {
  readonly clock: Clock;
  readonly link: CoreLink;
  readonly scope: string;
  /** Resolves when what was sent out has fired, and is answered. */
  readonly drain: () => Promise<void>;
  /** Names of the programs that run or are being started. */
  readonly active: () => readonly string[];
}

export class SwapoutEvents {
  readonly #options: SwapoutOptions;
  #onProgress: () => void = () => undefined;
  #isDone = false;

  constructor(options: SwapoutOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { link, scope, drain, active } = this.#options;
    const before = new Set(active());
    link.submit({ kind: "agenda-halt", scope });
    link.submit({
      ...{ kind: "agenda-schedule", scope, request, object: builtIn.swapout, event: "RUN" },
      ...{ args: "", at: { kind: "now" } },
    });
    await this.#until(() => this.#isDone);
    await drain();
    await this.#until(() => active().every((name) => before.has(name)));
  }

  /** A request of this edge has completed, or was refused. */
  onAnswer(of: number): void {
    if (of !== request) return;
    this.#isDone = true;
    this.#onProgress();
  }

  onProgramEnded(): void {
    this.#onProgress();
  }

  #until(isReached: () => boolean): Promise<void> {
    if (isReached()) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#onProgress = () => undefined;
        resolve();
      };
      const cancel: Cancel = this.#options.clock.after(swapoutMs, end);
      this.#onProgress = () => {
        if (isReached()) end();
      };
    });
  }
}
