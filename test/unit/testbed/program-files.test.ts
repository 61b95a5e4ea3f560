// SPDX-License-Identifier: MIT
// Goal: each run leaves its output and its status under its token, and links lead to the last run.
// Method: the agent with a fake backend and a real directory.
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Program } from "../../../src/experiment/model.ts";
import { ProgramAgent } from "../../../src/testbed/agents/program-agent.ts";
import { formatCtime, formatProgramStatus } from "../../../src/testbed/agents/program-status.ts";
import { parseUsage } from "../../../src/testbed/nodes/measured-child.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { FakeBackend } from "./fake-backend.ts";

const program: Program = {
  ...{ name: "p", node: "n0", command: "run it", isStartCommand: false, directory: "/d" },
  ...{ timeoutSeconds: 9, expectedExitCode: 0, at: { file: "a.ns", line: 1, column: 1 } },
};

let logs: string;
let backend: FakeBackend;
let agent: ProgramAgent;
let warnings: string[];

beforeEach(() => {
  logs = mkdtempSync(join(tmpdir(), "muster-files-"));
  const clock = new FakeClock();
  backend = new FakeBackend(clock, ["n0"], () => logs);
  warnings = [];
  agent = new ProgramAgent({
    ...{ backend, clock, programs: [program, { ...program, name: "q" }] },
    onStarted: () => undefined,
    onEnded: () => undefined,
    onWarning: (_node, text) => warnings.push(text),
  });
});

afterEach(() => rmSync(logs, { recursive: true }));

const read = (file: string): string => readFileSync(join(logs, file), "utf8");

/** A run of a program that prints and ends. */
async function play(name: string, token: number, { args = {}, exit = 0 } = {}): Promise<number> {
  const result = await agent.start(name, args, { token });
  const process = backend.processes.at(-1);
  writeFileSync(process?.spec.stdout ?? "", `out ${token}`);
  writeFileSync(process?.spec.stderr ?? "", "");
  await process?.end(exit);
  return await result.done;
}

