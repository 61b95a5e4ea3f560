// SPDX-License-Identifier: MIT
// Rules about how files hang together: sizes, names, who may import whom, links, dependencies.
import { matchesGlob, posix } from "node:path";
import { findCircles } from "./circles.ts";
import {
  codeOf,
  importsOf,
  isPure,
  isShipped,
  isTest,
  isTypeScript,
  isWritten,
  type Rule,
  type Tree,
} from "./tree.ts";

const linesMax = 600;
const columnsMax = 100;
/** A line may be longer by this much of a string, which is better found whole than wrapped. */
const stringColumnsMax = 40;
const readmeLinesMax = 120;

/** Rows of recorded data, where a line is one datum. */
const isData = (path: string): boolean => /^test\/(?:vectors|golden|interaction)\//.test(path);
const isMarkdown = (path: string): boolean => path.endsWith(".md");

function lineCount(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

/** What an edge may know of the core: what goes in, what comes out, and words for both. */
const coreForEdges = ["command", "effect", "description", "limits", "code", "assert", "text"];

/** Where the path of an import in `from` leads, or undefined for a package. */
function target(from: string, imported: string): string | undefined {
  return imported.startsWith(".") ? posix.join(posix.dirname(from), imported) : undefined;
}

function breachesOfImports(
  tree: Tree,
  applies: (path: string) => boolean,
  judge: (path: string, imported: string) => string | undefined,
): string[] {
  return tree.paths.filter(applies).flatMap((path) =>
    importsOf(tree.read(path)).flatMap((imported) => {
      const complaint = judge(path, imported);
      return complaint === undefined ? [] : [`${path}: imports ${imported} (${complaint})`];
    }),
  );
}

const importRules: readonly Rule[] = [
  {
    title: "pure layers import no package and nothing of Node",
    wrong: { "src/core/wrong.ts": 'import { z } from "zod";\n' },
    check: (tree) =>
      breachesOfImports(tree, isPure, (path, imported) =>
        target(path, imported) === undefined
          ? "instead: pass the value in, or do it in host/"
          : undefined,
      ),
  },
  {
    title: "edges know commands and effects, no state of the core",
    wrong: {
      "src/edges/syncd/wrong.ts": 'import type { Barrier } from "../../core/barriers.ts";\n',
    },
    check: (tree) =>
      breachesOfImports(
        tree,
        (path) => isShipped(path) && path.startsWith("src/edges/"),
        (path, imported) => {
          const to = target(path, imported);
          if (to === undefined || !to.startsWith("src/core/")) return undefined;
          const name = to.slice("src/core/".length, -".ts".length);
          return coreForEdges.includes(name)
            ? undefined
            : `instead: of the core only ${coreForEdges.join(", ")}; the rest comes as effects`;
        },
      ),
  },
  {
    title: "what tests are made of is not shipped code's business",
    wrong: { "src/host/wrong.ts": 'import { DelayingLog } from "../testing/delaying-log.ts";\n' },
    check: (tree) =>
      breachesOfImports(
        tree,
        (path) => isShipped(path) && !/^src\/(?:testing\/|cli\/(?:.*\/)?simulate)/.test(path),
        (path, imported) =>
          target(path, imported)?.startsWith("src/testing/")
            ? "instead: only tests and `muster simulate` use src/testing"
            : undefined,
      ),
  },
  {
    title: "every source is used",
    wrong: { "src/core/wrong.ts": "export const unused = 1;\n" },
    check(tree) {
      const reached = new Set<string>();
      const visit = (path: string): void => {
        if (reached.has(path) || !tree.paths.includes(path)) return;
        reached.add(path);
        for (const next of mentioned(path, tree.read(path))) visit(next);
      };
      for (const path of entries(tree)) visit(path);
      // Tests alone keep only src/testing alive.
      for (const path of tree.paths) {
        if (!isTypeScript(path) || path.startsWith("src/testing/") || isShipped(path)) continue;
        for (const next of mentioned(path, tree.read(path))) {
          if (next.startsWith("src/testing/")) visit(next);
        }
      }
      return tree.paths
        .filter((path) => isShipped(path) && !reached.has(path))
        .map((path) => `${path}: nothing shipped imports it (instead: delete it)`);
    },
  },
];

/** The sources that commands and the exports of the package begin with. */
function entries(tree: Tree): string[] {
  const outputs = tree.paths
    .filter((path) => path.startsWith("bin/") || path === "package.json")
    .flatMap((path) => [...tree.read(path).matchAll(/\bdist\/([\w/.-]+?)(?:\.d\.ts|\.js)\b/g)]);
  return outputs.map((match) => {
    const output = match[1] ?? "";
    // As tools/bundle.ts makes them.
    if (output === "programs/muster") return "src/cli/main.ts";
    return `src/${output.replace(/^programs\//, "cli/compat/")}.ts`;
  });
}

/** Sources that `text` imports, or names for a worker or a child process. */
function mentioned(path: string, text: string): string[] {
  const code = codeOf(text, { keepStrings: true });
  return [...code.matchAll(/["'`](\.{1,2}\/[\w/.-]+)\.(?:ts|js)["'`]/g)].map((match) =>
    posix.join(posix.dirname(path), `${match[1]}.ts`),
  );
}

/**
 * Waiters, the places where they wait and the edges they came by know each other: it is one graph.
 */
const graphOfTheCore = [
  ...["barriers/common", "barriers/count-barrier", "barriers/count-shares", "barriers/peers"],
  "barriers/place",
  ...["barriers/quorum-barrier", "barriers/report", "barriers/roster-barrier"],
  ...["barriers/state-counter", "barriers/state-shares"],
  ...["edge-table", "scope", "scope-table", "topics", "turn"],
].map((name) => `src/core/${name}.ts`);

const circleRules: readonly Rule[] = [
  {
    title: "no files import each other in a circle",
    wrong: {
      "src/wire/wrong.ts": 'import type { Wronger } from "./wronger.ts";\n',
      "src/wire/wronger.ts": 'import type { Wrong } from "./wrong.ts";\n',
    },
    check(tree) {
      const sources = tree.paths.filter(isShipped);
      const imports = new Map(
        sources.map((path) => [
          path,
          importsOf(tree.read(path)).flatMap((imported) => target(path, imported) ?? []),
        ]),
      );
      return findCircles(imports)
        .filter((circle) => !circle.every((path) => graphOfTheCore.includes(path)))
        .map((circle) => `${circle.join(", ")}: put what they share into a file below them`);
    },
  },
];

const sizeRules: readonly Rule[] = [
  {
    title: `files have at most ${linesMax} lines`,
    wrong: { "src/core/wrong.ts": "\n".repeat(linesMax + 1) },
    check: (tree) =>
      tree.paths
        .filter((path) => isWritten(path) && !isMarkdown(path) && !isData(path))
        .map((path) => [path, lineCount(tree.read(path))] as const)
        .filter(([, lines]) => lines > linesMax)
        .map(([path, lines]) => `${path}: ${lines} lines (instead: split it by what it knows)`),
  },
  {
    title: `lines have at most ${columnsMax} columns`,
    wrong: {
      "src/core/wrong.ts": `const name = "${"a".repeat(columnsMax)}";\n`,
      "docs/wrong.md": "word ".repeat(columnsMax / 5 + 1),
    },
    check: (tree) =>
      tree.paths
        .filter((path) => isWritten(path) && !isData(path))
        .flatMap((path) => {
          const text = breakable(path, tree.read(path));
          return text
            .split("\n")
            .map((line, index) => [index + 1, [...line].length] as const)
            .filter(([, columns]) => columns > columnsMax)
            .map(([line, columns]) => `${path}:${line}: ${columns} columns (instead: wrap)`);
        }),
  },
  {
    title: `the README has at most ${readmeLinesMax} lines`,
    wrong: { "README.md": "line\n".repeat(readmeLinesMax + 1) },
    check(tree) {
      if (!tree.paths.includes("README.md")) return ["README.md: there is none"];
      const lines = lineCount(tree.read("README.md"));
      return lines > readmeLinesMax ? [`README.md: ${lines} lines (instead: docs/)`] : [];
    },
  },
  {
    title: "names are in kebab-case",
    wrong: { "src/core/wrongName.ts": "// SPDX-License-Identifier: MIT\n" },
    check: (tree) =>
      tree.paths
        .filter((path) => !isData(path) && !/^\.?[a-z0-9.]+(?:-[a-z0-9.]+)*$/.test(named(path)))
        .map((path) => `${path}: name (instead: lower-case words joined by -)`),
  },
];

/** The part of the path that a rule about names can judge; empty folders of parents are fine. */
function named(path: string): string {
  const base = posix.basename(path);
  if (/^(?:[A-Z]+(?:\.md)?|Containerfile)$/.test(base)) return "well-known";
  // Python modules cannot be imported with a hyphen.
  return path.endsWith(".py") ? base.replaceAll("_", "-") : path.replaceAll("/", "-");
}

/** The text without what no formatter can wrap: of long strings only their excess counts. */
function breakable(path: string, text: string): string {
  if (isMarkdown(path)) return prose(text);
  if (!isTypeScript(path)) return text;
  const bare = codeOf(text).split("\n");
  const kept = codeOf(text, { keepStrings: true }).split("\n");
  return text
    .split("\n")
    .map((line, index) => {
      const inStrings = [...(kept[index] ?? "")].filter((char, at) => char !== bare[index]?.[at]);
      return line.slice(Math.min(inStrings.length, stringColumnsMax));
    })
    .join("\n");
}

/** Markdown without what cannot be wrapped: code, table rows, lines that are one link. */
function prose(text: string): string {
  return withoutFences(text)
    .split("\n")
    .map((line) => (/^\s*\||\]\([^)]*\)\S*$|^\[[^\]]+\]:/.test(line) ? "" : line))
    .join("\n");
}

