// SPDX-License-Identifier: MIT
// Links as they are without shaping: a veth pair for a link of two, a bridge in the run's own
// namespace for a LAN.
//
//   U1. Everything is made by one process of `ip`, however many links there are.
import type { LinkBackend, LinkEnd, LinkEnds, NamespaceCommands } from "./link-backend.ts";

/** The unshaped back end. */
export function createUnshapedLinks(commands: NamespaceCommands): LinkBackend {
  return {
    kind: "none",
    attach: (links) => commands.ip(commands.hub, planUnshaped(links)),
    set: () => Promise.resolve(),
    failed: new Promise(() => undefined),
    stop: () => Promise.resolve(),
  };
}

/** Lines for `ip -batch` in the hub. Pure. */
export function planUnshaped(links: readonly LinkEnds[]): readonly string[] {
  return links.flatMap((link) => {
    const [one, other, ...more] = link.ends;
    const isPair = link.kind === "link" && one !== undefined && other !== undefined;
    if (isPair && more.length === 0) {
      return [`link add dev ${describeEnd(one)} type veth peer name ${describeEnd(other)}`];
    }
    const bridge = `b${one?.slot ?? 0}`;
    return one === undefined ? [] : [...planBridge(bridge), ...planPorts(bridge, link.ends)];
  });
}

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
