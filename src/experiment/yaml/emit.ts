// SPDX-License-Identifier: MIT
// Writes values as YAML: short maps and lists on one line, long ones over several, quotes only
// where a reader of YAML would otherwise see something else.

/** A value to write. Maps are pairs, so that their order is said. */
export type PlainValue = string | number | boolean | null | PlainList | PlainMap;
export interface PlainList {
  readonly list: readonly PlainValue[];
}
export interface PlainMap {
  readonly map: readonly (readonly [key: string, value: PlainValue])[];
}

const columnsMax = 98;

/** A whole document. Top-level entries are blocks; an empty line stands before each section. */
export function emitDocument({ map }: PlainMap): string {
  const lines: string[] = [];
  for (const [key, value] of map) {
    const isSection = typeof value === "object" && value !== null;
    if (isSection && lines.length > 0) lines.push("");
    lines.push(...(isSection ? block(key, value, 0) : [`${emitKey(key)}: ${flow(value)}`]));
  }
  return `${lines.join("\n")}\n`;
}

/** `key:` and its value below, however short it is. */
function block(key: string, value: PlainList | PlainMap, indent: number): string[] {
  const head = `${" ".repeat(indent)}${emitKey(key)}:`;
  const isEmpty = "list" in value ? value.list.length === 0 : value.map.length === 0;
  if (isEmpty) return [`${head} ${"list" in value ? "[]" : "{}"}`];
  return [head, ...content(value, indent + 2)];
}

function content(value: PlainList | PlainMap, indent: number): string[] {
  if ("map" in value) return value.map.flatMap(([key, each]) => entry(key, each, indent));
  return value.list.flatMap((each) => item(each, indent));
}

function entry(key: string, value: PlainValue, indent: number): string[] {
  const head = `${" ".repeat(indent)}${emitKey(key)}:`;
  if (value === null) return [head];
  const line = `${head} ${flow(value)}`;
  if (typeof value !== "object" || line.length <= columnsMax) return [line];
  return block(key, value, indent);
}

function item(value: PlainValue, indent: number): string[] {
  const head = `${" ".repeat(indent)}- `;
  const line = `${head}${flow(value)}`;
  if (typeof value !== "object" || value === null || line.length <= columnsMax) return [line];
  const [first = "", ...rest] = content(value, indent + 2);
  return [head + first.trimStart(), ...rest];
}

function flow(value: PlainValue): string {
  if (value === null) return "null";
  if (typeof value === "string") return emitText(value);
  if (typeof value !== "object") return String(value);
  if ("list" in value) return `[${value.list.map(flow).join(", ")}]`;
  if (value.map.length === 0) return "{}";
  return `{ ${value.map.map(([key, each]) => `${emitText(key)}: ${flow(each)}`).join(", ")} }`;
}

/** A key that starts a line: there braces of a range need no quotes. */
function emitKey(key: string): string {
  return /^[A-Za-z][-A-Za-z0-9]*\{[0-9.]+\}[-A-Za-z0-9]*$/.test(key) ? key : emitText(key);
}

const word = "[-A-Za-z0-9_$./%=+@(]*[-A-Za-z0-9_$./%=+)]";
const plainText = new RegExp(`^[A-Za-z_$/](?:${word})?(?: [-A-Za-z0-9_$./%=+@(]${word})*$`);
const quantity = /^[0-9]+(?:\.[0-9]+)?(?:[hms]|ms|us|%|[kMG]?bps)$/;
const address = /^[0-9]+(?:\.[0-9]+){3}$/;
const reserved = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

/** Text, in quotes unless every reader takes it for the same text without. */
export function emitText(text: string): string {
  const isPlain = plainText.test(text) || quantity.test(text) || address.test(text);
  if (isPlain && !reserved.test(text) && text.length < 1000) return text;
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
