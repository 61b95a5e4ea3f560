// SPDX-License-Identifier: MIT
// Goal: the link agent makes one change of what is due at one instant, hands it over in time, fails
// only what is refused, and tells the truth about what was taken back (A1, A2). Method: the shipped
// agent and table under virtual time; a back end that notes what it is told.
import { describe, expect, it } from "vitest";
import type { AgendaEvent } from "../../../src/core/agenda/commands.ts";
import { LinkTable } from "../../../src/network/link-table.ts";
import { type LinkChange, type ShapedLink, unshaped } from "../../../src/network/model.ts";
import type { ShapedLinks } from "../../../src/network/shaped-links.ts";
import { LinkAgent } from "../../../src/testbed/agents/link-agent.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const links: readonly ShapedLink[] = [
  { name: "l0", kind: "link", members: ["a", "b"].map((node) => ({ node, up: unshaped })) },
  {
    name: "lan0",
    kind: "lan",
    members: ["a", "b", "c"].map((node) => ({ node, up: unshaped, down: unshaped })),
  },
];

interface Told {
  readonly changes: readonly LinkChange[];
  readonly atUs: number;
  readonly toldUs: number;
}

function make(problem?: string) {
  const clock = new VirtualClock();
  const judged = { shapes: 0 };
  const table = new LinkTable({
    backend: "test",
    get bandwidthBpsMax() {
      judged.shapes += 1;
      return 1e9;
    },
    inFlightBytesMax: 1e9,
  });
  expect(table.add(links)).toEqual([]);
  const told: Told[] = [];
  const prepared: string[] = [];
  const faster = { times: 0 };
  const shaped: ShapedLinks = {
    kind: "delay-node",
    table,
    failed: new Promise(() => undefined),
    attach: async () => undefined,
    detach: async () => undefined,
    refusalToMake: () => undefined,
    set: async () => undefined,
    stop: async () => undefined,
    lostByMachine: async () => 0,
    trouble: () => [],
    refusal: () => undefined,
    counts: async () => [],
    health: undefined,
    prepare: (changes) => void prepared.push(...changes.map(({ link }) => link)),
    async setAt(changes, atUs) {
      if (problem !== undefined) throw new Error(problem);
      const planned = table.plan(changes);
      if ("problem" in planned) throw new Error(planned.problem);
      table.commit(planned);
      told.push({ changes, atUs, toldUs: clock.nowUs() });
      return Math.max(atUs, clock.nowUs());
    },
  };
  const onFaster = (): void => {
    faster.times += 1;
  };
  const agent = new LinkAgent({ links: shaped, clock, onFaster });
  return { agent, clock, told, prepared, table, faster, judged };
}

const event = (object: string, name: string, args = ""): AgendaEvent => ({
  id: 0,
  object,
  type: "LINK",
  event: name,
  args,
});

const names = (told: readonly Told[]): readonly (readonly string[])[] =>
  told.map(({ changes }) => changes.map(({ link, what }) => `${link} ${what.kind}`));

