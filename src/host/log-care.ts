// SPDX-License-Identifier: MIT
// Whether a log that others can reach is still kept as the next start needs it: a stream of NATS
// can be purged or told to drop its oldest messages under servers that run, which go on, because
// they read what is new only. What is wrong is said, and told to who asks whether to send clients
// here.
//
//   C1. Entries may be gone as far as the newest snapshot stands for them (D11). The log is looked
//       at first and the snapshots then: a log is cut behind one that is stored.
//       What was seen is looked at again when snapshots were made or deleted.
//   C2. Who does not answer changes nothing: whether the log takes entries is watched elsewhere.
//   C3. Messages of topics that the log names have to be there: none of them before the first that
//       is, and no more of them than there are. Another server may have freed those of a scope
//       whose end this one has yet to read: it is said when it is so at two looks.
import type { Log, LogExamined, MessagesExamined } from "../engine/log.ts";
import type { Cancel, Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";
import { Outage, outagePaces } from "./outage.ts";

export interface LogCareOptions {
  readonly log: Pick<Log, "examine">;
  /** The entry that the newest good snapshot is behind, 0 when there is none. */
  readonly newestSnapshot: () => Promise<number>;
  /** Every message of topics that the log names, as far as it was read. */
  readonly namedMessages: () => Iterable<number>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told why nobody should be sent here now; undefined: nothing. */
  readonly onLook: (objection: string | undefined) => void;
}

/** From one look to the next, milliseconds. */
const lookMs = 5_000;

const patient = outagePaces.patient;
const lost = "until that is mended, what this server acknowledges is lost with its next start";

export class LogCare {
  readonly #options: LogCareOptions;
  /** What keeps from serving, and what does not. */
  readonly #objections: Outage;
  readonly #remarks: Outage;
  /** Entries up to here have been seen to be in a snapshot. */
  #inSnapshot = 0;
  /** What the log said of its snapshots then. */
  #snapshots: string | undefined;
  /** Which messages of topics were gone, and whether some of those were named (C3). */
  #gone: string | undefined;
  #lacksMessages = false;
  #cancel: Cancel = () => undefined;
  #isClosed = false;

  constructor(options: LogCareOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#objections = new Outage({
      ...{ clock, logger, pace: patient, level: "error" },
      words: { failed: (why) => `${why}; ${lost}`, over: () => mended },
    });
    this.#remarks = new Outage({
      ...{ clock, logger, pace: patient },
      words: { failed: String, over: () => mended },
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
      const examined = await this.#options.log.examine?.();
      if (examined === undefined) return;
      const objection = await this.#objectTo(examined);
      if (this.#isClosed) return;
      this.#options.onLook(objection);
      tell(this.#objections, objection);
      tell(this.#remarks, examined.remark ?? this.#missMessages(examined));
    } catch {
      // C2.
    }
    if (!this.#isClosed) this.#arm();
  }

  /** C1. @throws LogError */
  async #objectTo({ first, objection, snapshots }: LogExamined): Promise<string | undefined> {
    if (objection !== undefined) return objection;
    const gone = first - 1;
    if (gone <= 0) return undefined;
    if (gone > this.#inSnapshot || snapshots !== this.#snapshots) {
      this.#inSnapshot = await this.#options.newestSnapshot();
      this.#snapshots = snapshots;
    }
    if (gone <= this.#inSnapshot) return undefined;
    return `entries ${this.#inSnapshot + 1} to ${gone} of the log are gone, and no snapshot stands for them`;
  }

  /** C3. What is named is walked through only when something may be gone. */
  #missMessages({ messages }: LogExamined): string | undefined {
    if (messages === undefined) return undefined;
    const gone = `${messages.first} ${messages.deleted}`;
    const [before, lacked] = [this.#gone, this.#lacksMessages];
    if (gone === before && !lacked) return undefined;
    this.#gone = gone;
    const what = this.#findMissing(messages);
    this.#lacksMessages = what !== undefined;
    if (!lacked || what === undefined) return undefined;
    return `${what} gone from NATS, and who reads them is refused; restore the streams together, or end their scopes`;
  }

  #findMissing({ first, count }: MessagesExamined): string | undefined {
    let named = 0;
    for (const id of this.#options.namedMessages()) {
      if (id < first) return `messages of topics before the one with number ${first} are`;
      named += 1;
    }
    return named > count ? `${named - count} or more messages of topics are` : undefined;
  }
}

const mended = "the log is kept as it has to be again";

function tell(outage: Outage, why: string | undefined): void {
  if (why === undefined) outage.over();
  else outage.failed(why);
}
