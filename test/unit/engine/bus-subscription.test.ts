// SPDX-License-Identifier: MIT
// Goal: who is ended comes back for everything that it has not had. Method: one subscription, and
// a subscriber that takes its time.
import { expect, it } from "vitest";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { BusSubscription } from "../../../src/engine/bus-subscription.ts";
import { numbered } from "../../../src/testing/suites/bus-suite.ts";
import type { BusPlace } from "../../../src/wire/event/bus.ts";

it("is ended before what is queued when something comes too late for its order", async () => {
  const had: number[] = [];
  const ended = Promise.withResolvers<BusPlace>();
  const taken = Promise.withResolvers<void>();
  const subscription = new BusSubscription({
    ...{ epoch: "e", slow: "end", limits: resolveBusLimits({}), begin: 0, head: () => 0 },
    ...{ replay: undefined, hasGap: false, onClosed: () => undefined },
    subscriber: {
      onNotifications: (placed) => {
        had.push(...placed.map(({ position }) => position));
        return taken.promise;
      },
      onGap: () => undefined,
      onEnd: (_reason, place) => ended.resolve(place),
    },
  });
  const offer = (position: number): void => {
    subscription.offer({ placed: { position, notification: numbered(position) }, bytes: 10 });
  };
  offer(1);
  await Promise.resolve();
  for (const position of [2, 5, 4]) offer(position);
  expect(await ended.promise).toEqual({ epoch: "e", position: 1 });
  expect(had).toEqual([1]);
});
