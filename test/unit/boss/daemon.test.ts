// SPDX-License-Identifier: MIT
// Goal: the daemon's door: one daemon a directory, hello first, one request a connection, limits at
// their value and one past it, clients that go away or do not read. Method: a real socket, database
// and files; runs without nodes.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BossError } from "../../../src/boss/boss-error.ts";
import { Daemon, type DaemonOptions } from "../../../src/boss/daemon.ts";
import { connectDaemon, type DaemonLink } from "../../../src/boss/daemon-client.ts";
import type { ExperimentDetails, ExperimentStatus } from "../../../src/boss/experiment-views.ts";
import { type BossLimits, requestMsMax, resolveBossLimits } from "../../../src/boss/limits.ts";
import { parseDefinition } from "../../../src/boss/parse-definition.ts";
import type { Answer, UpRequest } from "../../../src/boss/protocol.ts";
import { isLocked } from "../../../src/boss/schema.ts";
import { resolveStateDirectory } from "../../../src/boss/state-directory.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { systemClock } from "../../../src/host/clock.ts";
import type { LogState } from "../../../src/host/log-state.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { FakeRuns } from "./fake-run.ts";

const text = "set ns [new Simulator]\nset a [$ns node]\n$ns run\n";
const up: UpRequest = {
  kind: "up",
  ...{ file: "/a.ns", text, pid: "pp", eid: "ee", insisted: [], presets: [], seed: null },
  ...{ durationSeconds: 0, stuckSeconds: 0 },
};
let folder = "";
let runs = new FakeRuns();
const daemons: Daemon[] = [];
let stopsAsked = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-daemon-"));
  runs = new FakeRuns();
  stopsAsked = 0;
});
afterEach(async () => {
  for (const run of runs.runs) run.end("interrupt");
  for (const daemon of daemons.splice(0)) await daemon.close();
  rmSync(folder, { recursive: true, force: true });
});

const state = () => resolveStateDirectory(folder, {});

async function begin(
  limits: Partial<BossLimits> = {},
  clock = systemClock,
  logState?: DaemonOptions["logState"],
): Promise<Daemon> {
  const options: DaemonOptions = {
    ...{ state: state(), clock, coreLimits: resolveLimits() },
    ...{
      limits: resolveBossLimits(limits),
      logger: silentLogger,
      tools: {},
      run: runs.run,
      faults: process,
    },
    bus: new MemoryBus({ epoch: "e", limits: resolveBusLimits() }),
    ...(logState && { logState }),
    onStopAsked: () => {
      stopsAsked += 1;
    },
  };
  const daemon = await Daemon.start(options);
  daemons.push(daemon);
  return daemon;
}

async function link(): Promise<DaemonLink> {
  const found = await connectDaemon(state(), systemClock);
  if (found === undefined) throw new Error("no daemon answers");
  return found;
}

async function ask(request: Parameters<DaemonLink["request"]>[0]): Promise<unknown> {
  const one = await link();
  try {
    return await one.request(request);
  } finally {
    one.close();
  }
}

async function failure(act: () => Promise<unknown>): Promise<BossError> {
  try {
    await act();
  } catch (error) {
    expect(error).toBeInstanceOf(BossError);
    return error as BossError;
  }
  throw new Error("nothing was thrown");
}

/** What comes back for bytes, until the daemon ends the connection. */
function raw(bytes: string): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(state().socket, () => socket.write(bytes));
    let got = "";
    socket.setEncoding("utf8").on("data", (some: string) => {
      got += some;
    });
    socket.on("error", reject);
    socket.on("close", () => {
      const lines = got.split("\n").filter((line) => line !== "");
      resolve(lines.map((line) => JSON.parse(line) as Answer));
    });
  });
}

const hello = '{"kind":"hello","format":1}\n';