describe("LinkAgent", () => {
  it("makes one change of what is due at one instant, told ahead, in the order given (A1)", async () => {
    const { agent, clock, told, prepared } = make();
    const dueUs = clock.nowUs() + 400_000;
    const orders = [
      agent.arm(event("l0", "DOWN"), { dueUs }),
      agent.arm(event("lan0-b", "MODIFY", "DELAY=5"), { dueUs }),
      agent.arm(event("l0", "UP"), { dueUs: dueUs + 1 }),
    ];
    // As soon as it is known, so that it can be done at its instant.
    expect(prepared).toEqual(["l0", "lan0", "l0"]);
    await clock.pass(390_000);
    expect(told).toEqual([]);
    await clock.pass(20_000);
    expect(names(told)).toEqual([["l0 down", "lan0 modify"], ["l0 up"]]);
    expect(told.map(({ atUs }) => atUs)).toEqual([dueUs, dueUs + 1]);
    expect(told[0]?.toldUs).toBe(dueUs - 5_000);
    for (const [index, order] of orders.entries()) {
      const performed = await order?.performed;
      expect(performed).toMatchObject({
        outcome: "done",
        firedMonotonicUs: told[index === 2 ? 1 : 0]?.atUs,
      });
      expect(await performed?.done).toBe(0);
    }
  });

  it.each([500, 1_000])("looks at each of %d that are late together as often", async (count) => {
    const { agent, clock, told, judged } = make();
    const before = judged.shapes;
    const late = Array.from({ length: count }, (_, index) =>
      agent.perform(event("l0", "MODIFY", `BANDWIDTH=${1_000 + index}`), {}),
    );
    await clock.pass(1_000);
    await Promise.all(late);
    expect(told.map(({ changes }) => changes.length)).toEqual([count]);
    // Both ways, when it is accepted and when it is done.
    expect((judged.shapes - before) / count).toBe(4);
  });

  it("fails what is refused, alone, and builds on what came before it (A1)", async () => {
    const { agent, clock, told, table } = make();
    const dueUs = clock.nowUs() + 100_000;
    const orders = ["DELAY=5", "JITTER=9", "JITTER=3"].map((args) =>
      agent.arm(event("l0", "MODIFY", args), { dueUs }),
    );
    await clock.pass(100_000);
    const outcomes = await Promise.all(
      orders.map(async (order) => (await order?.performed)?.outcome),
    );
    expect(outcomes).toEqual([
      "done",
      "failed: link l0: jitter 9 ms is more than the delay, 5 ms",
      "done",
    ]);
    expect(told).toHaveLength(1);
    const { shape } = table.state({ link: "l0", member: 0, way: "up" }) ?? {};
    expect([shape?.delayUs, shape?.jitterUs]).toEqual([5_000, 3_000]);
  });

  it("takes back what is not handed over, and says so of what is (A2)", async () => {
    const { agent, clock, told } = make();
    const dueUs = clock.nowUs() + 100_000;
    const [first, second] = [
      agent.arm(event("l0", "DOWN"), { dueUs }),
      agent.arm(event("lan0", "DOWN"), { dueUs }),
    ];
    expect(first?.takeBack()).toBe("revoked");
    expect(await first?.performed).toBeUndefined();
    await clock.pass(96_000);
    expect(names(told)).toEqual([["lan0 down"]]);
    expect(second?.takeBack()).toBe("already fired");
    expect(first?.takeBack()).toBe("revoked");
    expect(second?.takeBack()).toBe("already fired");
  });

  it("does at once what is for now, all that comes in one turn as one change", async () => {
    const { agent, clock, told } = make();
    const all = ["a", "b", "c"].map((node) => agent.perform(event(`lan0-${node}`, "DOWN"), {}));
    await clock.settle();
    expect(names(told)).toEqual([["lan0 down", "lan0 down", "lan0 down"]]);
    for (const one of all) expect((await one).outcome).toBe("done");
  });

  it("refuses what it does not understand, with -1, and ignores what no link is called", async () => {
    const { agent } = make();
    const wrong = await agent.perform(event("l0", "MODIFY", "DELAY=soon"), {});
    expect(wrong.outcome).toBe("failed: DELAY is a number, not 'soon'");
    expect(await wrong.done).toBe(-1);
    expect((await agent.perform(event("l7", "DOWN"), {})).outcome).toBe(
      "ignored: there is no link l7",
    );
    expect(agent.arm(event("l7", "DOWN"), { dueUs: 1e9 })).toBeUndefined();
  });

  it("fails with the words of a back end that has failed", async () => {
    const { agent, clock } = make("the delay node has ended");
    const performed = agent.perform(event("l0", "DOWN"), {});
    await clock.settle();
    expect((await performed).outcome).toBe("failed: the delay node has ended");
    expect(await (await performed).done).toBe(-1);
  });

  it("says that links may be faster when one has become so, and of no other change", async () => {
    const { agent, clock, faster } = make();
    const perform = async (name: string, args = ""): Promise<number> => {
      const performed = agent.perform(event("l0", name, args), { delivered: "once" } as never);
      await clock.pass(20_000);
      await performed;
      return faster.times;
    };
    expect(await perform("MODIFY", "DELAY=5")).toBe(0);
    expect(await perform("MODIFY", "BANDWIDTH=9000000")).toBe(0); // Refused.
    expect(await perform("MODIFY", "BANDWIDTH=900000")).toBe(1);
    expect(await perform("DOWN")).toBe(1);
    expect(await perform("RESET")).toBe(2);
  });
});
