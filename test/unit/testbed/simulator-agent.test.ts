// SPDX-License-Identifier: MIT
// Goal: the simulator obeys its events in order, completes each with what came of it, and puts each
// text into one report. Method: logs in a temporary directory; reports end when the test says so.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { MadeReport, ReportWish } from "../../../src/testbed/agents/make-report.ts";
import { formatCtime } from "../../../src/testbed/agents/program-status.ts";
import { reportLimits } from "../../../src/testbed/agents/report-limits.ts";
import { SimulatorAgent } from "../../../src/testbed/agents/simulator-agent.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { settle } from "./fake-backend.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-simulator-"));
  for (const path of ["proj", "nodes/n0/local/logs", "nodes/n1/local/logs"]) {
    mkdirSync(join(directory, path), { recursive: true });
  }
  writeFileSync(join(directory, "nodes/n0/local/logs/a.out"), "a");
  writeFileSync(join(directory, "nodes/n1/local/logs/b.out"), "b");
});
afterEach(() => rmSync(directory, { recursive: true }));

const made: MadeReport = { path: "/r", error: 0, text: "" };

function setUp() {
  const clock = new FakeClock();
  const wishes: ReportWish[] = [];
  const ends: ((report: MadeReport) => void)[] = [];
  const told: string[] = [];
  let elapsedUs: number | undefined;
  const agent = new SimulatorAgent({
    clock,
    elapsedUs: () => elapsedUs,
    logs: () => ({
      experiment: join(directory, "proj"),
      nodesDirectory: join(directory, "nodes"),
      nodes: ["n0", "n1"],
    }),
    takeErrors: async (scope) => {
      const record = { object: "p", type: "PROGRAM", token: 1, error: 2, text: scope };
      return { errors: [record], dropped: 0 };
    },
    makeReport: (wish) => {
      wishes.push(wish);
      return new Promise((resolve) => ends.push(resolve));
    },
    onTerminate: () => told.push("terminate"),
    onMessage: (text) => told.push(text),
    onWarning: (text) => told.push(`warning: ${text}`),
  });
  const perform = (event: string, args = "") =>
    agent.perform({ id: 0, object: "ns", type: "SIMULATOR", event, args }, { scope: "s" });
  const setElapsed = (us: number): void => {
    elapsedUs = us;
  };
  return { clock, agent, perform, wishes, ends, told, setElapsed };
}

it("ends the run at HALT and SWAPOUT", async () => {
  const { perform, told } = setUp();
  await perform("HALT");
  await perform("SWAPOUT");
  expect(told).toEqual(["terminate", "terminate"]);
});

it("S2 stamps LOG with the wall time before time 0, and then with what has passed", async () => {
  const { perform, told, setElapsed } = setUp();
  await perform("LOG", "early");
  setElapsed(0);
  await perform("LOG", "begun");
  setElapsed(3_600_000_000 + 62_999_999);
  await perform("LOG", "later");
  await perform("MESSAGE", "plain");
  await perform("DEBUG", "x");
  expect(told).toEqual([
    ...[`${formatCtime(0)} - early`, "0h0m0s - begun", "1h1m2s - later", "plain", "debug: x"],
  ]);
});

it("S1 puts each text into one report, and takes errors of the event's agenda", async () => {
  const { agent, perform, wishes, ends, told } = setUp();
  await perform("MESSAGE", "one");
  const first = await perform("REPORT", "ARCHIVE={false} DIGESTER={wc -l}");
  const second = await perform("REPORT");
  await settle();
  // One at a time.
  expect(wishes).toHaveLength(1);
  await perform("MESSAGE", "two");
  ends[0]?.({ path: "/r", error: 1, text: "digester: it exited with 3" });
  expect(await first.done).toMatchObject({ error: 1, text: "digester: it exited with 3" });
  await settle();
  ends[1]?.(made);
  expect(await second.done).toMatchObject({ error: 0 });
  expect(wishes).toMatchObject([
    {
      kind: "report",
      messages: ["one"],
      digester: "wc -l",
      archives: false,
      errors: [{ text: "s" }],
    },
    { kind: "report", messages: ["two"], digester: "", archives: true },
  ]);
  expect(told).toContain("warning: report: digester: it exited with 3");
  await agent.settle();
});

it("archives only when ARCHIVE is absent or exactly true", async () => {
  const { perform, wishes, ends } = setUp();
  for (const args of ["", "ARCHIVE={true}", "ARCHIVE={TRUE}", "ARCHIVE={1}"]) {
    const { done } = await perform("REPORT", args);
    await settle();
    ends.at(-1)?.(made);
    await done;
  }
  expect(wishes.map(({ archives }) => archives)).toEqual([true, true, false, false]);
});

