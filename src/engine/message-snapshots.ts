// SPDX-License-Identifier: MIT
// Snapshots of a log as messages of a stream beside it: texts as messages of at most
// `natsPieceBytesMax`, and an index that says where they are. The newest index counts; it is
// written last, so that a writer that ends before leaves messages that nothing names (Z1), and only
// directly behind the index that it was made from (D4): of two that write at once the second one
// takes nothing out that the first has put in, and names nothing that the first has deleted. What
// keeps the messages is handed in.
//
//   Y1. An index that cannot be read counts for nothing but its place: the one before it says what
//       there is, which is kept for that, and the next is written behind the damaged one.
//   Y2. Nothing is deleted on the word of an index that names fewer snapshots than are kept: what
//       one before it named may still be all there is.
import { errorText } from "../core/text.ts";
import { LogError } from "./log.ts";
import { natsPieceBytesMax } from "./nats-limits.ts";
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

/** A message, and its place in the stream; the first has 1. */
export interface StoredMessage {
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** A stream of messages; what it does not do it says with a LogError. */
export interface SnapshotMessages {
  /** @returns the place of the message */
  sendPart(data: Uint8Array): Promise<number>;
  /**
   * @param after place of the last index that there may be, 0 for none
   * @returns false, and nothing was stored, when there is another one
   */
  sendIndex(data: Uint8Array, after: number): Promise<boolean>;
  /** The message at that place, unless there is none (any more). */
  get(sequence: number): Promise<StoredMessage | undefined>;
  /** The last message of that kind. */
  newestIndex(): Promise<StoredMessage | undefined>;
  /** The first message of that kind at this place or behind it. */
  indexFrom(sequence: number): Promise<StoredMessage | undefined>;
  /** Where it begins, and what has been deleted behind that. */
  describe(): Promise<{ readonly first: number; readonly deleted: readonly number[] }>;
  /** A message that stays for now costs room only: what goes wrong is not told. */
  delete(sequence: number): Promise<void>;
  close(): Promise<void>;
}

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

/** What is known of snapshots, and behind what the next index is written. */
interface Known {
  /** The newest that can be read (Y1). */
  readonly found: FoundIndex | undefined;
  /** Place of the newest index, which may be damaged; 0 where none is known. */
  readonly newest: number;
}

export class MessageSnapshots implements SnapshotStore {
  readonly #messages: SnapshotMessages;
  /** What was listed last; its parts are read. */
  #listed: Index | undefined;
  readonly #onDamaged: (message: string) => void;
  /** Place of the index that was said to be damaged. */
  #saidDamaged = 0;

  /** @param onDamaged is told of an index that cannot be read, once, and what is done about it */
  constructor(messages: SnapshotMessages, onDamaged: (message: string) => void = () => undefined) {
    this.#messages = messages;
    this.#onDamaged = onDamaged;
  }

  async list(): Promise<readonly ListedSnapshot[]> {
    this.#listed = (await this.#known()).found?.index;
    return (this.#listed?.snapshots ?? []).map(({ sequence, manifest }) =>
      parseManifest(manifest, sequence),
    );
  }

  async read(part: string): Promise<string> {
    this.#listed ??= (await this.#known()).found?.index;
    const at = this.#listed?.parts[part];
    if (at === undefined) return unpackText(undefined, part);
    return this.#load({ hash: part, at });
  }

