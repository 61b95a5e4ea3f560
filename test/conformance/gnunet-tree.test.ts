// SPDX-License-Identifier: MIT
// Goal: barriers of GNUnet go over a tree of controllers, evaluated at each, and the faults of the
// old tree are absent. Method: several shipped controllers, each on a host with a log of its own,
// joined by the shipped carrier in one process; the library as driver at the root, the independent
// client as peers below. That processes are joined the same way is test/e2e/serve-tree.test.ts.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { resolveLimits } from "../../src/core/limits.ts";
import { TreeCarrier } from "../../src/edges/tree/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { newIncarnation } from "../../src/host/ids.ts";
import { silentLogger } from "../../src/host/logger.ts";
import {
  startController,
  type TestController,
  type TestControllerOptions,
} from "../unit/gnunet/controller-harness.ts";
import { type LogKind, logKinds, until } from "../unit/syncd/harness.ts";
import { GnunetPrograms, type IndependentClient, type LineProgram } from "./gnunet/programs.ts";

let programs: GnunetPrograms;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  programs = await GnunetPrograms.build();
}, 120_000);

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(() => programs.close());

async function start(
  kind: LogKind = "memory log",
  options: TestControllerOptions = {},
): Promise<TestController> {
  const controller = await startController(kind, options);
  closers.push(() => controller.close());
  return controller;
}

/** Joins `child` below `parent`, and waits until the driver's side knows it. */
async function join(
  [child, name]: readonly [TestController, string],
  [parent, parentName]: readonly [TestController, string],
): Promise<TreeCarrier> {
  const carrier = new TreeCarrier({
    ...{ scopes: ["test"], name, parent: parentName, clock: systemClock, logger: silentLogger },
    ...{ connectOwn: child.host.connectEdge, connectParent: parent.host.connectEdge },
    ...{ newLife: newIncarnation, limits: resolveLimits() },
  });
  closers.push(() => carrier.close());
  await until(() => carrier.isJoined, `${name} has joined ${parentName}`);
  return carrier;
}

async function driverAt({ config, controller }: TestController): Promise<LineProgram> {
  const driver = programs.driver(config);
  await driver.said(/^connected/);
  await until(() => controller.counters.hasDriver, "the driver is known");
  return driver;
}

async function wait(client: IndependentClient, at: TestController, id: string): Promise<void> {
  const before = at.controller.counters.waiting;
  await client.open(id, at.at["testbed-barrier"]);
  client.send(id, { wait: { name: "b" } });
  await at.waiting(before + 1);
}

const statuses = (driver: LineProgram): readonly string[] =>
  driver.lines.filter((line) => line.startsWith("status"));

