// SPDX-License-Identifier: MIT
// Goal: a run with an unusual temporary directory, or too few open files, works or says what to
// change. Method: `muster run` with TMPDIR and limits as a user may have them; what is hard to
// bring about in a run, in a process of its own that uses up its descriptors.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run, scratch } from "./support/command.ts";
import { nodesWith, runBody } from "./support/experiment.ts";

test("a relative TMPDIR works and is empty afterwards", async () => {
  const cwd = scratch();
  mkdirSync(join(cwd, "tmp"));
  const { result } = await runBody(nodesWith("true"), [], { cwd, env: { TMPDIR: "tmp" } });
  expect(result).toMatchObject({ outcome: "passed", error: null });
  expect(readdirSync(cwd)).toEqual(["tmp"]);
  expect(readdirSync(join(cwd, "tmp"))).toEqual([]);
});

test("a TMPDIR that is none is a sentence that says what to do, and nothing is made", async () => {
  const cwd = scratch();
  writeFileSync(join(cwd, "file"), "");
  writeFileSync(join(cwd, "e.yaml"), "nodes: [a]\n");
  for (const name of ["none", "file"]) {
    const TMPDIR = join(cwd, name);
    const { code, stderr } = await run("muster", ["run", "e.yaml"], { cwd, env: { TMPDIR } });
    expect(code).toBe(73);
    expect(stderr).toContain(`no directory can be made in ${TMPDIR}: `);
    expect(stderr).toMatch(/set TMPDIR to one where you may\n$/);
  }
  expect(readdirSync(cwd).sort()).toEqual(["e.yaml", "file"]);
});

// Enough for Muster to load, too few for what it starts.
test.each([28, 30])("with %i open files a run says which limit to raise", async (count) => {
  const prefix = ["sh", "-c", `ulimit -n ${count}; exec "$@"`, "sh"];
  const { stdout, stderr } = await runBody(nodesWith("true"), [], { prefix });
  expect(stdout + stderr).toContain("raise the limit (ulimit -n)");
  expect(stdout + stderr).not.toMatch(/TypeError|Unhandled/);
});

test("with no open files left a node is not added, and the process that asks goes on", () => {
  const module = new URL("../../src/testbed/nodes/late-holder.ts", import.meta.url);
  const clock = new URL("../../src/host/clock.ts", import.meta.url);
  const script = `
    import { closeSync, openSync } from "node:fs";
    import { startLateHolder } from ${JSON.stringify(module.href)};
    import { systemClock } from ${JSON.stringify(clock.href)};
    const files = [];
    try {
      for (;;) files.push(openSync("/dev/null"));
    } catch {}
    const input = { runId: "r", clock: systemClock, keeper: "1", asUser: false };
    const said = await startLateHolder({ ...input, name: "a", hostName: "a", onGone() {} });
    for (const file of files) closeSync(file);
    console.log(said);`;
  const node = [process.execPath, "--input-type=module", "--eval", script];
  const argv = ["-c", 'ulimit -n 64; exec "$@"', "sh", ...node];
  const said = execFileSync("sh", argv, { encoding: "utf8" });
  expect(said).toContain("raise the limit (ulimit -n)");
});