describe("Daemon", () => {
  it("brings up, shows, follows and swaps out", async () => {
    await begin();
    const answers: Answer[] = [];
    const one = await link();
    expect(one.pid).toBe(process.pid);
    expect(await one.request(up, (answer) => answers.push(answer))).toEqual({ state: "active" });
    expect(answers).toMatchObject([{ kind: "accepted", experiment: "pp/ee", run: 1 }]);
    const output: string[] = [];
    const follower = await link();
    const followed = follower.request(
      { kind: "logs", id: "ee", node: null, follow: true },
      (answer) => {
        if (answer.kind === "output") output.push(answer.text);
      },
    );
    expect(await ask({ kind: "status", id: null })).toMatchObject([{ state: "active" }]);
    expect(await ask({ kind: "down", id: "ee" })).toMatchObject({ endedBy: "terminate" });
    expect(await followed).toBeNull();
    expect(output.join("")).toMatch(/run pp\/ee[\s\S]*node a up[\s\S]*passed/);
    expect(await ask({ kind: "status", id: "ee" })).toMatchObject({ state: "swapped" });
  });

  it("says what is in the way of its socket", async () => {
    mkdirSync(state().socket, { recursive: true });
    const error = await failure(() => begin());
    expect([error.code, error.message]).toEqual([
      "STATE_DIRECTORY",
      expect.stringMatching(/muster\.sock is no socket.* remove it$/),
    ]);
    rmdirSync(state().socket);
    await begin();
  });

  it("says what is wrong with a file, with the line", async () => {
    await begin();
    const answers: Answer[] = [];
    const one = await link();
    const bad = { ...up, text: "set ns [new Simulator]\nnonsense\n$ns run\n" };
    const error = await failure(() => one.request(bad, (answer) => answers.push(answer)));
    expect(error.code).toBe("REFUSED_FILE");
    expect(JSON.stringify(answers)).toContain("/a.ns:2:1: error");
  });

  it("tells of a swap-in that failed, and why", async () => {
    runs.mode = "fails";
    await begin();
    const error = await failure(() => ask(up));
    expect(error.message).toBe("pp/ee did not become active: no room");
  });

  it("warns of rows that the old system would not take", async () => {
    await begin();
    const answers: Answer[] = [];
    const agent = `[$a program-agent -command "${"x".repeat(256)}"]`;
    const long = `set ns [new Simulator]\nset a [$ns node]\nset p ${agent}\n$ns run\n`;
    const one = await link();
    await one.request({ ...up, text: long }, (answer) => answers.push(answer));
    expect(JSON.stringify(answers[0])).toContain("has 256 characters, more than 255");
  });

  it("is one in its directory, which is its user's alone; so is the socket", async () => {
    await begin();
    expect(isLocked(await failure(() => begin()))).toBe(true);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(state().socket).mode & 0o777).toBe(0o600);
    expect(statSync(state().database).mode & 0o777).toBe(0o600);
  });

  it("tells who asks what version its log is of, which it may not have yet", async () => {
    let log: LogState | undefined;
    await begin({}, systemClock, () => log);
    const asked = { kind: "status", id: null, withLog: true } as const;
    expect(await ask(asked)).toEqual({ experiments: [], log: null });
    log = { version: 9, versionMax: 11, olderServers: ["b"] };
    expect(await ask(asked)).toEqual({ experiments: [], log });
    expect(await ask({ ...asked, withLog: false })).toEqual([]);
  });

  it("takes the place of a dead one's socket, and leaves none", async () => {
    writeFileSync(state().socket, "");
    const daemon = await begin();
    expect(await ask({ kind: "status", id: null })).toEqual([]);
    await daemon.close();
    expect(existsSync(state().socket)).toBe(false);
    expect(await connectDaemon(state(), systemClock)).toBeUndefined();
  });

  it("says what a daemon before it has left up, and that it is swapped out", async () => {
    const before = await begin();
    await ask(up);
    await before.close();
    const database = new DatabaseSync(state().database);
    database.exec("UPDATE experiments SET state = 'active'");
    database.exec("UPDATE runs SET ended_ms = NULL, outcome = NULL, ended_by = NULL");
    database.close();
    expect((await begin()).recovered).toEqual(["pp/ee"]);
    const { history } = (await ask({ kind: "status", id: "ee" })) as ExperimentDetails;
    expect(history.at(-1)?.note).toContain("the daemon died");
    // What the run has written ends in its middle.
    const one = await link();
    const told: Answer[] = [];
    await one.request({ kind: "logs", id: "ee", node: null, follow: false }, (answer) => {
      told.push(answer);
    });
    one.close();
    expect(told.at(-1)).toMatchObject({
      ...{ kind: "output", source: "progress.log" },
      text: expect.stringMatching(/^cut off: the daemon died .*\n$/),
    });
  });

  it("passes on the wish to end, and answers who waits while it ends", async () => {
    const daemon = await begin();
    await ask(up);
    const follower = await link();
    const followed = follower.request({ kind: "logs", id: "ee", node: null, follow: true });
    await ask({ kind: "status", id: null });
    expect(await ask({ kind: "stop" })).toBeNull();
    expect(stopsAsked).toBe(1);
    expect(await daemon.close()).toEqual([]);
    expect(await followed).toBeNull();
  });

  it("keeps an experiment whose client goes away before it is active", async () => {
    runs.mode = "activating";
    await begin();
    const one = await link();
    const accepted = new Promise<void>((resolve) => {
      one.request(up, (answer) => answer.kind === "accepted" && resolve()).catch(() => undefined);
    });
    await accepted;
    one.close();
    runs.runs[0]?.activate();
    // The next request is answered after the state was written.
    const status = (await ask({ kind: "status", id: null })) as ExperimentStatus[];
    expect(status[0]?.state).toBe("active");
  });
});

