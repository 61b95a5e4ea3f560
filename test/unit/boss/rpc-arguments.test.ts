// SPDX-License-Identifier: MIT
// Goal: what an argument names is looked for once each, and no caller can name so much that nobody
// else is served. Method: arguments as a call brings them.
import { expect, test } from "vitest";
import { namesMax } from "../../../src/boss/limits.ts";
import { Arguments } from "../../../src/boss/rpc/arguments.ts";
import { array, text } from "../../../src/wire/xmlrpc/index.ts";

const names = (value: ReturnType<typeof text>) => new Arguments(new Map([["node", value]]));

test("names are those of a list or a text, each once, in their order", () => {
  expect(names(text("b a,b  a")).names("node")).toEqual(["b", "a"]);
  expect(names(array([text("b"), text(""), text("b")])).names("node")).toEqual(["b"]);
  expect(() => names(text(" ,")).names("node")).toThrow("`node` names nothing");
});

test("names are at most namesMax, however often each is said", () => {
  const many = Array.from({ length: namesMax }, (_, at) => `n${at}`);
  expect(names(text([...many, ...many].join(" "))).names("node")).toEqual(many);
  expect(() => names(text([...many, "one-more"].join(" "))).names("node")).toThrow(
    `\`node\` has ${namesMax + 1} names; at most ${namesMax} (limit namesMax)`,
  );
});
