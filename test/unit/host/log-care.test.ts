// SPDX-License-Identifier: MIT
// Goal: a log that is not kept as the next start needs it is noticed, one that is cut behind a
// snapshot is not (C1), who does not answer changes nothing (C2), and messages that are gone are
// said, not those that another server frees (C3). Method: what a log says and
// where snapshots are is set by the test, under a clock that it moves; with a real nats-server it
// is in test/e2e/serve-nats.test.ts.
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LogExamined } from "../../../src/engine/log.ts";
import { LogCare } from "../../../src/host/log-care.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

let clock: VirtualClock;
let kept: LogExamined | Error;
let named: Iterable<number>;
let snapshot: number;
let snapshotsAsked: number;
let found: string | undefined;
let lines: string[];
let care: LogCare;
beforeEach(() => {
  clock = new VirtualClock();
  [kept, snapshot, snapshotsAsked, found, lines] = [{ first: 1 }, 0, 0, undefined, []];
  named = [];
  care = new LogCare({
    log: {
      examine: async () => {
        if (kept instanceof Error) throw kept;
        return kept;
      },
    },
    newestSnapshot: async () => {
      snapshotsAsked += 1;
      return snapshot;
    },
    namedMessages: () => named,
    clock,
    logger: { log: (level, line) => void lines.push(`${level} ${line}`) },
    onLook: (objection) => {
      found = objection;
    },
  });
});
afterEach(() => care.close());

async function look(): Promise<void> {
  await clock.pass(5_000_000);
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

it("C1: entries may be gone as far as a snapshot stands for them", async () => {
  await look();
  expect([found, snapshotsAsked]).toEqual([undefined, 0]);
  [kept, snapshot] = [{ first: 38 }, 37];
  await look();
  await look();
  expect([found, snapshotsAsked, lines]).toEqual([undefined, 1, []]);
  kept = { first: 39 };
  await look();
  await look();
  expect(found).toBe("entries 38 to 38 of the log are gone, and no snapshot stands for them");
  expect(lines).toEqual([expect.stringContaining(`error ${found}; until`)]);
  snapshot = 38;
  await look();
  expect(found).toBe(undefined);
  expect(lines.at(-1)).toBe("warn the log is kept as it has to be again");
});

it("C1: snapshots that are gone are noticed, also when the log was cut behind them before", async () => {
  [kept, snapshot] = [{ first: 38, snapshots: "1 9 9" }, 37];
  await look();
  await look();
  expect([found, snapshotsAsked, lines]).toEqual([undefined, 1, []]);
  [kept, snapshot] = [{ first: 38, snapshots: "10 9 0" }, 0];
  await look();
  expect(found).toBe("entries 1 to 37 of the log are gone, and no snapshot stands for them");
});

it("C3: messages that are gone are said, and keep nobody away; those that are freed are not", async () => {
  const messages = (first: number, count: number) => ({ first, count, deleted: 0 });
  [kept, named] = [{ first: 1, messages: messages(1, 3) }, [1, 2, 3]];
  await look();
  // Another server has freed the first; this one reads that a little later.
  kept = { first: 1, messages: messages(2, 2) };
  await look();
  named = [2, 3];
  await look();
  await look();
  expect(lines).toEqual([]);
  kept = { first: 1, messages: messages(4, 0) };
  await look();
  await look();
  await look();
  const text = "messages of topics before the one with number 4 are gone from NATS";
  expect([found, lines]).toEqual([undefined, [expect.stringContaining(`warn ${text}, `)]]);
  named = [];
  await look();
  expect(lines.slice(1)).toEqual(["warn the log is kept as it has to be again"]);
});

it("C3: messages that are gone from between others are said", async () => {
  let walks = 0;
  const messages = (count: number, deleted: number) => ({ first: 1, count, deleted });
  named = {
    *[Symbol.iterator]() {
      walks += 1;
      yield* [1, 2, 4];
    },
  };
  kept = { first: 1, messages: messages(3, 1) };
  await look();
  // More are written: nothing is gone for that, and nothing is walked through.
  kept = { first: 1, messages: messages(9, 1) };
  await look();
  await look();
  expect([walks, lines]).toEqual([1, []]);
  kept = { first: 1, messages: messages(1, 3) };
  await look();
  await look();
  const text = "2 or more messages of topics are gone from NATS";
  expect([found, lines]).toEqual([undefined, [expect.stringContaining(`warn ${text}, `)]]);
  named = [1];
  await look();
  expect(lines.slice(1)).toEqual(["warn the log is kept as it has to be again"]);
});

it("says what would keep a server from starting, and that keeps nobody away", async () => {
  kept = { first: 1, remark: "it has 1 replicas, not 3" };
  await look();
  await look();
  expect([found, lines]).toEqual([undefined, ["warn it has 1 replicas, not 3"]]);
});

it("C2: who does not answer changes nothing", async () => {
  kept = { first: 1, objection: "it was changed" };
  await look();
  expect(found).toBe("it was changed");
  kept = new Error("away");
  await look();
  expect(found).toBe("it was changed");
  kept = { first: 1 };
  await look();
  expect(found).toBe(undefined);
});
