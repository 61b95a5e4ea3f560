// SPDX-License-Identifier: MIT
// Goal: the pages of limits have each limit of the sources they name, with its value, and none that
// is gone. Method: a table belongs to the sources that the text between it and the table before it
// links to; these are loaded, and each row is compared with what they export.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const reference = join(import.meta.dirname, "../../../docs/reference");
const src = join(import.meta.dirname, "../../../src");

/** Files of that name without a table, each with the reason. */
const without: Readonly<Record<string, string>> = {
  "core/told-limits.ts": "it says which limits of the core a log keeps",
  "cli/commands/serve-limits.ts": "it says which limits the server takes",
  "edges/tmcd/bounds.ts": "tmcd.md has them in words",
  "testing/cluster/unequal-limits.ts": "it draws limits for the simulator",
};

type Row = readonly [name: string, value: string];

interface Table {
  readonly sources: readonly string[];
  readonly rows: readonly Row[];
}

/** The tables of a page behind each text that links to sources. */
function readTables(page: string): readonly Table[] {
  const text = readFileSync(join(reference, page), "utf8");
  const parts = text.matchAll(/([\s\S]*?)((?:^\|.*\n)+)/gm);
  return [...parts].flatMap(([, before = "", table = ""]) => {
    const links = [...before.matchAll(/\]\((\.\.\/\.\.\/src\/[^)\s]+\.ts)\)/g)];
    const rows = table.split("\n").flatMap(readRow);
    const found = links.map(([, file = ""]) => file);
    return found.length === 0 || rows.length === 0 ? [] : [{ sources: found, rows }];
  });
}

/** Names and values of a row of a table: one or several of each, with commas between. */
function readRow(line: string): readonly Row[] {
  const [, names = "", values = ""] = line.split("|");
  const found = [...names.matchAll(/`(\w+)`(?=,|\s*$)/g)].map(([, name = ""]) => name);
  const parts = found.length === 1 ? [values] : values.split(/, /);
  return found.map((name, at) => [name, (parts[at] ?? "").trim()]);
}

const units: Readonly<Record<string, number>> = {
  ...{ "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, "kb/s": 1e3, "Mb/s": 1e6, "Gb/s": 1e9 },
};
const seconds: Readonly<Record<string, number>> = {
  ...{ ms: 0.001, s: 1, min: 60, h: 3_600, day: 86_400, years: 365 * 86_400 },
};

/** What a cell says, in the unit that the name ends with. */
function readValue(name: string, text: string): number | string {
  const [, figure = "", unit = ""] = /^([\d,.]+) ?(.*)$/.exec(text) ?? [];
  if (figure.split(".").length > 2) return figure;
  const [, ending] = /(Us|Ms|Seconds)(?:Max|Min)?$/.exec(name) ?? [];
  const perSecond = { Us: 1e6, Ms: 1e3, Seconds: 1 }[ending ?? ""] ?? Number.NaN;
  const factor = units[unit] ?? (seconds[unit] ?? Number.NaN) * perSecond;
  return Number(figure.replaceAll(",", "")) * factor;
}

interface Source {
  readonly values: ReadonlyMap<string, number | string>;
  /** Those of them that users are to know: all of a record of limits, and every bound. */
  readonly limits: readonly string[];
}

/** Numbers and versions that a source exports, those within its records too. */
async function readSource(file: string): Promise<Source> {
  const exported = (await import(join(reference, file))) as Record<string, unknown>;
  const values = new Map<string, number | string>();
  const limits = new Set<string>();
  for (const [name, value] of Object.entries(exported)) {
    const record = typeof value === "object" && value !== null ? Object.entries(value) : [];
    for (const [key, figure] of [[name, value] as const, ...record]) {
      if (typeof figure !== "number" && typeof figure !== "string") continue;
      if (!values.has(key)) values.set(key, figure);
      if (/M(?:ax|in)$/.test(key) || /(?:Limits|Bounds)$/.test(name)) limits.add(key);
    }
  }
  return { values, limits: [...limits] };
}

const tables = ["limits.md", "xmlrpc.md", "serve.md"].flatMap(readTables);
const sources = [...new Set(tables.flatMap((table) => table.sources))];

describe("the pages of limits", () => {
  it.each(tables)("have $sources as it is ($rows.0.0)", async (table) => {
    const known = new Map<string, number | string>();
    for (const source of table.sources) {
      for (const [name, value] of (await readSource(source)).values) known.set(name, value);
    }
    const wrong = table.rows.filter(([name, text]) => readValue(name, text) !== known.get(name));
    expect(wrong.map(([name, text]) => `${name}: ${text}, and not ${known.get(name)}`)).toEqual([]);
  });

  it.each(sources)("have all of %s", async (source) => {
    const rows = tables.flatMap((table) => (table.sources.includes(source) ? table.rows : []));
    // The depth of elements is computed of depthMax.
    const named = new Set(["elementDepthMax", ...rows.map(([name]) => name)]);
    const { limits } = await readSource(source);
    expect(limits.filter((name) => !named.has(name))).toEqual([]);
  });

  it("have every file of limits", () => {
    const files = readdirSync(src, { recursive: true, encoding: "utf8" });
    const missing = files
      .filter((file) => /(?:limits|bounds)\.ts$/.test(file) && !(file in without))
      .filter((file) => !sources.includes(`../../src/${file}`));
    expect(missing).toEqual([]);
  });
});
