// SPDX-License-Identifier: MIT
// One reader of a log on NATS: a consumer of the broker that pushes messages, made anew whenever it
// may have lost something. Delivers what came in one turn at once.
//
//   R1. `next` is the only place: whatever the broker sends, entries come in order, each once (L1).
//   R2. A consumer that is silent, out of step or behind a cut is replaced by one that starts at
//       `next`.
//   R3. A message that is gone ends the reading: a state without it would be another one.
//   R4. So does one that NATS had delivered and keeps another in the place of. NATS 2.9 can do
//       that: a leader that was cut off, or stood still, until the others had chosen another may
//       deliver afterwards what they never took. It can be known by its silence, which is longer
//       than a choice takes: what comes after one is not taken, but read anew (R2). A consumer that
//       took as long to be made is not taken either. One that lives through a choice says nothing,
//       so that after a time in which nothing was taken the stream itself is asked
//       (nats-recheck.ts).
//   R5. What such a leader has taken by itself stays in its store until it has caught up with the
//       others. So a consumer, which may come to lie there, is made when no copy is behind, or when
//       one has been behind for `natsSettleMs`.
//   R6. The silence of a consumer counts from when it is known to be there: brokers that are slow
//       in making one would otherwise be asked for the next before it has said anything.
import { hostname } from "node:os";
import type { ConsumerInfo } from "@nats-io/jetstream";
import { createInbox, type Msg, nanos, type Subscription } from "@nats-io/transport-node";
import type { LogEntry } from "../core/command.ts";
import { errorText } from "../core/text.ts";
import { type LogClock, LogError, type LogErrorOptions, type LogReader } from "./log.ts";
import type { NatsLink } from "./nats-connection.ts";
import { parseEntry } from "./nats-entry.ts";
import {
  natsChoiceMs,
  natsConnectMs,
  natsHeartbeatMs,
  natsReaderKeptMs,
  natsReconnectMs,
  natsSettleMs,
  natsSilenceMs,
  natsStaleMs,
} from "./nats-limits.ts";
import { NatsRecheck } from "./nats-recheck.ts";
import { natsFormat } from "./nats-stream.ts";

export interface NatsTailOptions {
  readonly link: NatsLink;
  readonly stream: string;
  readonly from: number;
  readonly clock: LogClock;
  readonly deliver: (entries: readonly LogEntry[]) => void;
  readonly onLost: (error: LogError) => void;
  readonly onStopped: () => void;
}

/** What the header of a message of ours says. */
export const formatHeader = "Muster-Format";

export class NatsTail implements LogReader {
  readonly #options: NatsTailOptions;
  #next: number;
  /** Of the entry before `next`, when this reader has had it (R4). */
  #lastStampUs: number | undefined;
  #subscription: Subscription | undefined;
  #consumer: string | undefined;
  /** What it has sent before it was known to be there (R6). */
  #held: Msg[] = [];
  /** Messages that this consumer has sent. */
  #received = 0;
  #heardUs = 0;
  /** Since when it asks for a consumer in vain (R5). */
  #unsettledUs: number | undefined;
  #batch: LogEntry[] = [];
  readonly #recheck: NatsRecheck;
  #isStopped = false;
  #cancelWatch: () => void = () => undefined;
  #cancelRetry: () => void = () => undefined;

  constructor(options: NatsTailOptions) {
    this.#options = options;
    const { link, stream, clock } = options;
    const onReplaced = (sequence: number): void => this.#loseReplaced(sequence);
    this.#recheck = new NatsRecheck({ link, stream, clock, onReplaced });
    this.#next = options.from;
    this.#watch();
    this.open();
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#recheck.stop();
    this.#cancelWatch();
    this.#drop();
    this.#options.onStopped();
  }

  /** Brokers do not take entries: what they have delivered may be another one afterwards (R4). */
  doubt(): void {
    this.#recheck.doubt();
  }

  /** They take entries again. */
  trust(): void {
    this.#recheck.trust();
  }

