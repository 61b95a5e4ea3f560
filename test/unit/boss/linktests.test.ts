// SPDX-License-Identifier: MIT
// Goal: who may have links tested from boss, in which states, one at a time, and which process the
// database names meanwhile; what is asked of ops, word for word; what users set of links, and what
// of it is kept. Method: a real database; ops and runs that only note what they were asked.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BossError } from "../../../src/boss/boss-error.ts";
import { type ExperimentRow, ExperimentsDatabase } from "../../../src/boss/database.ts";
import type { EventForRun } from "../../../src/boss/experiment-control.ts";
import { defaultBossLimits } from "../../../src/boss/limits.ts";
import { LinkControl, type LinkSettingsAsked } from "../../../src/boss/link-control.ts";
import { type LinktestAsked, Linktests } from "../../../src/boss/linktests.ts";
import { OpsLinktest, type OpsLinktestAsked } from "../../../src/boss/ops-linktest.ts";
import type { Transition } from "../../../src/boss/states.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import type { Experiment, Link } from "../../../src/experiment/model.ts";
import { systemClock } from "../../../src/host/clock.ts";

const source = `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set c [$ns node]
set l [$ns duplex-link $a $b 10Mb 10ms DropTail]
set lan [$ns make-lan "$a $b $c" 10Mb 4ms]
$ns run
`;
const deed = { user: "ann", atMs: 1, note: "" };
let folder = "";
let database: ExperimentsDatabase;
let links: readonly Link[] = [];
let parsed: Experiment | undefined;

const row = (): ExperimentRow => {
  const found = database.experiment("pp", "ee");
  if (found === undefined) throw new Error("there is no experiment");
  return found;
};
/** What rights.ts decides is tested there. */
const demanded = (id: string, user: string): ExperimentRow => {
  if (user !== "ann") throw new BossError("NOT_ALLOWED", `${user} may not stop ${id}`);
  return row();
};

