// SPDX-License-Identifier: MIT
// Objects as `JSON.parse` gives them, read strictly: the keys that are expected and no others.

/** The fields of an object that has these keys and no others; undefined when it is none. */
export function fieldsOf(
  json: unknown,
  required: readonly string[],
  optional: readonly string[] = [],
): ReadonlyMap<string, unknown> | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const fields = new Map<string, unknown>(Object.entries(json));
  if (!required.every((key) => fields.has(key))) return undefined;
  const known = required.length + optional.filter((key) => fields.has(key)).length;
  return fields.size === known ? fields : undefined;
}

/**
 * The fields of any object, by their names in small letters, in the order of these. Of names that
 * differ in capitals only the last one counts, capitals first.
 */
export function foldedFieldsOf(json: unknown): ReadonlyMap<string, unknown> | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const fields = Object.entries(json).sort(([one], [other]) => (one < other ? -1 : 1));
  return new Map(fields.map(([name, value]) => [name.toLowerCase(), value]));
}

/** How many keys an object has: for what is checked too often for a map each time. */
export function countFields(json: object): number {
  return Object.keys(json).length;
}
