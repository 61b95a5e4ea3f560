// SPDX-License-Identifier: MIT
// Goal: schedulers of one shared log are one scheduler, the last (P1, P2 of scheduler-process.ts),
// and what its broker's clock shows means nothing to agents (T1 of log-instants.ts). Method: whole
// schedulers on one log in memory that stamps by a clock far from theirs; what one that stood still
// appends is put where it does harm.
import { beforeEach, describe, expect, it } from "vitest";
import type { AgendaLoad } from "../../../src/core/agenda/commands.ts";
import type { Entry, LogEntry } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import type { Log } from "../../../src/engine/log.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { LogInstants, stampStepUs } from "../../../src/events/log-instants.ts";
import { SchedulerLines } from "../../../src/events/scheduler-lines.ts";
import { SchedulerProcess, type Stopped } from "../../../src/events/scheduler-process.ts";
import { parseTold, type Told } from "../../../src/wire/event/run-notes.ts";
import { agendaOf, experiment, SchedulerWorld, schedulerEdge } from "./scheduler-world.ts";

/** The broker's clock is so far ahead of the machine's, microseconds. */
const aheadUs = 1_700_000_000_000_000;

let world: SchedulerWorld;
let log: MemoryLog;
let stopped: (Stopped & { readonly name: string })[];

beforeEach(async () => {
  world = new SchedulerWorld();
  log = new MemoryLog({ nowUs: () => world.clock.nowUs() + aheadUs });
  stopped = [];
  await world.watch();
  await world.startAgent("agent", ["p", "q"]);
});

/** @param append stands in for that of the log */
function begin(
  name: string,
  options: { readonly append?: Log["append"]; readonly load?: AgendaLoad } = {},
): Promise<SchedulerProcess> {
  const { append = (entry: Entry) => log.append(entry), load = agendaOf(["p", "q"]) } = options;
  const { clock, bus } = world;
  const own: Log = {
    durability: log.durability,
    append,
    read: (from, deliver) => log.read(from, deliver),
    head: () => log.head(),
    clockUs: () => clock.nowUs() + aheadUs,
    close: () => Promise.resolve(),
  };
  const instants = new LogInstants(clock, own);
  return SchedulerProcess.start({
    ...{ experiment, bus, clock, instants, clockName: "machine", sender: "192.0.2.1" },
    ...{ credentials: world.credentials(), epoch: "continue", withRun: true },
    plan: { log: own, isShared: true },
    data: {
      state: () => Promise.resolve("active"),
      setStart: () => Promise.resolve(),
      agenda: () => Promise.resolve({ load, addresses: new Map(), problems: [], agents: [] }),
    },
    lines: new SchedulerLines({ clock, debug: 0, write: () => undefined, record: undefined }),
    logger: { log: () => undefined },
    onStopped: (why) => stopped.push({ ...why, name }),
  });
}

const entries = async (): Promise<readonly LogEntry[]> => {
  const all: LogEntry[] = [];
  const reader = log.read(1, (some) => void all.push(...some));
  await world.pass(0);
  reader.stop();
  return all;
};

const isAsked = ({ entry }: LogEntry): boolean =>
  entry.batches.some(({ commands }) => commands.some(({ kind }) => kind === "agenda-schedule"));

const runs = (): readonly string[] =>
  world.performed.filter(({ eventtype }) => eventtype === "RUN").map(({ args }) => args.trim());

