// SPDX-License-Identifier: MIT
// One request: finds its route, lets the caller in or not, checks what it carries, and writes what
// the handler says. Every way out is an answer; a fault of ours is a 500 that says so.
import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import { assert } from "../../core/assert.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { memberText } from "../../wire/json-text.ts";
import type { HttpTime } from "../http-time.ts";
import type { Access } from "./access.ts";
import { checkAction, chooseScope } from "./access.ts";
import type { HttpBounds } from "./bounds.ts";
import { boundMessage } from "./bounds.ts";
import { Departure } from "./departure.ts";
import { HttpError } from "./errors.ts";
import type { Guests } from "./guests.ts";
import type { Metrics } from "./metrics.ts";
import type { Call, Reply, Route } from "./route.ts";
import type { RouteTable, Sought } from "./route-table.ts";

export interface RequestOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** It waits for what others do. */
  readonly onWaits: () => void;
  readonly routes: RouteTable;
  /** The door, as far as a request needs it. */
  readonly door: {
    readonly access: Access;
    readonly bounds: HttpBounds;
    readonly metrics: Metrics;
    readonly guests: Guests;
    readonly isDraining: boolean;
    readonly time: HttpTime;
    noteWritten(bytes: number): void;
  };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Never rejects. */
export async function answerRequest(options: RequestOptions): Promise<void> {
  const { request, response, onWaits, door, logger } = options;
  const gone = new Departure(onWaits);
  response.on("close", () => gone.tell());
  try {
    const origin = door.access.checkOrigin(request);
    if (origin !== undefined) allowOrigin(response, origin);
    if (request.method === "OPTIONS" && origin !== undefined) {
      response.writeHead(204).end();
      return;
    }
    const { route, call } = await readCall(options, gone);
    if (route.lasts !== undefined && door.isDraining) throw draining();
    if (route.lasts !== undefined) response.on("close", admit(options, call, route.lasts, gone));
    const said = await route.handle(call);
    if (isReply(said)) writeReply(options, said);
    else writeJson(options, route.answers[0]?.status ?? 200, said);
  } catch (error) {
    if (response.destroyed) return;
    writeError(options, error instanceof HttpError ? error : internalError(error, logger));
  }
}

/** @returns what to call when it is over. @throws HttpError (limit) */
function admit(
  { door, response, clock }: RequestOptions,
  { caller }: Call<unknown, unknown, unknown>,
  kind: "wait" | "stream",
  gone: Departure,
): () => void {
  const end = (why: string): void => {
    gone.tell(new HttpError("unavailable", why));
    if (!response.headersSent || response.writableEnded) return;
    // A stream has said its status; all that is left is its end. Who reads nothing does not take
    // that either, and would keep what he watches with a token that is good for nothing.
    const cancel = clock.after(door.time.lingerMs, () => response.destroy());
    response.on("close", cancel);
    response.end();
  };
  const bound = kind === "wait" ? "httpWaitsPerTokenMax" : "httpStreamsPerTokenMax";
  const leave = door.guests.admit({ caller, kind, end }, door.bounds[bound]);
  if (leave !== undefined) return leave;
  door.metrics.refused(bound);
  throw new HttpError("limit", boundMessage(door.bounds, bound));
}

/** Nothing has happened yet, but the code leaves that open: elsewhere it may be asked again. */
function draining(): HttpError {
  const headers = { connection: "close", "retry-after": "1" };
  const message = "the server is closing and takes nobody new; go to another, or try again later";
  return new HttpError("unavailable", message, { headers });
}

/** What is asked, and of whom. */
interface Asked {
  readonly route: Route;
  readonly call: Call<unknown, unknown, unknown>;
}

async function readCall(
  { request, routes, door }: RequestOptions,
  gone: Departure,
): Promise<Asked> {
  const { route, params, given, repeated } = routes.seek(request);
  const { access, body, query, isScoped } = route;
  const caller =
    access === "anyone"
      ? { role: "observer" as const, token: "open", address: "unknown", account: "open" }
      : door.access.identify(request);
  if (access !== "anyone") checkAction(caller, access);
  checkQueryNames(route, given, repeated);
  const { scope: asked, ...rest } = given;
  const sent = body === undefined ? undefined : await readJson(request, door);
  const call = {
    caller,
    scope: isScoped ? chooseScope(caller, asked) : "",
    params: check(route.params, params, "the path"),
    query: check(query, isScoped ? rest : given, "the query"),
    body: sent && check(body, sent.value, "the body"),
    textOf: (name: string) => sent && memberText(sent.text, name),
    headers: request.headers,
    gone,
  };
  return { route, call };
}

