// SPDX-License-Identifier: MIT
// The door as shipped, on a core with its log in memory.
import { resolveLimits } from "../../src/core/limits.ts";
import { Testground } from "../../src/edges/testground/index.ts";
import { MemoryLog } from "../../src/engine/memory-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { serve } from "../syncd/rpc.ts";

const limits = resolveLimits();
const log = new MemoryLog({ nowUs: systemClock.nowUs, retain: false });
const host = new Host({ log, clock: systemClock, limits, logger: silentLogger });
await host.start();
const door = new Testground({
  ...{ scope: "bench", edge: "testground", clock: systemClock, logger: silentLogger, limits },
  connect: host.connectEdge,
  topics: host.topics,
  addresses: ["127.0.0.1"],
  port: 0,
});
const port = await door.listen();

serve({ port: () => port, memory: () => process.memoryUsage().rss });
