// SPDX-License-Identifier: MIT
// The native door as shipped, in a process of its own, on the memory log; with `FOLDER sqlite` on a
// log in a file of that directory.
import { join } from "node:path";
import { resolveLimits } from "../../src/core/limits.ts";
import { createHttpDoor, mountCore } from "../../src/edges/http/index.ts";
import { MemoryLog } from "../../src/engine/memory-log.ts";
import { SqliteLog } from "../../src/engine/sqlite-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { heapBytes } from "../heap.ts";
import { serve } from "../syncd/rpc.ts";

const parts = { clock: systemClock, logger: silentLogger };
const [folder = ".", kind = "memory"] = process.argv.slice(2);
const { nowUs } = systemClock;
const log =
  kind === "sqlite"
    ? SqliteLog.open({ file: join(folder, "log.sqlite"), nowUs })
    : new MemoryLog({ nowUs, retain: false });
// 10,000 sessions are as many edges, beside those of the door itself.
const limits = resolveLimits({ edgesMax: 20_000 });
const host = new Host({ log, limits, ...parts });
await host.start();
const bounds = { sessionsPerTokenMax: 10_000 };
const door = createHttpDoor({ access: {}, bounds, ...parts });
mountCore({ door, host, edge: "bench/http", ...parts });
const { port } = await door.listen({ host: "127.0.0.1", port: 0 });

serve({ port: () => port, heap: heapBytes });
