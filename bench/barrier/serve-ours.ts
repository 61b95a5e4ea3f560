// SPDX-License-Identifier: MIT
// The native door as shipped, on the memory log, in a process of its own.
import { resolveLimits } from "../../src/core/limits.ts";
import { createHttpDoor, mountCore } from "../../src/edges/http/index.ts";
import { MemoryLog } from "../../src/engine/memory-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { serve } from "../syncd/rpc.ts";

const parts = { clock: systemClock, logger: silentLogger };
const log = new MemoryLog({ nowUs: systemClock.nowUs, retain: false });
const host = new Host({ log, limits: resolveLimits(), ...parts });
await host.start();
const door = createHttpDoor({ access: {}, ...parts });
mountCore({ door, host, edge: "bench/http", ...parts });
const { port } = await door.listen({ host: "127.0.0.1", port: 0 });

serve({ port: () => port });
