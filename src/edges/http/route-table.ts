// SPDX-License-Identifier: MIT
// The routes of a door, and which of them a path means. Every request is held against them, so that
// paths are taken apart once, when a route is mounted.
import type { IncomingMessage } from "node:http";
import { assert } from "../../core/assert.ts";
import { HttpError } from "./errors.ts";
import type { Route } from "./route.ts";
import { targetOf } from "./target.ts";

/** One segment of a route's path: a text, or the name of a parameter. */
interface PatternPart {
  readonly text: string;
  readonly name: string | undefined;
}

interface Row {
  readonly route: Route;
  readonly pattern: readonly PatternPart[];
}

export interface FoundRoute {
  readonly route: Route;
  /** The segments that stand for a name in braces, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** What a request asks for. */
export interface Sought extends FoundRoute {
  /** The query, of each name the last. */
  readonly given: Readonly<Record<string, string>>;
  /** A name that the query has more than once. */
  readonly repeated: string | undefined;
}

type Line = Pick<IncomingMessage, "method" | "url">;

export class RouteTable {
  /** By number of segments. */
  readonly #rows = new Map<number, Row[]>();
  readonly #routes: Route[] = [];
  /** What was asked for last: the parties of a crowd ask for the same. */
  #last: (Line & { readonly sought: Sought }) | undefined;

  /** In the order in which they were mounted. */
  get routes(): readonly Route[] {
    return this.#routes;
  }

  /** @throws AssertionError when another has its method and path. */
  add(route: Route): void {
    const { method, path } = route;
    const isTaken = this.#routes.some((one) => method === one.method && path === one.path);
    assert(!isTaken, `two routes for ${method} ${path}`);
    this.#routes.push(route);
    const pattern = patternOf(path);
    const rows = this.#rows.get(pattern.length) ?? [];
    this.#rows.set(pattern.length, rows);
    rows.push({ route, pattern });
  }

  /** @throws HttpError as `find`, or (invalid) when what is asked for is no path */
  seek(line: Line): Sought {
    const { method, url } = line;
    const last = this.#last;
    if (last !== undefined && last.url === url && last.method === method) return last.sought;
    const { pathname, search, searchParams } = targetOf(line);
    const { route, params } = this.find(method, pathname);
    const given = search === "" ? {} : Object.fromEntries(searchParams);
    const repeated = search === "" ? undefined : repeatedOf(searchParams);
    const sought = { route, params, given, repeated };
    this.#last = { method, url, sought };
    return sought;
  }

  /** @throws HttpError (not-found), or (invalid) when the path takes another method. */
  find(method: string | undefined, pathname: string): FoundRoute {
    const segments = pathname.split("/");
    const others: string[] = [];
    for (const { route, pattern } of this.#rows.get(segments.length) ?? []) {
      if (!isMatch(pattern, segments)) continue;
      if (route.method === method) return { route, params: paramsOf(pattern, segments) };
      others.push(route.method);
    }
    if (others.length === 0) {
      throw new HttpError("not-found", `there is no ${pathname} here; see /openapi.json`);
    }
    const allow = others.join(", ");
    const message = `${pathname} takes ${allow}, not ${method}; see /openapi.json`;
    throw new HttpError("invalid", message, { status: 405, headers: { allow } });
  }
}

function repeatedOf(query: URLSearchParams): string | undefined {
  return [...query.keys()].find((name, at, names) => names.indexOf(name) !== at);
}

function patternOf(path: string): readonly PatternPart[] {
  return path.split("/").map((text) => ({ text, name: /^\{(\w+)\}$/.exec(text)?.[1] }));
}

function isMatch(pattern: readonly PatternPart[], segments: readonly string[]): boolean {
  for (let at = 0; at < pattern.length; at += 1) {
    const part = pattern[at];
    if (part?.name === undefined && part?.text !== segments[at]) return false;
  }
  return true;
}

function paramsOf(
  pattern: readonly PatternPart[],
  segments: readonly string[],
): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  for (let at = 0; at < pattern.length; at += 1) {
    const name = pattern[at]?.name;
    if (name !== undefined) params[name] = decode(segments[at] ?? "");
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpError("invalid", `${segment} is not percent-encoded UTF-8; write % as %25`);
  }
}
