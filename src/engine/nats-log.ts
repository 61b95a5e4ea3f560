// SPDX-License-Identifier: MIT
// The log in a stream of NATS JetStream: durable and replicated, for many servers. One entry is one
// message, appended without expected sequence: the core judges what counts after it was ordered
// (D4). Stamps are the times at which the broker took the messages (D2).
//
//   J1. Messages go out in the order of the calls (L3), at most `natsInFlightMax` unacknowledged.
//   J2. When the connection is cut, what was on its way is indefinite at once; what had not left,
//       and what comes while it is away, is refused definitely (L4). The caller tries again.
//   J3. What is to be read before it is said that nothing is missing is found out by an empty
//       entry: a broker that is asked, even one that has just become the leader, may not have all
//       yet that another has acknowledged.
//   J4. A log with several copies is cut only where brokers that are started again keep the rest.
import { type JetStreamClient, jetstream, type PubAck } from "@nats-io/jetstream";
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import type { Entry, LogEntry } from "../core/command.ts";
import { errorText } from "../core/text.ts";
import { type Log, type LogClock, LogError, type LogExamined, type LogReader } from "./log.ts";
import { closeNats } from "./nats-calls.ts";
import { examineNats, logOf } from "./nats-care.ts";
import { connectNats, isOlder, type NatsLink } from "./nats-connection.ts";
import { cutEntry } from "./nats-entry.ts";
import {
  natsAckMs,
  natsCutVersionMin,
  natsInFlightMax,
  natsWaitingBytesMax,
} from "./nats-limits.ts";
import { checkNatsLogs, checkNotLost } from "./nats-lost.ts";
import { askUntilLed } from "./nats-patience.ts";
import type { NatsPlace } from "./nats-place.ts";
import { NatsSilence } from "./nats-silence.ts";
import {
  checkNatsStream,
  explainWrite,
  natsFormat,
  notFound,
  openNatsStream,
} from "./nats-stream.ts";
import { formatHeader, NatsTail, readersOf } from "./nats-tail.ts";
import { StampClock } from "./stamp-clock.ts";

export interface NatsLogOptions {
  readonly place: NatsPlace;
  readonly clock: LogClock;
}

/** One call of `append`; its pieces are stored together or are sent again together. */
interface Append {
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: LogError) => void;
  piecesLeft: number;
  lastSequence: number;
  isOver: boolean;
}

interface Piece {
  readonly append: Append;
  readonly text: string;
}

export class NatsLog implements Log {
  readonly durability: string;
  /** J4. */
  readonly trim?: (through: number) => Promise<void>;
  readonly #link: NatsLink;
  readonly #place: NatsPlace;
  readonly #stream: string;
  readonly #clock: LogClock;
  readonly #client: JetStreamClient;
  readonly #stamps: StampClock;
  readonly #silence: NatsSilence;
  readonly #headers: MsgHdrs;
  readonly #tails = new Set<NatsTail>();
  readonly #inFlight = new Set<Append>();
  #piecesInFlight = 0;
  #waiting: Piece[] = [];
  #waitingBytes = 0;
  /** Raised by each cut: answers from before it mean nothing any more. */
  #cuts = 0;
  /** Of `fence` (J3): settled when no mark is on its way; and the one that is sent then. */
  #marking: Promise<void> | undefined;
  #nextMark: Promise<number> | undefined;
  /** One was taken: whoever leads the log is known everywhere. */
  #hasMark = false;
  #away: string | undefined;
  #isClosed = false;

  private constructor(link: NatsLink, { place, clock }: NatsLogOptions) {
    this.#link = link;
    this.#place = place;
    this.#stream = place.stream;
    this.#clock = clock;
    this.#client = jetstream(link.connection, { timeout: natsAckMs });
    this.#stamps = new StampClock(clock);
    this.#silence = new NatsSilence(place, link.api);
    this.#headers = headers();
    this.#headers.set(formatHeader, String(natsFormat));
    this.durability = describeDurability(link.version, place.replicas);
    if (mayCut(link.version, place.replicas)) this.trim = (through) => this.#trim(through);
    void this.#followConnection();
  }

  /** @throws LogError (definite), with what to do. */
  static async open(options: NatsLogOptions): Promise<NatsLog> {
    const { place, clock } = options;
    const link = await connectNats(place);
    try {
      await checkNotLost(link, place);
      await openNatsStream(link, place, { ...logOf(place), clock });
    } catch (error) {
      await closeNats(link.connection);
      throw error;
    }
    return new NatsLog(link, options);
  }

