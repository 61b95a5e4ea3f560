// SPDX-License-Identifier: MIT
// The native door as shipped, in a process of its own, on the log that its first argument names, or
// on so many as its second says.
import { resolveLimits } from "../../src/core/limits.ts";
import { createHttpDoor, mountCore } from "../../src/edges/http/index.ts";
import { isSharedLog, openLog, openPayloads } from "../../src/engine/open-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { Shards } from "../../src/host/shards.ts";
import { serve } from "../syncd/rpc.ts";

const parts = { clock: systemClock, logger: silentLogger };
const [name = "memory", shards = "1"] = process.argv.slice(2);
const count = Number(shards);

const hosts: Host[] = [];
for (let index = 0; index < count; index += 1) {
  const place = { shard: { index, count } };
  const host = new Host({
    ...{
      log: await openLog(name, systemClock, place),
      payloads: await openPayloads(name, { clock: systemClock, ...place }),
    },
    ...(isSharedLog(name) ? { server: "bench" } : {}),
    ...{ limits: resolveLimits(), ...parts },
  });
  hosts.push(host);
}
// Together: each is told where its log ends by what it appends itself.
await Promise.all(hosts.map((host) => host.start()));
const door = createHttpDoor({ access: {}, ...parts });
mountCore({ door, host: new Shards(hosts), edge: "bench/http", ...parts });
const { port } = await door.listen({ host: "127.0.0.1", port: 0 });

serve({ port: () => port });
