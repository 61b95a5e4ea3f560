// SPDX-License-Identifier: MIT
// What the old system checked when rows were loaded into its database. [EMULAB-NS 14] Pure. Muster
// runs such experiments all the same; who asks gets a warning for each row the old one would
// refuse.
import type { Tables } from "../experiment/index.ts";

/** Project names become directories, so they have the shape of the old experiment names. */
const pidPattern = /^[a-zA-Z0-9][-a-zA-Z0-9]{1,47}$/;
const eidPattern = /^[a-zA-Z0-9][-a-zA-Z0-9]{1,18}$/;

/** @returns why the names cannot be those of an experiment, or undefined. */
export function checkNames(pid: string, eid: string): string | undefined {
  const shape = "letters, digits and dashes, a letter or digit first";
  if (!pidPattern.test(pid)) {
    return `the project name ${JSON.stringify(pid)} must be 2 to 48 ${shape}; give one with --pid`;
  }
  if (!eidPattern.test(eid)) {
    return `the experiment name ${JSON.stringify(eid)} must be 2 to 19 ${shape}; give one with --eid`;
  }
  return undefined;
}

interface Check {
  readonly table: string;
  readonly column: string;
  readonly charactersMin?: number;
  readonly charactersMax: number;
  readonly pattern?: RegExp;
}

/** What a node, a link, a project and an experiment can be called. */
export const plainName: RegExp = /^[-\w]+$/;
const agentName = /^[-\w()]+$/;

const checks: readonly Check[] = [
  { table: "virt_nodes", column: "vname", charactersMax: 32, pattern: plainName },
  { table: "virt_nodes", column: "ips", charactersMax: 2048 },
  { table: "virt_nodes", column: "osname", charactersMin: 2, charactersMax: 128 },
  { table: "virt_nodes", column: "rpms", charactersMax: 4096 },
  { table: "virt_nodes", column: "tarfiles", charactersMax: 1024 },
  // The check of the old system passes 256; its column holds 255 and cuts the last one.
  { table: "virt_nodes", column: "startupcmd", charactersMax: 255 },
  { table: "virt_lans", column: "vname", charactersMax: 32, pattern: plainName },
  { table: "virt_programs", column: "vname", charactersMax: 32, pattern: agentName },
  { table: "virt_programs", column: "command", charactersMax: 255 },
  { table: "virt_trafgens", column: "vname", charactersMax: 32, pattern: agentName },
  { table: "eventlist", column: "vname", charactersMax: 64, pattern: agentName },
  { table: "eventlist", column: "parent", charactersMax: 64, pattern: agentName },
  { table: "eventlist", column: "arguments", charactersMax: 1024 },
  {
    table: "virt_user_environment",
    column: "name",
    charactersMax: 255,
    pattern: /^[a-zA-Z][-\w]+$/,
  },
  { table: "virt_user_environment", column: "value", charactersMax: 512 },
];

const ranges = [
  { table: "virt_lans", column: "vport", max: 99 },
  { table: "virt_lans", column: "vindex", max: 4098 },
  { table: "virt_programs", column: "expected_exit_code", max: 255 },
] as const;

/** One sentence for each value that the old database would not take. */
export function checkRows(tables: Tables): readonly string[] {
  const found: string[] = [];
  for (const check of checks) {
    for (const row of tables[check.table] ?? []) {
      const value = row[check.column] ?? "";
      if (value === "") continue;
      const complaint = judge(value, check);
      if (complaint !== undefined) found.push(`${place(check)} ${quoted(value)} ${complaint}`);
    }
  }
  for (const { table, column, max } of ranges) {
    for (const row of tables[table] ?? []) {
      const value = row[column] ?? "";
      if (Number(value) > max) found.push(`${place({ table, column })} ${value} is above ${max}`);
    }
  }
  return found.map((text) => `the old system would refuse this: ${text}`);
}

function judge(value: string, check: Check): string | undefined {
  const { charactersMin = 0, charactersMax, pattern } = check;
  const characters = [...value].length;
  if (characters > charactersMax) {
    return `has ${characters} characters, more than ${charactersMax}`;
  }
  if (characters < charactersMin) return `has fewer than ${charactersMin} characters`;
  if (pattern !== undefined && !pattern.test(value)) return `does not match ${pattern.source}`;
  return undefined;
}

function place({ table, column }: { readonly table: string; readonly column: string }): string {
  return `${column} of ${table}`;
}

function quoted(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
}
