// SPDX-License-Identifier: MIT
// Goal: tevc ends with the exit codes and texts of the old program byte for byte, silent where that
// was silent; under MUSTER_TEVC_STRICT=1 no silence is left. Method: a memory bus for the broker, a
// scheduler that says what a test wants, virtual time; the cases of [EMULAB-EVENTS 3, 8].
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Exit } from "../../../src/cli/compat/exit.ts";
import { runTevc, type TevcWorld } from "../../../src/cli/compat/run-tevc.ts";
import { localCalendar } from "../../../src/cli/local-calendar.ts";
import type { ConnectedBus } from "../../../src/client/event-connection.ts";
import { eventHash } from "../../../src/host/event-hash.ts";
import { newNonce } from "../../../src/host/ids.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { BusError } from "../../../src/wire/event/bus.ts";
import { addressOf, firingTimeOf, getText } from "../../../src/wire/event/notification.ts";
import { experiment, FakeScheduler, key, newBus, nowUs, tokenOf } from "./fake-scheduler.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-test-"));
  writeFileSync(join(directory, "key"), key);
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

interface Bench {
  readonly bus: ConnectedBus;
  readonly clock: VirtualClock;
  readonly scheduler: FakeScheduler;
  readonly connects: string[];
  readonly said: string[];
  tevc(line: string | readonly string[], world?: Partial<TevcWorld>): Promise<Exit>;
}

function bench(environment: Record<string, string> = {}): Bench {
  const bus = newBus();
  const clock = new VirtualClock();
  const connects: string[] = [];
  const said: string[] = [];
  const world: TevcWorld = {
    ...{ environment, isRoot: true, hash: eventHash, calendar: localCalendar },
    sender: "192.0.2.7",
    runtime: {
      nowUs: () => clock.nowUs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      randomBytes: newNonce,
    },
    connect: async (address) => {
      connects.push(address);
      // The command closes its own end, not the bus.
      return {
        publish: (notification) => bus.publish(notification),
        subscribe: (subscription, subscriber) => bus.subscribe(subscription, subscriber),
        close: () => undefined,
      };
    },
    wallUs: () => nowUs,
    stderr: (text) => void said.push(text),
  };
  const tevc: Bench["tevc"] = (line, changed = {}) => {
    const words = typeof line === "string" ? line.split(" ") : line;
    const args = words.map((word) => (word === "KEY" ? join(directory, "key") : word));
    return runTevc(args, { ...world, ...changed });
  };
  return { bus, clock, connects, said, scheduler: new FakeScheduler(bus as never), tevc };
}

const strict = { MUSTER_TEVC_STRICT: "1" };
const silent = (code: number): Exit => ({ kind: "exit", code });