  /** Reads on from `next` by a new consumer (R2). */
  open(): void {
    if (this.#isStopped) return;
    this.#drop();
    this.#recheck.doubt();
    const { link, stream } = this.#options;
    const inbox = createInbox();
    const subscription = link.connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error !== null || subscription !== this.#subscription) return;
        if (this.#consumer === undefined) this.#held.push(message);
        else this.#onMessage(message);
      },
    });
    this.#subscription = subscription;
    this.#received = 0;
    this.#heardUs = this.#options.clock.nowUs();
    this.#unsettledUs ??= this.#heardUs;
    this.#whenSettled(subscription, inbox).then(
      (created) => {
        if (created === undefined) return;
        if (subscription === this.#subscription) this.#begin(created.name);
        else this.#delete(created.name);
      },
      (error: unknown) => {
        if (subscription !== this.#subscription) return;
        if (error instanceof Error && error.name === "StreamNotFoundError") {
          this.#lose(`the stream ${stream} of NATS is gone; restore it, or begin with another`);
          return;
        }
        const again = (): void => this.open();
        this.#cancelRetry = this.#options.clock.after(natsReconnectMs, again);
      },
    );
  }

  /** R4, R6: from here on the consumer is heard. */
  #begin(name: string): void {
    const nowUs = this.#options.clock.nowUs();
    const tookUs = nowUs - this.#heardUs;
    this.#consumer = name;
    this.#unsettledUs = undefined;
    if (tookUs > natsChoiceMs * 1000) {
      this.open();
      return;
    }
    this.#heardUs = nowUs;
    this.#recheck.trust();
    const held = this.#held.splice(0);
    for (const message of held) {
      if (this.#consumer === name) this.#onMessage(message);
    }
  }

  /**
   * R5. @returns undefined when another has taken the place of this consumer, or is about to
   * @throws what NATS says
   */
  async #whenSettled(own: Subscription, inbox: string): Promise<ConsumerInfo | undefined> {
    const { clock, link, stream } = this.#options;
    const { cluster } = await link.manager.streams.info(stream);
    if (own !== this.#subscription) return undefined;
    const nowUs = clock.nowUs();
    const waitedMs = (nowUs - (this.#unsettledUs ?? nowUs)) / 1000;
    const isSettled = (cluster?.replicas ?? []).every(({ current, offline }) => current || offline);
    if (!isSettled && waitedMs < natsSettleMs) throw new Error("a copy is behind");
    this.#heardUs = nowUs;
    return this.#create(stream, inbox);
  }

  #create(stream: string, inbox: string): Promise<ConsumerInfo> {
    return this.#options.link.manager.consumers.add(stream, {
      ...{ deliver_subject: inbox, description: readerName() },
      deliver_policy: "by_start_sequence",
      // One that it has already: what NATS keeps must be what it has delivered (R4).
      opt_start_seq: Math.max(1, this.#lastStampUs === undefined ? this.#next : this.#next - 1),
      ack_policy: "none",
      ...{ flow_control: true, idle_heartbeat: nanos(natsHeartbeatMs) },
      ...{ inactive_threshold: nanos(natsReaderKeptMs), mem_storage: true, num_replicas: 1 },
    });
  }

  #drop(): void {
    this.#cancelRetry();
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    this.#held = [];
    if (this.#consumer !== undefined) this.#delete(this.#consumer);
    this.#consumer = undefined;
  }

