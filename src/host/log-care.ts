// SPDX-License-Identifier: MIT
// Whether a log that others can reach is still kept as the next start needs it: a stream of NATS
// can be purged or told to drop its oldest messages under servers that run, which go on, because
// they read what is new only. What is wrong is said, and told to who asks whether to send clients
// here.
//
//   C1. Entries may be gone as far as the newest snapshot stands for them (D11). The log is looked
//       at first and the snapshots then: a log is cut behind one that is stored.
//   C2. Who does not answer changes nothing: whether the log takes entries is watched elsewhere.
import type { Log } from "../engine/log.ts";
import type { Cancel, Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";
import { Outage, outagePaces } from "./outage.ts";

export interface LogCareOptions {
  readonly log: Pick<Log, "examine">;
  /** The entry that the newest good snapshot is behind, 0 when there is none. */
  readonly newestSnapshot: () => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told what is wrong now; undefined: nothing. */
  readonly onLook: (objection: string | undefined) => void;
}

/** From one look to the next, milliseconds. */
const lookMs = 5_000;
const lost = "what this server acknowledges is lost with its next start";

export class LogCare {
  readonly #options: LogCareOptions;
  readonly #outage: Outage;
  /** Entries up to here have been seen to be in a snapshot. */
  #inSnapshot = 0;
  #cancel: Cancel = () => undefined;
  #isClosed = false;

  constructor(options: LogCareOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#outage = new Outage({
      ...{ clock, logger, pace: outagePaces.patient, level: "error" },
      words: {
        failed: (objection) => `${objection}; until that is mended, ${lost}`,
        over: () => "the log is kept as it has to be again",
      },
    });
    if (options.log.examine !== undefined) this.#arm();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #arm(): void {
    this.#cancel = this.#options.clock.after(lookMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    try {
      const objection = await this.#objection();
      if (!this.#isClosed) this.#tell(objection);
    } catch {
      // C2.
    }
    if (!this.#isClosed) this.#arm();
  }

  /** C1. @throws LogError */
  async #objection(): Promise<string | undefined> {
    const examined = await this.#options.log.examine?.();
    if (examined === undefined) return undefined;
    const { first, objection } = examined;
    if (objection !== undefined) return objection;
    const gone = first - 1;
    if (gone > this.#inSnapshot) this.#inSnapshot = await this.#options.newestSnapshot();
    if (gone <= this.#inSnapshot) return undefined;
    return `entries ${this.#inSnapshot + 1} to ${gone} of the log are gone, and no snapshot stands for them`;
  }

  #tell(objection: string | undefined): void {
    this.#options.onLook(objection);
    if (objection === undefined) this.#outage.over();
    else this.#outage.failed(objection);
  }
}