describe("tevc", () => {
  test("hands the event over and ends with 0, silent, whoever listens", async () => {
    const { tevc, scheduler, clock, connects } = bench();
    expect(await tevc("-k KEY -e foo/bar now lnik0 down")).toEqual(silent(0));
    await scheduler.listen((sent) => scheduler.refuse(sent, "NO_SUCH_OBJECT", "no lnik0"));
    expect(await tevc("-k KEY -e foo/bar +2.5 cbr3 set rate_=512 packetSize_=256")).toEqual(
      silent(0),
    );
    await clock.settle();
    const [sent] = scheduler.requests as [(typeof scheduler.requests)[0]];
    expect(addressOf(sent)).toEqual({
      ...{ expt: experiment, objname: "cbr3", eventtype: "MODIFY", scheduler: 1 },
    });
    expect(getText(sent, "ARGS")).toBe("RATE=512 PACKETSIZE=256 ");
    expect(firingTimeOf(sent)).toEqual({ seconds: 1_087_824_348, microseconds: 200_000 });
    expect(connects).toEqual(Array(2).fill("ws://event-server:2917/v1/bus"));
  });

  test.each([
    [0, 0],
    [3, 3],
    [-1, 255],
    [256, 0],
    [300, 44],
  ])("-w ends with the error of the completion: %i is %i", async (error, code) => {
    const { tevc, scheduler } = bench();
    await scheduler.listen((sent) => scheduler.complete(sent, error));
    expect(await tevc("-w -k KEY -e foo/bar now prog0 run")).toEqual(silent(code));
  });

  test("-w -t ends with ETIMEDOUT when nobody completes, silent, after just so long", async () => {
    const { tevc, scheduler, clock } = bench();
    await scheduler.listen();
    let exit: Exit | undefined;
    void tevc("-w -t 2 -k KEY -e foo/bar now prog0 run").then((end) => {
      exit = end;
    });
    await clock.settle();
    await clock.pass(1_999_000);
    expect(exit).toBeUndefined();
    await clock.pass(2_000);
    expect(exit).toEqual(silent(constants.errno.ETIMEDOUT));
    expect(exit?.code).toBe(110);
  });

  test.each(["-w", "-w -t 0"])("%s alone waits for ever, as it did", async (options) => {
    const { tevc, scheduler, clock, said } = bench();
    await scheduler.listen();
    let exit: Exit | undefined;
    void tevc(`${options} -k KEY -e foo/bar now link0 down`).then((end) => {
      exit = end;
    });
    await clock.settle();
    await clock.pass(1_000_000_000);
    expect([exit, said]).toEqual([undefined, []]);
    scheduler.complete(scheduler.requests[0] as never, 0);
    await clock.settle();
    expect(exit).toEqual(silent(0));
  });

  test("says which key it cannot read and why", async () => {
    const { tevc, connects } = bench();
    const missing =
      "Could not read /proj/other/exp/exp/tbdata/eventkey : No such file or directory\n";
    expect(await tevc("-e other/exp now link0 down")).toEqual({ ...silent(255), stderr: missing });
    const file = join(directory, "key");
    chmodSync(directory, 0o700);
    writeFileSync(file, "");
    expect((await tevc("-k KEY -e foo/bar now link0 down")).stderr).toContain("the key is empty");
    expect((await tevc(`-k ${file}/x -e foo/bar now link0 down`)).stderr).toBe(
      `Could not read ${file}/x : Not a directory\n`,
    );
    expect(connects).toEqual([]);
  });

  test("finds the key where nodes are no name spaces, for their own experiment", async () => {
    mkdirSync(join(directory, "tbdata"));
    writeFileSync(join(directory, "tbdata/eventkey"), key);
    const { tevc } = bench({ EXPDIR: directory, PID: "foo", EID: "bar" });
    expect(await tevc("-e foo/bar now link0 down")).toEqual(silent(0));
    expect((await tevc("-e foo/other now link0 down")).stderr).toContain("/proj/foo/exp/other/");
    const booted = bench({ MUSTER_BOOT: join(directory, "tbdata"), PID: "foo", EID: "bar" });
    expect(await booted.tevc("-e foo/bar now link0 down")).toEqual(silent(0));
  });

  test("knows an unknown event only once it has the bus", async () => {
    const { tevc, connects } = bench();
    const unknown = { ...silent(255), stderr: "Unknown event: EXPLODE\n" };
    expect(await tevc("-k KEY -e foo/bar now link0 explode")).toEqual(unknown);
    expect(connects).toHaveLength(1);
    expect((await tevc("-k KEY -e foo/bar later link0 down")).stderr).toBe(
      "Invalid time: later; it is now, +SECONDS or [[[[yy]mm]dd]HH]MMss\n",
    );
    const long = ["-k", "KEY", "-e", "foo/bar", "now", "link0", "down", "x".repeat(8_193)];
    expect((await tevc(long)).stderr).toContain("argumentsBytesMax");
  });

  test("says why the bus does not take an event, with 255", async () => {
    const { tevc, bus } = bench();
    bus.close();
    const ended = await tevc("-k KEY -e foo/bar now link0 down");
    expect(ended.code).toBe(255);
    expect(ended.stderr).toMatch(/^tevc: link0 DOWN may have been sent or not: the bus is closed/);
  });
});

describe("tevc and a bus that is not there (fault 7)", () => {
  const absent = (tries: number, clock: VirtualClock, at: number[]): TevcWorld["connect"] => {
    const bus = newBus();
    return async () => {
      at.push((clock.elapsedUs - 1_000_000) / 1_000);
      if (at.length <= tries) throw new BusError("unavailable", "nobody answers at ops:2917");
      return bus;
    };
  };

  test("by itself looks every 5 s for ever, in silence, as it did", async () => {
    const { tevc, clock, said } = bench();
    const at: number[] = [];
    const ended = tevc("-k KEY -e foo/bar now link0 down", { connect: absent(1_000, clock, at) });
    await clock.pass(5_000_000_000);
    expect(await ended).toEqual(silent(0));
    expect(at.slice(0, 3)).toEqual([0, 5_000, 10_000]);
    expect(said).toEqual([]);
  });

  test("strict, says so once and gives up after 30 s", async () => {
    const { tevc, clock, said } = bench(strict);
    const at: number[] = [];
    let exit: Exit | undefined;
    void tevc("-k KEY -e foo/bar now link0 down", { connect: absent(1_000, clock, at) }).then(
      (end) => {
        exit = end;
      },
    );
    await clock.pass(29_000_000);
    expect(exit).toBeUndefined();
    await clock.pass(1_500_000);
    expect(exit).toEqual({ ...silent(255), stderr: "tevc: nobody answers at ops:2917\n" });
    expect(said).toEqual(["tevc: nobody answers at ops:2917; trying again for 30 s\n"]);
  });

  test("ends at once when the bus refuses", async () => {
    const { tevc } = bench();
    const connect = () => Promise.reject(new BusError("refused", "too many clients; close some"));
    expect(await tevc("-k KEY -e foo/bar now link0 down", { connect })).toEqual({
      ...{ ...silent(255), stderr: "tevc: too many clients; close some\n" },
    });
  });
});

