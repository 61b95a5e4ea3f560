// SPDX-License-Identifier: MIT
// The virtual tables: what a file says, as rows of the old system. [EMULAB-NS 13] What goes in
// comes out: rows in their order, each with exactly the columns it had. A column or table that the
// layout does not know is kept in `other` as JSON.
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { assert } from "../core/assert.ts";
import type { Tables } from "../experiment/index.ts";
import { BossError } from "./boss-error.ts";
import { virtualTableNames } from "./migrations.ts";

type Row = Readonly<Record<string, string>>;

interface Statements {
  readonly columns: readonly string[];
  readonly insert: StatementSync;
  readonly select: StatementSync;
  readonly remove: StatementSync;
}

const administrative = ["exptidx", "position", "other"];
const tableForOthers = "virt_other";
/** The old table of this name holds what ours adds to, so its row goes elsewhere. */
const experimentsTable = "experiments";
const storedName = (table: string): string =>
  table === experimentsTable ? "virt_experiments" : table;

export class VirtualRows {
  readonly #database: DatabaseSync;
  /** Made when a table is first needed: most experiments have rows in few. */
  readonly #statements = new Map<string, Statements>();
  readonly #rowsMax: number;

  constructor(database: DatabaseSync, rowsMax: number) {
    this.#database = database;
    this.#rowsMax = rowsMax;
  }

  /**
   * Replaces the rows of an experiment; the caller holds the transaction, and ends it by undoing
   * it when this throws. @throws BossError (LIMIT)
   */
  replace(exptidx: number, tables: Tables): void {
    for (const table of virtualTableNames) this.#of(table).remove.run(exptidx);
    this.add(exptidx, tables);
  }

  /**
   * Adds the rows of an experiment that has none; the caller holds the transaction.
   * @throws BossError (LIMIT) before anything is written.
   */
  add(exptidx: number, tables: Tables): void {
    this.check(tables);
    let others = 0;
    for (const [table, rows] of Object.entries(tables)) {
      const isKnown = virtualTableNames.includes(storedName(table));
      for (const [index, row] of rows.entries()) {
        if (isKnown) this.#insert(storedName(table), exptidx, index, row);
        else {
          this.#insert(tableForOthers, exptidx, others, { table_name: table, ...prefixed(row) });
          others += 1;
        }
      }
    }
  }

  /** @throws BossError (LIMIT) */
  check(tables: Tables): void {
    const count = Object.values(tables).reduce((sum, rows) => sum + rows.length, 0);
    if (count <= this.#rowsMax) return;
    const message = `the experiment has ${count} table rows, more than ${this.#rowsMax} (limit rowsMax); make it smaller`;
    throw new BossError("LIMIT", message);
  }

  /** The rows of an experiment as they were given. */
  read(exptidx: number): Tables {
    const tables: Record<string, Row[]> = {};
    for (const stored of virtualTableNames) {
      const { select, columns } = this.#of(stored);
      for (const found of select.all(exptidx)) {
        const row = rowOf(found, columns);
        const { table_name: name, ...rest } = row;
        if (stored === tableForOthers) put(tables, name ?? "", unprefixed(rest));
        else put(tables, stored === "virt_experiments" ? experimentsTable : stored, row);
      }
    }
    return tables;
  }

  #of(table: string): Statements {
    assert(virtualTableNames.includes(table), "the table is one of the layout");
    const statements = this.#statements.get(table) ?? prepareStatements(this.#database, table);
    this.#statements.set(table, statements);
    return statements;
  }

  #insert(table: string, exptidx: number, position: number, row: Row): void {
    const { columns, insert } = this.#of(table);
    const unknown = Object.entries(row).filter(([column]) => !columns.includes(column));
    const other = unknown.length === 0 ? null : JSON.stringify(Object.fromEntries(unknown));
    const values = columns.map((column): SQLInputValue => row[column] ?? null);
    insert.run(exptidx, position, ...values, other);
  }
}

function prepareStatements(database: DatabaseSync, table: string): Statements {
  const columns = database
    .prepare(`PRAGMA table_info("${table}")`)
    .all()
    .map((row) => String(row["name"]))
    .filter((column) => !administrative.includes(column));
  const names = columns.map((column) => `"${column}", `).join("");
  const marks = columns.map(() => "?, ").join("");
  return {
    columns,
    insert: database.prepare(
      `INSERT INTO "${table}" (exptidx, position, ${names} other) VALUES (?, ?, ${marks} ?)`,
    ),
    select: database.prepare(`SELECT * FROM "${table}" WHERE exptidx = ? ORDER BY position`),
    remove: database.prepare(`DELETE FROM "${table}" WHERE exptidx = ?`),
  };
}

function rowOf(found: Readonly<Record<string, unknown>>, columns: readonly string[]): Row {
  const row: Record<string, string> = {};
  for (const column of columns) {
    const value = found[column];
    if (value !== null && value !== undefined) row[column] = String(value);
  }
  const other = found["other"];
  return other === null ? row : { ...row, ...(JSON.parse(String(other)) as Row) };
}

function put(tables: Record<string, Row[]>, table: string, row: Row): void {
  tables[table] ??= [];
  tables[table].push(row);
}

/** Columns of an unknown table may have any name, also `table_name`. */
function prefixed(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [`.${name}`, value]));
}

function unprefixed(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name.slice(1), value]));
}