  /** The broker would drop it by itself after a while. */
  #delete(consumer: string): void {
    const { link, stream } = this.#options;
    if (link.connection.isClosed()) return;
    link.manager.consumers.delete(stream, consumer).catch(() => undefined);
  }

  #watch(): void {
    const { clock } = this.#options;
    this.#cancelWatch = clock.after(natsSilenceMs, () => {
      // Who is still asked for a consumer has its own time to answer.
      const patienceMs = natsSilenceMs + (this.#consumer === undefined ? natsConnectMs : 0);
      if (clock.nowUs() - this.#heardUs > patienceMs * 1000) this.open();
      this.#watch();
    });
  }

  #onMessage(message: Msg): void {
    const nowUs = this.#options.clock.nowUs();
    if (nowUs - this.#heardUs > natsStaleMs * 1000) {
      this.open();
      return;
    }
    this.#heardUs = nowUs;
    const place = message.reply === undefined ? undefined : placeOf(message.reply);
    if (place === undefined) {
      this.#onStatus(message);
      return;
    }
    this.#received += 1;
    if (place.delivery !== this.#received) {
      this.open();
      return;
    }
    if (place.sequence < this.#next) {
      this.#compare(place);
      return;
    }
    if (place.sequence > this.#next) {
      const missing = `${this.#next} to ${place.sequence - 1}`;
      const message = `entries ${missing} of the log on NATS are gone; restore the stream`;
      this.#lose(message, { isCut: true });
      return;
    }
    try {
      this.#take({ ...place, entry: entryOf(message, place.sequence) });
    } catch (error) {
      this.#lose(errorText(error));
    }
  }

  /** R4. */
  #compare({ sequence, stampUs }: MessagePlace): void {
    if (sequence !== this.#next - 1 || stampUs === this.#lastStampUs) return;
    this.#loseReplaced(sequence);
  }

  #loseReplaced(sequence: number): void {
    const what = `entry ${sequence} of the log on NATS is another one than NATS has delivered before`;
    const rest = "what is left of it is read at the next start";
    this.#lose(`${what}: it has lost what it had; ${rest}`, { isReplaced: true });
  }

  /** Heartbeats, and questions whether more may come. */
  #onStatus(message: Msg): void {
    if (message.reply !== undefined && message.reply !== "") message.respond();
    const stalled = message.headers?.get("Nats-Consumer-Stalled") ?? "";
    if (stalled !== "") this.#options.link.connection.publish(stalled);
    const sent = Number(message.headers?.get("Nats-Last-Consumer") ?? "");
    if (sent > this.#received) this.open();
  }

  #take({ sequence, stampUs, entry }: LogEntry): void {
    this.#next += 1;
    this.#lastStampUs = stampUs;
    this.#recheck.delivered(sequence, stampUs);
    this.#batch.push({ sequence, stampUs, entry });
    if (this.#batch.length > 1) return;
    queueMicrotask(() => {
      const batch = this.#batch;
      this.#batch = [];
      if (!this.#isStopped) this.#options.deliver(batch);
    });
  }

  /** R3. What came before is still delivered. */
  #lose(message: string, why: Pick<LogErrorOptions, "isCut" | "isReplaced"> = {}): void {
    this.#cancelWatch();
    this.#drop();
    queueMicrotask(() => {
      if (this.#isStopped) return;
      this.stop();
      this.#options.onLost(new LogError(message, { ...why, definite: true }));
    });
  }
}

/** What a consumer is called for people. */
function readerName(): string {
  return `process ${process.pid} on ${hostname()}`;
}

/**
 * Who reads a stream now, as far as the broker knows; none is told twice. @throws what NATS says
 */
export async function readersOf({ manager }: NatsLink, stream: string): Promise<Set<string>> {
  const readers = new Set<string>();
  for await (const { push_bound, config } of manager.consumers.list(stream)) {
    // Nobody listens to what a process left that has ended.
    if (push_bound) readers.add(config.description ?? "a process of an older version");
  }
  return readers;
}

interface MessagePlace {
  readonly sequence: number;
  /** The how many-th of its consumer. */
  readonly delivery: number;
  readonly stampUs: number;
}

/** From the subject that a message of a stream would be acknowledged at. */
function placeOf(reply: string): MessagePlace | undefined {
  const tokens = reply.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK") return undefined;
  // Newer brokers name domain and account, and add a token of chance at the end.
  const at = tokens.length > 9 ? 7 : 5;
  const [sequence, delivery, stamp = ""] = tokens.slice(at, at + 3);
  // Nanoseconds have more digits than a number holds.
  return {
    sequence: Number(sequence),
    delivery: Number(delivery),
    stampUs: Number(stamp.slice(0, -3)),
  };
}

/** What somebody else wrote there has its place in the order and says nothing. */
function entryOf(message: Msg, sequence: number): LogEntry["entry"] {
  const format = message.headers?.get(formatHeader) ?? "";
  if (format === "") return { format: 1, batches: [] };
  if (Number(format) > natsFormat) {
    const text = `entry ${sequence} was written by a newer Muster (format ${format}, this one reads ${natsFormat}); use that version`;
    throw new LogError(text, { definite: true });
  }
  return parseEntry(message.data, sequence);
}
