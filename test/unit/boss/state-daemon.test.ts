// SPDX-License-Identifier: MIT
// Goal: what boss's bus carries, what of it gets into the database, and whom it wakes. Method: the
// real database, runs without nodes, a bus in this process, and a clock that the test moves.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bossNotification } from "../../../src/boss/boss-bus.ts";
import { ExperimentsDatabase } from "../../../src/boss/database.ts";
import { resolveBossLimits } from "../../../src/boss/limits.ts";
import { watchNodesFor } from "../../../src/boss/node-reports.ts";
import { stateSecondsMax } from "../../../src/boss/node-states.ts";
import { StateDaemon } from "../../../src/boss/state-daemon.ts";
import type { WaitOptions } from "../../../src/boss/state-waits.ts";
import type { Transition } from "../../../src/boss/states.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { BusError } from "../../../src/wire/event/bus.ts";
import { addressOf, type Notification } from "../../../src/wire/event/notification.ts";

let folder = "";
let database: ExperimentsDatabase;
let bus: MemoryBus;
/** All that was published, with what it says as `OBJTYPE OBJNAME EVENTTYPE`. */
let published: Notification[] = [];
let daemon: StateDaemon;
let warnings: string[] = [];
let wallMs = 1_000_000;
let timers: { atMs: number; act: () => void }[] = [];

const queueMax = 64;
const limits = { queueNotificationsMax: queueMax, ringNotificationsMax: queueMax + 8 };

const clock = {
  ...systemClock,
  wallMs: () => wallMs,
  after(delayMs: number, act: () => void) {
    const timer = { atMs: wallMs + delayMs, act };
    timers.push(timer);
    return () => {
      timers = timers.filter((one) => one !== timer);
    };
  },
};

