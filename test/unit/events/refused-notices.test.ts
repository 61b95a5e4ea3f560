// SPDX-License-Identifier: MIT
// Goal: whoever floods a bus with what is not authentic fills no log. Method: notifications made
// with another key, to an agent under a clock moved by hand.
import { describe, expect, it } from "vitest";
import { formatOrder } from "../../../src/wire/event/orders.ts";
import { experiment, SchedulerWorld } from "./scheduler-world.ts";

describe("what nobody with the key has sent", () => {
  it("is told at once by an agent, and then counted", async () => {
    const world = new SchedulerWorld();
    await world.startAgent("n0", ["a"]);
    const wrong = world.credentials(new TextEncoder().encode("x".repeat(32)));
    const order = {
      ...{ fire: 1, token: 1, objtype: "PROGRAM", objname: "a", eventtype: "RUN", args: "" },
      due: { wallUs: 0, monotonic: { us: 0, clock: "machine" } },
      skipAfterUs: undefined,
    };
    const by = { experiment, sender: "192.0.2.1" };
    for (let sent = 0; sent < 1_000; sent += 1) {
      await world.bus.publish(wrong.sign(formatOrder(order, "*", by)));
    }
    await world.pass(0);
    expect(world.warnings).toEqual([
      "ignored a notification for a: not made with the key, or not lately",
    ]);
    await world.pass(10_000);
    expect(world.warnings.slice(1)).toEqual([
      "ignored 999 notifications, the last for a: not made with the key, or not lately",
    ]);
    await world.pass(30_000);
    expect(world.warnings).toHaveLength(2);
    expect(world.performed).toEqual([]);
  });
});
