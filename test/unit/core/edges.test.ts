// SPDX-License-Identifier: MIT
// E1 of an edge one incarnation lives, E2 batches count in their order, E3 an ended incarnation
// never comes back; leases (D5). Catches: an `accepts` without `ended`, a lease that is not cleared
// by the edge's return, a lease that runs in the time of a clock instead of the log.
import { describe, expect, it } from "vitest";
import { CoreDriver, effectsOf, init, releases, wait } from "../../../src/testing/core-driver.ts";

const detach = (edge: string, incarnation = 1) => ({ kind: "detach", edge, incarnation }) as const;
const living = (core: CoreDriver) =>
  core.service
    .livingEdges()
    .map(({ name, incarnation, attached }) => [name, incarnation, attached]);

describe("incarnations", () => {
  it("E1 a new incarnation ends the one before, whose parties leave and which is told so", () => {
    const core = new CoreDriver();
    core.send("e", wait(1));
    core.send("f", wait(1), init(2, 3));
    const { addressed } = core.apply([core.attachBatch("e", 2)]);
    expect(addressed).toEqual([{ edge: "e", incarnation: 1, effect: { kind: "revoked" } }]);
    expect(core.service.describe("s").barriers[0]).toMatchObject({ count: 2, arrived: 2 });
    expect(living(core)).toEqual([
      ["e", 2, true],
      ["f", 1, true],
    ]);
  });

  it("E2 an incarnation must begin with batch 1 and `attach`", () => {
    const core = new CoreDriver();
    core.apply([{ edge: "e", incarnation: 1, number: 2, commands: [{ kind: "attach" }] }]);
    core.apply([{ edge: "e", incarnation: 1, number: 1, commands: [wait(1)] }]);
    core.apply([{ edge: "e", incarnation: 1, number: 1, commands: [] }]);
    expect(living(core)).toEqual([]);
    expect(core.service.describe("s").barriers).toEqual([]);
  });

  it("E2 lastBatch() tells what counted, and 0 for an incarnation that does not live", () => {
    const core = new CoreDriver();
    core.send("e", wait(1));
    core.send("e", wait(2));
    expect(core.service.lastBatch("e", 1)).toBe(2);
    expect(core.service.lastBatch("e", 2)).toBe(0);
    core.send("e", { kind: "end-edge" });
    expect(core.service.lastBatch("e", 1)).toBe(0);
  });

  it("E3 an ended incarnation does not come back when its first batch is late", () => {
    const core = new CoreDriver();
    const first = core.attachBatch("e", 1, [wait(1)]);
    core.apply([first]);
    core.apply([core.attachBatch("e", 2)]);
    expect(core.apply([first]).addressed).toEqual([]);
    expect(living(core)).toEqual([["e", 2, true]]);
    core.send("e", { kind: "end-edge" });
    expect(core.apply([first]).addressed).toEqual([]);
    expect(living(core)).toEqual([]);
  });

  it("E3 what follows `end-edge` in its batch belongs to nobody", () => {
    const core = new CoreDriver();
    core.send("e", { kind: "end-edge" }, wait(1), { kind: "attach" });
    expect(core.service.describe("s").barriers).toEqual([]);
    expect(living(core)).toEqual([]);
  });
});

describe("leases", () => {
  it("D5 the parties of a lost edge stay counted for the lease, and leave at its end", () => {
    const core = new CoreDriver({ edgeLeaseUs: 3_000_000 });
    core.send("e", wait(1));
    core.send("f", init(1, 5));
    core.send("host", detach("e"));
    core.pass(2_999_999);
    expect(core.service.describe("s").barriers[0]).toMatchObject({ count: 4 });
    const { addressed } = core.tick(1);
    expect(addressed).toEqual([{ edge: "e", incarnation: 1, effect: { kind: "revoked" } }]);
    expect(core.service.describe("s").barriers[0]).toMatchObject({ count: 5 });
  });

  it("D5 a lost edge that comes back within its lease keeps its parties", () => {
    const core = new CoreDriver({ edgeLeaseUs: 3_000_000 });
    core.send("e", wait(1));
    core.send("host", detach("e"));
    core.pass(2_000_000);
    core.send("e", { kind: "attach" });
    expect(core.pass(60_000_000).addressed).toEqual([]);
    expect(releases(core.send("f", init(1, 1)))).toHaveLength(2);
  });

  it("D5 a party that is released while its edge is lost is told at its address", () => {
    const core = new CoreDriver();
    core.send("e", wait(1));
    core.send("host", detach("e"));
    const { addressed } = core.send("f", init(1, 1));
    expect(addressed[0]).toMatchObject({ edge: "e", incarnation: 1, effect: { connections: [1] } });
  });

  it("D5 a second loss does not prolong the lease, and late news of an old life does nothing", () => {
    const core = new CoreDriver({ edgeLeaseUs: 3_000_000 });
    core.send("e", wait(1));
    core.send("host", detach("e"));
    core.pass(2_000_000);
    core.send("host", detach("e"), detach("e", 7), detach("nobody"));
    expect(effectsOf(core.pass(1_000_000), "revoked")).toHaveLength(1);
    core.apply([core.attachBatch("e", 2)]);
    core.send("host", detach("e"));
    expect(effectsOf(core.pass(9_000_000), "revoked")).toHaveLength(0);
  });
});
