// SPDX-License-Identifier: MIT
// Goal: the events, sequences, timelines, groups and traffic of an experiment that is up become
// those of another file; what had fired is said, what runs is not pulled away, and whoever lists,
// sends or reads the result sees one number for each event. Method: the commands of bin/, real
// nodes in both modes.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ExperimentDetails, Modified } from "../../src/boss/experiment-views.ts";
import { type Ended, run, scratch, until } from "./support/command.ts";
import { readRecord, readResult, readText, sh } from "./support/experiment.ts";

const isRoot = process.getuid?.() === 0;
/** The machine of `npm run test:netem` says: netem. */
const shapedBy = process.env["MUSTER_TEST_LINKS"] ?? "delay-node";
let state = "";
let environment: Record<string, string> = {};
let directory = "";
beforeEach(() => {
  state = join(scratch(), "state");
});
// A daemon belongs to no command of the test: it is asked to end, before its directory goes.
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
});

const muster = (...argv: readonly string[]): Promise<Ended> =>
  run("muster", argv, { env: environment });

function experimentFile(lines: readonly string[]): string {
  const file = join(scratch(), "exp.ns");
  const text = ["set ns [new Simulator]", "source tb_compat.tcl", ...lines, "$ns run", ""];
  writeFileSync(file, text.join("\n"));
  return file;
}

const program = (name: string, script: string): string =>
  `set ${name} [$n0 program-agent -command {${sh(script)}}]`;
const nodes = ["set n0 [$ns node]", "set n1 [$ns node]", "tb-set-sync-server $n0"];
const link = "set l [$ns duplex-link $n0 $n1 10Mb 0ms DropTail]";
const base = [
  ...[...nodes, link, program("stays", "echo $$; exec sleep 12345")],
  ...["goes", "moved", "early", "added", "inner"].map((name) => program(name, `echo ${name}`)),
];
/** Events of the first file: numbers 1 to 4. */
const first = [
  ...['$ns at 0 "$stays start"', '$ns at 3600 "$goes start"', '$ns at 3600 "$moved start"'],
  '$ns at 0 "$early start"',
];

async function up(lines: readonly string[]): Promise<void> {
  const { code, stderr } = await muster("up", experimentFile(lines));
  expect(`${code} ${stderr.replace(/.*nothing in the file starts.*\n/, "")}`).toBe("0 ");
  const { stdout } = await muster("status", "exp", "--json");
  directory = (JSON.parse(stdout) as ExperimentDetails).runs[0]?.directory ?? "";
}

async function modify(lines: readonly string[]): Promise<Modified> {
  const { code, stdout, stderr } = await muster(
    ...["modify", "exp", experimentFile(lines), "--json"],
  );
  expect(`${code} ${stderr}`).toBe("0 ");
  return JSON.parse(stdout) as Modified;
}

/** What all runs of a program on n0 have printed. */
function printed(name: string): string {
  const logs = join(directory, "nodes/n0/local/logs");
  const files = readdirSync(logs).filter((file) => file.startsWith(`${name}.out.`));
  return files.map((file) => readText(join(logs, file))).join("");
}

async function listed(): Promise<readonly { readonly id: number; readonly object: string }[]> {
  const { code, stdout } = await muster("event", "ls", "exp", "--json");
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { events: { id: number; object: string }[] }).events;
}

async function down() {
  expect((await muster("down", "exp")).code).toBe(0);
  return readResult(directory);
}

