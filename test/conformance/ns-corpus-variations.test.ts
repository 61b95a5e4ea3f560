// SPDX-License-Identifier: MIT
// Goal: rules give the rows, not files. Method: each accepted file of the corpus is reformatted,
// renamed, permuted and unrolled; the rows of the changed file are compared with what the rows of
// the file itself predict. Links are renamed to names of the same hash, so that even the order of
// hash tables, and with it every address, is predicted.

import { expect, test } from "vitest";
import type { Tables } from "../../src/experiment/index.ts";
import { golden, isPresent, readCompat, textOf } from "./ns-corpus.ts";

const accepted = golden.filter(({ exit }) => exit === 0);
const rowsOf = (text: string): Tables => readCompat(text).rows ?? {};

type Row = Readonly<Record<string, string>>;

const countOf = (line: string, ch: string): number => line.split(ch).length - 1;
const isComplete = (line: string): boolean => {
  return countOf(line, '"') % 2 === 0 && countOf(line, "{") === countOf(line, "}");
};

test.runIf(isPresent)("comments, blank lines and spaces change nothing", () => {
  for (const entry of accepted) {
    // Only between commands that are complete on their line: inside braces text is data.
    let depth = 0;
    const changed = textOf(entry)
      .split("\n")
      .map((line) => {
        const isOutside = depth === 0 && !line.endsWith("\\") && isComplete(line);
        depth += countOf(line, "{") - countOf(line, "}");
        if (!isOutside) return line;
        return `# a comment\n\n  ${line.replace(/^(set|source)\b */, "$1   ")}  `;
      });
    expect(rowsOf(changed.join("\n")), entry.file).toEqual(rowsOf(textOf(entry)));
  }
});

/** Names of a table's rows that are plain variables of the file. */
function variables(text: string, rows: Tables, table: string): string[] {
  const names = (rows[table] ?? []).map((row) => row["vname"] ?? "");
  return names.filter((name) => new RegExp(`^set ${name} \\[`, "m").test(text));
}

/** [EMULAB-NS 11.4] */
function hashOf(text: string): number {
  let hash = 0;
  for (const ch of text) hash = (Math.imul(hash, 9) + ch.charCodeAt(0)) >>> 0;
  return hash;
}

/** Another name in the same bucket of any table of up to 4096. */
function sameHash(name: string, taken: ReadonlySet<string>): string {
  const wanted = hashOf(name) % 4096;
  for (let n = 0; ; n += 1) {
    const digits = [...n.toString(26).padStart(4, "0")].map((digit) => Number.parseInt(digit, 26));
    const other = `W${String.fromCharCode(...digits.map((digit) => 97 + digit))}`;
    if (hashOf(other) % 4096 === wanted && !taken.has(other)) return other;
  }
}

const usePattern = (name: string): RegExp =>
  new RegExp(`(?<=\\$|^set |^tb-set-ip )${name}(?![-\\w])`, "gm");

/** Every cell that is a name, or holds one, after renaming. */
function renameRow(
  row: Row,
  nodes: ReadonlyMap<string, string>,
  links: ReadonlyMap<string, string>,
) {
  const both = new Map([...nodes, ...links]);
  const word = (text: string): string => {
    const exact = both.get(text);
    if (exact !== undefined) return exact;
    const derived = /^(.*)(_startcmd|-console|-tracemon)$/.exec(text);
    const stem = derived === null ? undefined : both.get(derived[1] ?? "");
    return stem === undefined ? text : `${stem}${derived?.[2]}`;
  };
  const names = ["vname", "vnode", "target_vnode", "agent_name", "fixed", "sync_server", "parent"];
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      if (column === "member") {
        const [node = "", port = ""] = value.split(":");
        return [column, `${word(node)}:${port}`];
      }
      return [column, names.includes(column) ? word(value) : value];
    }),
  );
}

