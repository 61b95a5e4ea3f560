// SPDX-License-Identifier: MIT
// Goal: what is named in place of a small file holds nobody up and takes no memory, and the output
// of a command still is one.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readSmallFile } from "../../../src/engine/small-file.ts";

let folder = "";
let pipe = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-small-file-"));
  pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("gives up a pipe that nobody writes to", () => {
  expect(() => readSmallFile(pipe, 20)).toThrow("nothing comes from it");
});

it("reads a pipe that somebody begins to write to later, to its end", async () => {
  const writer = spawn("sh", ["-c", `exec >"$0"; printf one; printf two`, pipe]);
  const ended = once(writer, "exit");
  expect(readSmallFile(pipe)).toBe("onetwo");
  await ended;
});

it("ends at what is too large, and at nothing", () => {
  expect(() => readSmallFile("/dev/zero")).toThrow("larger than 2 MiB");
  expect(readSmallFile("/dev/null")).toBe("");
});
