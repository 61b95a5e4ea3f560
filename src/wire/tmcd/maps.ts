// SPDX-License-Identifier: MIT
// The texts of the maps that nodes unpack: the topology, from which they make names and routes by
// themselves, and the links as a check of the network has to find them. [EMULAB-TMCD 13]
// [EMULAB-NSFILE 12] [LINKTEST 3.1] Packing is the server's business.

export interface TopologyMap {
  readonly nodes: readonly {
    readonly name: string;
    readonly links: readonly { readonly lan: string; readonly address: string }[];
  }[];
  readonly lans: readonly { readonly name: string; readonly mask: string; readonly cost: number }[];
}

/** A section of nodes with their links, and one of links; each begins with its columns. */
export function formatTopologyMap({ nodes, lans }: TopologyMap): string {
  const lines = [
    "# nodes: vname,links",
    ...nodes.map(({ name, links }) => {
      return `${name},${links.map(({ lan, address }) => `${lan}:${address}`).join(" ")}`;
    }),
    "# lans: vname,mask,cost",
    ...lans.map(({ name, mask, cost }) => `${name},${mask},${cost}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** One direction between two nodes. */
export interface LinktestEdge {
  readonly from: string;
  readonly to: string;
  readonly bandwidthBps: number;
  readonly delayMs: number;
  /** 0 to 1. */
  readonly loss: number;
  /**
   * The delay of each packet is up to so much more or less; shares of packets that are not delayed,
   * and that come twice. Left out: none. The text of the map says none of this.
   */
  readonly jitterMs?: number;
  readonly reorder?: number;
  readonly duplicate?: number;
  readonly link: string;
  readonly queue: "droptail" | "red" | "gred";
  /** How many wait in it; 50 packets when left out. The text of the map does not say it. */
  readonly queueLimit?: { readonly limit: number; readonly unit: "packets" | "bytes" };
  /**
   * Of RED: from which length on it drops, packets. No more can be relied on to wait in it, however
   * much is offered. Left out: it fills. The text of the map does not say it.
   */
  readonly queueMinimum?: number;
  /** It is what somebody made of it since, and not what the file asks. Only verdicts say so. */
  readonly isChanged?: true;
  /** It is what the file asks, and somebody has made this of it since. Only verdicts say so. */
  readonly since?: EdgeSince;
}

export interface EdgeSince extends Pick<LinktestEdge, "bandwidthBps" | "delayMs" | "loss"> {
  readonly isUp: boolean;
}

export interface LinktestMap {
  readonly nodes: readonly string[];
  readonly edges: readonly LinktestEdge[];
  readonly routing: string;
  /** Name of the simulator's event agent. */
  readonly simulator: string;
}

export function formatLinktestMap({ nodes, edges, routing, simulator }: LinktestMap): string {
  const lines = [
    ...nodes.map((name) => `h ${name}`),
    ...edges.map(({ from, to, bandwidthBps, delayMs, loss, link, queue }) => {
      const delay = (delayMs / 1000).toFixed(4);
      return `l ${from} ${to} ${bandwidthBps} ${delay} ${loss.toFixed(6)} ${link} ${queue}`;
    }),
    `r ${routing}`,
    `s ${simulator}`,
  ];
  return lines.map((line) => `${line}\n`).join("");
}
