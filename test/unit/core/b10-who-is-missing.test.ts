// SPDX-License-Identifier: MIT
// B10: the answer of a timed-out or failed barrier names the missing participants that are known;
// a wait older than 10 s warns once with the same list. Catches: a list that is made after the
// party was taken back (its own wait counted among the missing), and a warning about nobody.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import type { Applied, BarrierKind, WaitWarning } from "../../../src/core/effect.ts";
import {
  CoreDriver,
  effectsOf,
  init,
  initOnly,
  quorumInit,
  quorumWait,
  rosterArrive,
  rosterOpen,
  wait,
  waitFor,
} from "../../../src/testing/core-driver.ts";

const from = (node: string, name?: string) => ({
  who: { address: "10.0.0.9:1/tcp", node, ...(name === undefined ? {} : { name }) },
});
const warnings = (applied: Applied): readonly WaitWarning[] =>
  applied.observed.filter((effect) => effect.kind === "wait-warning");

it("B10 a timed-out wait hears how many are missing and from which nodes nobody came", () => {
  const core = new CoreDriver();
  core.send("e", { kind: "open-scope", scope: "s", nodes: ["node0", "node1", "node2", "node3"] });
  core.send("e", init(1, 3, from("node0")), wait(2, { ...from("node2"), timeoutUs: 1_000_000 }));
  const [released] = effectsOf(core.pass(1_000_000), "released");
  expect(released?.missing).toEqual(["anonymous, from node1", "anonymous, from node3"]);
});

it("B10 a wait without an init hears that the init is missing", () => {
  const core = new CoreDriver();
  core.send("e", wait(1), wait(2, { timeoutUs: 1_000_000 }));
  const [released] = effectsOf(core.pass(1_000_000), "released");
  expect(released?.missing).toEqual(["somebody to open it for 2"]);
});

it("B10 a cancelled barrier is recorded with who is missing", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 2));
  const { observed } = core.send("e", { kind: "cancel-all", scope: "s", error: 240 });
  expect(observed).toMatchObject([
    { outcome: "cancelled", error: 240, missing: ["2 more, anonymous"] },
  ]);
});

it("B10 a wait of 10 s warns once, with who came and who did not", () => {
  const core = new CoreDriver();
  core.send("e", { kind: "open-scope", scope: "s", nodes: ["node0", "node1"] });
  core.send("e", init(1, 2, from("node0")), wait(2, from("node0", "worker")));
  expect(warnings(core.pass(9_999_999))).toEqual([]);
  expect(warnings(core.tick(1))).toEqual([
    {
      kind: "wait-warning",
      scope: "s",
      barrier: "b",
      waitedUs: 10_000_000,
      arrived: ["anonymous, from node0", "worker"],
      missing: ["anonymous, from node1"],
      presence: {
        nowUs: 10_000_000,
        arrived: [
          { name: "anonymous, from node0", sinceUs: 0 },
          { name: "worker", sinceUs: 0 },
        ],
        missing: [{ name: "anonymous, from node1", sinceUs: 0 }],
        dead: [],
      },
    },
  ]);
  expect(warnings(core.pass(60_000_000))).toEqual([]);
});

it("B10 a party that left warns nobody; the next oldest warns at its own 10 s", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 5));
  core.pass(4_000_000);
  core.send("e", wait(2), { kind: "leave", connection: 1 });
  expect(warnings(core.pass(6_000_000))).toEqual([]);
  expect(warnings(core.pass(4_000_000))).toMatchObject([
    { waitedUs: 10_000_000, arrived: ["anonymous, from 10.0.0.1:2/tcp"] },
  ]);
});

it("B10 a barrier that everybody left warns not, and warns when somebody comes again", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(9, 3), wait(1), { kind: "leave", connection: 1 });
  expect(core.service.nextDeadlineUs()).toBeUndefined();
  expect(warnings(core.pass(20_000_000))).toEqual([]);
  core.send("e", wait(2));
  expect(warnings(core.pass(10_000_000))).toHaveLength(1);
});

it("B10 lists of names are bounded, the rest is a number", () => {
  const core = new CoreDriver({ namesInReportMax: 2 });
  const nodes = ["n0", "n1", "n2", "n3"];
  core.send("e", { kind: "open-scope", scope: "s", nodes });
  core.send("e", init(1, 3), wait(2));
  const [warning] = warnings(core.pass(10_000_000));
  expect(warning?.missing).toEqual(["2 anonymous, from 2 of n0, n1 and 2 more"]);
  core.send("e", init(3, 1));
  const { waiting } = core.service.describe("s").barriers[0] ?? { waiting: [] };
  expect(waiting).toHaveLength(2);
});

it("B10 who is missing beyond the nodes that are known is a number", () => {
  const core = new CoreDriver();
  core.send("e", { kind: "open-scope", scope: "s", nodes: ["node0", "node1"] });
  core.send("e", init(1, 3, from("node0")));
  expect(core.service.describe("s").barriers[0]?.missing).toEqual([
    "anonymous, from node1",
    "2 more, anonymous",
  ]);
});

