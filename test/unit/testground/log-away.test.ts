// SPDX-License-Identifier: MIT
// Goal: of several logs one that takes nothing is a matter of the clients that have a run in it;
// the others go on, connected as they are. Method: a door on a real host, told by the test which
// scopes are in a log that is away.
import { expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { testgroundTime } from "../../../src/edges/testground-time.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import type { ConnectEdge, EdgeHandler } from "../../../src/host/core-link.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { startDoor, TestClient } from "./harness.ts";

const stateOf = (run: string): string => `run:${run}:plan:p:case:c:states:s`;

it("closes the connections with a run in a log that is away, and no other", async () => {
  const log = new MemoryLog({ nowUs: systemClock.nowUs });
  const host = new Host({ log, clock: systemClock, limits: resolveLimits(), logger: silentLogger });
  await host.start();
  let handler: EdgeHandler | undefined;
  const connect: ConnectEdge = (edge, given) => {
    handler = given;
    return host.connectEdge(edge, given);
  };
  const time = { ...testgroundTime, logAwayMs: 1 };
  const door = await startDoor("memory log", { connect, topics: host.topics, time });
  const clients = await Promise.all([1, 2, 3, 4].map(() => TestClient.open(door.port)));
  const [lost, both, kept, idle] = clients as [TestClient, TestClient, TestClient, TestClient];
  for (const [client, run] of [
    [lost, "a"],
    [both, "a"],
    [both, "b"],
    [kept, "b"],
  ] as const) {
    client.ask(run, { kind: "signal", state: stateOf(run) });
    await client.answer(run);
  }
  const inA = (scope: string): boolean => scope === "run:a";
  handler?.onLogAway?.(true, inA);
  const ends = await Promise.all([lost.ended, both.ended]);
  expect(ends).toEqual([1, 2].map(() => ({ code: 1013, reason: "the log is away" })));
  for (const client of [kept, idle]) {
    client.ask("more", { kind: "signal", state: stateOf("b") });
    expect(await client.answer("more")).toMatchObject({ kind: "signalled" });
  }
  handler?.onLogAway?.(false, inA);
  await door.close();
  await host.close();
});
