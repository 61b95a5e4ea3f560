// SPDX-License-Identifier: MIT
// Goal: what `muster simulate` is asked for and cannot do is refused in words that say what to give
// instead. Method: its readers alone.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { parseFaults, readScript } from "../../../src/cli/commands/simulate-cluster.ts";

const directory = mkdtempSync(join(tmpdir(), "muster-script-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("refuses a fault that strikes only beside another one", () => {
  expect(() => parseFaults(["cut-tree"])).toThrow(
    "--fault cut-tree does nothing by itself; add --fault trees",
  );
  expect(() => parseFaults(["crash", "lose-snapshots=0.5"])).toThrow("add --fault snapshots");
  expect(parseFaults(["trees", "cut-tree=0.5"])).toMatchObject({ "cut-tree": 0.5 });
  // All but trees: what strikes there only is left to do nothing.
  expect(parseFaults(["all"])).toHaveProperty("cut-tree");
});

it("refuses faults that are drawn and named at once", () => {
  expect(() => parseFaults(["draw", "crash"])).toThrow("say it alone, or name yours alone");
  expect(parseFaults(["draw"])).toBe("draw");
});

it("reads no script without end", () => {
  const message = "cannot read /dev/zero: it is no regular file";
  const fault = expect.objectContaining({ exitCode: 66, message });
  expect(() => readScript("/dev/zero")).toThrow(fault);
});

it("says of a script that it is not there, or that it is none", () => {
  const file = join(directory, "script.json");
  expect(() => readScript(file)).toThrow(
    expect.objectContaining({ exitCode: 66, message: expect.stringContaining("no such file") }),
  );
  for (const text of ["root:x:0:0", "null", "{}"]) {
    writeFileSync(file, text);
    const message = `${file} is no script of a simulation; one is written when a seed fails`;
    expect(() => readScript(file)).toThrow(expect.objectContaining({ exitCode: 64, message }));
  }
});
