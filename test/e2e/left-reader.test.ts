// SPDX-License-Identifier: MIT
// Goal: a command whose reader leaves, or that something would keep alive, ends all the same, with
// the status that is documented. Method: real pipes; the run is what examples are made of.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { repository, scratch } from "./support/command.ts";

const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** What it leaves at `out`, whose reader leaves after so many lines. */
async function runUnread(file: string, lines: number, more: readonly string[] = []) {
  const out = join(scratch(), "out");
  const argv = ["run", join(repository, "examples", file), "--out", out, ...more];
  const child = spawn(join(repository, "bin/muster"), argv, { stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  let seen = "";
  child.stderr.resume();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
    if (seen.split("\n").length > lines) child.stdout.destroy();
  });
  const [status] = (await once(child, "exit")) as [number | null];
  const result = JSON.parse(readFileSync(join(out, "result.json"), "utf8")) as {
    readonly outcome: string;
  };
  return { status, outcome: result.outcome, hasReport: existsSync(join(out, "report.html")) };
}

describe("a run whose reader has left", () => {
  test.each([
    ["quickstart.yaml", 6],
    ["two-sites.yaml", 3],
  ])("%s, after %d lines, goes on to its end, keeps its results and ends", async (file, lines) => {
    expect(await runUnread(file, lines)).toMatchObject({
      ...{ status: 74, outcome: "passed", hasReport: true },
    });
  });

  test("says by its status that it failed, if it did", async () => {
    expect(await runUnread("missing.yaml", 1)).toMatchObject({ status: 1, outcome: "failed" });
  });
});

/** A process that has done its work but for what the script says; its looks are short. */
async function linger(script: string) {
  const module = pathToFileURL(join(repository, "dist/cli/end-lingering.js")).href;
  const source = `import { createServer } from "node:net";
    import { endLingering } from ${JSON.stringify(module)};
    const looks = { everyMs: 10, sameMax: 5, max: 30 };
    endLingering({ stdout() {}, stderr: (text) => process.stderr.write(text) }, () => 3, looks);
    ${script}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source]);
  started.push(child);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { said, status };
}

const listen = "const server = createServer().listen(0, '127.0.0.1');";
/** Each turn takes longer than a look has. */
const busy =
  "setInterval(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30), 1)";

test("a process that something keeps alive says what, and ends with the status that it has", async () => {
  const { said, status } = await linger(listen);
  expect(said).toMatch(/^muster: all is done, and something keeps this process alive \(TCP.*Wrap/);
  expect(said).toContain("This is a fault in Muster");
  expect(status).toBe(3);
});

test("one that a busy machine keeps is given time, and is not called a fault", async () => {
  // As many turns as would do for a verdict in a process that has its time.
  const closing = `${listen} const timer = ${busy};
    let turns = 0;
    setInterval(function () { if ((turns += 1) < 15) return;
      clearInterval(timer); clearInterval(this); server.close(); }, 1);`;
  expect(await linger(closing)).toEqual({ said: "", status: 0 });
  const { said, status } = await linger(`${listen} ${busy};`);
  expect(said).toMatch(
    /^muster: all is done, .*; it ends now: the machine is too busy to tell why\n$/,
  );
  expect(status).toBe(3);
});
