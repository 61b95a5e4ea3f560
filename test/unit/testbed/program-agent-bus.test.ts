// SPDX-License-Identifier: MIT
// Goal: an agent at a bus obeys the events of its programs and of time, and answers each order with
// its own token, once. Method: a bus in memory, programs of a fake backend, a clock moved by hand.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import type { Program } from "../../../src/experiment/model.ts";
import { TimerFireClock } from "../../../src/testbed/agents/firing/fire-clock.ts";
import { ProgramAgent } from "../../../src/testbed/agents/program-agent.ts";
import {
  type PendingReload,
  ProgramAgentBus,
  type ProgramAgentBusOptions,
} from "../../../src/testbed/agents/program-agent-bus.ts";
import {
  attributeNames,
  createNotification,
  getInt32,
  getText,
  int32Attribute,
  type Notification,
  textAttribute,
  toScheduleRequest,
} from "../../../src/wire/event/notification.ts";
import { formatOrder, type Order, orderAttributes } from "../../../src/wire/event/orders.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { FakeBackend } from "./fake-backend.ts";

const names = Array.from({ length: 120 }, (_none, index) => `p${index}`);
const programs: readonly Program[] = names.map((name) => ({
  ...{ name, node: "n0", command: "x", isStartCommand: false, directory: "", timeoutSeconds: 0 },
  ...{ expectedExitCode: 0, at: { file: "", line: 1, column: 1 } },
}));

let bus: MemoryBus;
let clock: FakeClock;
let backend: FakeBackend;
let answers: string[];
let warnings: string[];
let reloads: PendingReload[];

/** Lets deliveries and answers through; those of the bus take turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
}

/** For what takes turns of the disk. */
async function until(ask: () => boolean): Promise<void> {
  for (let turn = 0; !ask(); turn += 1) {
    if (turn > 1_000_000) throw new Error("it did not come to that");
    await new Promise(setImmediate);
    clock.advanceTo(clock.nowUs() + 1);
  }
}

async function attach(
  more: Partial<ProgramAgentBusOptions> = {},
  journal?: string,
): Promise<ProgramAgentBus> {
  const nobody = (): void => undefined;
  const agent = new ProgramAgent({
    ...{ backend, clock, programs, onStarted: nobody, onEnded: nobody },
    ...(journal === undefined ? {} : { journal }),
  });
  return await ProgramAgentBus.attach({
    ...{ bus, agent, clock, programs: names, experiment: "p/e", node: "n0", sender: "192.0.2.1" },
    ...{ clockName: "here", fire: new TimerFireClock(clock) },
    credentials: () => ({ sign: (plain) => plain, verify: () => true }),
    onReload: (pending) => {
      reloads.push(pending);
      return new Promise(() => undefined);
    },
    onWarning: (text) => warnings.push(text),
    ...more,
  });
}

interface Told {
  readonly args?: string;
  readonly token?: number;
  readonly objtype?: string;
  readonly expt?: string;
}

function eventFor(objname: string, eventtype: string, told: Told = {}): Notification {
  const { args = "", token, objtype = "PROGRAM", expt = "p/e" } = told;
  const extra = [textAttribute(attributeNames.args, args)];
  if (token !== undefined) extra.push(int32Attribute(attributeNames.token, token));
  const address = { expt, objtype, objname, eventtype, scheduler: 0 } as const;
  return createNotification(address, { sender: "192.0.2.2", layout: "2011", extra });
}

async function send(objname: string, eventtype: string, told: Told = {}): Promise<void> {
  await bus.publish(eventFor(objname, eventtype, told));
  await settle();
  // What is due at once is fired by a timer.
  clock.advanceTo(clock.nowUs() + 1);
  await settle();
}

beforeEach(async () => {
  bus = new MemoryBus({ epoch: "e", limits: resolveBusLimits({}) });
  clock = new FakeClock();
  backend = new FakeBackend(clock, ["n0"]);
  [answers, warnings, reloads] = [[], [], []];
  await bus.subscribe(
    { address: { eventtype: "COMPLETE,FIRED", scheduler: 1 }, slow: "end" },
    {
      onNotifications: (placed) => {
        for (const { notification } of placed) {
          const text = (name: string) => getText(notification, name);
          const name = text(attributeNames.objname);
          if (text(attributeNames.eventtype) === "COMPLETE") {
            answers.push(`${name}${text(attributeNames.args)}`);
            continue;
          }
          // What has fired may be over with it.
          const error = getInt32(notification, orderAttributes.error);
          const [token] = / CTOKEN=\d+/.exec(text(attributeNames.args) ?? "") ?? [];
          if (error !== undefined) answers.push(`${name} ERROR=${error}${token}`);
        }
      },
      onGap: () => undefined,
      onEnd: () => undefined,
    },
  );
});

