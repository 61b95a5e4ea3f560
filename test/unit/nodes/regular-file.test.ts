// SPDX-License-Identifier: MIT
// Goal: what programs put where Muster reads and appends cannot make it wait or write elsewhere.
// Method: each kind of file in the place of the output; a call that waited would end no test.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readTail } from "../../../src/testbed/agents/output-tail.ts";
import { openRegularFile } from "../../../src/testbed/nodes/regular-file.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-regular-"));
  path = join(folder, "output");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const descriptorCount = (): number => readdirSync("/proc/self/fd").length;
const others: readonly (readonly [string, () => void])[] = [
  ["a FIFO", () => void execFileSync("mkfifo", [path])],
  ["a link to a file", () => symlinkSync(join(folder, "elsewhere"), path)],
  ["a link to a device", () => symlinkSync("/dev/zero", path)],
  ["a directory", () => mkdirSync(path)],
];

describe.each(others)("%s", (_, make) => {
  beforeEach(() => {
    writeFileSync(join(folder, "elsewhere"), "kept");
    make();
  });

  test.each(["read", "append"] as const)("is refused for %s, with what to do", (access) => {
    const before = descriptorCount();
    expect(openRegularFile(path, access)).toMatch(/output is not a regular file; .*remove it$/);
    expect(descriptorCount()).toBe(before);
    expect(readFileSync(join(folder, "elsewhere"), "utf8")).toBe("kept");
  });

  test("has no tail", () => {
    expect(readTail(path, 100)).toBe("");
  });
});

test("a FIFO that somebody reads and writes is refused all the same", () => {
  execFileSync("mkfifo", [path]);
  const other = openSync(path, constants.O_RDWR);
  expect(openRegularFile(path, "append")).toMatch(/not a regular file/);
  expect(readTail(path, 100)).toBe("");
  closeSync(other);
});

test("a regular file is made, appended to, and its end is read", () => {
  for (const text of ["one ", "two"]) {
    const descriptor = openRegularFile(path, "append");
    if (typeof descriptor === "string") throw new Error(descriptor);
    writeSync(descriptor, text);
    closeSync(descriptor);
  }
  expect(readTail(path, 100)).toBe("one two");
  expect(readTail(path, 3)).toBe("two");
  expect(readTail(join(folder, "missing"), 3)).toBe("");
  expect(openRegularFile(join(folder, "missing"), "read")).toMatch(/ENOENT/);
});
