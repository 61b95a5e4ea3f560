// SPDX-License-Identifier: MIT
// Text for a terminal: styles, widths, tables. Pure. Whatever comes from users is made harmless
// here, so that a program's name or output cannot steer the terminal it is shown on.
import { controlCharacters } from "../core/text.ts";
import { type Line, type Style, styled } from "../testbed/record/words.ts";

export {
  formatDuration,
  formatInstant,
  joinNames,
  joinParties,
  type Line,
  plural,
  type Style,
  styled,
} from "../testbed/record/words.ts";

const codes: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  strong: [1, 22],
  dim: [2, 22],
  good: [32, 39],
  bad: [31, 39],
  warning: [33, 39],
  command: [1, 22],
};

/** How lines are to be printed. */
export interface LineFormat {
  /** Columns a line may take; longer ones end in `…`. Infinity for no bound. */
  readonly columns: number;
  readonly colour: boolean;
}

/** Whether to colour: a terminal that has not asked us to leave it (https://no-color.org). */
export function wantsColour(
  isTty: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const { NO_COLOR: noColour = "", TERM: terminal } = environment;
  return isTty && noColour === "" && terminal !== "dumb";
}

/** A line as text, cut to its columns, with its styles if there is colour. */
export function formatLine(line: Line, format: LineFormat): string {
  const pieces = line.map((piece) =>
    typeof piece === "string" ? { text: harmless(piece), style: null } : clean(piece),
  );
  const width = pieces.reduce((sum, piece) => sum + textWidth(piece.text), 0);
  let room = width <= format.columns ? Number.POSITIVE_INFINITY : format.columns;
  let text = "";
  for (const piece of pieces) {
    if (room <= 0) break;
    const isLastThatFits = textWidth(piece.text) >= room;
    const shown = isLastThatFits ? truncate(`${piece.text}…`, room) : piece.text;
    room -= textWidth(shown);
    text += piece.style === null || !format.colour ? shown : paint(piece.style, shown);
  }
  return text;
}

/**
 * A line as several of at most `columns`, broken between words; what follows the first is indented
 * as far as the text of the first. A longer word, and a command, stay whole: people copy them.
 */
export function wrapLine(line: Line, columns: number): Line[] {
  const pieces = line.map((piece) => (typeof piece === "string" ? { text: piece } : piece));
  const text = pieces.map((piece) => harmless(piece.text)).join("");
  if (textWidth(text) <= columns) return [line];
  const hang = /^(?:[+-][\d.]+s +|\S* {2,})/.exec(text)?.[0].length ?? 2;
  const indent = " ".repeat(Math.min(hang, columns >> 1));
  const rows: Line[number][][] = [[]];
  let width = 0;
  let mayBreak = false;
  for (const piece of pieces) {
    const isWhole = "style" in piece && piece.style === "command";
    const clear = harmless(piece.text);
    for (const word of isWhole ? [clear] : clear.split(/(?<= )(?=[^ ])/)) {
      if (mayBreak && width + textWidth(word.trimEnd()) > columns) {
        rows.push([indent]);
        width = indent.length;
      }
      rows.at(-1)?.push("style" in piece ? styled(piece.style, word) : word);
      width += textWidth(word);
      mayBreak = word.endsWith(" ") && width > indent.length;
    }
  }
  return rows;
}

function clean(piece: { readonly text: string; readonly style: Style }) {
  return { text: harmless(piece.text), style: piece.style };
}

/** `text` between the codes of a style. */
export function paint(style: Style, text: string): string {
  const [on, off] = codes[style];
  return text === "" ? "" : `\u{1b}[${on}m${text}\u{1b}[${off}m`;
}

/** Text without anything that steers a terminal: colours go, other controls become `?`. */
export function harmless(text: string): string {
  return text
    .toWellFormed()
    .replace(colouring, "")
    .replace(/[\t\r\n]+/g, " ")
    .replace(controlCharacters, "?");
}

// Programs colour their messages; what is left of such a sequence as text would only be noise.
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence starts with one
const colouring = /\u{1b}\[[0-9;:]*m/gu;

/** Columns a text takes: two for wide characters, none for marks that sit on others. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

function characterWidth(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(character)) return 0;
  return isWide(code) ? 2 : 1;
}

const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
];

function isWide(code: number): boolean {
  return wideRanges.some(([first, last]) => code >= first && code <= last);
}

/** The beginning of `text` that fits into `columns`, ending in `…` when something is cut. */
export function truncate(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let width = 0;
  let kept = "";
  for (const character of text) {
    const next = characterWidth(character);
    if (width + next > columns - 1) break;
    width += next;
    kept += character;
  }
  return columns > 0 ? `${kept}…` : "";
}

/** A table of left-aligned columns, two blanks apart, without blanks at line ends. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(harmless));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [at, cell] of row.entries()) {
      widths[at] = Math.max(widths[at] ?? 0, textWidth(cell));
    }
  }
  return cells.map((row) =>
    row
      .map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - textWidth(cell)))
      .join("  ")
      .trimEnd(),
  );
}
