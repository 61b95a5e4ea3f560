// SPDX-License-Identifier: MIT
// LINK events as changes of links: which links and ways an object names, and what its ARGS ask for.
// Pure. [EMULAB-EVENTS 5.1]
//
// `PIPE=path` is Muster's own: what comes behind it is what a packet meets from node to node, which
// a LAN shares between the two members on its way, as it does with what a file asks for. The old
// words of a whole LAN are for each way of each member.
//
// Differs from the old agents where they were at fault: keys count in any case, blanks may be as
// many as one likes, and a key or value that is not known refuses the whole event instead of
// being passed over.
import { firstOfTwo, secondOfTwo } from "../experiment/link-shape.ts";
import type { DirectionChange, LinkChange, QueueShape, ShapedLink } from "./model.ts";

/** What an object of LINK events names. */
export interface LinkObject {
  readonly link: ShapedLink;
  /** `LINK-NODE`; left out, all of the link. */
  readonly node?: string;
}

/** @returns undefined when no link has the name; a link's own name goes before `LINK-NODE`. */
export function findLinkObject(links: readonly ShapedLink[], name: string): LinkObject | undefined {
  const whole = links.find((link) => link.name === name);
  if (whole !== undefined) return { link: whole };
  for (const link of links) {
    const member = link.members.find(({ node }) => name === `${link.name}-${node}`);
    if (member !== undefined) return { link, node: member.node };
  }
  return undefined;
}

/** @returns why nobody can tell which end `LINK-NODE` names; undefined: one can. */
export function describeAmbiguous(links: readonly ShapedLink[], name: string): string | undefined {
  if (links.some((link) => link.name === name)) return undefined;
  const meant = links.flatMap((link) =>
    link.members.some(({ node }) => name === `${link.name}-${node}`)
      ? [`${name.slice(link.name.length + 1)} on ${link.name}`]
      : [],
  );
  if (meant.length < 2) return undefined;
  return `${name} may be ${meant.join(", or ")}: name the whole link, or give one another name`;
}

/** @returns the changes, or a sentence that says what is wrong. */
export function readLinkEvent(
  object: LinkObject,
  event: string,
  args: string,
): readonly LinkChange[] | string {
  switch (event) {
    case "UP":
    case "DOWN":
      return [wholeChange(object, { kind: event === "UP" ? "up" : "down" })];
    case "RESET":
      return [wholeChange(object, { kind: "reset" })];
    case "CLEAR":
      return [wholeChange(object, { kind: "clear" })];
    case "CREATE": {
      const changes = readModify(object, args);
      if (typeof changes === "string") return changes;
      return [wholeChange(object, { kind: "create" }), ...changes];
    }
    case "MODIFY": {
      const changes = readModify(object, args);
      if (typeof changes !== "string" && changes.length === 0) {
        return `MODIFY says nothing to change; give ${knownKeys}`;
      }
      return changes;
    }
    default:
      return `links take UP, DOWN, MODIFY, RESET, CREATE and CLEAR, not ${event}`;
  }
}

/** Both directions, also when it names one end of a link. */
function wholeChange({ link, node }: LinkObject, what: LinkChange["what"]): LinkChange {
  const isMember = link.kind === "lan" && node !== undefined;
  return { link: link.name, ...(isMember ? { node } : {}), what };
}

const knownKeys =
  "BANDWIDTH, DELAY, JITTER, PLR, DUPLICATE, REORDER, LIMIT, QUEUE-IN-BYTES, THRESH, MAXTHRESH, LINTERM, Q_WEIGHT or PIPE";

/** What the keys so far ask of each direction; PIPE begins a new one. */
interface Section {
  readonly pipe: 0 | 1 | "path" | undefined;
  shape: DirectionChange;
  queue: Partial<QueueShape>;
}

function readModify(object: LinkObject, args: string): readonly LinkChange[] | string {
  let section: Section = { pipe: undefined, shape: {}, queue: {} };
  const sections = [section];
  for (const word of args.split(/\s+/)) {
    if (word === "") continue;
    const equals = word.indexOf("=");
    if (equals <= 0) return `'${word}' is not KEY=VALUE`;
    const key = word.slice(0, equals).toUpperCase();
    const value = word.slice(equals + 1);
    if (key === "PIPE") {
      const pipe = pipes.get(value.toLowerCase());
      if (pipe === undefined) return `PIPE is pipe0, pipe1 or path, not ${value}`;
      section = { pipe, shape: {}, queue: {} };
      sections.push(section);
      continue;
    }
    const problem = readKey(section, key, value);
    if (problem !== undefined) return problem;
  }
  return sections.flatMap((one) => changesOf(object, one));
}

