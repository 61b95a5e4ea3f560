// SPDX-License-Identifier: MIT
// The files of the repository as the tidy rules see them: paths, texts, and TypeScript without its
// comments or strings. A rule is shown to work by laying a wrong file over the tree.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Tree {
  /** Paths from the repository's root, sorted. */
  readonly paths: readonly string[];
  read(path: string): string;
}

/** A rule of the repository, and a file that breaks it. */
export interface Rule {
  readonly title: string;
  /** Returns one line for each breach: where, what, and what to write instead. */
  check(tree: Tree): string[];
  /** Files that, laid over the tree, must be found. */
  readonly wrong: Readonly<Record<string, string>>;
}

const skipped = new Set([".git", "node_modules", "dist", "coverage", "results", "__pycache__"]);

/** Reads no git index: the tests also run where there is no git. */
export function readTree(root: string): Tree {
  const paths: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (skipped.has(entry.name) || entry.name.endsWith(".tsbuildinfo")) continue;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) paths.push(path);
    }
  };
  walk("");
  const texts = new Map<string, string>();
  return {
    paths: paths.sort(),
    read(path) {
      const text = texts.get(path) ?? readFileSync(join(root, path), "utf8");
      texts.set(path, text);
      return text;
    },
  };
}

/** The tree with some files added or replaced. */
export function layOver(tree: Tree, files: Readonly<Record<string, string>>): Tree {
  return {
    paths: [...new Set([...tree.paths, ...Object.keys(files)])].sort(),
    read: (path) => files[path] ?? tree.read(path),
  };
}

export const isTypeScript = (path: string): boolean => path.endsWith(".ts");
export const isTest = (path: string): boolean => path.endsWith(".test.ts");
/** What is shipped: sources without the tests beside them. */
export const isShipped = (path: string): boolean =>
  path.startsWith("src/") && isTypeScript(path) && !isTest(path);
export const isPure = (path: string): boolean =>
  isShipped(path) && /^src\/(core|wire|experiment)\//.test(path);
export const isScript = (path: string): boolean =>
  path.endsWith(".sh") || path.startsWith("bin/") || path === ".ci/run";
/** Written by people, read by people: no recorded data. */
export const isWritten = (path: string): boolean =>
  /\.(ts|tsx|py|md|css|html)$/.test(path) || isScript(path);

/** `text` with comments (and, unless kept, what is inside strings) replaced by blanks. */
export function codeOf(text: string, { keepStrings = false } = {}): string {
  let out = "";
  let at = 0;
  /** Brace depth at which each open `${` of a template ends. */
  const templates: number[] = [];
  let depth = 0;
  const take = (end: number, visible: boolean): void => {
    const part = text.slice(at, end);
    out += visible ? part : part.replace(/[^\n]/g, " ");
    at = end;
  };
  const quoted = (quote: string, from: number): number => {
    let end = from;
    while (end < text.length && text[end] !== quote) {
      if (text[end] === "\\") end += 1;
      else if (quote === "`" && text.startsWith("${", end)) return end;
      end += 1;
    }
    return end;
  };
  const template = (from: number): void => {
    take(quoted("`", from), keepStrings);
    if (text.startsWith("${", at)) {
      templates.push(depth);
      depth += 1;
      take(at + 2, true);
    } else take(at + 1, true);
  };
  while (at < text.length) {
    const char = text[at] as string;
    if (text.startsWith("//", at)) {
      const end = text.indexOf("\n", at);
      take(end < 0 ? text.length : end, false);
    } else if (text.startsWith("/*", at)) {
      const end = text.indexOf("*/", at + 2);
      take(end < 0 ? text.length : end + 2, false);
    } else if (char === '"' || char === "'") {
      const end = quoted(char, at + 1);
      take(at + 1, true);
      take(end, keepStrings);
      take(end + 1, true);
    } else if (char === "`") {
      take(at + 1, true);
      template(at);
    } else if (char === "/" && startsExpression(out)) {
      take(regularExpressionEnd(text, at), keepStrings);
    } else {
      if (char === "{") depth += 1;
      if (char === "}") depth -= 1;
      take(at + 1, true);
      if (char === "}" && templates.at(-1) === depth) {
        templates.pop();
        template(at);
      }
    }
  }
  return out;
}

/** Whether a `/` after this code begins a regular expression rather than dividing. */
function startsExpression(before: string): boolean {
  const code = before.trimEnd();
  return code === "" || /(?:[([{,;=:!&|?+\-*%~^<>]|\b(?:return|typeof|case|in|of))$/.test(code);
}

function regularExpressionEnd(text: string, start: number): number {
  let end = start + 1;
  let inClass = false;
  while (end < text.length && (inClass || text[end] !== "/") && text[end] !== "\n") {
    if (text[end] === "\\") end += 1;
    else if (text[end] === "[") inClass = true;
    else if (text[end] === "]") inClass = false;
    end += 1;
  }
  return end + 1;
}

/** The strings that `text` imports, statically or not. */
export function importsOf(text: string): string[] {
  const code = codeOf(text, { keepStrings: true });
  const found = code.matchAll(/\b(?:from|import)\s*\(?\s*"([^"\n]+)"/g);
  return [...found].map((match) => match[1] as string);
}

/** `path:line: shown` for each match of `pattern` in `text`. */
export function matches(path: string, text: string, pattern: RegExp): string[] {
  const global = new RegExp(pattern.source, `${pattern.flags.replace("g", "")}g`);
  return [...text.matchAll(global)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    return `${path}:${line}: ${match[0].trim().replace(/\s+/g, " ")}`;
  });
}
