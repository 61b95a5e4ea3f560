// SPDX-License-Identifier: MIT
// How late changes of a link are in force that are told ahead, while packets pass: for the first
// packet that met the new values, by who shapes it. Needs root.
import { systemClock } from "../../src/host/clock.ts";
import { DelayNodeBackend } from "../../src/network/delay-node/delay-node-backend.ts";
import { type ShapedLink, unshaped } from "../../src/network/model.ts";
import { makeNamespaces } from "../../test/e2e/network-support/namespaces.ts";
import { probe } from "../../test/e2e/network-support/probe.ts";
import type { Rate } from "./lateness.ts";

const shape = { ...unshaped, delayUs: 5_000 };
const members = ["a", "b"].map((node) => ({ node, up: shape, down: unshaped }));
const plan: ShapedLink = { name: "l0", kind: "link", members };
/** Time that orders take to be there. */
const aheadUs = 500_000;
const gapUs = 200;

/** @returns microseconds of each change */
export async function latenessOfLinkChanges({ count, stepUs }: Rate): Promise<readonly number[]> {
  const world = await makeNamespaces(["a", "b"]);
  const backend = new DelayNodeBackend({ commands: world.commands, clock: systemClock, seed: 1 });
  try {
    const ends = world.link("l0", "link", ["a", "b"]);
    await backend.attach([ends], new Map([["l0", plan]]));
    await world.configure(ends, 1);
    const [from, to] = ends.ends.map(({ namespace }) => namespace);
    if (from === undefined || to === undefined) throw new Error("a link has two ends");
    const packets = Math.ceil((2 * aheadUs + count * stepUs) / gapUs);
    const how = { commands: world.commands, from, to, prefix: [], address: "10.1.0.2" };
    const flow = probe({ ...how, bytes: 100, packets, gapUs });
    const firstUs = systemClock.nowUs() + aheadUs;
    const late = Array.from({ length: count }, async (_none, index) => {
      const atUs = firstUs + index * stepUs;
      const delayUs = index % 2 === 0 ? 25_000 : 5_000;
      const what = { kind: "modify", shape: { delayUs } } as const;
      return (await backend.setAt([{ link: "l0", what }], atUs)) - atUs;
    });
    const all = await Promise.all(late);
    await flow;
    return all;
  } finally {
    await backend.stop();
    await world.stop();
  }
}
