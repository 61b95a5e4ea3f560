// SPDX-License-Identifier: MIT
// Every limit of the core at its value and one past it; past it the answer names the limit and how
// to raise it, and leaves nothing behind. Limits of the host and its links: test/unit/host/limits.
import { describe, expect, it } from "vitest";
import type { AgendaLoad } from "../../../src/core/agenda/commands.ts";
import type { Applied } from "../../../src/core/effect.ts";
import type { Limits } from "../../../src/core/limits.ts";
import {
  barrierCountMax,
  defaultLimits,
  resolveLimits,
  waitTimeoutUsMax,
} from "../../../src/core/limits.ts";
import { CoreDriver, init, initOnly, wait } from "../../../src/testing/core-driver.ts";

function refusals(applied: Applied): readonly string[] {
  return applied.addressed.flatMap(({ effect }) =>
    effect.kind === "refused" ? [`${effect.code}: ${effect.message}`] : [],
  );
}

function expectLimit(applied: Applied, name: keyof Limits, value: number): void {
  expect(refusals(applied)).toHaveLength(1);
  expect(refusals(applied)[0]).toMatch(/^limit: /);
  expect(refusals(applied)[0]).toContain(`limit ${name} (${value})`);
  expect(refusals(applied)[0]).toContain(`raise it with --limit ${name}=VALUE`);
}

