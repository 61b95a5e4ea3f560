// SPDX-License-Identifier: MIT
// Goal: csh before bash before a refusal, and `>&` understood by each. Method: machines made of a
// directory with links to the shells that are here.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  chooseShell,
  describeSystemError,
  findProgram,
} from "../../../src/testbed/nodes/system-programs.ts";

let machine = "";

beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), "system-programs-"));
});

afterEach(() => {
  rmSync(machine, { recursive: true });
});

function install(name: string, target: string): void {
  symlinkSync(target, join(machine, name));
}

describe("findProgram()", () => {
  test("takes the first that can be run", () => {
    mkdirSync(join(machine, "first"));
    writeFileSync(join(machine, "first/sh"), "no program", { mode: 0o644 });
    install("sh", "/bin/sh");
    expect(findProgram("sh", `${machine}/first:${machine}`)).toBe(join(machine, "sh"));
    expect(findProgram("nothing", machine)).toBeUndefined();
  });
});

describe("chooseShell()", () => {
  test("prefers csh, then tcsh, then bash, and refuses when there is none", () => {
    expect(chooseShell(machine)).toEqual({ text: "", argv: [] });
    install("bash", "/bin/sh");
    expect(chooseShell(machine).text).toBe("bash -c");
    install("tcsh", "/bin/sh");
    expect(chooseShell(machine).argv).toEqual([join(machine, "tcsh"), "-f", "-c"]);
    install("csh", "/bin/sh");
    expect(chooseShell(machine)).toEqual({
      text: "csh -f -c",
      argv: [join(machine, "csh"), "-f", "-c"],
    });
  });

  test.each(["csh", "bash"])("gives a %s that redirects both outputs with >&", (name) => {
    const shell = findProgram(name);
    if (shell === undefined) return;
    install(name, shell);
    const [file = "", ...argv] = chooseShell(machine).argv;
    const both = join(machine, "both");
    execFileSync(file, [...argv, `sh -c 'echo out; echo err 1>&2' >& ${both}`]);
    expect(readFileSync(both, "utf8")).toBe("out\nerr\n");
  });
});

test("describeSystemError() says which limit to raise, and nothing where it knows nothing", () => {
  const emfile = describeSystemError(new Error("spawn sh EMFILE"));
  expect(emfile).toBe("spawn sh EMFILE, too many open files; raise the limit (ulimit -n)");
  expect(describeSystemError(new Error("spawn sh ENOENT"))).toBe("spawn sh ENOENT");
});
