// SPDX-License-Identifier: MIT
// What a resource of the door is: one value says how it is called, who may, what goes in and out,
// and what it does. The server and the OpenAPI description are both made from it, so that they
// cannot differ. `defineRoute` is how everybody who adds to the door does it.
import type { IncomingHttpHeaders } from "node:http";
import type { z } from "zod";
import type { Action } from "../../wire/link/roles.ts";
import type { Caller } from "./access.ts";
import type { Departure } from "./departure.ts";

/** An answer that is not JSON with the usual status. */
export interface Reply {
  readonly kind: "reply";
  readonly status: number;
  readonly type: string;
  /** A text, or what is written as it comes about; the function returned is called at its end. */
  readonly body: string | ((out: ReplyStream) => () => void);
}

export interface ReplyStream {
  /** A client that does not read is cut when its bound is reached; nothing waits for it. */
  write(text: string): void;
  end(): void;
}

/** A call that has been let in, with what it carries checked against the schemas. */
export interface Call<Params, Query, Body> {
  readonly caller: Caller;
  /** The scope it is about: what it asks for, else the token's own, else `default`. */
  readonly scope: string;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** A member of the body as it was written: no number is rounded. Absent when it was not sent. */
  readonly textOf: (name: string) => string | undefined;
  readonly headers: IncomingHttpHeaders;
  /**
   * Tells when the client is gone; of calls that last also when the token is not good any more or
   * the door closes, with an HttpError that says so.
   */
  readonly gone: Departure;
}

export interface Answer {
  readonly status: number;
  /** For people, in the description. */
  readonly what: string;
  /** Of a JSON body; absent for an answer of another type. */
  readonly schema?: z.ZodType;
  readonly type?: string;
}

export interface RouteDefinition<Params, Query, Body> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `/v1/barriers/{barrier}`: names in braces are the keys of `params`. */
  readonly path: string;
  readonly summary: string;
  /** `anyone`: also without a token. */
  readonly access: Action | "anyone";
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  /** Of a JSON body; without one there is none. An empty body counts as `{}`. */
  readonly body?: z.ZodType<Body>;
  /** Whether `?scope=` chooses a scope; the caller's rights are checked against it. */
  readonly isScoped: boolean;
  /** Of calls that last: how many of one token there may be at once depends on what they are. */
  readonly lasts?: "wait" | "stream";
  readonly answers: readonly Answer[];
  /**
   * @returns a Reply, or a value for JSON with the status of the first answer.
   * @throws HttpError
   */
  readonly handle: (call: Call<Params, Query, Body>) => Promise<unknown> | unknown;
}

/** A route whose types are settled; what the door keeps. */
export interface Route extends Omit<RouteDefinition<unknown, unknown, unknown>, "handle"> {
  readonly handle: (call: Call<unknown, unknown, unknown>) => Promise<unknown> | unknown;
}

/** Ties the types of a handler to the schemas that check what it gets. */
export function defineRoute<Params, Query, Body>(
  definition: RouteDefinition<Params, Query, Body>,
): Route {
  // The door calls `handle` with what these very schemas have accepted.
  return definition as Route;
}
