// SPDX-License-Identifier: MIT
// Text of an XML document to a tree, for the part of XML that XML-RPC needs: elements, text, the
// five entities and numeric references, CDATA; comments and processing instructions are passed
// over, attributes are read and forgotten. Knows nothing of XML-RPC.
//
//   X1. A document type is refused: no entity is ever defined, so nothing can grow or be fetched.
//   X2. Time and memory are linear in the length; depth and number of elements are bounded.
import { elementDepthMax, elementsMax } from "./limits.ts";

export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** All text directly in it, references replaced. */
  readonly text: string;
}

/** Why a text is no such document. */
export class XmlError extends Error {
  override readonly name = "XmlError";
}

/** @throws XmlError */
export function readXml(text: string): XmlElement {
  return new XmlReader(text).read();
}

interface Open {
  readonly name: string;
  readonly children: XmlElement[];
  readonly texts: string[];
}

// Attributes are read one by one: a group that repeats takes stack for each time, and there may be
// millions.
const startOfTag = /<([A-Za-z_][\w.:-]*)/y;
const attribute = /\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*')/y;
const endOfStart = /\s*(\/?)>/y;
const endTag = /<\/([A-Za-z_][\w.:-]*)\s*>/y;
const reference = /&([^;&]{0,10};?)/y;
const declaration =
  /^<\?xml\s+version\s*=\s*["']1\.\d["'](?:\s+encoding\s*=\s*["']([\w.-]+)["'])?[^?]*\?>/;
const encodings = ["utf-8", "us-ascii", "ascii"];
const entities: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);

class XmlReader {
  readonly #text: string;
  #at = 0;
  #elements = 0;
  readonly #open: Open[] = [];
  #root: XmlElement | undefined;

  constructor(text: string) {
    this.#text = text.startsWith("\u{feff}") ? text.slice(1) : text;
  }

  read(): XmlElement {
    this.#readDeclaration();
    while (this.#at < this.#text.length) this.#readNext();
    const inner = this.#open.at(-1);
    if (inner !== undefined) throw new XmlError(`the document ends within <${inner.name}>`);
    if (this.#root === undefined) throw new XmlError("there is no element");
    return this.#root;
  }

  #readDeclaration(): void {
    const [all = "", encoding = "utf-8"] = declaration.exec(this.#text) ?? [];
    if (!encodings.includes(encoding.toLowerCase())) {
      throw new XmlError(`the encoding ${encoding} is not read; send UTF-8`);
    }
    this.#at = all.length;
  }

  #readNext(): void {
    if (this.#text[this.#at] !== "<") this.#readText();
    else if (this.#text.startsWith("<!--", this.#at)) this.#between("<!--", "-->");
    else if (this.#text.startsWith("<![CDATA[", this.#at)) {
      this.#keep(checkedText(this.#between("<![CDATA[", "]]>")));
    } else if (this.#text.startsWith("<!", this.#at)) {
      throw new XmlError("a document type is not read"); // X1.
    } else if (this.#text.startsWith("<?", this.#at)) this.#between("<?", "?>");
    else if (this.#text.startsWith("</", this.#at)) this.#readEnd();
    else this.#readStart();
  }

  #readText(): void {
    const end = this.#text.indexOf("<", this.#at);
    const raw = this.#text.slice(this.#at, end === -1 ? undefined : end);
    this.#at += raw.length;
    this.#keep(withoutReferences(checkedText(raw)));
  }

  #keep(text: string): void {
    const inner = this.#open.at(-1);
    if (inner !== undefined) inner.texts.push(text);
    else if (text.trim() !== "") throw new XmlError("there is text outside of the element");
  }

  /** Takes `start`, whatever follows, and `end`. @returns what stands between them */
  #between(start: string, end: string): string {
    const from = this.#at + start.length;
    const to = this.#text.indexOf(end, from);
    if (to === -1) throw new XmlError(`${start} has no ${end}`);
    this.#at = to + end.length;
    return this.#text.slice(from, to);
  }

  #readStart(): void {
    const begin = this.#at;
    const [all, name] = this.#match(startOfTag, begin);
    this.#at += all.length;
    attribute.lastIndex = this.#at;
    while (attribute.test(this.#text)) this.#at = attribute.lastIndex;
    const [end, slash] = this.#match(endOfStart, begin);
    this.#at += end.length;
    this.#elements += 1;
    if (this.#elements > elementsMax) {
      throw new XmlError(`there are more than ${elementsMax} elements (limit elementsMax)`);
    }
    if (this.#open.length >= elementDepthMax) {
      throw new XmlError(`elements are nested more than ${elementDepthMax} deep (limit depthMax)`);
    }
    if (this.#root !== undefined) throw new XmlError("there is more than one element");
    this.#open.push({ name, children: [], texts: [] });
    if (slash === "/") this.#close();
  }

  #readEnd(): void {
    const [all, name] = this.#match(endTag, this.#at);
    const inner = this.#open.at(-1);
    if (inner?.name !== name) {
      const where = inner === undefined ? "outside of any element" : `within <${inner.name}>`;
      throw new XmlError(`</${name}> stands ${where}`);
    }
    this.#at += all.length;
    this.#close();
  }

  #close(): void {
    const closed = this.#open.pop();
    if (closed === undefined) return;
    const { name, children, texts } = closed;
    const element = { name, children, text: texts.join("") };
    const outer = this.#open.at(-1);
    if (outer === undefined) this.#root = element;
    else outer.children.push(element);
  }

  /** @param begin where the tag begins of which it is a part */
  #match(pattern: RegExp, begin: number): readonly [all: string, part: string] {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) throw new XmlError(`character ${begin + 1} begins no tag`);
    return [found[0], found[1] ?? ""];
  }
}

/** Line ends as XML wants them read; characters that no document may hold are refused. */
function checkedText(raw: string): string {
  for (const character of raw) {
    const code = character.codePointAt(0) ?? 0;
    if (isExcluded(code)) throw new XmlError(`the character U+${hex(code)} is none of XML`);
  }
  return raw.includes("\r") ? raw.replace(/\r\n?/g, "\n") : raw;
}

/** Whether XML 1.0 has no such character. */
export function isExcluded(code: number): boolean {
  if (code < 0x20) return code !== 0x09 && code !== 0x0a && code !== 0x0d;
  return (code >= 0xd800 && code < 0xe000) || code === 0xfffe || code === 0xffff;
}

/** One by one: `replace` looks for all of them before it asks about the first. */
function withoutReferences(text: string): string {
  let at = text.indexOf("&");
  if (at === -1) return text;
  const parts: string[] = [];
  let from = 0;
  for (; at !== -1; at = text.indexOf("&", from)) {
    reference.lastIndex = at;
    const [all = "", body = ""] = reference.exec(text) ?? [];
    const name = body.slice(0, -1);
    const found = body.endsWith(";") ? (entities.get(name) ?? numbered(name)) : undefined;
    if (found === undefined) throw new XmlError(`${all} is no reference; write &amp; for &`);
    parts.push(text.slice(from, at), found);
    from = at + all.length;
  }
  return `${parts.join("")}${text.slice(from)}`;
}

function numbered(name: string): string | undefined {
  const [, digits, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name) ?? [];
  if (digits === undefined && decimal === undefined) return undefined;
  const code = digits === undefined ? Number(decimal) : Number(`0x${digits}`);
  if (code > 0x10ffff || isExcluded(code)) throw new XmlError(`&${name}; is no character of XML`);
  return String.fromCodePoint(code);
}

function hex(code: number): string {
  return code.toString(16).toUpperCase().padStart(4, "0");
}
