// SPDX-License-Identifier: MIT
// No source knows the files that the parser is compared on: neither their names, nor what the
// reference made of them. Where the corpus is not at hand, the names of its folders are left.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isShipped, matches, type Rule } from "./tree.ts";

const folders = ["testswap", "tbsetup", "nsgen", "image[-_]test", "hook[-_]examples"];
/** JUnit has an element of that name. */
const suiteFolder = "testsuite[/_]";
/**
 * Words of the corpus's names that mean something by themselves; some files source elabinelab.ns.
 */
const ordinary = new Set([
  "linkdelay",
  "elabinelab",
  "elabinelab.ns",
  "elab_in_elab",
  "advanced",
  "planetlab",
  "defaults",
]);
const wordMin = 8;
const valueMin = 16;

interface Golden {
  readonly sourceSha256?: string;
  readonly [table: string]: unknown;
}

export function corpusRules(root: string): Rule[] {
  const folder = [join(root, "test/golden/ns"), join(root, "../shared/corpus/ns")].find(existsSync);
  const files = folder === undefined ? [] : readdirSync(folder);
  const golden: Record<string, Golden> =
    folder !== undefined && files.includes("golden.json")
      ? JSON.parse(readFileSync(join(folder, "golden.json"), "utf8"))
      : {};
  const { _about: _, ...results } = golden;
  const names = namePatterns(files, Object.keys(results));
  const values = [...new Set(Object.values(results).flatMap(distinctiveStrings))];
  return [
    {
      title: "no source names a file of the corpus",
      wrong: {
        "src/experiment/wrong.ts": `if (file.includes("${"test"}${"suite"}/tests")) rows.pop();\n`,
      },
      check: (tree) =>
        tree.paths
          .filter(isShipped)
          .flatMap((path) => matches(path, tree.read(path), new RegExp(names.join("|"))))
          .map((breach) => `${breach} (instead: decide by what the file says)`),
    },
    {
      title: "no source holds a value that the reference gave",
      wrong: { "src/experiment/wrong.ts": `const hash = "${"0123456789abcdef".repeat(4)}";\n` },
      check: (tree) =>
        tree.paths.filter(isShipped).flatMap((path) => {
          const text = tree.read(path);
          return [
            ...values.filter((value) => text.includes(value)).map((value) => `${path}: ${value}`),
            ...matches(path, text, /\b[0-9a-f]{64}\b/),
          ].map((breach) => `${breach} (instead: compute it)`);
        }),
    },
  ];
}

function namePatterns(files: readonly string[], keys: readonly string[]): string[] {
  const fileNames = files.filter((file) => file.endsWith(".ns")).map((file) => file.slice(0, -3));
  const baseNames = keys
    .flatMap((key) => key.match(/[\w.-]+\.ns\b/g) ?? [])
    .filter((name) => !ordinary.has(name));
  const words = keys
    .flatMap((key) => key.split(/[/#:^.]/))
    .filter((word) => word.length >= wordMin && !ordinary.has(word) && word !== "testsuite");
  return [
    ...folders.map((name) => `\\b${name}\\b`),
    suiteFolder,
    ...[...fileNames, ...baseNames].map((name) => `\\b${escaped(name)}`),
    // A word alone may be anything; in quotes, or as a part of a path, it is a name.
    ...words.map((word) => `["'\`/]${escaped(word)}["'\`/.]`),
  ];
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Long strings among the rows: nobody writes one of them by accident. Diagnostics are text that
 *  our own must equal, and are not among them. */
function distinctiveStrings(result: Golden): string[] {
  const found: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value === "string") {
      if (value.length >= valueMin && /[^a-z-]/.test(value)) found.push(value);
    } else if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(visit);
  };
  const { messages: _, tclError: __, file: ___, ...rows } = result;
  visit(rows);
  return found;
}
