// SPDX-License-Identifier: MIT
// Goal: an experiment that is up becomes another one, and whatever is the same in both does not
// notice: the same processes, the same waits. What cannot be changed is refused before anything is
// touched, and what fails is undone. Method: the commands of bin/, real nodes, numbers of
// processes.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ExperimentDetails, Modified } from "../../src/boss/experiment-views.ts";
import { markedProcesses } from "../../src/testbed/nodes/marked-processes.ts";
import { type Ended, run, scratch, start, until } from "./support/command.ts";
import { readRecord, readResult, readText, sh } from "./support/experiment.ts";

let state = "";
let files = "";
let environment: Record<string, string> = {};
beforeEach(() => {
  state = join(scratch(), "state");
  files = scratch();
  environment = { MUSTER_STATE: state };
});
// A daemon belongs to no command of the test: it is asked to end, before its directory goes.
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
});

const muster = (...argv: readonly string[]): Promise<Ended> =>
  run("muster", argv, { env: environment });

function experimentFile(name: string, lines: readonly string[]): string {
  const file = join(files, `${name}.ns`);
  const text = ["set ns [new Simulator]", "source tb_compat.tcl", ...lines, "$ns run", ""];
  writeFileSync(file, text.join("\n"));
  return file;
}

const node = (name: string): string => `set ${name} [$ns node]`;
const program = (name: string, on: string, script: string): string =>
  `set ${name} [$${on} program-agent -command {${sh(script)}}]\n$ns at 0 "$${name} start"`;

/** `n0` waits at a barrier for two more than itself, `n1` prints for ever. */
const base = [
  ...[node("n0"), node("n1"), "tb-set-sync-server $n0"],
  program("waits", "n0", "emulab-sync -n meet -i 2; echo crossed $?"),
  program("prints", "n1", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done"),
];

async function statusOf(id: string): Promise<ExperimentDetails> {
  return JSON.parse((await muster("status", id, "--json")).stdout) as ExperimentDetails;
}

interface Up {
  readonly directory: string;
  readonly runId: string;
  /** What runs of the programs, without what comes and goes inside of them. */
  readonly processes: () => readonly number[];
}

async function up(lines: readonly string[]): Promise<Up> {
  const { code, stderr } = await muster("up", experimentFile("exp", lines));
  expect(`${code} ${stderr}`).toBe("0 ");
  const directory = (await statusOf("exp")).runs[0]?.directory ?? "";
  const runId = /"runId":"(\w+)"/.exec(readText(join(directory, "record.ndjson")))?.[1] ?? "";
  // Leaders of sessions, and who waits at a barrier.
  const processes = (): readonly number[] => markedProcesses(runId).filter(isLasting);
  return { directory, runId, processes };
}

function isLasting(pid: number): boolean {
  const session = /\) \S+ \d+ \d+ (\d+)/.exec(readText(`/proc/${pid}/stat`))?.[1];
  return Number(session) === pid || /emulab-sync\0-n/.test(readText(`/proc/${pid}/cmdline`));
}

const output = (directory: string, node: string, file: string): string =>
  readText(join(directory, "nodes", node, "local/logs", file));

/** What all runs of a program have printed, in any order. */
function printed(directory: string, node: string, name: string): string {
  const logs = join(directory, "nodes", node, "local/logs");
  const files = readdirSync(logs).filter((file) => file.startsWith(`${name}.out.`));
  return files.map((file) => readText(join(logs, file))).join("");
}

async function modify(lines: readonly string[]): Promise<Modified> {
  const { code, stdout, stderr } = await muster(
    ...["modify", "exp", experimentFile("after", lines), "--json"],
  );
  expect(`${code} ${stderr}`).toBe("0 ");
  return JSON.parse(stdout) as Modified;
}

/** Both programs of `base` are at what they do until the end. */
async function untilAtWork({ directory }: Up): Promise<void> {
  await until("n0 waits", () => readText(join(directory, "progress.log")).includes("1 of 3"));
  await until("n1 prints", () => printed(directory, "n1", "prints").includes("line 1\n"));
}

/** All that ran before still runs. */
function expectUndisturbed(before: readonly number[], after: readonly number[]): void {
  expect(before.length).toBeGreaterThan(1);
  expect(before.filter((pid) => !after.includes(pid))).toEqual([]);
}

