// SPDX-License-Identifier: MIT
// Goal: a ring of eight links is shaped by several threads of the delay node as by one: each packet
// by the thread of its link, none early, lost or overtaken in it, and changes of all links as one.
// Method: `npm run test:netem` runs this in an emulated machine of four processors, where threads
// really run at once; the probes are processes of their own. That machine goes by the clock of the
// one outside, so that packets are late there, sometimes much, and the machine itself loses some.
// That they are in time is test/e2e/delay-node.test.ts's.
import { availableParallelism } from "node:os";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/host/clock.ts";
import { DelayNodeBackend } from "../../src/network/delay-node/delay-node-backend.ts";
import type { LinkEnds } from "../../src/network/link-backend.ts";
import { type ShapedLink, unshaped, usualQueue } from "../../src/network/model.ts";
import { makeNamespaces, type TestNamespaces } from "../e2e/network-support/namespaces.ts";
import {
  delaysUs,
  type ProbeOptions,
  type ProbeResult,
  probe,
} from "../e2e/network-support/probe.ts";

/**
 * The probes go before what else the machine does: else that would be the measure. Each is on one
 * processor: the kernel keeps no order between them.
 */
const first = ["taskset", "-c", "0", "chrt", "-r", "10"];
const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
const lossy = 3;
const frameBytes = 1_000;
const delayUs = (i: number): number => 10_000 + 5_000 * i;
/** Nearly equal, so that every thread gets as many links. */
const bandwidthBps = (i: number): number => 2_000_000 + 100_000 * i;

const plans = numbers.map((i): ShapedLink => {
  const up = {
    ...{ ...unshaped, delayUs: delayUs(i), bandwidthBps: bandwidthBps(i) },
    ...{ loss: i === lossy ? 0.1 : 0, queue: { ...usualQueue, limit: 2_000 } },
  };
  return {
    name: `l${i}`,
    kind: "link",
    members: [i, (i + 1) % 8].map((n) => ({ node: `n${n}`, up })),
  };
});

/** How long after its time a packet of a full link came, of those the one that was soonest. */
function soonest({ arrivals }: ProbeResult, i: number): number {
  const beganUs = arrivals[0]?.sentUs ?? NaN;
  const wireUs = (frameBytes * 8e6) / bandwidthBps(i);
  const after = arrivals.map(({ receivedUs }, before) => {
    return receivedUs - beganUs - delayUs(i) - (before + 1) * wireUs;
  });
  return Math.min(...after);
}

const overtaken = (ids: readonly number[]): number =>
  ids.filter((id, at) => id < (ids[at - 1] ?? -1)).length;

describe.skipIf(availableParallelism() < 4)("a ring of eight links", () => {
  let world: TestNamespaces;
  let backend: DelayNodeBackend;
  let made: readonly LinkEnds[] = [];
  /** So far off may be when the delay node takes a packet to have come. */
  let unseenUs = 0;
  let strange = 0;
  /** Packets, by thread. */
  const sent: number[] = [];

  afterEach(async () => {
    await backend?.stop();
    await world?.stop();
  });

  async function shape(threads: number): Promise<void> {
    world = await makeNamespaces(numbers.map((i) => `n${i}`));
    const { commands } = world;
    unseenUs = strange = 0;
    sent.length = 0;
    backend = new DelayNodeBackend({
      ...{ commands, clock: systemClock, seed: 1, threads },
      onReport: ({ thread, packets, unseenMaxUs, strange: more }) => {
        unseenUs = Math.max(unseenUs, unseenMaxUs);
        sent[thread] = (sent[thread] ?? 0) + packets;
        strange += more;
      },
    });
    made = plans.map(({ name, members }) =>
      world.link(
        name,
        "link",
        members.map(({ node }) => node),
      ),
    );
    await backend.attach(made, new Map(plans.map((plan) => [plan.name, plan])));
    for (const [index, link] of made.entries()) await world.configure(link, index + 1);
    const { threadOf } = backend.carried;
    const used = new Set(plans.map(({ name }) => threadOf?.(name)));
    expect(used.size).toBe(threads);
  }

  /** Along all links at a time, from the first end to the second. */
  function sendAlong(
    how: Pick<ProbeOptions, "packets" | "bytes" | "gapUs">,
  ): Promise<ProbeResult[]> {
    const { commands } = world;
    const flows = made.map(async ({ ends: [from, to] }, i) => {
      if (from === undefined || to === undefined) throw new Error("a link has two ends");
      const address = `10.${i + 1}.0.2`;
      return await probe({
        ...{ ...how, commands, from: from.namespace, to: to.namespace, address },
        prefix: first,
      });
    });
    return Promise.all(flows);
  }

  /** What each thread has sent is what its links have let out, and nothing went to a wrong one. */
  async function expectEachInItsThread(threads: number): Promise<void> {
    // With which they report, before and after.
    await backend.lostByMachine();
    const before = [...sent];
    const out = Array.from({ length: threads }, () => 0);
    for (const { name } of plans) {
      const thread = backend.carried.threadOf?.(name) ?? 0;
      for (const { counts } of await backend.counts(name)) {
        out[thread] = (out[thread] ?? 0) + counts.delivered;
      }
    }
    await backend.lostByMachine();
    for (const [thread, delivered] of out.entries()) {
      expect(delivered).toBeGreaterThanOrEqual(before[thread] ?? 0);
      expect(delivered).toBeLessThanOrEqual(sent[thread] ?? 0);
    }
    expect(strange).toBe(0);
  }

  it.each([2, 3, 4])("is as asked with %d threads, and as it is told later", async (threads) => {
    await shape(threads);
    // A little more than each carries.
    const flows = await sendAlong({ packets: 400, bytes: frameBytes - 42, gapUs: 2_500 });
    await expectEachInItsThread(threads);
    const counts = await Promise.all(plans.map(({ name }) => backend.counts(name)));
    for (const [i, flow] of flows.entries()) {
      const ids = flow.arrivals.map(({ id }) => id);
      expect(overtaken(ids), `l${i}`).toBe(0);
      // Of what the machine has lost before or behind it, a link knows nothing.
      const { arrived = 0, delivered, lost = 0, queueDrops } = counts[i]?.[0]?.counts ?? {};
      expect([delivered, queueDrops], `l${i}`).toEqual([arrived - lost, 0]);
      const expected = i === lossy ? arrived * 0.1 : 0;
      expect(Math.abs(lost - expected), `l${i}`).toBeLessThanOrEqual(5 * Math.sqrt(expected));
      expect(soonest(flow, i), `l${i}`).toBeGreaterThanOrEqual(-20 - unseenUs);
    }
    const changes = plans.map(({ name }, i) => {
      const shape = { delayUs: 2 * delayUs(i), loss: 0 };
      return { link: name, what: { kind: "modify" as const, shape } };
    });
    await backend.set(changes);
    const later = await sendAlong({ packets: 40, bytes: 100, gapUs: 5_000 });
    await backend.lostByMachine();
    for (const [i, flow] of later.entries()) {
      const least = Math.min(...delaysUs(flow));
      expect(least, `l${i}`).toBeGreaterThanOrEqual(2 * delayUs(i) - 20 - unseenUs);
    }
    await expectEachInItsThread(threads);
  });
});
