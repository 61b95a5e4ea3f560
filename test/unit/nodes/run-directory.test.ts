// SPDX-License-Identifier: MIT
// Goal: a directory of a run that cannot be written to is not left behind: without the name of its
// owner nobody would ever take it for left over. Where there can be none, that is a sentence.
// Method: a real one, in a process that may write no byte to a file, as where the disk is full; a
// temporary directory that does not exist.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { doctorCommand } from "../../../src/cli/commands/doctor.ts";
import { findLeftovers, findLiving } from "../../../src/testbed/nodes/run-directory.ts";

const source = fileURLToPath(
  new URL("../../../src/testbed/nodes/run-directory.ts", import.meta.url),
);

it("a run directory on a full disk is gone again, and the reason is said", () => {
  const temporary = mkdtempSync(join(tmpdir(), "muster-test-"));
  try {
    const script = `import { createRunDirectory } from ${JSON.stringify(source)};
      try { createRunDirectory("r1"); } catch ({ message }) { console.log(message); }`;
    const argv = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", script];
    const limited = ["-c", 'ulimit -f 0; exec "$@"', "sh", process.execPath, ...argv];
    const said = execFileSync("sh", limited, {
      encoding: "utf8",
      env: { ...process.env, TMPDIR: temporary },
    });
    expect(said).toMatch(/^no directory can be made in .*EFBIG.*; set TMPDIR to one where you may/);
    expect(readdirSync(temporary)).toEqual([]);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
});

it("runs are not looked for where nothing can be read, and the doctor says so", async () => {
  const nowhere = join(tmpdir(), `muster-test-${process.pid}-none`);
  expect([findLeftovers(nowhere), findLiving(nowhere)]).toEqual([[], []]);
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = nowhere;
  try {
    const io = { stdout: () => undefined, stderr: () => undefined };
    await expect(doctorCommand({ clean: false, json: false }, io)).rejects.toThrow(
      /^no run is possible here: no directory can be made in .*; set TMPDIR to one where you may$/,
    );
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
});