describe.each(["namespace", "environment"])("muster modify, nodes of mode %s", (mode) => {
  beforeEach(() => {
    environment["MUSTER_NODES"] = mode;
  });

  test("brings nodes that meet the others at a barrier they were waiting at", async () => {
    const started = await up(base);
    const { directory, processes } = started;
    await untilAtWork(started);
    // Without who goes on from the barrier.
    const before = processes().filter((pid) => !/meet/.test(readText(`/proc/${pid}/cmdline`)));
    const arrives = "grep -c n3 /etc/hosts; tmcc status; emulab-sync -n meet; echo met $?";
    const more = [
      ...[node("n2"), node("n3"), program("second", "n2", arrives)],
      "tb-set-node-startcmd $n3 {emulab-sync -n meet}",
    ];
    const done = await modify([...base, ...more]);
    expect(done).toMatchObject({
      nodes: { added: ["n2", "n3"], removed: [], restarted: [] },
      programs: { removed: [], restarted: [] },
      lost: [],
    });
    expect([...done.programs.added].sort()).toEqual(["n3_startcmd", "second"]);
    const isMet = (): boolean => output(directory, "n2", "second.out").includes("met 0");
    await until("the barrier is crossed", isMet);
    await until("n0 goes on", () => output(directory, "n0", "waits.out") === "crossed 0\n");
    expect(output(directory, "n2", "second.out")).toContain("ALLOCATED=muster/exp NICKNAME=n2");
    if (mode === "namespace") expect(output(directory, "n2", "second.out")).toMatch(/^[1-9]/);
    // Everybody knows the names of everybody.
    for (const name of ["n0", "n1", "n2", "n3"]) {
      const hosts = readText(join(directory, "nodes", name, "etc/hosts"));
      expect(hosts).toMatch(/^127\.[\d.]+\tn3\.exp\.muster\.muster\.local n3$/m);
    }
    expectUndisturbed(before, processes());
    expect((await statusOf("exp")).live).toMatchObject({ nodes: 4, nodesUp: 4, programs: 4 });
    const { history } = await statusOf("exp");
    expect(history.map(({ to }) => to)).toEqual([
      ...["swapped", "activating", "active", "modify_reswap", "active"],
    ]);
    expect(history.at(-1)?.note).toContain("2 nodes added (n2, n3)");
    expect((await muster("down", "exp")).code).toBe(0);
    expect(readRecord(directory).filter(({ type }) => type === "run-modified")).toHaveLength(1);
    const result = readResult(directory);
    expect(result).toMatchObject({ outcome: "passed", reasons: [], programsNotStarted: [] });
    expect(result.nodes.map(({ name }) => name)).toEqual(["n0", "n1", "n2", "n3"]);
    expect(result.modifications).toMatchObject([{ nodesAdded: ["n2", "n3"], nodesRemoved: [] }]);
  });

  test("takes nodes and programs away, and starts anew what changed", async () => {
    const goes = ["setsid sleep 12345 & exec sleep 12346"].map((one) => program("goes", "n2", one));
    const changes = program("changes", "n1", "echo old; exec sleep 12347");
    const { directory, runId, processes } = await up([...base, node("n2"), ...goes, changes]);
    const sleeps = (): readonly string[] =>
      markedProcesses(runId).map((pid) => readText(`/proc/${pid}/cmdline`).replaceAll("\0", " "));
    await until("n0 waits", () => readText(join(directory, "progress.log")).includes("1 of 3"));
    await until("all sleep", () => [5, 6, 7].every((n) => sleeps().includes(`sleep 1234${n} `)));
    const before = processes().filter((pid) =>
      /emulab-sync|line/.test(readText(`/proc/${pid}/cmdline`)),
    );
    const done = await modify([...base, changes.replace("old", "new").replace("12347", "12348")]);
    expect(done).toMatchObject({
      nodes: { added: [], removed: ["n2"], restarted: [] },
      programs: { added: [], removed: ["goes"], restarted: ["changes"] },
    });
    await until("the new one runs", () => sleeps().includes("sleep 12348 "));
    expect(sleeps().filter((one) => /^sleep 1234[567] /.test(one))).toEqual([]);
    expectUndisturbed(before, processes());
    expect(output(directory, "n1", "changes.out")).toBe("new\n");
    expect(printed(directory, "n1", "changes").split("\n").toSorted()).toEqual(["", "new", "old"]);
    expect(readText(join(directory, "nodes/n0/etc/hosts"))).not.toContain("n2");
    expect((await muster("down", "exp")).code).toBe(0);
    // What was stopped for the modification is nobody's failure.
    const { programs } = readResult(directory);
    const stopped = programs.filter(({ name }) => name === "goes" || name === "changes");
    expect(stopped.map((one) => one.stopped)).toEqual([true, true, true]);
  });

  test("starts a node anew with its programs when it is another one", async () => {
    const started = await up(base);
    const { directory, runId, processes } = started;
    await untilAtWork(started);
    const before = processes();
    const waiter = before.find((pid) => /emulab-sync/.test(readText(`/proc/${pid}/cmdline`)));
    const done = await modify([...base, "tb-set-node-os $n1 FBSD-STD"]);
    expect(done).toMatchObject({
      nodes: { added: [], removed: [], restarted: ["n1"] },
      programs: { restarted: ["prints"] },
    });
    const count = (): number => printed(directory, "n1", "prints").match(/line 1\n/g)?.length ?? 0;
    await until("it prints again", () => count() === 2);
    expect(markedProcesses(runId)).toContain(waiter);
    expect((await statusOf("exp")).live).toMatchObject({ nodesUp: 2, programsRunning: 2 });
  });
});

