// SPDX-License-Identifier: MIT
// Follows a log beside the host that serves, and makes a snapshot each so many entries or bytes
// (D11). Does what a host does that has no edges: applies each entry, and keeps the effects that
// somebody may still come for.
//
//   F1. A snapshot is told of when it has been read back, whole and with its digest. Before what it
//       stands for is cut away, it and the older one are read back again: servers may have taken
//       long to come beyond it.
//   F2. One is made at a time; entries that come meanwhile are applied.
import type { LogEntry } from "../core/command.ts";
import type { Limits } from "../core/limits.ts";
import { Service } from "../core/service.ts";
import { errorText } from "../core/text.ts";
import { type Log, LogError, type LogReader } from "../engine/log.ts";
import { type SnapshotLimits, snapshotsKept } from "../engine/snapshot-limits.ts";
import {
  firstWrong,
  type ListedSnapshot,
  type SnapshotStore,
  sequenceOf,
} from "../engine/snapshots.ts";
import { byEdge, EffectStore } from "./effect-store.ts";
import { loadNewest, type TakenSnapshot, takeSnapshot } from "./snapshot-text.ts";

/** What a follower says. */
export type FollowerNews =
  /**
   * A snapshot is there; entries up to `cutThrough`, 0 for none, are not needed any more if it and
   * the older one are still whole when they are to be cut.
   */
  | {
      readonly kind: "made";
      readonly sequence: number;
      readonly cutThrough: number;
      readonly bytes: number;
    }
  /** None is there of this entry: another server has stored one meanwhile. */
  | { readonly kind: "overtaken"; readonly sequence: number }
  /** They are: entries up to this one may be cut away. */
  | { readonly kind: "whole"; readonly cutThrough: number }
  /** They are not. */
  | { readonly kind: "not-whole"; readonly message: string }
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
  /** What is being done with the store, one thing after the other. */
  #working: Promise<void> | undefined;
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
    await this.#working;
  }

  /** Finds out whether entries up to this one may be cut away, and tells (F1). */
  check(through: number): void {
    this.#work("it is not known whether its snapshots are whole", () => this.#check(through));
  }

  #deliver(entries: readonly LogEntry[]): void {
    try {
      for (const entry of entries) this.#apply(entry);
    } catch (error) {
      // The host meets the same entry, and says what it means.
      this.#reader?.stop();
      this.#options.onNews({ kind: "lost", message: errorText(error) });
      return;
    }
    const { snapshotEntriesMax, snapshotBytesMax } = this.#options.bounds;
    const isDue = this.#entries >= snapshotEntriesMax || this.#bytes >= snapshotBytesMax;
    if (isDue && this.#working === undefined) this.#begin();
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
    this.#work("no snapshot was made", () => this.#make());
  }

  #work(otherwise: string, act: () => Promise<void>): void {
    const before = this.#working;
    const working = (before === undefined ? act() : before.then(act))
      .catch((error: unknown) => {
        const message = `${otherwise}, and the log is not cut: ${errorText(error)}`;
        this.#options.onNews({ kind: "warning", message });
      })
      .finally(() => {
        if (this.#working === working) this.#working = undefined;
      });
    this.#working = working;
  }

  async #make(): Promise<void> {
    const { snapshots, onNews } = this.#options;
    const taken = takeSnapshot(this.#core, this.#store);
    const { sequence, parts } = taken.manifest;
    const bytes = await this.#write(taken);
    // What nothing names any more the other server deletes.
    this.#known = new Set(bytes === undefined ? [] : parts);
    if (bytes === undefined) return onNews({ kind: "overtaken", sequence });
    await snapshots.prune(snapshotsKept);
    const all = await snapshots.list();
    const oldest = all[snapshotsKept - 1];
    const cutThrough = oldest === undefined ? 0 : sequenceOf(oldest);
    onNews({ kind: "made", sequence, cutThrough, bytes });
  }

  /** @returns bytes written, undefined when another server was first, and its snapshot is newer */
  async #write(taken: TakenSnapshot): Promise<number | undefined> {
    const { snapshots } = this.#options;
    const damaged = await this.#damaged(taken);
    const there = await this.#stillThere(taken);
    const news = new Map([...taken.texts].filter(([hash]) => !there.has(hash)));
    const bytes = await snapshots.write(taken.manifest, news, damaged);
    if (bytes !== undefined && (await this.#isGood(taken))) return bytes;
    // Another one was first, or what was there before has been lost or damaged since: all of it.
    const more = await snapshots.write(taken.manifest, taken.texts, damaged);
    if (more === undefined) return undefined;
    if (!(await this.#isGood(taken))) {
      throw new LogError("what was written is not what is read", { definite: false });
    }
    return (bytes ?? 0) + more;
  }

  /**
   * The index that is written names them at once, and takes the place of a whole snapshot: one that
   * has been lost since may not be found only afterwards, when this process may be gone.
   */
  async #stillThere({ texts }: TakenSnapshot): Promise<ReadonlySet<string>> {
    const there = new Set<string>();
    for (const hash of texts.keys()) {
      if (!this.#known.has(hash)) continue;
      if ((await firstWrong(this.#options.snapshots, [hash])) === undefined) there.add(hash);
    }
    return there;
  }

  /** Z3: what a snapshot may not push out that is worse. @returns entries of such */
  async #damaged({ texts }: TakenSnapshot): Promise<ReadonlySet<number>> {
    const { snapshots, onNews } = this.#options;
    const damaged = new Set<number>();
    for (const listed of await snapshots.list()) {
      if ("isNewer" in listed) continue;
      // What this one has as well is written again with it.
      const wrong = await this.#wrongWith(listed, texts);
      if (wrong === undefined) break;
      damaged.add(sequenceOf(listed));
      const message = `the snapshot at entry ${sequenceOf(listed)} is dropped: ${wrong}`;
      onNews({ kind: "warning", message });
    }
    return damaged;
  }

  /** F1. As many as are kept have to be whole, and to stand for what goes. */
  async #check(through: number): Promise<void> {
    if (this.#isStopped) return;
    const { snapshots, onNews } = this.#options;
    const good: ListedSnapshot[] = [];
    let first: string | undefined;
    for (const listed of (await snapshots.list()).filter((one) => sequenceOf(one) >= through)) {
      if (good.length === snapshotsKept) break;
      const wrong = await this.#wrongWith(listed);
      if (wrong === undefined) good.push(listed);
      else first ??= `the snapshot at entry ${sequenceOf(listed)} cannot be read back: ${wrong}`;
    }
    if (good.length === snapshotsKept) return onNews({ kind: "whole", cutThrough: through });
    const why = first ?? `of ${snapshotsKept} snapshots ${good.length} are there`;
    onNews({ kind: "not-whole", message: `the log is not cut behind entry ${through}: ${why}` });
  }

  /** @param except parts that are not looked at */
  async #wrongWith(
    listed: ListedSnapshot,
    except: ReadonlyMap<string, unknown> = new Map(),
  ): Promise<string | undefined> {
    if (!("manifest" in listed)) return listed.wrong;
    const parts = listed.manifest.parts.filter((part) => !except.has(part));
    return firstWrong(this.#options.snapshots, parts);
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
