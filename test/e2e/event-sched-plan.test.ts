// SPDX-License-Identifier: MIT
// Goal: a plan on NATS outlives the machine of its scheduler: another one goes on, every event is
// performed once, what was cancelled stays cancelled, who waits hears it; of two schedulers one
// counts. Method: real event-sched with directories of their own, as on two machines, a real
// nats-server, tevc and muster as those who ask, and an agent here that writes down what it does.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentials } from "../../src/client/event-credentials.ts";
import { BusAgent } from "../../src/events/bus-agent.ts";
import { systemClock } from "../../src/host/clock.ts";
import { readClockName } from "../../src/host/clock-name.ts";
import { eventHash } from "../../src/host/event-hash.ts";
import { newNonce } from "../../src/host/ids.ts";
import { TimerFireClock } from "../../src/testbed/agents/firing/fire-clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { getInt32, getText, type Notification } from "../../src/wire/event/notification.ts";
import { orderAttributes } from "../../src/wire/event/orders.ts";
import { eventKey, experiment, Scheduled } from "./events-support/scheduled.ts";
import { type Command, run, scratch, until } from "./support/command.ts";

const ns = `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set p [$a program-agent -command "true"]
set q [$a program-agent -command "true"]
$ns at 0.1 "$p start"
$ns run
`;

let broker: NatsServer;
let scene: Scheduled;
let agent: BusAgent;
let performed: string[];
let heard: Notification[];

beforeEach(async () => {
  broker = await NatsServer.start();
  scene = await Scheduled.openBus(ns, ["a"]);
  performed = [];
  heard = [];
  await scene.bus.subscribe(
    { address: { expt: experiment, scheduler: 0 }, slow: "end" },
    {
      onNotifications: (placed) => void heard.push(...placed.map((one) => one.notification)),
      onGap: () => undefined,
      onEnd: () => undefined,
    },
  );
  const credentials = createCredentials({
    ...{ experiment, key: new TextEncoder().encode(eventKey), hash: eventHash },
    ...{ randomBytes: newNonce, wallUs: () => BigInt(systemClock.wallMs()) * 1_000n },
  });
  if (typeof credentials === "string") throw new Error(credentials);
  const { bus } = scene;
  agent = await BusAgent.open({
    ...{ name: "a", experiment, objects: ["p", "q"], bus, sender: "127.0.0.1", credentials },
    ...{ clock: systemClock, clockName: readClockName(), fire: new TimerFireClock(systemClock) },
    perform: async ({ objname, eventtype, args }) => {
      performed.push(`${objname} ${eventtype} ${args}`.trim());
      const firedMonotonicUs = systemClock.nowUs();
      return { firedMonotonicUs, outcome: "done", done: Promise.resolve(0) };
    },
    onWarning: () => undefined,
  });
});

afterEach(async () => {
  await agent.close();
  await scene.close();
  await broker.dispose();
});

const planned = (): readonly string[] => ["--plan", `nats://${broker.address}/t`];
const listening = /scheduling the events of/;

async function begin(machine: string): Promise<Command> {
  const scheduler = scene.startOn(machine, planned());
  await scheduler.prints(listening);
  return scheduler;
}

async function kill(scheduler: Command): Promise<void> {
  scheduler.child.kill("SIGKILL");
  await scheduler.ended;
}

/** Of what is planned, asked over the bus. */
async function muster(...argv: readonly string[]): Promise<string> {
  const [, port] = [scene.where[1], scene.where[3]];
  const where = ["--server", `127.0.0.1:${port}`, "--key", scene.keyFile];
  const { code, stdout, stderr } = await run("muster", ["event", ...argv, ...where]);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}

/** How often an order with these arguments was sent. */
const ordersOf = (args: string): number =>
  heard.filter(
    (one) =>
      getInt32(one, orderAttributes.fire) !== undefined &&
      getText(one, "OBJNAME") === "q" &&
      getText(one, "EVENTTYPE") === "RUN" &&
      getText(one, "ARGS")?.includes(args),
  ).length;

async function streams(): Promise<readonly (readonly [name: string, description: string])[]> {
  const connection = await connectNats({ servers: broker.address });
  const manager = await jetstreamManager(connection);
  const found: (readonly [string, string])[] = [];
  for await (const { config } of manager.streams.list()) {
    found.push([config.name, config.description ?? ""]);
  }
  await connection.close();
  return found;
}

