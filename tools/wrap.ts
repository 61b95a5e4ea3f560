// SPDX-License-Identifier: MIT
// Wraps comments and Markdown at 100 columns, which Biome does not do. `npm run format` calls it
// for every file. Only a paragraph that holds a line too long is wrapped anew; code, tables and
// fenced or indented blocks are left alone.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isScript, isTypeScript, isWritten, readTree } from "../test/tidy/tree.ts";

const columnsMax = 100;

export type Language = "typescript" | "markdown" | "script";

/** A line of prose: what stands before it, what stands before the lines that continue it. */
interface Prose {
  readonly first: string;
  readonly rest: string;
  readonly text: string;
}

interface Paragraph {
  readonly first: string;
  readonly rest: string;
  readonly lines: string[];
  readonly words: string[];
}

const columns = (line: string): number => [...line].length;

/** Words, with what is between backquotes in one piece as long as that is reasonable. */
function wordsOf(text: string): string[] {
  return text.trim().match(/[^\s`]*`[^`]{1,60}`[^\s`]*|\S+/g) ?? [];
}

/** Would begin a list, a heading or a quotation at the start of a line. */
const isMarker = (word: string): boolean => /^(?:\d+[.)]|[-+*>]|#+)$/.test(word);

function fill(first: string, rest: string, words: readonly string[]): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  words.forEach((word, index) => {
    // A marker may not begin a line: the word before it goes down with it.
    const next = words[index + 1];
    const needed = next !== undefined && isMarker(next) ? `${word} ${next}` : word;
    if (!isEmpty && columns(`${line} ${needed}`) > columnsMax) {
      lines.push(line);
      line = rest;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  });
  return [...lines, line];
}

function proseOf(line: string, language: Language): Prose | undefined {
  if (language === "markdown") {
    if (/^\s*$|^\s*[|#<>]|^ {4,}\S|^\[[^\]]+\]:/.test(line)) return undefined;
    const [, first = "", text = ""] = /^(\s*(?:[-*+] |\d+\. )?)(.*)$/.exec(line) ?? [];
    return { first, rest: " ".repeat(first.length), text };
  }
  const comment = language === "script" ? /^(\s*# +)(\S.*)$/ : /^(\s*(?:\/\/|\*) +)([^\s@/].*)$/;
  const found = comment.exec(line);
  if (found === null || /SPDX-|biome-ignore|shellcheck|@ts-/.test(line)) return undefined;
  const [, start = "", said = ""] = found;
  const marker = /^(?:[A-Z]*\d+\.|[-*]) /.exec(said)?.[0] ?? "";
  return {
    first: start + marker,
    rest: start + " ".repeat(marker.length),
    text: said.slice(marker.length),
  };
}

/** A comment of one line that is too long becomes a block. */
function blockOf(line: string): string[] | undefined {
  const found = /^(\s*)\/\*\* (.*?) \*\/$/.exec(line);
  if (found === null || columns(line) <= columnsMax) return undefined;
  const [, indent = "", text = ""] = found;
  return [`${indent}/**`, ...fill(`${indent} * `, `${indent} * `, wordsOf(text)), `${indent} */`];
}

export function wrap(source: string, language: Language): string {
  const out: string[] = [];
  let paragraph: Paragraph | undefined;
  let isFenced = false;
  const flush = (): void => {
    if (paragraph === undefined) return;
    const { first, rest, lines, words } = paragraph;
    out.push(
      ...(lines.some((line) => columns(line) > columnsMax) ? fill(first, rest, words) : lines),
    );
    paragraph = undefined;
  };
  for (const line of source.split("\n")) {
    const isFence = language === "markdown" && /^\s*(?:```|~~~)/.test(line);
    if (isFence) isFenced = !isFenced;
    const prose = isFence || isFenced ? undefined : proseOf(line, language);
    if (prose === undefined) {
      flush();
      out.push(...((language === "typescript" && blockOf(line)) || [line]));
      continue;
    }
    const isNew = prose.first !== prose.rest || prose.rest.length !== paragraph?.rest.length;
    if (paragraph === undefined || (isNew && !continues(prose, paragraph, language))) {
      flush();
      const { first, rest, text } = prose;
      paragraph = { first, rest, lines: [line], words: wordsOf(text) };
    } else {
      paragraph.lines.push(line);
      paragraph.words.push(...wordsOf(prose.text));
    }
  }
  flush();
  return out.join("\n");
}

/** In Markdown a line without a marker continues the paragraph, wherever it begins. */
function continues(prose: Prose, paragraph: Paragraph, language: Language): boolean {
  return language === "markdown" && prose.first.trim() === "" && paragraph.lines.length > 0;
}

function languageOf(path: string): Language | undefined {
  if (/^test\/(?:vectors|golden)\//.test(path)) return undefined;
  if (isTypeScript(path)) return "typescript";
  if (path.endsWith(".md")) return "markdown";
  return isScript(path) && isWritten(path) ? "script" : undefined;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const tree = readTree(root);
  for (const path of tree.paths) {
    const language = languageOf(path);
    if (language === undefined) continue;
    const wrapped = wrap(tree.read(path), language);
    if (wrapped === tree.read(path)) continue;
    writeFileSync(join(root, path), wrapped);
    process.stdout.write(`Wrapped ${path}\n`);
  }
}
