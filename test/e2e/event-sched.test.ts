// SPDX-License-Identifier: MIT
// Goal: event-sched is the scheduler of an experiment as a process: what is planned and what is
// asked for fires, also when the process is killed again and again, each event once. Method: the
// real command against a bus behind a real door, with an agent in this process that writes down
// what it is told to do; the static data are in a database on the disk.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ExperimentsDatabase } from "../../src/boss/database.ts";
import { resolveBossLimits } from "../../src/boss/limits.ts";
import { createCredentials, type EventCredentials } from "../../src/client/event-credentials.ts";
import { requestAttribute } from "../../src/client/event-request.ts";
import type { AgendaLoad } from "../../src/core/agenda/commands.ts";
import { resolveBusLimits } from "../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../src/engine/memory-bus.ts";
import { BusAgent } from "../../src/events/bus-agent.ts";
import { EventServer } from "../../src/events/event-server.ts";
import { parseNsFile } from "../../src/experiment/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { readClockName } from "../../src/host/clock-name.ts";
import { eventHash } from "../../src/host/event-hash.ts";
import { newNonce, newRunId } from "../../src/host/ids.ts";
import { TimerFireClock } from "../../src/testbed/agents/firing/fire-clock.ts";
import {
  attributeNames,
  createNotification,
  getText,
  int32Attribute,
  type Notification,
  textAttribute,
  toScheduleRequest,
} from "../../src/wire/event/notification.ts";
import { formatBarrierEnd, formatQuestion } from "../../src/wire/event/run-notes.ts";

