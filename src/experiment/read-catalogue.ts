// SPDX-License-Identifier: MIT
// A catalogue as JSON: what it may say, over the defaults. Unknown keys and wrong types are
// refused, because a misspelt key would otherwise mean the default without a word.

import type { Catalogue, NodeType } from "./catalogue.ts";
import { closest } from "./suggest.ts";

/** A catalogue, or what is wrong with its text. */
export type CatalogueResult =
  | { readonly ok: true; readonly catalogue: Catalogue }
  | { readonly ok: false; readonly message: string };

class Wrong extends Error {}

/**
 * Reads the JSON text of a catalogue.
 * @param base values of what the text leaves out
 * @param readInclude text of a file that `includes` names, or undefined when it cannot be read
 */
export function parseCatalogue(
  text: string,
  base: Catalogue,
  readInclude: (path: string) => string | undefined,
): CatalogueResult {
  try {
    const fields = objectOf(JSON.parse(text), "the catalogue");
    return { ok: true, catalogue: read(fields, base, readInclude) };
  } catch (error) {
    if (error instanceof Wrong) return { ok: false, message: error.message };
    if (error instanceof SyntaxError) return { ok: false, message: `no JSON: ${error.message}` };
    throw error;
  }
}

type Fields = ReadonlyMap<string, unknown>;

function objectOf(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return new Map(Object.entries(value));
  }
  throw new Wrong(`${what} must be an object`);
}

const readers = {
  types: (value: unknown, what: string) => mapOf(value, what, typeOf),
  strictTypes: booleanOf,
  osNames: setOf,
  machines: (value: unknown, what: string) => mapOf(value, what, textOf),
  defaultType: textOf,
  mobileType: textOf,
  areas: setOf,
  delayMinMs: numberOf,
  bandwidthMinKbps: numberOf,
  bandwidthMaxKbps: numberOf,
  addressBase: octetOf,
  delayCapacity: numberOf,
  sharedDirectories: (value: unknown, what: string) => [...setOf(value, what)],
  services: setOf,
  files: setOf,
  includes: (value: unknown, what: string) => mapOf(value, what, textOf),
  siteVariables: (value: unknown, what: string) => mapOf(value, what, textOf),
} satisfies Record<keyof Catalogue, (value: unknown, what: string) => unknown>;

function read(
  fields: Fields,
  base: Catalogue,
  readInclude: (path: string) => string | undefined,
): Catalogue {
  const found = new Map<string, unknown>();
  for (const [key, value] of fields) {
    const reader = readerOf(key);
    found.set(key, reader(value, `"${key}"`));
  }
  const given = Object.fromEntries(found) as Partial<Catalogue>;
  const includes = new Map(base.includes);
  for (const [name, path] of given.includes ?? []) {
    const text = readInclude(path);
    if (text === undefined) throw new Wrong(`"includes": ${name}: cannot read ${path}`);
    includes.set(name, text);
  }
  return { ...base, ...given, includes };
}

function readerOf(key: string): (value: unknown, what: string) => unknown {
  if (Object.hasOwn(readers, key)) return readers[key as keyof Catalogue];
  const near = closest(key, Object.keys(readers));
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  throw new Wrong(`a catalogue has no "${key}"${hint}`);
}

function textOf(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new Wrong(`${what} must be a text`);
}

function booleanOf(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw new Wrong(`${what} must be true or false`);
}

function numberOf(value: unknown, what: string): number {
  if (typeof value === "number" && value >= 0 && Number.isSafeInteger(value)) return value;
  throw new Wrong(`${what} must be a whole number, 0 or more`);
}

function octetOf(value: unknown, what: string): number {
  const octet = numberOf(value, what);
  if (octet >= 1 && octet <= 223) return octet;
  throw new Wrong(`${what} must be from 1 to 223`);
}

function setOf(value: unknown, what: string): ReadonlySet<string> {
  if (!Array.isArray(value)) throw new Wrong(`${what} must be a list of texts`);
  return new Set(value.map((one: unknown) => textOf(one, `${what}: each element`)));
}

function mapOf<T>(
  value: unknown,
  what: string,
  readOne: (value: unknown, what: string) => T,
): ReadonlyMap<string, T> {
  const fields = objectOf(value, what);
  return new Map([...fields].map(([name, one]) => [name, readOne(one, `${what}: ${name}`)]));
}

/** `{}`, `{"subnode": true}`, `{"remote": true}`. */
function typeOf(value: unknown, what: string): NodeType {
  const fields = objectOf(value, what);
  for (const key of fields.keys()) {
    if (key !== "subnode" && key !== "remote") throw new Wrong(`${what} has no "${key}"`);
  }
  const flag = (key: string): boolean => booleanOf(fields.get(key) ?? false, `${what}: "${key}"`);
  return { isSubnode: flag("subnode"), isRemote: flag("remote") };
}
