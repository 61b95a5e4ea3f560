// SPDX-License-Identifier: MIT
// Goal: an agent lets its performer meet instants by itself where nothing can come between, and
// what becomes of such an order is as true as of any other: it starts once, or was taken back.
// Method: the shipped program agent as the performer, on nodes that are lists; orders put on the
// bus by hand, under a clock moved by hand. What lets a program go is a file that shows what was
// written to it.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BusAgent } from "../../../src/events/bus-agent.ts";
import type { Program } from "../../../src/experiment/model.ts";
import { type FireClock, TimerFireClock } from "../../../src/testbed/agents/firing/fire-clock.ts";
import { ProgramAgent } from "../../../src/testbed/agents/program-agent.ts";
import type { Bus } from "../../../src/wire/event/bus.ts";
import {
  attributeNames,
  getText,
  type Notification,
} from "../../../src/wire/event/notification.ts";
import {
  formatOrder,
  formatRevoke,
  type Order,
  orderAttributes,
  parseReport,
} from "../../../src/wire/event/orders.ts";
import { parseProgramArgs } from "../../../src/wire/event/program-args.ts";
import { FakeBackend } from "../testbed/fake-backend.ts";
import { experiment, Line, SchedulerWorld } from "./scheduler-world.ts";

const by = { experiment, sender: "192.0.2.1" };
const program: Program = {
  ...{ name: "p", node: "n0", command: "as configured", isStartCommand: false, directory: "" },
  ...{ timeoutSeconds: 0, expectedExitCode: 0, at: { file: "", line: 1, column: 1 } },
};

let directory: string;
let descriptor: number;
let world: SchedulerWorld;
let backend: FakeBackend;
let programs: ProgramAgent;
let agent: BusAgent;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "muster-armed-"));
  descriptor = openSync(join(directory, "trigger"), "w");
  world = new SchedulerWorld();
  backend = new FakeBackend(world.clock, ["n0"]);
  backend.trigger = { descriptor, text: "go\n" };
  await world.watch();
  ({ programs, agent } = await startAgent());
});

afterEach(() => {
  agent.stop();
  closeSync(descriptor);
  rmSync(directory, { recursive: true });
});

/** As the firing thread: what is due is performed, and told to the event loop only afterwards. */
function lateTeller(): FireClock {
  const { clock } = world;
  const inner = new TimerFireClock(clock);
  return {
    at: (dueUs, action, onFired) =>
      inner.at(dueUs, action, (fired) => void clock.after(1, () => onFired(fired))),
    lateness: () => inner.lateness(),
    close: () => inner.close(),
  };
}

async function startAgent(journal?: string, bus: Bus = world.bus) {
  const fire = lateTeller();
  const nobody = (): void => undefined;
  const made = new ProgramAgent({
    ...{ backend, clock: world.clock, programs: [program], onStarted: nobody, onEnded: nobody },
    ...{ fire },
    ...(journal === undefined ? {} : { journal }),
  });
  const how = ({ objname, args, token, fire }: Order) =>
    [objname, parseProgramArgs(args), { token, id: `${fire} ${objname}` }] as const;
  const opened = await world.startAgent("n0", ["p"], {
    ...{ bus, fire },
    perform: async (order) => {
      const [name, args, options] = how(order);
      if (order.eventtype === "MODIFY") return made.modify(name, args);
      return await made.start(name, args, options);
    },
    arm: (order, dueUs) => {
      const [name, args, options] = how(order);
      return order.eventtype === "MODIFY" ? undefined : made.arm(name, args, { ...options, dueUs });
    },
  });
  return { programs: made, agent: opened };
}

function orderOf(fire: number, eventtype: string, inMs: number, part: Partial<Order> = {}): Order {
  const us = world.clock.nowUs() + inMs * 1_000;
  return {
    ...{ fire, token: fire, objtype: "PROGRAM", objname: "p", eventtype, args: "" },
    due: { wallUs: 0, monotonic: { us, clock: "machine" } },
    skipAfterUs: undefined,
    ...part,
  };
}

async function send(notification: Notification): Promise<void> {
  await world.bus.publish(world.credentials().sign(notification));
  await world.pass(0);
}

const give = (order: Order): Promise<void> => send(formatOrder(order, "*", by));
const takeBack = (order: Order): Promise<void> => send(formatRevoke(order, "*", by));
const written = (): string => readFileSync(join(directory, "trigger"), "utf8");
const commands = (): readonly (string | undefined)[] =>
  backend.processes.map(({ spec }) => spec.command);
const outcomes = (type: string): readonly (string | undefined)[] =>
  world.said
    .filter((one) => getText(one, attributeNames.eventtype) === type)
    .map((one) => getText(one, orderAttributes.outcome));

function firedUs(): number | undefined {
  for (const one of world.said) {
    const report = parseReport(one);
    if (report?.kind === "fired") return report.firedUs;
  }
  return undefined;
}

