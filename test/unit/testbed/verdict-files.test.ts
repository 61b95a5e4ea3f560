// SPDX-License-Identifier: MIT
// Goal: what a linktest has found does not depend on the files that it leaves, and those are
// written where they belong, whatever programs of the experiment have put there.
// Method: files in a directory of the test.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { untestable, type Verdict } from "../../../src/linktest/index.ts";
import { writeVerdictFiles } from "../../../src/testbed/linktest/verdict-files.ts";

const edge = { from: "a", to: "b", link: "l" } as Verdict["edge"];
const bad: Verdict = { ...untestable("latency", edge, "late"), verdict: "bad" };

let out = "";
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "muster-verdicts-"));
  for (const name of ["linktest", "proj/tbdata", "other/linktest"]) {
    mkdirSync(join(out, name), { recursive: true });
  }
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const write = (judged: readonly Verdict[]) =>
  writeVerdictFiles({ out, file: "verdicts-1.json", verdicts: [bad], judged });
const list = (name: string) => readdirSync(join(out, name)).sort();

it("writes all verdicts, and errors by node, which go with the next test", async () => {
  expect(await write([bad])).toEqual([]);
  expect(list("linktest")).toEqual(["verdicts-1.json", "verdicts.json"]);
  expect(readFileSync(join(out, "proj/tbdata/linktest/a.error"), "utf8")).toContain("late");
  expect(await write([])).toEqual([]);
  expect(list("proj/tbdata")).toEqual([]);
});

it("says what cannot be written, and writes the rest", async () => {
  rmSync(join(out, "proj/tbdata"), { recursive: true });
  writeFileSync(join(out, "proj/tbdata"), "");
  const no = expect.stringMatching(/^linktest: the error files cannot be written: .*tbdata is not/);
  expect(await write([bad])).toEqual([no]);
  expect(list("linktest")).toHaveLength(2);
  rmSync(join(out, "linktest"), { recursive: true });
  expect(await write([bad])).toEqual([expect.stringContaining("ENOENT"), no]);
});

it("follows no link that a program has made", async () => {
  writeFileSync(join(out, "other/linktest/kept"), "");
  rmSync(join(out, "proj/tbdata"), { recursive: true });
  symlinkSync(join(out, "other"), join(out, "proj/tbdata"));
  expect(await write([bad])).toHaveLength(1);
  rmSync(join(out, "proj/tbdata"));
  mkdirSync(join(out, "proj/tbdata"));
  symlinkSync(join(out, "other/linktest"), join(out, "proj/tbdata/linktest"));
  expect(await write([bad])).toEqual([]);
  expect(list("other/linktest")).toEqual(["kept"]);
});
