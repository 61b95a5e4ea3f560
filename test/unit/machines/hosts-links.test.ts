// SPDX-License-Identifier: MIT
// Goal: how late the links of hosts are is told for as long as they are there, also when a host
// could not say it at first, and nobody looks after they have gone. Method: one host that refuses
// to answer, then answers; time by hand.
import { expect, it } from "vitest";
import type { ShaperHealth } from "../../../src/network/link-report.ts";
import { HostPaths } from "../../../src/testbed/machines/host-paths.ts";
import { HostsLinks } from "../../../src/testbed/machines/hosts-links.ts";
import { FakeClock } from "../record/fake-clock.ts";

/** Until what is awaited has gone on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("looks at a host again that had not made its links when it was asked first", async () => {
  const clock = new FakeClock();
  const health: ShaperHealth = {
    ...{ packets: 7, lagMaxUs: 2_000, lagMaxAtUs: 5, lagRecentUs: 90, late: 1, dropped: 0 },
    priority: "usual",
  };
  let areMade = false;
  const ask = (): Promise<unknown> =>
    areMade
      ? Promise.resolve({ health, trouble: [], lost: 0, carried: null })
      : Promise.reject(new Error("its links are not shaped"));
  const host = {
    ...{ name: "far", link: { ask } },
    clock: { aheadUs: 0, toHost: (us: number) => us, toOwn: (us: number) => us },
  };
  const links = new HostsLinks({
    ...{ kind: "delay-node", shapes: [], clock, hosts: [host], hostsOf: () => [host] },
    paths: new HostPaths([]),
  });

  clock.advanceTo(1_000_000);
  await turn();
  expect(links.health).toBeUndefined();
  areMade = true;
  clock.advanceTo(2_000_000);
  await turn();
  expect(links.health).toEqual(health);

  // Also when they go while it looks.
  clock.advanceTo(3_000_000);
  await links.stop();
  await turn();
  expect(clock.armed).toBe(0);
});
