// SPDX-License-Identifier: MIT
// Snapshots beside a log (D11): the state behind an entry in parts, one for each scope and one for
// the rest, and a manifest that names them by their hashes. A part that has not changed is not
// written again. What a part says is the host's business (host/snapshot-text.ts).
//
//   Z1. A manifest is written when all its parts are there: a process that ends between two writes
//       leaves parts that nothing names, which the next prune deletes.
//   Z2. What is read is what was written, or an error: hashes are compared.
//   Z3. A snapshot that has been found damaged takes no place among those that are kept.
import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { LogError } from "./log.ts";
import { snapshotPartBytesMax } from "./snapshot-limits.ts";

/** A newer one is refused. */
export const manifestFormat = 1;

export interface Manifest {
  readonly format: number;
  /** The entry that the state is behind. */
  readonly sequence: number;
  /** Of the state, as its core computes it. */
  readonly digest: string;
  /** Hashes of the texts of its parts. */
  readonly parts: readonly string[];
}

/** Where snapshots are kept. */
export interface SnapshotStore {
  /**
   * Newest first, those that cannot be read with the reason in place of what they say.
   * @throws LogError
   */
  list(): Promise<readonly ListedSnapshot[]>;
  /** The text of a part. @throws LogError when it is not there, or is not what was written (Z2). */
  read(part: string): Promise<string>;
  /**
   * Stores a snapshot (Z1).
   * @param parts by their hashes, those that are not known to be there
   * @param damaged entries of snapshots that go instead of older ones (Z3)
   * @returns bytes written; undefined, and nothing is stored, when another writer has been there
   * meanwhile or has stored a newer one
   * @throws LogError
   */
  write(
    manifest: Manifest,
    parts: ReadonlyMap<string, string>,
    damaged?: ReadonlySet<number>,
  ): Promise<number | undefined>;
  /** Deletes all but the newest so many, and parts that none of those name. @throws LogError */
  prune(keep: number): Promise<void>;
  close(): Promise<void>;
}

export type ListedSnapshot =
  | { readonly manifest: Manifest }
  | {
      readonly sequence: number;
      readonly wrong: string;
      /** Nothing is wrong but that this build cannot read it. */
      readonly isNewer?: true;
    };

/** 64 hex digits of SHA-256. */
export function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function packText(text: string): Uint8Array {
  return deflateRawSync(text, { level: 1 });
}

/** Z2. @throws LogError (definite) */
export function unpackText(packed: Uint8Array | undefined, hash: string): string {
  const wrong = (what: string): LogError =>
    new LogError(`part ${hash.slice(0, 12)} of a snapshot ${what}`, { definite: true });
  if (packed === undefined) throw wrong("is missing");
  let text: string;
  try {
    text = inflateRawSync(packed, { maxOutputLength: snapshotPartBytesMax }).toString();
  } catch {
    throw wrong("is damaged");
  }
  if (hashText(text) !== hash) throw wrong("is damaged");
  return text;
}

/** With its own hash in front, so that damage is seen. */
export function formatManifest(manifest: Manifest): string {
  const text = JSON.stringify(manifest);
  return `${hashText(text)} ${text}`;
}

/** A manifest, or why it is none. */
export function parseManifest(text: string, sequence: number): ListedSnapshot {
  const [, hash = "", body = ""] = /^([0-9a-f]{64}) (.*)$/s.exec(text) ?? [];
  if (hash === "" || hashText(body) !== hash) return { sequence, wrong: "it is damaged" };
  const manifest = JSON.parse(body) as Manifest;
  if (manifest.format > manifestFormat) {
    const wrong = `it was written by a newer Muster (format ${manifest.format}, this one reads ${manifestFormat})`;
    return { sequence, wrong, isNewer: true };
  }
  return { manifest };
}

export function sequenceOf(listed: ListedSnapshot): number {
  return "manifest" in listed ? listed.manifest.sequence : listed.sequence;
}

/**
 * Reads parts back. @returns why not, of the first that is not there as it was written
 * @throws LogError when the store does not answer
 */
export async function firstWrong(
  store: Pick<SnapshotStore, "read">,
  parts: readonly string[],
): Promise<string | undefined> {
  for (const part of parts) {
    try {
      await store.read(part);
    } catch (error) {
      if (error instanceof LogError && error.definite) return error.message;
      throw error;
    }
  }
  return undefined;
}

/**
 * The entry of the newest snapshot up to `head` whose parts are all there as they were written, 0
 * for none. @throws LogError when the store does not answer
 */
export async function newestWhole(store: SnapshotStore, head: number): Promise<number> {
  for (const listed of await store.list()) {
    if (!("manifest" in listed) || listed.manifest.sequence > head) continue;
    const reads = listed.manifest.parts.map((part) => store.read(part));
    const read = await Promise.allSettled(reads);
    if (read.every(({ status }) => status === "fulfilled")) return listed.manifest.sequence;
  }
  return 0;
}