it("keeps as many texts for a report as it may, and not one more", async () => {
  const { agent, perform, wishes } = setUp();
  for (let index = 0; index <= reportLimits.textsMax; index += 1) {
    await perform("MESSAGE", String(index));
  }
  agent.reportError({
    kind: "error-report",
    scope: "s",
    object: "q",
    error: 1,
    errors: [],
    dropped: 0,
  });
  await settle();
  expect(wishes[0]?.messages).toHaveLength(reportLimits.textsMax);
  expect(wishes[0]?.messages[0]).toBe("1");
});

it("makes an error report of the errors it is told, without archive or digester", async () => {
  const { agent, wishes } = setUp();
  const errors = [{ object: "p", type: "PROGRAM", token: 4, error: 9, text: "" }];
  agent.reportError({
    kind: "error-report",
    scope: "s",
    object: "q",
    error: 9,
    errors,
    dropped: 2,
  });
  await settle();
  expect(wishes).toEqual([
    {
      ...{ kind: "error-report", errors, dropped: 2, messages: [], log: [] },
      ...{ digester: "", archives: false },
    },
  ]);
});

it("says in the next report where the automatic one is that has taken errors, once", async () => {
  const { agent, perform, wishes, ends } = setUp();
  const errors = [{ object: "p", type: "PROGRAM", token: 4, error: 9, text: "" }];
  const about = { scope: "s", object: "q", error: 9, errors, dropped: 2 } as const;
  agent.reportError({ kind: "error-report", ...about });
  await perform("REPORT", "");
  await perform("REPORT", "");
  for (let made = 0; made < 3; made += 1) {
    await settle();
    ends[made]?.({ error: 0, text: "", path: "error-report.mail" });
  }
  await settle();
  expect(wishes.map(({ messages }) => messages)).toEqual([
    [],
    [expect.stringMatching(/^3 error\(s\) were told before: ./)],
    [],
  ]);
});

it.each(["", "LOGHOLE_ARGS='-s'", "LOGHOLE_ARGS='-s -q n1'"])(
  "SNAPSHOT %s copies",
  async (args) => {
    const { perform } = setUp();
    expect(await (await perform("SNAPSHOT", args)).done).toEqual({ error: 0, text: "" });
    expect(readFileSync(join(directory, "proj/logs/n1/local/logs/b.out"), "utf8")).toBe("b");
    expect(existsSync(join(directory, "proj/logs/n0"))).toBe(!args.includes("n1"));
  },
);

it.each([
  ["LOGHOLE_ARGS='-s; touch /tmp/x'", "-s; is no option"],
  ["LOGHOLE_ARGS='--delete'", "--delete is no option"],
  ["LOGHOLE_ARGS={$(id)}", "there is no node $(id)"],
  ["LOGHOLE_ARGS={it's}", "a quote is not closed"],
])("SNAPSHOT %s is refused, and no shell reads it", async (args, why) => {
  const done = await (await setUp().perform("SNAPSHOT", args)).done;
  expect(done).toMatchObject({ text: expect.stringContaining(why) });
  expect(done).not.toMatchObject({ error: 0 });
});

it("SNAPSHOT completes with an error when a log cannot be copied", async () => {
  writeFileSync(join(directory, "proj/logs"), "in the way");
  const done = await (await setUp().perform("SNAPSHOT")).done;
  expect(done).toMatchObject({ error: 1, text: expect.stringContaining("is not copied") });
});

it("RESET empties the logs, and their copies", async () => {
  const { perform } = setUp();
  await (await perform("SNAPSHOT")).done;
  expect(await (await perform("RESET", "ASPECT=LOGHOLE")).done).toEqual({ error: 0, text: "" });
  for (const path of ["nodes/n0/local/logs/a.out", "proj/logs/n0/local/logs/a.out"]) {
    expect(existsSync(join(directory, path))).toBe(false);
  }
});

it("STOPRUN copies the logs and completes before it ends the run", async () => {
  const { clock, perform, told } = setUp();
  expect(await (await perform("STOPRUN")).done).toEqual({ error: 0, text: "" });
  expect(existsSync(join(directory, "proj/logs/n0/local/logs/a.out"))).toBe(true);
  expect(told).toEqual([]);
  clock.endTurn();
  expect(told).toEqual(["terminate"]);
});

it("refuses MODIFY with an error, and ignores what it does not know", async () => {
  const { perform } = setUp();
  const modify = await perform("MODIFY", "mode=stabilize");
  expect(modify.outcome).toMatch(/^failed: stabilize is not built/);
  expect(await modify.done).toBe(-1);
  expect((await perform("NSESWAP")).outcome).toMatch(/^ignored: /);
});
