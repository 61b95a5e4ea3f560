// SPDX-License-Identifier: MIT
// Goal: an agent obeys each order once, at its instant and in order, skips what must not be late,
// and answers truly whatever comes twice or in the wrong order. Method: orders put on the bus by
// hand, under a clock moved by hand.
import { beforeEach, describe, expect, it } from "vitest";
import { OwnNotifications } from "../../../src/client/own-notifications.ts";
import { watchLateness } from "../../../src/events/bus-lateness.ts";
import { eventsTime } from "../../../src/events/events-limits.ts";
import { type Bus, BusError } from "../../../src/wire/event/bus.ts";
import {
  attributeNames,
  getInt32,
  getText,
  type Notification,
} from "../../../src/wire/event/notification.ts";
import {
  formatOrder,
  formatRevoke,
  type Order,
  orderAttributes,
  parseReport,
} from "../../../src/wire/event/orders.ts";
import { experiment, SchedulerWorld } from "./scheduler-world.ts";

let world: SchedulerWorld;
const by = { experiment, sender: "192.0.2.1" };

beforeEach(async () => {
  world = new SchedulerWorld();
  await world.watch();
  await world.startAgent("n0", ["a", "b", "c"]);
});

function orderOf(fire: number, objname: string, inMs: number, part: Partial<Order> = {}): Order {
  const us = world.clock.nowUs() + inMs * 1_000;
  return {
    ...{ fire, token: fire, objtype: "PROGRAM", objname, eventtype: "RUN", args: "" },
    due: { wallUs: 0, monotonic: { us, clock: "machine" } },
    skipAfterUs: undefined,
    ...part,
  };
}

async function send(notification: Notification): Promise<void> {
  await world.bus.publish(world.credentials().sign(notification));
  await world.pass(0);
}

const give = (order: Order): Promise<void> => send(formatOrder(order, "*", by));
const takeBack = (order: Order): Promise<void> => send(formatRevoke(order, "*", by));

/** What the agent reported of this type, as `OBJNAME OUTCOME`. */
const reports = (type: string): readonly string[] =>
  world.said
    .filter((one) => getText(one, attributeNames.eventtype) === type)
    .map((one) => {
      const outcome = getText(one, orderAttributes.outcome) ?? "";
      return `${getText(one, attributeNames.objname)} ${outcome}`.trim();
    });

/** What FIRED says of the end. */
const errors = (): readonly (number | undefined)[] =>
  world.said
    .filter((one) => getText(one, attributeNames.eventtype) === "FIRED")
    .map((one) => getInt32(one, orderAttributes.error));