/**
 * One that is misspelt is not passed over: a wait would be in another scope; nor is one of two that
 * are the same. What tells how the server is takes any, as balancers of load may add some.
 * @throws HttpError
 */
function checkQueryNames(route: Route, given: Sought["given"], repeated: string | undefined): void {
  const { method, path, query, isScoped, access } = route;
  const names = Object.keys(given);
  if (names.length === 0 || access === "anyone") return;
  if (repeated !== undefined) {
    const what = `the query has ${JSON.stringify(repeated)} more than once; say it once`;
    throw new HttpError("invalid", what);
  }
  const known = [...(isScoped ? ["scope"] : []), ...fieldsOf(query)];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const takes = known.length === 0 ? "takes none" : `knows ${known.join(", ")}`;
  const message = `the query: ${method} ${path} ${takes}, not ${JSON.stringify(unknown)}; see /openapi.json`;
  throw new HttpError("invalid", message);
}

function fieldsOf(schema: z.ZodType | undefined): readonly string[] {
  if (schema === undefined) return [];
  assert("shape" in schema, "a query or a body is an object");
  return Object.keys(Object(schema.shape));
}

function check(schema: z.ZodType | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return undefined;
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const text = describeStranger(schema, what, issue) ?? describeIssue(what, issue, value);
  throw new HttpError("invalid", `${text}; see /openapi.json`);
}

/** Of fields that are not known, with those that are. */
function describeStranger(
  schema: z.ZodType,
  what: string,
  issue: z.core.$ZodIssue | undefined,
): string | undefined {
  if (issue?.code !== "unrecognized_keys" || issue.path.length > 0) return undefined;
  const strangers = issue.keys.slice(0, 3).map((key) => JSON.stringify(key.slice(0, 40)));
  return `${what}: it knows ${fieldsOf(schema).join(", ")}, not ${strangers.join(", ")}`;
}

function describeIssue(what: string, issue: z.core.$ZodIssue | undefined, value: unknown): string {
  if (issue === undefined) return `${what}: wrong`;
  if (issue.path.length === 0) return `${what}: ${issue.message}`;
  const name = issue.path.join(".");
  let found = value;
  for (const key of issue.path) found = Object(found)[key];
  return found === undefined ? `${what} lacks ${name}` : `${what} (${name}): ${issue.message}`;
}

/** Bytes that are held of bodies that have not come in full. */
const bodies = new WeakMap<IncomingMessage, number>();

/** What a request and its answer keep in memory. */
export function heldBytesOf(response: ServerResponse): number {
  const { req: request, writableLength } = response;
  return writableLength + request.readableLength + (bodies.get(request) ?? 0);
}

/**
 * Each piece costs as much as a small request: after so many they must have so many bytes on
 * average.
 */
const smallPiecesMax = 4_096;
const pieceBytesMin = 16;
/** Room for a body of several pieces, at first. */
const bodyBytesMin = 1024;
const noBytes: Buffer = Buffer.alloc(0);

async function readJson(
  request: IncomingMessage,
  { bounds, metrics }: RequestOptions["door"],
): Promise<{ readonly value: unknown; readonly text: string }> {
  const max = bounds.httpBodyBytesMax;
  const isDeclaredTooLong = Number(request.headers["content-length"] ?? 0) > max;
  const text = isDeclaredTooLong ? undefined : await readText(request, max);
  if (text === undefined) {
    metrics.refused("httpBodyBytesMax");
    const message = `the body is too long: ${boundMessage(bounds, "httpBodyBytesMax")}`;
    throw new HttpError("limit", message, { status: 413, headers: { connection: "close" } });
  }
  if (text.trim() === "") return { value: {}, text: "{}" };
  try {
    return { value: JSON.parse(text) as unknown, text };
  } catch {
    throw new HttpError("invalid", "the body is not JSON; see /openapi.json");
  }
}