describe("the files of a run", () => {
  it("are named by its token, and linked by name and by tag", async () => {
    await play("p", 4, { args: { tag: "first" } });
    await play("p", 5, { args: { tag: "second" } });
    expect(read("p.out")).toBe("out 5");
    expect(read("p.first.out")).toBe("out 4");
    expect(readdirSync(logs).sort()).toEqual(
      [
        ...["p.out", "p.err", "p.status"],
        ...["out", "err", "status"].flatMap((kind) => [`p.${kind}.4`, `p.${kind}.5`]),
        ...["out", "err", "status"].flatMap((kind) => [`p.first.${kind}`, `p.second.${kind}`]),
      ].sort(),
    );
    // Relative: it leads to the same from the node and from the results.
    expect(readlinkSync(join(logs, "p.out"))).toBe("p.out.5");
    expect(warnings).toEqual([]);
  });

  it("stay as they are when another run has the same token", async () => {
    await play("p", 4);
    const path = join(logs, "p.out.4");
    writeFileSync(path, "of the first");
    await play("p", 4);
    await play("p", 4);
    expect(readFileSync(path, "utf8")).toBe("of the first");
    expect(readlinkSync(join(logs, "p.out"))).toBe(`p.out.${2 ** 31 + 1}`);
    expect(read("p.status")).toContain("TOKEN");
    expect(readdirSync(logs).filter((file) => file.startsWith("p.status."))).toHaveLength(3);
  });

  it("are linked while the program runs, so that who looks sees it", async () => {
    await agent.start("p", {}, { token: 6 });
    expect(readlinkSync(join(logs, "p.out"))).toBe("p.out.6");
  });

  it("tell the status in the order of the old agent, for owner and group", async () => {
    expect(await play("p", 4, { exit: 3 })).toBe(3);
    expect(lstatSync(join(logs, "p.status.4")).mode & 0o7777).toBe(0o640);
    const rows = read("p.status").trimEnd().split("\n");
    expect(rows.map((row) => row.replace(/=.*/, "")).join(" ")).toBe(
      "NAME DIR TIMEOUT TIMEOUT_FIRED COMMAND TAG TOKEN OUTMTIME ERRMTIME OUTSIZE ERRSIZE " +
        "START_TIME_SECS START_TIME END_TIME_SECS END_TIME EXIT_CODE EXPECTED_EXIT_CODE " +
        "CPU_TIME MAXRSS",
    );
    expect(rows).toEqual(
      expect.arrayContaining([
        ...["NAME=p", "DIR=/d", "TIMEOUT=9", "TIMEOUT_FIRED=0", "COMMAND=run it", "TAG="],
        ...["TOKEN=4", "OUTSIZE=5", "ERRSIZE=0", "START_TIME_SECS=0", "EXIT_CODE=3"],
        ...["EXPECTED_EXIT_CODE=0", "CPU_TIME=-1", "MAXRSS=-1", `END_TIME=${formatCtime(0)}`],
      ]),
    );
  });

  it("says what was used as seconds and KiB, with all places of the microseconds", () => {
    const status = parseUsage("2304 1 2 0 3 4096");
    expect(status).toEqual({
      ...{ exitCode: 9, signal: null, usage: { cpuUs: 1_000_005, rssKibMax: 4_096 } },
    });
    expect(parseUsage("15 0 0 0 0 1")).toMatchObject({ exitCode: null, signal: "SIGTERM" });
    // The one who measures was killed, or is none of ours.
    for (const text of ["", "1 2 3", "a b c d e f"]) expect(parseUsage(text)).toBeUndefined();
    const settings = {
      ...{ command: "", directory: "", timeoutSeconds: 0, expectedExitCode: 0, tag: "" },
    };
    const facts = { name: "p", settings, token: 1, timedOut: false, error: 0 };
    const times = { stdout: undefined, stderr: undefined, startedWallMs: 0, endedWallMs: 0 };
    const text = formatProgramStatus({ ...facts, ...times, usage: status?.usage }, String);
    expect(text).toContain("CPU_TIME=1.000005\nMAXRSS=4096\n");
  });

  it("say that the time limit was over", async () => {
    const clock = new FakeClock();
    backend = new FakeBackend(clock, ["n0"], () => logs);
    const nobody = (): void => undefined;
    agent = new ProgramAgent({
      ...{ backend, clock, programs: [program], onStarted: nobody, onEnded: nobody },
    });
    const result = await agent.start("p", { timeoutSeconds: 2 }, { token: 8 });
    clock.advanceTo(2_000_000);
    await backend.processes[0]?.end("SIGTERM");
    expect(await result.done).toBe(15);
    expect(read("p.status")).toContain("TIMEOUT=2\nTIMEOUT_FIRED=1\n");
    expect(read("p.status")).toContain("OUTMTIME=-1\nERRMTIME=-1\nOUTSIZE=-1\nERRSIZE=-1\n");
  });

  it("replace what a program has put in the way", async () => {
    writeFileSync(join(logs, "precious"), "keep");
    mkdirSync(join(logs, "p.status.4"));
    symlinkSync("precious", join(logs, "p.out"));
    await play("p", 4);
    expect([read("precious"), read("p.out")]).toEqual(["keep", "out 4"]);
    expect(read("p.status")).toContain("TOKEN=4\n");
  });
});

describe("a tag", () => {
  it.each([
    ["x".repeat(31), true],
    ["x".repeat(32), false],
    ["../up", false],
    ["a b", false],
  ])("%s is taken: %s", async (tag, isTaken) => {
    await play("p", 4, { args: { tag } });
    expect(readdirSync(logs).includes(`p.${tag}.out`)).toBe(isTaken);
    expect(warnings).toHaveLength(isTaken ? 0 : 1);
  });
});

it("a tag of the configuration holds for every run, and after TIME START", async () => {
  agent.replace([{ ...program, tag: "all" }]);
  await play("p", 4);
  await play("p", 5, { args: { tag: "own" } });
  await agent.startTime();
  await play("p", 6);
  expect(read("p.all.out")).toBe("out 6");
});

describe("startTime()", () => {
  it("removes what runs of these programs left, and nothing else", async () => {
    await play("p", 4, { args: { tag: "t" } });
    await play("q", 5);
    for (const file of ["other.out", "p.data", "notes"]) writeFileSync(join(logs, file), "");
    await agent.startTime();
    expect(readdirSync(logs).sort()).toEqual(["notes", "other.out", "p.data"]);
  });

  it("stops what runs and makes everything as configured, the expected exit code too", async () => {
    const args = { command: "x", expectedExitCode: 4, tag: "t", timeoutSeconds: 1 };
    await agent.start("p", args, { token: 4 });
    const started = agent.startTime();
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    await backend.processes[0]?.end("SIGTERM");
    await started;
    expect(await play("p", 5)).toBe(0);
    expect(read("p.status")).toMatch(/TIMEOUT=9\n.*\nCOMMAND=run it\nTAG=\n/);
    expect(read("p.status")).toContain("EXPECTED_EXIT_CODE=0\n");
  });
});
