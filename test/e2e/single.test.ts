// SPDX-License-Identifier: MIT
// Goal: the one executable is all that is needed, here and on a host that gets it: a barrier is
// crossed by the old client inside it, links are tested, each of its programs is started from where
// home is another, and with too few open files it says so. Method: the real executable, built here
// once; hosts whose PATH has the programs that a copy takes, and no Node.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { Command, repository, scratch } from "./support/command.ts";
import { readResult, readText, sh, writeExperiment } from "./support/experiment.ts";

/** For shells of hosts and of programs, and for what brings the executable there. */
const programs = [
  ...["bash", "cat", "chmod", "cut", "env", "grep", "head", "mkdir", "mv", "readlink", "rm"],
  ...["rmdir", "setsid", "sh", "sha256sum", "sleep", "uname"],
];

function pathWithoutNode(): string {
  const directory = scratch();
  for (const name of programs) {
    const found = ["/usr/bin", "/bin"].find((at) => readdirSync(at).includes(name));
    if (found !== undefined) symlinkSync(join(found, name), join(directory, name));
  }
  return directory;
}

let directory = "";
let single = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-single-"));
  execFileSync(join(repository, "bin/node"), [join(repository, "tools/single.ts"), directory], {
    stdio: "pipe",
  });
  single = join(directory, "muster");
  return () => rmSync(directory, { recursive: true });
}, 300_000);

test("one file runs an experiment, and is all that its host needs", async () => {
  const at = scratch();
  mkdirSync(join(at, "a/tmp"), { recursive: true });
  const path = pathWithoutNode();
  const environment = { PATH: path, HOME: at, XDG_CACHE_HOME: join(at, "here"), TMPDIR: at };
  const shell = `env -i PATH=${path} HOME=${at}/%h TMPDIR=${at}/%h/tmp sh -c`;
  const file = writeExperiment(`
set n0 [$ns node]
set n1 [$ns node]
tb-set-sync-server $n0
tb-set-node-startcmd $n0 {${sh("readlink -f $(command -v emulab-sync); emulab-sync -i 1 -n met")}}
tb-set-node-startcmd $n1 {${sh("emulab-sync -n met")}}`);
  const out = join(scratch(), "out");
  const argv = ["run", file, "--out", out, "--on", "a", "--remote-shell", shell];
  const run = await new Command(single, argv, { env: environment }).ended;
  expect(run.stderr).toBe("");
  expect(run.stdout).toMatch(/a gets muster \(\d+ MiB\), which is not there in this version/);
  const { outcome, barriers } = readResult(out);
  expect({ outcome, met: barriers.map((one) => one.outcome) }).toEqual({
    outcome: "passed",
    met: ["crossed"],
  });
  const [copy = ""] = readdirSync(join(at, "a/.cache/muster")).filter((name) =>
    name.startsWith("muster-"),
  );
  const logs = join(out, "nodes/n0/local/logs");
  const printed = readdirSync(logs).filter((name) => name.endsWith(".out"));
  expect(printed.map((name) => readText(join(logs, name)))).toEqual([
    `${join(at, "a/.cache/muster", copy)}\n`,
  ]);

  // Where home is another, it is unpacked beside the copy all the same.
  const elsewhere = scratch();
  const there = { env: { ...environment, HOME: elsewhere, XDG_CACHE_HOME: "" } };
  const again = await new Command(join(at, "a/.cache/muster", copy), ["--version"], there).ended;
  expect([again.code, readdirSync(elsewhere)]).toEqual([0, []]);

  // By its name, and by its first argument.
  symlinkSync(single, join(directory, "emulab-sync"));
  const options = { env: environment };
  const byName = await new Command(join(directory, "emulab-sync"), ["-V"], options).ended;
  const byArgument = await new Command(single, ["emulab-sync", "-V"], options).ended;
  expect(byName.stdout + byName.stderr).toContain("Built in standalone mode\n");
  expect(byArgument).toEqual(byName);
});

test.skipIf(process.getuid?.() !== 0)("one file tests links", async () => {
  const file = writeExperiment(`
set a [$ns node]
set b [$ns node]
tb-set-sync-server $a
set l [$ns duplex-link $a $b 10Mb 20ms DropTail]`);
  const out = join(scratch(), "out");
  const env = { HOME: scratch(), XDG_CACHE_HOME: "" };
  const run = await new Command(single, ["run", file, "--linktest", "1", "--out", out], { env })
    .ended;
  // What a busy machine delays is no fault here: that packets came is the probes' doing.
  const came = readResult(out).links.map(({ measured }) => (measured?.delayUs ?? 0) > 15_000);
  expect(came, run.stdout + run.stderr).toEqual([true, true]);
});

test.each([
  ["muster", 64, ["serve", "--check-config"]],
  ["muster", 24, ["--version"]],
  ["emulab-sync", 24, ["-V"]],
] as const)("%s is not started with fewer open files than %i", async (name, needed, argv) => {
  const env = { HOME: scratch(), XDG_CACHE_HOME: "" };
  const limited = (allowed: number, file: string, ...words: readonly string[]) => {
    const script = `ulimit -Sn ${allowed}; ulimit -Hn ${allowed}; exec "$@"`;
    return new Command(file, words, { env, prefix: ["sh", "-c", script, "sh"] }).ended;
  };
  const refused = await limited(needed - 1, single, name, ...argv);
  const advice = `${needed - 1} are allowed; raise the limit (ulimit -Hn)`;
  const stderr = `${name}: ${needed} open files are needed, and ${advice}\n`;
  expect(refused).toEqual({ code: 69, signal: null, stdout: "", stderr });
  // As by the launcher; nothing was unpacked for it.
  const launched = await limited(needed - 1, join(repository, "bin", name), ...argv);
  expect([launched, readdirSync(env.HOME)]).toEqual([refused, []]);
  const { code, stderr: said } = await limited(needed, single, name, ...argv);
  expect([code, said.includes("open files")]).toEqual([0, false]);
});

test("each program of the one file can be started by one that has another home", async () => {
  const home = scratch();
  const here = { env: { HOME: home, XDG_CACHE_HOME: "" } };
  expect((await new Command(single, ["--version"], here).ended).code).toBe(0);
  const cache = join(home, ".cache/muster");
  const [unpacked = ""] = readdirSync(cache);
  const programs = join(cache, unpacked, "dist/programs");
  const helpers = readdirSync(programs).filter((name) => /-(main|helper)\.js$/.test(name));
  expect(helpers).toContain("probe-main.js");
  const other = scratch();
  for (const name of helpers) {
    // Each complains in its own way of having been told nothing.
    const options = { env: { HOME: other, XDG_CACHE_HOME: "" } };
    const { stderr } = await new Command(single, [join(programs, name)], options).ended;
    expect(stderr, name).not.toMatch(/unknown command|MODULE_NOT_FOUND/);
  }
  // Nothing was unpacked again.
  expect(readdirSync(other)).toEqual([]);
});
