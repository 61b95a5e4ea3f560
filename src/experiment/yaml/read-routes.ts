// SPDX-License-Identifier: MIT
// Routes that a document gives its nodes: to a node, to the network of a link, or to that network
// by the name of an end (LINK-NODE), each by a node beside it.
import type { GivenRoute } from "../model.ts";
import type { ReadContext } from "./context.ts";
import type { DraftLink } from "./read-links.ts";
import { child, type DocumentNode, type ScalarNode } from "./tree.ts";

/** The routes of one node, as its document has them. */
export interface NodeRoutes {
  readonly node: string;
  readonly list: DocumentNode;
}

export function readRoutes(
  context: ReadContext,
  wishes: readonly NodeRoutes[],
  links: readonly DraftLink[],
): readonly GivenRoute[] {
  const linksOf = new Map<string, DraftLink[]>();
  for (const link of links) {
    for (const { node } of link.members) linksOf.set(node, [...(linksOf.get(node) ?? []), link]);
  }
  return wishes.flatMap(({ node, list }) => {
    const seen = new Set<string>();
    return (list.kind === "list" ? list.items : []).flatMap((item): GivenRoute[] => {
      const [to, by] = [child(item, "to"), child(item, "by")];
      if (to?.kind !== "text" || by?.kind !== "text") return [];
      const destination = readDestination(context, to, { links, linksOf });
      const [hop, ...more] = context.resolve(by, ["node"], "by");
      if (destination === undefined || hop === undefined) return [];
      const isBeside = linksOf.get(node)?.some((link) => hasMember(link, hop)) === true;
      if (hop === node || more.length > 0 || !isBeside) {
        const message = `${by.text} is not beside ${node}, which is to send by it`;
        const hint = "Name one node that is on a link with it.";
        context.findings.error(by.at, "YAML_ROUTE", message, hint);
      } else if (seen.has(to.text)) {
        const message = `${node} has a route to ${to.text} already`;
        context.findings.error(to.at, "YAML_ROUTE", message, "Keep one of them.");
      }
      seen.add(to.text);
      return [{ node, to: destination, by: hop, at: item.at }];
    });
  });
}

interface Topology {
  readonly links: readonly DraftLink[];
  readonly linksOf: ReadonlyMap<string, readonly DraftLink[]>;
}

/** An object of the name comes first, as where events name one. */
function readDestination(
  context: ReadContext,
  to: ScalarNode,
  { links, linksOf }: Topology,
): GivenRoute["to"] | undefined {
  const { text, at } = to;
  if (context.isLinkEnd(text)) {
    const link = links.find(({ name, members }) =>
      members.some(({ node }) => text === `${name}-${node}`),
    );
    return link && { link: link.name, node: text.slice(link.name.length + 1) };
  }
  const [name, ...more] = context.resolve(to, ["node", "link"], "to");
  if (name === undefined) return undefined;
  if (context.kindOf(name) === "link") return { link: name };
  const count = linksOf.get(name)?.length ?? 0;
  if (more.length === 0 && count === 1) return { node: name };
  const why =
    more.length > 0 ? "is several nodes" : count === 0 ? "is on no link" : "is on several links";
  const hint = "Name a link instead, or one end of it: LINK-NODE.";
  context.findings.error(at, "YAML_ROUTE", `the destination ${text} ${why}`, hint);
  return undefined;
}

function hasMember({ members }: DraftLink, name: string): boolean {
  return members.some(({ node }) => node === name);
}

/** As `readRoutes` reads it. */
export function printDestination(to: GivenRoute["to"]): string {
  if (to.link === undefined) return to.node;
  return to.node === undefined ? to.link : `${to.link}-${to.node}`;
}
