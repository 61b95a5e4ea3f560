// SPDX-License-Identifier: MIT
// Links as they are without shaping: a veth pair for a link of two, a bridge in the run's own
// namespace for a LAN.
//
//   U1. Everything is made by one process of `ip`, however many links there are.
import {
  type GrownLink,
  type LinkBackend,
  type LinkEnd,
  type LinkEnds,
  type NamespaceCommands,
  removeInterfaces,
} from "./link-backend.ts";

/** The unshaped back end. */
export function createUnshapedLinks(commands: NamespaceCommands): LinkBackend {
  return {
    kind: "none",
    attach: (links) => commands.ip(commands.hub, planUnshaped(links)),
    grow: (links) => commands.ip(commands.hub, links.flatMap(planGrown)),
    async detach(links) {
      await removeInterfaces(
        commands,
        links.flatMap((link) => (isPair(link) ? link.ends.slice(0, 1) : link.ends)),
      );
      const bridges = links.filter((link) => !isPair(link) && link.ends.length > 0);
      await commands.ip(
        commands.hub,
        bridges.map((link) => `link del dev ${bridgeOf(link)}`),
      );
    },
    set: () => Promise.resolve(),
    failed: new Promise(() => undefined),
    stop: () => Promise.resolve(),
  };
}

/** Lines for `ip -batch` in the hub. Pure. */
export function planUnshaped(links: readonly LinkEnds[]): readonly string[] {
  return links.flatMap((link) => {
    const [one, other] = link.ends;
    if (one === undefined) return [];
    if (isPair(link) && other !== undefined) {
      return [`link add dev ${describeEnd(one)} type veth peer name ${describeEnd(other)}`];
    }
    const bridge = bridgeOf(link);
    return [...planBridge(bridge), ...planPorts(bridge, link.ends)];
  });
}

function planGrown({ kept, ...link }: GrownLink): readonly string[] {
  return planPorts(bridgeOf(link), link.ends.slice(kept));
}

function isPair({ kind, ends }: LinkEnds): boolean {
  return kind === "link" && ends.length === 2;
}

const bridgeOf = ({ ends }: LinkEnds): string => `b${ends[0]?.slot ?? 0}`;

function planPorts(bridge: string, ends: readonly LinkEnd[]): readonly string[] {
  return ends.map(
    (end) =>
      `link add dev l${end.slot} up master ${bridge} type veth peer name ${describeEnd(end)}`,
  );
}

/** It forwards at once, and looks into no multicast. */
export function planBridge(name: string): readonly string[] {
  return [
    `link add dev ${name} type bridge forward_delay 0 mcast_snooping 0`,
    `link set ${name} up`,
  ];
}

function describeEnd({ interfaceName, mac, mtu, namespace }: LinkEnd): string {
  return `${interfaceName} address ${mac} mtu ${mtu} netns ${namespace.pid}`;
}
