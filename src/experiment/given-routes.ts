// SPDX-License-Identifier: MIT
// The routes that a file gives its nodes, as addresses: those of the links' ends, which are what
// the nodes have. Pure.
import type { Experiment, GivenRoute, Link, LinkMember } from "./model.ts";

/** A route as a node is told of it. An address is `""` where an end has none. */
export interface RouteAddresses {
  readonly node: string;
  readonly kind: "host" | "net";
  readonly destination: string;
  readonly netmask: string;
  readonly nextHop: string;
  /** Where the node itself is on the link of the next hop. */
  readonly source: string;
}

interface End {
  readonly link: Link;
  readonly member: LinkMember;
}

/** All routes of the file, in its order. */
export function routeAddresses({
  links,
  routes = [],
}: Pick<Experiment, "links" | "routes">): readonly RouteAddresses[] {
  if (routes.length === 0) return [];
  const byName = new Map(links.map((link) => [link.name, link]));
  const ends = new Map<string, End[]>();
  for (const link of links) {
    for (const member of link.members) {
      ends.set(member.node, [...(ends.get(member.node) ?? []), { link, member }]);
    }
  }
  for (const own of ends.values()) own.sort((a, b) => a.member.port - b.member.port);
  return routes.map(({ node, to, by }) => {
    const shared = (ends.get(node) ?? []).find(({ link }) => memberOf(link, by) !== undefined);
    const there = destinationOf(to, byName, ends);
    return {
      ...{ node, kind: to.link === undefined ? "host" : "net" },
      destination: there?.member.address ?? "",
      netmask: there?.link.netmask ?? "",
      nextHop: (shared && memberOf(shared.link, by))?.address ?? "",
      source: shared?.member.address ?? "",
    };
  });
}

/** The only end of a node; of a link the end that is named, or its first. */
function destinationOf(
  to: GivenRoute["to"],
  links: ReadonlyMap<string, Link>,
  ends: ReadonlyMap<string, readonly End[]>,
): End | undefined {
  if (to.link === undefined) return ends.get(to.node)?.[0];
  const link = links.get(to.link);
  const member = link && (to.node === undefined ? link.members[0] : memberOf(link, to.node));
  return link && member && { link, member };
}

function memberOf({ members }: Link, node: string): LinkMember | undefined {
  return members.find((member) => member.node === node);
}
