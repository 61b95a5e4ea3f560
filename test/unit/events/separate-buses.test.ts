// SPDX-License-Identifier: MIT
// Goal: what users publish never appears on boss's bus, and what the testbed tells itself never on
// the users'. Method: every object type there is on both, with an ear on each.
import { describe, expect, it } from "vitest";
import { BossBus, bossObjects } from "../../../src/boss/boss-bus.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { OpsBus } from "../../../src/events/ops-bus.ts";
import { numbered } from "../../../src/testing/suites/bus-suite.ts";
import type { Bus } from "../../../src/wire/event/bus.ts";
import {
  objectTypes,
  testbedObjectTypes,
  unlistedObjectTypes,
} from "../../../src/wire/event/names.ts";

const memory = (): MemoryBus => new MemoryBus({ epoch: "e", limits: resolveBusLimits() });

async function refused(bus: Bus, objtype: string): Promise<boolean> {
  for (const scheduler of [0, 1] as const) {
    const code = await bus.publish(numbered(1, { objtype, scheduler })).then(
      () => "none",
      (error: { code: string }) => error.code,
    );
    if (code === "none") return false;
    expect(code).toBe("refused");
  }
  return true;
}

describe("the two buses", () => {
  it.each([...new Set([...objectTypes, ...unlistedObjectTypes, ...testbedObjectTypes])])(
    "%s is refused on one of them at least, whether scheduled or not",
    async (objtype) => {
      const [ops, boss] = [new OpsBus(memory()), new BossBus(memory())];
      expect(await refused(ops, objtype)).toBe(testbedObjectTypes.includes(objtype));
      const isBoss = Object.values<string>(bossObjects).includes(objtype);
      expect(await refused(boss, objtype)).toBe(!isBoss);
    },
  );

  it("what boss's bus takes, the users' refuses", () => {
    expect(testbedObjectTypes).toEqual(expect.arrayContaining(Object.values(bossObjects)));
  });

  it("an event of no type is a user's", async () => {
    const [ops, boss] = [new OpsBus(memory()), new BossBus(memory())];
    expect((await ops.publish(numbered(1))).place.position).toBe(1);
    await expect(boss.publish(numbered(1))).rejects.toMatchObject({ code: "refused" });
  });
});
