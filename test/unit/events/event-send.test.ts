// SPDX-License-Identifier: MIT
// Goal: `muster event send` always says what becomes of an event, as a sentence or as JSON, with a
// status of its own for each end. Method: a memory bus, a scheduler that says what a test wants,
// a state directory with a run in it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type EventSendArguments, eventSendCommand } from "../../../src/cli/commands/event-send.ts";
import type { EventWorld } from "../../../src/cli/event-bus.ts";
import { newNonce } from "../../../src/host/ids.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { BusError } from "../../../src/wire/event/bus.ts";
import { addressOf, getText } from "../../../src/wire/event/notification.ts";
import { FakeScheduler, key, newBus, nowUs, tokenOf } from "./fake-scheduler.ts";

let state = "";
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "muster-test-"));
  for (const run of ["1", "2"]) addRun("foo", "bar", run);
});
afterEach(() => {
  rmSync(state, { recursive: true, force: true });
});

function addRun(pid: string, eid: string, run: string): void {
  const data = join(state, "experiments", pid, eid, "runs", run, "proj/tbdata");
  mkdirSync(data, { recursive: true });
  // Only the key of the last run is good.
  writeFileSync(join(data, "eventkey"), run === "2" ? key : "an old key");
}

interface Bench {
  readonly clock: VirtualClock;
  readonly scheduler: FakeScheduler;
  readonly out: string[];
  readonly err: string[];
  send(argv?: Partial<EventSendArguments>, world?: Partial<EventWorld>): Promise<number>;
}

function bench(): Bench {
  const bus = newBus();
  const clock = new VirtualClock();
  const [out, err]: [string[], string[]] = [[], []];
  const io = {
    stdout: (text: string) => void out.push(text),
    stderr: (text: string) => void err.push(text),
  };
  const world: EventWorld = {
    runtime: { nowUs: () => clock.nowUs(), after: clock.after.bind(clock), randomBytes: newNonce },
    connect: async () => ({
      publish: (notification) => bus.publish(notification),
      subscribe: (subscription, subscriber) => bus.subscribe(subscription, subscriber),
      close: () => undefined,
    }),
    wallUs: () => nowUs,
  };
  const base: EventSendArguments = {
    ...{ id: "bar", object: "prog0", word: "start", words: [], at: "now", wait: false, timeout: 0 },
    ...{ waitForServer: 0, state, json: false },
  };
  const send: Bench["send"] = (argv = {}, changed = {}) =>
    eventSendCommand({ ...base, ...argv }, io, { ...world, ...changed });
  return { clock, scheduler: new FakeScheduler(bus), out, err, send };
}