describe("muster modify", () => {
  test("takes YAML as up does, and tmcd tells what it says", async () => {
    const ask = "tmcc startupcmd; tmcc programs; echo asked";
    const lines = (...programs: readonly string[]): string =>
      ["nodes: { a: {}, b: {} }", "programs:", ...programs, ""].join("\n");
    const stays = "  stays: { node: a, command: sleep 12349 }";
    const file = join(files, "exp.yaml");
    writeFileSync(file, lines(stays));
    const { code, stderr } = await muster("up", file);
    expect(`${code} ${stderr}`).toBe("0 ");
    writeFileSync(file, lines(stays, `  asks: { node: b, command: "${ask}" }`));
    const modified = await muster("modify", "exp", file);
    expect(modified).toMatchObject({ code: 0, stderr: "" });
    expect(modified.stdout).toBe("muster/exp: 1 program added (asks); 1 event added (2)\n");
    const directory = (await statusOf("exp")).runs[0]?.directory ?? "";
    await until("b has asked", () => output(directory, "b", "asks.out").includes("asked"));
    expect(output(directory, "b", "asks.out")).toContain("AGENT=asks");
    const ended = '"type":"program-ended"';
    await until("its end is noted", () =>
      readText(join(directory, "record.ndjson")).includes(ended),
    );
    expect((await statusOf("exp")).live).toMatchObject({ programsRunning: 1, programs: 2 });
  });

  test("refuses what cannot be changed while it runs, and touches nothing", async () => {
    const started = await up(base);
    const { processes } = started;
    await untilAtWork(started);
    const before = processes();
    const file = experimentFile("other", [
      ...[...base, "set opt(SIZE) 5"],
      '$ns at 9 "$waits stop"',
    ]);
    writeFileSync(file, readFileSync(file, "utf8").replace("server $n0", "server $n1"));
    const { code, stderr } = await muster("modify", "exp", file);
    expect(code).toBe(65);
    expect(stderr).toMatch(/^muster: muster\/exp cannot be changed like this while it is up: /);
    for (const what of ["variable SIZE is added", "sync server is on n0"]) {
      expect(stderr).toContain(what);
    }
    expect(stderr).toContain("the sync server is on n0 and would be on n1");
    expect(stderr).toContain(
      "nothing was changed; leave that as it is, or: muster down muster/exp",
    );
    expectUndisturbed(before, processes());
    const { state: now, history, file: known } = await statusOf("exp");
    expect([now, history.length, known]).toEqual(["active", 3, join(files, "exp.ns")]);
  });

  test("does not take the moment without programs for the end, nor miss the end after it", async () => {
    const alone = (script: string) => [node("n0"), program("only", "n0", script)];
    const { directory } = await up(alone("exec sleep 12350"));
    expect(await modify(alone("exec sleep 12351"))).toMatchObject({
      programs: { added: [], removed: [], restarted: ["only"] },
    });
    expect((await statusOf("exp")).state).toBe("active");
    // Its file has nothing to run any more, and it is there to be used by hand.
    await modify([node("n0")]);
    expect((await statusOf("exp")).state).toBe("active");
    // What has come has ended, and nothing is planned.
    await modify(alone("true"));
    await until("it has ended", () => existsSync(join(directory, "result.json")));
    expect(readResult(directory)).toMatchObject({ outcome: "passed", endedBy: "idle" });
  });

  test("undoes what fails half-way, says why, and can be asked again", async () => {
    const started = await up(base);
    const { directory, processes } = started;
    await untilAtWork(started);
    const before = processes();
    const more = [...base, node("n2"), node("n3"), program("late", "n3", "echo here")];
    // Where n3 would have its files.
    writeFileSync(join(directory, "nodes/n3"), "");
    const { code, stderr } = await muster("modify", "exp", experimentFile("more", more));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^muster: muster\/exp was not modified: the nodes cannot be set up/);
    expectUndisturbed(before, processes());
    const undone = await statusOf("exp");
    expect(undone).toMatchObject({ state: "active", live: { nodes: 2, nodesUp: 2 } });
    expect(undone.history.at(-1)?.note).toMatch(/^undone: the nodes cannot be set up/);
    rmSync(join(directory, "nodes/n3"));
    await modify(more);
    await until("late runs", () => output(directory, "n3", "late.out") === "here\n");
    expectUndisturbed(before, processes());
  });

  test("refuses what has no nodes, a bad file, and one that is not there", async () => {
    const file = experimentFile("short", [node("n0"), `tb-set-node-startcmd $n0 {${sh("true")}}`]);
    expect((await muster("up", file)).code).toBe(0);
    expect((await start("muster", ["logs", "-f", "short"], { env: environment }).ended).code).toBe(
      0,
    );
    const swapped = await muster("modify", "short", file);
    expect(swapped.code).toBe(1);
    expect(swapped.stderr).toContain("is swapped and cannot be modified: it has no nodes");
    expect((await muster("modify", "nobody", file)).code).toBe(66);
    expect((await muster("modify", "short", join(files, "none.ns"))).code).toBe(66);
    const bad = await muster("modify", "short", experimentFile("bad", ["nonsense"]));
    expect(bad.code).toBe(65);
    expect(bad.stderr).toContain("nothing was changed");
  });
});
