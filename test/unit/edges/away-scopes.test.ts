// SPDX-License-Identifier: MIT
// Goal: of several logs, one that is away is a matter of the clients whose scope is in it: a door
// of one scope sends them away for its own log only, one of many scopes those of each log that is.
// Method: links that the test works by hand, under virtual time.
import { beforeEach, describe, expect, it } from "vitest";
import { AwayScopes } from "../../../src/edges/away-scopes.ts";
import { CoreMembership } from "../../../src/edges/core-membership.ts";
import type { EdgeHandler, OfScope } from "../../../src/host/core-link.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

/** Scopes begin with the name of their log. */
const [inA, inB]: readonly [OfScope, OfScope] = [
  (scope) => scope.startsWith("a"),
  (scope) => scope.startsWith("b"),
];

describe("AwayScopes", () => {
  it("has the scopes of the logs that are away, and of no other", () => {
    const away = new AwayScopes();
    away.note(true, inA);
    away.note(true, inA);
    expect([away.has("a1"), away.has("b1")]).toEqual([true, false]);
    away.note(true, inB);
    away.note(false, inA);
    expect([away.has("a1"), away.has("b1")]).toEqual([false, true]);
    away.clear();
    expect([away.has("a1"), away.has("b1")]).toEqual([false, false]);
  });
});

const logAwayMs = 60_000;
let clock: VirtualClock;
let handler: EdgeHandler;
let said: string[];

beforeEach(() => {
  clock = new VirtualClock();
  said = [];
});

function join(scope?: string): CoreMembership {
  const membership = new CoreMembership({
    ...{ edge: "e", clock, edgeLeaseUs: 10_000_000, rejoinMs: 0, what: "server", logAwayMs },
    ...(scope === undefined ? {} : { scope }),
    connect: (_, given) => {
      handler = given;
      return {
        submit: () => true,
        describe: () => Promise.reject(new Error("not asked")),
        listEvents: () => Promise.reject(new Error("not asked")),
        close: async () => undefined,
      };
    },
    log: (_, line) => said.push(line),
    onEffects: () => undefined,
    onRoom: () => undefined,
    sendAway: (why, of) => {
      const whose = ["a1", "b1"].filter(of);
      said.push(`sent away: ${why}${scope === undefined ? `, ${whose.join()}` : ""}`);
    },
    dismissAll: () => undefined,
  });
  membership.join();
  return membership;
}

describe("a door in several logs", () => {
  it("with clients of one scope is not concerned by the log of another", async () => {
    const membership = join("a1");
    handler.onLogAway?.(true, inB);
    await clock.pass(2 * logAwayMs * 1_000);
    expect(said).toEqual([]);
    handler.onLogAway?.(true, inA);
    await clock.pass((logAwayMs - 1) * 1_000);
    expect(said).toEqual(["the log takes nothing; clients wait on"]);
    handler.onLogAway?.(false, inB);
    await clock.pass(1_000);
    expect(said.at(-1)).toBe("sent away: the log is away");
    handler.onLogAway?.(false, inA);
    expect(said.at(-1)).toBe("the log is back");
    await membership.close();
  });

  it("with clients of many sends those of each away when its log has been for so long", async () => {
    const membership = join();
    handler.onLogAway?.(true, inA);
    await clock.pass((logAwayMs - 1_000) * 1_000);
    handler.onLogAway?.(true, inB);
    await clock.pass(1_000_000);
    expect(said.filter((line) => line.startsWith("sent"))).toEqual([
      "sent away: the log is away, a1",
    ]);
    handler.onLogAway?.(false, inA);
    await clock.pass((logAwayMs - 1_000) * 1_000);
    expect(said.at(-1)).toBe("sent away: the log is away, b1");
    handler.onLogAway?.(false, inB);
    expect(said.at(-1)).toBe("the log is back");
    said = [];
    await clock.pass(2 * logAwayMs * 1_000);
    expect(said).toEqual([]);
    await membership.close();
  });

  it("knows nothing of the logs of a life that has ended", async () => {
    const membership = join("a1");
    handler.onLogAway?.(true, inA);
    handler.onClosed?.("the lease ran out");
    said = [];
    handler.onLogAway?.(true, inA);
    expect(said).toEqual(["the log takes nothing; clients wait on"]);
    await membership.close();
  });
});