function withoutFences(text: string): string {
  return text.replace(/^( *)(```|~~~)[\s\S]*?^ *\2/gm, (fence) => fence.replace(/[^\n]/g, ""));
}

/** The name that a heading gets as a link target. */
function slug(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

const linkRules: readonly Rule[] = [
  {
    title: "links lead somewhere",
    wrong: { "docs/wrong.md": "[gone](../gone.md) and [nowhere](#nowhere)\n" },
    check: (tree) =>
      tree.paths.filter(isMarkdown).flatMap((path) => {
        const text = withoutFences(tree.read(path)).replace(/`[^`\n]*`/g, "");
        const links = [...text.matchAll(/\]\(\s*<?([^)\s>]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)/gm)];
        return links
          .map((match) => (match[1] ?? match[2]) as string)
          .filter((link) => !/^[a-z]+:/.test(link) && !leads(tree, path, link))
          .map((link) => `${path}: ${link} leads nowhere`);
      }),
  },
  {
    title: "every tool and launcher is used or explained",
    wrong: { "tools/wrong.sh": "#!/bin/sh\n" },
    check: (tree) =>
      tree.paths
        .filter((path) => /^(?:tools|bin)\//.test(path))
        .filter((path) => {
          // A file named after what everything is called would be found everywhere.
          const name = new RegExp(`\\b${path.replaceAll(".", "\\.")}\\b|/${posix.basename(path)}"`);
          return !tree.paths.some((other) => {
            const mayName =
              isWritten(other) || other === "package.json" || other.startsWith("bin/");
            return (
              other !== path &&
              !other.startsWith("test/tidy/") &&
              mayName &&
              name.test(tree.read(other))
            );
          });
        })
        .map((path) => `${path}: nothing names it (instead: delete it)`),
  },
  {
    title: "every test belongs to a project of vitest.config.ts",
    wrong: { "test/elsewhere/wrong.test.ts": "// SPDX-License-Identifier: MIT\n" },
    check(tree) {
      const config = tree.read("vitest.config.ts");
      const globs = [...config.matchAll(/"([^"\n]+\.test\.ts)"/g)].map((match) => match[1] ?? "");
      const included = globs.filter((glob) => glob.includes("/") && !glob.startsWith("**/"));
      return tree.paths
        .filter((path) => isTest(path) && !included.some((glob) => matchesGlob(path, glob)))
        .map((path) => `${path}: no project includes it`);
    },
  },
  {
    title: "every Python test is run by a test",
    wrong: { "test/conformance/test_wrong.py": "" },
    check: (tree) =>
      tree.paths
        .filter((path) => /(?:^|\/)test_\w+\.py$/.test(path))
        .filter((path) => {
          const name = posix.basename(path, ".py");
          return !tree.paths.some((other) => isTest(other) && tree.read(other).includes(name));
        })
        .map((path) => `${path}: no *.test.ts runs it`),
  },
];