describe("BusAgent", () => {
  it("A2 fires at the instant, never before, and equal instants in the order they came", async () => {
    await give(orderOf(2, "b", 300));
    await give(orderOf(1, "a", 300));
    await give(orderOf(3, "c", 290));
    await world.pass(280);
    expect(world.performed).toEqual([]);
    await world.pass(100);
    expect(world.performed.map(({ objname }) => objname)).toEqual(["c", "b", "a"]);
    const instants = world.performed.map(({ atUs, due }) => atUs - (due.monotonic?.us ?? 0));
    for (const lateUs of instants) expect(lateUs).toBeGreaterThanOrEqual(0);
  });

  it("says nothing more once it is closed, also when it was about to serve more objects", async () => {
    const agent = await world.startAgent("n1", ["d"]);
    const serving = agent.serve(["e"]);
    await Promise.all([serving, agent.close()]);
    await world.pass(0);
    const signs = (): readonly boolean[] =>
      world.said.flatMap((one) => {
        const report = parseReport(one);
        const isOurs = report?.kind === "alive" && report.alive.agent === "n1";
        return isOurs ? [report.alive.isGoing] : [];
      });
    expect(signs()).toEqual([false, true]);
    await world.pass(3 * eventsTime.aliveMs);
    expect(signs()).toEqual([false, true]);
  });

  it("says with FIRED when it was planned, so that who watches knows how late it was", async () => {
    const late: number[] = [];
    const stop = await watchLateness({
      ...{ bus: world.bus, clock: world.clock, onWarning: (text) => world.warnings.push(text) },
      onLateness: (us) => late.push(us),
    });
    await give(orderOf(1, "a", 300));
    await give(orderOf(2, "b", -25));
    await world.pass(400);
    stop();
    await give(orderOf(3, "c", 0));
    expect([late, world.warnings]).toEqual([[25_000, 0], []]);
  });

  it("is heard by who watches also when the bus could not be heard at first", async () => {
    const late: number[] = [];
    let refusals = 2;
    const bus: Bus = {
      publish: (notification) => world.bus.publish(notification),
      subscribe: (subscription, subscriber) => {
        refusals -= 1;
        if (refusals < 0) return world.bus.subscribe(subscription, subscriber);
        return Promise.reject(new BusError("unavailable", "no leader"));
      },
    };
    const stop = await watchLateness({
      ...{ bus, clock: world.clock, onWarning: (text) => world.warnings.push(text) },
      onLateness: (us) => late.push(us),
    });
    expect(world.warnings).toEqual([expect.stringContaining("no leader; trying again")]);
    await world.pass(2 * eventsTime.resubscribeMs);
    await give(orderOf(1, "a", -25));
    await world.pass(0);
    stop();
    expect([late, world.warnings.length]).toEqual([[25_000], 2]);
  });

  it("A1 performs an order once that comes again, and repeats what it reported", async () => {
    const order = orderOf(1, "a", 100);
    await give(order);
    await give(order);
    await world.pass(200);
    expect(world.performed).toHaveLength(1);
    world.end("a", 3);
    await world.pass(10);
    await give(order);
    await world.pass(10);
    expect(world.performed).toHaveLength(1);
    expect(reports("FIRED")).toEqual(["a done", "a done"]);
    expect(reports("COMPLETE")).toEqual(["a"]);
    expect(errors()).toEqual([undefined, 3]);
  });

  it("A4 says in one that it has fired and is over, and why it failed", async () => {
    await world.startAgent("n1", ["d", "e"], {
      perform: async ({ objname }) => ({
        ...{ firedMonotonicUs: world.clock.nowUs(), outcome: "done" },
        done: objname === "d" ? Promise.resolve(0) : Promise.resolve({ error: 4, text: "no rope" }),
      }),
    });
    await give(orderOf(1, "d", 0));
    await give(orderOf(2, "e", 0));
    await world.pass(10);
    expect([reports("FIRED"), errors(), reports("COMPLETE")]).toEqual([
      ["d done", "e done"],
      [0, 4],
      [],
    ]);
    expect(world.said.flatMap((one) => getText(one, orderAttributes.why) ?? [])).toEqual([
      "no rope",
    ]);
    // An old scheduler, which names no clock, knows COMPLETE only.
    const due = { wallUs: 0, monotonic: undefined };
    await give(orderOf(3, "d", 0, { due }));
    await world.pass(10);
    expect([errors().at(-1), reports("COMPLETE")]).toEqual([undefined, ["d"]]);
  });

  it("A1 takes the same number for another object as another order", async () => {
    await give(orderOf(1, "a", 0));
    await give(orderOf(1, "b", 0));
    await world.pass(10);
    expect(world.performed.map(({ objname }) => objname)).toEqual(["a", "b"]);
  });

  it("skips what is later than it may be, and completes nothing then", async () => {
    await give(orderOf(1, "a", -200, { skipAfterUs: 100_000 }));
    await give(orderOf(2, "b", -50, { skipAfterUs: 100_000 }));
    await give(orderOf(3, "c", -900));
    await world.pass(10);
    expect(world.performed.map(({ objname }) => objname).sort()).toEqual(["b", "c"]);
    expect(reports("FIRED")).toContain("a skipped");
    expect(reports("COMPLETE")).toEqual([]);
  });

  it("A3 says `revoked` before it fired, `fired` after, and the same when asked again", async () => {
    const [first, second] = [orderOf(1, "a", 500), orderOf(2, "b", 100)];
    await give(first);
    await give(second);
    await world.pass(200);
    for (const order of [first, first, second, second]) await takeBack(order);
    await world.pass(1_000);
    expect(reports("REVOKED")).toEqual(["a revoked", "a revoked", "b fired", "b fired"]);
    expect(world.performed.map(({ objname }) => objname)).toEqual(["b"]);
  });

  it("A3 does not perform what comes behind its own revoke, and says so again", async () => {
    const order = orderOf(1, "a", 100);
    await takeBack(order);
    await give(order);
    await world.pass(500);
    expect(reports("REVOKED")).toEqual(["a revoked", "a revoked"]);
    expect(world.performed).toEqual([]);
  });

  it("believes by identity who shares its process, and no copy of that", () => {
    const own = new OwnNotifications();
    const [here, there] = [world.credentials(undefined, own), world.credentials(undefined, own)];
    const signed = here.sign(formatOrder(orderOf(1, "a", 0), "*", by));
    expect([there.verify(signed), there.verify(signed)]).toEqual([true, true]);
    const copy = { attributes: signed.attributes };
    expect([there.verify(copy), world.credentials().verify(signed)]).toEqual([false, false]);
  });

  it("authenticates for others what it said to who shares its process, once and as of then", () => {
    const own = new OwnNotifications();
    const here = world.credentials(undefined, own);
    const [early, late] = [1, 2].map((fire) =>
      here.sign(formatOrder(orderOf(fire, "a", 0), "*", by)),
    );
    if (early === undefined || late === undefined) throw new Error("two were signed");
    const [other, another] = [world.credentials(), world.credentials()];
    expect(other.verify(own.sealed(early))).toBe(true);
    // Whoever it leaves to, and however often: a repeat is known as one.
    expect([other.verify(own.sealed(early)), another.verify(own.sealed(early))]).toEqual([
      ...[false, true],
    ]);
    world.clock.advanceTo(world.clock.nowUs() + 61_000_000);
    expect(another.verify(own.sealed(late))).toBe(false);
    const foreign = other.sign(formatOrder(orderOf(3, "a", 0), "*", by));
    expect(own.sealed(foreign)).toBe(foreign);
  });

  it("believes nobody without the key, and nothing twice", async () => {
    const signed = world.credentials().sign(formatOrder(orderOf(1, "a", 0), "*", by));
    await world.bus.publish(signed);
    await world.bus.publish(signed);
    const stranger = world.credentials(new TextEncoder().encode("another"));
    await world.bus.publish(stranger.sign(formatOrder(orderOf(2, "b", 0), "*", by)));
    await world.pass(10);
    expect(world.performed.map(({ objname }) => objname)).toEqual(["a"]);
    await world.pass(10_000);
    expect(world.warnings).toHaveLength(2);
  });
});
