// SPDX-License-Identifier: MIT
// The messages of topics in an SQLite file beside that of the log, as durable as it. The messages
// of one turn of the event loop are one transaction. Rows are added and never changed; the end of a
// scope deletes them by ranges.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PayloadRef } from "../core/command.ts";
import { LogError } from "./log.ts";
import { checkMessage, hashOf, type Payloads, type Place } from "./payloads.ts";
import {
  blobOf,
  type HeldFile,
  inTransaction,
  openSqliteFile,
  type SqliteFileOptions,
} from "./sqlite-file.ts";

const layoutVersion = 1;

interface PendingWrite {
  readonly message: Uint8Array;
  readonly resolve: (ref: PayloadRef) => void;
  readonly reject: (error: LogError) => void;
}

export class SqlitePayloads implements Payloads {
  readonly #database: DatabaseSync;
  readonly #file: HeldFile;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #delete: StatementSync;
  #lastId: number;
  #pending: PendingWrite[] = [];
  #closed = false;

  private constructor(file: HeldFile) {
    const { database } = file;
    this.#file = file;
    this.#database = database;
    this.#insert = database.prepare("INSERT INTO messages (message) VALUES (?)");
    this.#select = database.prepare("SELECT message FROM messages WHERE id = ?");
    this.#delete = database.prepare("DELETE FROM messages WHERE id BETWEEN ? AND ?");
    const row = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").get();
    this.#lastId = Number(row?.["seq"] ?? 0);
  }

  /** Opens or makes the file. @throws LogError (definite), with what to do. */
  static open(
    file: string,
    { mayBeRead = false }: { readonly mayBeRead?: boolean } = {},
  ): SqlitePayloads {
    const how = { mayBeRead: mayBeRead ? "beside" : undefined } as const;
    const held = openSqliteFile({ ...sqlitePayloadsLayout(file), ...how });
    return new SqlitePayloads(held);
  }

  get lastId(): number {
    return this.#lastId;
  }

  write(message: Uint8Array): Promise<PayloadRef> {
    if (this.#closed) {
      return Promise.reject(new LogError("the topics are closed", { definite: true }));
    }
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0) queueMicrotask(() => this.#commit());
      this.#pending.push({ message, resolve, reject });
    });
  }

  async read(places: readonly Place[], bytesMax: number): Promise<readonly Uint8Array[]> {
    const messages: Uint8Array[] = [];
    let bytes = 0;
    for (const place of places) {
      const message = blobOf(this.#select.get(place.id), "message");
      bytes += message?.length ?? 0;
      if (messages.length > 0 && bytes > bytesMax) break;
      messages.push(checkMessage(message, place));
    }
    return messages;
  }

  free(ids: readonly number[]): void {
    if (ids.length === 0 || this.#closed) return;
    const sorted = [...ids].sort((left, right) => left - right);
    inTransaction(this.#database, "to delete messages", () => {
      let [first = 0] = sorted;
      let last = first;
      for (const id of sorted) {
        if (id > last + 1) {
          this.#delete.run(first, last);
          first = id;
        }
        last = id;
      }
      this.#delete.run(first, last);
    });
  }

  keepOnly(ids: Iterable<number>): void {
    const kept = [...ids].sort((left, right) => left - right);
    inTransaction(this.#database, "to delete messages", () => {
      let before = 0;
      for (const id of kept) {
        if (id > before + 1) this.#delete.run(before + 1, id - 1);
        before = id;
      }
      this.#delete.run(before + 1, Number.MAX_SAFE_INTEGER);
    });
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#commit();
    this.#closed = true;
    this.#file.close();
    return Promise.resolve();
  }

  /** All that is pending as one transaction. */
  #commit(): void {
    const writes = this.#pending;
    this.#pending = [];
    if (writes.length === 0 || this.#closed) return;
    const refs: PayloadRef[] = [];
    try {
      this.#file.checkThere();
      inTransaction(this.#database, "the message", () => {
        for (const { message } of writes) {
          const id = Number(this.#insert.run(message).lastInsertRowid);
          refs.push({ id, bytes: message.length, hash: hashOf(message) });
        }
      });
    } catch (error) {
      for (const { reject } of writes) reject(error as LogError);
      return;
    }
    for (const [index, { resolve, reject }] of writes.entries()) {
      const ref = refs[index];
      if (ref === undefined) {
        reject(new LogError("a message without a place", { definite: false }));
        continue;
      }
      this.#lastId = ref.id;
      resolve(ref);
    }
  }
}

/** What a file of topics is. */
export function sqlitePayloadsLayout(file: string): SqliteFileOptions {
  return {
    ...{ file, what: "a Muster file of topics", layoutVersion },
    // AUTOINCREMENT: an id that is free is not given again (Y2).
    schema:
      "CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, message BLOB NOT NULL) STRICT",
  };
}
