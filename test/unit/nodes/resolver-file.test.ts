// SPDX-License-Identifier: MIT
// Goal: a resolver file is mounted in front of the machine's wherever that can be, and nowhere
// else: a mount over nothing would keep the node from coming up. Method: files and links in a
// scratch directory, a part of which nodes do not see.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isMountedOver, resolverText } from "../../../src/testbed/nodes/resolver-file.ts";

let directory = "";

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "resolver-test-")));
  for (const name of ["etc", "run", "unseen"]) mkdirSync(join(directory, name));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const isOver = (): boolean =>
  isMountedOver(join(directory, "etc/resolv.conf"), [join(directory, "unseen")]);

function link(from: string, to: string): void {
  symlinkSync(to, join(directory, from));
}

test("a file is mounted over, and one that links lead to", () => {
  expect(isOver()).toBe(false);
  writeFileSync(join(directory, "run/real"), "");
  link("run/stub", "real");
  link("etc/resolv.conf", "../run/stub");
  expect(isOver()).toBe(true);
});

test("what nodes have no file at is not: nothing, a directory, a link into what they do not see", () => {
  link("etc/resolv.conf", "../run/gone");
  expect(isOver()).toBe(false);
  rmSync(join(directory, "etc/resolv.conf"));
  mkdirSync(join(directory, "etc/resolv.conf"));
  expect(isOver()).toBe(false);
  rmSync(join(directory, "etc/resolv.conf"), { recursive: true });
  writeFileSync(join(directory, "run/real"), "");
  link("unseen/stub", "../run/real");
  link("etc/resolv.conf", join(directory, "unseen/stub"));
  expect(isOver()).toBe(false);
});

test("no server is named where none can be reached", () => {
  expect(resolverText(true)).not.toMatch(/^[^#\n]/m);
});
