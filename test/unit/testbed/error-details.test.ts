// SPDX-License-Identifier: MIT
// Goal: a report says of an error what its files say, and names no file that nobody was to write.
// Method: records of errors, and a directory of an experiment with and without files.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeError } from "../../../src/testbed/agents/error-details.ts";

let experiment: string;
beforeEach(() => {
  experiment = mkdtempSync(join(tmpdir(), "muster-error-details-"));
});
afterEach(() => rmSync(experiment, { recursive: true }));

const nodeOf = (name: string) => (name === "p" ? "n0" : undefined);
const record = { object: "p", type: "PROGRAM", token: 7, error: 3, text: "" };
const describe = (part: Partial<typeof record> = {}) =>
  describeError({ ...record, ...part }, { experiment, nodeOf });

test("a program's status and last words, and what is missing of them", async () => {
  const folder = join(experiment, "logs/n0/local/logs");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "p.status.7"), "NAME=p\nEXIT_CODE=3\n");
  writeFileSync(join(folder, "p.err.7"), "woe\n");
  expect(await describe({ text: "late" })).toEqual({
    title: "program p, token 7: error 3: late",
    status: ["EXIT_CODE=3"],
    parts: [
      { kind: "missing", path: "logs/n0/local/logs/p.out.7" },
      { kind: "tail", path: "logs/n0/local/logs/p.err.7", text: "woe" },
    ],
  });
});

test("a program that ran and left nothing misses its files; a refused start does not", async () => {
  expect((await describe()).parts.map(({ kind }) => kind)).toEqual(Array(3).fill("missing"));
  expect(await describe({ error: -1, text: "it is still running" })).toEqual({
    title: "program p, token 7: error -1: it is still running",
    status: [],
    parts: [],
  });
});

test("a group is called one, although its type is that of its members", async () => {
  const title = "group g, token 7: error 3";
  expect(await describe({ object: "g" })).toEqual({ title, status: [], parts: [] });
});
