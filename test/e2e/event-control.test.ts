// SPDX-License-Identifier: MIT
// Goal: the events of a running experiment are listed, planned, edited, cancelled, paused and
// replayed by `muster event`, from a terminal and by a program of the experiment. Method: the
// commands of bin/, an experiment of `muster up` and one of `muster run`, both real.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ended, repository, run, scratch, until } from "./support/command.ts";
import { readText, sh, writeExperiment } from "./support/experiment.ts";

let state = "";
beforeEach(() => {
  state = join(scratch(), "state");
});
// A daemon belongs to no command of the test: it is asked to end, before its directory goes.
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
});

const muster = (...argv: readonly string[]): Promise<Ended> =>
  run("muster", argv, { env: { MUSTER_STATE: state } });

interface Listed {
  readonly paused: boolean;
  readonly nowUs: number;
  readonly events: readonly { id: number; object: string; plannedUs: number; state: string }[];
}

async function list(): Promise<Listed> {
  const { code, stdout, stderr } = await muster("event", "ls", "exp", "--json");
  expect(`${code} ${stderr}`).toBe("0 ");
  return JSON.parse(stdout) as Listed;
}

/** `keeps` runs until the experiment is taken down; `later` is planned far ahead, twice. */
async function up(): Promise<string> {
  const file = join(scratch(), "exp.ns");
  const lines = [
    ...["set ns [new Simulator]", "source tb_compat.tcl", "set n0 [$ns node]"],
    `set keeps [$n0 program-agent -command {${sh("sleep 1000")}}]`,
    `set later [$n0 program-agent -command {${sh("echo came $0")}}]`,
    ...['$ns at 0 "$keeps start"', '$ns at 500 "$later start"', '$ns at 600 "$later start"'],
    ...["$ns run", ""],
  ];
  writeFileSync(file, lines.join("\n"));
  const { code, stderr } = await muster("up", file);
  expect(`${code} ${stderr}`).toBe("0 ");
  const details = JSON.parse((await muster("status", "exp", "--json")).stdout);
  return details.runs[0].directory as string;
}

describe("muster event at an experiment that is up", () => {
  test("lists, plans, edits and cancels, and says what has fired already", async () => {
    const directory = await up();
    const server = readText(join(directory, "proj/tbdata/eventserver")).trim();
    expect((await muster("status", "exp")).stdout).toContain(`  events    ${server}\n`);
    const key = join(directory, "proj/tbdata/eventkey");
    const tevc = ["-s", server, "-k", key, "-w", "-e", "muster/exp", "now", "later", "halt"];
    expect(await run("tevc", tevc)).toMatchObject({ code: 0, stderr: "" });
    const again = await muster("event", "send", "exp", "keeps", "start", "--wait");
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("still running") });
    const [first, second] = (await list()).events.filter(({ object }) => object === "later");
    expect([first?.plannedUs, second?.plannedUs]).toEqual([500_000_000, 600_000_000]);
    const cancelled = await muster("event", "cancel", "exp", String(second?.id));
    expect(cancelled).toMatchObject({ code: 0, stdout: "cancelled\n", stderr: "" });

    const planned = await muster("event", "at", "exp", "+400", "later", "start", "--json");
    const { id } = JSON.parse(planned.stdout) as { id: number };
    expect((await list()).events.find((event) => event.id === id)).toMatchObject({
      ...{ object: "later", state: "queued" },
    });
    expect((await muster("event", "cancel", "exp", String(id))).stdout).toBe("cancelled\n");

    const edited = await muster("event", "edit", "exp", String(first?.id), "--at", "now");
    expect(edited).toMatchObject({ code: 0, stdout: "edited\n" });
    const output = join(directory, "nodes/n0/local/logs/later.out");
    await until("it has come", () => existsSync(output) && readText(output).includes("came"));
    const late = await muster("event", "cancel", "exp", String(first?.id));
    expect(late).toMatchObject({ code: 1, stdout: "already fired\n" });
    const table = (await muster("event", "ls", "exp")).stdout;
    expect(table).toMatch(/^(event time is \+\d|no event is planned)/);
  });

  test("lets event time stand still and go on, and begins again", async () => {
    await up();
    expect(await muster("event", "pause", "exp")).toMatchObject({
      ...{ code: 0, stderr: "", stdout: expect.stringMatching(/^paused at \+\d+\.\d{3}s\n$/) },
    });
    const [one, two] = [await list(), await list()];
    expect([one.paused, two.nowUs]).toEqual([true, one.nowUs]);
    expect((await muster("event", "resume", "exp")).stdout).toMatch(/^resumed at /);
    const ids = [2, 3];
    expect(one.events.map(({ id }) => id)).toEqual(ids);
    expect((await muster("event", "replay", "exp")).stdout).toBe("replayed\n");
    const again = await list();
    expect(again.paused).toBe(false);
    // Each under the number that the file gives it.
    const later = again.events.filter(({ object }) => object === "later");
    expect(later.map(({ id }) => id)).toEqual(ids);
  });

  test("ends with 69 when it is down, and says how to find out", async () => {
    await up();
    await muster("down", "exp");
    const { code, stderr } = await muster("event", "ls", "exp");
    expect(code).toBe(69);
    expect(stderr).toMatch(/^muster: \S+\/exp is swapped out; bring it up with: muster up FILE\n$/);
    const asked = await muster("event", "ls", "exp", "--json");
    expect(JSON.parse(asked.stdout)).toMatchObject({ outcome: "failed", exitCode: 69 });
    const nosuch = await muster("status", "nosuch", "--json");
    expect(JSON.parse(nosuch.stdout)).toEqual({
      ...{ outcome: "failed", text: expect.stringContaining("nosuch"), exitCode: nosuch.code },
    });
  });
});

test("a program of a run plans, sees and cancels events of its own experiment", async () => {
  // Nodes see the directory of the experiment's file.
  const directory = scratch();
  const script = join(directory, "asks.sh");
  const lines = [
    `muster=${join(repository, "bin/muster")}`,
    "$muster event at $PID/$EID +300 other start --json > planned.json",
    `number=$($muster event ls $PID/$EID | awk '$4 == "other" {print $1}')`,
    "$muster event cancel $PID/$EID $number",
  ];
  writeFileSync(script, `${lines.join("\n")}\n`);
  const body = [
    "set n0 [$ns node]",
    `set asks [$n0 program-agent -command {sh ${script}}]`,
    `set other [$n0 program-agent -command {${sh("echo never")}}]`,
    '$ns at 0 "$asks start"',
  ].join("\n");
  const out = join(directory, "out");
  const { code } = await run("muster", ["run", writeExperiment(body, directory), "--out", out]);
  const said = (kind: string): string => readText(join(out, "nodes/n0/local/logs", `asks.${kind}`));
  expect(`${said("out")}${said("err")}`).toBe("cancelled\n");
  expect(code).toBe(0);
});
