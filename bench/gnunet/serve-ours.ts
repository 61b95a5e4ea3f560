// SPDX-License-Identifier: MIT
// The GNUnet controller as shipped, on the memory log, in a process of its own, at two sockets of
// the directory that it is given.
import { join } from "node:path";
import { resolveLimits } from "../../src/core/limits.ts";
import { GnunetController } from "../../src/edges/gnunet/index.ts";
import { MemoryLog } from "../../src/engine/memory-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { serve } from "../syncd/rpc.ts";

const [folder = "."] = process.argv.slice(2);
const limits = resolveLimits();
const log = new MemoryLog({ nowUs: systemClock.nowUs, retain: false });
const host = new Host({ log, clock: systemClock, limits, logger: silentLogger });
await host.start();
const controller = new GnunetController({
  ...{ scope: "bench", edge: "bench/gnunet", connect: host.connectEdge, clock: systemClock },
  ...{ logger: silentLogger, limits, peers: 0 },
});
await controller.listen("testbed", { kind: "unix", path: join(folder, "ours.sock") });
await controller.listen("testbed-barrier", { kind: "unix", path: join(folder, "ours-b.sock") });

serve({ connections: () => controller.counters.connections });
