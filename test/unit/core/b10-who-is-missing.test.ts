// SPDX-License-Identifier: MIT
// B10: the answer of a timed-out or failed barrier names the missing participants that are known;
// a wait older than 10 s warns once with the same list. Catches: a list that is made after the
// party was taken back (its own wait counted among the missing), and a warning about nobody.
import { expect, it } from "vitest";
import type { Applied, WaitWarning } from "../../../src/core/effect.ts";
import { CoreDriver, effectsOf, init, initOnly, wait } from "../../../src/testing/core-driver.ts";

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
