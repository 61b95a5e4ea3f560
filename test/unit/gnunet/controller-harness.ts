// SPDX-License-Identifier: MIT
// A GNUnet controller for tests, on the real host with a chosen log, at sockets of its own.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Limits, resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import {
  formatClientConfig,
  formatGnunetAddress,
  GnunetController,
  type GnunetControllerOptions,
  type GnunetService,
} from "../../../src/edges/gnunet/index.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import { Lines, type LogKind, until } from "../syncd/harness.ts";
import { TestParty } from "./harness.ts";

export interface TestControllerOptions extends Partial<Omit<GnunetControllerOptions, "limits">> {
  readonly limits?: Partial<Limits>;
  /** Over TCP instead of sockets in the file system. */
  readonly tcp?: boolean;
}

export interface TestController {
  readonly controller: GnunetController;
  readonly host: Host;
  readonly log: Lines;
  /** Path of the file by which clients find it. */
  readonly config: string;
  /** Where the services are, as the independent client takes them. */
  readonly at: Readonly<Record<GnunetService, string>>;
  dial(service: GnunetService): Promise<TestParty>;
  /** Waits until so many wait. */
  waiting(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startController(
  kind: LogKind,
  options: TestControllerOptions = {},
): Promise<TestController> {
  const { tcp = false, limits: given, ...rest } = options;
  const folder = mkdtempSync(join(tmpdir(), "muster-gnunet-"));
  const limits = resolveLimits(given);
  const host = new Host({ log: openLog(kind), clock: systemClock, limits, logger: silentLogger });
  await host.start();
  const log = new Lines();
  const controller = new GnunetController({
    ...{ scope: "test", edge: "test/gnunet", connect: host.connectEdge, clock: systemClock },
    ...{ logger: log, limits, peers: 0, ...rest },
  });
  const place = (name: string) =>
    tcp
      ? ({ kind: "tcp", host: "127.0.0.1", port: 0 } as const)
      : ({ kind: "unix", path: join(folder, name) } as const);
  const addresses = {
    testbed: await controller.listen("testbed", place("t.sock")),
    "testbed-barrier": await controller.listen("testbed-barrier", place("b.sock")),
  };
  const config = join(folder, "gnunet.conf");
  writeFileSync(config, formatClientConfig(addresses));
  const at = {
    testbed: formatGnunetAddress(addresses.testbed),
    "testbed-barrier": formatGnunetAddress(addresses["testbed-barrier"]),
  };
  return {
    ...{ controller, host, log, config, at },
    async dial(service) {
      const address = addresses[service];
      const socket = connect(address.kind === "unix" ? { path: address.path } : address);
      await once(socket, "connect");
      return new TestParty(socket);
    },
    waiting: (count) => until(() => controller.counters.waiting === count, `${count} waiting`),
    async close() {
      await controller.close();
      await host.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function openLog(kind: LogKind) {
  const inner = new MemoryLog({ nowUs: systemClock.nowUs });
  if (kind === "memory log") return inner;
  const faults = {
    appendDelayMsMax: 3,
    deliveryDelayMsMax: 3,
    definiteFailure: 0.15,
    indefiniteFailure: 0.15,
  };
  return new DelayingLog({ inner, clock: systemClock, random: new Random(4711), faults });
}
