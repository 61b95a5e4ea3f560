// SPDX-License-Identifier: MIT
// How commands of a host get into its log: what its ports have at the end of a turn of the event
// loop goes out as entries, and what the log did not take goes out again.
//
//   H2. After a failed append everything unacknowledged is sent again, in order, until it is
//       applied.
import type { Batch, Entry } from "../core/command.ts";
import type { Limits } from "../core/limits.ts";
import type { Log } from "../engine/log.ts";
import type { Clock } from "./clock.ts";
import { cutBatches } from "./cut-batches.ts";
import { LogWatch } from "./log-watch.ts";
import type { Logger } from "./logger.ts";
import { LostAppends } from "./lost-appends.ts";
import { Outage, outagePaces } from "./outage.ts";
import type { Port } from "./port.ts";
import { ReadyPorts, unacknowledged } from "./ready-ports.ts";
import type { ServerMembership } from "./server-membership.ts";

/** Pause before a failed append is tried again, milliseconds; doubles up to the second value. */
const retryDelayMs = { first: 20, max: 1_000 };

const outageWords = {
  failed: (why: string): string => `the log did not take an entry, trying again: ${why}`,
  over: (lasted: string): string => `the log takes entries again, after ${lasted}`,
};
const lossText = "the log has lost an entry that it took; appending it again";

export interface AppenderOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly membership: ServerMembership | undefined;
  /** The last entry that is applied. */
  readonly appliedSequence: () => number;
  /** The host's own edge, which goes before all others; undefined before it has one. */
  readonly own: () => Pick<Port, "source"> | undefined;
  readonly ports: () => Iterable<Port>;
  /** Told of each entry that the log took, and how long that was. */
  readonly onAppended: (tookUs: number) => void;
  readonly onLogAway: (isAway: boolean) => void;
}

export class Appender {
  readonly #options: AppenderOptions;
  /** Those that may have something to take: there can be thousands, and few speak in one turn. */
  readonly #ready = new ReadyPorts();
  readonly #watch: LogWatch;
  readonly #outage: Outage;
  readonly #lost = new LostAppends();
  readonly #losses: Outage;
  /** Since the last own entry that was delivered: a log may take all of them, and keep none. */
  #isLosing = false;
  #flushScheduled = false;
  #tickDue = false;
  #inFlight = 0;
  #failed = false;
  /** A second one would send again what is on its way by then. */
  #isRetryArmed = false;
  #retryMs = retryDelayMs.first;
  #stopped = false;

  constructor(options: AppenderOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#watch = new LogWatch(clock, options.onLogAway);
    const { urgent, patient } = outagePaces;
    this.#outage = new Outage({ clock, logger, words: outageWords, pace: urgent });
    this.#losses = new Outage({ clock, logger, words: { failed: String }, pace: patient });
  }

  /** Whether the log has taken nothing for too long; what was submitted may still happen (D10). */
  get isLogAway(): boolean {
    return this.#watch.isAway;
  }

  get isAppending(): boolean {
    return this.#inFlight > 0;
  }

  /** There is something to append: it goes out when this turn has handled its input. */
  wake(port: Port): void {
    this.#ready.add(port);
    this.#scheduleFlush();
  }

  /** The port has nothing more to append. */
  forget(port: Port): void {
    this.#ready.delete(port);
  }

  /** An entry goes out in any case: it carries time. */
  tick(): void {
    this.#tickDue = true;
    this.#scheduleFlush();
  }

  /** The server begins a life in the log: what its last one has appended counts no more. */
  beginLife(): void {
    this.#lost.forget();
  }

  /** Sends everything again that is not applied, when what is in flight has been answered. */
  repeat(): void {
    this.#failed = true;
    this.#retryWhenQuiet();
  }

  /** The log has delivered an entry. @param isOwn of this life of this server */
  delivered(sequence: number, isOwn: boolean): void {
    if (this.#lost.delivered(sequence, isOwn)) this.#onLoss();
    else if (isOwn && this.#isLosing) {
      this.#isLosing = false;
      this.#losses.over();
    }
  }

  /** Entries were applied. Also where the log's word that it took them was lost. */
  applied(): void {
    this.#watch.taken(this.#inFlight > 0 || this.#failed);
  }

  stop(): void {
    this.#stopped = true;
    this.#watch.close();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#stopped) return;
    this.#flushScheduled = true;
    this.#options.clock.endOfTurn(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#stopped || this.#failed) return;
    const { limits, own } = this.#options;
    while (this.#inFlight < limits.appendsInFlightMax) {
      const batches = this.#ready.take(own());
      if (batches.length === 0 && !this.#tickDue) return;
      this.#tickDue = false;
      this.#append(batches);
    }
  }

  #append(batches: readonly Batch[]): void {
    const { log, clock, membership, appliedSequence, onAppended } = this.#options;
    const server = membership?.life;
    const entry: Entry =
      server === undefined ? { format: 1, batches } : { format: 1, server, batches };
    const { life } = this.#lost;
    this.#inFlight += 1;
    this.#watch.sent();
    const startedUs = clock.nowUs();
    log.append(entry).then(
      (sequence) => {
        onAppended(clock.nowUs() - startedUs);
        this.#outage.over();
        this.#inFlight -= 1;
        if (this.#stopped) return;
        const isServer = server !== undefined;
        const isLost = isServer && this.#lost.taken(life, sequence, appliedSequence());
        if (isLost) this.#onLoss();
        this.#watch.taken(this.#inFlight > 0 || this.#failed);
        if (!this.#isLosing) this.#retryMs = retryDelayMs.first;
        if (isLost) return;
        if (this.#failed) this.#retryWhenQuiet();
        else this.#scheduleFlush();
      },
      (error: unknown) => {
        this.#inFlight -= 1;
        this.#outage.failed(String(error));
        this.repeat();
      },
    );
  }

  #onLoss(): void {
    this.#isLosing = true;
    this.#losses.failed(lossText);
    this.repeat();
  }

  /** H2. Waits until nothing is in flight, because a later batch may not overtake a failed one. */
  #retryWhenQuiet(): void {
    if (this.#inFlight > 0 || this.#stopped || this.#isRetryArmed) return;
    this.#isRetryArmed = true;
    this.#options.clock.after(this.#retryMs, () => {
      this.#isRetryArmed = false;
      if (this.#stopped) return;
      this.#failed = false;
      // An entry goes out in any case: it tells whether the log is back, and carries time.
      this.#tickDue = true;
      this.#appendAgain();
      this.#scheduleFlush();
    });
    this.#retryMs = Math.min(this.#retryMs * 2, retryDelayMs.max);
  }

  /** Everything that was not applied, in entries of the usual size. */
  #appendAgain(): void {
    const { limits, ports } = this.#options;
    const own = this.#options.own();
    // The first word of a life goes before all that is to count (E5).
    while (own?.source.hasQueued) own.source.take();
    const batches = unacknowledged(own, ports());
    for (const entry of cutBatches(batches, limits.entryCommandsMax)) this.#append(entry);
  }
}
