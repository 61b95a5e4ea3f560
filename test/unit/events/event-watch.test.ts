// SPDX-License-Identifier: MIT
// Goal: eventdebug and `muster event watch` show what goes over a bus: the old line byte for byte,
// arguments, scheduled requests on demand, filters, JSON; and say what they missed (fault 32).
// Method: a memory bus, and the two command lines.
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type EventWatchArguments,
  eventWatchCommand,
} from "../../../src/cli/commands/event-watch.ts";
import {
  type EventdebugArguments,
  parseEventdebugArguments,
} from "../../../src/cli/compat/eventdebug-arguments.ts";
import type { Exit } from "../../../src/cli/compat/exit.ts";
import { formatEventJson, formatEventLine } from "../../../src/cli/event-line.ts";
import { CommandError } from "../../../src/cli/io.ts";
import { type PrintOptions, printEvents } from "../../../src/cli/print-events.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { BusError } from "../../../src/wire/event/bus.ts";
import {
  type Address,
  createNotification,
  type Notification,
  textAttribute,
  toScheduleRequest,
} from "../../../src/wire/event/notification.ts";
import { newBus, nowUs } from "./fake-scheduler.ts";

const start: Address = {
  ...{ expt: "foo/bar", host: "155.98.36.10", objtype: "PROGRAM", objname: "prog0" },
  ...{ eventtype: "START", scheduler: 0 },
};

function notification(address: Partial<Address> = {}, args?: string): Notification {
  const extra = args === undefined ? [] : [textAttribute("ARGS", args)];
  return createNotification(
    { ...start, ...address },
    { sender: "192.0.2.1", layout: "2011", extra },
  );
}

const request = (args?: string, address: Partial<Address> = {}): Notification =>
  toScheduleRequest(notification({ ...address, scheduler: 1 }, args), {
    ...{ seconds: 1_087_828_050, microseconds: 25_000 },
  });

const line = (one: Notification, showsArgs = true): string =>
  formatEventLine({ notification: one, wallUs: 1_087_828_041_999_999n }, { showsArgs });

describe("formatEventLine()", () => {
  test("is that of the old program for an event without arguments", () => {
    const old = "Event: 1087828041 * foo/bar * 155.98.36.10 PROGRAM prog0 START";
    expect(line(notification())).toBe(old);
    expect(line(notification({}, " "))).toBe(old);
    expect(line(notification({}, "TIMEOUT=5"), false)).toBe(old);
    expect(line({ attributes: [] })).toBe("Event: 1087828041 * * * * * * *");
  });

  test("fault 32: has the arguments, and nothing that steers a terminal", () => {
    expect(line(notification({}, "TIMEOUT=5 COMMAND=x\u{1b}[2J "))).toBe(
      "Event: 1087828041 * foo/bar * 155.98.36.10 PROGRAM prog0 START TIMEOUT=5 COMMAND=x?[2J",
    );
  });

  test("tells a request from an event, with its time and timeline", () => {
    expect(line(request("A=1", { timeline: "tl", host: "*" }))).toBe(
      "Request: 1087828041 * foo/bar * * PROGRAM prog0 START at=1087828050.025000 timeline=tl A=1",
    );
  });
});

test("formatEventJson() has the tuple, what is known by name, and all attributes", () => {
  const text = formatEventJson({ notification: request("A=1"), wallUs: nowUs }, 7);
  expect(JSON.parse(text)).toMatchObject({
    ...{ position: 7, receivedUs: Number(nowUs), scheduled: true, expt: "foo/bar" },
    ...{ objname: "prog0", eventtype: "START", at: "1087828050.025000", token: null, args: "A=1" },
    attributes: expect.arrayContaining([{ name: "OBJNAME", type: "string", value: "prog0" }]),
  });
});

const parse = (text: string): EventdebugArguments | Exit =>
  parseEventdebugArguments(text.split(" ").filter((word) => word !== ""));

describe("parseEventdebugArguments()", () => {
  test.each([
    ["", { server: undefined, port: undefined, isTestbed: false, scheduled: false }],
    ["foo/bar", { experiment: "foo/bar" }],
    ["-s ops -p 99 foo/bar", { server: "ops", port: 99 }],
    ["-p 99 -b", { port: 99, isTestbed: true }],
    ["--scheduled --no-args --json", { scheduled: true, showsArgs: false, json: true }],
  ])("reads %j", (text, expected) => {
    expect(parse(text)).toMatchObject(expected);
  });

  test("fault 32: -b is the bus of the testbed, and takes no word with it", () => {
    expect(parse("-b")).toMatchObject({ isTestbed: true, experiment: undefined });
    expect(parse("-b foo/bar")).toMatchObject({ isTestbed: true, experiment: "foo/bar" });
  });

  test.each(["-h", "-x", "-p", "-p x", "foo", "a/b c/d"])(
    "ends with 1 and the usage for %s",
    (text) => {
      expect(parse(text)).toMatchObject({ code: 1, stderr: expect.stringContaining("usage: ") });
    },
  );
});

interface Output {
  readonly out: string[];
  readonly err: string[];
  readonly io: PrintOptions["io"];
}

function output(): Output {
  const out: string[] = [];
  const err: string[] = [];
  return {
    out,
    err,
    io: { stdout: (text) => void out.push(text), stderr: (text) => void err.push(text) },
  };
}