const command = join(import.meta.dirname, "../../bin/event-sched");
const experiment = "pp/ee";
const key = "0123456789abcdef0123456789abcdef";
const sender = "127.0.0.1";
const text = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set p [$a program-agent -command "true"]
set q [$a program-agent -command "true"]
set s [$ns event-sequence { $p run }]
$ns at 0.2 "$p start"
$ns at 0.4 "$q stop"
$ns at 0.5 "$ns log {half a second}"
$ns run
`;

let directory: string;
let bus: MemoryBus;
let server: EventServer;
let agent: BusAgent;
let children: ChildProcess[];
let performed: string[];
let heard: Notification[];
let onHeard: () => void;

function credentials(): EventCredentials {
  const made = createCredentials({
    ...{ experiment, key: new TextEncoder().encode(key), hash: eventHash, randomBytes: newNonce },
    wallUs: () => BigInt(systemClock.wallMs()) * 1_000n,
  });
  if (typeof made === "string") throw new Error(made);
  return made;
}

beforeEach(async () => {
  children = [];
  directory = mkdtempSync(join(tmpdir(), "event-sched-"));
  mkdirSync(join(directory, "exp/tbdata"), { recursive: true });
  writeFileSync(join(directory, "exp/tbdata/eventkey"), key, { mode: 0o600 });
  writeDatabase();
  performed = [];
  heard = [];
  onHeard = () => undefined;
  bus = new MemoryBus({ epoch: newRunId(), limits: resolveBusLimits() });
  const logger = { log: () => undefined };
  server = new EventServer({ bus, clock: systemClock, logger, port: 0 });
  await server.listen(["127.0.0.1"]);
  await bus.subscribe(
    { address: { expt: experiment, scheduler: 0 }, slow: "end" },
    {
      onNotifications: (placed) => {
        for (const { notification } of placed) heard.push(notification);
        onHeard();
      },
      onGap: () => undefined,
      onEnd: () => undefined,
    },
  );
  agent = await BusAgent.open({
    ...{ name: "a", experiment, objects: ["p", "q"], bus, sender, clock: systemClock },
    ...{ clockName: readClockName(), credentials: credentials() },
    fire: new TimerFireClock(systemClock),
    perform: async ({ objname, eventtype, args }) => {
      performed.push(`${objname} ${eventtype} ${args}`.trim());
      const error = Number(/ERROR=(\d+)/.exec(args)?.[1] ?? 0);
      const firedMonotonicUs = systemClock.nowUs();
      return { firedMonotonicUs, outcome: "done", done: Promise.resolve(error) };
    },
    onWarning: () => undefined,
  });
});

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await agent.close();
  await server.close();
  bus.close();
  rmSync(directory, { recursive: true, force: true });
});

function writeDatabase(): void {
  const names = { file: "/a.ns", pid: "pp", eid: "ee", presets: [] };
  const { rows = {} } = parseNsFile(text, names);
  const database = ExperimentsDatabase.open(join(directory, "db"), resolveBossLimits());
  const deed = { user: "ann", atMs: 1, note: "" };
  database.transaction(() => {
    database.putUser("ann", 1_000);
    database.putProject("pp", deed);
    const definition = { file: "/a.ns", source: text, presets: [], rows };
    const { exptidx } = database.define("pp", "ee", definition, deed);
    database.move("pp", "ee", "swap-in", deed);
    const where = { nodeId: "a.ee.pp", vname: "a", address: "127.0.0.9" };
    database.nodes.put({ exptidx, ...where, state: "ISUP", sinceMs: 1, opMode: "NORMAL" });
  });
  database.close();
}

/** Resolves when it says that it listens. */
async function start(more: readonly string[] = []): Promise<ChildProcess> {
  const source = ["--database", join(directory, "db"), "--directory", join(directory, "exp")];
  const where = ["-s", "127.0.0.1", "-p", String(server.port)];
  return await begin(["-d", ...where, ...source, ...more, "pp", "ee"]);
}

async function begin(argv: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, argv, { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let all = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    all += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      all += `${line}\n`;
      if (line.includes("scheduling the events of")) resolve();
    });
    child.once("exit", () => reject(new Error(`it ended: ${all}`)));
  });
  return child;
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.kill(signal);
  return ended;
}

async function ask(objname: string, eventtype: string, args = "", token?: number): Promise<void> {
  const extra = [
    textAttribute(attributeNames.args, args),
    ...(token === undefined ? [] : [int32Attribute(attributeNames.token, token)]),
    textAttribute(requestAttribute, `q${token}`),
  ];
  const address = { expt: experiment, objname, eventtype, scheduler: 1 } as const;
  const plain = createNotification(address, { sender, layout: "2011", extra });
  const atMs = systemClock.wallMs();
  const seconds = Math.floor(atMs / 1_000);
  const at = { seconds, microseconds: (atMs % 1_000) * 1_000 };
  await bus.publish(credentials().sign(toScheduleRequest(plain, at)));
}

/** Resolves when the agents and whoever waits have been told all of it. */
async function until(isThere: () => boolean): Promise<void> {
  while (!isThere()) {
    await new Promise<void>((resolve) => {
      onHeard = resolve;
    });
  }
}

const said = (eventtype: string): readonly string[] =>
  heard
    .filter((one) => getText(one, attributeNames.eventtype) === eventtype)
    .map((one) => `${getText(one, attributeNames.objname)}${getText(one, attributeNames.args)}`);

it("event-sched names the certificate that it cannot read, and what names another", () => {
  const { status, stdout, stderr } = spawnSync(
    command,
    ["--cert", "/nowhere/emulab.pem", "pp", "ee"],
    { encoding: "utf8" },
  );
  expect(status).toBe(255);
  expect(stdout + stderr).toMatch(/cannot read \/nowhere\/emulab\.pem: .*; --cert and --ca name/);
});

describe("event-sched", () => {
  it("waits for boss to start event time, then fires what is planned, and ends on TERM", async () => {
    const record = join(directory, "events.csv");
    const child = await start(["-l", join(directory, "log"), "-t", record].slice(2));
    await ask("__ns_sequence", "START", "", 1);
    const isLogged = () => said("COMPLETE").some((one) => one.startsWith("ns ERROR=0"));
    await until(() => performed.includes("q STOP") && isLogged());
    expect(said("ACCEPTED")).toEqual(["__ns_sequence"]);
    await ask("q", "RUN", "ERROR=7", 99);
    await until(() => said("COMPLETE").includes("q ERROR=7 CTOKEN=99"));
    expect(performed).toEqual(["p START COMMAND=true", "q STOP", "q RUN ERROR=7"]);
    const [header, row = ""] = readFileSync(record, "utf8").split("\n");
    expect(header).toBe("arrivaltime,firetime,vnode,objname,objecttype,eventtype,parent,arguments");
    expect(row).toMatch(/^\d+:\d+,\d+:\d+,a,q,PROGRAM,RUN,,ERROR=7$/);
    expect(await kill(child, "SIGTERM")).toBe(0);
    // One that comes back goes on in the same file, under the same header.
    const next = await start(["-t", record]);
    await ask("q", "RUN", "ERROR=8", 100);
    await until(() => said("COMPLETE").includes("q ERROR=8 CTOKEN=100"));
    const rows = readFileSync(record, "utf8").trimEnd().split("\n");
    expect(rows.filter((one) => one === header)).toHaveLength(1);
    expect(rows.at(-1)).toMatch(/ERROR=8$/);
    expect(await kill(next, "SIGTERM")).toBe(0);
  });

  it("killed again and again, loses no event and performs none twice", async () => {
    const count = 60;
    let child = await start();
    await ask("__ns_sequence", "START", "", 1);
    for (let index = 1; index <= count; index += 1) {
      await ask("q", "RUN", `N=${index}`, 1_000 + index);
      // At whatever it is doing then.
      if (index % 12 !== 0) continue;
      await kill(child, "SIGKILL");
      child = await start();
    }
    const wanted = Array.from({ length: count }, (_, index) => `q ERROR=0 CTOKEN=${1_001 + index}`);
    await until(() => wanted.every((one) => said("COMPLETE").includes(one)));
    const runs = performed.filter((one) => one.startsWith("q RUN"));
    expect([...runs].sort()).toEqual(
      Array.from({ length: count }, (_, index) => `q RUN N=${index + 1}`).sort(),
    );
    await until(() => performed.includes("q STOP"));
    expect(performed.filter((one) => one === "p START COMMAND=true")).toHaveLength(1);
  });

  it("schedules for a run: its agenda, what changes it, and the barriers that end there", async () => {
    const waits = { id: 1, object: "p", type: "PROGRAM", event: "RUN", args: "N=1" };
    const on = { barrier: "ready", outcome: "crossed" } as const;
    const load = (scope: string, main: AgendaLoad["main"]): AgendaLoad => ({
      ...{ kind: "agenda-load", scope, main, groups: [], timelines: [], sequences: [] },
      agents: ["p", "q"].map((name) => ({ name, type: "PROGRAM", node: "a" })),
    });
    const own = join(directory, "exp");
    const file = join(own, "tbdata/agenda.json");
    const later = { ...waits, id: 2, object: "q" };
    const main = [{ atUs: 0, event: waits, on }, ...[{ atUs: 900_000_000, event: later }]];
    writeFileSync(file, JSON.stringify({ load: load(experiment, main), addresses: [] }));
    const where = ["-s", "127.0.0.1", "-p", String(server.port), "--directory", own];
    const argv = ["-d", ...where, "--run-agenda", file, "pp", "ee"];
    const child = await begin(argv);
    await ask("__ns_sequence", "START", "", 1);
    await until(() => said("COMPLETE").includes("__ns_sequence ERROR=0 CTOKEN=1"));
    await kill(child, "SIGKILL");
    // Nobody hears it now.
    const by = { experiment, sender };
    await bus.publish(credentials().sign(formatBarrierEnd({ ...on, outcome: "failed" }, by)));
    await bus.publish(credentials().sign(formatBarrierEnd(on, by)));
    const again = await begin(argv);
    await until(() => performed.includes("p RUN N=1"));
    // As a modification brings it; what nobody hears now counts once, too.
    const { agents } = load(experiment, []);
    const added = [{ atUs: 0, event: { ...later, id: 0, args: "N=2" } }];
    const amend = {
      ...{ kind: "agenda-amend", agents, groups: [], timelines: [], sequences: [], removed: [] },
      main: { dropped: [], changed: [], added, fromNow: [] },
    };
    const command = JSON.stringify(amend);
    await kill(again, "SIGKILL");
    const change = formatQuestion({ kind: "change", number: 1, command }, by);
    await bus.publish(credentials().sign(change));
    const third = await begin(argv);
    await until(() => performed.includes("q RUN N=2"));
    await kill(third, "SIGKILL");
    await begin(argv);
    await ask("q", "RUN", "N=3", 7);
    await until(() => performed.includes("q RUN N=3"));
    expect(performed).toEqual(["p RUN N=1", "q RUN N=2", "q RUN N=3"]);
  });

  it("takes no change that is none, and prints what its log holds", async () => {
    const child = await start(["--with-run"]);
    const own = join(directory, "exp");
    const by = { experiment, sender };
    const bad = [
      "no JSON",
      JSON.stringify({ kind: "agenda-amend", scope: experiment }),
      JSON.stringify({ kind: "agenda-halt", scope: "other/exp" }),
    ];
    for (const [index, command] of bad.entries()) {
      const question = { kind: "change", number: index + 1, command } as const;
      await bus.publish(credentials().sign(formatQuestion(question, by)));
    }
    await ask("q", "RUN", "N=1", 7);
    await until(() => performed.includes("q RUN N=1"));
    expect(await kill(child, "SIGTERM")).toBe(0);
    const log = join(own, "tbdata/event-sched.sqlite");
    const printed = spawnSync(command, ["--print-log", log], { encoding: "utf8" });
    expect(printed).toMatchObject({ status: 0, stderr: "" });
    const entries = printed.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1));
    expect(printed.stdout).toContain('"agenda-load"');
    expect(printed.stdout).not.toContain("agenda-halt");
  });

  it("begins anew with numbers of orders that its agents have not had", async () => {
    const first = await start();
    await ask("__ns_sequence", "START", "", 1);
    await until(() => performed.includes("q STOP"));
    expect(await kill(first, "SIGTERM")).toBe(0);
    performed.length = 0;
    process.env["MUSTER_EPOCH"] = "new";
    try {
      await start();
    } finally {
      delete process.env["MUSTER_EPOCH"];
    }
    await ask("__ns_sequence", "START", "", 2);
    await until(() => performed.includes("q STOP"));
    expect(performed).toEqual(["p START COMMAND=true", "q STOP"]);
  });

  it("says what is wrong with its command line, and with its experiment", async () => {
    const run = (...args: string[]) => spawnSync(command, args, { encoding: "utf8" });
    expect(run("-h")).toMatchObject({ status: 255, stderr: expect.stringContaining("usage:") });
    expect(run("-V")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Muster \d/) });
    expect(run("pp")).toMatchObject({ status: 255, stdout: "" });
    const source = ["--database", join(directory, "db"), "--directory", directory];
    const missing = run(...source, "pp", "other");
    expect(missing.status).toBe(255);
    expect(missing.stderr).toMatch(/^event-sched: there is no experiment pp\/other/);
    const held = ExperimentsDatabase.open(join(directory, "db"), resolveBossLimits());
    const busy = run(...source, "pp", "ee");
    held.close();
    expect([busy.status, busy.stderr]).toEqual([
      255,
      expect.stringContaining("is in use by a daemon; ask that over XML-RPC"),
    ]);
  });
});
