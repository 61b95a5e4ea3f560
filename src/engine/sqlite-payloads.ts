// SPDX-License-Identifier: MIT
// The messages of topics in an SQLite file beside that of the log, as durable as it. The messages
// of one turn of the event loop are one transaction. Rows are added and never changed; the end of a
// scope deletes them by ranges.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PayloadRef } from "../core/command.ts";
import { findLost, type HeldFile } from "./held-file.ts";
import { LogError } from "./log.ts";
import { checkMessage, hashOf, type Payloads, type Place } from "./payloads.ts";
import { blobOf, inTransaction, openSqliteFile, type SqliteFileOptions } from "./sqlite-file.ts";

const layoutVersion = 1;

interface PendingWrite {
  readonly message: Uint8Array;
  readonly resolve: (ref: PayloadRef) => void;
  readonly reject: (error: LogError) => void;
}

export class SqlitePayloads implements Payloads {
  readonly #file: HeldFile;
  #statements: Statements;
  #lastId: number;
  #pending: PendingWrite[] = [];
  #closed = false;

  private constructor(file: HeldFile) {
    this.#file = file;
    this.#statements = prepare(file);
    this.#lastId = lastIdOf(file);
  }

  /** Opens or makes the file. @throws LogError (definite), with what to do. */
  static open(
    file: string,
    { mayBeRead = false, onMended }: SqlitePayloadsOptions = {},
  ): SqlitePayloads {
    const how = { mayBeRead: mayBeRead ? "beside" : undefined, onMended } as const;
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
    const { select } = this.#current();
    const messages: Uint8Array[] = [];
    let bytes = 0;
    for (const place of places) {
      const message = blobOf(select.get(place.id), "message");
      bytes += message?.length ?? 0;
      if (messages.length > 0 && bytes > bytesMax) break;
      messages.push(checkMessage(message, place));
    }
    return messages;
  }

  free(ids: readonly number[]): void {
    if (ids.length === 0 || this.#closed) return;
    const sorted = [...ids].sort((left, right) => left - right);
    const { database, remove } = this.#current();
    inTransaction(database, "to delete messages", () => {
      let [first = 0] = sorted;
      let last = first;
      for (const id of sorted) {
        if (id > last + 1) {
          remove.run(first, last);
          first = id;
        }
        last = id;
      }
      remove.run(first, last);
    });
  }

  keepOnly(ids: Iterable<number>): void {
    const kept = [...ids].sort((left, right) => left - right);
    const { database, remove } = this.#current();
    inTransaction(database, "to delete messages", () => {
      let before = 0;
      for (const id of kept) {
        if (id > before + 1) remove.run(before + 1, id - 1);
        before = id;
      }
      remove.run(before + 1, Number.MAX_SAFE_INTEGER);
    });
  }

  examine(): string | undefined {
    return this.#closed ? undefined : findLost(this.#file);
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
      const { database, insert } = this.#current();
      inTransaction(database, "the message", () => {
        for (const { message } of writes) {
          const id = Number(insert.run(message).lastInsertRowid);
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

  /**
   * Of the connection that there is now.
   * @throws LogError (definite) when the file was opened anew, and lacks what was written
   */
  #current(): Statements {
    if (this.#statements.database === this.#file.database) return this.#statements;
    const lastId = lastIdOf(this.#file);
    if (lastId < this.#lastId) {
      const found = `the file of topics has messages up to ${lastId} only, and had them up to ${this.#lastId}`;
      const help = "stop this server, and start it on the files that are right";
      throw new LogError(`${found}; ${help}`, { definite: true });
    }
    this.#statements = prepare(this.#file);
    return this.#statements;
  }
}

export interface SqlitePayloadsOptions {
  readonly mayBeRead?: boolean;
  /** Is told of names beside the file that were lost, and mended. */
  readonly onMended?: ((message: string) => void) | undefined;
}

interface Statements {
  /** Whose they are. */
  readonly database: DatabaseSync;
  readonly insert: StatementSync;
  readonly select: StatementSync;
  readonly remove: StatementSync;
}

function prepare({ database }: HeldFile): Statements {
  return {
    database,
    insert: database.prepare("INSERT INTO messages (message) VALUES (?)"),
    select: database.prepare("SELECT message FROM messages WHERE id = ?"),
    remove: database.prepare("DELETE FROM messages WHERE id BETWEEN ? AND ?"),
  };
}

function lastIdOf({ database }: HeldFile): number {
  const row = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").get();
  return Number(row?.["seq"] ?? 0);
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