/** Lets time pass; what is due happens at its time. */
function pass(ms: number): void {
  const end = wallMs + ms;
  for (;;) {
    const [next] = timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs);
    if (next === undefined) break;
    timers = timers.filter((one) => one !== next);
    wallMs = next.atMs;
    next.act();
  }
  wallMs = end;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "muster-states-"));
  warnings = [];
  timers = [];
  published = [];
  bus = new MemoryBus({ epoch: "e", limits: resolveBusLimits(limits) });
  await bus.subscribe(
    { address: undefined, slow: "drop-oldest" },
    {
      onNotifications: (all) => void published.push(...all.map((one) => one.notification)),
      onGap: () => undefined,
      onEnd: () => undefined,
    },
  );
  database = ExperimentsDatabase.open(join(folder, "e.db"), resolveBossLimits());
  const logger = { log: (_level: string, message: string) => void warnings.push(message) };
  daemon = new StateDaemon({ database, bus, clock, logger, waitsMax: 2 });
  database.onMoved = (...moved) => daemon.experimentMoved(...moved);
  await daemon.start();
  define("set a [$ns node]\nset b [$ns node]");
});
afterEach(() => {
  daemon.close();
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function define(nodes: string): void {
  const text = `set ns [new Simulator]\n${nodes}\n$ns run\n`;
  const { rows = {} } = parseNsFile(text, { file: "/a.ns", pid: "pp", eid: "ee", presets: [] });
  const deed = { user: "ann", atMs: wallMs, note: "" };
  database.transaction(() => {
    database.putUser("ann", 1000);
    database.putProject("pp", deed);
    database.define("pp", "ee", { file: "/a.ns", source: text, presets: [], rows }, deed);
  });
}

/** All that was said has been heard, and what was said about that. */
function settled(): Promise<void> {
  return new Promise((resolve) => systemClock.endOfTurn(resolve));
}

const said = (): readonly string[] =>
  published.map(addressOf).map(({ objtype, objname, eventtype }) => {
    return `${objtype} ${objname} ${eventtype}`;
  });

async function move(...transitions: readonly Transition[]): Promise<void> {
  for (const transition of transitions) {
    const deed = { user: "ann", atMs: wallMs, note: "" };
    database.transaction(() => database.move("pp", "ee", transition, deed));
    if (transition !== "swap-in") continue;
    await settled();
    for (const node of ["a", "b"]) daemon.nodeBoots("pp", "ee", node, "127.0.0.9");
  }
  await settled();
}

const states = (): Record<string, string> =>
  Object.fromEntries(database.nodes.all().map(({ nodeId, state }) => [nodeId, state]));
const report = async (node: string, ...all: readonly string[]): Promise<void> => {
  for (const state of all) daemon.nodeReported("pp", "ee", node, state);
  await settled();
};
const wait = (names: readonly string[], wanted: readonly string[], more = {}): WaitOptions => ({
  ...{ names, states: wanted, timeoutMs: undefined, signal: new AbortController().signal },
  ...more,
});
const say = async (objectType: string, objectName: string, eventType: string): Promise<void> => {
  await bus.publish(bossNotification({ objectType, objectName, eventType }));
  await settled();
};

describe("experiments", () => {
  it("say each state, and their nodes come, boot, and go with them", async () => {
    await move("swap-in");
    expect(states()).toEqual({ "a.ee.pp": "BOOTING", "b.ee.pp": "BOOTING" });
    await report("a", "TBSETUP", "ISUP");
    await move("activated", "swap-out");
    expect(states()).toEqual({ "a.ee.pp": "SHUTDOWN", "b.ee.pp": "SHUTDOWN" });
    await move("swapped-out");
    expect(states()).toEqual({});
    expect(said().filter((one) => one.startsWith("TBEXPTSTATE"))).toEqual([
      "TBEXPTSTATE pp/ee activating",
      "TBEXPTSTATE pp/ee active",
      "TBEXPTSTATE pp/ee swapping",
      "TBEXPTSTATE pp/ee swapped",
    ]);
    const [expt] = published.slice(-1).flatMap(({ attributes }) => attributes.slice(2, 3));
    expect(expt).toEqual({ name: "EXPT", value: { kind: "string", value: "pp/ee" } });
    expect(warnings).toEqual([]);
  });

  it("say nothing of a change that was not written", async () => {
    expect(() =>
      database.transaction(() => {
        database.move("pp", "ee", "swap-in", { user: "ann", atMs: 1, note: "" });
        throw new Error("the disk");
      }),
    ).toThrow("the disk");
    await move("swap-in");
    expect(said().filter((one) => one.startsWith("TBEXPTSTATE"))).toHaveLength(1);
  });

  it("have after a modification the nodes of the tables, and the old ones as they were", async () => {
    await move("swap-in");
    await report("a", "TBSETUP", "ISUP");
    await move("activated", "modify");
    const { exptidx } = database.experiment("pp", "ee") ?? { exptidx: 0 };
    const place = { nodeId: "z.ee.pp", exptidx, vname: "z", address: "" };
    database.nodes.put({ ...place, state: "ISUP", sinceMs: 1, opMode: "NORMAL" });
    database.nodes.remove("b.ee.pp");
    await move("modified");
    expect(states()).toEqual({ "a.ee.pp": "ISUP", "b.ee.pp": "SHUTDOWN" });
  });

  it("forget when their time began when they are swapped in anew", async () => {
    await move("swap-in", "activated");
    const { exptidx } = database.experiment("pp", "ee") ?? { exptidx: 0 };
    database.nodes.setStart(exptidx, "", 5);
    await move("swap-out", "swapped-out", "swap-in");
    expect(database.nodes.starts(exptidx)).toEqual([]);
  });
});

describe("nodes", () => {
  it("that tell tmcd their state are TBNODESTATE, and a reset is TBCONTROL", async () => {
    await move("swap-in");
    const watch = watchNodesFor(daemon)("pp", "ee");
    watch.boots("a", "127.1.2.3");
    watch.report("a", { kind: "state", state: "TBSETUP" });
    watch.report("a", { kind: "ready" });
    await say("TBNODEOPMODE", "a.ee.pp", "MINIMAL");
    expect(database.nodes.find("a.ee.pp")).toMatchObject({
      ...{ address: "127.1.2.3", state: "TBSETUP", opMode: "MINIMAL", vname: "a" },
    });
    watch.report("a", { kind: "upload", command: "reset", text: "" });
    await settled();
    expect(database.nodes.find("a.ee.pp")).toMatchObject({ opMode: "NORMAL" });
    expect(said()).toContain("TBNODESTATE a.ee.pp TBSETUP");
    expect(said()).toContain("TBCONTROL a.ee.pp RESET");
  });

  it("that a modification adds, or boots anew, are there when they boot", async () => {
    await move("swap-in");
    await report("a", "TBSETUP", "ISUP");
    await move("activated", "modify");
    for (const node of ["a", "c"]) {
      daemon.nodeBoots("pp", "ee", node, "127.0.0.7");
      await report(node, "TBSETUP", "ISUP");
    }
    expect(database.nodes.find("c.ee.pp")).toMatchObject({ address: "127.0.0.7", state: "ISUP" });
    expect(database.nodes.find("a.ee.pp")).toMatchObject({ address: "127.0.0.7", state: "ISUP" });
    expect(warnings).toEqual([]);
  });

  it("keep their state when they report what cannot follow, and that is warned of", async () => {
    await move("swap-in");
    await report("a", "ISUP");
    expect(states()["a.ee.pp"]).toBe("BOOTING");
    expect(warnings).toEqual([
      "a.ee.pp reports ISUP, but is BOOTING in mode NORMAL, from where it may become " +
        "SHUTDOWN, REBOOTING, REBOOTED, TBSETUP, UNKNOWN; it stays BOOTING",
    ]);
    await report("a", "TBSETUP", "TBSETUP", "ISUP");
    expect(states()["a.ee.pp"]).toBe("ISUP");
    expect(warnings).toHaveLength(1);
  });

  it("that no experiment has, and commands that nobody knows, are warned of", async () => {
    await move("swap-in");
    await say("TBNODESTATE", "pc42", "ISUP");
    await say("TBCONTROL", "a.ee.pp", "EXPLODE");
    await say("TBNODEOPMODE", "a.ee.pp", "SIDEWAYS");
    expect(warnings).toEqual([
      "ISUP of pc42, which no experiment has",
      "EXPLODE is not known here (of a.ee.pp)",
      "a.ee.pp reports the mode SIDEWAYS, which is none",
    ]);
  });

  it("that stay too long in a state are listed, and warned of once", async () => {
    await move("swap-in");
    await report("b", "TBSETUP", "ISUP");
    const seconds = stateSecondsMax.BOOTING ?? 0;
    pass((seconds - 1) * 1000);
    expect(daemon.overdue()).toEqual([]);
    pass(1000);
    expect(daemon.overdue()).toEqual([{ nodeId: "a.ee.pp", state: "BOOTING", seconds }]);
    pass(60_000);
    expect(warnings).toEqual([expect.stringContaining("a.ee.pp is BOOTING for 1")]);
  });
});

describe("waits", () => {
  it("end when all nodes are there, each in any of the states", async () => {
    await move("swap-in");
    await report("a", "TBSETUP", "ISUP");
    const ended = daemon.nodes(wait(["a.ee.pp", "b.ee.pp"], ["ISUP", "TBFAILED"]));
    await report("b", "TBSETUP", "TBFAILED");
    expect(await ended).toEqual({
      kind: "reached",
      states: new Map([
        ["a.ee.pp", "ISUP"],
        ["b.ee.pp", "TBFAILED"],
      ]),
    });
  });

  it("hear of a state that is over when they are answered", async () => {
    await move("swap-in");
    const ended = daemon.nodes(wait(["a.ee.pp"], ["TBSETUP"]));
    await report("a", "TBSETUP", "ISUP");
    expect(await ended).toMatchObject({ kind: "reached" });
  });

  it("do not hear of what was refused (D2)", async () => {
    await move("swap-in");
    const ended = daemon.nodes(wait(["a.ee.pp"], ["ISUP"], { timeoutMs: 10 }));
    await report("a", "ISUP");
    pass(10);
    expect(await ended).toEqual({ kind: "timed-out", missing: new Map([["a.ee.pp", "BOOTING"]]) });
  });

  it("end when a node fails that was to come up", async () => {
    await move("swap-in");
    const ended = daemon.nodes(wait(["a.ee.pp", "b.ee.pp"], ["ISUP"]));
    await report("a", "TBSETUP", "TBFAILED");
    const { kind, ...rest } = await ended;
    expect([kind, rest]).toMatchObject(["ended", { reason: "a.ee.pp could not be set up" }]);
  });

  it("end when the experiment is swapped out that was to become active", async () => {
    const ended = daemon.experiments(wait(["pp/ee"], ["active"]));
    await move("swap-in", "swap-out", "swapped-out");
    expect(await ended).toMatchObject({ kind: "ended", reason: "pp/ee was swapped out" });
  });

  it("end in time, with who is missing, and when their caller goes", async () => {
    const missing = new Map([["pp/ee", "swapped"]]);
    const late = daemon.experiments(wait(["pp/ee"], ["active"], { timeoutMs: 5_000 }));
    pass(5_000);
    expect(await late).toEqual({ kind: "timed-out", missing });
    const caller = new AbortController();
    const left = daemon.experiments(wait(["pp/ee"], ["active"], { signal: caller.signal }));
    caller.abort();
    expect(await left).toEqual({ kind: "ended", reason: "the caller has gone", missing });
    expect(timers).toHaveLength(1);
  });

  it("are at most as many as the limit allows, and end with the daemon", async () => {
    const two = [1, 2].map(() => daemon.experiments(wait(["pp/ee"], ["active"])));
    await expect(daemon.experiments(wait(["pp/ee"], ["active"]))).rejects.toThrow("waitsMax");
    daemon.close();
    for (const one of await Promise.all(two)) expect(one).toMatchObject({ kind: "ended" });
  });

  it("miss nothing when the daemon was too slow for the bus", async () => {
    await move("swap-in");
    const ended = daemon.nodes(wait(["a.ee.pp"], ["ISUP"]));
    const all = ["TBSETUP", ...Array.from({ length: queueMax }, () => "TBSETUP"), "ISUP"];
    await report("a", ...all);
    expect(await ended).toMatchObject({ kind: "reached" });
    expect(warnings).toEqual([expect.stringContaining("the state daemon was left behind")]);
  });

  it("read what holds when the bus has lost something", async () => {
    await move("swap-in");
    const ended = daemon.nodes(wait(["a.ee.pp"], ["ISUP"]));
    database.nodes.setState("a.ee.pp", "ISUP", 1);
    await report("b", ...Array.from({ length: 2 * queueMax }, () => "BOOTING"));
    expect(await ended).toMatchObject({ kind: "reached" });
    expect(warnings).toContainEqual(expect.stringContaining("state events were lost"));
  });

  it("go on when a daemon is started anew, which finds nodes in the database", async () => {
    await move("swap-in");
    database.onMoved = undefined;
    daemon.close();
    await move("swap-out", "swapped-out");
    expect(Object.keys(states())).toEqual(["a.ee.pp", "b.ee.pp"]);
    const logger = { log: (_level: string, message: string) => void warnings.push(message) };
    daemon = new StateDaemon({ database, bus, clock, logger, waitsMax: 2 });
    await daemon.start();
    expect(states()).toEqual({});
  });
});

describe("a user's event", () => {
  it("never appears on boss's bus", async () => {
    for (const objectType of ["PROGRAM", "LINK", "*", "", "tbnodestate"]) {
      const event = bossNotification({ objectType, objectName: "prog0", eventType: "START" });
      const refused = await daemon.bus.publish(event).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(BusError);
      expect(refused).toMatchObject({ code: "refused" });
    }
    expect(published).toEqual([]);
  });
});