function leads(tree: Tree, from: string, link: string): boolean {
  const [file = "", anchor] = decodeURI(link).split("#");
  const path = file === "" ? from : posix.join(posix.dirname(from), file).replace(/\/$/, "");
  const exists = path === "." || tree.paths.some((p) => p === path || p.startsWith(`${path}/`));
  if (!exists || anchor === undefined || !isMarkdown(path)) return exists;
  const headings = withoutFences(tree.read(path)).matchAll(/^#+ +(.*)$/gm);
  return [...headings].some((match) => slug(match[1] as string) === anchor);
}

const packageRules: readonly Rule[] = [
  {
    title: "the lock file names no host",
    wrong: { "package-lock.json": '{ "resolved": "https://example.invalid/a.tgz" }' },
    check: (tree) =>
      /"resolved": "(?:https?|git)/.test(tree.read("package-lock.json"))
        ? [
            'package-lock.json: "resolved" (instead: npm config set omit-lockfile-registry-resolved)',
          ]
        : [],
  },
  {
    // npm leaves out of the lock file what its registry did not have, and `npm ci` then refuses.
    title: "the lock file is complete, also for other machines than the one it was made on",
    wrong: {
      "package-lock.json": '{ "packages": { "": { "optionalDependencies": { "wrong": "1" } } } }',
    },
    check(tree) {
      const { packages } = JSON.parse(tree.read("package-lock.json")) as {
        packages: Record<string, { optionalDependencies?: Record<string, string> }>;
      };
      return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
        Object.keys(optionalDependencies)
          .filter((name) => ![`${path}/`, ""].some((at) => `${at}node_modules/${name}` in packages))
          .map((name) => `package-lock.json: ${path} needs ${name} (instead: another version)`),
      );
    },
  },
  {
    title: "every dependency is justified in ARCHITECTURE.md",
    wrong: { "package.json": '{ "dependencies": { "left-pad": "1" } }' },
    check(tree) {
      const manifest = JSON.parse(tree.read("package.json")) as Record<string, object>;
      const kinds = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
      const names = kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {}));
      const text = tree.paths.includes("ARCHITECTURE.md") ? tree.read("ARCHITECTURE.md") : "";
      const cells = [...text.matchAll(/^\|([^|\n]+)\|/gm)].map((match) => match[1] as string);
      const listed = new Set(cells.flatMap((cell) => cell.match(/[@\w][\w./-]*/g) ?? []));
      return names
        .filter((name) => !listed.has(name))
        .map((name) => `package.json: ${name} has no row in ARCHITECTURE.md`);
    },
  },
];

export const structureRules: readonly Rule[] = [
  ...importRules,
  ...circleRules,
  ...sizeRules,
  ...linkRules,
  ...packageRules,
];