describe.each(logKinds)("on the %s", (kind) => {
  test("a barrier crosses when every controller has reached its own percentage", async () => {
    const root = await start(kind);
    const [east, west] = [await start(kind, { peers: 3 }), await start(kind, { peers: 3 })];
    await join([east, "east"], [root, "root"]);
    await join([west, "west"], [root, "root"]);
    const driver = await driverAt(root);
    driver.send("init b 50");
    await driver.said(/^status b 1$/);
    const client = programs.python();
    // 3 of one host do not make up for another: fault 4 was to count one controller twice.
    for (const id of ["e1", "e2", "e3"]) await wait(client, east, id);
    await wait(client, west, "w1");
    expect(statuses(driver)).toEqual(["status b 1"]);
    await client.open("w2", west.at["testbed-barrier"]);
    client.send("w2", { wait: { name: "b" } });
    await driver.said(/^status b 2$/);
    for (const id of ["e1", "e2", "e3", "w1", "w2"]) {
      expect((await client.heard(id, 1))[0]).toMatchObject({ status: 2, name: "b" });
    }
    expect(statuses(driver)).toEqual(["status b 1", "status b 2"]);
    // Fault 5, at a controller below.
    await client.open("late", east.at["testbed-barrier"]);
    client.send("late", { wait: { name: "b" } });
    expect((await client.heard("late", 1))[0]).toMatchObject({ status: 2, name: "b" });
  });

  test("through three levels, with empty hosts between that ask for nobody", async () => {
    const [root, middle] = [await start(kind), await start(kind)];
    const [leaf, empty] = [await start(kind, { peers: 2 }), await start(kind)];
    await join([middle, "middle"], [root, "root"]);
    await join([leaf, "leaf"], [middle, "middle"]);
    await join([empty, "empty"], [middle, "middle"]);
    const driver = await driverAt(root);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const client = programs.python();
    await wait(client, leaf, "one");
    expect(statuses(driver)).toEqual(["status b 1"]);
    await client.open("two", leaf.at["testbed-barrier"]);
    client.send("two", { wait: { name: "b" } });
    await driver.said(/^status b 2$/);
    for (const id of ["one", "two"]) expect((await client.heard(id, 1))[0]?.status).toBe(2);
  });

  test("a cancel at the root ends it everywhere", async () => {
    const [root, leaf] = [await start(kind), await start(kind, { peers: 2 })];
    await join([leaf, "leaf"], [root, "root"]);
    const driver = await driverAt(root);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const client = programs.python();
    await wait(client, leaf, "p");
    driver.send("cancel b");
    const told = await client.heard("p", 2);
    expect(told[0]).toMatchObject({ status: 3, name: "b" });
    expect(told[1]?.closed).toBe("eof");
    driver.send("init b 50");
    await driver.said(/^status b 1$/, 2);
  });

  // Fault 14: one that joins while a barrier is open was skipped, and never learned of it.
  test("a controller that joins while a barrier is open takes part in it", async () => {
    const [root, leaf] = [await start(kind, { peers: 1 }), await start(kind, { peers: 1 })];
    const driver = await driverAt(root);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    await join([leaf, "leaf"], [root, "root"]);
    const client = programs.python();
    // It knows the barrier when a wait for it is not refused.
    for (let attempt = 1; ; attempt += 1) {
      const id = `leaf${attempt}`;
      await client.open(id, leaf.at["testbed-barrier"]);
      client.send(id, { wait: { name: "b" } });
      await until(
        () => leaf.controller.counters.waiting === 1 || client.told(id).length > 0,
        "answered or counted",
      );
      if (leaf.controller.counters.waiting === 1 && client.told(id).length === 0) break;
    }
    await client.obeyed();
    await client.open("root", root.at["testbed-barrier"]);
    client.send("root", { wait: { name: "b" } });
    await driver.said(/^status b 2$/);
  });
});

describe("what goes wrong below", () => {
  // Fault 3: errors of sub-controllers were swallowed.
  test("is told to the driver with the name of the controller", async () => {
    const [root, east] = [await start(), await start("memory log", { peers: 2 })];
    const carrier = await join([east, "east"], [root, "root"]);
    const driver = await driverAt(root);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const client = programs.python();
    await wait(client, east, "p");
    await carrier.close();
    expect(await driver.said(/^status b -1/)).toMatch(/controller east: .*east/);
    const told = await client.heard("p", 2);
    expect(told[0]).toMatchObject({ status: 3, name: "b" });
  });

  test("a name that is open below fails the init, and says where", async () => {
    const [root, east] = [await start(), await start("memory log", { peers: 2 })];
    await join([east, "east"], [root, "root"]);
    const local = await driverAt(east);
    local.send("init b 100");
    await local.said(/^status b 1$/);
    const driver = await driverAt(root);
    driver.send("init b 100");
    expect(await driver.said(/^status b -1/)).toContain("controller east: ");
    // The one below goes on.
    const client = programs.python();
    await wait(client, east, "p1");
    await client.open("p2", east.at["testbed-barrier"]);
    client.send("p2", { wait: { name: "b" } });
    await local.said(/^status b 2$/);
  });

  test("a driver that is gone ends it at every controller", async () => {
    const [root, leaf] = [await start(), await start("memory log", { peers: 2 })];
    await join([leaf, "leaf"], [root, "root"]);
    const driver = await driverAt(root);
    driver.send("init b 100");
    await driver.said(/^status b 1$/);
    const client = programs.python();
    await wait(client, leaf, "p");
    driver.kill("SIGKILL");
    expect((await client.heard("p", 2))[0]).toMatchObject({ status: 3, name: "b" });
  });
});