/** Tables in the order of a hash of names that changed: compared as sets. */
const byHash = new Set(["virt_programs", "event_groups", "virt_agents"]);

function comparable(tables: Tables): unknown {
  return Object.fromEntries(
    Object.entries(tables).map(([table, rows]) => [
      table,
      byHash.has(table) ? rows.map((row) => JSON.stringify(row)).sort() : rows,
    ]),
  );
}

test.runIf(isPresent)("renamed nodes and links are the same experiment, addresses and all", () => {
  let renamed = 0;
  for (const entry of accepted) {
    const text = textOf(entry);
    const before = rowsOf(text);
    // The first letter is common to all nodes, so that their order stays.
    const nodeNames = variables(text, before, "virt_nodes");
    if (nodeNames.length !== (before["virt_nodes"] ?? []).length) continue;
    const nodes = new Map(nodeNames.map((name) => [name, `Q${name}`]));
    const taken = new Set<string>();
    const links = new Map(
      variables(text, before, "virt_lan_lans").map((name) => {
        const other = sameHash(name, taken);
        taken.add(other);
        return [name, other];
      }),
    );
    const changed = [...nodes, ...links].reduce(
      (out, [name, other]) => out.replaceAll(usePattern(name), other),
      text,
    );
    const predicted = Object.fromEntries(
      Object.entries(before).map(([table, rows]) => [
        table,
        rows.map((row) => renameRow(row, nodes, links)),
      ]),
    );
    expect(comparable(rowsOf(changed)), entry.file).toEqual(comparable(predicted));
    renamed += 1;
  }
  expect(renamed).toBeGreaterThan(25);
});

/** Reverses each run of neighbouring lines that match. */
function reverseRuns(text: string, pattern: RegExp): string {
  const out: string[] = [];
  let run: string[] = [];
  for (const line of text.split("\n")) {
    if (pattern.test(line)) run.unshift(line);
    else {
      out.push(...run, line);
      run = [];
    }
  }
  return [...out, ...run].join("\n");
}

test.runIf(isPresent)("nodes made in another order give the same rows", () => {
  let permuted = 0;
  for (const entry of accepted) {
    const text = textOf(entry);
    const changed = reverseRuns(text, /^set [-\w]+ \[\$ns node\]\s*$/);
    if (changed === text) continue;
    expect(comparable(rowsOf(changed)), entry.file).toEqual(comparable(rowsOf(text)));
    permuted += 1;
  }
  expect(permuted).toBeGreaterThan(25);
});

/** Members of links without what depends on the order of the links. */
function members(tables: Tables): string[] {
  return (tables["virt_lans"] ?? [])
    .map(({ member = "", vport: _, ip: __, ...row }) => {
      return JSON.stringify({ ...row, member: member.replace(/:\d+$/, "") });
    })
    .sort();
}

const subnets = (tables: Tables): string[] =>
  [...new Set((tables["virt_lans"] ?? []).map(({ ip = "" }) => ip.replace(/\.\d+$/, "")))].sort();

/** The host parts of each link: they are counted in the order of its members. */
const hosts = (tables: Tables): string[] =>
  (tables["virt_lans"] ?? [])
    .map(({ vname, vindex, ip = "" }) => `${vname} ${vindex} ${ip.replace(/^.*\./, "")}`)
    .sort();

test.runIf(isPresent)("links made in another order have other ports and addresses only", () => {
  let permuted = 0;
  const link = /^set [-\w]+ \[\$ns (?:duplex-link|make-lan) [^[\]]*\]\s*$/;
  for (const entry of accepted) {
    const text = textOf(entry);
    const changed = reverseRuns(text, link);
    if (changed === text) continue;
    const [before, after] = [rowsOf(text), rowsOf(changed)];
    expect(members(after), entry.file).toEqual(members(before));
    for (const table of ["virt_programs", "eventlist", "experiments", "virt_user_environment"]) {
      expect(after[table], `${entry.file} ${table}`).toEqual(before[table]);
    }
    const isAutomatic = !/tb-set-(?:ip|netmask)/.test(text);
    if (isAutomatic) expect(subnets(after), entry.file).toEqual(subnets(before));
    if (isAutomatic) expect(hosts(after), entry.file).toEqual(hosts(before));
    permuted += 1;
  }
  expect(permuted).toBeGreaterThan(10);
});