describe("what a client says", () => {
  it.each([
    ["no hello", '{"kind":"status","id":null}\n', "BAD_REQUEST", /this daemon speaks format 1/],
    ["another format", '{"kind":"hello","format":2}\n', "BAD_REQUEST", /serve --stop/],
    ["no JSON", "GET / HTTP/1.0\r\n\r\n", "BAD_REQUEST", /not a JSON object/],
    ["no request", `${hello}{"kind":"halt"}\n`, "BAD_REQUEST", /none of up, modify, down/],
    ["half a request", `${hello}{"kind":"down"}\n`, "BAD_REQUEST", /needs the text `id`/],
    ["a path for a node", `${hello}${logs("../..")}`, "NO_OUTPUT", /no such name/],
    ["an unknown node", `${hello}${logs("nowhere")}`, "NO_OUTPUT", /no such node/],
  ])("%s is refused and the connection ends", async (_what, bytes, code, message) => {
    await begin();
    await ask(up);
    const answer = (await raw(bytes)).at(-1);
    expect(answer).toMatchObject({ kind: "failed", code });
    expect(JSON.stringify(answer)).toMatch(message);
  });

  it("may be one line as long as the limit, and not a byte longer", async () => {
    const request = '{"kind":"status","id":null}';
    await begin({ requestBytesMax: request.length + 10 });
    const answers = await raw(`${hello}${" ".repeat(10)}${request}\n`);
    expect(answers.at(-1)).toMatchObject({ kind: "done" });
    const refused = await raw(`${hello}${" ".repeat(11)}${request}\n`);
    expect(JSON.stringify(refused.at(-1))).toContain("requestBytesMax");
  });

  it("comes in time, or the client loses its place", async () => {
    const hasten = (delayMs: number): number => (delayMs === requestMsMax ? 0 : delayMs);
    const clock = {
      ...systemClock,
      after: (delayMs: number, act: () => void) => systemClock.after(hasten(delayMs), act),
    };
    await begin({}, clock);
    expect(await raw(`${hello}{"kind":`)).toMatchObject([{ kind: "welcome" }]);
    const whole = await raw(`${hello}${JSON.stringify({ kind: "status", id: null })}\n`);
    expect(whole.at(-1)).toMatchObject({ kind: "done" });
  });

  it("is heard from as many clients as the limit, and not from one more", async () => {
    await begin({ connectionsMax: 2 });
    const first = await link();
    const second = await link();
    const third = await failure(() => link());
    expect(third.message).toContain("connectionsMax");
    expect(await first.request({ kind: "status", id: null })).toEqual([]);
    first.close();
    second.close();
  });

  it("drops a client that leaves too much unread, and nobody else", async () => {
    await begin({ answerQueueBytesMax: 1_000 });
    for (const eid of ["e1", "e2"]) await ask({ ...up, eid });
    const one = await link();
    const huge = `set ns [new Simulator]\n${'puts "x y z"\n'.repeat(80_000)}$ns run\n`;
    const error = await failure(() => one.request({ ...up, text: huge, eid: "e3" }));
    expect(error.code).toBe("LOST");
    expect(await ask({ kind: "down", id: "e1" })).toMatchObject({ endedBy: "terminate" });
  });
});

