// SPDX-License-Identifier: MIT
// Where snapshots of a log on NATS are kept: in a stream beside it. What its messages say is
// message-snapshots.ts.
import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  jetstream,
} from "@nats-io/jetstream";
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { errorText } from "../core/text.ts";
import { type LogClock, LogError } from "./log.ts";
import {
  MessageSnapshots,
  type SnapshotMessages,
  type StoredMessage,
} from "./message-snapshots.ts";
import { closeNats } from "./nats-calls.ts";
import { snapshotsOf } from "./nats-care.ts";
import { connectNats, type NatsLink } from "./nats-connection.ts";
import { natsAckMs } from "./nats-limits.ts";
import { askUntilLed } from "./nats-patience.ts";
import type { NatsPlace } from "./nats-place.ts";
import { natsFormat, openNatsStream } from "./nats-stream.ts";
import { formatHeader } from "./nats-tail.ts";

/** What is expected to be the last message is not. */
const wrongLast = JetStreamApiCodes.StreamWrongLastSequence;

/**
 * @param onDamaged is told of an index that cannot be read, and what is done about it
 * @throws LogError (definite), with what to do.
 */
export async function openNatsSnapshots(
  place: NatsPlace,
  clock: LogClock,
  onDamaged: (message: string) => void = () => undefined,
): Promise<MessageSnapshots> {
  const link = await connectNats(place);
  const kept = snapshotsOf(place.stream);
  const { name } = kept;
  try {
    const wish = { ...kept, what: "Muster snapshots", mayDelete: true, clock };
    await openNatsStream(link, place, wish);
    const messages = new NatsMessages(link, name);
    // Brokers name a leader a little before it gives messages, and they are read next.
    await messages.firstIndex(clock);
    return new MessageSnapshots(messages, (said) =>
      onDamaged(`the stream ${name} of NATS: ${said}`),
    );
  } catch (error) {
    await closeNats(link.connection);
    throw error;
  }
}

type Query = { last_by_subj: string } | { seq: number; next_by_subj?: string };

class NatsMessages implements SnapshotMessages {
  readonly #link: NatsLink;
  readonly #stream: string;
  readonly #client: JetStreamClient;

  constructor(link: NatsLink, stream: string) {
    this.#link = link;
    this.#stream = stream;
    this.#client = jetstream(link.connection, { timeout: natsAckMs });
  }

  sendPart(data: Uint8Array): Promise<number> {
    return this.#try("take a snapshot", async () => {
      const options = { headers: formatHeaders() };
      return (await this.#client.publish(subjectOf(this.#stream, "part"), data, options)).seq;
    });
  }

  sendIndex(data: Uint8Array, after: number): Promise<boolean> {
    return this.#try("take the index of snapshots", async () => {
      const options = { headers: formatHeaders(), expect: { lastSubjectSequence: after } };
      try {
        await this.#client.publish(subjectOf(this.#stream, "index"), data, options);
        return true;
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === wrongLast) return false;
        throw error;
      }
    });
  }

  get(sequence: number): Promise<StoredMessage | undefined> {
    return this.#try("give a part of a snapshot", () => this.#message({ seq: sequence }));
  }

  newestIndex(): Promise<StoredMessage | undefined> {
    return this.#try("give the index of snapshots", () => this.#message(this.#newest));
  }

  indexFrom(sequence: number): Promise<StoredMessage | undefined> {
    const { last_by_subj: next_by_subj } = this.#newest;
    return this.#try("give the index of snapshots", () =>
      this.#message({ seq: sequence, next_by_subj }),
    );
  }

  /** As long as the stream may not have a leader yet. */
  firstIndex(clock: LogClock): Promise<StoredMessage | undefined> {
    const ask = () => this.#message(this.#newest);
    return this.#try("give the index of snapshots", () => askUntilLed(clock, ask));
  }

  describe(): Promise<{ readonly first: number; readonly deleted: readonly number[] }> {
    return this.#try("say what it has", async () => {
      const asked = { deleted_details: true };
      const { state } = await this.#link.manager.streams.info(this.#stream, asked);
      return { first: state.first_seq, deleted: state.deleted ?? [] };
    });
  }

  async delete(sequence: number): Promise<void> {
    const { streams } = this.#link.manager;
    await streams.deleteMessage(this.#stream, sequence, false).catch(() => undefined);
  }

  async close(): Promise<void> {
    await closeNats(this.#link.connection);
  }

  get #newest(): { readonly last_by_subj: string } {
    return { last_by_subj: subjectOf(this.#stream, "index") };
  }

  async #message(query: Query) {
    const found = await this.#link.manager.streams.getMessage(this.#stream, query);
    return found === null ? undefined : { sequence: found.seq, data: found.data };
  }

  async #try<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const message = `the stream ${this.#stream} of NATS does not ${what}: ${errorText(error)}`;
      throw new LogError(message, { definite: false, cause: error });
    }
  }
}

/** New ones: the library adds to those that it is given. */
function formatHeaders(): MsgHdrs {
  const made = headers();
  made.set(formatHeader, String(natsFormat));
  return made;
}

function subjectOf(stream: string, kind: "part" | "index"): string {
  return `muster.${stream}.${kind}`;
}
