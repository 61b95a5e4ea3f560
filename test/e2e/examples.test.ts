// SPDX-License-Identifier: MIT
// Goal: each example runs and shows what it says; the reference scenario of the sync server gives
// its exact files whatever the sleeps, and would not with a server or a scenario that is wrong.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { modes } from "./nodes-support/harness.ts";
import { repository, scratch, shell, start } from "./support/command.ts";
import { type EndedRun, ended } from "./support/experiment.ts";

const examples = join(repository, "examples");

function runFile(
  file: string,
  argv: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<EndedRun> {
  const out = join(scratch(), "out");
  const command = start("muster", ["run", file, "--out", out, ...argv], { env });
  return ended({ command, out, file });
}

/** The scenario's own result, in order of the nodes. [EMULAB-SYNC 6] */
const expectedFiles = ["0\n1\n2\n", "0\n1\n2\n", "0\n1\n2\n", "3\n4\n", "3\n4\n"];
const resultFiles = ({ text }: EndedRun): readonly string[] =>
  expectedFiles.map((_, node) => text(`proj/tmp/node${node}res`));

test("every example is tested here", () => {
  expect(readdirSync(examples).sort()).toEqual([
    // NS cannot say them.
    "meet.experiment.ts",
    "meet.yaml",
    "missing.yaml",
    "nodea-nodeb.ns",
    "nodea-nodeb.yaml",
    // In operations-examples.test.ts.
    "operations",
    "quickstart.ns",
    "quickstart.yaml",
    "sync-image-test",
    // In run-testground.test.ts.
    "testground",
    "timeline.ns",
    "timeline.yaml",
    // As a program would write it, which need not say the same.
    "two-sites.experiment.ts",
    "two-sites.ns",
    "two-sites.yaml",
  ]);
});

test.each([
  ["quickstart.yaml", 2],
  ["nodea-nodeb.yaml", 1],
  ["two-sites.yaml", 1],
])("%s runs as its NS form does", async (name, barriers) => {
  const { result, code } = await runFile(join(examples, name));
  expect(code).toBe(0);
  expect(result.barriers).toHaveLength(barriers);
});

test("each example that NS can say has an NS and a YAML form", () => {
  const files = ["", "sync-image-test/"].flatMap((folder) =>
    readdirSync(join(examples, folder)).map((file) => `${folder}${file}`),
  );
  const forms = (ending: string) =>
    files.filter((file) => file.endsWith(ending)).map((file) => file.slice(0, -ending.length));
  const waiting = ["meet", "missing"];
  expect(forms(".ns")).toEqual(forms(".yaml").filter((name) => !waiting.includes(name)));
});

test("two-sites.ns meets across the line, and says what is not done to it", async () => {
  const { result, code } = await runFile(join(examples, "two-sites.ns"));
  expect(code).toBe(0);
  expect(result.barriers).toMatchObject([{ name: "ready", outcome: "crossed", arrived: 9 }]);
  const line = result.events.filter(({ object }) => object === "line");
  expect(line.map(({ event }) => event)).toEqual(["DOWN", "UP", "MODIFY"]);
});

test.each(["timeline.ns", "timeline.yaml"])("%s fires everything, in its order", async (name) => {
  const { result, code, text } = await runFile(join(examples, name));
  expect(code).toBe(0);
  expect(result.events.every(({ outcome }) => outcome === "done")).toBe(true);
  const started = (program: string): number =>
    result.programs.find((one) => one.name === program)?.startedUs ?? Number.NaN;
  // Of the timeline, and of the sequence with its group.
  expect(started("heat")).toBeLessThan(started("cool"));
  expect(started("prepare")).toBeLessThan(started("work-left"));
  const work = result.programs.filter((one) => one.name.startsWith("work-"));
  for (const { endedUs } of work) expect(endedUs).toBeLessThanOrEqual(started("gather"));
  // What tevc has asked for, with no instant in the file.
  const rescue = result.events.find(({ object }) => object === "rescue");
  expect(rescue).toMatchObject({ event: "START", outcome: "done" });
  expect(text("nodes/right/local/logs/rescue.out")).toBe("somebody asked for this\n");
});

test.each(["meet.yaml", "meet.experiment.ts"])("%s: each when it is its turn", async (name) => {
  const { result, code, text } = await runFile(join(examples, name));
  expect(code).toBe(0);
  const { barriers, programs } = result;
  expect(barriers).toMatchObject([{ name: "ready", kind: "roster", outcome: "crossed" }]);
  const workers = ["work-worker0", "work-worker1", "work-worker2"];
  expect(barriers[0]?.participants.map((one) => one.name).toSorted()).toEqual(workers);
  const of = (program: string) => programs.find((one) => one.name === program);
  const [setup, measure, report] = ["setup", "measure", "report"].map(of);
  for (const worker of workers) {
    expect(of(worker)?.startedUs).toBeGreaterThanOrEqual(setup?.endedUs ?? Infinity);
    expect(report?.startedUs).toBeGreaterThanOrEqual(of(worker)?.endedUs ?? Infinity);
  }
  const crossedUs = barriers[0]?.crossedUs ?? Infinity;
  expect(measure?.startedUs).toBeGreaterThanOrEqual(crossedUs + 500_000);
  expect(text("nodes/worker1/local/logs/work-worker1.out")).toBe("here\nmet\n");
});

test("missing.yaml says who did not come, and lets start what waits for that", async () => {
  const { result, code, stdout, text } = await runFile(join(examples, "missing.yaml"));
  expect(code).toBe(1);
  expect(result.barriers).toMatchObject([{ outcome: "timeout", missing: ["worker2"] }]);
  expect(stdout).toContain("missing: worker2");
  expect(text("nodes/worker0/local/logs/blame.out")).toBe("somebody did not come\n");
  expect(text("report.html")).toContain("worker2");
});

test("declared barriers and waits of the reference file are understood", async () => {
  const file = join(repository, "test/vectors/yaml/two-sites-with-barriers.yaml");
  const parsed = await start("muster", ["parse", file]).ended;
  expect(parsed).toMatchObject({ code: 0 });
});

test("quickstart.ns waits for seconds, not for minutes", () => {
  const text = readFileSync(join(examples, "quickstart.ns"), "utf8");
  const waits = [...text.matchAll(/\bsleep ([\d.]+)|\$ns at ([\d.]+)/g)];
  expect(waits.length).toBeGreaterThan(2);
  const seconds = waits.map(([, slept, at]) => Number(slept ?? at));
  expect(seconds.reduce((sum, one) => sum + one)).toBeLessThan(10);
});

test.each(modes)("quickstart.ns shows the point, in %s mode", async (mode) => {
  const ran = await runFile(join(examples, "quickstart.ns"), [], { MUSTER_NODES: mode });
  const { result, code, stdout } = ran;
  expect(code).toBe(0);
  expect(result.nodes).toHaveLength(5);
  expect(result.barriers).toMatchObject([
    { name: "start", outcome: "crossed", expected: 5, error: 0 },
    { name: "results", outcome: "crossed", expected: 5, error: 42 },
  ]);
  // The late node is named while the others wait for it, and comes last.
  expect(stdout).toMatch(/barrier start 4 of 5 waiting; missing: .*node-4/);
  expect(result.barriers[0]?.participants.at(-1)?.node).toBe("node-4");
  // The error reaches everybody.
  const codes = result.programs.filter(({ name }) => name !== "probe").map((p) => p.exitCode);
  expect(codes).toEqual([42, 42, 42, 42, 42]);
  const probe = result.events.find(({ object }) => object === "probe");
  expect(probe).toMatchObject({ plannedUs: 2_000_000, outcome: "done" });
  expect(ran.text("nodes/node-1/local/logs/probe.out")).toContain("the planned event fired");
});

test("nodea-nodeb.ns meets", async () => {
  const { result, code, text } = await runFile(join(examples, "nodea-nodeb.ns"));
  expect(code).toBe(0);
  expect(result.syncServer).toBe("nodeB");
  expect(result.barriers).toMatchObject([{ name: "mybarrier", outcome: "crossed", arrived: 2 }]);
  for (const node of ["nodeA", "nodeB"]) {
    const printed = text(`nodes/${node}/local/logs/${node}_startcmd.out`);
    expect(printed).toBe(`${node} is past the barrier\n`);
  }
});

describe("sync-image-test", () => {
  const scenario = join(examples, "sync-image-test");

  test.each(modes)("gives its exact files with any sleeps, in %s mode", async (mode) => {
    const sleeps = [
      ...["0", "0.5", "1", "2"].map((max) => ["--set", `opt(MAXSLEEP)=${max}`]),
      // Drawn seeds are large numbers.
      ["--seed", "2147483647"],
    ];
    const runs = await Promise.all(
      sleeps.map((argv, seed) =>
        runFile(join(scenario, "sync.ns"), ["--seed", String(seed), ...argv], {
          MUSTER_NODES: mode,
        }),
      ),
    );
    for (const ran of runs) {
      expect(resultFiles(ran)).toEqual(expectedFiles);
      expect(ran.result.outcome).toBe("passed");
      expect(ran.code).toBe(0);
      const { barriers } = ran.result;
      expect(barriers.map(({ name, arrived }) => `${name} ${arrived}`).sort()).toEqual([
        ...["barrier 4", "barrier2 3"],
      ]);
    }
  });

  test("sleeps differently on each node, and the same for the same seed", async () => {
    const sleepsOf = async (seed: number): Promise<readonly string[]> => {
      const script =
        'sleep() { echo "$1"; }; for n in 0 1 2; do NODE=node$n; . ./common.sh; pause; done';
      const env = { MUSTER_SEED: String(seed), MAXSLEEP: "2" };
      return (await shell(script, { cwd: scenario, env })).stdout.trim().split("\n");
    };
    for (const seed of [1, 2_147_483_647]) {
      const sleeps = await sleepsOf(seed);
      expect(new Set(sleeps).size).toBe(3);
      expect(await sleepsOf(seed)).toEqual(sleeps);
    }
  });

  test("would not pass if anybody went on too early or not at all", async () => {
    const changes = [
      // The barrier opens for one waiter too few: who is first goes on without the others.
      ["node0.sh", "emulab-sync -i 3", "emulab-sync -i 2"],
      ["node2.sh", "-a -i 2", "-a -i 1"],
      // Who does not wait reads marks that are not there yet.
      ["node1.sh", "emulab-sync || exit", ":"],
      ["node3.sh", "emulab-sync || exit", ":"],
      // A master that waits for its own barrier first never comes to the other.
      ["node2.sh", "-a -i 2", "-i 2"],
    ] as const;
    const runs = await Promise.all(
      changes.map(([file, from, to]) => {
        const copy = scratch();
        cpSync(scenario, copy, { recursive: true });
        const text = readFileSync(join(copy, file), "utf8");
        expect(text).toContain(from);
        writeFileSync(join(copy, file), text.replace(from, to));
        return runFile(join(copy, "sync.ns"), ["--seed", "1", "--stuck-after", "1"]);
      }),
    );
    for (const ran of runs) {
      expect(ran.code).toBe(1);
      expect(ran.result.error?.code).toBe("BARRIER_STUCK");
      expect(resultFiles(ran)).not.toEqual(expectedFiles);
    }
  });
});