function logs(node: string): string {
  return `${JSON.stringify({ kind: "logs", id: "ee", node, follow: false })}\n`;
}

describe("parseDefinition()", () => {
  it("ends its thread when nobody waits any more, also in the middle of a file", async () => {
    const names = { file: "/a.ns", pid: "pp", eid: "ee", insisted: [], presets: [] };
    const text = "proc f {} { catch {f}; catch {f}; f }\nf\n";
    const gone = new AbortController();
    const reading = parseDefinition({ ...names, text }, gone.signal);
    gone.abort();
    expect((await failure(() => reading)).code).toBe("LOST");
    const late = parseDefinition({ ...names, text }, gone.signal);
    expect((await failure(() => late)).code).toBe("LOST");
  });

  it("reads in a thread of its own what parseNsFile reads, with presets and output", async () => {
    const source = "puts $opt(N)\nset ns [new Simulator]\nset a [$ns node]\n$ns run\n";
    const names = { file: "/a.ns", pid: "pp", eid: "ee", insisted: [] };
    const parsed = await parseDefinition({ ...names, text: source, presets: [["opt(N)", "5"]] });
    expect(parsed).toMatchObject({ output: "5\n", errors: 0, diagnostics: [] });
    expect(parsed.experiment?.nodes.map(({ name }) => name)).toEqual(["a"]);
    expect(parsed.rows?.["virt_nodes"]).toHaveLength(1);
  });

  it("reads YAML by the name of the file, under its own names unless others are insisted on", async () => {
    const source =
      "name: own\nnodes: { a: {}, b: {} }\nprograms: { p: { node: a, command: date } }\n";
    const names = { file: "/a.yaml", pid: "pp", eid: "ee", presets: [], text: source };
    const own = await parseDefinition({ ...names, insisted: [] });
    expect(own).toMatchObject({ errors: 0, experiment: { pid: "muster", eid: "own" } });
    expect(own.rows?.["virt_nodes"]?.map(({ vname }) => vname)).toEqual(["a", "b"]);
    expect(own.rows?.["virt_programs"]).toMatchObject([
      { vname: "p", vnode: "a", command: "date" },
    ]);
    const other = await parseDefinition({ ...names, insisted: ["pid", "eid"] });
    expect(other.experiment).toMatchObject({ pid: "pp", eid: "ee" });
  });

  it("takes what YAML alone can say, and the rows of the rest", async () => {
    const text =
      "nodes: { a: {} }\nprograms:\n  p: { node: a, command: date }\n" +
      "  q: { node: a, command: date, start: { after: p } }\n";
    const names = { file: "/a.yaml", pid: "pp", eid: "ee", insisted: [], presets: [], text };
    const parsed = await parseDefinition(names);
    expect(parsed.errors).toBe(0);
    const [first, second] = parsed.experiment?.programs ?? [];
    expect(first?.startWhen).toBeUndefined();
    expect(second?.startWhen?.after).toMatchObject([{ program: "p", at: { line: 4 } }]);
    expect(parsed.rows?.["virt_programs"]).toMatchObject([{ vname: "p" }, { vname: "q" }]);
  });
});