describe("muster event send", () => {
  test("says that the event is accepted, with its token", async () => {
    const { send, scheduler, out, err } = bench();
    await scheduler.listen((sent) => scheduler.accept(sent, 12));
    expect(await send({ words: ["timeout=5"], timeline: "tl" })).toBe(0);
    expect(out).toEqual(["prog0 START is accepted by the scheduler of foo/bar, token 12\n"]);
    expect(err).toEqual([]);
    const [sent] = scheduler.requests as [never];
    expect(addressOf(sent)).toMatchObject({ expt: "foo/bar", objname: "prog0", timeline: "tl" });
    expect(getText(sent, "ARGS")).toBe("TIMEOUT=5 ");
  });

  test("fails with the scheduler's reason, and with another status when nobody hears it", async () => {
    const { send, scheduler, err, clock } = bench();
    const unheard = send();
    await clock.settle();
    expect(err).toEqual([
      "muster: no scheduler listens for foo/bar now; one that is back within 10 s takes the request\n",
    ]);
    await clock.pass(10_001_000);
    expect(await unheard).toBe(69);
    expect(err.pop()).toMatch(/^muster: no scheduler has taken prog0 START: none has come/);
    await scheduler.listen((sent) => scheduler.refuse(sent, "NO_SUCH_OBJECT", "no prog0"));
    expect(await send({ wait: true })).toBe(1);
    expect(err.pop()).toBe(
      "muster: prog0 START is refused by the scheduler of foo/bar: no prog0 (NO_SUCH_OBJECT)\n",
    );
  });

  test("--wait says when the event is ignored, which is not what was asked for", async () => {
    const { send, scheduler, out, err } = bench();
    await scheduler.listen((sent) => {
      scheduler.accept(sent, tokenOf(sent));
      scheduler.ignore(sent, "nobody shapes links");
    });
    expect(await send({ wait: true })).toBe(1);
    expect(err.pop()).toBe("muster: prog0 START is ignored: nobody shapes links\n");
    expect(await send({ wait: true, json: true })).toBe(1);
    expect(JSON.parse(out.join(""))).toMatchObject({
      ...{ outcome: "ignored", why: "nobody shapes links", exitCode: 1 },
    });
  });

  test("--wait ends when the event is completed; its error is a failure", async () => {
    const { send, scheduler, out, err } = bench();
    await scheduler.listen((sent) => {
      scheduler.accept(sent, tokenOf(sent));
      scheduler.complete(sent, getText(sent, "ARGS") === "BAD=1 " ? 3 : 0);
    });
    expect(await send({ wait: true })).toBe(0);
    expect(out).toEqual(["prog0 START is completed\n"]);
    expect(err).toEqual(["muster: accepted; waiting until it is completed\n"]);
    expect(await send({ wait: true, words: ["bad=1"] })).toBe(1);
    expect(err.pop()).toBe("muster: prog0 START is completed with error 3\n");
  });

  test("--wait --timeout has a status of its own", async () => {
    const { send, scheduler, clock } = bench();
    await scheduler.listen((sent) => scheduler.accept(sent, tokenOf(sent)));
    const ended = send({ wait: true, timeout: 2 });
    await clock.pass(3_000_000);
    expect(await ended).toBe(75);
  });

  test("a brief wait ends with the failure, or as accepted when nobody says more", async () => {
    const { send, scheduler, out, err, clock } = bench();
    await scheduler.listen((sent) => {
      scheduler.accept(sent, tokenOf(sent));
      if (getText(sent, "ARGS") === "BAD=1 ") scheduler.complete(sent, -1);
    });
    expect(await send({ wait: "briefly", words: ["bad=1"] })).toBe(1);
    expect(err).toEqual(["muster: prog0 START is completed with error -1\n"]);
    const silent = send({ wait: "briefly" });
    await clock.pass(4_900_000);
    expect(out).toEqual([]);
    await clock.pass(200_000);
    expect(await silent).toBe(0);
    expect(out.join("")).toMatch(
      /^prog0 START is accepted .*, token \d+; whether it has taken effect is not known after 5 s/,
    );
    expect(err).toHaveLength(1);
  });

  test("--json prints every end as an object", async () => {
    const { send, scheduler, out, err } = bench();
    await scheduler.listen((sent) => scheduler.refuse(sent, "NO_SUCH_OBJECT", "no prog0"));
    expect(await send({ json: true, at: "+1.5" })).toBe(1);
    expect(JSON.parse(out.join(""))).toEqual({
      ...{ experiment: "foo/bar", object: "prog0", event: "START", args: "", timeline: null },
      ...{ atUs: Number(nowUs) + 1_500_000, outcome: "refused", code: "NO_SUCH_OBJECT" },
      ...{ message: "no prog0", exitCode: 1 },
      text: "prog0 START is refused by the scheduler of foo/bar: no prog0 (NO_SUCH_OBJECT)",
    });
    expect(err).toEqual([]);
  });

  test.each([
    [{ word: "strat" }, 64, "there is no event strat; did you mean START?"],
    [{ word: "explode" }, 64, "there is no event explode; docs/man/tevc.1.md lists them"],
    [{ at: "later" }, 64, "--at later: it is now, +SECONDS or such as +1m30s"],
    [{ at: "5s" }, 64, "in local time; +5 is 5 seconds from now"],
    [{ object: "x".repeat(128) }, 64, "objectNameBytesMax"],
    [{ id: "nobody" }, 66, "there is no experiment nobody in"],
    [{ id: "no/body" }, 66, "cannot read the key of no/body, /proj/no/exp/body/tbdata/eventkey"],
    [{ key: "/dev/null" }, 66, "/dev/null: the key is empty"],
  ])("refuses %j with status %i", async (argv, exitCode, message) => {
    await expect(bench().send(argv)).rejects.toMatchObject({
      ...{ exitCode, message: expect.stringContaining(message) },
    });
  });

  test("wants the full name where several projects have the experiment", async () => {
    addRun("other", "bar", "2");
    const { send, scheduler } = bench();
    await expect(send()).rejects.toMatchObject({ exitCode: 64 });
    await scheduler.listen((sent) => scheduler.accept(sent, 1));
    expect(await send({ id: "foo/bar" })).toBe(0);
  });

  test("tries once by itself, and for --wait-for-server", async () => {
    const { send, clock } = bench();
    let tries = 0;
    const connect = () => {
      tries += 1;
      return Promise.reject(new BusError("unavailable", "nobody answers at localhost:2917"));
    };
    const absent = { exitCode: 69, message: "nobody answers at localhost:2917" };
    await expect(send({}, { connect })).rejects.toMatchObject(absent);
    expect(tries).toBe(1);
    const ended = send({ waitForServer: 1 }, { connect }).catch((error: unknown) => error);
    await clock.pass(2_000_000);
    expect(await ended).toMatchObject(absent);
    expect(tries).toBe(6);
  });
});
