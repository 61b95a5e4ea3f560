// SPDX-License-Identifier: MIT
// Goal: `muster parse` says what is wrong with a file it cannot read, and prints what it can in all
// three forms with the documented exit status. Method: files in a temporary directory.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { experimentName, loadExperiment, runParse } from "../../../src/cli/commands/parse.ts";
import { fileBytesMax } from "../../../src/experiment/limits.ts";

const folder = mkdtempSync(path.join(tmpdir(), "muster-parse-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function parse(file: string, format: "text" | "json" | "rows", set: string[] = []) {
  let out = "";
  let errors = "";
  const io = {
    stdout: (text: string) => {
      out += text;
    },
    stderr: (text: string) => {
      errors += text;
    },
  };
  const exit = await runParse({ file, format, compat: false, set }, io);
  return { exit, out, errors };
}

const good = `set ns [new Simulator]
set b [$ns node]
set a [$ns node]
set l [$ns duplex-link $a $b 10Mb 20ms DropTail]
set p [$a program-agent -command "sleep 1"]
$ns at 2 "$p start"
$ns at 1 "$l down"
$ns run
`;

test("runParse() says why a file cannot be read", async () => {
  const missing = await parse(path.join(folder, "none.ns"), "text");
  expect(missing).toMatchObject({ exit: 66, out: "" });
  expect(missing.errors).toContain("there is no such file");
  const directory = await parse(folder, "text");
  expect(directory.exit).toBe(66);
  expect(directory.errors).toContain("it is a directory");
});

test("runParse() refuses a file beyond the limit without reading it", async () => {
  const file = write("large.ns", "");
  truncateSync(file, fileBytesMax + 1);
  const result = await parse(file, "text");
  expect(result.exit).toBe(1);
  expect(result.errors).toContain("4 MiB");
});

test("runParse() prints a summary, events in order of time", async () => {
  const { exit, out, errors } = await parse(write("good.ns", good), "text");
  expect({ exit, errors }).toEqual({ exit: 0, errors: "" });
  expect(out.indexOf("l DOWN")).toBeLessThan(out.indexOf("p START"));
  expect(out).toContain("sync server: a (the first node by name");
  expect(out).toContain("10.1.1.2");
});

test("runParse() prints JSON and rows that can be read back", async () => {
  const file = write("good.ns", good);
  const json = JSON.parse((await parse(file, "json")).out);
  expect(json.experiment.nodes.length).toBe(2);
  const rows = JSON.parse((await parse(file, "rows")).out);
  expect(rows.exit).toBe(0);
  expect(rows.tables.virt_nodes.length).toBe(2);
});

test("runParse() refuses a faulty file with a caret on stderr", async () => {
  const file = write("bad.ns", `${good.replace("duplex-link", "duplex-lnik")}`);
  const { exit, errors, out } = await parse(file, "rows");
  expect(exit).toBe(1);
  expect(errors).toContain('= Did you mean "duplex-link"?');
  expect(JSON.parse(out)).toEqual({ exit: 1, tables: {} });
});

test("runParse() hands --set to the file and refuses one without a value", async () => {
  const file = write("set.ns", `set x $opt(N)\n${good}`);
  expect((await parse(file, "text", ["opt(N)=3"])).exit).toBe(0);
  expect((await parse(file, "text")).exit).toBe(1);
  expect((await parse(file, "text", ["N"])).exit).toBe(64);
});

test("loadExperiment() reads files of older encodings", async () => {
  const bytes = Buffer.from(`# caf\u00e9\n${good}`, "latin1");
  const { experiment, source } = await loadExperiment(write("old.ns", bytes));
  expect(experiment?.pid).toBe("muster");
  expect(experiment?.eid).toBe("old");
  expect(source).toContain("café");
});

test.each([
  ["a/quick start.ns", "quick-start"],
  ["x.ns", "expx"],
  ["___.ns", "exp"],
  [`${"long".repeat(9)}.ns`, "longlonglonglonglon"],
])("experimentName(%j) is %j", (file, name) => {
  expect(experimentName(file)).toBe(name);
});