describe.each(["namespace", "environment"])("events, nodes of mode %s", (mode) => {
  beforeEach(() => {
    environment = { MUSTER_STATE: state, MUSTER_NODES: mode };
  });

  test("come, go and change in the agenda that runs, under one number each", async () => {
    await up([...base, ...first]);
    await until("early has run", () => printed("early") === "early\n");
    await until("stays has told its pid", () => printed("stays").endsWith("\n"));
    const pid = printed("stays");
    const done = await modify([
      ...[...base, '$ns at 0 "$stays start"', '$ns at 0 "$moved start"'],
      ...['$ns at 9 "$early start"', '$ns at 0 "$added start"', '$ns at swapout "$inner start"'],
    ]);
    // The time of `moved` is over, so that it fires at once; `early` had fired.
    expect(done.events).toEqual({ added: [5, 6], changed: [3], removed: [2], alreadyFired: [4] });
    expect(done.summary).toContain("event 4 (early START) had already fired");
    await until("moved runs", () => printed("moved") === "moved\n");
    await until("added runs", () => printed("added") === "added\n");
    // Whoever sends an event sees the next number.
    const sent = await muster("event", "at", "exp", "+400", "goes", "start", "--json");
    expect(JSON.parse(sent.stdout)).toMatchObject({ id: 7 });
    expect((await listed()).map(({ id, object }) => `${id} ${object}`)).toEqual(["7 goes"]);
    expect((await muster("event", "cancel", "exp", "7")).stdout).toBe("cancelled\n");
    const result = await down();
    expect(printed("stays")).toBe(pid);
    expect(printed("inner")).toBe("inner\n");
    expect(printed("goes")).toBe("");
    const rows = result.events.map(({ id, object, outcome }) => `${id} ${object} ${outcome}`);
    expect([...rows].sort()).toEqual([
      ...["1 stays done", "2 goes cancelled", "3 moved done", "4 early done", "5 added done"],
      ...["6 inner done", "7 goes cancelled"],
    ]);
    expect(result.modifications).toMatchObject([
      { eventsAdded: [5, 6], eventsChanged: [3], eventsRemoved: [2], eventsFired: [4] },
    ]);
    const told = readRecord(directory).filter(({ type }) => type === "event-fired");
    expect(told.map((event) => event["id"]).sort()).toEqual([1, 3, 4, 5, 6]);
    expect(readText(join(directory, "report.html"))).toContain("cancelled");
  });

  test("of sequences, timelines, groups and traffic come and go with them", async () => {
    await up([...base, '$ns at 0 "$stays start"']);
    const flow = [
      ...["set u [new Agent/UDP]", "$ns attach-agent $n0 $u", "set z [new Agent/Null]"],
      ...["$ns attach-agent $n1 $z", "$ns connect $u $z", "set c [new Application/Traffic/CBR]"],
      ...["$c attach-agent $u", "$c set rate_ 800Kb", "$c set packetSize_ 500"],
      ...['$ns at 0 "$c start"', '$ns at 1 "$c stop"'],
    ];
    const objects = [
      ...["set s [$ns event-sequence {\n$inner run\n$added run\n}]", "set t [$ns event-timeline]"],
      ...['$t at 0 "$early start"', '$ns at 0 "$s start"', "set g [new EventGroup $ns]"],
      ...["$g add $goes", "$g add $moved"],
    ];
    const done = await modify([...base, '$ns at 0 "$stays start"', ...flow, ...objects]);
    expect(done.traffic).toEqual({ ended: [], begun: ["c"] });
    await until("the sequence ends", () => printed("added") === "added\n");
    expect(printed("inner")).toBe("inner\n");
    // Known to whoever sends events.
    for (const name of ["t", "g"]) {
      expect((await muster("event", "send", "exp", name, "start")).code).toBe(0);
    }
    await until("all have run", () =>
      ["early", "goes", "moved"].every((name) => printed(name) === `${name}\n`),
    );
    // It counted from the modification: its last event has fired before anything goes.
    await until("c is silent", () =>
      readRecord(directory).some((event) => event["object"] === "c" && event["event"] === "STOP"),
    );
    expect(await modify([...base, '$ns at 0 "$stays start"'])).toMatchObject({
      traffic: { ended: ["c"], begun: [] },
    });
    const gone = await muster("event", "send", "exp", "s", "start");
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining("no object s")]);
    const { traffic = [], outcome } = await down();
    expect(outcome).toBe("passed");
    expect(traffic.map(({ name }) => name)).toEqual(["c"]);
    expect(traffic[0]?.receivedPackets).toBeGreaterThan(20);
  });
});

test("a sequence that runs is not changed, and nothing else of the file is done", async () => {
  environment = { MUSTER_STATE: state, MUSTER_NODES: "environment" };
  const sequence = (steps: string): string[] => [
    `set s [$ns event-sequence {\n${steps}\n}]`,
    '$ns at 0 "$s start"',
  ];
  await up([...base, ...sequence("$stays run\n$early run"), '$ns at 3600 "$goes start"']);
  await until("the first step runs", () => printed("stays") !== "");
  const other = ["set n2 [$ns node]", ...base, ...sequence("$stays run")];
  const refused = await muster("modify", "exp", experimentFile(other));
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("sequence s is running; it can be changed when it has ended");
  const { live } = JSON.parse(
    (await muster("status", "exp", "--json")).stdout,
  ) as ExperimentDetails;
  expect(live).toMatchObject({ nodes: 2, nodesUp: 2 });
  expect((await listed()).map(({ object }) => object)).toContain("goes");
  expect((await down()).modifications).toEqual([]);
});

test.skipIf(!isRoot || shapedBy === "netem")(
  "events of links that will be refused or are too much are told at once, each one time",
  async () => {
    environment = { MUSTER_STATE: state };
    const slow = ['$ns at 0 "$stays start"', '$ns at 0 "$l bandwidth 20Mb"'];
    await up([...base, ...slow]);
    const fired = (): number =>
      readRecord(directory).filter(({ type }) => type === "event-fired").length;
    await until("what the file planned is done", () => fired() === 2);
    const more = ['$ns at 3500 "$l bandwidth 900Mb"', '$ns at 3600 "$l bandwidth 2000Mb"'];
    const file = experimentFile([...base, ...slow, ...more]);
    const { code, stderr } = await muster("modify", "exp", file);
    expect(code).toBe(0);
    const said = [
      /^muster: warning: at 3500 s, MODIFY of l will be too much: link l \(900 Mb\/s\) asks for /,
      /^muster: warning: at 3600 s, MODIFY of l will be refused: link l: bandwidth 2000 Mb\/s is /,
    ];
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(said.length);
    for (const [index, pattern] of said.entries()) expect(lines[index]).toMatch(pattern);
    // It is known, and the link is changed now.
    const fast = base.map((line) => line.replace("10Mb 0ms", "800Mb 0ms"));
    const { linkWarnings } = JSON.parse(
      (await muster("modify", "exp", experimentFile([...fast, ...slow, ...more]), "--json")).stdout,
    ) as Modified;
    expect(linkWarnings).toEqual([expect.stringMatching(/^link l \(800 Mb\/s\) asks for /)]);
    const warnings = (await down()).warnings.map(({ text }) => text);
    for (const line of lines) expect(warnings).toContain(line.replace("muster: warning: ", ""));
  },
);