describe("tevc with MUSTER_TEVC_STRICT=1", () => {
  test("ends with 0, silent, when the scheduler accepts", async () => {
    const { tevc, scheduler } = bench(strict);
    await scheduler.listen((sent) => scheduler.accept(sent, 3));
    expect(await tevc("-k KEY -e foo/bar now prog0 start")).toEqual(silent(0));
  });

  test("says what the scheduler refuses, that there is none, and that it says nothing", async () => {
    const { tevc, scheduler, clock } = bench(strict);
    const unheard = tevc("-k KEY -e foo/bar now lnik0 down");
    await clock.pass(10_001_000);
    expect(await unheard).toEqual({
      ...silent(255),
      stderr:
        "tevc: no scheduler has taken lnik0 DOWN: none has come for foo/bar in 10 s; is the experiment up? " +
        "One that is back within a minute of the request may still fire it\n",
    });
    await scheduler.listen((sent) => {
      if (getText(sent, "OBJNAME") === "mute") return;
      scheduler.refuse(sent, "NO_SUCH_OBJECT", "there is no object lnik0");
    });
    for (const options of ["", "-w "]) {
      expect(await tevc(`${options}-k KEY -e foo/bar now lnik0 down`)).toEqual({
        ...silent(255),
        stderr:
          "tevc: lnik0 DOWN is refused by the scheduler of foo/bar: there is no object lnik0 (NO_SUCH_OBJECT)\n",
      });
    }
    const mute = tevc("-k KEY -e foo/bar now mute down");
    await clock.pass(11_000_000);
    expect((await mute).stderr).toMatch(/^tevc: mute DOWN is without an answer after 10 s and may/);
  });

  test("-w says the error that is the exit code, and what was not completed in time", async () => {
    const { tevc, scheduler, clock } = bench(strict);
    await scheduler.listen((sent) => {
      scheduler.accept(sent, tokenOf(sent));
      if (getText(sent, "OBJNAME") === "prog0") scheduler.complete(sent, 3);
    });
    expect(await tevc("-w -k KEY -e foo/bar now prog0 run")).toEqual({
      ...{ ...silent(3), stderr: "tevc: prog0 RUN is completed with error 3\n" },
    });
    const ended = tevc("-w -t 2 -k KEY -e foo/bar now link0 down");
    await clock.pass(3_000_000);
    expect(await ended).toEqual({
      ...silent(110),
      stderr:
        "tevc: link0 DOWN is not completed after 2 s; it goes on, and nobody waits for it any more\n",
    });
  });

  test("-w says once that nobody has completed it for 10 s, and goes on", async () => {
    const { tevc, scheduler, clock, said } = bench(strict);
    await scheduler.listen((sent) => scheduler.accept(sent, tokenOf(sent)));
    const ended = tevc("-w -k KEY -e foo/bar now link0 down");
    await clock.pass(9_999_000);
    expect(said).toEqual([]);
    await clock.pass(100_000_000);
    expect(said).toEqual([
      expect.stringMatching(
        /^tevc: link0 DOWN is not completed after 10 s, and may never be: .*-t N/,
      ),
    ]);
    scheduler.complete(scheduler.requests[0] as never, 0);
    expect(await ended).toEqual(silent(0));
  });

  test("looks at the words before it looks for the bus", async () => {
    const { tevc, connects } = bench(strict);
    expect((await tevc("-k KEY -e foo/bar now link0 explode")).stderr).toBe(
      "Unknown event: EXPLODE\n",
    );
    expect(connects).toEqual([]);
  });

  test("prints nothing that steers a terminal", async () => {
    const { tevc, scheduler } = bench(strict);
    await scheduler.listen((sent) => scheduler.refuse(sent, "X", "\u{1b}[2Jgone\nnext"));
    expect((await tevc("-k KEY -e foo/bar now link0 down")).stderr).toContain(
      "?[2Jgone next (X)\n",
    );
  });
});

describe("tevc -c", () => {
  test("publishes a control event, live and unauthenticated, for root only", async () => {
    const { tevc, bus, clock, connects } = bench();
    const heard: unknown[] = [];
    await bus.subscribe(
      { address: undefined, slow: "end" },
      {
        onNotifications: (all) => void heard.push(...all.map(({ notification }) => notification)),
        onGap: () => undefined,
        onEnd: () => undefined,
      },
    );
    expect(await tevc("-c reload")).toEqual(silent(0));
    await clock.settle();
    const [sent] = heard as [never];
    expect(addressOf(sent)).toEqual({ objtype: "TBCONTROL", eventtype: "RELOAD", scheduler: 0 });
    expect(getText(sent, "__auth__")).toBeUndefined();
    expect(connects).toEqual(["ws://localhost:2927/v1/bus"]);
    expect((await tevc("-c reload", { isRoot: false })).code).toBe(255);
    expect(await tevc("-c explode")).toEqual({
      ...silent(255),
      stderr: "Unknown event: EXPLODE\n",
    });
  });

  test("strict, says that nobody has heard it", async () => {
    const { tevc } = bench(strict);
    expect((await tevc("-c reload")).stderr).toMatch(/^tevc: RELOAD was heard by nobody/);
    expect(await bench().tevc("-c reload")).toEqual(silent(0));
  });
});
