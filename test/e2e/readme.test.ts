// SPDX-License-Identifier: MIT
// Goal: README.md cannot rot: its console session is read from it and really run, its commands
// and options exist, and it stays short.
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Command, repository, run, scratch, shell } from "./support/command.ts";
import { readResult } from "./support/experiment.ts";

const readme = readFileSync(join(repository, "README.md"), "utf8");

/** The fenced lines after a comment `<!-- session: ... -->`. */
function readSession(): readonly { readonly prompt: string; readonly command: string }[] {
  const block = /<!-- session: [^>]*-->\n```console\n([^`]*)```/.exec(readme)?.[1] ?? "";
  return block
    .trim()
    .split("\n")
    .map((line) => {
      const [, prompt = "", command = ""] = /^(\S*[$>]) (.*)$/.exec(line) ?? [];
      return { prompt, command };
    });
}

test("the session of the README runs as it is written, in windows of its own", async () => {
  const session = readSession();
  expect(session.map(({ prompt }) => prompt)).toEqual(["$", "nodeA>", "nodeB>"]);
  // Another port, because who works on this machine may have a server on the usual one; `exec`, so
  // that the process is the one the test started.
  const server = new Command("sh", ["-c", `exec ${inRepository(session[0]?.command ?? "")}`]);
  const [, port = ""] = await server.prints(/listening on port (\d+) of 127\.0\.0\.1/);
  const clients = session.slice(1).map(({ command }) => {
    expect(command).toContain("-p 16534");
    return inRepository(command).replace("16534", port);
  });
  const ended = await Promise.all(clients.map((command) => shell(command)));
  expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
    { code: 0, stderr: "" },
    { code: 0, stderr: "" },
  ]);
});

test("a client that is not willing to wait learns who did not come, as the README says", async () => {
  const [, command = ""] = /nodeA> (emulab-sync .* --timeout \d+)\n/.exec(readme) ?? [];
  expect(command).not.toBe("");
  const server = new Command("sh", ["-c", `exec ${join(repository, "bin/emulab-syncd")} -d`]);
  const [, port = ""] = await server.prints(/listening on port (\d+) of/);
  const short = command.replace("16534", port).replace(/--timeout \d+/, "--timeout 0.3");
  const { code, stderr } = await shell(inRepository(short));
  expect(code).not.toBe(0);
  expect(stderr).toContain("mybarrier");
});

test("`npm start` shows the quick start and leaves its results below results/", async () => {
  // A folder in the repository's place, so that nothing is written into it.
  const folder = scratch();
  mkdirSync(join(folder, "tools"));
  cpSync(join(repository, "tools/start.sh"), join(folder, "tools/start.sh"));
  for (const name of ["bin", "examples"]) symlinkSync(join(repository, name), join(folder, name));
  const scripts = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const { code, stdout, stderr } = await shell(scripts.scripts["start"] ?? "", { cwd: folder });
  expect(stdout).toContain("2 barriers crossed");
  expect(code).toBe(0);
  // What comes next in the README.
  const [, next = ""] = /the next one: (.*)\n/.exec(stderr) ?? [];
  expect(next).toMatch(/^npm start -- run examples\//);
  expect(readme).toContain(`\`${next}\``);
  const [results = ""] = readdirSync(join(folder, "results"));
  expect(readResult(join(folder, "results", results)).outcome).toBe("passed");
});

test("file names given to `npm start` count from where the user stands", async () => {
  const cwd = scratch();
  const env = { INIT_CWD: cwd };
  const argv = "run here.ns --out out";
  const { code, stderr } = await shell(`sh ${join(repository, "tools/start.sh")} ${argv}`, { env });
  expect(code).toBe(66);
  expect(stderr).toContain("here.ns: there is no such file");
});

test("its commands and options exist, and it is short", async () => {
  const [run_, top] = await Promise.all([
    run("muster", ["run", "--help"]),
    run("muster", ["--help"]),
  ]);
  const help = run_.stdout;
  for (const [option] of readme.matchAll(
    /--(?:seed|repeat|set|duration|junit|json|stuck-after)\b/g,
  )) {
    expect(help).toContain(option);
  }
  for (const [, command = ""] of readme.matchAll(/`muster (\w+)/g)) {
    expect(top.stdout).toContain(command);
  }
  expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(120);
});

/** The commands of a session are those of this repository; `&` is what the test does itself. */
function inRepository(command: string): string {
  return command
    .replace(/^emulab-syncd?/, (name) => join(repository, "bin", name))
    .replace(/ &$/, "");
}