test.runIf(isPresent)("nodes made by a loop or a procedure give the same rows", () => {
  let rolled = 0;
  for (const entry of accepted) {
    const text = textOf(entry);
    const line = /^set ([-\w]+) \[\$ns node\]\s*$/gm;
    const byProcedure = text.replace(line, "set $1 [makeNode]");
    if (byProcedure === text) continue;
    const byLoop = text.replace(line, "foreach makeName {$1} {set $makeName [$ns node]}");
    const procedure = "proc makeNode {} {\n  global ns\n  return [$ns node]\n}\n";
    expect(rowsOf(procedure + byProcedure), entry.file).toEqual(rowsOf(text));
    expect(rowsOf(byLoop), entry.file).toEqual(rowsOf(text));
    rolled += 1;
  }
  expect(rolled).toBeGreaterThan(30);
});

/** Offset after the brace that closes the one at `open`. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "{") depth += 1;
    else if (text[i] === "}") {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return -1;
}

const forLoop =
  /for\s+\{\s*set (\w+) (\d+)\s*\}\s+\{\s*\$\1\s*(<=?)\s*(\d+|\$\w+)\s*\}\s+\{\s*incr \1\s*\}\s+(?=\{)/g;
const foreachLoop = /foreach (\w+) \{([-\w\s]+)\} (?=\{)/g;

/** Writes the first loop with known bounds out, round by round; undefined when there is none. */
function unrollOne(text: string): string | undefined {
  for (const match of [...text.matchAll(forLoop), ...text.matchAll(foreachLoop)]) {
    const open = match.index + match[0].length;
    const end = closing(text, open);
    if (end < 0) continue;
    const body = text.slice(open + 1, end - 1);
    if (/\b(?:break|continue)\b/.test(body)) continue;
    const values = loopValues(text, match);
    if (values === undefined || values.length > 200) continue;
    const rounds = values.map((value, at) => {
      const isAfterLast = at === values.length - 1 && match[0].startsWith("for ");
      return `set ${match[1]} ${value}\n${isAfterLast ? "" : `${body}\n`}`;
    });
    return text.slice(0, match.index) + rounds.join("") + text.slice(end);
  }
  return undefined;
}

/** A `for` leaves its variable one further than the last round. */
function loopValues(text: string, match: RegExpMatchArray): string[] | undefined {
  if (match[0].startsWith("foreach")) return (match[2] ?? "").trim().split(/\s+/);
  const [, , from = "", sign = "", to = ""] = match;
  const known = to.startsWith("$")
    ? new RegExp(`^\\s*set ${to.slice(1)}\\s+(\\d+)\\s*$`, "m").exec(text)?.[1]
    : to;
  if (known === undefined) return undefined;
  const last = Number(known) + (sign === "<=" ? 1 : 0);
  const first = Number(from);
  return Array.from({ length: Math.max(0, last - first) + 1 }, (_, at) => `${first + at}`);
}

test.runIf(isPresent)("loops written out give the same rows", () => {
  let unrolled = 0;
  for (const entry of golden.filter(({ tables }) => tables !== undefined)) {
    const text = textOf(entry);
    let changed = text;
    for (let rounds = 0; rounds < 40 && changed.length < 400_000; rounds += 1) {
      const next = unrollOne(changed);
      if (next === undefined) break;
      changed = next;
    }
    if (changed === text) continue;
    expect(rowsOf(changed), entry.file).toEqual(rowsOf(text));
    unrolled += 1;
  }
  expect(unrolled).toBeGreaterThan(2);
});
