// SPDX-License-Identifier: MIT
// Goal: what cannot be run is refused before anything is started: one clear message that says what
// to do, the exit status of docs/reference/cli.md, and no output directory.
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isRoot } from "./nodes-support/harness.ts";
import { run, scratch } from "./support/command.ts";
import { nodesWith, runBody, writeExperiment } from "./support/experiment.ts";

const good = `set ns [new Simulator]\nset a [$ns node]\n$ns run\n`;

interface Refused {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly madeOut: boolean;
}

async function runText(text: string | Uint8Array, argv: readonly string[] = []): Promise<Refused> {
  const directory = scratch();
  writeFileSync(join(directory, "test.ns"), text);
  return await runFile(directory, "test.ns", argv);
}

async function runFile(cwd: string, file: string, argv: readonly string[]): Promise<Refused> {
  const ran = await run("muster", ["run", file, "--out", "out", ...argv], { cwd });
  return { ...ran, madeOut: existsSync(join(cwd, "out")) };
}

/** The lines of findings, without the excerpts of the file below them. */
const findings = (stderr: string): readonly string[] =>
  stderr.split("\n").filter((line) => line !== "" && !line.startsWith("  "));

describe("an experiment file is refused with 65", () => {
  test.each([
    {
      what: "without $ns run",
      text: "set ns [new Simulator]\nset a [$ns node]\n",
      finding: /^test\.ns:2:17: error\[NS_NO_RUN\]/,
      help: "Add as the last line: $ns run",
    },
    {
      what: "with an unknown command",
      text: good.replace("$ns run", "tb-set-hardwear $a pc\n$ns run"),
      finding: /^test\.ns:3:1: error\[NS_UNKNOWN_COMMAND\].*tb-set-hardwear/,
      help: "Did you mean",
    },
    {
      what: "with an endless loop",
      text: good.replace("$ns run", "while 1 {}\n$ns run"),
      finding: /^test\.ns:3:7: error\[TCL_STEPS\]/,
      help: "Look for a loop that never ends.",
    },
    {
      what: "with a node name twice",
      text: good.replace("$ns run", "set a [$ns node]\n$ns run"),
      finding: /^test\.ns:3:5: error\[NS_NAME_TAKEN\].*"a"/,
      help: "It was made at test.ns:2.",
    },
  ])("$what", async ({ text, finding, help }) => {
    const { code, stdout, stderr, madeOut } = await runText(text);
    expect(code).toBe(65);
    expect(stdout).toBe("");
    expect(findings(stderr)).toEqual([
      expect.stringMatching(finding),
      "muster: test.ns has 1 error; nothing was run",
    ]);
    expect(stderr).toContain(help);
    expect(madeOut).toBe(false);
  });

  test("of 10 MB", async () => {
    const { code, stderr, madeOut } = await runText(Buffer.alloc(10_000_000, "# nothing\n"));
    expect(code).toBe(65);
    expect(stderr).toMatch(/^muster: test\.ns: 10000000 bytes are more than the 4 MiB .*; make it/);
    expect(findings(stderr)).toHaveLength(1);
    expect(madeOut).toBe(false);
  });

  test.each([
    ["--eid", "../../up"],
    ["--eid", ".."],
    ["--eid", "a.b"],
    ["--pid", "a b"],
    ["--pid", ""],
  ])("whose run is to have a name that no run can have: %s %j", async (option, name) => {
    const { code, stderr, madeOut } = await runText(good, [option, name]);
    expect(code).toBe(65);
    const what = option === "--pid" ? "project" : "experiment";
    const hint = `give one of letters, digits, dashes and underscores with ${option}`;
    expect(stderr).toBe(`muster: the ${what} name "${name}" is no name for a run; ${hint}\n`);
    expect(madeOut).toBe(false);
  });

  test("of random bytes, with an end to the findings and nothing that steers a terminal", async () => {
    const bytes = Uint8Array.from({ length: 50_000 }, (_, index) => (index * 7919) % 256);
    const { code, stderr } = await runText(bytes);
    expect(code).toBe(65);
    expect(/[^\n\t\P{Cc}]/u.exec(stderr)?.index).toBeUndefined();
    expect(findings(stderr).length).toBeLessThan(110);
  });

  test("whose second value of a series is wrong, before the first is run", async () => {
    const text = good.replace("$ns run", "for {set i 0} {$i < $opt(N)} {incr i} {}\n$ns run");
    const argv = ["--set", "opt(N)=1", "--set", "opt(N)=x y"];
    const { code, madeOut } = await runText(text, argv);
    expect(code).toBe(65);
    expect(madeOut).toBe(false);
  });
});

describe("an experiment file that cannot be read is 66", () => {
  test("because there is none, or it is a directory", async () => {
    const cwd = scratch();
    mkdirSync(join(cwd, "directory"));
    const none = await runFile(cwd, "none.ns", []);
    expect(none).toMatchObject({ code: 66, stdout: "", madeOut: false });
    expect(none.stderr).toBe("muster: none.ns: there is no such file; check the path\n");
    const directory = await runFile(cwd, "directory", []);
    expect(directory.code).toBe(66);
    expect(directory.stderr).toMatch(/^muster: directory: it is a directory; .*\n$/);
  });

  test.runIf(isRoot)("because its mode forbids it", async () => {
    const file = writeExperiment("");
    chmodSync(file, 0o000);
    const prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    chmodSync(join(file, ".."), 0o755);
    const { code, stderr } = await run("muster", ["run", file, "--out", "/tmp/never"], { prefix });
    expect(code).toBe(66);
    expect(stderr).toBe(`muster: ${file}: no permission to read it; check its mode with ls -l\n`);
  });
});

