// SPDX-License-Identifier: MIT
// Follows a log beside the host that serves, and makes a snapshot each so many entries or bytes
// (D11). Does what a host does that has no edges: applies each entry, and keeps the effects that
// somebody may still come for.
//
//   F1. A snapshot is told of when it has been read back, whole and with its digest; only then may
//       anything be cut away that it stands for.
//   F2. One is made at a time; entries that come meanwhile are applied.
import type { LogEntry } from "../core/command.ts";
import type { Limits } from "../core/limits.ts";
import { Service } from "../core/service.ts";
import { type Log, LogError, type LogReader } from "../engine/log.ts";
import { type SnapshotLimits, snapshotsKept } from "../engine/snapshot-limits.ts";
import { type SnapshotStore, sequenceOf } from "../engine/snapshots.ts";
import { byEdge, EffectStore } from "./effect-store.ts";
import { loadNewest, type TakenSnapshot, takeSnapshot } from "./snapshot-text.ts";

/** What a follower says. */
export type FollowerNews =
  /** A snapshot is there; entries up to `cutThrough` are not needed any more, 0 for none. */
  | {
      readonly kind: "made";
      readonly sequence: number;
      readonly cutThrough: number;
      readonly bytes: number;
    }
  | { readonly kind: "warning"; readonly message: string }
  /** It has stopped; one that starts anew may do better. */
  | { readonly kind: "lost"; readonly message: string };

export interface FollowerOptions {
  readonly log: Pick<Log, "read">;
  readonly snapshots: SnapshotStore;
  readonly limits: Limits;
  readonly bounds: SnapshotLimits;
  readonly onNews: (news: FollowerNews) => void;
}

export class SnapshotFollower {
  readonly #options: FollowerOptions;
  readonly #core: Service;
  readonly #store = new EffectStore();
  #reader: LogReader | undefined;
  /** Since the newest snapshot. */
  #entries = 0;
  #bytes = 0;
  /** Hashes of parts that are stored. */
  #known: ReadonlySet<string> = new Set();
  #making: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#core = new Service(options.limits);
  }

  /** From the newest snapshot. @throws LogError */
  async start(): Promise<void> {
    const { snapshots, log, onNews } = this.#options;
    const warn = (message: string): void => onNews({ kind: "warning", message });
    await loadNewest(snapshots, { core: this.#core, store: this.#store }, warn);
    if (this.#isStopped) return;
    const onLost = ({ message }: LogError): void => onNews({ kind: "lost", message });
    const from = this.#core.sequence + 1;
    this.#reader = log.read(from, (entries) => this.#deliver(entries), onLost);
  }

  /** Resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#reader?.stop();
    await this.#making;
  }

  #deliver(entries: readonly LogEntry[]): void {
    try {
      for (const entry of entries) this.#apply(entry);
    } catch (error) {
      // The host meets the same entry, and says what it means.
      this.#reader?.stop();
      this.#options.onNews({ kind: "lost", message: textOf(error) });
      return;
    }
    const { snapshotEntriesMax, snapshotBytesMax } = this.#options.bounds;
    const isDue = this.#entries >= snapshotEntriesMax || this.#bytes >= snapshotBytesMax;
    if (isDue && this.#making === undefined) this.#begin();
  }

  #apply(entry: LogEntry): void {
    const { sequence } = entry;
    const { addressed } = this.#core.apply(entry);
    for (const { life, effects } of byEdge(addressed)) {
      if (this.#core.mayReturn(life.edge)) this.#store.keep(life, sequence, effects);
    }
    for (const { commands } of entry.entry.batches) {
      for (const command of commands) {
        if (command.kind === "seen") this.#store.drop(command, command.sequence);
      }
    }
    this.#entries += 1;
    this.#bytes += JSON.stringify(entry.entry).length;
  }

  #begin(): void {
    [this.#entries, this.#bytes] = [0, 0];
    this.#making = this.#make()
      .catch((error: unknown) => {
        const message = `no snapshot was made, and the log is not cut: ${textOf(error)}`;
        this.#options.onNews({ kind: "warning", message });
      })
      .finally(() => {
        this.#making = undefined;
      });
  }

  async #make(): Promise<void> {
    const { snapshots, onNews } = this.#options;
    const taken = takeSnapshot(this.#core, this.#store);
    const { sequence, parts } = taken.manifest;
    const news = new Map([...taken.texts].filter(([hash]) => !this.#known.has(hash)));
    let bytes = await snapshots.write(taken.manifest, news);
    if (!(await this.#isGood(taken))) {
      // What was there before has been lost or damaged since: all of it anew.
      bytes += await snapshots.write(taken.manifest, taken.texts);
      if (!(await this.#isGood(taken))) {
        throw new LogError("what was written is not what is read", { definite: false });
      }
    }
    await snapshots.prune(snapshotsKept);
    this.#known = new Set(parts);
    const all = await snapshots.list();
    const oldest = all[snapshotsKept - 1];
    const cutThrough = oldest === undefined ? 0 : sequenceOf(oldest);
    onNews({ kind: "made", sequence, cutThrough, bytes });
  }

  /** F1. The texts are those whose digest was computed; a start also compares that. */
  async #isGood({ manifest, texts }: TakenSnapshot): Promise<boolean> {
    try {
      const [newest] = await this.#options.snapshots.list();
      if (newest === undefined || !("manifest" in newest)) return false;
      if (newest.manifest.digest !== manifest.digest) return false;
      for (const part of manifest.parts) {
        if ((await this.#options.snapshots.read(part)) !== texts.get(part)) return false;
      }
      return true;
    } catch (error) {
      if (error instanceof LogError && error.definite) return false;
      throw error;
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
