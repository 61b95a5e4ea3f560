// SPDX-License-Identifier: MIT
// Goal: an edge whose scopes are in several logs is one edge to its door: each scope's commands go
// to its log, a leaver leaves where he waits, the end in one log is the end in all, and what is
// asked of all cores is of all. Method: hosts on logs in memory, under virtual time.
import { beforeEach, describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { type CoreLink, type EdgeHandler, everyScope } from "../../../src/host/core-link.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { ShardLink } from "../../../src/host/shard-link.ts";
import { Shards } from "../../../src/host/shards.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

/** Of three logs: in the first, the second, the third. */
const all = ["a", "p/e", "default"] as const;
const [first, second, third] = all;

let clock: VirtualClock;
let shards: Shards;

beforeEach(async () => {
  clock = new VirtualClock();
  const hosts = [0, 1, 2].map(() => {
    const log = new MemoryLog({ nowUs: () => clock.nowUs(), retain: false });
    return new Host({ log, clock, limits: resolveLimits(), logger: silentLogger });
  });
  const started = Promise.all(hosts.map((host) => host.start()));
  await clock.advance(0);
  await started;
  shards = new Shards(hosts);
});

const wait = (scope: string, connection: number): Command => ({
  ...{ kind: "count-wait", scope, barrier: "b", connection, error: 0 },
  who: { address: "" },
});
const init = (scope: string, connection: number, count: number): Command => ({
  ...{ kind: "count-init", scope, barrier: "b", connection, error: 0, count, waits: false },
  who: { address: "" },
});

function connect(edge: string): { readonly link: CoreLink; readonly effects: EdgeEffect[] } {
  const effects: EdgeEffect[] = [];
  const link = shards.connectEdge(edge, { onEffects: (more) => effects.push(...more) });
  return { link, effects };
}

const waiters = (): readonly number[] => shards.hosts.map((host) => host.figures().waiters);

describe("an edge in several logs", () => {
  it("says what is of a scope to the log that has it, and hears all of them", async () => {
    const { link, effects } = connect("e");
    for (const [at, scope] of all.entries()) link.submit(wait(scope, at + 1));
    await clock.advance(10);
    expect(waiters()).toEqual([1, 1, 1]);
    expect(shards.figures()).toMatchObject({ waiters: 3, scopes: 3, barriers: 3 });
    expect((await link.describe(second)).barriers[0]?.arrived).toBe(1);
    expect([shards.facts.hasScope(third), shards.facts.waitersOfEdge("e")]).toEqual([true, 3]);
    for (const [at, scope] of all.entries()) link.submit(init(scope, at + 4, 1));
    await clock.advance(10);
    const released = effects.flatMap((one) => (one.kind === "released" ? [one] : []));
    expect(released.map(({ scope, connections }) => [scope, connections])).toEqual([
      [first, [1]],
      [second, [2]],
      [third, [3]],
    ]);
  });

  it("leaves where the connection waits, also when that is not known any more", async () => {
    const { link } = connect("e");
    link.submit(wait(second, 1));
    link.submit(wait(first, 2));
    link.submit(wait(third, 2));
    await clock.advance(10);
    expect(waiters()).toEqual([1, 1, 1]);
    link.submit({ kind: "leave", connection: 1 });
    await clock.advance(10);
    expect(waiters()).toEqual([1, 0, 1]);
    link.submit({ kind: "leave", connection: 2 });
    await clock.advance(10);
    expect(waiters()).toEqual([0, 0, 0]);
  });

  it("leaves everything when it closes", async () => {
    const { link } = connect("e");
    for (const scope of [first, second, third]) link.submit(wait(scope, 1));
    await clock.advance(10);
    const closed = link.close();
    await clock.advance(10);
    await closed;
    expect(waiters()).toEqual([0, 0, 0]);
    expect(link.submit(wait(first, 2))).toBe(false);
    expect(shards.facts.isAlive("e")).toBe(false);
  });
});

/** Links that a test works by hand. */
function byHand() {
  const handlers: EdgeHandler[] = [];
  const said: string[] = [];
  const told: string[] = [];
  const room = [true, true];
  const connects = [0, 1].map((shard) => (_edge: string, handler: EdgeHandler): CoreLink => {
    handlers[shard] = handler;
    return {
      submit: ({ kind }) => room[shard] === true && said.push(`${shard} ${kind}`) > 0,
      describe: (scope) => Promise.resolve({ scope, barriers: [], pendingEvents: shard }),
      listEvents: () => Promise.reject(new Error("not asked")),
      close: async () => void said.push(`${shard} close`),
    };
  });
  const link = new ShardLink({
    ...{ edge: "e", connects, shardOf: (scope: string) => Number(scope) },
    handler: {
      onEffects: (effects) => told.push(...effects.map(({ kind }) => kind)),
      onLogAway: (isAway, of) => {
        told.push(`${isAway ? "away" : "back"} ${["0", "1"].filter(of).join(" ")}`);
      },
      onClosed: (reason, isMomentary) => {
        told.push(`closed ${isMomentary === true ? "for now: " : ""}${reason}`);
      },
    },
  });
  return { link, handlers, said, told, room };
}

describe("W2, W3", () => {
  it("ends in all logs when it ends in one, is told once, and hears no more", () => {
    const { link, handlers, said, told } = byHand();
    handlers[0]?.onClosed?.("gone", true);
    handlers[1]?.onClosed?.("gone too");
    handlers[1]?.onEffects([{ kind: "acknowledged", connection: 1 }]);
    handlers[1]?.onLogAway?.(true, everyScope);
    expect(told).toEqual(["closed for now: gone"]);
    expect(said).toEqual(["1 close"]);
    expect(link.submit(wait("1", 1))).toBe(false);
  });

  it("says of a log that is away which scopes are in it", () => {
    const { handlers, told } = byHand();
    handlers[0]?.onLogAway?.(true, everyScope);
    handlers[1]?.onLogAway?.(true, everyScope);
    handlers[0]?.onLogAway?.(false, everyScope);
    expect(told).toEqual(["away 0", "away 1", "back 0"]);
    handlers[1]?.onLogAway?.(false, everyScope);
    expect(told.at(-1)).toBe("back 1");
  });

  it("says that there is no room where the log of the scope has none", () => {
    const { link, said, room } = byHand();
    room[1] = false;
    expect([link.submit(wait("0", 1)), link.submit(wait("1", 2))]).toEqual([true, false]);
    expect(said).toEqual(["0 count-wait"]);
    // Where it waits is not known: it is said to both, again until both have it.
    expect(link.submit({ kind: "leave", connection: 3 })).toBe(false);
    room[1] = true;
    expect(link.submit({ kind: "leave", connection: 3 })).toBe(true);
    expect(said).toEqual(["0 count-wait", "0 leave", "0 leave", "1 leave"]);
  });
});
