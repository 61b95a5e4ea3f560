// SPDX-License-Identifier: MIT
// Goal: the core is told when the last member of a group obeyed, and how far the first was from it.
// Method: reports as agents send them, by hand.
import { expect, it } from "vitest";
import type { Fire } from "../../../src/core/agenda/effects.ts";
import { OpenOrders } from "../../../src/events/open-orders.ts";

const fire = (members: readonly string[]): Fire => ({
  ...{ kind: "fire", scope: "p/e", token: 1, item: 1, plannedUs: 0, dueStampUs: 0, members },
  event: { id: 1, object: "g", type: "PROGRAM", event: "MODIFY", args: "" },
  ...{ toleranceUs: 100_000, whenLate: "fire" },
});

/** What is told of an event whose members report this. */
function told(reports: Readonly<Record<string, readonly [firedUs: number, outcome: string]>>) {
  const orders = new OpenOrders();
  const open = orders.add(fire(Object.keys(reports)), undefined);
  const all = Object.entries(reports).flatMap(([name, [firedUs, outcome]]) =>
    orders.fired(open, name, { firedUs, outcome }),
  );
  return all.filter(({ kind }) => kind === "agenda-fired");
}

it("tells of a group how far apart its members obeyed, whoever reports first", () => {
  const reports = { b: [1_030, "done"], a: [1_000, "done"], c: [1_010, "done"] } as const;
  expect(told(reports)).toMatchObject([{ firedStampUs: 1_030, skewUs: 30 }]);
});

it("leaves out who did not obey", () => {
  const reports = { a: [1_000, "done"], b: [1_004, "done"], c: [9_000, "failed: why"] } as const;
  expect(told(reports)).toMatchObject([{ firedStampUs: 9_000, skewUs: 4 }]);
});

it("tells no distance of a single member", () => {
  expect(told({ a: [1_000, "done"] })[0]).not.toHaveProperty("skewUs");
});