function move(...transitions: readonly Transition[]): void {
  for (const one of transitions) database.transaction(() => database.move("pp", "ee", one, deed));
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-linktests-"));
  database = ExperimentsDatabase.open(join(folder, "e.db"), defaultBossLimits);
  const names = { file: "/a.ns", pid: "pp", eid: "ee" };
  const { experiment, rows } = parseNsFile(source, names);
  if (experiment === undefined || rows === undefined) throw new Error("the file has errors");
  links = experiment.links;
  parsed = experiment;
  database.transaction(() => {
    database.putUser("ann", 1000);
    database.putProject("pp", deed);
    const definition = { file: "/a.ns", source, presets: [], rows, linktestLevel: 3 as const };
    const { exptidx } = database.define("pp", "ee", definition, deed);
    database.startRun(exptidx, {
      ...{ number: 1, directory: "/runs/1", runId: "r", seed: 1, startedMs: 1 },
    });
  });
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

async function refusal(act: () => Promise<unknown>): Promise<[string, string]> {
  try {
    await act();
  } catch (error) {
    if (error instanceof BossError) return [error.code, error.message];
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("linktests from boss", () => {
  let asked: OpsLinktestAsked[] = [];
  let answer = Promise.withResolvers<number | null>();
  let linktests: Linktests;
  const gone = new AbortController();
  const request = (more: Partial<LinktestAsked> = {}): LinktestAsked => ({
    ...{ id: "pp/ee", level: null, timeoutSeconds: 0, reportOnly: false, runner: process.pid },
    ...{ signal: gone.signal, onOutput: () => undefined, ...more },
  });

  beforeEach(() => {
    [asked, answer] = [[], Promise.withResolvers()];
    const run = (_row: ExperimentRow, one: OpsLinktestAsked): Promise<number | null> => {
      asked.push(one);
      one.signal.addEventListener("abort", () => answer.resolve(null));
      return answer.promise;
    };
    linktests = new Linktests({ database, demanded, ops: { run } });
  });

  it("are for those who may stop it, and what has nodes", async () => {
    expect(await refusal(() => linktests.run(request(), "eve"))).toMatchObject(["NOT_ALLOWED", {}]);
    for (const [transition, isAllowed] of [
      [undefined, false],
      ["swap-in", true],
      ["activated", true],
      ["modify", true],
      ["swap-out", false],
    ] as const) {
      if (transition !== undefined) move(transition);
      answer.resolve(0);
      const tested = linktests.run(request(), "ann");
      if (isAllowed) expect(await tested).toMatchObject({ exitCode: 0, swapper: "ann" });
      else {
        const [code, message] = await refusal(() => tested);
        expect([code, message]).toEqual(["WRONG_STATE", expect.stringContaining("must be active")]);
      }
    }
  });

  it("have the level of the experiment unless another is asked for; 0 tests nothing", async () => {
    move("swap-in");
    answer.resolve(2);
    const ended = await linktests.run(request(), "ann");
    expect(ended).toEqual({ experiment: "pp/ee", level: 3, exitCode: 2, swapper: "ann" });
    await linktests.run(request({ level: 1, reportOnly: true, timeoutSeconds: 9 }), "ann");
    expect(asked).toMatchObject([
      { level: 3, reportOnly: false, timeoutSeconds: 0 },
      { level: 1, reportOnly: true, timeoutSeconds: 9 },
    ]);
    expect(await linktests.run(request({ level: 0 }), "ann")).toMatchObject({ exitCode: 0 });
    expect(asked).toHaveLength(2);
  });

  it("go on once at a time, and the database has the process meanwhile (L1)", async () => {
    move("swap-in");
    expect(linktests.runnerOf("ee", "ann")).toEqual({ runner: null, wasStale: false });
    const first = linktests.run(request(), "ann");
    expect(row().linktestPid).toBe(process.pid);
    expect(linktests.runnerOf("ee", "ann").runner).toMatchObject({ pid: process.pid });
    const [code, message] = await refusal(() => linktests.run(request(), "ann"));
    expect([code, message]).toEqual(["WRONG_STATE", expect.stringContaining("is running")]);
    answer.resolve(0);
    await first;
    expect(row().linktestPid).toBeNull();
    expect(await refusal(() => linktests.run(request({ runner: 2 ** 30 }), "ann"))).toMatchObject([
      ...["LOST", {}],
    ]);
  });

  it("of a process that is gone are no more: the next may begin, and nobody else is signalled", async () => {
    move("swap-in");
    const child = spawn("true");
    const pid = child.pid ?? 0;
    await once(child, "exit");
    const { exptidx } = row();
    database.linktests.setRunner(exptidx, { pid, startTicks: "1" });
    expect(linktests.runnerOf("ee", "ann")).toEqual({ runner: null, wasStale: true });
    expect(row().linktestPid).toBeNull();
    // The same number, and another process.
    database.linktests.setRunner(exptidx, { pid: process.pid, startTicks: "1" });
    expect(linktests.runnerOf("ee", "ann")).toEqual({ runner: null, wasStale: true });
    database.linktests.setRunner(exptidx, { pid: process.pid, startTicks: "1" });
    answer.resolve(0);
    expect(await linktests.run(request(), "ann")).toMatchObject({ exitCode: 0 });
    // A daemon that begins runs none.
    database.linktests.setRunner(exptidx, { pid: process.pid, startTicks: "1" });
    new Linktests({ database, demanded, ops: undefined });
    expect(row().linktestPid).toBeNull();
  });

  it("end with the daemon, and the database says so before that closes it", async () => {
    move("swap-in");
    const tested = linktests.run(request(), "ann");
    await linktests.close();
    expect([row().linktestPid, await tested]).toMatchObject([null, { exitCode: 1 }]);
  });

  it("are refused where there is no program to call", async () => {
    move("swap-in");
    const none = new Linktests({ database, demanded, ops: undefined });
    const [code, message] = await refusal(() => none.run(request(), "ann"));
    expect([code, message]).toEqual(["NOT_YET", expect.stringContaining("muster linktest pp/ee")]);
  });
});

describe("a linktest on ops", () => {
  const place = { host: "localhost", user: "root", port: 22 };
  const ops = (proxy: string): OpsLinktest =>
    new OpsLinktest({ shell: "", place, proxy, pathOf: () => "/x", clock: systemClock });
  const asked = (more: Partial<OpsLinktestAsked> = {}): OpsLinktestAsked => ({
    ...{ level: 2, timeoutSeconds: 0, reportOnly: false, signal: new AbortController().signal },
    ...{ onOutput: () => undefined, ...more },
  });

  it("is called with all that it needs, and its status is the answer", async () => {
    move("swap-in");
    let said = "";
    const onOutput = (_stream: string, text: string): void => {
      said += text;
    };
    const more = { timeoutSeconds: 5, reportOnly: true, onOutput };
    expect(await ops("/bin/echo").run(row(), asked(more))).toBe(0);
    expect(said).toBe(
      "-d 2 -t 5 -l 2 -g pp -p pp -u ann -e pp/ee -o /x/logs/linktest.log --key /x/tbdata/eventkey -r\n",
    );
    expect(await ops("/bin/false").run(row(), asked())).toBe(1);
    const [code, message] = await refusal(() => ops("-x").run(row(), asked()));
    expect([code, message]).toEqual(["OPS", expect.stringContaining("no command")]);
  });

  it("that is cancelled has none; of nobody's experiment there is none", async () => {
    const [code] = await refusal(() => ops("/bin/true").run(row(), asked()));
    expect(code).toBe("WRONG_STATE");
    move("swap-in");
    const cancel = new AbortController();
    cancel.abort();
    expect(await ops("/bin/true").run(row(), asked({ signal: cancel.signal }))).toBeNull();
  });
});

describe("settings of links", () => {
  let sent: string[] = [];
  let problem: string | undefined;
  let isUp = true;
  const { signal } = new AbortController();
  const controlOf = (): LinkControl =>
    new LinkControl({
      ...{ database, demanded, running: () => (isUp ? links : undefined) },
      sendToRun: async ({ directory }, { object, objtype, event, args }: EventForRun) => {
        sent.push(`${directory} ${objtype} ${object} ${event} ${args}`.trim());
        return problem;
      },
    });
  const set = (more: Partial<LinkSettingsAsked>, control = controlOf()): Promise<unknown> => {
    const asked = { id: "ee", link: "l", node: null, settings: [["DELAY", "30"]], keep: false };
    return control.set({ ...asked, ...more } as LinkSettingsAsked, "ann", signal);
  };
  const kept = () => database.linkSettings.of(row().exptidx).map((one) => Object.values(one));

  beforeEach(() => {
    [sent, problem, isUp] = [[], undefined, true];
    move("swap-in", "activated");
  });

  it("are events of the link, of one end, and of a whole LAN in two halves", async () => {
    await set({});
    await set({ node: "b", settings: [["PLR", "0.19"]] });
    await set({
      link: "lan",
      settings: [
        ["DELAY", "30ms"],
        ["PLR", "0.19"],
        ["LIMIT", "9"],
      ],
    });
    await set({ link: "lan", node: "c" });
    await set({ settings: [["ENABLE", "no"]] });
    await set({
      settings: [
        ["ENABLE", "yes"],
        ["DELAY", "1"],
      ],
    });
    expect(sent).toEqual([
      "/runs/1 LINK l MODIFY DELAY=30",
      "/runs/1 LINK l-b MODIFY PLR=0.19",
      "/runs/1 LINK lan MODIFY DELAY=15 PLR=0.09999999999999998 LIMIT=9",
      "/runs/1 LINK lan-c MODIFY DELAY=30",
      "/runs/1 LINK l DOWN",
      ...["/runs/1 LINK l MODIFY DELAY=1", "/runs/1 LINK l UP"],
    ]);
    expect(kept()).toEqual([]);
  });

  it("are kept when that is asked for and the run takes them; the last word counts (K1)", async () => {
    await set({ keep: true, node: "a" });
    await set({ keep: true, node: "a", settings: [["PLR", "0.1"]] });
    await set({ keep: true, settings: [["DELAY", "40"]] });
    expect(kept()).toEqual([
      ["l", "", "DELAY", "40"],
      ["l", "a", "PLR", "0.1"],
    ]);
    problem = "the link does not take it";
    expect(await refusal(() => set({ keep: true, settings: [["DELAY", "9"]] }))).toEqual([
      ...["NOT_MODIFIED", "the link does not take it"],
    ]);
    expect(kept()).toHaveLength(2);
    // What defines it anew takes them away.
    const { exptidx } = row();
    const { linkSettings: _, ...definition } = database.definition(exptidx);
    database.transaction(() => database.redefine(exptidx, definition));
    expect([kept(), row().linktestLevel]).toEqual([[], 3]);
  });

  it("are what a linktest takes for asked, while the link is the same (S1, S2)", async () => {
    const [control, experiment] = [controlOf(), parsed];
    if (experiment === undefined) throw new Error("there is none");
    const { exptidx } = row();
    const over = (file: Experiment, directory = "/runs/1") =>
      control.live.over(exptidx, directory, file).links.flatMap(({ name, members: [a, b] }) =>
        a === undefined || b === undefined
          ? []
          : [[a, b] as const, [b, a] as const].map(([from, to]) => {
              const delayUs = from.toLink.delayUs + to.fromLink.delayUs;
              const { bandwidthBps } = from.toLink;
              return `${name} ${from.node} ${delayUs / 1_000} ms ${bandwidthBps / 1_000} kb/s`;
            }),
      );
    const file = over(experiment);
    await set({ node: "a", settings: [["DELAY", "80"]] }, control);
    await set({ settings: [["BANDWIDTH", "500kbps"]] }, control);
    await set({ settings: [["DELAY", "30ms"]] }, control);
    await set({ node: "b", settings: [["DELAY", "40"]] }, control);
    problem = "the link does not take it";
    await refusal(() => set({ settings: [["DELAY", "9"]] }, control));
    problem = undefined;
    const set1 = ["l a 30 ms 500 kb/s", "l b 40 ms 500 kb/s"];
    expect(over(experiment)).toEqual([...set1, ...file.slice(2)]);
    const pipes = "DELAY=6 PIPE=pipe1 DELAY=7".split(" ").map((word) => word.split("="));
    await set({ settings: pipes.map(([key = "", value = ""]) => [key, value]) }, control);
    await set({ settings: [["ENABLE", "no"]] }, control);
    expect(over(experiment)).toEqual([
      ...["l a 6 ms 500 kb/s", "l b 7 ms 500 kb/s", ...file.slice(2)],
    ]);
    await set({ link: "lan", settings: [["DELAY", "10"]] }, control);
    expect(over(experiment)[2]).toMatch(/^lan \w+ 10 ms /);
    // Another run has nothing of it, and neither has a link that was modified.
    expect(over(experiment, "/runs/2")).toEqual(file);
    const other = experiment.links.map((link) =>
      link.name === "l" ? { ...link, members: [...link.members].reverse() } : link,
    );
    expect(over({ ...experiment, links: other }).slice(0, 2)).toEqual(file.slice(0, 2).reverse());
  });

  it("of what is not up can only be kept", async () => {
    isUp = false;
    expect(await refusal(() => set({}))).toMatchObject(["WRONG_STATE", {}]);
    await set({ keep: true });
    expect([sent, kept()]).toEqual([[], [["l", "", "DELAY", "30"]]]);
  });

  it.each<[Partial<LinkSettingsAsked>, string]>([
    [{ link: "x" }, "pp/ee has no link x; there are: l, lan"],
    [{ node: "c" }, "c is not on l; there are: a, b"],
    [{ keep: true, settings: [["JITTER", "1"]] }, "JITTER cannot be kept"],
    [{ keep: true, settings: [["DELAY", "1ms"]] }, "is a plain number, not 1ms"],
    [{ keep: true, settings: [["PLR", "1.1"]] }, "PLR is from 0 to 1"],
    [{ keep: true, settings: [["ENABLE", "maybe"]] }, "ENABLE is yes or no"],
  ])("%j are refused", async (more, complaint) => {
    const [code, message] = await refusal(() => set(more));
    expect([code, message]).toEqual(["BAD_REQUEST", expect.stringContaining(complaint)]);
    expect([sent, kept()]).toEqual([[], []]);
  });
});