describe("schedulers of one plan", () => {
  it("P1: the last one goes on; the one before it ends, and is told why", async () => {
    await world.until(begin("first"));
    await world.ask({ objname: "p", eventtype: "RUN", args: "N=1", inMs: 5_000, question: "a" });
    await world.until(begin("second"));
    await world.pass(0);
    expect(stopped).toEqual([
      {
        name: "first",
        isReplaced: true,
        message: expect.stringContaining("goes on with its plan"),
      },
    ]);
    await world.ask({ objname: "q", eventtype: "RUN", args: "N=2", question: "b" });
    await world.pass(8_000);
    expect(runs()).toEqual(["N=2", "N=1"]);
    expect(stopped).toHaveLength(1);
  });

  it("P2: what the one before appends, while the next begins, takes no number of the next", async () => {
    await world.until(begin("first"));
    await world.pass(100);
    let isFirst = true;
    const append = async (entry: Entry): Promise<number> => {
      if (isFirst) {
        isFirst = false;
        // Read by the next as far as here, and not ended yet.
        await world.send({ objname: "p", eventtype: "RUN", args: "N=1", question: "a" });
        while (!(await entries()).some(isAsked)) await world.pass(0);
      }
      return log.append(entry);
    };
    await world.until(begin("second", { append }));
    await world.ask({ objname: "q", eventtype: "RUN", args: "N=2", question: "b" });
    await world.pass(2_000);
    expect([...runs()].sort()).toEqual(["N=1", "N=2"]);
    // Else its lease would end it, and the plan with it.
    const core = new Service(resolveLimits());
    for (const entry of await entries()) core.apply(entry);
    expect(core.placeOf(schedulerEdge)).toMatchObject({ attached: true });
  });

  it("P1: what an ended one has appended late is not what the next takes for its own past", async () => {
    await world.until(begin("first"));
    await world.ask({ objname: "p", eventtype: "RUN", args: "N=1", question: "a" });
    const before = (await entries()).flatMap(({ entry }) => entry.batches);
    const life = (await entries()).find(isAsked)?.entry.server;
    await world.until(begin("second"));
    // Stood still since then, and appends what it had heard.
    const own = before.filter(({ edge }) => edge === schedulerEdge);
    const { number = 0, incarnation = 0 } = own.at(-1) ?? {};
    const at = { kind: "now" } as const;
    const event = { object: "p", event: "RUN", args: "N=late" };
    const wrong = {
      kind: "agenda-schedule",
      scope: experiment,
      request: 77,
      at,
      ...event,
    } as const;
    await log.append({
      ...{ format: 1, ...(life === undefined ? {} : { server: life }) },
      batches: [{ edge: schedulerEdge, incarnation, number: number + 2, commands: [wrong] }],
    } as Entry);
    await world.ask({ objname: "q", eventtype: "RUN", args: "N=2", inMs: 60_000, token: 9 });
    await world.until(begin("third"));
    await world.pass(61_000);
    expect(runs()).toEqual(["N=1", "N=2"]);
    world.end("q", 0);
    await world.pass(100);
    expect(world.live("COMPLETE")).toContain("q ERROR=0 CTOKEN=9");
  });
});

describe("the clock that stamps the log", () => {
  it("T1: agents and runs are told instants of the machine's, whatever it shows", async () => {
    const main = [
      { atUs: 2_000_000, event: { id: 1, object: "p", type: "PROGRAM", event: "RUN", args: "" } },
    ];
    await world.until(begin("first", { load: agendaOf(["p", "q"], { main }) }));
    await world.pass(3_000);
    const told = world.said.map(parseTold).filter((one): one is Told => one !== undefined);
    const effects = told.flatMap((one) => one.effects);
    const start = effects.find(({ kind }) => kind === "time-started");
    if (start?.kind !== "time-started") throw new Error("time was not started");
    const [performed] = world.performed;
    expect(start.zeroStampUs).toBeLessThanOrEqual(world.clock.nowUs());
    expect(performed?.atUs).toBe(start.zeroStampUs + 2_000_000);
    const fired = effects.find(({ kind }) => kind === "event-fired");
    expect(fired).toMatchObject({ firedStampUs: performed?.atUs, latenessUs: 0 });
    expect(told.every(({ stampUs }) => stampUs <= world.clock.nowUs())).toBe(true);
  });

  it("T1: is believed anew only when it is further off than estimates are from each other", () => {
    const now = { us: 0, aheadUs: undefined as number | undefined };
    const clock = { ...world.clock, nowUs: () => now.us };
    const at = (): number | undefined =>
      now.aheadUs === undefined ? undefined : now.us + now.aheadUs;
    const instants = new LogInstants(clock as never, {
      get clockUs() {
        return at;
      },
    });
    expect(instants.toLog(5)).toBe(5);
    now.aheadUs = 10_000;
    expect(instants.toLog(5)).toBe(10_005);
    now.aheadUs = 10_000 + stampStepUs;
    expect([instants.toLog(5), instants.toOwn(10_005)]).toEqual([10_005, 5]);
    now.aheadUs += 1;
    expect([instants.toLog(5), instants.toOwn(11_006)]).toEqual([11_006, 5]);
    now.aheadUs = undefined;
    expect(instants.toLog(5)).toBe(11_006);
  });
});