describe("a command line that is wrong is 64", () => {
  test.each([
    [["run"], "missing required argument 'file'"],
    [["rnu", "x.ns"], "Did you mean run?"],
    [["nosuch.ns"], "did you mean muster run nosuch.ns?"],
    [["./nosuch"], "did you mean muster run ./nosuch?"],
    [["run", "x.ns", "--sed", "1"], "Did you mean one of --seed, --set?"],
    [["run", "x.ns", "--seed", "-1"], "It must be a whole number from 0 to 2147483647."],
    [["run", "x.ns", "--seed", "2147483648"], "It must be a whole number from 0 to 2147483647."],
    [["run", "x.ns", "--duration", "soon"], "It must be a number of seconds from 0 to 2000000."],
    [["run", "x.ns", "--duration", "2000001"], "It must be a number of seconds from 0 to 2000000."],
    [["run", "x.ns", "--repeat", "0"], "It must be a whole number from 1 to 100000."],
    [["run", "x.ns", "--set", "novalue"], "--set novalue: give NAME=VALUE"],
    [["run", "x.ns", "--limit", "bogus=1"], "the names are nameBytesMax,"],
    [["run", "x.ns", "--limit", "edgesMax=0"], "a positive whole number"],
    [["run", "x.ns", "--nodes", "cloud"], "Allowed choices are process, netns."],
    [["run", "x.ns", "y.ns"], "too many arguments"],
    [["barrier", "wiat"], "(muster barrier --help shows what it takes)"],
    [["barrier", "wait"], "(muster barrier wait --help shows what it takes)"],
    [["rnu"], "(muster COMMAND --help shows what it takes)"],
  ])("%j", async (argv, message) => {
    const { code, stdout, stderr } = await run("muster", argv);
    expect(code).toBe(64);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^muster: /);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(3);
  });

  test.each([[["help", "nothing"]], [["barrier", "help", "nothing"]]])("%j", async (argv) => {
    const { code, stdout, stderr } = await run("muster", argv);
    expect([code, stdout]).toEqual([64, ""]);
    expect(stderr).toMatch(/^muster: unknown command 'nothing'\nUsage: /);
  });

  test("and the help shows no default that is not one", async () => {
    const { code, stdout } = await run("muster", ["run", "--help"]);
    expect(code).toBe(0);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("after time 0 (default: no limit)");
    for (const command of ["run", "up", "modify", "barrier init", "cert issue"]) {
      const help = await run("muster", [...command.split(" "), "--help"]);
      expect([help.code, help.stderr]).toEqual([0, ""]);
      expect(help.stdout, command).not.toContain("[]");
    }
  });

  test.each([
    ["run", "npm run build:single"],
    ["barrier init", "unless it was opened with --when-dead wait"],
    ["barrier wait", "unless it was opened with --when-dead wait"],
  ])("and the help of %s says what has to be known before", async (command, text) => {
    const { code, stdout } = await run("muster", [...command.split(" "), "--help"]);
    expect([code, stdout.replaceAll(/\s+/g, " ")]).toEqual([0, expect.stringContaining(text)]);
  });

  test("a limit that is reached says so and how to raise it", async () => {
    const { code, result } = await runBody(nodesWith("true", "true"), [
      ...["--limit", "eventsPerScopeMax=1"],
    ]);
    expect(code).toBe(1);
    expect(result.error).toEqual({
      code: "LIMIT",
      message:
        "too many planned events: limit eventsPerScopeMax (1) reached; " +
        "raise it with --limit eventsPerScopeMax=VALUE",
    });
  });
});

describe("an output directory that cannot be used is 73", () => {
  test("because the file system has no room for directories", async () => {
    const { code, stderr } = await run("muster", [
      "run",
      writeExperiment(""),
      "--out",
      "/proc/x/y",
    ]);
    expect(code).toBe(73);
    expect(stderr).toBe(
      "muster: cannot make the output directory /proc/x/y: nothing can be made in /proc; " +
        "choose another with --out\n",
    );
  });

  test.runIf(isRoot)("because the current directory is somebody else's", async () => {
    const cwd = scratch();
    writeFileSync(join(cwd, "test.ns"), good);
    chmodSync(cwd, 0o555);
    const prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const { code, stderr } = await run("muster", ["run", "test.ns"], { cwd, prefix });
    expect(code).toBe(73);
    expect(stderr).toMatch(/ \/\S*\/results\/test-\S+: you may not write to \S+; choose another /);
    expect(stderr.match(/results/g)).toHaveLength(1);
  });

  test("because it is not empty: results are never overwritten", async () => {
    const cwd = scratch();
    writeFileSync(join(cwd, "test.ns"), good);
    mkdirSync(join(cwd, "out"));
    writeFileSync(join(cwd, "out", "precious"), "");
    const { code, stderr } = await runFile(cwd, "test.ns", []);
    expect(code).toBe(73);
    expect(stderr).toMatch(
      /^muster: .*\/out is not empty, .* remove it or choose another with --out\n$/,
    );
    expect(readdirSync(join(cwd, "out"))).toEqual(["precious"]);
  });

  test("because it is a file, or below one", async () => {
    for (const out of ["out", "out/below"]) {
      const cwd = scratch();
      writeFileSync(join(cwd, "test.ns"), good);
      writeFileSync(join(cwd, "out"), "");
      const { code, stderr } = await run("muster", ["run", "test.ns", "--out", out], { cwd });
      expect(code).toBe(73);
      expect(stderr).toMatch(/^muster: cannot make the output directory .*; choose another with/);
    }
  });
});