const watch: EventWatchArguments = {
  ...{ experiment: null, scheduled: false, json: false },
  waitForServer: 0,
};

afterEach(() => {
  vi.restoreAllMocks();
});

describe("muster event watch", () => {
  async function run(
    argv: Partial<EventWatchArguments>,
    sent: readonly Notification[],
  ): Promise<Output> {
    const bus = newBus();
    const clock = new VirtualClock();
    const runtime = {
      nowUs: () => clock.nowUs(),
      after: clock.after.bind(clock),
      randomBytes: (count: number) => new Uint8Array(count),
    };
    const shown = output();
    const connect = async () => bus;
    const ended = eventWatchCommand({ ...watch, ...argv }, shown.io, {
      ...{ runtime, connect, wallUs: () => nowUs },
    }).catch((error: unknown) => error);
    await clock.settle();
    for (const one of sent) await bus.publish(one);
    await clock.settle();
    bus.close();
    expect(await ended).toBeInstanceOf(CommandError);
    expect(await ended).toMatchObject({ exitCode: 69 });
    return shown;
  }
  const names = ({ out }: Output): (string | undefined)[] =>
    out.map((text) => /PROGRAM (\S+ \S+)/.exec(text)?.[1]);

  test("shows everything, or what filters and the experiment let through", async () => {
    const sent = [
      notification({ objname: "a" }),
      notification({ objname: "b", eventtype: "STOP" }),
      notification({ objname: "a", eventtype: "STOP", expt: "foo/other" }),
    ];
    expect(names(await run({}, sent))).toEqual(["a START", "b STOP", "a STOP"]);
    expect(names(await run({ experiment: "foo/bar" }, sent))).toEqual(["a START", "b STOP"]);
    expect(names(await run({ objname: "a,c" }, sent))).toEqual(["a START", "a STOP"]);
    expect(names(await run({ eventtype: "stop" }, sent))).toEqual(["b STOP", "a STOP"]);
    expect(names(await run({ objtype: "link" }, sent))).toEqual([]);
  });

  test("shows requests that a scheduler is to hold when asked, in their place", async () => {
    const sent = [notification(), request("A=1"), notification({ eventtype: "STOP" })];
    expect((await run({}, sent)).out).toHaveLength(2);
    const { out } = await run({ scheduled: true }, sent);
    expect(out.map((text) => text.split(" ")[0]).sort()).toEqual(["Event:", "Event:", "Request:"]);
  });

  test("prints one JSON object a line with --json", async () => {
    const { out } = await run({ json: true }, [notification({}, "A=1"), notification()]);
    expect(out.map((text) => JSON.parse(text).args)).toEqual(["A=1", null]);
    expect(out.every((text) => text.endsWith("\n") && !text.slice(0, -1).includes("\n"))).toBe(
      true,
    );
  });

  test("refuses what is no experiment, and says that there is no bus", async () => {
    const { io } = output();
    const world = {
      runtime: {
        nowUs: () => 0,
        after: () => () => undefined,
        randomBytes: () => new Uint8Array(),
      },
      connect: () =>
        Promise.reject(new BusError("unavailable", "nobody answers at localhost:2917")),
      wallUs: () => nowUs,
    };
    const usage = eventWatchCommand({ ...watch, experiment: "foo" }, io, world);
    await expect(usage).rejects.toMatchObject({ exitCode: 64 });
    const absent = eventWatchCommand(watch, io, world);
    await expect(absent).rejects.toMatchObject({
      ...{ exitCode: 69, message: "nobody answers at localhost:2917" },
    });
  });
});

test("printEvents() leaves out what schedulers and runs say to each other, unless asked", async () => {
  const [all, asked] = [output(), output()];
  const bus = newBus();
  const options = { scheduled: false, showsArgs: true, json: false, wallUs: () => nowUs, bus };
  const name = "eventdebug";
  const ends = [
    printEvents({ ...options, name, address: {}, io: all.io }),
    printEvents({ ...options, name, address: { objname: "__scheduler" }, io: asked.io }),
  ].map((ended) => ended.catch(() => undefined));
  await new VirtualClock().settle();
  await bus.publish(notification({ objname: "__scheduler", eventtype: "TOLD" }));
  await bus.publish(notification());
  await new VirtualClock().settle();
  bus.close();
  await Promise.all(ends);
  expect(all.out.join("")).toMatch(/^Event: .* prog0 START\n$/);
  expect(asked.out.join("")).toMatch(/^Event: .* __scheduler TOLD\n$/);
});

test("printEvents() says how many events it was too slow for", async () => {
  const limits = resolveBusLimits({ queueNotificationsMax: 2 });
  const bus = new MemoryBus({ epoch: "test", limits });
  const clock = new VirtualClock();
  const { out, err, io } = output();
  const options = {
    address: {},
    scheduled: false,
    showsArgs: true,
    json: false,
    wallUs: () => nowUs,
  };
  const ended = printEvents({ ...options, bus, io, name: "eventdebug" }).catch(() => undefined);
  await clock.settle();
  for (let count = 0; count < 5; count += 1) void bus.publish(notification());
  await clock.settle();
  bus.close();
  await ended;
  expect(err).toEqual(["eventdebug: 3 events missed; give filters, or write to a file\n"]);
  expect(out).toHaveLength(2);
});
