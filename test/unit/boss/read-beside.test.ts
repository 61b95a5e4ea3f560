// SPDX-License-Identifier: MIT
// Goal: a file reads those beside it and below, and nothing else of the machine. Method: real files
// and links.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readBeside } from "../../../src/boss/read-beside.ts";
import { fileBytesMax } from "../../../src/experiment/index.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-beside-"));
  mkdirSync(join(folder, "here/below"), { recursive: true });
  writeFileSync(join(folder, "secret"), "secret");
  writeFileSync(join(folder, "here/a.tcl"), "set a ü");
  writeFileSync(join(folder, "here/below/b.tcl"), Buffer.from([0x61, 0xfc]));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (name: string): string | undefined => readBeside(join(folder, "here/x.ns"))(name);

it("reads files beside it and below, in UTF-8 or one character a byte", () => {
  expect(read("a.tcl")).toBe("set a ü");
  expect(read("below/../below/b.tcl")).toBe("aü");
  expect(read(join(folder, "here/a.tcl"))).toBe("set a ü");
});

it("reads nothing above, by no way there", () => {
  symlinkSync("../secret", join(folder, "here/link"));
  symlinkSync("..", join(folder, "here/up"));
  const names = [
    "../secret",
    join(folder, "secret"),
    "link",
    "up/secret",
    "",
    ".",
    "below",
    "none",
  ];
  expect(names.map(read)).toEqual(names.map(() => undefined));
});

it("reads a file as large as an experiment file, none larger, and no pipe", () => {
  writeFileSync(join(folder, "here/large"), "");
  truncateSync(join(folder, "here/large"), fileBytesMax);
  expect(read("large")).toHaveLength(fileBytesMax);
  truncateSync(join(folder, "here/large"), fileBytesMax + 1);
  expect(read("large")).toBeUndefined();
  execFileSync("mkfifo", [join(folder, "here/pipe")]);
  expect(read("pipe")).toBeUndefined();
});
