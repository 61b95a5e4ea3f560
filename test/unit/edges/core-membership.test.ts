// SPDX-License-Identifier: MIT
// Goal: a door whose server has begun anew joins again, also when that happens twice within a
// moment, as for one that was stopped while the log was cut: the other servers have ended it, and
// then it goes on behind a snapshot. One that is refused gives up. Method: links that the test ends
// by hand, under virtual time.
import { expect, it } from "vitest";
import { CoreMembership } from "../../../src/edges/core-membership.ts";
import type { CoreLink, EdgeHandler } from "../../../src/host/core-link.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const link: CoreLink = {
  submit: () => true,
  describe: () => Promise.reject(new Error("not asked")),
  listEvents: () => Promise.reject(new Error("not asked")),
  close: async () => undefined,
};

function join() {
  const clock = new VirtualClock();
  const lives: EdgeHandler[] = [];
  const said: string[] = [];
  const membership = new CoreMembership({
    ...{ edge: "e", clock, edgeLeaseUs: 10_000_000, rejoinMs: 1_000, what: "server" },
    logAwayMs: 60_000,
    connect: (_, handler) => {
      lives.push(handler);
      return link;
    },
    log: (level, line) => said.push(`${level}: ${line}`),
    onEffects: () => undefined,
    onRoom: () => undefined,
    sendAway: () => undefined,
    dismissAll: (why) => said.push(`dismissed: ${why}`),
    onClosed: (why) => said.push(`closed: ${why}`),
  });
  membership.join();
  return { clock, lives, said };
}

it("a door joins again as often as its server begins anew", () => {
  const { lives, said } = join();
  lives[0]?.onClosed?.("the core ended this edge", true);
  lives[1]?.onClosed?.("the log was cut", true);
  expect(lives).toHaveLength(3);
  expect(said).toEqual([
    "dismissed: the core ended this edge",
    "warn: the core ended this edge; every connection is closed, joining anew",
    "dismissed: the log was cut",
    "warn: the log was cut; every connection is closed, joining anew",
  ]);
});

it("a door that is refused gives up, and one that was let in for a while does not", async () => {
  const { clock, lives, said } = join();
  await clock.pass(1_000_000);
  lives[0]?.onClosed?.("replaced");
  expect(lives).toHaveLength(2);
  lives[1]?.onClosed?.("replaced");
  expect(lives).toHaveLength(2);
  expect(said.at(-1)).toBe("closed: replaced");
});
