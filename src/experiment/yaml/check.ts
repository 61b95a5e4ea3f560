// SPDX-License-Identifier: MIT
// Checks the shape of a document against the table of fields: unknown keys, wrong kinds of values,
// quantities without a unit. All findings at once, each at its own place.

import type { SourcePosition } from "../model.ts";
import { parseBandwidth, parseDuration, parsePercentage, type Quantity } from "../quantities.ts";
import { closest } from "../suggest.ts";
import {
  type FieldType,
  hostNamePattern,
  type ListType,
  nodeKeyPattern,
  type RecordType,
  type ScalarType,
  type TextType,
} from "./fields.ts";
import type { Findings } from "./findings.ts";
import { type DocumentNode, describeKind, type MapNode } from "./tree.ts";

/** A fault of one value; `at` is the value's own place. */
interface Fault {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Reports everything about `node` that `type` does not allow; `what` names the value. */
export function checkShape(
  node: DocumentNode,
  type: FieldType,
  what: string,
  findings: Findings,
): void {
  switch (type.kind) {
    case "either":
      checkEither(node, type.options, what, findings);
      break;
    case "list":
      checkList(node, type, what, findings);
      break;
    case "map":
      checkMap(node, type, what, findings);
      break;
    case "record":
      checkRecord(node, type, what, findings);
      break;
    default: {
      const fault = scalarFault(node, type, what);
      if (fault !== undefined) findings.error(node.at, fault.code, fault.message, fault.hint);
    }
  }
}

function isScalarType(type: FieldType): type is ScalarType {
  const { kind } = type;
  return kind !== "either" && kind !== "list" && kind !== "map" && kind !== "record";
}

function kindFault(node: DocumentNode, what: string, wanted: string): Fault {
  if (node.kind === "null") {
    return { code: "YAML_EMPTY", message: `${what} is left empty`, hint: `It is ${wanted}.` };
  }
  const message = `${what} is ${wanted}, not ${describeKind(node)}`;
  const isPlain = node.kind === "number" || node.kind === "boolean";
  const isText = isPlain && wanted.startsWith("text");
  const hint = isText ? `Write it in quotes: "${node.text}"` : undefined;
  return { code: "YAML_KIND", message, ...(hint === undefined ? {} : { hint }) };
}

const quantityReaders: Readonly<
  Record<"duration" | "bandwidth" | "percentage", (text: string) => Quantity>
> = { duration: parseDuration, bandwidth: parseBandwidth, percentage: parsePercentage };

const quantityNames = {
  duration: "a time such as 10ms",
  bandwidth: "a bandwidth such as 100Mbps",
  percentage: "a percentage such as 1%",
} as const;

function scalarFault(node: DocumentNode, type: ScalarType, what: string): Fault | undefined {
  switch (type.kind) {
    case "scalar":
      if (node.kind === "text" || node.kind === "number" || node.kind === "boolean") return;
      return kindFault(node, what, "text, a number or true or false");
    case "boolean":
      return node.kind === "boolean" ? undefined : kindFault(node, what, "true or false");
    case "integer":
      return integerFault(node, type, what);
    case "quantity": {
      // A bare number is told that it lacks its unit, not that it should be text.
      if (node.kind !== "text" && node.kind !== "number") {
        return kindFault(node, what, quantityNames[type.quantity]);
      }
      const read = quantityReaders[type.quantity](node.text);
      if (read.ok) return undefined;
      const code = / no unit/.test(read.message) ? "YAML_UNIT" : "YAML_QUANTITY";
      return { code, message: `${what}: ${read.message}`, hint: read.hint };
    }
    case "choice":
      return choiceFault(node, type.values, what);
    case "text":
      return textFault(node, type, what);
  }
}

function integerFault(
  node: DocumentNode,
  { min, max }: { readonly min: number; readonly max: number },
  what: string,
): Fault | undefined {
  const range = min === max ? `${min}` : `a whole number from ${min} to ${max}`;
  if (node.kind !== "number") return kindFault(node, what, range);
  const value = Number(node.text);
  if (Number.isInteger(value) && value >= min && value <= max) return undefined;
  return { code: "YAML_RANGE", message: `${what} is ${range}, not ${node.text}` };
}

function choiceFault(
  node: DocumentNode,
  values: readonly string[],
  what: string,
): Fault | undefined {
  const list = values.join(", ");
  if (node.kind !== "text") return kindFault(node, what, `one of ${list}`);
  if (values.includes(node.text)) return undefined;
  const near = closest(node.text, values);
  const hint = near === undefined ? `Known: ${list}.` : `Did you mean "${near}"?`;
  return { code: "YAML_CHOICE", message: `${what} cannot be ${JSON.stringify(node.text)}`, hint };
}

function textFault(node: DocumentNode, type: TextType, what: string): Fault | undefined {
  const text = node.kind === "list" || node.kind === "map" ? undefined : node.text;
  const isRight =
    type.pattern === undefined || (text !== undefined && new RegExp(type.pattern).test(text));
  // Quotes alone make no text right that has not its form.
  const wanted = isRight || text === undefined ? textWanted(type.what) : type.what;
  if (node.kind !== "text") {
    const { kindHint: hint } = type;
    return { ...kindFault(node, what, wanted), ...(hint === undefined ? {} : { hint }) };
  }
  if (isRight) return undefined;
  const code = type.what.startsWith("a name") ? "YAML_NAME" : "YAML_TEXT";
  // A message is one line, whatever the text is.
  const message = `${what} is ${type.what}, not ${JSON.stringify(node.text)}`;
  return { code, message, hint: nameHint(type) };
}

function textWanted(what: string): string {
  return what.startsWith("text") ? what : `text (${what})`;
}

function nameHint({ what }: { readonly what: string }): string {
  if (what === "an address") return "Write four numbers, such as 10.0.0.1, or none.";
  if (what === "a netmask") return "Write four numbers, such as 255.255.255.0.";
  if (what === "text of one line") return "Join the lines with && or ; into one.";
  if (what === "a name") return "Names are letters, digits and dashes; nodes have at most 32.";
  return `Write ${what}.`;
}

function checkEither(
  node: DocumentNode,
  options: readonly FieldType[],
  what: string,
  findings: Findings,
): void {
  const structured = options.find((option) => {
    if (node.kind === "list") return option.kind === "list";
    return node.kind === "map" && (option.kind === "map" || option.kind === "record");
  });
  if (structured !== undefined) {
    checkShape(node, structured, what, findings);
    return;
  }
  let first: Fault | undefined;
  for (const option of options) {
    if (!isScalarType(option)) continue;
    const fault = scalarFault(node, option, what);
    if (fault === undefined) return;
    first ??= fault;
  }
  first ??= kindFault(node, what, options.map(describeType).join(" or "));
  findings.error(node.at, first.code, first.message, first.hint);
}

function describeType(type: FieldType): string {
  switch (type.kind) {
    case "list":
      return "a list";
    case "map":
    case "record":
      return "a map";
    case "quantity":
      return quantityNames[type.quantity];
    default:
      return "text";
  }
}

function checkList(node: DocumentNode, type: ListType, what: string, findings: Findings): void {
  if (node.kind !== "list") {
    const { code, message, hint } = kindFault(node, what, "a list");
    findings.error(node.at, code, message, hint);
    return;
  }
  const { length } = node.items;
  const max = type.max ?? Number.POSITIVE_INFINITY;
  if (length < type.min || length > max) {
    const wanted =
      type.min === max ? `${max}` : length < type.min ? `${type.min} or more` : `${max}`;
    const message = `${what} has ${length} items; ${wanted} are needed`;
    findings.error(node.at, "YAML_LENGTH", message, type.lengthHint);
  }
  for (const item of node.items) checkShape(item, type.of, `an item of ${what}`, findings);
}

function checkMap(
  node: DocumentNode,
  type: { readonly of: FieldType; readonly what: string; readonly key: string },
  what: string,
  findings: Findings,
): void {
  if (node.kind !== "map") {
    const { code, message, hint } = kindFault(node, what, "a map");
    findings.error(node.at, code, message, hint);
    return;
  }
  const pattern = new RegExp(type.key);
  for (const { key, keyAt, value } of node.entries) {
    if (!pattern.test(key)) {
      const isShort = type.key === hostNamePattern || type.key === nodeKeyPattern;
      const most = isShort ? ", at most 32 of them" : "";
      const hint = `Names are letters, digits and dashes${most}; several nodes are node{0..4}.`;
      findings.error(keyAt, "YAML_NAME", `"${key}" is no name for ${type.what}`, hint);
    }
    checkShape(value, type.of, `${type.what.replace(/^an? /, "")} ${key}`, findings);
  }
}

function checkRecord(node: DocumentNode, type: RecordType, what: string, findings: Findings): void {
  if (node.kind === "null" && type.mayBeEmpty) return;
  if (node.kind !== "map") {
    const { code, message, hint } = kindFault(node, what, `a map (${type.about})`);
    findings.error(node.at, code, message, hint);
    return;
  }
  for (const { key, keyAt, value } of node.entries) {
    const field = Object.hasOwn(type.fields, key) ? type.fields[key] : undefined;
    if (field === undefined) findings.error(keyAt, "YAML_KEY", ...unknownKey(key, type, what));
    else checkShape(value, field.type, key, findings);
  }
  for (const [key, field] of Object.entries(type.fields)) {
    if (field.required !== true || node.entries.some((entry) => entry.key === key)) continue;
    const hint = `Add: ${key}: ... (${field.about})`;
    findings.error(startOf(node), "YAML_MISSING", `${what} has no "${key}"`, hint);
  }
}

function unknownKey(key: string, type: RecordType, what: string): [string, string] {
  const known = knownKeys(type);
  const near = closest(key, known);
  const all = `Known: ${known.join(", ")}.`;
  return [`${what} has no field "${key}"`, near === undefined ? all : `Did you mean "${near}"?`];
}

function knownKeys({ fields }: RecordType): readonly string[] {
  return Object.keys(fields).filter((name) => !name.startsWith("$"));
}

/** The fields that keys which are none most likely mean. */
export function misspeltFields({ entries }: MapNode, type: RecordType): ReadonlySet<string> {
  const known = knownKeys(type);
  const wrong = entries.filter(({ key }) => !Object.hasOwn(type.fields, key));
  return new Set(wrong.flatMap(({ key }) => closest(key, known) ?? []));
}

function startOf(node: MapNode): SourcePosition {
  return node.entries[0]?.keyAt ?? node.at;
}
