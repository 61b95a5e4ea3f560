// SPDX-License-Identifier: MIT
// Goal: a pid file means one process, of one experiment (P1-P3). Method: files in a directory of
// the test's own, about this very process.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PidFile } from "../../../src/events/launch/pid-file.ts";
import { identifyProcess } from "../../../src/events/launch/process-identity.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-pid-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const self = identifyProcess(process.pid) ?? { pid: 0, startTicks: "" };
const open = (pid = "p", eid = "e"): PidFile => new PidFile(directory, { pid, eid });

describe("PidFile", () => {
  it("reads back what it wrote, the id alone on the first line, and nothing lies beside it", () => {
    expect(open().read()).toEqual({ kind: "none" });
    open().write(self);
    expect(open().read()).toEqual({ kind: "running", process: self });
    expect(readFileSync(open().path, "utf8")).toBe(`${process.pid}\n${self.startTicks}\np/e\n`);
    expect(readdirSync(directory)).toEqual(["p_e.pid"]);
    open().remove();
    open().remove();
    expect(open().read()).toEqual({ kind: "none" });
  });

  it.each([
    ["another start", `${process.pid}\n1\np/e\n`, process.pid],
    ["another experiment", `${process.pid}\n${self.startTicks}\np/f\n`, undefined],
    ["the id alone", `${process.pid}\n`, undefined],
    ["nothing", "", undefined],
    ["garbage", "-1\n-1\np/e\n", undefined],
  ])("takes a file with %s for a dead scheduler's", (_, text, pid) => {
    writeFileSync(open().path, text);
    expect(open().read()).toEqual({ kind: "dead", pid });
  });

  it("keeps apart experiments whose names differ only in where the _ stands", () => {
    const paths = [
      ["a_b", "c"],
      ["a", "b_c"],
      ["a_b", "_c"],
      ["a_b_", "c"],
    ].map(([pid, eid]) => open(pid, eid).path);
    expect(new Set(paths).size).toBe(4);
    expect(open("testbed", "exp_1").path).toBe(join(directory, "testbed_exp_1.pid"));
  });
});
