// SPDX-License-Identifier: MIT
// Snapshots of a log in a file, in an SQLite file beside it: they are written by another thread
// than the log, and writers of one file wait for each other.
import { renameSync, rmSync } from "node:fs";
import { errorText } from "../core/text.ts";
import type { HeldFile } from "./held-file.ts";
import { LogError } from "./log.ts";
import {
  formatManifest,
  type ListedSnapshot,
  type Manifest,
  packText,
  parseManifest,
  type SnapshotStore,
  unpackText,
} from "./snapshots.ts";
import { blobOf, inTransaction, openSqliteFile, type SqliteFileOptions } from "./sqlite-file.ts";

const layoutVersion = 1;

export class SqliteSnapshots implements SnapshotStore {
  readonly #file: HeldFile;
  #closed = false;

  private constructor(file: HeldFile) {
    this.#file = file;
  }

  /**
   * Opens or makes the file. One that is damaged is put aside: the log may not need it.
   * @throws LogError (definite), with what to do.
   */
  static open(file: string, onDamaged: (message: string) => void): SqliteSnapshots {
    const aside = `${file}.damaged`;
    const advice = `it is put aside as ${aside}, and what it stood for is read from the log, where that was not cut`;
    try {
      return SqliteSnapshots.#open({ ...sqliteSnapshotsLayout(file), advice });
    } catch (error) {
      if (!(error instanceof LogError && /is damaged/.test(error.message))) throw error;
      renameSync(file, aside);
      for (const end of ["-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
      onDamaged(error.message);
      return SqliteSnapshots.#open(sqliteSnapshotsLayout(file));
    }
  }

  /** One file of a backup, to read it. @throws LogError (definite) */
  static openCopy(layout: SqliteFileOptions): SqliteSnapshots {
    return new SqliteSnapshots(openSqliteFile({ ...layout, isCopy: true }));
  }

  static #open(layout: SqliteFileOptions): SqliteSnapshots {
    return new SqliteSnapshots(openSqliteFile({ ...layout, mayBeRead: "beside" }));
  }

  async list(): Promise<readonly ListedSnapshot[]> {
    return this.#try("to list snapshots", () =>
      this.#file.database
        .prepare("SELECT sequence, manifest FROM snapshots ORDER BY sequence DESC")
        .all()
        .map((row) => parseManifest(String(row["manifest"]), Number(row["sequence"]))),
    );
  }

  async read(part: string): Promise<string> {
    const row = this.#try("to read a snapshot", () =>
      this.#file.database.prepare("SELECT packed FROM parts WHERE hash = ?").get(part),
    );
    return unpackText(blobOf(row, "packed"), part);
  }

  async write(
    manifest: Manifest,
    parts: ReadonlyMap<string, string>,
    damaged: ReadonlySet<number> = new Set(),
  ): Promise<number> {
    let bytes = 0;
    this.#file.checkThere();
    inTransaction(this.#file.database, "a snapshot", () => {
      const insert = this.#file.database.prepare(
        "INSERT OR REPLACE INTO parts (hash, packed) VALUES (?, ?)",
      );
      for (const [hash, text] of parts) {
        const packed = packText(text);
        bytes += packed.length;
        insert.run(hash, packed);
      }
      const remove = this.#file.database.prepare("DELETE FROM snapshots WHERE sequence = ?");
      for (const sequence of damaged) remove.run(sequence);
      const text = formatManifest(manifest);
      bytes += text.length;
      this.#file.database
        .prepare("INSERT OR REPLACE INTO snapshots (sequence, manifest) VALUES (?, ?)")
        .run(manifest.sequence, text);
    });
    return bytes;
  }

  async prune(keep: number): Promise<void> {
    const kept = (await this.list()).slice(0, keep);
    const named = new Set(kept.flatMap((one) => ("manifest" in one ? one.manifest.parts : [])));
    inTransaction(this.#file.database, "to delete snapshots", () => {
      this.#file.database
        .prepare(
          "DELETE FROM snapshots WHERE sequence NOT IN (SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT ?)",
        )
        .run(keep);
      const remove = this.#file.database.prepare("DELETE FROM parts WHERE hash = ?");
      for (const { hash } of this.#file.database.prepare("SELECT hash FROM parts").all()) {
        if (!named.has(String(hash))) remove.run(String(hash));
      }
    });
  }

  close(): Promise<void> {
    if (!this.#closed) this.#file.close();
    this.#closed = true;
    return Promise.resolve();
  }

  #try<T>(what: string, act: () => T): T {
    this.#file.checkThere();
    try {
      return act();
    } catch (error) {
      const text = errorText(error);
      throw new LogError(`SQLite refused ${what}: ${text}`, { definite: true, cause: error });
    }
  }
}

/** What a file of snapshots is. */
export function sqliteSnapshotsLayout(file: string): SqliteFileOptions {
  return {
    ...{ file, what: "a Muster file of snapshots", layoutVersion },
    schema: `
      CREATE TABLE snapshots (sequence INTEGER PRIMARY KEY, manifest TEXT NOT NULL) STRICT;
      CREATE TABLE parts (hash TEXT PRIMARY KEY, packed BLOB NOT NULL) STRICT, WITHOUT ROWID;`,
  };
}
