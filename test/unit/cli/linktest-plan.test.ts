// SPDX-License-Identifier: MIT
// Goal: `muster linktest FILE --plan` says what each link would be found wrong by, and what it
// takes. Method: the command on a file of its own, in this process.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linktestCommand } from "../../../src/cli/commands/linktest.ts";
import { CommandError } from "../../../src/cli/io.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-linktest-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function plan(lines: readonly string[], more: object = {}) {
  const file = join(directory, "links.ns");
  const head = ["set ns [new Simulator]", "set a [$ns node]", "set b [$ns node]"];
  writeFileSync(file, [...head, ...lines, "$ns run", ""].join("\n"));
  let [stdout, stderr] = ["", ""];
  const io = {
    stdout: (text: string) => {
      stdout += text;
    },
    stderr: (text: string) => {
      stderr += text;
    },
    isTerminal: false,
  };
  const argv = {
    target: file,
    plan: true,
    kill: false,
    asked: "now",
    waitForServer: 0,
    startLevel: 1,
    level: 4,
    json: false,
    set: [],
    ...more,
  } as const;
  const exit = await linktestCommand(argv, io as never);
  return { exit, stdout, stderr };
}

describe("muster linktest --plan", () => {
  it("takes --out for the results of a file only, and a plan leaves none", async () => {
    const out = join(directory, "out");
    await expect(plan([], { out })).rejects.toThrow("--plan makes no results for --out");
    const target = "proj/exp";
    await expect(plan([], { out, plan: false, target })).rejects.toThrow(
      "--out is for a file, and proj/exp is none",
    );
  });

  it("shows stages, times, samples and what they find", async () => {
    const { exit, stdout } = await plan([
      "set l [$ns duplex-link $a $b 10Mb 5ms DropTail]",
      "tb-set-link-loss $l 0.02",
    ]);
    expect(exit).toBe(0);
    const seconds =
      /^linktest level 4 takes at least (\d+) s\n {2}latency: at least 1 s\n {2}routing: no .*\n {2}loss: /;
    expect(stdout).toMatch(seconds);
    // The loss of a link is divided among its ways, so that both together are what was asked for.
    expect(stdout).toMatch(
      /a-l to b-l \(10 Mbps, 5ms, \S+% loss, droptail\): \d+ packets at 1000\/s: finds a loss from/,
    );
  });

  it("says what it could not judge, as JSON too", async () => {
    const links = ["set l [$ns duplex-link $a $b 1000Mb 5ms DropTail]"];
    const { stdout } = await plan(links);
    expect(stdout).toContain("untestable: a-l to b-l (1000 Mbps");
    const json = JSON.parse((await plan(links, { json: true })).stdout) as {
      rate: { untestable: { why: string }[] };
    };
    expect(json.rate.untestable[0]?.why).toMatch(/^rates are judged from 64000 to 200000000 b/);
  });

  it("refuses a file with its errors", async () => {
    const { exit, stderr, stdout } = await plan(["$ns duplex-link $a $nobody 10Mb 5ms DropTail"]);
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" });
    expect(stderr).toContain("nobody");
  });

  it("refuses options that are for the other kind of target", async () => {
    const refused = plan([], { kill: true });
    await expect(refused).rejects.toThrow("--kill is for an experiment that is up");
    const backwards = plan([], { startLevel: 3, level: 2 });
    await expect(backwards).rejects.toThrow("--start-level 3 is behind --level 2");
  });

  it.each([
    ["the name of an experiment", { target: "p/live" }, 66, "check the path; --plan is for"],
    ["a directory", { target: "/" }, 66, "it is a directory; name the"],
    ["a setting without a value", { set: ["opt(N)"] }, 64, "--set opt(N): write"],
  ])("refuses %s as a mistake of the user's", async (_title, more, code, words) => {
    const refused = await plan([], more).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CommandError);
    expect((refused as CommandError).message).toContain(words);
    expect((refused as CommandError).exitCode).toBe(code);
  });
});
