// SPDX-License-Identifier: MIT
// The events planned for swap-out (`$ns at swapout`): fired while everything is still there, and
// the programs they start get their time. What else is planned does not fire any more. Both waits
// are bounded, so that a swap-out cannot hang on them.
import { builtIn } from "../core/agenda/object-table.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { ConnectEdge, CoreLink } from "../host/core-link.ts";

/** The longest the events may take, and then the programs they have started. */
const swapoutMs = 30_000;
/** The only request this edge makes. */
const request = 1;

export interface SwapoutOptions {
  readonly clock: Clock;
  readonly connect: ConnectEdge;
  readonly scope: string;
  /** Resolves when what was sent out has fired, and is answered. */
  readonly drain: () => Promise<void>;
  /** Names of the programs that run or are being started. */
  readonly active: () => readonly string[];
}

export class SwapoutEvents {
  readonly #options: SwapoutOptions;
  readonly #link: CoreLink;
  #onProgress: () => void = () => undefined;
  #isDone = false;

  constructor(options: SwapoutOptions) {
    this.#options = options;
    this.#link = options.connect("swap-out", {
      onEffects: (effects) => {
        for (const effect of effects) this.#obey(effect);
      },
    });
  }

  async run(): Promise<void> {
    const { scope, drain, active } = this.#options;
    const before = new Set(active());
    this.#link.submit({ kind: "agenda-halt", scope });
    this.#link.submit({
      ...{ kind: "agenda-schedule", scope, request, object: builtIn.swapout, event: "RUN" },
      ...{ args: "", at: { kind: "now" } },
    });
    await this.#until(() => this.#isDone);
    await drain();
    await this.#until(() => active().every((name) => before.has(name)));
    await this.#link.close();
  }

  onProgramEnded(): void {
    this.#onProgress();
  }

  /** The request has completed, or was refused. */
  #obey(effect: EdgeEffect): void {
    const isRefused = effect.kind === "agenda-answer" && effect.answer.kind === "refused";
    if (effect.kind !== "event-done" && !isRefused) return;
    this.#isDone = true;
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
