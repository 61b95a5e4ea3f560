// SPDX-License-Identifier: MIT
// The last events of a run: those planned for swap-out (`$ns at swapout`), then those of the
// teardown, fired while everything is still there; and the programs they start get their time. What
// else is planned does not fire any more. All waits are bounded, so that a swap-out cannot hang on
// them, and nothing more is waited for once the scheduler is silent. [EMULAB-EVENTS 2.2 step 7,
// 2.5]
import { builtIn } from "../core/agenda/object-table.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { AgendaRequests } from "./agenda-requests.ts";
import { within } from "./nodes/within.ts";

/** The longest that each of the sequences may take, and then the programs they have started. */
const swapoutMs = 30_000;

export interface SwapoutOptions {
  readonly clock: Clock;
  readonly requests: Pick<AgendaRequests, "halt" | "mark" | "fireNow">;
  readonly scope: string;
  /** Whether the scheduler answers; bounded. */
  readonly isHeard: () => Promise<boolean>;
  /** Resolves when what was sent out has fired, and is answered. */
  readonly drain: () => Promise<void>;
  /** Names of the programs that run or are being started. */
  readonly active: () => readonly string[];
  /** For the log of the experiment's reports. */
  readonly log: (text: string) => void;
}

export class SwapoutEvents {
  readonly #options: SwapoutOptions;
  #onProgress: () => void = () => undefined;

  constructor(options: SwapoutOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { clock, requests, scope, isHeard, drain, active, log } = this.#options;
    requests.halt(scope);
    log("Swapout started");
    const before = await this.#halted();
    for (const object of [builtIn.swapout, builtIn.teardown]) {
      if (!(await isHeard())) break;
      await within(clock, requests.fireNow(scope, object, "RUN"), swapoutMs);
    }
    log("Time ended");
    if (!(await isHeard())) return;
    await drain();
    await this.#until(() => active().every((name) => before.has(name)));
  }

  /** The programs that run when all that was under way has fired or was taken back. */
  async #halted(): Promise<ReadonlySet<string>> {
    const { requests, scope, isHeard, drain, active } = this.#options;
    // One whose start fires at this very instant is not of the swap-out, and gets no time.
    if (await isHeard()) {
      await requests.mark(scope);
      await drain();
    }
    return new Set(active());
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
