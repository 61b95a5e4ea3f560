// SPDX-License-Identifier: MIT
// Snapshots of a log on NATS, in a stream beside it: texts as messages of at most
// `natsPieceBytesMax`, and an index that says where they are. The newest index counts; it is
// written last, so that a writer that ends before leaves messages that nothing names (Z1).
import { type JetStreamClient, jetstream } from "@nats-io/jetstream";
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { type LogClock, LogError } from "./log.ts";
import { connectNats, type NatsLink, textOf } from "./nats-connection.ts";
import { natsAckMs, natsPieceBytesMax } from "./nats-limits.ts";
import { askUntilLed } from "./nats-patience.ts";
import type { NatsPlace } from "./nats-place.ts";
import { natsFormat, openNatsStream } from "./nats-stream.ts";
import { formatHeader } from "./nats-tail.ts";
import { snapshotsKept } from "./snapshot-limits.ts";
import {
  formatManifest,
  hashText,
  type ListedSnapshot,
  type Manifest,
  packText,
  parseManifest,
  type SnapshotStore,
  unpackText,
} from "./snapshots.ts";

/** A text, and in which messages it is. */
interface Stored {
  readonly hash: string;
  readonly at: readonly number[];
}

interface Index {
  /** Newest first. */
  readonly snapshots: readonly { readonly sequence: number; readonly manifest: string }[];
  /** By hash. */
  readonly parts: Readonly<Record<string, readonly number[]>>;
}

/** An index with its own place. */
interface FoundIndex {
  readonly index: Index;
  readonly stored: Stored;
  /** The message that names it. */
  readonly sequence: number;
}

export class NatsSnapshots implements SnapshotStore {
  readonly #link: NatsLink;
  readonly #stream: string;
  readonly #client: JetStreamClient;
  readonly #headers: MsgHdrs;
  /** What was listed last; its parts are read. */
  #listed: Index | undefined;

  private constructor(link: NatsLink, stream: string) {
    this.#link = link;
    this.#stream = stream;
    this.#client = jetstream(link.connection, { timeout: natsAckMs });
    this.#headers = headers();
    this.#headers.set(formatHeader, String(natsFormat));
  }

  /** @throws LogError (definite), with what to do. */
  static async open(place: NatsPlace, clock: LogClock): Promise<NatsSnapshots> {
    const link = await connectNats(place);
    const name = `${place.stream}-snapshots`;
    try {
      const wish = {
        name,
        subject: subjectOf(name, "*"),
        what: "Muster snapshots",
        ...{ mayDelete: true, clock },
      };
      await openNatsStream(link, place, wish);
      const opened = new NatsSnapshots(link, name);
      // Brokers name a leader a little before it gives messages, and they are read next.
      const { streams } = link.manager;
      const query = { last_by_subj: subjectOf(name, "index") };
      await opened.#try("give the index of snapshots", () =>
        askUntilLed(clock, () => streams.getMessage(name, query)),
      );
      return opened;
    } catch (error) {
      await link.connection.close();
      throw error;
    }
  }

  async list(): Promise<readonly ListedSnapshot[]> {
    this.#listed = (await this.#index())?.index;
    return (this.#listed?.snapshots ?? []).map(({ sequence, manifest }) =>
      parseManifest(manifest, sequence),
    );
  }

  async read(part: string): Promise<string> {
    this.#listed ??= (await this.#index())?.index;
    const at = this.#listed?.parts[part];
    if (at === undefined) return unpackText(undefined, part);
    return this.#load({ hash: part, at });
  }

  async write(manifest: Manifest, parts: ReadonlyMap<string, string>): Promise<number> {
    const before = (await this.#index())?.index;
    const places: Record<string, readonly number[]> = {};
    let bytes = 0;
    for (const [hash, text] of parts) {
      const packed = packText(text);
      bytes += packed.length;
      places[hash] = await this.#publish(packed);
    }
    const { sequence } = manifest;
    const older = (before?.snapshots ?? []).filter((one) => one.sequence !== sequence);
    const snapshots = [{ sequence, manifest: formatManifest(manifest) }, ...older].slice(
      ...[0, snapshotsKept],
    );
    const listed = snapshots.map((one) => parseManifest(one.manifest, one.sequence));
    for (const hash of listed.flatMap((one) => ("manifest" in one ? one.manifest.parts : []))) {
      const at = before?.parts[hash];
      if (at !== undefined) places[hash] ??= at;
    }
    const text = JSON.stringify({ snapshots, parts: places } satisfies Index);
    const packed = packText(text);
    const stored: Stored = { hash: hashText(text), at: await this.#publish(packed) };
    await this.#send("index", new TextEncoder().encode(JSON.stringify(stored)));
    return bytes + packed.length;
  }

  /** How many are kept is decided when one is written. */
  async prune(): Promise<void> {
    const found = await this.#index();
    if (found === undefined) return;
    const { manager } = this.#link;
    const state = await this.#try("say what it has", async () => {
      const asked = { deleted_details: true };
      return (await manager.streams.info(this.#stream, asked)).state;
    });
    const kept = new Set([
      ...[...found.stored.at, found.sequence],
      ...Object.values(found.index.parts).flat(),
    ]);
    const gone = new Set(state.deleted ?? []);
    // What is behind the index may be another writer's that is not done.
    for (let at = Math.max(1, state.first_seq); at < found.sequence; at += 1) {
      if (kept.has(at) || gone.has(at)) continue;
      await manager.streams.deleteMessage(this.#stream, at, false).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.#link.connection.close();
  }

  async #index(): Promise<FoundIndex | undefined> {
    const named = await this.#try("give the index of snapshots", () =>
      this.#link.manager.streams.getMessage(this.#stream, {
        last_by_subj: subjectOf(this.#stream, "index"),
      }),
    );
    if (named === null) return undefined;
    const stored = named.json<Stored>();
    const index = JSON.parse(await this.#load(stored)) as Index;
    return { index, stored, sequence: named.seq };
  }

  async #load({ hash, at }: Stored): Promise<string> {
    const pieces: Uint8Array[] = [];
    for (const seq of at) {
      const found = await this.#try("give a part of a snapshot", () =>
        this.#link.manager.streams.getMessage(this.#stream, { seq }),
      );
      if (found === null) return unpackText(undefined, hash);
      pieces.push(found.data);
    }
    return unpackText(Buffer.concat(pieces), hash);
  }

  /** @returns the messages that hold it. */
  async #publish(packed: Uint8Array): Promise<readonly number[]> {
    const at: number[] = [];
    for (let first = 0; first < packed.length; first += natsPieceBytesMax) {
      at.push(await this.#send("part", packed.subarray(first, first + natsPieceBytesMax)));
    }
    return at;
  }

  #send(kind: "part" | "index", data: Uint8Array): Promise<number> {
    return this.#try("take a snapshot", async () => {
      const options = { headers: this.#headers };
      return (await this.#client.publish(subjectOf(this.#stream, kind), data, options)).seq;
    });
  }

  async #try<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const message = `the stream ${this.#stream} of NATS does not ${what}: ${textOf(error)}`;
      throw new LogError(message, { definite: false, cause: error });
    }
  }
}

function subjectOf(stream: string, kind: "part" | "index" | "*"): string {
  return `muster.${stream}.${kind}`;
}