describe("an agent at a bus", () => {
  it("runs every one of its programs, and answers with the token and the exit code", async () => {
    await attach();
    for (const name of ["p0", "p60", "p119"]) await send(name, "START", { token: 4 });
    for (const process of backend.processes) await process.end(3);
    await settle();
    expect(answers).toEqual(["p0", "p60", "p119"].map((name) => `${name} ERROR=3 CTOKEN=4`));
    // The fake has no log directory; nothing else is warned of.
    expect(warnings).toEqual([]);
  });

  it("answers a START while the program runs with -1, and the run with its own token", async () => {
    await attach();
    await send("p0", "RUN", { token: 4 });
    await send("p0", "START", { token: 5 });
    expect(answers).toEqual(["p0 ERROR=-1 CTOKEN=5"]);
    await backend.processes[0]?.end(0);
    await settle();
    expect(answers[1]).toBe("p0 ERROR=0 CTOKEN=4");
    expect(warnings).toEqual(["p0: failed: it is still running"]);
  });

  it("answers HALT besides the run, at once when nothing runs, and STOP and KILL too", async () => {
    await attach();
    await send("p0", "HALT", { token: 1 });
    await send("p0", "STOP", { token: 2 });
    expect(answers).toEqual(["p0 ERROR=0 CTOKEN=1", "p0 ERROR=0 CTOKEN=2"]);
    await send("p0", "START", { token: 3 });
    await send("p0", "KILL", { token: 4, args: "SIGNAL=usr1" });
    await send("p0", "HALT", { token: 5 });
    expect(backend.processes[0]?.signals).toEqual(["SIGUSR1 process", "SIGTERM group"]);
    await backend.processes[0]?.end("SIGTERM");
    await settle();
    const rest = ["p0 ERROR=0 CTOKEN=4", "p0 ERROR=0 CTOKEN=5", "p0 ERROR=15 CTOKEN=3"];
    expect(answers.slice(2).sort()).toEqual(rest);
  });

  it("hears MODIFY, which the old agent did not (fault 23)", async () => {
    await attach();
    await send("p0", "MODIFY", { args: "COMMAND=other 'a b'" });
    await send("p0", "START", { token: 1 });
    expect(backend.processes[0]?.spec.command).toBe("other 'a b'");
  });

  it("starts everything over at TIME START", async () => {
    await attach();
    await send("p0", "START", { token: 1 });
    await send("*", "START", { objtype: "TIME" });
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
  });

  it("obeys who gives no token, and answers nobody then", async () => {
    await attach();
    await send("p0", "START");
    await send("p0", "STOP");
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    expect(answers).toEqual([]);
  });

  it("answers a repeat of an order as before, and performs it no second time", async () => {
    await attach();
    await send("p0", "START", { token: 4 });
    await backend.processes[0]?.end(0);
    await settle();
    await send("p0", "START", { token: 4 });
    expect(answers).toEqual(["p0 ERROR=0 CTOKEN=4", "p0 ERROR=0 CTOKEN=4"]);
    expect(backend.processes).toHaveLength(1);
  });

  it("hands RELOAD on, and the next agent answers it before it says that it is there", async () => {
    const said: string[] = [];
    await bus.subscribe(
      { address: { scheduler: 1 }, slow: "end" },
      {
        onNotifications: (placed) => {
          for (const { notification } of placed) {
            said.push(getText(notification, attributeNames.eventtype) ?? "");
          }
        },
        onGap: () => undefined,
        onEnd: () => undefined,
      },
    );
    const attached = await attach();
    await send("__n0_program-agent", "RELOAD", { token: 9 });
    await send("__n1_program-agent", "RELOAD", { token: 10 });
    expect(reloads).toEqual([{ token: 9, fire: 9 }]);
    attached.stop();
    await settle();
    said.length = 0;
    await attach({ reloaded: { token: 9, fire: 9 } });
    await settle();
    expect(answers).toEqual(["__n0_program-agent ERROR=0 CTOKEN=9"]);
    expect(said.slice(0, 2)).toEqual(["COMPLETE", "ALIVE"]);
  });

  it("answers a RELOAD itself when it has read its configuration again", async () => {
    await attach({ programs: ["p0"], onReload: async () => ["p0", "p1"] });
    await send("p1", "START", { token: 1 });
    expect(backend.processes).toEqual([]);
    await send("__n0_program-agent", "RELOAD", { token: 9 });
    expect(answers).toEqual(["__n0_program-agent ERROR=0 CTOKEN=9"]);
    await send("p1", "START", { token: 2 });
    expect(backend.processes).toHaveLength(1);
  });

  it("says why it could not read its configuration again", async () => {
    await attach({ onReload: () => Promise.reject(new Error("no such file")) });
    await send("__n0_program-agent", "RELOAD", { token: 9 });
    expect(answers).toEqual(["__n0_program-agent ERROR=-1 CTOKEN=9"]);
    expect(warnings).toEqual(["the configuration was not read again: no such file"]);
  });

  it("hears nothing of other experiments, other programs, or after close()", async () => {
    const attached = await attach();
    await send("p0", "START", { expt: "p/other" });
    await send("q0", "START");
    await attached.close();
    await send("p0", "START");
    await send("p0", "START", { token: 7 });
    expect(backend.processes).toEqual([]);
  });

  it("does nothing for who has not the key, and signs what it says", async () => {
    const credentials = {
      verify: (one: Notification) => getText(one, attributeNames.args) === "signed",
      sign: (one: Notification) => ({
        attributes: one.attributes.map((attribute) =>
          attribute.name === attributeNames.args
            ? textAttribute(attribute.name, " by me")
            : attribute,
        ),
      }),
    };
    await attach({ credentials: () => credentials });
    // Said once, however many there are.
    for (let sent = 0; sent < 10; sent += 1) {
      await send("p0", "HALT", { token: 1, args: "forged" });
    }
    expect([answers, warnings.length]).toEqual([[], 1]);
    await send("p0", "HALT", { token: 1, args: "signed" });
    expect(answers).toEqual(["p0 by me"]);
  });
});

