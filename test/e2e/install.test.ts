// SPDX-License-Identifier: MIT
// Goal: what a user has after `npm ci`: commands that can be called from anywhere, run on the
// packaged Node, and are the program itself, for signals and exit codes too; and honest words when
// something is missing. Method: the real launchers and scripts in a folder of their own, where the
// program they start is a stand-in that tells what it was given. npm ci itself is not run again: it
// takes long.
import { execFile, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const commands = Object.entries(manifest.bin as Record<string, string>);
const packagedNode = /\/node_modules\/node-linux-(?:x64|arm64)\/bin\/node$/;

/** Tells what it was given, then does what its first argument says. */
const standIn = `
import { readFileSync } from "node:fs";
const { pid, ppid, execPath, version } = process;
const args = process.argv.slice(2);
if (args[0] === "catch") process.on("SIGTERM", () => process.exit(43));
const stdin = args[0] === "read" ? readFileSync(0, "utf8") : "";
process.stdout.write(JSON.stringify({ pid, execPath, version, args, stdin, cwd: process.cwd() }) + "\\n");
if (args[0] === "exit") process.exitCode = Number(args[1]);
if (args[0] === "catch" || args[0] === "wait") setInterval(() => {}, 1000);
`;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  file: string,
  args: readonly string[] = [],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      resolve({ status, stdout, stderr });
    });
    child.stdin?.end(options.input ?? "");
  });
}

/** A folder with spaces in its name, to see every missing quotation mark. */
let home = "";
/** A checkout in it: the real launchers, the stand-in for everything they start. */
let checkout = "";

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "muster install ")));
  checkout = join(home, "check out");
  for (const folder of ["bin", "tools"]) {
    cpSync(join(root, folder), join(checkout, folder), { recursive: true });
  }
  for (const [, file] of commands) {
    const entry = /^entry=\$root\/(.*)$/m.exec(readFileSync(join(root, file), "utf8"))?.[1];
    const program = join(checkout, entry ?? "no entry");
    mkdirSync(dirname(program), { recursive: true });
    writeFileSync(program, standIn);
  }
  writeFileSync(join(checkout, "package.json"), '{ "type": "module" }');
  symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

/** A folder to put into PATH, with these system programs and scripts and nothing else. */
function pathWith(programs: readonly string[], scripts: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(home, "path-"));
  for (const program of programs) {
    const file = execFileSync("/bin/sh", ["-c", `command -v ${program}`], { encoding: "utf8" });
    symlinkSync(file.trim(), join(folder, program));
  }
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

describe("node_modules/.bin", () => {
  it.each(commands)("has %s, which is %s", (name, file) => {
    expect(realpathSync(join(root, "node_modules/.bin", name))).toBe(join(root, file));
    expect(readlinkSync(join(root, "node_modules/.bin", name))).toBe(`../../${file}`);
  });
});

describe("every launcher", () => {
  it.each(commands)("%s starts its own program on the packaged Node", async (_name, file) => {
    const { status, stdout } = await run(join(checkout, file), ["a b", "", "$HOME", "c\nd"]);
    const told = JSON.parse(stdout);
    expect(told.execPath).toMatch(packagedNode);
    expect(told.version).toMatch(/^v24\./);
    expect(told.args).toEqual(["a b", "", "$HOME", "c\nd"]);
    expect(status).toBe(0);
  });

  it("is found through links to links, relative ones, and PATH", async () => {
    mkdirSync(join(home, "links"));
    symlinkSync("../check out/bin/muster", join(home, "links/muster"));
    symlinkSync("muster", join(home, "links/again"));
    for (const name of ["muster", "again"]) {
      expect((await run(join(home, "links", name))).status).toBe(0);
    }
    const env = { PATH: `links:${process.env["PATH"]}` };
    expect((await run("/bin/sh", ["-c", "again"], { env, cwd: home })).status).toBe(0);
  });

  it.each(["", undefined])("needs no PATH (%j)", async (PATH) => {
    const env = PATH === undefined ? {} : { PATH };
    expect((await run(join(checkout, "bin/muster"), [], { env })).status).toBe(0);
  });

  it("passes standard input and the exit code", async () => {
    const muster = join(checkout, "bin/muster");
    expect(JSON.parse((await run(muster, ["read"], { input: "in\n" })).stdout).stdin).toBe("in\n");
    expect((await run(muster, ["exit", "7"])).status).toBe(7);
  });

  it.each([
    ["catch", 43, null],
    ["wait", null, "SIGTERM"],
  ])("is the program itself, so that a signal reaches it (%s)", async (what, status, signal) => {
    const child = spawn(join(checkout, "bin/muster"), [what], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => {
      child.on("exit", (...how) => resolve(how));
    });
    const told = await new Promise<string>((resolve) => {
      child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    });
    expect(JSON.parse(told).pid).toBe(child.pid);
    expect(realpathSync(`/proc/${child.pid}/exe`)).toMatch(/node-linux-\w+\/bin\/node$/);
    child.kill("SIGTERM");
    expect(await ended).toEqual([status, signal]);
  });
});

