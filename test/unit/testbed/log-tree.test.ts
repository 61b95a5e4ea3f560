// SPDX-License-Identifier: MIT
// Goal: walking over logs keeps to its limits and says what it leaves out. Method: real
// directories, at the limit and one past it.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { logDepthMax, readLogTree, withDirectories } from "../../../src/testbed/logs/log-tree.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "muster-test-"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const deep = (depth: number): string => {
  const folder = join(root, ...Array.from({ length: depth }, () => "d"));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "log"), "");
  return folder;
};

describe("readLogTree()", () => {
  test("sees files in as many directories as the limit, and names the one below", async () => {
    deep(logDepthMax);
    expect((await readLogTree(root)).entries.map(({ path }) => path)).toEqual([
      `${"d/".repeat(logDepthMax)}log`,
    ]);
    const hidden = deep(logDepthMax + 1);
    const { entries, problems } = await readLogTree(root);
    expect(entries).toHaveLength(1);
    expect(problems).toEqual([`${hidden}: deeper than ${logDepthMax} directories, left out`]);
  });

  test("sees as many files as the limit, and says that there are more", async () => {
    for (const name of ["a", "b", "c"]) writeFileSync(join(root, name), "");
    expect(await readLogTree(root, 3)).toMatchObject({ problems: [] });
    const { entries, problems } = await readLogTree(root, 2);
    expect(entries.map(({ path }) => path)).toEqual(["a", "b"]);
    expect(problems).toEqual([`${root}: more than 2 files, the rest is left out; remove some`]);
  });

  test("passes over what is there for a moment only", async () => {
    for (const name of [".p.out.loaded", ".p.status.new", ".loghole-x", ".kept.new", "p.out.1"]) {
      writeFileSync(join(root, name), "");
    }
    expect((await readLogTree(root)).entries.map(({ path }) => path)).toEqual([
      ...[".kept.new", "p.out.1"],
    ]);
  });

  test("finds nothing where there is no directory", async () => {
    expect(await readLogTree(join(root, "none"))).toEqual({ entries: [], problems: [] });
    expect(await readLogTree(undefined)).toEqual({ entries: [], problems: [] });
  });
});

describe("withDirectories()", () => {
  test("makes what is missing, and lends the last by a name that other processes know", async () => {
    const path = join(root, "a/b");
    await withDirectories(root, ["a", "b"], async (lent) => {
      expect(lent.path).toBe(path);
      execFileSync("touch", [join(lent.at, "file")]);
    });
    expect(readdirSync(path)).toEqual(["file"]);
    expect(await withDirectories(root, ["a", "b"], async () => 7)).toBe(7);
  });

  test("writes where it was asked to, whatever is put in its place meanwhile", async () => {
    const elsewhere = join(root, "elsewhere");
    mkdirSync(elsewhere);
    await withDirectories(root, ["logs", "a"], async ({ at }) => {
      renameSync(join(root, "logs"), join(root, "moved"));
      symlinkSync(root, join(root, "logs"));
      symlinkSync(elsewhere, join(root, "a"));
      writeFileSync(join(at, "report"), "text");
    });
    expect(readFileSync(join(root, "moved/a/report"), "utf8")).toBe("text");
    expect(existsSync(join(elsewhere, "report"))).toBe(false);
  });

  test.each(["logs", "logs/a"])("refuses a link at %s, and holds on to nothing", async (place) => {
    mkdirSync(join(root, "elsewhere/a"), { recursive: true });
    if (place !== "logs") mkdirSync(join(root, "logs"));
    symlinkSync(join(root, "elsewhere"), join(root, place));
    const held = (): number => readdirSync("/proc/self/fd").length;
    const before = held();
    const used = withDirectories(root, ["logs", "a"], async () => undefined);
    await expect(used).rejects.toThrow(`${join(root, place)} is not a directory`);
    expect(held()).toBe(before);
  });
});
