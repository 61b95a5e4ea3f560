// SPDX-License-Identifier: MIT
// Snapshots of a log as messages of a stream beside it: texts as messages of at most
// `natsPieceBytesMax`, and an index that says where they are. The newest index counts; it is
// written last, so that a writer that ends before leaves messages that nothing names (Z1), and only
// directly behind the index that it was made from (D4): of two that write at once the second one
// takes nothing out that the first has put in, and names nothing that the first has deleted. What
// keeps the messages is handed in.
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

export class MessageSnapshots implements SnapshotStore {
  readonly #messages: SnapshotMessages;
  /** What was listed last; its parts are read. */
  #listed: Index | undefined;

  constructor(messages: SnapshotMessages) {
    this.#messages = messages;
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

  async write(
    manifest: Manifest,
    parts: ReadonlyMap<string, string>,
    damaged: ReadonlySet<number> = new Set(),
  ): Promise<number | undefined> {
    const found = await this.#index();
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
    const isFirst = await this.#messages.sendIndex(naming, found?.sequence ?? 0);
    return isFirst ? bytes + packed.length : undefined;
  }

  /** How many are kept is decided when one is written. */
  async prune(): Promise<void> {
    const found = await this.#index();
    if (found === undefined) return;
    const { first, deleted } = await this.#messages.describe();
    const kept = new Set([
      ...[...found.stored.at, found.sequence],
      ...Object.values(found.index.parts).flat(),
    ]);
    const gone = new Set(deleted);
    // What is behind the index may be another writer's that is not done.
    for (let at = Math.max(1, first); at < found.sequence; at += 1) {
      if (!kept.has(at) && !gone.has(at)) await this.#messages.delete(at);
    }
  }

  async close(): Promise<void> {
    await this.#messages.close();
  }

  async #index(): Promise<FoundIndex | undefined> {
    const named = await this.#messages.newestIndex();
    if (named === undefined) return undefined;
    const stored = JSON.parse(new TextDecoder().decode(named.data)) as Stored;
    const index = JSON.parse(await this.#load(stored)) as Index;
    return { index, stored, sequence: named.sequence };
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