  async write(
    manifest: Manifest,
    parts: ReadonlyMap<string, string>,
    damaged: ReadonlySet<number> = new Set(),
  ): Promise<number | undefined> {
    const { found, newest } = await this.#known();
    const before = found?.index;
    const { sequence } = manifest;
    const others = (before?.snapshots ?? []).filter(
      (one) => one.sequence !== sequence && !damaged.has(one.sequence),
    );
    // A writer that stood still for a while may be behind another one.
    if (others.some((one) => one.sequence > sequence)) return undefined;
    const places: Record<string, readonly number[]> = {};
    let bytes = 0;
    for (const [hash, text] of parts) {
      const packed = packText(text);
      bytes += packed.length;
      places[hash] = await this.#publish(packed);
    }
    const snapshots = [{ sequence, manifest: formatManifest(manifest) }, ...others].slice(
      0,
      snapshotsKept,
    );
    const listed = snapshots.map((one) => parseManifest(one.manifest, one.sequence));
    for (const hash of listed.flatMap((one) => ("manifest" in one ? one.manifest.parts : []))) {
      const at = before?.parts[hash];
      if (at !== undefined) places[hash] ??= at;
    }
    const text = JSON.stringify({ snapshots, parts: places } satisfies Index);
    const packed = packText(text);
    const stored: Stored = { hash: hashText(text), at: await this.#publish(packed) };
    const naming = new TextEncoder().encode(JSON.stringify(stored));
    const isFirst = await this.#messages.sendIndex(naming, newest);
    return isFirst ? bytes + packed.length : undefined;
  }

  /** How many are kept is decided when one is written. */
  async prune(): Promise<void> {
    const { found, newest } = await this.#known();
    // Y2.
    if (found?.sequence !== newest || found.index.snapshots.length < snapshotsKept) return;
    const { first, deleted } = await this.#messages.describe();
    const older = await this.#before(newest);
    const kept = new Set([
      ...[found, older].flatMap((one) => (one ? [...one.stored.at, one.sequence] : [])),
      ...Object.values(found.index.parts).flat(),
    ]);
    const gone = new Set(deleted);
    // What is behind the index may be another writer's that is not done.
    for (let at = Math.max(1, first); at < newest; at += 1) {
      if (!kept.has(at) && !gone.has(at)) await this.#messages.delete(at);
    }
  }

  async close(): Promise<void> {
    await this.#messages.close();
  }

  /** Y1. */
  async #known(): Promise<Known> {
    const named = await this.#messages.newestIndex();
    if (named === undefined) return this.#withoutLast();
    const newest = named.sequence;
    const opened = await this.#open(named);
    if (typeof opened !== "string") return { found: opened, newest };
    // Another server may have written the next one, and deleted this one, meanwhile.
    if ((await this.#messages.newestIndex())?.sequence !== newest) return this.#known();
    const found = await this.#before(newest);
    this.#sayDamaged(newest, opened, found);
    return { found, newest };
  }

  /** NATS 2.9 knows none any more, as it says, when the last one is gone from its file. */
  async #withoutLast(): Promise<Known> {
    const found = await this.#before(Number.MAX_SAFE_INTEGER);
    if (found === undefined) return { found, newest: 0 };
    // Another server may have written the first one meanwhile.
    if ((await this.#messages.newestIndex()) !== undefined) return this.#known();
    this.#sayDamaged(found.sequence + 1, "it is gone", found);
    return { found, newest: 0 };
  }

  /** The last before that place that can be read. */
  async #before(place: number): Promise<FoundIndex | undefined> {
    const all: StoredMessage[] = [];
    for (let from = 1; from < place; from = (all.at(-1)?.sequence ?? place) + 1) {
      const named = await this.#messages.indexFrom(from);
      if (named === undefined || named.sequence >= place) break;
      all.push(named);
    }
    for (const named of all.reverse()) {
      const opened = await this.#open(named);
      if (typeof opened !== "string") return opened;
    }
    return undefined;
  }

  /** @returns what is wrong with it, if something is. @throws LogError when nobody answers */
  async #open(named: StoredMessage): Promise<FoundIndex | string> {
    try {
      const stored = JSON.parse(new TextDecoder().decode(named.data)) as Stored;
      const index = JSON.parse(await this.#load(stored)) as Index;
      return { index, stored, sequence: named.sequence };
    } catch (error) {
      if (error instanceof LogError && !error.definite) throw error;
      return errorText(error);
    }
  }

  #sayDamaged(place: number, why: string, found: FoundIndex | undefined): void {
    if (this.#saidDamaged === place) return;
    this.#saidDamaged = place;
    const what = `the newest index of snapshots is damaged (${why})`;
    const instead = found
      ? `that in message ${found.sequence} is taken`
      : "there is none before it, and no snapshot is known";
    this.#onDamaged(`${what}; ${instead}, and the log is not cut until two are whole again`);
  }

  async #load({ hash, at }: Stored): Promise<string> {
    const pieces: Uint8Array[] = [];
    for (const sequence of at) {
      const found = await this.#messages.get(sequence);
      if (found === undefined) return unpackText(undefined, hash);
      pieces.push(found.data);
    }
    return unpackText(Buffer.concat(pieces), hash);
  }

  /** @returns the messages that hold it. */
  async #publish(packed: Uint8Array): Promise<readonly number[]> {
    const at: number[] = [];
    for (let first = 0; first < packed.length; first += natsPieceBytesMax) {
      const piece = packed.subarray(first, first + natsPieceBytesMax);
      at.push(await this.#messages.sendPart(piece));
    }
    return at;
  }
}