  /**
   * Finds out what would be refused, and makes nothing. @returns whether the log is there
   * @throws LogError as `open`.
   */
  static async check(place: NatsPlace): Promise<boolean> {
    const link = await connectNats(place);
    try {
      await checkNotLost(link, place);
      return await checkNatsStream(link, place, logOf(place));
    } finally {
      await closeNats(link.connection);
    }
  }

  /**
   * Finds out whether a server that was told so many logs would be refused any of them, and makes
   * nothing. @param place that of the first. @throws LogError as `open`.
   */
  static async checkAll({ place, clock }: NatsLogOptions, count: number): Promise<void> {
    const link = await connectNats(place);
    try {
      await checkNatsLogs({ link, clock, place, count });
    } finally {
      await closeNats(link.connection);
    }
  }

  /**
   * Deletes the log, where there is one.
   * @param isForced also while somebody reads it
   * @returns whether there was one
   * @throws LogError (definite) as `open`; a stream that is no such log stays, and one that is read
   */
  static async remove(place: NatsPlace, isForced: boolean): Promise<boolean> {
    const link = await connectNats(place);
    try {
      await checkNatsStream(link, place, logOf(place));
      const readers = isForced ? [] : [...(await readersOf(link, place.stream).catch(noReaders))];
      if (readers.length > 0) {
        const what = `${logOf(place).what} is in use by ${readers.join(" and ")}`;
        throw refused(`${what}; end that first, or say --force if it is known to be gone`);
      }
      return (await link.manager.streams.delete(place.stream).catch(notFound)) === true;
    } catch (error) {
      if (error instanceof LogError) throw error;
      const message = `NATS does not remove the stream ${place.stream}: ${errorText(error)}`;
      throw new LogError(message, { definite: false, cause: error });
    } finally {
      await closeNats(link.connection);
    }
  }

  /** The connection, for what lies beside the log. */
  get link(): NatsLink {
    return this.#link;
  }

  append(entry: Entry): Promise<number> {
    if (this.#isClosed) return Promise.reject(refused("the log is closed"));
    if (this.#away !== undefined) return Promise.reject(refused(this.#away));
    if (this.#waitingBytes > natsWaitingBytesMax) {
      return Promise.reject(refused("too much waits for NATS already"));
    }
    const texts = cutEntry(entry);
    return new Promise((resolve, reject) => {
      const append = { resolve, reject, piecesLeft: texts.length, lastSequence: 0, isOver: false };
      for (const text of texts) {
        this.#waiting.push({ append, text });
        this.#waitingBytes += text.length;
      }
      this.#pump();
    });
  }

  read(
    from: number,
    deliver: (entries: readonly LogEntry[]) => void,
    onLost: (error: LogError) => void = () => undefined,
  ): LogReader {
    const { clock, link, stream } = { clock: this.#clock, link: this.#link, stream: this.#stream };
    const tail: NatsTail = new NatsTail({
      ...{ clock, link, stream, from, onLost },
      deliver: (entries) => {
        for (const { sequence, stampUs } of entries) this.#stamps.stamped(sequence, stampUs);
        deliver(entries);
      },
      onStopped: () => this.#tails.delete(tail),
    });
    this.#tails.add(tail);
    return tail;
  }

  async head(): Promise<number> {
    try {
      return (await this.#link.manager.streams.info(this.#stream)).state.last_seq;
    } catch (error) {
      throw new LogError(`NATS does not say where the log ends: ${errorText(error)}`, {
        ...{ definite: true, cause: error },
      });
    }
  }

  /** @throws LogError */
  examine(): Promise<LogExamined> {
    return examineNats(this.#link, this.#place, logOf(this.#place));
  }

  async #trim(through: number): Promise<void> {
    try {
      await this.#link.manager.streams.purge(this.#stream, { seq: through + 1 });
    } catch (error) {
      const message = `NATS does not cut the log: ${errorText(error)}`;
      throw new LogError(message, { definite: false, cause: error });
    }
  }

  /**
   * J3. Those who ask while a mark is on its way share the next one: it is not known whether the
   * one that is under way stands behind what they have heard of.
   */
  fence(): Promise<number> {
    const running = this.#marking;
    this.#nextMark ??= (running ?? Promise.resolve()).then(() => {
      const mark = this.#mark();
      this.#nextMark = undefined;
      this.#marking = mark.then(
        () => undefined,
        () => undefined,
      );
      return mark;
    });
    return this.#nextMark;
  }

  async #mark(): Promise<number> {
    const mark = (): Promise<number> => this.append({ format: 1, batches: [] });
    try {
      // When it was just opened, maybe made, not every broker knows who leads it.
      const sequence = await (this.#hasMark ? mark() : askUntilLed(this.#clock, mark));
      this.#hasMark = true;
      return sequence;
    } catch (error) {
      throw new LogError(`the log on NATS does not take its mark: ${errorText(error)}`, {
        ...{ definite: true, cause: error },
      });
    }
  }

  readonly clockUs = (): number | undefined => this.#stamps.nowUs();

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const tail of this.#tails) tail.stop();
    this.#fail("the log is closed");
    await closeNats(this.#link.connection);
  }

  #pump(): void {
    while (this.#piecesInFlight < natsInFlightMax) {
      const piece = this.#waiting.shift();
      if (piece === undefined) return;
      this.#waitingBytes -= piece.text.length;
      // A piece before it has failed: the core would not take it.
      if (!piece.append.isOver) this.#send(piece);
    }
  }

