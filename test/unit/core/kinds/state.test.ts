// SPDX-License-Identifier: MIT
// States: a counter that only grows, and waits for a target of it. Goal: the invariants by number,
// as far as they concern a state. Method: commands and effects of a core without a log; every order
// of a few parties at the end.
import { describe, expect, it, vi } from "vitest";
import type { Command } from "../../../../src/core/command.ts";
import { DueHeap } from "../../../../src/core/due-heap.ts";
import type { Applied } from "../../../../src/core/effect.ts";
import { Service } from "../../../../src/core/service.ts";
import {
  CoreDriver,
  effectsOf,
  init,
  releases,
  signal,
  signalAndWait,
  wait,
  waitFor,
} from "../../../../src/testing/core-driver.ts";

const leave = (connection: number): Command => ({ kind: "leave", connection });
const of = { scope: "s", barrier: "b", barrierKind: "state" } as const;

function refusals(applied: Applied): readonly string[] {
  return effectsOf(applied, "refused").map(({ code, message }) => `${code}: ${message}`);
}

function values(applied: Applied): readonly number[] {
  return effectsOf(applied, "signalled").map(({ value }) => value);
}

describe("states", () => {
  it("a signal is answered with the new value, 1 for the first, by name and scope", () => {
    const core = new CoreDriver();
    const elsewhere = signal(4, { barrier: "other" });
    const applied = core.send("e", signal(1), signal(2), signal(3), elsewhere);
    expect(values(applied)).toEqual([1, 2, 3, 1]);
    expect(applied.addressed[0]?.effect).toEqual({
      kind: "signalled",
      ...{ scope: "s", barrier: "b", connection: 1, value: 1 },
    });
    expect(values(core.send("f", signal(1, { scope: "t" })))).toEqual([1]);
  });

  it("B1 a wait is released when the counter reaches its target, and not before", () => {
    const core = new CoreDriver();
    expect(releases(core.send("e", waitFor(1, 2), waitFor(2, 3)))).toEqual([]);
    expect(releases(core.send("e", signal(3)))).toEqual([]);
    expect(releases(core.send("e", signal(4)))).toEqual([[1, "crossed", 0]]);
    expect(releases(core.send("e", signal(5)))).toEqual([[2, "crossed", 0]]);
  });

  it("a target that is reached, 0, or negative, is no wait", () => {
    const core = new CoreDriver();
    const applied = core.send("e", waitFor(1, 0), waitFor(2, -7), signal(3), waitFor(4, 1));
    expect(releases(applied).map(([connection]) => connection)).toEqual([1, 2, 4]);
    expect(core.service.figures().waiters).toBe(0);
  });

  it("signal and wait is one command with two answers, and reaches its own target", () => {
    const core = new CoreDriver();
    core.send("e", signalAndWait(1, 2));
    const { addressed } = core.send("e", signalAndWait(2, 2));
    expect(addressed.map(({ effect }) => effect.kind)).toEqual(["signalled", "released"]);
    expect(addressed[1]?.effect).toMatchObject({ connections: [1, 2], part: 2 });
    expect(releases(core.send("e", signalAndWait(3, 2)))).toEqual([[3, "crossed", 0]]);
  });

  it("B2 a waiter gets one outcome, whatever comes afterwards", () => {
    const core = new CoreDriver();
    core.send("e", waitFor(1, 1, { timeoutUs: 1_000_000 }));
    expect(releases(core.send("e", signal(2)))).toHaveLength(1);
    const after = [core.send("e", signal(3)), core.send("e", leave(1)), core.pass(3_000_000)];
    const ended = core.send("e", { kind: "cancel-all", scope: "s", error: 1 });
    expect([...after, ended].flatMap(releases)).toEqual([]);
  });

  it("B3 waiters of one target are one effect for each edge, with the largest error", () => {
    const core = new CoreDriver();
    core.send("e", waitFor(1, 1, { error: 7 }), waitFor(2, 1), waitFor(3, 2, { error: 99 }));
    core.send("f", waitFor(1, 1, { error: 3 }));
    const { addressed } = core.send("e", signal(9));
    expect(addressed.map(({ edge, effect }) => [edge, effect])).toMatchObject([
      ["e", { kind: "signalled" }],
      ["e", { kind: "released", error: 7, connections: [1, 2] }],
      ["f", { kind: "released", error: 7, connections: [1] }],
    ]);
  });

  it("B4 who leaves waits no more; what it signalled stays", () => {
    const core = new CoreDriver();
    core.send("e", signalAndWait(1, 2), leave(1));
    expect(releases(core.send("e", signal(2)))).toEqual([]);
    core.send("f", signalAndWait(1, 9), waitFor(2, 9));
    expect(core.send("f", { kind: "end-edge" }).observed).toEqual([]);
    expect(core.service.describe("s").barriers).toMatchObject([
      { kind: "state", state: { value: 3, targets: [] }, arrived: 0 },
    ]);
  });

  it("B5 a counter outlives everybody, and does not start again within its scope", () => {
    const core = new CoreDriver();
    core.send("e", signal(1), { kind: "end-edge" });
    core.pass(3_600_000_000);
    core.send("f", { ...of, kind: "cancel", error: 0 }, { kind: "cancel-all", ...of, error: 0 });
    expect(values(core.send("f", signal(1)))).toEqual([2]);
    core.send("f", { kind: "close-scope", scope: "s", error: 0 });
    expect(values(core.send("f", signal(2)))).toEqual([1]);
  });

  it("B6 a batch that is repeated signals once", () => {
    const core = new CoreDriver();
    const batch = core.batch("e", [signal(1)]);
    expect(values(core.apply([batch]))).toEqual([1]);
    expect(values(core.apply([batch]))).toEqual([]);
    expect(values(core.send("e", signal(2)))).toEqual([2]);
  });

  it("B7 a state knows nothing of another scope, or of a count of its name", () => {
    const core = new CoreDriver();
    core.send("e", waitFor(1, 1), wait(2), init(3, 2));
    expect(releases(core.send("e", signal(4, { scope: "t" })))).toEqual([]);
    expect(releases(core.send("e", signal(5)))).toEqual([[1, "crossed", 0]]);
    expect(releases(core.send("e", wait(6)))).toHaveLength(3);
  });

  it("B8 a target that was reached, or left, leaves nothing behind", () => {
    const core = new CoreDriver();
    for (let value = 1; value <= 1000; value += 1) {
      core.send(
        "e",
        waitFor(1, value, { timeoutUs: 9 }),
        waitFor(2, value + 5),
        signal(3),
        leave(2),
      );
    }
    const { scopes, timers, edges } = core.service.snapshot();
    expect(scopes[0]?.states).toMatchObject([{ value: 1000, targets: [] }]);
    expect([timers.rows, edges.map(({ connections }) => connections)]).toEqual([[], [[]]]);
  });

  it("B9, B10 a deadline ends one wait, and says how many signals and which nodes it lacked", () => {
    const core = new CoreDriver();
    core.send("e", { kind: "open-scope", scope: "s", nodes: ["node0", "node1", "node2"] });
    const from = (node: string) => ({ who: { address: "a", node } });
    core.send("e", signal(1, from("node1")), waitFor(2, 4, { timeoutUs: 1_000_000 }));
    core.send("e", waitFor(3, 4), waitFor(4, 2, { timeoutUs: 1_000_000 }));
    const applied = core.pass(1_000_000);
    expect(effectsOf(applied, "released")).toMatchObject([
      { connections: [2], outcome: "timeout", part: 4 },
      { connections: [4], missing: ["1 anonymous, from one of node0, node2"] },
    ]);
    expect(effectsOf(applied, "released")[0]?.missing).toEqual([
      ...["anonymous, from node0", "anonymous, from node2", "1 more, anonymous"],
    ]);
    expect(releases(core.send("e", signal(5), signal(6), signal(7)))).toEqual([[3, "crossed", 0]]);
  });

  it("B10 warns once of each target that is waited for too long", () => {
    const core = new CoreDriver({ warnAfterUs: 2_000_000 });
    core.send("e", waitFor(1, 3), waitFor(2, 1));
    const kinds = core.pass(5_000_000).observed.map(({ kind }) => kind);
    expect(kinds).toEqual(["wait-warning", "wait-warning"]);
    core.send("e", signal(3));
    expect(core.service.nextDeadlineUs()).toBeUndefined();
  });

  it("tells the record of each target that was waited for, and events that wait for it", () => {
    const core = new CoreDriver();
    core.send("e", waitFor(1, 1, { who: { address: "a", name: "n" } }), waitFor(2, 2));
    expect(core.send("e", signal(3)).observed).toEqual([
      {
        kind: "barrier-closed",
        ...of,
        ...{ generation: 1, part: 1, outcome: "crossed", error: 0, expected: 1, closedUs: 0 },
        participants: [{ who: { address: "a", name: "n" }, arrivedUs: 0, left: false }],
        missing: [],
      },
    ]);
  });

  it("cancel ends the waits there are; fail those to come, too, and says why to each", () => {
    const core = new CoreDriver();
    core.send("e", waitFor(1, 5));
    const cancelled = core.send("e", { ...of, kind: "cancel", error: 4, connection: 2 });
    expect(releases(cancelled)).toEqual([[1, "cancelled", 4]]);
    expect(effectsOf(cancelled, "acknowledged")).toEqual([{ kind: "acknowledged", connection: 2 }]);
    core.send("e", waitFor(3, 5), signal(4));
    const why = { error: 6, reason: "node7 has crashed" };
    const failed = core.send("e", { ...of, kind: "fail", ...why });
    expect(effectsOf(failed, "released")).toMatchObject([{ outcome: "failed", ...why }]);
    const late = core.send("e", waitFor(5, 5), waitFor(6, 1), signalAndWait(7, 2));
    expect(effectsOf(late, "released")).toMatchObject([
      { connections: [5], outcome: "failed", ...why },
      { connections: [6], outcome: "crossed" },
      { connections: [7], outcome: "crossed" },
    ]);
    expect(releases(core.send("e", signalAndWait(8, 9)))).toEqual([[8, "failed", 6]]);
  });

  it("cancel and fail are refused, when they want to know, where no such state is", () => {
    const core = new CoreDriver();
    core.send("e", wait(1));
    const orders = [
      { ...of, kind: "cancel", error: 0, connection: 7 },
      { ...of, kind: "fail", error: 0, reason: "", connection: 8 },
    ] as const;
    expect(refusals(core.send("e", ...orders))).toEqual([
      "unknown: no state barrier b is open",
      "unknown: no state barrier b is open",
    ]);
    const silent = core.send("e", { ...of, kind: "cancel", error: 0 });
    expect(silent.addressed).toEqual([]);
  });

  it("a signal costs the same when ten thousand others wait, and when as many were satisfied", () => {
    const core = new CoreDriver();
    const commands = Array.from({ length: 10_000 }, (_, index) => waitFor(index, 1e9 + index));
    core.send("e", ...commands);
    core.send("e", ...commands.map((_, index) => signalAndWait(20_000 + index, index + 1)));
    // What is looked at is counted, not timed: the queue of timers once, that of targets once.
    const looks = vi.spyOn(DueHeap.prototype, "takeDue");
    const walks = vi.spyOn(Set.prototype, Symbol.iterator);
    const applied = core.send("e", signal(99_999));
    const counted = [looks.mock.calls.length, walks.mock.calls.length];
    vi.restoreAllMocks();
    expect(values(applied)).toEqual([10_001]);
    expect(counted).toEqual([2, 0]);
  });

  it("limits hold: targets are integers, waits of a state are bounded together", () => {
    const core = new CoreDriver({ waitersPerBarrierMax: 2, barriersPerScopeMax: 1 });
    expect(refusals(core.send("e", waitFor(1, 1.5)))[0]).toContain("the target must be an integer");
    core.send("e", waitFor(1, 5), waitFor(2, 6));
    expect(refusals(core.send("e", waitFor(3, 7)))[0]).toContain("limit waitersPerBarrierMax (2)");
    expect(values(core.send("e", signal(3)))).toEqual([1]);
    const other = core.send("e", signal(4, { barrier: "c" }), wait(5));
    expect(refusals(other)).toHaveLength(2);
    expect(refusals(other)[0]).toContain("limit barriersPerScopeMax (1)");
    core.send("e", leave(1));
    expect(refusals(core.send("e", waitFor(6, 7)))).toEqual([]);
  });

  it("togetherLeadUsMax holds, and those who go together do so at one instant", () => {
    const core = new CoreDriver({ togetherLeadUsMax: 300 });
    const arrive = (connection: number, leadUs?: number) =>
      core.send("e", {
        ...{ kind: "state-wait", scope: "s", barrier: "b", connection, target: 1, error: 0 },
        ...{ who: { address: "x" }, ...(leadUs === undefined ? {} : { leadUs }) },
      });
    expect(refusals(arrive(1, 301))[0]).toContain("limit togetherLeadUsMax (300)");
    expect(refusals(arrive(1, 0.5))[0]).toContain("lead");
    expect(refusals(arrive(1, -1))[0]).toContain("lead");
    expect([arrive(1, 100), arrive(2, 300), arrive(3, 200), arrive(4)].flatMap(refusals)).toEqual(
      [],
    );
    const { addressed } = core.send("e", {
      ...{ kind: "state-signal", scope: "s", barrier: "b", connection: 9 },
      who: { address: "x" },
    });
    const [released] = addressed.flatMap(({ effect }) =>
      effect.kind === "released" ? [effect] : [],
    );
    expect(released?.connections).toEqual([1, 2, 3, 4]);
    expect(released?.goUs).toBe(core.stampUs + 300);
    const { addressed: late } = arrive(5, 100);
    expect(late[0]?.effect).not.toHaveProperty("goUs");
  });

  it("reasonBytesMax holds for cancel and fail", () => {
    const core = new CoreDriver({ reasonBytesMax: 3 });
    core.send("e", waitFor(1, 1));
    const fail = (reason: string): Command => ({
      ...{ ...of, kind: "fail", error: 0, reason, connection: 9 },
    });
    expect(refusals(core.send("e", fail("abcd")))[0]).toContain("limit reasonBytesMax (3)");
    expect(releases(core.send("e", fail("abc")))).toEqual([[1, "failed", 0]]);
  });

  it("a snapshot goes on like the original, with its digest", () => {
    const core = new CoreDriver();
    core.send("e", signal(1), waitFor(2, 3, { timeoutUs: 5 }), waitFor(3, 2), leave(9));
    core.send("f", waitFor(1, 3, { error: 5 }), signalAndWait(2, 8));
    const copy = Service.restore(core.limits, JSON.parse(JSON.stringify(core.service.snapshot())));
    expect(copy.digest()).toBe(core.service.digest());
    const applied = core.send("f", signal(3));
    expect(releases(applied)).toHaveLength(2);
    const [entry] = core.entries.slice(-1);
    if (entry !== undefined) expect(copy.apply(entry)).toEqual(applied);
    expect(copy.digest()).toBe(core.service.digest());
  });
});

