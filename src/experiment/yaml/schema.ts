// SPDX-License-Identifier: MIT
// The JSON Schema of experiment files, made from the table of fields that the validator uses.
// docs/reference/experiment.schema.json is its output; a test compares them.

import { quantityPatterns } from "../quantities.ts";
import { experimentType, type FieldType, type RecordType } from "./fields.ts";

/** A JSON Schema, as plain data. */
export type JsonSchema = { readonly [key: string]: JsonValue };
type JsonValue = string | number | boolean | readonly JsonValue[] | JsonSchema;

/** Names them; where they are, is said by whoever refers to them: they come with the package. */
const names = "urn:musterd:schema";

/** The schema of a whole experiment file. */
export function experimentSchema(): JsonSchema {
  const about = { file: "experiment.schema.json", title: "Muster experiment" };
  return documentSchema(experimentType, about);
}

/** The schema of a file of which a table of fields is known (draft 2020-12). */
export function documentSchema(
  type: RecordType,
  { file, title }: { readonly file: string; readonly title: string },
): JsonSchema {
  const definitions = new Map<string, JsonSchema>();
  const root = recordSchema(type, definitions);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: `${names}:${file.replace(".schema.json", "")}`,
    title,
    ...root,
    $defs: Object.fromEntries(definitions),
  };
}

function schemaOf(type: FieldType, definitions: Map<string, JsonSchema>): JsonSchema {
  switch (type.kind) {
    case "text":
      return { type: "string", ...(type.pattern === undefined ? {} : { pattern: type.pattern }) };
    case "quantity":
      definitions.set(type.quantity, quantitySchema(type.quantity));
      return { $ref: `#/$defs/${type.quantity}` };
    case "integer":
      return { type: "integer", minimum: type.min, maximum: type.max };
    case "boolean":
      return { type: "boolean" };
    case "choice":
      return { enum: type.values };
    case "scalar":
      return { type: ["string", "number", "boolean"] };
    case "list": {
      const max = type.max === undefined ? {} : { maxItems: type.max };
      return { type: "array", items: schemaOf(type.of, definitions), minItems: type.min, ...max };
    }
    case "map":
      return {
        type: "object",
        propertyNames: { pattern: type.key },
        additionalProperties: schemaOf(type.of, definitions),
      };
    case "record": {
      if (!definitions.has(type.name)) {
        // The name is taken first: a record that held itself would otherwise never end.
        definitions.set(type.name, {});
        definitions.set(type.name, recordSchema(type, definitions));
      }
      return { $ref: `#/$defs/${type.name}` };
    }
    case "either":
      return { anyOf: type.options.map((option) => schemaOf(option, definitions)) };
  }
}

/** Numbers alone are told apart from texts; what is one as a text is one as a number. */
function quantitySchema(quantity: keyof typeof quantityPatterns): JsonSchema {
  const text = { type: "string", pattern: quantityPatterns[quantity] };
  switch (quantity) {
    case "bandwidth":
      return text;
    case "duration":
      return { anyOf: [text, { const: 0 }] };
    case "percentage":
      return { anyOf: [text, { type: "number", minimum: 0, exclusiveMaximum: 1 }] };
  }
}

function recordSchema(type: RecordType, definitions: Map<string, JsonSchema>): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const [key, field] of Object.entries(type.fields)) {
    properties[key] = { description: field.about, ...schemaOf(field.type, definitions) };
    if (field.required === true) required.push(key);
  }
  return {
    description: type.about,
    type: type.mayBeEmpty ? ["object", "null"] : "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}
