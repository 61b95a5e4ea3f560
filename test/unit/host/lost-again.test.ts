// SPDX-License-Identifier: MIT
// Goal: a log that says to have taken what it then does not hold is given it again ever more
// rarely, and is complained of once, however long that lasts. Method: an appender under virtual
// time, with a log that was emptied: what it takes lands on places that were read long ago.
import { expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import type { Log } from "../../../src/engine/log.ts";
import { Appender } from "../../../src/host/appender.ts";
import type { ServerMembership } from "../../../src/host/server-membership.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

it("appends again ever more rarely what is lost each time, and says so once", async () => {
  const clock = new VirtualClock();
  const said: string[] = [];
  let appended = 0;
  let isWhole = false;
  const log = {
    append: () => {
      appended += 1;
      return Promise.resolve(isWhole ? 1_000 + appended : appended);
    },
  } as unknown as Log;
  const appender = new Appender({
    ...{ log, clock, limits: resolveLimits() },
    logger: { log: (_level, text) => void said.push(text) },
    membership: { life: { edge: "server/s", incarnation: 1 } } as ServerMembership,
    ...{ appliedSequence: () => 1_000, own: () => undefined, ports: () => [] },
    ...{ onAppended: () => undefined, onLogAway: () => undefined },
  });
  appender.tick();
  await clock.pass(10_000_000);
  expect(appended).toBeGreaterThan(5);
  // 20 ms, doubled up to a second.
  expect(appended).toBeLessThanOrEqual(16);
  expect(said).toEqual(["the log has lost an entry that it took; appending it again"]);
  // It holds what it takes again; what it loses after that is another loss.
  isWhole = true;
  await clock.pass(2_000_000);
  appender.delivered(1_000 + appended, true);
  isWhole = false;
  appender.tick();
  await clock.pass(10_000);
  expect(said).toHaveLength(2);
  appender.stop();
});
