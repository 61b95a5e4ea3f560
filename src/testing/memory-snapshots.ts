// SPDX-License-Identifier: MIT
// Snapshots in memory, for tests: what a store does, and what can go wrong in one.
import { LogError } from "../engine/log.ts";
import {
  formatManifest,
  hashText,
  type ListedSnapshot,
  type Manifest,
  parseManifest,
  type SnapshotStore,
  sequenceOf,
} from "../engine/snapshots.ts";

export class MemorySnapshots implements SnapshotStore {
  /** By sequence. */
  readonly manifests: Map<number, string> = new Map();
  /** By hash. */
  readonly parts: Map<string, string> = new Map();
  /** Of all writes. */
  written = 0;

  async list(): Promise<readonly ListedSnapshot[]> {
    return [...this.manifests]
      .map(([sequence, text]) => parseManifest(text, sequence))
      .sort((a, b) => sequenceOf(b) - sequenceOf(a));
  }

  async read(part: string): Promise<string> {
    const text = this.parts.get(part);
    if (text !== undefined && hashText(text) === part) return text;
    throw new LogError("a part is damaged", { definite: true });
  }

  async write(
    manifest: Manifest,
    parts: ReadonlyMap<string, string>,
    damaged: ReadonlySet<number> = new Set(),
  ): Promise<number> {
    for (const sequence of damaged) this.manifests.delete(sequence);
    for (const [hash, text] of parts) this.parts.set(hash, text);
    this.manifests.set(manifest.sequence, formatManifest(manifest));
    this.written += parts.size;
    return parts.size;
  }

  async prune(keep: number): Promise<void> {
    const listed = await this.list();
    for (const gone of listed.slice(keep)) this.manifests.delete(sequenceOf(gone));
    const kept = listed.slice(0, keep);
    const named = new Set(kept.flatMap((one) => ("manifest" in one ? one.manifest.parts : [])));
    for (const hash of this.parts.keys()) if (!named.has(hash)) this.parts.delete(hash);
  }

  async close(): Promise<void> {}
}