  #send({ append, text }: Piece): void {
    const cuts = this.#cuts;
    const sentUs = this.#clock.nowUs();
    this.#piecesInFlight += 1;
    this.#inFlight.add(append);
    // Not tried again there: that could overtake what was sent behind it (J1).
    const options = { timeout: natsAckMs, retries: 1, headers: this.#headers };
    this.#client.publish(logOf(this.#place).subject, text, options).then(
      (answer) => {
        if (cuts !== this.#cuts) return;
        this.#piecesInFlight -= 1;
        this.#stored(append, answer, sentUs);
        this.#pump();
      },
      (error: unknown) => {
        if (cuts !== this.#cuts) return;
        this.#piecesInFlight -= 1;
        this.#end(append, this.#explain(error));
        this.#pump();
      },
    );
  }

  #explain(error: unknown): LogError {
    const explained = explainWrite(this.#stream, "the entry", error);
    if (explained.definite) return explained;
    this.#silence.noticed();
    const { message } = explained;
    return new LogError(`${message}${this.#silence.likely}`, { definite: false, cause: error });
  }

  #stored(append: Append, { seq }: PubAck, sentUs: number): void {
    this.#silence.over();
    this.#stamps.taken(seq, sentUs);
    append.piecesLeft -= 1;
    append.lastSequence = seq;
    if (append.piecesLeft > 0 || append.isOver) return;
    append.isOver = true;
    this.#inFlight.delete(append);
    for (const tail of this.#tails) tail.trust();
    append.resolve(append.lastSequence);
  }

  #end(append: Append, error: LogError): void {
    this.#inFlight.delete(append);
    if (append.isOver) return;
    append.isOver = true;
    for (const tail of this.#tails) tail.doubt();
    append.reject(error);
  }

  /** J2. */
  #fail(why: string): void {
    this.#cuts += 1;
    const [inFlight, waiting] = [[...this.#inFlight], this.#waiting];
    this.#waiting = [];
    [this.#waitingBytes, this.#piecesInFlight] = [0, 0];
    for (const append of inFlight) {
      this.#end(append, new LogError(`${why}; the entry may be there`, { definite: false }));
    }
    for (const { append } of waiting) this.#end(append, refused(why));
  }

  async #followConnection(): Promise<void> {
    for await (const status of this.#link.connection.status()) {
      if (this.#isClosed) return;
      if (status.type === "disconnect") {
        this.#away = `NATS at ${status.server} is away`;
        this.#fail(this.#away);
      } else if (status.type === "reconnect") {
        this.#away = undefined;
        for (const tail of this.#tails) tail.open();
      }
    }
  }
}

function noReaders(error: unknown): readonly string[] {
  notFound(error);
  return [];
}

/** J4. */
export function mayCut(version: string, replicas: number): boolean {
  return replicas === 1 || !isOlder(version, natsCutVersionMin);
}

function describeDurability(version: string, replicas: number): string {
  const copies = replicas === 1 ? "one copy" : `${replicas} copies`;
  const cut = mayCut(version, replicas) ? "" : `; not cut before NATS ${natsCutVersionMin}`;
  return `NATS JetStream ${version}, ${copies}: survives kill -9 of servers, not power loss${cut}`;
}

function refused(message: string): LogError {
  return new LogError(message, { definite: true });
}
