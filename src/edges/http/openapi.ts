// SPDX-License-Identifier: MIT
// The OpenAPI 3.1 description of the door, made from its routes and their schemas.
import { z } from "zod";
import type { Answer, Route } from "./route.ts";

/** The document for these routes. */
export function describeApi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const operations = paths[route.path] ?? {};
    operations[route.method.toLowerCase()] = describeOperation(route);
    paths[route.path] = operations;
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Muster",
      version: "1",
      description:
        "Barriers, planned events and their state. Every error has code, message, definite.",
    },
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Error: errorSchema },
    },
  };
}

const partySchema = {
  type: "array",
  items: {
    type: "object",
    required: ["name", "forMs"],
    properties: {
      name: { type: "string" },
      group: { type: "string" },
      forMs: { type: "number", description: "For how long it was so." },
      reason: { type: "string", description: "Why it is dead." },
    },
  },
};

const errorSchema = {
  type: "object",
  required: ["code", "message", "definite"],
  properties: {
    code: { type: "string" },
    message: { type: "string", description: "What happened, and what to do next." },
    missing: { type: "array", items: { type: "string" }, description: "Of a wait that timed out." },
    parties: {
      type: "object",
      description: "Of a wait that timed out or failed: who had come, had not, was dead.",
      properties: { arrived: partySchema, missing: partySchema, dead: partySchema },
    },
    definite: { type: "boolean", description: "True: nothing has happened; it may be repeated." },
  },
};

const errorAnswer = {
  description: "Refused",
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
};

function describeOperation(route: Route): object {
  const scope = { name: "scope", in: "query", required: false, schema: { type: "string" } };
  const parameters = [
    ...describeParameters(route.params, "path"),
    ...(route.isScoped ? [scope] : []),
    ...describeParameters(route.query, "query"),
  ];
  const answers = route.answers.map((answer) => [String(answer.status), describeAnswer(answer)]);
  return {
    summary: route.summary,
    ...(route.access === "anyone" ? {} : { security: [{ token: [] }] }),
    "x-action": route.access,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { content: { "application/json": { schema: toSchema(route.body) } } } }),
    responses: { ...Object.fromEntries(answers), default: errorAnswer },
  };
}

function describeParameters(schema: z.ZodType | undefined, where: "path" | "query"): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = toSchema(schema) as {
    readonly properties?: Readonly<Record<string, object>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    ...{ name, in: where, schema: property },
    required: where === "path" || required.includes(name),
  }));
}

function describeAnswer({ what, schema, type = "application/json" }: Answer): object {
  const content = { [type]: schema === undefined ? {} : { schema: toSchema(schema) } };
  return { description: what, content };
}

/** What a client may send or will get, as JSON Schema. */
function toSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return rest;
}
