// SPDX-License-Identifier: MIT
// Nodes in a ring, with a network of their own: node I and the next share link I, 10.1.I.0/24.
import type { Experiment, Link, Routing } from "../../../src/experiment/model.ts";
import { createUnshapedLinks } from "../../../src/network/unshaped-links.ts";
import type { BackendOptions } from "../../../src/testbed/nodes/index.ts";
import { planNetwork, type WantedNetwork } from "../../../src/testbed/plan-network.ts";

const at = { file: "ring.ns", line: 1, column: 1 };
const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };

/** What the back end is told of such nodes. Routes are computed when `routing` is `static`. */
export function ring(
  count: number,
  more: {
    readonly wanted?: WantedNetwork | "possible";
    readonly routing?: Routing | "none";
    /** Links besides those of the ring. */
    readonly links?: readonly Link[];
  } = {},
): Pick<BackendOptions, "nodes" | "links" | "network"> {
  const names = Array.from({ length: count }, (_, index) => `node${index}`);
  const links = names.map((name, index): Link => {
    const ends = [name, `node${(index + 1) % count}`];
    const members = ends.map((node, port) => {
      const address = `10.1.${index}.${port + 2}`;
      return { node, port, address, toLink: shape, fromLink: shape };
    });
    return { name: `link${index}`, kind: "link", netmask: "255.255.255.0", members, at };
  });
  const all = [...links, ...(more.links ?? [])];
  const experiment = {
    ...{ pid: "proj", eid: "exp", links: all, programs: [], environment: [] },
    ...(more.routing === "none" ? {} : { routing: more.routing ?? "static" }),
    nodes: names.map((name) => {
      return { name, osName: "", hardwareType: "", failureAction: "fatal" as const, at };
    }),
  } as unknown as Experiment;
  return {
    links: all,
    nodes: names.map((name) => ({
      name,
      links: all.flatMap(({ name: link, members }) =>
        members
          .filter(({ node }) => node === name)
          .map(({ address }) => ({ link, experiment: address })),
      ),
    })),
    network: planNetwork({
      experiment,
      wanted: more.wanted === "possible" ? undefined : (more.wanted ?? "own"),
      shapeLinks: (commands) => ({ backend: createUnshapedLinks(commands), plans: new Map() }),
    }),
  };
}

/** A LAN of nodes by number, 10.2.0.0/24. */
export function lanOf(numbers: readonly number[]): Link {
  const members = numbers.map((number) => {
    const address = `10.2.0.${number + 2}`;
    return { node: `node${number}`, port: 2, address, toLink: shape, fromLink: shape };
  });
  return { name: "lan0", kind: "lan", netmask: "255.255.255.0", members, at };
}
