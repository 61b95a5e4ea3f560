// SPDX-License-Identifier: MIT
// Goal: `npm test` can be believed: it installs what is missing and only that, says what it cannot
// install, ends with one line of counts whatever happens, and exits 0 only when all is well.
// Method: the real scripts in a folder of their own, with stand-ins for the tools they call.
import { execFile, execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
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
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");

let folder = "";
let path = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster test command "));
  path = join(folder, "path");
  mkdirSync(path);
  for (const part of ["bin", "tools"]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  for (const program of ["sh", "dirname", "mktemp", "rm", "cat", "uname", "readlink"]) {
    provide(program);
  }
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a system program into the PATH of the scripts, or a script of that name. */
function provide(name: string, script?: string): void {
  const file = join(path, name);
  if (script === undefined) {
    const found = execFileSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
    symlinkSync(found.trim(), file);
    return;
  }
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function sh(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { PATH: path, ...env } };
    execFile("/bin/sh", args, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ status, stdout, stderr });
    });
  });
}

describe("every script", () => {
  const scripts = ["bin", "tools"]
    .flatMap((name) => readdirSync(join(root, name)).map((file) => join(root, name, file)))
    .filter((file) => !/\.(?:ts|txt)$/.test(file));

  it.each([...scripts, join(root, ".ci/run")])("is one that sh can read: %s", async (file) => {
    expect(await sh(["-n", file])).toEqual({ status: 0, stdout: "", stderr: "" });
  });
});

const lastLine = (text: string): string | undefined => text.trimEnd().split("\n").at(-1);

describe("tools/system-packages.sh", () => {
  const install = (...args: string[]) => sh(["tools/system-packages.sh", ...args]);
  const calls = (): string =>
    existsSync(join(folder, "calls")) ? readFileSync(join(folder, "calls"), "utf8") : "";

  beforeEach(() => {
    writeFileSync(
      join(folder, "tools/system-packages.txt"),
      "# a b c\n\none one x\ntwo pair y\nthree pair z\n",
    );
    provide("id", "echo 0");
    const bring = `for name in two three; do : >'${path}'/$name; /bin/chmod +x '${path}'/$name; done`;
    provide("apt-get", `echo "$@" >>'${folder}/calls'; case "$*" in *install*) ${bring} ;; esac`);
    provide("one", "");
  });

  it("does nothing when nothing is missing", async () => {
    provide("two", "");
    provide("three", "");
    expect(await install()).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(calls()).toBe("");
  });

  it("installs as root what is missing, each package once, and only that", async () => {
    expect((await install()).status).toBe(0);
    const [update, installed, ...more] = calls().trimEnd().split("\n");
    expect(update).toMatch(/ update$/);
    expect(installed).toMatch(/ install -y --no-install-recommends pair$/);
    expect(more).toEqual([]);
  });

  it("looks for a file where a line names one", async () => {
    // Words of a line end at blanks.
    const directory = mkdtempSync(join(tmpdir(), "muster-header-"));
    const file = join(directory, "header.h");
    writeFileSync(join(folder, "tools/system-packages.txt"), `${file} headers z\n`);
    provide("apt-get", `echo "$@" >>'${folder}/calls'; : >'${file}'`);
    expect(await install()).toMatchObject({ status: 0, stderr: "" });
    expect(calls()).toMatch(/ install -y --no-install-recommends headers$/m);
    expect(await install("--check")).toEqual({ status: 0, stdout: "", stderr: "" });
    rmSync(directory, { recursive: true });
  });

  it("says what is missing to anybody but root, and to root who only checks", async () => {
    const told = {
      status: 1,
      stdout: "",
      stderr:
        "The tests need these programs, which are not installed: two three\n" +
        "Install them as root: apt-get install pair\n",
    };
    expect(await install("--check")).toEqual(told);
    provide("id", "echo 1000");
    expect(await install()).toEqual(told);
    expect(calls()).toBe("");
  });

  it("shows what apt-get said when it fails", async () => {
    provide("apt-get", "echo no such package; exit 100");
    const { status, stderr } = await install();
    expect(status).toBe(1);
    expect(stderr).toContain("no such package");
    expect(stderr).toContain("could not be installed");
  });

  it("is not content with a package that does not bring its program", async () => {
    provide("apt-get", "");
    const { status, stderr } = await install();
    expect(status).toBe(1);
    expect(stderr).toContain("did not bring");
  });
});

