// SPDX-License-Identifier: MIT
// Goal: files of the old system mean what they meant. Method: the observed rows of the reference
// parser, table by table, row by row, in order (hash-ordered tables too: the order is implemented);
// then the same files renamed and reformatted, where rows may change only as predicted.
// The corpus lies beside the repository and is not part of it.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { parseNsFile, type Tables } from "../../src/experiment/index.ts";

const corpus = path.resolve(import.meta.dirname, "../../../shared/corpus/ns");
const isPresent = existsSync(path.join(corpus, "golden.json"));

interface Golden {
  readonly file: string;
  readonly exit: 0 | 1;
  readonly prepended?: string;
  readonly tables?: Tables;
}

function load(): Golden[] {
  if (!isPresent) return [];
  const all = JSON.parse(readFileSync(path.join(corpus, "golden.json"), "utf8"));
  return Object.entries(all).flatMap(([key, value]) => (key === "_about" ? [] : [value as Golden]));
}

const golden = load();
const source = (file: string): string => readFileSync(path.join(corpus, file), "latin1");
const textOf = (entry: Golden): string => (entry.prepended ?? "") + source(entry.file);

/** The site file that inner testbeds include lies in the corpus under a longer name. */
function resolveSiteFile(name: string): string | undefined {
  const entry = golden.find(({ file }) => file.endsWith(`_${name}`));
  return entry === undefined ? undefined : source(entry.file);
}

function rowsOf(text: string): Tables | undefined {
  const options = { file: "t.ns", pid: "PID", eid: "EID", compat: true, resolve: resolveSiteFile };
  return parseNsFile(text, options).rows;
}

/** Columns whose text the recording left out. */
function withoutOmitted(tables: Tables | undefined): Tables | undefined {
  if (tables === undefined) return undefined;
  const isKept = ([table]: readonly [string, unknown]): boolean => table !== "nseconfigs";
  return Object.fromEntries(Object.entries(tables).filter(isKept));
}

const named = ["sync", "single", "batch", "basic", "cbr"];
const isNamed = ({ file }: Golden): boolean => {
  return named.some((word) => file.toLowerCase().includes(word));
};

test("the corpus is there", (context) => {
  if (!isPresent && process.env["CI"] === undefined) {
    context.skip("no corpus beside the repository: nothing to compare with");
  }
  expect(isPresent).toBe(true);
  expect(golden.filter(isNamed).length).toBeGreaterThanOrEqual(9);
});

test.runIf(isPresent)("parseNsFile() gives the rows of every named file, in order", () => {
  for (const entry of golden.filter(isNamed)) {
    const rows = rowsOf(textOf(entry));
    expect(rows === undefined ? 1 : 0, entry.file).toBe(entry.exit);
    if (entry.exit === 0) expect(rows, entry.file).toEqual(entry.tables);
  }
});

test.runIf(isPresent)("the number of equal files does not shrink", () => {
  const equal = golden.filter((entry) => {
    const rows = rowsOf(textOf(entry));
    if (entry.exit === 1 || rows === undefined) return (rows === undefined ? 1 : 0) === entry.exit;
    // Not only equal as objects: tables and columns come in the same order, too.
    const ours = JSON.stringify(withoutOmitted(rows));
    return ours === JSON.stringify(withoutOmitted(entry.tables));
  });
  expect(equal.length).toBe(golden.length);
});

test.runIf(isPresent)("comments, blank lines and spaces change nothing", () => {
  for (const entry of golden.filter(({ exit }) => exit === 0)) {
    const lines = textOf(entry).split("\n");
    // Only between commands that are complete on their line: inside braces text is data.
    let depth = 0;
    const changed = lines.map((line) => {
      const isOutside = depth === 0 && !line.endsWith("\\") && isComplete(line);
      depth += countOf(line, "{") - countOf(line, "}");
      if (!isOutside) return line;
      return `# a comment\n\n  ${line.replace(/^(set|source)\b */, "$1   ")}  `;
    });
    expect(rowsOf(changed.join("\n")), entry.file).toEqual(rowsOf(textOf(entry)));
  }
});

const countOf = (line: string, ch: string): number => line.split(ch).length - 1;
const isComplete = (line: string): boolean => {
  return countOf(line, '"') % 2 === 0 && countOf(line, "{") === countOf(line, "}");
};

/** Names of the nodes and links of a file that are plain variables of it. */
function variables(text: string, rows: Tables): string[] {
  const names = ["virt_nodes", "virt_lan_lans"].flatMap((table) =>
    (rows[table] ?? []).map((row) => row["vname"] ?? ""),
  );
  return names.filter((name) => new RegExp(`^set ${name} \\[`, "m").test(text));
}

test.runIf(isPresent)("renamed nodes and links are the same experiment", () => {
  let renamed = 0;
  for (const entry of golden.filter(({ exit }) => exit === 0)) {
    const text = textOf(entry);
    const before = rowsOf(text) ?? {};
    const names = variables(text, before);
    if (names.length === 0) continue;
    // The first letter is common to all, so that the order of the names stays.
    const changed = names.reduce((out, name) => out.replaceAll(usePattern(name), `Q${name}`), text);
    const after = rowsOf(changed) ?? {};
    const rename = (name: string): string => {
      const [, stem = "", rest = ""] = /^(.*?)(_startcmd)?$/.exec(name) ?? [];
      return names.includes(stem) ? `Q${stem}${rest}` : name;
    };
    expect(
      summary(after, (name) => name),
      entry.file,
    ).toEqual(summary(before, rename));
    renamed += 1;
  }
  expect(renamed).toBeGreaterThan(30);
});

/** Where a file uses a variable, or a node by its bare name. */
const usePattern = (name: string): RegExp =>
  new RegExp(`(?<=\\$|^set |^tb-set-ip )${name}(?![-\\w])`, "gm");

/** What does not depend on hash order: nodes, members with shaping, programs, events. */
function summary(tables: Tables, rename: (name: string) => string): unknown {
  const rows = (table: string, change: (row: Row) => Row): string[] =>
    (tables[table] ?? []).map((row) => JSON.stringify(change(row))).sort();
  const named = (row: Row): Row => ({
    ...row,
    vname: rename(row["vname"] ?? ""),
    ...("vnode" in row ? { vnode: rename(row["vnode"] ?? "") } : {}),
  });
  const members = ({ ip: _, member = "", ...row }: Row): Row => {
    const [node = "", port = ""] = member.split(":");
    return { ...named(row), member: `${rename(node)}:${port}` };
  };
  return {
    nodes: rows("virt_nodes", ({ ips: _, fixed = "", ...row }) => {
      return { ...named(row), fixed: rename(fixed) };
    }),
    members: rows("virt_lans", members),
    programs: rows("virt_programs", named),
    events: rows("eventlist", named),
    server: rename(tables["experiments"]?.[0]?.["sync_server"] ?? ""),
  };
}

type Row = Readonly<Record<string, string>>;