describe("an order that its performer meets", () => {
  it("is loaded before, let go at its instant, and reported with what the performer read", async () => {
    const order = orderOf(1, "RUN", 300);
    await give(order);
    expect(backend.prepared.map(({ state }) => state)).toEqual(["loaded"]);
    await world.pass(290);
    expect([written(), outcomes("FIRED")]).toEqual(["", []]);
    await world.pass(20);
    expect([written(), outcomes("FIRED")]).toEqual(["go\n", ["done"]]);
    expect(firedUs()).toBe(order.due.monotonic?.us);
    await backend.processes[0]?.end(0);
    await world.pass(10);
    expect(outcomes("COMPLETE")).toEqual([undefined]);
  });

  it("is obeyed once, however often it comes", async () => {
    const order = orderOf(1, "RUN", 300);
    await give(order);
    await give(order);
    await world.pass(400);
    await give(order);
    expect([written(), backend.processes.length]).toEqual(["go\n", 1]);
    expect(outcomes("FIRED")).toEqual(["done", "done"]);
  });

  it("that is taken back never starts, also while its program is only being loaded", async () => {
    const order = orderOf(1, "RUN", 300);
    await give(order);
    await takeBack(order);
    let goOn: () => void = () => undefined;
    await programs.retire(new Set(["p"]));
    programs.replace([program]);
    backend.hold = new Promise((resolve) => {
      goOn = resolve;
    });
    const second = orderOf(2, "RUN", 300);
    await give(second);
    await takeBack(second);
    goOn();
    await world.pass(1_000);
    expect([written(), backend.processes.length]).toEqual(["", 0]);
    expect(outcomes("REVOKED")).toEqual(["revoked", "revoked"]);
    expect(outcomes("FIRED")).toEqual([]);
  });

  it("that is asked back too late has fired", async () => {
    const order = orderOf(1, "RUN", 300);
    await give(order);
    await world.pass(400);
    await takeBack(order);
    expect([outcomes("REVOKED"), backend.processes.length]).toEqual([["fired"], 1]);
  });

  it("sees what an order of its object before it has changed", async () => {
    await give(orderOf(1, "MODIFY", 300, { args: "COMMAND=changed" }));
    await give(orderOf(2, "RUN", 300, { args: "COMMAND=as configured" }));
    await world.pass(400);
    expect(commands()).toEqual(["changed"]);
  });

  it("is told, not met, when an order of its object comes between", async () => {
    await give(orderOf(1, "RUN", 300, { args: "COMMAND=as configured" }));
    await give(orderOf(2, "MODIFY", 299.5, { args: "COMMAND=changed" }));
    await world.pass(400);
    expect(commands()).toEqual(["changed"]);
    expect(outcomes("FIRED")).toEqual(["done", "done"]);
  });

  it("is met although another of its object follows, also at the same instant", async () => {
    await give(orderOf(1, "RUN", 300));
    await give(orderOf(2, "MODIFY", 300, { args: "COMMAND=changed" }));
    await world.pass(400);
    expect([written(), commands()]).toEqual(["go\n", ["as configured"]]);
  });

  it("is asked for again at its instant when its performer could not keep it", async () => {
    await give(orderOf(1, "RUN", 300));
    const comeBack = await programs.takeDown("n0");
    await world.pass(100);
    comeBack();
    await world.pass(300);
    expect([written(), backend.processes.length]).toEqual(["", 1]);
    expect(outcomes("FIRED")).toEqual(["done"]);
  });

  it("does not fire once the agent is stopped, and nobody waits for it", async () => {
    await give(orderOf(1, "RUN", 300));
    agent.stop();
    await world.until(agent.settle());
    await world.pass(1_000);
    expect([written(), backend.processes.length, outcomes("FIRED")]).toEqual(["", 0, []]);
  });
});

describe("an agent with a journal", () => {
  const journal = (): string => join(directory, "journal");

  /** The files of a journal are real, and time passes as slowly as they are. */
  async function until(what: string, isSo: () => boolean): Promise<void> {
    for (let turns = 0; !isSo(); turns += 1) {
      if (turns === 20_000) throw new Error(`waited in vain for ${what}`);
      await world.pass(1);
      await new Promise(setImmediate);
    }
  }

  it("does not obey again in its next life, and says that it is not known what came of it", async () => {
    await agent.close();
    const line = new Line(world.bus);
    const first = await startAgent(journal(), line);
    const order = orderOf(1, "RUN", 300);
    await give(order);
    await until("the program to be loaded", () => backend.prepared.length > 0);
    await world.pass(400);
    await until("the start to be reported", () => outcomes("FIRED").length === 1);
    // Its life ends here: it hears and says nothing any more, and has not noted the end of the run.
    line.cut();
    first.agent.stop();
    await startAgent(journal());
    await give(order);
    await until("the repeat to be answered", () => outcomes("FIRED").length > 1);
    expect(backend.processes).toHaveLength(1);
    const [before, after] = outcomes("FIRED");
    expect(before).toBe("done");
    expect(after).toMatch(/^unknown: it may have been started/);
  });

  it("starts at the instant what it had noted and could not keep until then", async () => {
    await agent.close();
    const first = await startAgent(journal());
    await give(orderOf(1, "RUN", 300));
    await until("the program to be loaded", () => backend.prepared.length > 0);
    await first.programs.takeDown("n0").then((comeBack) => comeBack());
    await world.pass(400);
    await until("the start to be reported", () => outcomes("FIRED").length > 0);
    expect([outcomes("FIRED"), backend.processes.length]).toEqual([["done"], 1]);
  });
});
