// SPDX-License-Identifier: MIT
// The native door as shipped, in a process of its own, on the log that its argument names.
import { resolveLimits } from "../../src/core/limits.ts";
import { createHttpDoor, mountCore } from "../../src/edges/http/index.ts";
import { isSharedLog, openLog, openPayloads } from "../../src/engine/open-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { serve } from "../syncd/rpc.ts";

const parts = { clock: systemClock, logger: silentLogger };
const [name = "memory"] = process.argv.slice(2);
const host = new Host({
  ...{
    log: await openLog(name, systemClock),
    payloads: await openPayloads(name, { clock: systemClock }),
  },
  ...(isSharedLog(name) ? { server: "bench" } : {}),
  ...{ limits: resolveLimits(), ...parts },
});
await host.start();
const door = createHttpDoor({ access: {}, ...parts });
mountCore({ door, host, edge: "bench/http", ...parts });
const { port } = await door.listen({ host: "127.0.0.1", port: 0 });

serve({ port: () => port });