/**
 * Listeners: an iterator over the stream costs more than the rest of a small request. What comes is
 * copied together: a chunk may be a single byte, and to keep half a million of them takes 100 times
 * what they say.
 */
function readText(request: IncomingMessage, bytesMax: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let read: Buffer = noBytes;
    let bytes = 0;
    let pieces = 0;
    const onData = (chunk: Buffer): void => {
      const before = bytes;
      bytes += chunk.length;
      pieces += 1;
      if (bytes > bytesMax) {
        request.off("data", onData);
        request.pause();
        resolve(undefined);
        return;
      }
      if (pieces > smallPiecesMax && bytes < pieces * pieceBytesMin) {
        // What is in the same piece from the network is not kept either.
        request.off("data", onData).resume();
        const message = `the body comes in pieces of less than ${pieceBytesMin} bytes; send it in larger ones`;
        reject(new HttpError("invalid", message, { headers: { connection: "close" } }));
        return;
      }
      if (before === 0) {
        read = chunk;
        return;
      }
      if (bytes > read.length) {
        const grown = Buffer.allocUnsafe(Math.max(Math.min(2 * bytes, bytesMax), bodyBytesMin));
        read.copy(grown, 0, 0, before);
        read = grown;
        bodies.set(request, grown.length);
      }
      chunk.copy(read, before);
    };
    request.on("data", onData);
    request.on("end", () => {
      if (pieces > 1) bodies.delete(request);
      // Names would be other ones: what is no character becomes U+FFFD, whatever it was.
      if (isUtf8(read.subarray(0, bytes))) resolve(read.toString("utf8", 0, bytes));
      else reject(new HttpError("invalid", "the body is not UTF-8; see /openapi.json"));
      // The request is kept as long as it waits; what came with it need not be.
      read = noBytes;
    });
    request.on("close", () => {
      if (request.complete) return;
      reject(new Error("the client went in the middle of its request"));
    });
  });
}

function isReply(said: unknown): said is Reply {
  return typeof said === "object" && said !== null && "kind" in said && said.kind === "reply";
}

function writeJson(options: RequestOptions, status: number, value: unknown): void {
  writeWhole(options, status, "application/json", `${JSON.stringify(value)}\n`);
}

function writeWhole(
  { response, door }: RequestOptions,
  status: number,
  type: string,
  body: string,
): void {
  // Without its length the answer would be chunked: three writes, and more to read.
  const bytes = Buffer.byteLength(body);
  const length = { "content-length": bytes };
  response.writeHead(status, { ...plain, "content-type": type, ...length }).end(body);
  door.noteWritten(bytes);
}

/** Answers are for the one who asked, now. */
const plain = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

function writeReply(options: RequestOptions, { status, type, body }: Reply): void {
  const { response, door } = options;
  if (typeof body === "string") {
    writeWhole(options, status, type, body);
    return;
  }
  response.writeHead(status, { ...plain, "content-type": type });
  response.flushHeaders();
  const stop = body({
    write(text) {
      if (response.destroyed || response.writableEnded) return;
      response.write(text);
      door.noteWritten(text.length);
      if (response.writableLength <= door.bounds.httpStreamQueueBytesMax) return;
      door.metrics.refused("httpStreamQueueBytesMax");
      response.destroy();
    },
    end: () => void response.end(),
  });
  if (response.destroyed) stop();
  else response.on("close", stop);
}

function writeError(options: RequestOptions, error: HttpError): void {
  const { response } = options;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
  writeJson(options, error.status, error.body);
}

function internalError(error: unknown, logger: Logger): HttpError {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  logger.log("error", `a fault of Muster while answering a request: ${text}`);
  return new HttpError("internal", "a fault of Muster; its log says more, please report it");
}

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("access-control-allow-headers", "authorization, content-type, last-event-id");
  response.setHeader("access-control-allow-methods", "GET, POST, PUT, DELETE");
  response.setHeader("access-control-max-age", "600");
  response.setHeader("vary", "origin");
}
