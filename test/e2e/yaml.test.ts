// SPDX-License-Identifier: MIT
// Goal: every command that takes an experiment file takes YAML too. Method: the commands
// themselves, on the examples.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { run, scratch } from "./support/command.ts";

const example = (name: string): string => resolve(import.meta.dirname, "../../examples", name);

test("muster parse explains a YAML file and draws it", async () => {
  const explained = await run("muster", ["parse", example("two-sites.yaml"), "--explain"]);
  expect(explained.code).toBe(0);
  expect(explained.stdout).toContain("each way: ");
  expect(explained.stdout).toMatch(/sync server: \S+ \(/);
  const svg = await run("muster", ["parse", example("two-sites.yaml"), "--graph", "svg"]);
  expect(svg.stdout).toMatch(/^<svg/);
  const dot = await run("muster", ["parse", example("quickstart.ns"), "--graph", "dot"]);
  expect(dot.stdout).toMatch(/^graph/);
});

test("muster parse says how to get rows of a YAML file, and what is for NS only", async () => {
  const rows = await run("muster", ["parse", example("two-sites.yaml"), "--format", "rows"]);
  expect(rows.code).toBe(64);
  expect(rows.stderr).toContain("muster convert");
  const compat = await run("muster", ["parse", example("two-sites.yaml"), "--compat"]);
  expect(compat.code).toBe(64);
  expect(compat.stderr).toContain("--compat is for NS files");
});

test("muster run passes a YAML file", async () => {
  const cwd = scratch();
  const ran = await run("muster", ["run", example("quickstart.yaml"), "--out", "out"], { cwd });
  expect(ran.stderr).toBe("");
  expect(ran.code).toBe(0);
});

test("commands of a YAML file are run by sh, and by csh where it says so", async () => {
  const cwd = scratch();
  const forSh = "for i in 1 2; do echo n $i; done; export X=1; test $X = 1";
  const text = [
    "nodes: [a]",
    "programs:",
    `  plain: {node: a, command: "${forSh}", start: 0s}`,
    `  named: {node: a, shell: sh, command: "${forSh}", start: 0s}`,
  ];
  writeFileSync(join(cwd, "sh.yaml"), text.join("\n"));
  const ran = await run("muster", ["run", "sh.yaml", "--out", "out"], { cwd });
  expect(ran.stdout).toContain("commands run in sh");
  expect(ran.code).toBe(0);
  const csh = text.map((line) => line.replace("shell: sh", "shell: csh"));
  writeFileSync(join(cwd, "csh.yaml"), csh.join("\n"));
  const parsed = await run("muster", ["parse", "csh.yaml"], { cwd });
  expect(parsed.stderr).toMatch(/csh\.yaml:4:\d+: note\[CSH_COMMAND\]: the command of named/);
});

test("a pipe by name and a device are refused, and standard input is read", async () => {
  const cwd = scratch();
  spawnSync("mkfifo", [join(cwd, "pipe.ns")]);
  for (const file of ["pipe.ns", "/dev/zero"]) {
    for (const command of ["parse", "run"]) {
      const refused = await run("muster", [command, file], { cwd });
      expect(refused.code, file).toBe(66);
      expect(refused.stderr).toContain("not a regular file; write it to a file first");
    }
  }
  const input = "set ns [new Simulator]\nset a [$ns node]\n$ns run\n";
  const muster = resolve(import.meta.dirname, "../../bin/muster");
  for (const file of ["-", "/dev/stdin"]) {
    const read = spawnSync(muster, ["parse", file], { cwd, input, encoding: "utf8" });
    expect(read.stdout).toContain("nodes: 1");
  }
});