describe("tools/check.sh", () => {
  // A stand-in for `bin/node TOOL`: succeeds, unless the tool is the one that is to fail.
  const tools = (failing: string, vitest: string): void => {
    const script = `#!/bin/sh\ncase $1 in *${failing}*) exit 3 ;; *vitest*) ${vitest} ;; esac\n`;
    writeFileSync(join(folder, "bin/node"), script);
    writeFileSync(join(folder, "tools/build.sh"), "exec bin/node build\n");
    writeFileSync(join(folder, "tools/system-packages.txt"), "");
  };
  const counts = "echo '5 passed, 0 failed, 0 skipped' >\"$MUSTER_TEST_TALLY\"";

  it("ends with the counts of the tests, and passes arguments on to them", async () => {
    tools("nothing", `echo "$@"; ${counts}`);
    const { status, stdout } = await sh(["tools/check.sh", "--project", "unit"]);
    expect(status).toBe(0);
    expect(stdout).toContain("vitest.mjs run --project unit\n");
    expect(lastLine(stdout)).toBe("5 passed, 0 failed, 0 skipped");
  });

  it.each([
    ["biome", "format and lint"],
    ["build", "build"],
    ["tsc", "types"],
  ])("stops where %s fails, with counts that say so", async (failing, step) => {
    tools(failing, counts);
    const { status, stdout, stderr } = await sh(["tools/check.sh"]);
    expect(status).toBe(3);
    expect(stderr).toContain(`Stopped at: ${step}`);
    expect(lastLine(stdout)).toBe("0 passed, 1 failed, 0 skipped");
  });

  it("keeps the exit status of the tests, and the counts last", async () => {
    tools("nothing", "echo '4 passed, 1 failed, 0 skipped' >\"$MUSTER_TEST_TALLY\"; exit 1");
    const { status, stdout } = await sh(["tools/check.sh"]);
    expect(status).toBe(1);
    expect(lastLine(stdout)).toBe("4 passed, 1 failed, 0 skipped");
  });

  it("does not pass when the tests end without having counted", async () => {
    tools("nothing", "exit 0");
    const { status, stdout } = await sh(["tools/check.sh"]);
    expect(status).toBe(1);
    expect(lastLine(stdout)).toBe("0 passed, 1 failed, 0 skipped");
  });
});

describe("tools/plain-reporter.ts", () => {
  const vitest = join(root, "node_modules/vitest/vitest.mjs");

  async function report(text: string, env: NodeJS.ProcessEnv = {}): Promise<[number, string]> {
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const reporters = JSON.stringify([join(folder, "tools/plain-reporter.ts")]);
    writeFileSync(
      join(folder, "vitest.config.ts"),
      `export default { test: { reporters: ${reporters}, include: ["*.test.ts"] } };\n`,
    );
    writeFileSync(join(folder, "a.test.ts"), `import { beforeAll, it } from "vitest";\n${text}\n`);
    const tally = join(folder, "tally");
    const { status } = await sh(["-c", 'exec "$0" "$@"', process.execPath, vitest, "run"], {
      CI: "",
      MUSTER_TEST_TALLY: tally,
      ...env,
    });
    return [status, readFileSync(tally, "utf8")];
  }

  const passes = 'it("passes", () => {});';
  const skips = 'it("skips", (context) => context.skip());';

  it.each([
    ["a test that passes", passes, "", 0, "1 passed, 0 failed, 0 skipped\n"],
    ["a test that fails", 'it("f", () => { throw 1; });', "", 1, "0 passed, 1 failed, 0 skipped\n"],
    ["a test that skips", passes + skips, "", 0, "1 passed, 0 failed, 1 skipped\n"],
    ["a test that skips in CI", passes + skips, "true", 1, "1 passed, 0 failed, 1 skipped\n"],
    ["a file that cannot be read", "throw 1;", "", 1, "0 passed, 1 failed, 0 skipped\n"],
    ["no test", "", "", 1, "0 passed, 1 failed, 0 skipped\n"],
    [
      "a hook that fails",
      `beforeAll(() => { throw 1; }); ${passes}`,
      "",
      1,
      "0 passed, 1 failed, 1 skipped\n",
    ],
  ])("counts %s", async (_what, text, CI, status, line) => {
    expect(await report(text, { CI })).toEqual([status, line]);
  });
});