describe("an agent that was killed", () => {
  it("is followed by one that starts nothing twice", async () => {
    const directory = mkdtempSync(join(tmpdir(), "program-agent-bus-"));
    const order: Order = {
      ...{ fire: 3, token: 3, objtype: "PROGRAM", objname: "p0", eventtype: "START", args: "" },
      ...{ due: { wallUs: 0, monotonic: { us: 1, clock: "here" } }, skipAfterUs: undefined },
    };
    const tell = async (due: Order["due"]): Promise<void> => {
      const by = { experiment: "p/e", sender: "192.0.2.2" };
      await bus.publish(formatOrder({ ...order, due }, "*", by));
      clock.advanceTo(clock.nowUs() + 1);
    };
    const first = await attach({}, directory);
    await tell(order.due);
    await until(() => backend.processes.length === 1);
    // As if it were killed: nothing is said.
    first.stop();
    const second = await attach({}, directory);
    await tell(order.due);
    await until(() => answers.length === 1);
    expect(answers).toEqual(["p0 ERROR=-1 CTOKEN=3"]);
    second.stop();
    expect(backend.processes).toHaveLength(1);
    expect(warnings).toContainEqual(expect.stringContaining("it is not started again"));
    await attach({}, directory);
    // The same number, of another log of the scheduler.
    await tell({ wallUs: 0, monotonic: { us: 2, clock: "here" } });
    await until(() => backend.processes.length === 2);
    rmSync(directory, { recursive: true });
  });
});

describe("an order with a firing time that is not over", () => {
  it("has its program loaded at once, and started then", async () => {
    await attach();
    const request = toScheduleRequest(eventFor("p0", "START", { token: 4 }), {
      ...{ seconds: 2, microseconds: 0 },
    });
    const live = {
      attributes: request.attributes.map((attribute) =>
        attribute.name === attributeNames.scheduler ? int32Attribute(attribute.name, 0) : attribute,
      ),
    };
    await bus.publish(live);
    await settle();
    expect(backend.prepared).toHaveLength(1);
    clock.advanceTo(1_999_999);
    await settle();
    expect(backend.processes).toEqual([]);
    clock.advanceTo(2_000_000);
    await settle();
    expect(backend.processes).toHaveLength(1);
    expect(backend.prepared).toHaveLength(1);
  });
});