const pipes: ReadonlyMap<string, 0 | 1 | "path"> = new Map<string, 0 | 1 | "path">([
  ["pipe0", 0],
  ["pipe1", 1],
  ["path", "path"],
]);

function readKey(section: Section, key: string, text: string): string | undefined {
  if (key === "BACKFILL") return "BACKFILL is not performed: nothing makes the traffic of others";
  if (flowKeys.has(key)) {
    return `${key} is not performed: a link is shaped whole, not for each flow`;
  }
  const value = readNumber(text);
  const ofShape = shapeKeys.get(key);
  const ofQueue = queueKeys.get(key);
  if (ofShape === undefined && ofQueue === undefined)
    return `a link takes ${knownKeys}, not ${key}`;
  if (value === undefined) return `${key} is a number, not '${text}'`;
  if (ofShape !== undefined) section.shape = { ...section.shape, ...ofShape(value) };
  if (ofQueue !== undefined) section.queue = { ...section.queue, ...ofQueue(value, section.queue) };
  return undefined;
}

const flowKeys: ReadonlySet<string> = new Set(["DEST", "PROTOCOL", "SRCPORT", "DSTPORT"]);

const shapeKeys: ReadonlyMap<string, (value: number) => DirectionChange> = new Map<
  string,
  (value: number) => DirectionChange
>([
  ["BANDWIDTH", (value) => ({ bandwidthBps: value * 1_000 })],
  ["DELAY", (value) => ({ delayUs: value * 1_000 })],
  ["JITTER", (value) => ({ jitterUs: value * 1_000 })],
  ["PLR", (loss) => ({ loss })],
  ["DUPLICATE", (duplicate) => ({ duplicate })],
  ["REORDER", (reorder) => ({ reorder })],
]);

type QueueChange = Partial<QueueShape>;

const queueKeys: ReadonlyMap<string, (value: number, before: QueueChange) => QueueChange> = new Map<
  string,
  (value: number, before: QueueChange) => QueueChange
>([
  // The unit is packets unless the same event has said otherwise before.
  ["LIMIT", (limit, before) => ({ limit, limitUnit: before.limitUnit ?? "packets" })],
  ["QUEUE-IN-BYTES", (value) => ({ limitUnit: value === 0 ? "packets" : "bytes" })],
  ["THRESH", (minThreshold) => ({ minThreshold })],
  ["MAXTHRESH", (maxThreshold) => ({ maxThreshold })],
  ["LINTERM", (dropOneIn) => ({ dropOneIn })],
  ["Q_WEIGHT", (averageWeight) => ({ averageWeight })],
]);

/**
 * A unit behind the number is passed over, as it always was. One that is too large to be told to
 * who shapes is none: there it would be nothing.
 */
function readNumber(text: string): number | undefined {
  const [, digits] = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:[a-z]*)$/i.exec(text) ?? [];
  const value = Number(digits);
  return Number.isFinite(value) ? value : undefined;
}

function changesOf(
  { link, node }: LinkObject,
  { pipe, shape, queue }: Section,
): readonly LinkChange[] {
  const hasShape = Object.keys(shape).length > 0;
  const hasQueue = Object.keys(queue).length > 0;
  if (!hasShape && !hasQueue) return [];
  const both: DirectionChange = hasQueue ? { ...shape, queue } : shape;
  const to = (where: Pick<LinkChange, "node" | "way">, change: DirectionChange): LinkChange => ({
    ...where,
    link: link.name,
    what: { kind: "modify", shape: change },
  });
  if (link.kind === "link") {
    const ends = link.members.map((member) => member.node);
    if (typeof pipe !== "number") return [to(node === undefined ? {} : { node }, both)];
    return [to({ node: ends[pipe] ?? "" }, both)];
  }
  const member = node === undefined ? {} : { node };
  if (pipe === 0) return [to({ ...member, way: "up" }, both)];
  if (pipe === 1) return [to({ ...member, way: "down" }, both)];
  const isShared = pipe === "path" && node === undefined;
  // The queue of a LAN's member is the one from it towards the LAN.
  if (!hasQueue && !isShared) return [to(member, shape)];
  const [up, down] = isShared ? [firstOfTwo(shape), secondOfTwo(shape)] : [shape, shape];
  return [
    to({ ...member, way: "up" }, hasQueue ? { ...up, queue } : up),
    ...(hasShape ? [to({ ...member, way: "down" }, down)] : []),
  ];
}