describe("a plan on NATS", () => {
  it("goes on at another machine: once each, cancelled stays so, who waits hears it", async () => {
    const first = await begin("A");
    expect(await scene.tevcWait("now", "__ns_sequence", "start")).toMatchObject({ code: 0 });
    // Further ahead than a test takes, however busy the machine is.
    const late = scene.tevcWait("+900", "q", "run", "N=late");
    await scene.tevc("+900", "q", "run", "N=cancelled");
    const listed = async (): Promise<readonly { id: number; args: string }[]> =>
      JSON.parse(await muster("ls", experiment, "--json")).events;
    let events = await listed();
    while (events.length < 2) events = await listed();
    const wrong = events.find((event) => event.args.includes("cancelled"));
    expect(await muster("cancel", experiment, String(wrong?.id))).toBe("cancelled\n");
    await until("p has started", () => performed.length === 1);
    await kill(first);
    expect(readdirSync(join(scene.directory, "A/exp/tbdata"))).toEqual(["eventkey"]);
    // Nobody hears it now.
    const between = scene.tevcWait("now", "q", "run", "N=between");
    const second = await begin("B");
    expect(await between).toMatchObject({ code: 0 });
    let left = await listed();
    // Who waits may hear of an event before it has gone from the list.
    while (left.length > 1) left = await listed();
    expect(left.map((event) => event.args)).toEqual([expect.stringContaining("N=late")]);
    await muster("edit", experiment, String(left[0]?.id), "--at", "now");
    expect(await late).toMatchObject({ code: 0 });
    expect(performed.map((one) => one.replace("COMMAND=true", "").trim())).toEqual([
      "p START",
      "q RUN N=between",
      "q RUN N=late",
    ]);
    while ((await listed()).length > 0);
    second.child.kill("SIGTERM");
    expect(await second.ended).toMatchObject({ code: 0 });
  });

  it("has one scheduler: who stood still meanwhile dispatches nothing more, and ends", async () => {
    const first = await begin("A");
    await scene.tevcWait("now", "__ns_sequence", "start");
    first.child.kill("SIGSTOP");
    const second = await begin("B");
    expect(await scene.tevcWait("now", "q", "run", "N=1")).toMatchObject({ code: 0 });
    first.child.kill("SIGCONT");
    // With 0, so that its supervisor does not start it again.
    expect(await first.ended).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(
        `another scheduler of ${experiment} goes on with its plan; this one has ended`,
      ),
    });
    expect(await scene.tevcWait("now", "q", "run", "N=2")).toMatchObject({ code: 0 });
    expect(performed.slice(1)).toEqual(["q RUN N=1", "q RUN N=2"]);
    expect([ordersOf("N=1"), ordersOf("N=2")]).toEqual([1, 1]);
    expect(second.child.exitCode).toBeNull();
  });

  it("waits while NATS is away, and goes on without being started again", async () => {
    const scheduler = await begin("A");
    await scene.tevcWait("now", "__ns_sequence", "start");
    await until("p has started", () => performed.length === 1);
    await broker.kill();
    const asked = scene.tevcWait("now", "q", "run", "N=1");
    await scheduler.prints(/the log takes nothing/);
    await broker.startAgain();
    expect(await asked).toMatchObject({ code: 0 });
    expect(performed.slice(1)).toEqual(["q RUN N=1"]);
    expect(scheduler.child.exitCode).toBeNull();
  });

  it("is told by a file, printed, and removed; nothing else in NATS is touched", async () => {
    const file = join(scratch(), "plan");
    writeFileSync(file, `nats://${broker.address}/t\n`, { mode: 0o600 });
    const scheduler = scene.startOn("A", ["--plan", file]);
    await scheduler.prints(listening);
    await scene.tevcWait("now", "q", "run", "N=1");
    const [[name = "", description = ""] = []] = await streams();
    expect(name).toMatch(/^t-plan-pp-ee-[0-9a-f]{12}$/);
    expect(description).toBe(`the plan of ${experiment}, format 1`);
    const names = [...planned(), ...experiment.split("/")];
    const printed = await run("event-sched", ["--print-plan", ...names]);
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    expect(printed.stdout).toContain('"agenda-load"');
    expect(await run("event-sched", ["--remove-plan", ...names])).toMatchObject({
      code: 255,
      stderr: expect.stringContaining(`in use by process ${scheduler.child.pid} on ${hostname()}`),
    });
    expect((await streams()).map(([one]) => one)).toEqual([name]);
    scheduler.child.kill("SIGTERM");
    await scheduler.ended;
    const connection = await connectNats({ servers: broker.address });
    const { streams: all } = await jetstreamManager(connection);
    await all.add({ name: "other", subjects: ["other"] });
    const removed = await run("event-sched", ["--remove-plan", ...names]);
    expect(removed).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect((await streams()).map(([one]) => one)).toEqual(["other"]);
    // Where there is none that is said, and none is made; what has its name and is none stays.
    for (const deed of ["--remove-plan", "--print-plan"]) {
      expect(await run("event-sched", [deed, ...names])).toMatchObject({
        ...{ code: 1, stdout: "" },
        stderr: expect.stringContaining(`there is no plan of ${experiment} there; check both`),
      });
    }
    const noFile = join(scratch(), "none");
    expect(await run("event-sched", ["--print-log", noFile])).toMatchObject({
      ...{ code: 1, stdout: "", stderr: `event-sched: there is no log ${noFile}\n` },
    });
    expect(existsSync(noFile)).toBe(false);
    expect((await streams()).map(([one]) => one)).toEqual(["other"]);
    await all.add({ name, subjects: ["mine"] });
    await connection.close();
    expect(await run("event-sched", ["--remove-plan", ...names])).toMatchObject({
      code: 255,
      stderr: expect.stringContaining(`is not the plan of ${experiment}`),
    });
    expect((await streams()).map(([one]) => one)).toContain(name);
  });

  it("is not made for an experiment that is not swapped in", async () => {
    const scheduler = await begin("A");
    scheduler.child.kill("SIGTERM");
    await scheduler.ended;
    const names = [...planned(), ...experiment.split("/")];
    expect(await run("event-sched", ["--remove-plan", ...names])).toMatchObject({ code: 0 });
    const database = new DatabaseSync(join(scene.directory, "A/db"));
    database.exec("UPDATE experiments SET state = 'swapped'");
    database.close();
    const refused = await scene.startOn("A", planned()).ended;
    expect(refused).toMatchObject({
      code: 255,
      stderr: expect.stringContaining(`${experiment} is swapped; swap it in before`),
    });
    expect(await streams()).toEqual([]);
  });

  it("is removed under its scheduler by force; that ends, and says once what it has lost", async () => {
    const scheduler = await begin("A");
    await scene.tevcWait("now", "__ns_sequence", "start");
    const names = [...planned(), ...experiment.split("/")];
    const [[name = ""] = []] = await streams();
    const removed = await run("event-sched", ["--remove-plan", "--force", ...names]);
    expect(removed).toMatchObject({ code: 0, stdout: "", stderr: "" });
    // Somebody makes it anew meanwhile: it takes what comes, in other places.
    const connection = await connectNats({ servers: broker.address });
    const { streams: all } = await jetstreamManager(connection);
    await all.add({ name, subjects: [`muster.${name}.log`], discard: "new" });
    await connection.close();
    const { code, stdout } = await scheduler.ended;
    expect(code).toBe(255);
    const told = stdout.split("\n").filter((line) => line.includes("has lost an entry"));
    expect(told.length).toBeLessThanOrEqual(1);
  });

  it("says what is wrong with its name, with NATS, and with the names of the experiment", async () => {
    const ask = async (...argv: readonly string[]): Promise<string> => {
      const { code, stderr } = await scene.startOn("A", argv).ended;
      expect(code).toBe(255);
      return stderr;
    };
    expect(await ask("--plan", "sqlite:x")).toContain("--plan takes nats://HOST:PORT");
    expect(await ask("--plan", "nats://x:1/a b")).toContain("is no name of a stream");
    expect(await ask("--plan", "/nowhere/plan")).toMatch(/plan's name cannot be read: .*ENOENT/);
    expect(await ask("--nats-creds", "x")).toContain("goes with --plan");
    await broker.kill();
    const unreached = await ask(...planned());
    expect(unreached).toContain(`NATS at ${broker.address} cannot be reached`);
    expect(unreached).toContain("start it, or correct --plan\n");
    const long = ["--remove-plan", ...planned(), "p".repeat(64), "e"];
    expect(await run("event-sched", long)).toMatchObject({
      code: 255,
      stderr: expect.stringContaining("cannot have a plan on NATS"),
    });
  });
});
