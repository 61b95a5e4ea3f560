// SPDX-License-Identifier: MIT
// Every bus that works in one process under one suite (src/testing/suites/bus-suite.ts), and what
// is the memory bus's own: its index against `matches`, its ring and queues at their limits.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BusLimits } from "../../../src/engine/bus-limits.ts";
import { defaultBusLimits, resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { NotificationRing } from "../../../src/engine/notification-ring.ts";
import type { IndexHandle } from "../../../src/engine/subscription-index.ts";
import { SubscriptionIndex } from "../../../src/engine/subscription-index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import type { BusBench, BusSuiteLimits } from "../../../src/testing/suites/bus-suite.ts";
import { declareBusSuite, numbered } from "../../../src/testing/suites/bus-suite.ts";
import type { Subscriber } from "../../../src/wire/event/bus.ts";
import { notificationBytesMax } from "../../../src/wire/event/limits.ts";
import type { Filter } from "../../../src/wire/event/subscription.ts";
import { matches, parseFilter } from "../../../src/wire/event/subscription.ts";
import { addressedNotification, anySubscription } from "../wire/event-arbitrary.ts";

const turn = (): Promise<void> => new Promise((resolve) => systemClock.endOfTurn(resolve));
const deaf: Subscriber = {
  onNotifications: () => undefined,
  onGap: () => undefined,
  onEnd: () => undefined,
};
const busOf = (limits: Partial<BusLimits> = {}, epoch = "e1"): MemoryBus =>
  new MemoryBus({ epoch, limits: resolveBusLimits(limits) });

async function memory(limits: BusSuiteLimits): Promise<BusBench> {
  const bench = {
    bus: busOf(limits),
    turn,
    restart: async () => {
      bench.bus = busOf(limits, "e2");
    },
    cut: () => undefined,
    dispose: async () => bench.bus.close(),
  };
  return bench;
}

describe("MemoryBus", () => {
  declareBusSuite(
    { create: memory, hasConnections: false },
    {
      it: (title, run) => {
        it(title, run);
      },
      equal: (actual, expected) => {
        expect(actual).toEqual(expected);
      },
    },
  );

  it("close() ends every subscription and refuses what comes then", async () => {
    const bus = busOf();
    const ends: string[] = [];
    await bus.subscribe(
      { address: undefined, slow: "end" },
      { ...deaf, onEnd: (reason) => ends.push(reason) },
    );
    bus.close();
    await turn();
    expect(ends).toEqual([expect.stringContaining("closing")]);
    const gone = { code: "unavailable" };
    await expect(bus.publish(numbered(1))).rejects.toMatchObject(gone);
    await expect(bus.subscribe({ address: undefined, slow: "end" }, deaf)).rejects.toMatchObject(
      gone,
    );
  });

  it("takes as many subscriptions as the limit and not one more", async () => {
    const bus = busOf({ subscriptionsMax: 2 });
    const subscribe = () => bus.subscribe({ address: undefined, slow: "end" }, deaf);
    const first = await subscribe();
    await subscribe();
    await expect(subscribe()).rejects.toMatchObject({ code: "refused" });
    first.close();
    await subscribe();
  });

  it.each([
    ["notifications", { queueNotificationsMax: 3 }, 3],
    [
      "bytes",
      { queueBytesMax: notificationBytesMax + 1, ringBytesMax: 64 * 1024 * 1024 },
      undefined,
    ],
  ] as const)("queues %s up to the limit and drops at one more", async (_, limits, count) => {
    const bus = busOf(limits);
    const gaps: number[] = [];
    let isBlocked = true;
    let unblock: () => void = () => undefined;
    const blocked = new Promise<void>((resolve) => {
      unblock = resolve;
    });
    let got = 0;
    const subscriber: Subscriber = {
      ...deaf,
      onNotifications: (notifications) => {
        got += notifications.length;
        return isBlocked ? blocked : undefined;
      },
      onGap: (lost) => gaps.push(lost),
    };
    await bus.subscribe({ address: undefined, slow: "drop-oldest" }, subscriber);
    const big = {
      attributes: [
        {
          name: "a",
          value: { kind: "opaque", value: new Uint8Array(notificationBytesMax / 2 - 1) },
        },
      ],
    } as const;
    const publish = (): Promise<unknown> => bus.publish(count === undefined ? big : numbered(1));
    await publish();
    await turn();
    const fitting = count ?? 2;
    for (let number = 0; number < fitting; number += 1) await publish();
    // One more than fits.
    await publish();
    isBlocked = false;
    unblock();
    await turn();
    expect(gaps).toEqual([1]);
    expect(got).toBe(1 + fitting);
  });

  it("delivers as much in one call as the limits, and one that is larger alone", async () => {
    const sizes: number[] = [];
    const bytes = (size: number) =>
      ({
        attributes: [{ name: "a", value: { kind: "opaque", value: new Uint8Array(size - 1) } }],
      }) as const;
    const counting: Subscriber = { ...deaf, onNotifications: (all) => void sizes.push(all.length) };
    const bus = busOf({ deliveryNotificationsMax: 3, deliveryBytesMax: 100 });
    const everything = { address: undefined, slow: "end" } as const;
    await bus.subscribe(everything, counting);
    const publish = (...all: readonly number[]) =>
      Promise.all(all.map((size) => bus.publish(bytes(size))));
    await publish(2, 2, 2, 2);
    await turn();
    expect(sizes.splice(0)).toEqual([3, 1]);
    await publish(50, 50, 50, 51, 101, 1);
    await turn();
    expect(sizes.splice(0)).toEqual([2, 1, 1, 1, 1]);
    // The same from the ring.
    await bus.subscribe({ ...everything, after: { epoch: "e1", position: 0 } }, counting);
    await turn();
    expect(sizes).toEqual([3, 2, 2, 1, 1, 1]);
  });

  it("ends who reads the ring so slowly that it is overtaken, as it asked for", async () => {
    const bus = busOf({
      ringNotificationsMax: 8,
      queueNotificationsMax: 8,
      deliveryNotificationsMax: 2,
    });
    for (let number = 1; number <= 8; number += 1) await bus.publish(numbered(number));
    const seen: string[] = [];
    const unblocks: (() => void)[] = [];
    const subscriber = (name: string): Subscriber => ({
      onNotifications: (notifications) => {
        seen.push(...notifications.map(({ position }) => `${name} ${position}`));
        return new Promise((resolve) => unblocks.push(resolve));
      },
      onGap: (lost) => seen.push(`${name} gap ${lost}`),
      onEnd: (_, place) => seen.push(`${name} end ${place.position}`),
    });
    const after = { epoch: "e1", position: 0 };
    await bus.subscribe({ address: undefined, slow: "end", after }, subscriber("A"));
    await bus.subscribe({ address: undefined, slow: "drop-oldest", after }, subscriber("B"));
    await turn();
    for (let number = 9; number <= 12; number += 1) await bus.publish(numbered(number));
    for (const unblock of unblocks.splice(0)) unblock();
    await turn();
    expect(seen).toEqual(["A 1", "A 2", "B 1", "B 2", "B gap -1", "B 5", "B 6", "A end 2"]);
  });
});

function filterOf(address: Parameters<typeof parseFilter>[0]): Filter {
  const parsed = parseFilter(address);
  if (parsed.kind === "refused") throw new Error(parsed.message);
  return parsed.filter;
}

describe("SubscriptionIndex", () => {
  it("X1 X2 finds what matches() says, each once, after any removals", () => {
    const step = fc.record({ address: anySubscription, removes: fc.nat(3) });
    let found = 0;
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 12 }),
        fc.array(addressedNotification),
        (steps, all) => {
          const index = new SubscriptionIndex<Filter>();
          const held: { filter: Filter; handle: IndexHandle }[] = [];
          for (const { address, removes } of steps) {
            const filter = filterOf(address);
            held.push({ filter: { ...filter }, handle: { remove: () => undefined } });
            const last = held.at(-1)!;
            last.handle = index.add(filter, last.filter);
            if (removes === 0) held.shift()?.handle.remove();
          }
          for (const notification of all) {
            const hits: Filter[] = [];
            index.find(notification, (filter) => hits.push(filter));
            const expected = held
              .map(({ filter }) => filter)
              .filter((f) => matches(f, notification));
            expect(new Set(hits)).toEqual(new Set(expected));
            expect(hits).toHaveLength(expected.length);
            found += hits.length;
          }
        },
      ),
    );
    expect(found).toBeGreaterThan(100);
  });

  it("keeps out of its keys lists that would make too many", () => {
    const index = new SubscriptionIndex<string>();
    const list = (letter: string): string =>
      Array.from({ length: 40 }, (_, n) => letter + n).join();
    index.add(filterOf({ objname: list("o"), eventtype: list("e"), scheduler: 0 }), "many");
    const find = (objname: string, eventtype: string): readonly string[] => {
      const hits: string[] = [];
      index.find(numbered(1, { objname, eventtype }), (item) => hits.push(item));
      return hits;
    };
    expect([find("o39", "e0"), find("o40", "e0"), find("o0", "e40")]).toEqual([["many"], [], []]);
  });
});

