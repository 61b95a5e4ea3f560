// SPDX-License-Identifier: MIT
// Goal: what is to be sent again goes out once (H2), however many reasons there are for it. Method:
// an appender under virtual time, with a log that refuses once and then takes its time.
import { expect, it } from "vitest";
import type { Batch, Entry } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { type Log, LogError } from "../../../src/engine/log.ts";
import { Appender } from "../../../src/host/appender.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import type { BatchSource, Port } from "../../../src/host/port.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

it("repeats what failed once, also when it is told to twice", async () => {
  const clock = new VirtualClock();
  const batch: Batch = { edge: "e", incarnation: 1, number: 1, commands: [] };
  let isTaken = false;
  const source: BatchSource = {
    take: () => {
      const first = isTaken ? undefined : batch;
      isTaken = true;
      return first;
    },
    get hasQueued() {
      return !isTaken;
    },
    unacknowledged: () => (isTaken ? [batch] : []),
    acknowledge: () => false,
    depth: 1,
  };
  const appended: Entry[] = [];
  const log = {
    append: (entry: Entry) => {
      appended.push(entry);
      if (appended.length === 1) {
        return Promise.reject(new LogError("cut", { definite: true }));
      }
      return new Promise<number>((resolve) => {
        clock.after(1_000, () => resolve(appended.length));
      });
    },
  } as Log;
  const port = { edge: "e", incarnation: 1, source } as Port;
  const appender = new Appender({
    ...{ log, clock, limits: resolveLimits(), logger: silentLogger, membership: undefined },
    ...{ appliedSequence: () => 0, own: () => undefined, ports: () => [port] },
    ...{ onAppended: () => undefined, onLogAway: () => undefined },
  });
  appender.wake(port);
  await clock.pass(1_000);
  expect(appended).toHaveLength(1);
  appender.repeat();
  appender.repeat();
  await clock.pass(500_000);
  const repeats = appended.slice(1).filter(({ batches }) => batches.length > 0);
  expect(repeats).toHaveLength(1);
  appender.stop();
});