describe("limits", () => {
  it("resolveLimits() refuses what does not fit together", () => {
    expect(resolveLimits()).toEqual(defaultLimits);
    expect(() => resolveLimits({ scopesMax: 0 })).toThrow("limit scopesMax");
    expect(() => resolveLimits({ scopesMax: 1.5 })).toThrow("limit scopesMax");
    expect(() => resolveLimits({ mailboxCommandsMax: 1 })).toThrow("must fit in the mailbox");
    expect(() => resolveLimits({ linkQueueBytesMax: 1 })).toThrow("must fit in the link queue");
  });

  it("the defaults are those of the design", () => {
    expect(defaultLimits).toMatchObject({
      nameBytesMax: 255,
      barriersPerScopeMax: 10_000,
      waitersPerBarrierMax: 100_000,
      scopesMax: 1_000,
      eventsPerScopeMax: 100_000,
      warnAfterUs: 10_000_000,
    });
  });

  it("nameBytesMax holds for barriers, in bytes and not in characters", () => {
    const core = new CoreDriver({ nameBytesMax: 6 });
    expect(refusals(core.send("e", wait(1, { barrier: "abcdef" })))).toEqual([]);
    expect(refusals(core.send("e", wait(2, { barrier: "äöü" })))).toEqual([]);
    expectLimit(core.send("e", wait(3, { barrier: "abcdefg" })), "nameBytesMax", 6);
    expectLimit(core.send("e", wait(3, { barrier: "äöüx" })), "nameBytesMax", 6);
    const [empty] = refusals(core.send("e", wait(3, { barrier: "" })));
    expect(empty).toBe("invalid: the barrier has no name");
  });

  it("nameBytesMax holds for participants and their nodes", () => {
    const core = new CoreDriver({ nameBytesMax: 6 });
    const from = (who: object) => wait(1, { who: { address: "a longer address", ...who } });
    expectLimit(core.send("e", from({ name: "abcdefg" })), "nameBytesMax", 6);
    expectLimit(core.send("e", from({ node: "abcdefg" })), "nameBytesMax", 6);
    expect(refusals(core.send("e", from({ name: "abcdef", node: "abcdef" })))).toEqual([]);
  });

  it("waitTimeoutUsMax holds for waits", () => {
    const core = new CoreDriver();
    const [refusal] = refusals(core.send("e", wait(1, { timeoutUs: waitTimeoutUsMax + 1 })));
    expect(refusal).toContain("the timeout must be");
    expect(refusals(core.send("e", wait(1, { timeoutUs: waitTimeoutUsMax })))).toEqual([]);
  });

  it("nameBytesMax holds for scopes, and a refused arrival makes no scope", () => {
    const core = new CoreDriver({ nameBytesMax: 3 });
    expectLimit(core.send("e", wait(1, { scope: "abcd" })), "nameBytesMax", 3);
    expectLimit(core.send("e", wait(1, { barrier: "abcd" })), "nameBytesMax", 3);
    expect(core.service.snapshot().scopes).toEqual([]);
    expect(refusals(core.send("e", wait(1, { scope: "abc" })))).toEqual([]);
  });

  it("scopesMax holds for arrivals, opened scopes and loaded agendas", () => {
    const core = new CoreDriver({ scopesMax: 2 });
    core.send("e", wait(1, { scope: "a" }), { kind: "open-scope", scope: "b", nodes: [] });
    const load: AgendaLoad = {
      kind: "agenda-load",
      scope: "c",
      agents: [],
      groups: [],
      main: [],
      timelines: [],
      sequences: [],
    };
    expectLimit(core.send("e", wait(2, { scope: "c" })), "scopesMax", 2);
    expectLimit(core.send("e", { kind: "open-scope", scope: "c", nodes: [] }), "scopesMax", 2);
    expectLimit(core.send("e", load), "scopesMax", 2);
    core.send("e", { kind: "close-scope", scope: "a", error: 0 });
    expect(refusals(core.send("e", wait(2, { scope: "c" })))).toEqual([]);
  });

  it("barriersPerScopeMax holds for open barriers of one scope", () => {
    const core = new CoreDriver({ barriersPerScopeMax: 2 });
    core.send("e", wait(1, { barrier: "a" }), wait(2, { barrier: "b" }));
    expectLimit(core.send("e", wait(3, { barrier: "c" })), "barriersPerScopeMax", 2);
    expect(refusals(core.send("e", wait(3, { barrier: "c", scope: "t" })))).toEqual([]);
    core.send("e", initOnly(4, 1, { barrier: "a" }));
    expect(refusals(core.send("e", wait(5, { barrier: "c" })))).toEqual([]);
  });

  it("waitersPerBarrierMax holds for those who wait at one barrier", () => {
    const core = new CoreDriver({ waitersPerBarrierMax: 2 });
    core.send("e", wait(1), wait(2));
    expectLimit(core.send("e", wait(3)), "waitersPerBarrierMax", 2);
    expect(core.service.describe("s").barriers[0]).toMatchObject({ count: -2 });
    expect(refusals(core.send("e", wait(3, { barrier: "other" })))).toEqual([]);
    core.send("e", { kind: "leave", connection: 1 });
    expect(refusals(core.send("e", wait(4)))).toEqual([]);
  });

  it("waitersPerScopeMax holds for those who wait at all barriers of a scope", () => {
    const core = new CoreDriver({ waitersPerScopeMax: 2 });
    const stateWait = (connection: number) =>
      ({ ...wait(connection, { barrier: "s" }), kind: "state-wait", target: 9 }) as const;
    core.send("e", wait(1), stateWait(2));
    expectLimit(core.send("e", wait(3, { barrier: "other" })), "waitersPerScopeMax", 2);
    expectLimit(core.send("e", stateWait(3)), "waitersPerScopeMax", 2);
    expect(refusals(core.send("e", wait(3, { scope: "t" })))).toEqual([]);
    expect(refusals(core.send("e", initOnly(4, 2)))).toEqual([]);
    // Released, left, ended with the edge: each makes room.
    core.send("e", wait(5, { scope: "t" }), { kind: "leave", connection: 2 });
    expect(refusals(core.send("f", wait(6)))).toEqual([]);
    expect(refusals(core.send("e", wait(7), wait(8, { barrier: "b8" })))).toEqual([]);
    expectLimit(core.send("e", wait(9)), "waitersPerScopeMax", 2);
    core.send("e", { kind: "end-edge" });
    expect(refusals(core.send("g", wait(10), wait(11, { barrier: "b8" })))).toEqual([]);
    expectLimit(core.send("g", wait(12)), "waitersPerScopeMax", 2);
  });

  it("an initialiser that does not wait needs no place at a full barrier", () => {
    const core = new CoreDriver({ waitersPerBarrierMax: 2 });
    core.send("e", wait(1), wait(2));
    expect(refusals(core.send("e", initOnly(3, 2)))).toEqual([]);
    expect(core.service.describe("s").barriers).toEqual([]);
  });

  it("eventsPerScopeMax holds for one agenda", () => {
    const core = new CoreDriver({ eventsPerScopeMax: 2 });
    const event = { id: 1, object: "l", type: "LINK", event: "UP", args: "" };
    const load = (size: number): AgendaLoad => ({
      kind: "agenda-load",
      scope: "s",
      agents: [],
      groups: [],
      main: Array.from({ length: size }, () => ({ atUs: 5, event })),
      timelines: [],
      sequences: [],
    });
    expect(refusals(core.send("e", load(2)))).toEqual([]);
    expectLimit(core.send("e", load(3)), "eventsPerScopeMax", 2);
  });

  it("edgesMax turns an edge away and tells it; a dead one makes room", () => {
    const core = new CoreDriver({ edgesMax: 2 });
    core.send("e", wait(1));
    core.send("f", wait(1));
    const turnedAway = core.apply([core.attachBatch("g", 1)]);
    expectLimit(turnedAway, "edgesMax", 2);
    expect(turnedAway.addressed.at(-1)).toMatchObject({ edge: "g", effect: { kind: "revoked" } });
    core.send("e", { kind: "end-edge" });
    expect(refusals(core.apply([core.attachBatch("g", 1)]))).toEqual([]);
  });

  it("a count is at most what the oldest wire can say, alone and in sum", () => {
    const core = new CoreDriver();
    expect(refusals(core.send("e", init(1, barrierCountMax)))).toEqual([]);
    expect(core.service.describe("s").barriers[0]).toMatchObject({ count: barrierCountMax });
    expect(refusals(core.send("e", initOnly(2, 1)))[0]).toContain("the sum of the counts");
    expect(refusals(core.send("e", initOnly(2, 0)))).toHaveLength(1);
    const other = { barrier: "other" };
    expect(refusals(core.send("e", init(3, barrierCountMax + 1, other)))[0]).toMatch(/^invalid: /);
    expect(refusals(core.send("e", init(3, -1, other)))).toHaveLength(1);
    expect(refusals(core.send("e", initOnly(3, barrierCountMax, other)))).toEqual([]);
    expect(refusals(core.send("e", wait(4, other)))).toEqual([]);
    expect(refusals(core.send("e", { kind: "leave", connection: 4 }))).toEqual([]);
  });

  it("an error is an integer from 0 up", () => {
    const core = new CoreDriver();
    for (const error of [-1, 0.5, Number.NaN]) {
      expect(refusals(core.send("e", wait(1, { error })))).toHaveLength(1);
    }
    expect(refusals(core.send("e", wait(1, { error: Number.MAX_SAFE_INTEGER })))).toEqual([]);
  });
});