type Party = { readonly signals: boolean; readonly target?: number };

const parties: readonly Party[] = [
  { signals: true },
  ...[0, 1, 2, 3].map((target) => ({ signals: false, target })),
  ...[1, 2, 3].map((target) => ({ signals: true, target })),
];

it("B1, B2 and B4 hold in every order of four parties of eight kinds, with every leave", () => {
  let cases = 0;
  const choose = (chosen: readonly Party[]): void => {
    if (chosen.length === 4) {
      for (let leaver = -1; leaver < 16; leaver += 1) {
        cases += 1;
        tryOrder(chosen, leaver);
      }
      return;
    }
    for (const party of parties) choose([...chosen, party]);
  };
  choose([]);
  process.stdout.write(`state: ${cases} cases\n`);
  expect(cases).toBe(8 ** 4 * 17);
});

/** @param leaver which party leaves (low bits), and after which arrival (high bits); -1: none. */
function tryOrder(chosen: readonly Party[], leaver: number): void {
  const core = new CoreDriver();
  let value = 0;
  const waiting = new Map<number, number>();
  chosen.forEach(({ signals, target }, connection) => {
    const command =
      target === undefined
        ? signal(connection)
        : signals
          ? signalAndWait(connection, target)
          : waitFor(connection, target);
    if (signals) value += 1;
    if (target !== undefined) waiting.set(connection, target);
    const due = [...waiting].filter(([, wanted]) => wanted <= value).map(([who]) => who);
    for (const who of due) waiting.delete(who);
    const released = releases(core.send("e", command)).map(([who]) => who);
    expect([...released].sort()).toEqual(due.sort());
    if (leaver >= 0 && leaver >> 2 === connection) {
      expect(core.send("e", leave(leaver & 3)).addressed).toEqual([]);
      waiting.delete(leaver & 3);
    }
  });
}
