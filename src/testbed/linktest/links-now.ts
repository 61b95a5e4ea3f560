// SPDX-License-Identifier: MIT
// What a linktest takes for asked when it is not to go by the file: what was asked last of each way
// of each link, by the file or by an event, `muster link` and old tools since. Who has changed a
// link knows that it is changed. Pure.
//
//   N1. Ways that are as the file asks are taken from the experiment, to the digit.
//   N2. A link that was set down is not probed: nothing comes, as asked.
import type { Experiment, Link, LinkMember, LinkShape } from "../../experiment/model.ts";
import { type LinktestEdge, untestable, type Verdict } from "../../linktest/index.ts";
import type { LinkTable } from "../../network/link-table.ts";
import type { DirectionShape, ShapedLink } from "../../network/model.ts";
import type { LinktestMap } from "../../wire/tmcd/maps.ts";

type Table = Pick<LinkTable, "link" | "states">;

/** The experiment with its links as they are asked for now. N1. */
export function linksAskedNow(experiment: Experiment, table: Table): Experiment {
  return { ...experiment, links: experiment.links.map((link) => askedNow(link, table)) };
}

function askedNow(link: Link, table: Table): Link {
  const shaped = table.link(link.name);
  if (shaped === undefined) return link;
  let { members } = link;
  for (const { member, way, state } of table.states(link.name)) {
    const end = shaped.members[member];
    const asked = way === "up" ? end?.up : end?.down;
    if (end === undefined || isSame(asked, state.shape)) continue;
    members = members.map((one) =>
      changed(one, one.node === end.node, way, { shaped, now: state.shape }),
    );
  }
  return members === link.members ? link : { ...link, members };
}

/** Of a link of two, all of a way is said at the end that sends. */
function changed(
  member: LinkMember,
  isOwn: boolean,
  way: "up" | "down",
  { shaped, now }: { readonly shaped: ShapedLink; readonly now: DirectionShape },
): LinkMember {
  if (!isOwn) return shaped.kind === "link" ? { ...member, fromLink: nothing } : member;
  if (way === "down") return { ...member, fromLink: shapeOf(now) };
  return { ...member, toLink: shapeOf(now), queue: now.queue };
}

const nothing: LinkShape = { bandwidthBps: 0, delayUs: 0, loss: 0 };

function shapeOf({ queue: _queue, ...shape }: DirectionShape): LinkShape {
  return shape;
}

function isSame(asked: DirectionShape | undefined, now: DirectionShape): boolean {
  return asked === undefined || JSON.stringify(asked) === JSON.stringify(now);
}

/** What is probed, and what is not, because somebody has set it down. N2. */
export interface ProbedEdges {
  readonly map: LinktestMap;
  readonly down: readonly Verdict[];
}

/** @param file the same of the links as the file asks for them */
export function probedEdges(map: LinktestMap, file: LinktestMap, table: Table): ProbedEdges {
  const asked = new Map(file.edges.map((edge) => [nameOf(edge), JSON.stringify(edge)]));
  const edges = map.edges.map((edge): LinktestEdge => {
    return asked.get(nameOf(edge)) === JSON.stringify(edge) ? edge : { ...edge, isChanged: true };
  });
  const closed = new Map<string, ReadonlySet<string>>();
  for (const link of new Set(edges.map((edge) => edge.link)))
    closed.set(link, closedAt(link, table));
  const isDown = ({ link, from, to }: LinktestEdge): boolean => {
    const ends = closed.get(link);
    return ends?.has(from) === true || ends?.has(to) === true;
  };
  return {
    map: { ...map, edges: edges.filter((edge) => !isDown(edge)) },
    down: edges.filter(isDown).map((edge) => {
      const why = `${edge.link} was set down: muster link up lets packets through again`;
      return { ...untestable("latency", edge, why), expected: edge.delayMs };
    }),
  };
}

/** Members a way of which is down. */
function closedAt(link: string, table: Table): ReadonlySet<string> {
  const members = table.link(link)?.members ?? [];
  const closed = table.states(link).filter(({ state }) => !state.isUp);
  return new Set(closed.flatMap(({ member }) => members[member]?.node ?? []));
}

const nameOf = ({ link, from, to }: LinktestEdge): string => `${link} ${from} ${to}`;