describe("a launcher without the packaged Node", () => {
  beforeEach(() => {
    rmSync(join(checkout, "node_modules"));
  });

  it("uses the one beside it when muster is itself a dependency", async () => {
    const modules = join(home, "node_modules");
    mkdirSync(modules);
    cpSync(checkout, join(modules, "musterd"), { recursive: true });
    for (const arch of ["x64", "arm64"]) {
      symlinkSync(
        join(root, `node_modules/node-linux-${arch}`),
        join(modules, `node-linux-${arch}`),
      );
    }
    const { stdout } = await run(join(modules, "musterd/bin/muster"), [], { env: { PATH: "" } });
    expect(JSON.parse(stdout).execPath).toMatch(packagedNode);
  });

  it("uses a Node of the system that is new enough", async () => {
    const PATH = pathWith([], { node: `echo system >&2; exec "${process.execPath}" "$@"` });
    const { status, stderr } = await run(join(checkout, "bin/muster"), [], { env: { PATH } });
    expect(status).toBe(0);
    expect(stderr).toContain("system");
  });

  it("says so when there is no Node", async () => {
    const env = { PATH: pathWith([]) };
    expect(await run(join(checkout, "bin/emulab-sync"), [], { env })).toEqual({
      status: 69,
      stdout: "",
      stderr:
        `emulab-sync: no Node found; run 'npm ci' in ${checkout}, ` +
        "or install Node 22.18 or newer\n",
    });
  });

  it("says so when the Node of the system is too old", async () => {
    const old = 'case $1 in --version) echo v20.20.2 ;; -e) exit 1 ;; *) echo "ran"; esac';
    const env = { PATH: pathWith([], { node: old }) };
    expect(await run(join(checkout, "bin/muster"), [], { env })).toEqual({
      status: 69,
      stdout: "",
      stderr:
        `muster: Node v20.20.2 is too old; run 'npm ci' in ${checkout}, ` +
        "or install Node 22.18 or newer\n",
    });
  });

  it.each([
    ["22.17.9", 1],
    ["22.18.0", 0],
    ["18.99.0", 1],
    ["23.0.0", 0],
    ["100.1.0", 0],
  ])("judges Node %s rightly", async (version, status) => {
    const launcher = readFileSync(join(root, "bin/launch.sh"), "utf8");
    const judge = /-e '([^']+)'/.exec(launcher)?.[1];
    const set = `Object.defineProperty(process, "versions", { value: { node: "${version}" } });`;
    expect((await run(process.execPath, ["-e", `${set}${judge}`])).status).toBe(status);
  });
});

describe("a launcher without its program", () => {
  it("says how to build it", async () => {
    rmSync(join(checkout, "dist"), { recursive: true });
    const { status, stderr } = await run(join(checkout, "bin/muster"));
    expect(status).toBe(69);
    expect(stderr).toBe(
      `muster: ${checkout}/dist/programs/muster.js is not built; run 'npm run build' in ${checkout}\n`,
    );
  });
});

describe("npm start", () => {
  const start = (args: string[], cwd: string) =>
    run("/bin/sh", [join(checkout, "tools/start.sh"), ...args], {
      env: { ...process.env, INIT_CWD: cwd },
    });

  it("runs the quick-start experiment", async () => {
    const told = JSON.parse((await start([], home)).stdout);
    expect(told).toMatchObject({ args: ["run", "examples/quickstart.ns"], cwd: checkout });
  });

  it("passes arguments, with file names as the user means them", async () => {
    const told = JSON.parse((await start(["run", "my file.ns"], home)).stdout);
    expect(told).toMatchObject({ args: ["run", "my file.ns"], cwd: home });
  });
});

describe("the package", () => {
  it("has the commands, what they start and the licence, and nothing of the workshop", async () => {
    const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
    const { stdout } = await run("npm", args, { cwd: root });
    const [packed] = Object.values(JSON.parse(stdout)) as [{ files: { path: string }[] }];
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["LICENSE", "bin/launch.sh"]));
    for (const [, file] of commands) expect(paths).toContain(file);
    const allowed = /^(?:bin|dist|docs|examples)\/|^(?:package\.json|LICENSE|[A-Z]+\.md)$/;
    expect(paths.filter((path) => !allowed.test(path))).toEqual([]);
    expect(paths.filter((path) => /\.test\.|\.tsbuildinfo$|^bin\/node$/.test(path))).toEqual([]);
  });
});
