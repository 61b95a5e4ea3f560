// SPDX-License-Identifier: MIT
// Reads a stream of NATS from a place on, as much at a time as its caller asks for: what a
// subscriber or a server of a bus has missed.
//
//   R1. `next` is the only place: a consumer that is lost, or has a hole behind a cut, is made anew
//       from there.
//   R2. `read` resolves with what is stored, in order, each once; `isAll` when the stream's leader
//       has no more. A consumer may be at a broker that is behind the leader, and only the leader
//       knows.
import { createInbox, type Msg, nanos } from "@nats-io/transport-node";
import type { LogClock } from "./log.ts";
import { natsReadBatchMax, natsStandAnswerMs } from "./nats-bus-limits.ts";
import type { NatsLink } from "./nats-connection.ts";
import { natsReaderKeptMs } from "./nats-limits.ts";

/** Code of JetStream. */
const noMessageFound = 10_037;

export interface NatsReaderOptions {
  readonly link: NatsLink;
  readonly clock: LogClock;
  readonly stream: string;
  /** Which subjects of it. */
  readonly subject: string;
  readonly from: number;
}

export interface StoredMessage {
  readonly position: number;
  readonly message: Msg;
}

export interface ReadBatch {
  readonly stored: readonly StoredMessage[];
  readonly isAll: boolean;
}

export class NatsReader {
  readonly #options: NatsReaderOptions;
  #next: number;
  #consumer: string | undefined;
  /** Messages that this consumer has sent. */
  #delivered = 0;

  constructor(options: NatsReaderOptions) {
    this.#options = options;
    this.#next = options.from;
  }

  /** Everything before it was read. */
  get next(): number {
    return this.#next;
  }

  /** What is forgotten, or known not to be there, is not waited for. */
  skipTo(next: number): void {
    if (next > this.#next) this.#next = next;
  }

  /** @throws what keeps NATS from answering; it may be called again */
  async read(): Promise<ReadBatch> {
    try {
      // Who comes back has mostly missed nothing: that costs one question and no consumer.
      if (this.#consumer === undefined && (await this.#isAllOfLeader(this.#next))) {
        return { stored: [], isAll: true };
      }
      const consumer = await this.#obtainConsumer();
      const { stored, isAll } = await this.#pull(consumer);
      const next = (stored.at(-1)?.position ?? this.#next - 1) + 1;
      const batch = { stored, isAll: isAll && (await this.#isAllOfLeader(next)) };
      this.#next = next;
      return batch;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The broker would drop its consumer by itself after a while. */
  close(): void {
    const { link, stream } = this.#options;
    const consumer = this.#consumer;
    this.#consumer = undefined;
    if (consumer === undefined || link.connection.isClosed()) return;
    link.manager.consumers.delete(stream, consumer).catch(() => undefined);
  }

  async #obtainConsumer(): Promise<string> {
    if (this.#consumer !== undefined) return this.#consumer;
    const { link, stream, subject } = this.#options;
    const { name } = await link.manager.consumers.add(stream, {
      ...{ deliver_policy: "by_start_sequence", opt_start_seq: Math.max(1, this.#next) },
      ...{ ack_policy: "none", filter_subject: subject, mem_storage: true, num_replicas: 1 },
      inactive_threshold: nanos(natsReaderKeptMs),
    });
    this.#consumer = name;
    this.#delivered = 0;
    return name;
  }

  /** R2. */
  async #isAllOfLeader(next: number): Promise<boolean> {
    const { link, stream, subject } = this.#options;
    const ask = { seq: Math.max(1, next), next_by_subj: subject };
    const subjectOfGet = `${link.api}.STREAM.MSG.GET.${stream}`;
    const answer = await link.connection.request(subjectOfGet, JSON.stringify(ask), {
      timeout: natsStandAnswerMs,
    });
    const { error } = answer.json<{ readonly error?: { readonly err_code?: number } }>();
    if (error === undefined) return false;
    if (error.err_code === noMessageFound) return true;
    throw new Error(`the stream ${stream} does not say what comes next: ${answer.string()}`);
  }

  #pull(consumer: string): Promise<ReadBatch> {
    const { link, clock, stream } = this.#options;
    const { connection } = link;
    const inbox = createInbox();
    const stored: StoredMessage[] = [];
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        cancel();
        subscription.unsubscribe();
        settle();
      };
      const cancel = clock.after(natsStandAnswerMs, () => {
        end(() => reject(new Error(`the stream ${stream} does not answer`)));
      });
      const subscription = connection.subscribe(inbox, {
        callback: (error, message) => {
          const place = error === null ? placeOf(message) : undefined;
          if (place === undefined) {
            // 404: that was all. 408, 409, 503: it is not there any more, or says that it is full.
            const isAll = error === null && message.headers?.code === 404;
            const why = error?.message ?? message.headers?.description ?? "no answer";
            end(() => (isAll ? resolve({ stored, isAll }) : reject(new Error(why))));
            return;
          }
          this.#delivered += 1;
          if (place.delivery !== this.#delivered) {
            end(() => reject(new Error("something was lost on its way")));
            return;
          }
          stored.push({ position: place.position, message });
          const isAll = place.pending === 0;
          if (isAll || stored.length === natsReadBatchMax) end(() => resolve({ stored, isAll }));
        },
      });
      const ask = JSON.stringify({ batch: natsReadBatchMax, no_wait: true });
      const subject = `${link.api}.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
      connection.publish(subject, ask, { reply: inbox });
    });
  }
}

interface DeliveredPlace {
  readonly position: number;
  /** The how many-th of its consumer. */
  readonly delivery: number;
  readonly pending: number;
}

/** From the subject at which a message of a stream would be acknowledged. */
function placeOf({ reply = "" }: Msg): DeliveredPlace | undefined {
  const tokens = reply.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK") return undefined;
  // Newer brokers name domain and account, and add a token of chance at the end.
  const at = tokens.length > 9 ? 7 : 5;
  const [position, delivery, pending] = [0, 1, 3].map((next) => Number(tokens[at + next]));
  return { position: position ?? 0, delivery: delivery ?? 0, pending: pending ?? 0 };
}
