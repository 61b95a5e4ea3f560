// SPDX-License-Identifier: MIT
// What a request asks for, by the table of routes: the answer of the one before is taken again when
// the same is asked for, and only then.
import { expect, it } from "vitest";
import { HttpError } from "../../../src/edges/http/errors.ts";
import type { Route } from "../../../src/edges/http/route.ts";
import { RouteTable } from "../../../src/edges/http/route-table.ts";

const routeOf = (method: string, path: string): Route =>
  ({ method, path, summary: `${method} ${path}` }) as unknown as Route;

const routes = new RouteTable();
routes.add(routeOf("GET", "/v1/barriers/{barrier}"));
routes.add(routeOf("DELETE", "/v1/barriers/{barrier}"));
routes.add(routeOf("POST", "/v1/barriers/{barrier}/wait"));

const look = (method: string, url: string): readonly unknown[] => {
  const { route, params, given } = routes.seek({ method, url });
  return [route.summary, params, given];
};

it("seek() answers the same again, and nothing else, with what was found last", () => {
  const one = ["GET /v1/barriers/{barrier}", { barrier: "a" }, { scope: "s" }];
  expect(look("GET", "/v1/barriers/a?scope=s")).toEqual(one);
  expect(look("GET", "/v1/barriers/a?scope=s")).toEqual(one);
  expect(routes.seek({ method: "GET", url: "/v1/barriers/a" })).toBe(
    routes.seek({ method: "GET", url: "/v1/barriers/a" }),
  );
  expect(look("DELETE", "/v1/barriers/a")).toEqual([
    ...["DELETE /v1/barriers/{barrier}", { barrier: "a" }, {}],
  ]);
  expect(look("DELETE", "/v1/barriers/b?scope=s&scope=t")).toEqual([
    ...["DELETE /v1/barriers/{barrier}", { barrier: "b" }, { scope: "t" }],
  ]);
});

it("seek() keeps nothing of what is refused", () => {
  look("POST", "/v1/barriers/a/wait");
  expect(() => look("PUT", "/v1/barriers/a/wait")).toThrow(HttpError);
  expect(() => look("PUT", "/v1/barriers/a/wait")).toThrow(/takes POST, not PUT/);
  expect(() => look("POST", "/nowhere")).toThrow(/there is no/);
  expect(() => look("GET", "//")).toThrow(HttpError);
  expect(look("POST", "/v1/barriers/%61/wait")[1]).toEqual({ barrier: "a" });
});