describe("NotificationRing", () => {
  it("R1 R2 holds the last ones within both limits", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 10 }), { maxLength: 50 }), (sizes) => {
        const ring = new NotificationRing({ ringNotificationsMax: 5, ringBytesMax: 20 });
        for (const [index, bytes] of sizes.entries()) {
          ring.push(numbered(index), bytes);
          const held = Array.from({ length: ring.head - ring.first + 1 }, (_, at) =>
            ring.at(ring.first + at),
          );
          const sum = held.reduce((total, item) => total + item.bytes, 0);
          expect(ring.head).toBe(index + 1);
          expect(held.length <= 5 && sum <= 20).toBe(true);
          // One more would not fit.
          const before = sizes[ring.first - 2] ?? 0;
          expect(held.length === 5 || sum + before > 20 || ring.first === 1).toBe(true);
          expect(() => ring.at(ring.first - 1)).toThrow();
        }
      }),
    );
  });
});

describe("resolveBusLimits()", () => {
  it("refuses limits that do not fit together", () => {
    expect(resolveBusLimits()).toEqual(defaultBusLimits);
    const wrong: readonly Partial<BusLimits>[] = [
      { subscriptionsMax: 0 },
      { ringNotificationsMax: 10, queueNotificationsMax: 11 },
      { queueBytesMax: notificationBytesMax - 1 },
      { ringBytesMax: defaultBusLimits.queueBytesMax - 1 },
    ];
    for (const limits of wrong) expect(() => resolveBusLimits(limits)).toThrow();
  });
});
