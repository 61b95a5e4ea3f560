// SPDX-License-Identifier: MIT
// How large a network of name spaces on one machine may be. What is above is refused before
// anything is made, or runs on process nodes where nobody asked for name spaces.

export interface TopologyLimits {
  /**
   * Nodes with a network of their own: ports of the bridge of the control network, which has 1023.
   */
  readonly nodesMax: number;
  /** Members of one LAN: ports of its bridge. */
  readonly lanMembersMax: number;
  /** Ends of links, all together; each is an interface in a node. */
  readonly endsMax: number;
  /** Permanent neighbour entries, all together: members * (members - 1) of each link. */
  readonly neighboursMax: number;
  /** Computed routes, all together. */
  readonly routesMax: number;
}

export const topologyLimits: TopologyLimits = {
  nodesMax: 1_000,
  lanMembersMax: 1_000,
  endsMax: 10_000,
  neighboursMax: 250_000,
  routesMax: 250_000,
};
