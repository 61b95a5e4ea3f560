// SPDX-License-Identifier: MIT
// The rows that the old system's parser would write, by table.

export type Row = Readonly<Record<string, string>>;

/** Rows by table name, both in the order of their first row. */
export type Tables = Readonly<Record<string, readonly Row[]>>;