it("B10 a barrier that everybody gave up is recorded as it was before they left", () => {
  // Mutant: the standing is taken after the last party was removed (0 expected, nobody missing).
  const core = new CoreDriver();
  core.send("e", { kind: "open-scope", scope: "s", nodes: ["node0", "node1"] });
  core.send("e", init(1, 1, from("node0")));
  const left = core.send("e", { kind: "leave", connection: 1 });
  const standing = { outcome: "cancelled", expected: 2, missing: ["anonymous, from node1"] };
  expect(left.observed).toMatchObject([standing]);
  core.send("e", init(2, 1, from("node0")));
  expect(core.send("e", { kind: "end-edge" }).observed).toMatchObject([standing]);
});

describe("B10 who times out, or hears that it has failed, is told who was there and who was not", () => {
  const told = (applied: Applied) =>
    effectsOf(applied, "released").map(({ outcome, presence }) => ({ outcome, ...presence }));
  const node0 = { name: "anonymous, from node0", sinceUs: 1_000_000 };
  const node1 = { name: "anonymous, from node1", sinceUs: 0 };
  const worker = { name: "worker", sinceUs: 2_000_000 };
  const fail = (barrierKind: BarrierKind) =>
    ({ kind: "fail", scope: "s", barrier: "b", barrierKind, error: 1, reason: "enough" }) as const;

  function start(): CoreDriver {
    const core = new CoreDriver();
    core.send("e", { kind: "open-scope", scope: "s", nodes: ["node0", "node1"] });
    return core;
  }

  /** One comes a second after the opening, and one a second later. */
  function play(core: CoreDriver, arrive: (connection: number, who: object) => Command): void {
    core.tick(1_000_000);
    core.send("e", arrive(8, from("node0")));
    core.tick(1_000_000);
    core.send("e", arrive(9, { who: { address: "a", name: "worker" } }));
  }

  it("at a count", () => {
    const core = start();
    core.send("e", initOnly(1, 3));
    play(core, (connection, who) => wait(connection, { ...who, timeoutUs: 1_500_000 }));
    const missing = [node1];
    const late = { outcome: "timeout", nowUs: 2_500_000, missing, dead: [] };
    expect(told(core.tick(500_000))).toEqual([{ ...late, arrived: [node0, worker] }]);
    const failed = { outcome: "failed", nowUs: 2_500_000, arrived: [worker], dead: [] };
    // Who has gone is missing again.
    const gone = { name: "anonymous, from node0", sinceUs: 0 };
    expect(told(core.send("e", fail("count")))).toEqual([{ ...failed, missing: [gone, node1] }]);
  });

  it("at a state", () => {
    const core = start();
    core.send("e", waitFor(1, 2));
    play(core, (connection, who) => waitFor(connection, 2, who));
    const first = { name: "anonymous, from 10.0.0.1:1/tcp", sinceUs: 0 };
    const missing = [{ name: "anonymous, from node0", sinceUs: 0 }, node1];
    expect(told(core.send("e", fail("state")))).toEqual([
      { outcome: "failed", nowUs: 2_000_000, arrived: [first, node0, worker], missing, dead: [] },
    ]);
  });

  it("at a quorum, its driver too", () => {
    const core = start();
    core.send("e", { kind: "peer-register", scope: "s", connection: 1, peer: "node1" });
    core.send("e", quorumInit(2, { kind: "count", count: 3 }));
    play(core, (connection, who) => quorumWait(connection, who));
    const failed = core.send("e", fail("quorum"));
    const lists = { nowUs: 2_000_000, arrived: [node0, worker], missing: [node1], dead: [] };
    expect(told(failed)).toEqual([{ outcome: "failed", ...lists }]);
    expect(effectsOf(failed, "quorum-status")).toMatchObject([
      { status: "failed", missing: ["anonymous, from node1"], presence: lists },
    ]);
  });

  it("at a roster, by name, with who is dead and why", () => {
    const core = start();
    const members = [{ name: "worker" }, { name: "lost" }, { name: "late", group: "g" }];
    core.send("e", { ...rosterOpen(1, [], { whenDead: "wait" }), members });
    core.tick(2_000_000);
    core.send("e", rosterArrive(9, "worker"));
    core.send("e", { kind: "roster-dead", scope: "s", participant: "lost", reason: "no disk" });
    expect(told(core.send("e", fail("roster")))).toEqual([
      {
        ...{ outcome: "failed", nowUs: 2_000_000, arrived: [worker] },
        missing: [{ name: "late", group: "g", sinceUs: 0 }],
        dead: [{ name: "lost", sinceUs: 2_000_000, reason: "no disk" }],
      },
    ]);
  });
});
