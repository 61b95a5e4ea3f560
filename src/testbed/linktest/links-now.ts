// SPDX-License-Identifier: MIT
// What a linktest takes for asked when it is not to go by the file: what was asked last of each way
// of each link, by the file or by an event, `muster link` and old tools since. Who has changed a
// link knows that it is changed. Pure.
//
//   N1. Ways that are as the file asks are taken from the experiment, to the digit.
//   N2. A link that was set down is not probed: nothing comes, as asked.
//   N3. A test by the file finds links bad that somebody has made so on purpose. It says of which
//       ways that is, and what they are asked for now, so that nobody looks for a fault.
import type { Experiment, Link, LinkMember, LinkShape } from "../../experiment/model.ts";
import {
  describeSince,
  type EdgeSince,
  type LinktestEdge,
  untestable,
  type Verdict,
} from "../../linktest/index.ts";
import type { LinkTable } from "../../network/link-table.ts";
import { type DirectionShape, type ShapedLink, shapeLink } from "../../network/model.ts";
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

type Named = Pick<LinktestEdge, "link" | "from" | "to">;

const nameOf = ({ link, from, to }: Named): string => `${link} ${from} ${to}`;

/**
 * N3.
 * @param map of the experiment that the test goes by
 * @param now the same of its links as they are asked for now
 */
export function edgesSince(
  map: LinktestMap,
  now: LinktestMap,
  { links, table }: { readonly links: readonly Link[]; readonly table: Table },
): LinktestMap {
  const present = new Map(now.edges.map((edge) => [nameOf(edge), edge]));
  const changed = new Map(links.map((link) => [link.name, waysSince(link, table)]));
  const edges = map.edges.map((edge): LinktestEdge => {
    const is = present.get(nameOf(edge));
    const { ways = nobody, down = nobody } = changed.get(edge.link) ?? {};
    const [out, into] = [`up ${edge.from}`, `down ${edge.to}`];
    const isUp = !down.has(out) && !down.has(into);
    if (is === undefined || (isUp && !ways.has(out) && !ways.has(into))) return edge;
    const { bandwidthBps, delayMs, loss } = is;
    return { ...edge, since: { bandwidthBps, delayMs, loss, isUp } };
  });
  return { ...map, edges };
}

const nobody: ReadonlySet<string> = new Set();

interface WaysSince {
  /** `up NODE`, `down NODE`: those that do something else than the test goes by. */
  readonly ways: ReadonlySet<string>;
  /** Those that let nothing pass. */
  readonly down: ReadonlySet<string>;
}

function waysSince(link: Link, table: Table): WaysSince {
  // By name: members that came later are behind the others in the table, wherever the file has
  // them.
  const asked = new Map(shapeLink(link).members.map((end) => [end.node, end]));
  const members = table.link(link.name)?.members ?? [];
  const ways = new Set<string>();
  const down = new Set<string>();
  for (const { member, way, state } of table.states(link.name)) {
    const end = asked.get(members[member]?.node ?? "");
    const shape = way === "up" ? end?.up : end?.down;
    const name = `${way} ${end?.node}`;
    if (shape !== undefined && !isAlike(shape, state.shape)) ways.add(name);
    if (!state.isUp) down.add(name);
  }
  return { ways, down };
}

/** What old tools set is in the one as the sum of two halves, and whole in the other. */
function isAlike(asked: object, now: object): boolean {
  const others = new Map(Object.entries(now));
  return Object.entries(asked).every(([key, value]: [string, unknown]) => {
    const other: unknown = others.get(key);
    if (typeof value === "number" && typeof other === "number") {
      return Math.abs(value - other) <= 1e-9 * Math.max(1, Math.abs(value));
    }
    if (typeof value === "object" && value !== null && typeof other === "object" && other !== null)
      return isAlike(value, other);
    return value === other;
  });
}

/** N3. The verdicts with what was done to what is not ok. */
export function explainSince(verdicts: readonly Verdict[]): readonly Verdict[] {
  const since = new Map<string, EdgeSince>();
  for (const { edge } of verdicts) {
    if ("since" in edge && edge.since !== undefined) since.set(nameOf(edge), edge.since);
  }
  return verdicts.map((verdict) => {
    const { edge, stage, measured, why } = verdict;
    if (verdict.verdict === "ok") return verdict;
    const own = since.get(nameOf(edge));
    if (own !== undefined) return { ...verdict, why: `${why}; ${describeSince(own)}` };
    // What comes back by another way than it went is lost by either.
    const back = since.get(nameOf(turned(edge)));
    if (back === undefined || stage !== "latency" || measured !== null) return verdict;
    return { ...verdict, why: `${why}; of the way back: ${describeSince(back)}` };
  });
}

const turned = ({ link, from, to }: Named): Named => ({ link, from: to, to: from });

/**
 * @param table undefined where nobody shapes links
 * @returns whether what is asked of a link, or of any, has been changed since
 */
export function changesSince(
  table: Pick<LinkTable, "changesOf" | "changes"> | undefined,
): (link?: string) => boolean {
  if (table === undefined) return () => false;
  const before = table.changes;
  return (link) => {
    const last = link === undefined ? table.changes : table.changesOf(link);
    return last > before;
  };
}
