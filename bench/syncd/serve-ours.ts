// SPDX-License-Identifier: MIT
// The sync server as shipped, on the memory log, in a process of its own.
import { resolveLimits } from "../../src/core/limits.ts";
import { edgeTime } from "../../src/edges/edge-time.ts";
import { Syncd } from "../../src/edges/syncd/index.ts";
import { MemoryLog } from "../../src/engine/memory-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import type { ConnectEdge } from "../../src/host/core-link.ts";
import { Host } from "../../src/host/host.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { heapBytes } from "../heap.ts";
import { serve } from "./rpc.ts";

const limits = resolveLimits();
const log = new MemoryLog({ nowUs: systemClock.nowUs, retain: false });
const host = new Host({ log, clock: systemClock, limits, logger: silentLogger });
await host.start();

/** Time spent answering, the same stretch as the loop of the floor. */
let releaseUs = 0;
const connect: ConnectEdge = (edge, handler) =>
  host.connectEdge(edge, {
    ...handler,
    onEffects(effects) {
      const before = process.hrtime.bigint();
      handler.onEffects(effects);
      releaseUs += Number(process.hrtime.bigint() - before) / 1000;
    },
  });

const syncd = new Syncd({
  scope: "bench",
  edge: "bench/syncd",
  connect,
  clock: systemClock,
  logger: silentLogger,
  limits,
  // A generator that gets no processor for half a minute is late, not dead, and neither are its
  // clients that have connected and sent nothing yet.
  time: { ...edgeTime, udpLivenessMs: 600_000, tcpRequestMs: 600_000 },
  addresses: ["127.0.0.1"],
  port: 0,
});
const port = await syncd.listen();

serve({
  port: () => port,
  open: () => syncd.counters.tcpOpen,
  arrived: () => host.describe("bench").barriers.reduce((sum, { arrived }) => sum + arrived, 0),
  releaseUs: () => releaseUs,
  udp: () => syncd.counters.udp,
  heap: heapBytes,
  memory: () => process.memoryUsage().rss,
});
