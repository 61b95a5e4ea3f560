// SPDX-License-Identifier: MIT
// What users have set of links for good (delay_config -m, link_config -m), laid over what the file
// says: the same words as in LINK events, in the model and in the rows alike. Pure.
// [EMULAB-EVENTS 5.1]
//
//   V1. What is set of a whole link or LAN is what a packet meets on its way: half the delay at
//       each of the two ends it passes, and a loss whose two parts make up the whole.
//   V2. What is set of a node at a link is its way to the other end, in the same two parts; of a
//       node at a LAN it is both ways of that node, each as it stands.
//   V3. ENABLE=no is an event at time 0: a link has no other way to be down from the beginning.
//   K1. Of a key of a link the last word counts: what is set of the whole link replaces what was
//       set of single nodes.
import type { Experiment, Tables } from "../experiment/index.ts";
import { halfOf } from "../experiment/link-shape.ts";
import type { Link, LinkMember, LinkShape, QueueShape } from "../experiment/model.ts";
import { usualQueue } from "../network/model.ts";

/** One key of a link, or of one node at it. */
export interface LinkSetting {
  readonly link: string;
  /** `""`: the whole of it. */
  readonly node: string;
  readonly key: string;
  readonly value: string;
}

/** K1. */
export function replaces(newer: LinkSetting, older: LinkSetting): boolean {
  const isOfKey = newer.link === older.link && newer.key === older.key;
  return isOfKey && (newer.node === "" || newer.node === older.node);
}

export interface Overlaid {
  readonly experiment: Experiment;
  readonly rows: Tables;
}

type Row = Tables[string][number];

/** Settings of links that the file does not have any more change nothing. */
export function overlayLinks(whole: Overlaid, settings: readonly LinkSetting[]): Overlaid {
  return settings.reduce(overlay, whole);
}

function overlay(whole: Overlaid, setting: LinkSetting): Overlaid {
  const { experiment, rows } = whole;
  const link = experiment.links.find(({ name }) => name === setting.link);
  if (link === undefined) return whole;
  if (setting.key === "ENABLE") return setting.value === "no" ? disabled(whole, link) : whole;
  const members = link.members.map((member) => {
    const [toLink, fromLink] = partsFor(link, member, setting);
    return {
      ...member,
      toLink: toLink === undefined ? member.toLink : { ...member.toLink, ...toLink },
      fromLink: fromLink === undefined ? member.fromLink : { ...member.fromLink, ...fromLink },
      ...queueFor(member, setting),
    };
  });
  const links = experiment.links.map((one) => (one === link ? { ...link, members } : one));
  const virtLans = (rows["virt_lans"] ?? []).map((row) => {
    const at = link.members.findIndex(({ node }) => node === row["vnode"]);
    const member = members[at];
    return row["vname"] === link.name && member !== undefined ? rowOf(row, member) : row;
  });
  return { experiment: { ...experiment, links }, rows: { ...rows, virt_lans: virtLans } };
}

type Part = Partial<LinkShape> | undefined;

/** V1, V2: of the ways from a member to the link and back. */
function partsFor(
  { kind, members }: Link,
  { node }: LinkMember,
  setting: LinkSetting,
): [Part, Part] {
  const half = shapeOf(setting, "half");
  if (setting.node === "") return [half, half];
  const isOwn = node === setting.node;
  if (kind === "lan") {
    const all = isOwn ? shapeOf(setting, "all") : undefined;
    return [all, all];
  }
  const isPeer = !isOwn && members.some((member) => member.node === setting.node);
  return [isOwn ? half : undefined, isPeer ? half : undefined];
}

function shapeOf({ key, value }: LinkSetting, part: "half" | "all"): Part {
  const number = Number(value);
  switch (key) {
    case "BANDWIDTH":
      return { bandwidthBps: number * 1_000 };
    case "DELAY":
      return { delayUs: (number * 1_000) / (part === "half" ? 2 : 1) };
    case "PLR":
      return { loss: part === "half" ? halfOf(number) : number };
    default:
      return undefined;
  }
}

function queueFor(member: LinkMember, setting: LinkSetting): { readonly queue?: QueueShape } {
  const isMeant = setting.node === "" || setting.node === member.node;
  const change = queueKeys.get(setting.key);
  if (!isMeant || change === undefined) return {};
  return { queue: { ...(member.queue ?? usualQueue), ...change(Number(setting.value)) } };
}

const queueKeys: ReadonlyMap<string, (value: number) => Partial<QueueShape>> = new Map<
  string,
  (value: number) => Partial<QueueShape>
>([
  ["LIMIT", (limit) => ({ limit })],
  ["QUEUE-IN-BYTES", (value) => ({ limitUnit: value === 0 ? "packets" : "bytes" })],
  ["THRESH", (minThreshold) => ({ minThreshold })],
  ["MAXTHRESH", (maxThreshold) => ({ maxThreshold })],
  ["LINTERM", (dropOneIn) => ({ dropOneIn })],
  ["Q_WEIGHT", (averageWeight) => ({ averageWeight })],
]);

/** What can be kept of a link. */
export const keptKeys: readonly string[] = [
  ...["BANDWIDTH", "DELAY", "PLR", ...queueKeys.keys(), "ENABLE"],
];

/** [EMULAB-NSFILE 13] Bandwidths in kb/s, delays in ms. */
function rowOf(row: Row, { toLink, fromLink, queue }: LinkMember): Row {
  const shape = {
    delay: String(toLink.delayUs / 1_000),
    rdelay: String(fromLink.delayUs / 1_000),
    bandwidth: String(toLink.bandwidthBps / 1_000),
    rbandwidth: String(fromLink.bandwidthBps / 1_000),
    lossrate: String(toLink.loss),
    rlossrate: String(fromLink.loss),
  };
  if (queue === undefined) return { ...row, ...shape };
  return {
    ...{ ...row, ...shape },
    q_limit: String(queue.limit),
    q_qinbytes: queue.limitUnit === "bytes" ? "1" : "0",
    q_minthresh: String(queue.minThreshold),
    q_maxthresh: String(queue.maxThreshold),
    q_linterm: String(queue.dropOneIn),
    q_weight: String(queue.averageWeight),
  };
}

/** V3. */
function disabled({ experiment, rows }: Overlaid, { name, at }: Link): Overlaid {
  const { events, sequences, timelines } = experiment;
  const all = [
    ...events,
    ...sequences.flatMap(({ steps }) => steps),
    ...timelines.flatMap((one) => one.events),
  ];
  const index = all.reduce((last, event) => Math.max(last, event.index), -1) + 1;
  const down = { type: "LINK", event: "DOWN", args: "" };
  const event = { ...down, index, atUs: 0, object: name, at };
  const row: Row = {
    ...{ time: "0", vnode: "", vname: name, objecttype: "LINK", eventtype: "DOWN" },
    ...{ arguments: "", atstring: "", triggertype: "TIMER" },
  };
  const eventlist = [...(rows["eventlist"] ?? []), row];
  return {
    experiment: { ...experiment, events: [...events, event] },
    rows: { ...rows, eventlist },
  };
}
