// SPDX-License-Identifier: MIT
// Links and LANs of a document: members, shapes each way, addresses.
// What is said of a link is meant from node to node; each direction is then shared between the two
// ends it passes, as pipes are where shaping happens.

import { linkMembersMax } from "../limits.ts";
import { firstOfTwo, type PathChange, secondOfTwo, someExtras } from "../link-shape.ts";
import type {
  Link,
  LinkMember,
  LinkShape,
  QueueShape,
  SourcePosition,
  TraceWish,
} from "../model.ts";
import { bandwidthIn, durationIn, integerIn, percentageIn, type ReadContext } from "./context.ts";
import { queueIn } from "./queues.ts";
import { traceIn } from "./traces.ts";
import { child, type DocumentNode, entryOf, type ListNode, type MapEntry, textOf } from "./tree.ts";

/** A member before addresses are chosen. */
export interface DraftMember extends Omit<LinkMember, "address"> {
  /** Undefined: choose one. `""`: none. */
  readonly address: string | undefined;
}

export interface DraftLink extends Omit<Link, "members"> {
  readonly members: readonly DraftMember[];
}

/** What a path from node to node is to have; undefined parts come from the link as a whole. */
export type PathShape = PathChange;

/** The share of the node that sends. */
export function firstHalf(path: PathShape): LinkShape {
  return shapeOf(firstOfTwo(path));
}

/** The share of the node that receives. */
export function secondHalf(path: PathShape): LinkShape {
  return shapeOf(secondOfTwo(path));
}

function shapeOf({ bandwidthBps = 0, delayUs = 0, loss = 0, ...extras }: PathShape): LinkShape {
  return { bandwidthBps, delayUs, loss, ...someExtras(extras) };
}

/** What a document says of a path, or of one half of it; the rest is as otherwise. */
export function pathIn(node: DocumentNode | undefined, otherwise: PathShape = {}): PathShape {
  return {
    bandwidthBps: bandwidthIn(node, "bandwidth") ?? otherwise.bandwidthBps,
    delayUs: durationIn(node, "delay") ?? otherwise.delayUs,
    loss: percentageIn(node, "loss") ?? otherwise.loss,
    jitterUs: durationIn(node, "jitter") ?? otherwise.jitterUs,
    duplicate: percentageIn(node, "duplicate") ?? otherwise.duplicate,
    reorder: percentageIn(node, "reorder") ?? otherwise.reorder,
  };
}

/** Reads the links in the order of the file, which is the order of interfaces. */
export function readLinks(context: ReadContext, tree: DocumentNode | undefined): DraftLink[] {
  const ports = new Map<string, Set<number>>();
  const links: DraftLink[] = [];
  let members = 0;
  for (const entry of tree?.kind === "map" ? tree.entries : []) {
    const link = readLink(context, entry, ports);
    members += link.members.length;
    if (members > linkMembersMax) {
      const message = `links have more than ${linkMembersMax} ends together`;
      context.findings.error(entry.keyAt, "YAML_LIMIT", message);
      break;
    }
    if (context.declare(link.name, "link", link.at)) context.linkKinds.set(link.name, link.kind);
    for (const { node } of link.members) context.declareLinkEnd(link.name, node);
    links.push(link);
  }
  return links;
}

function readLink(
  context: ReadContext,
  { key, keyAt, value }: MapEntry,
  ports: Map<string, Set<number>>,
): DraftLink {
  const between = child(value, "between");
  const lan = child(value, "lan");
  const { findings } = context;
  if ((between === undefined) === (lan === undefined) && value.kind === "map") {
    const message = `${key} needs its nodes, either as a link or as a LAN`;
    const hint = `Write between: [a, b] for a link, or lan: [a, b, c].`;
    findings.error(keyAt, "YAML_LINK_NODES", message, hint);
  }
  const ends = readEnds(context, value, between !== undefined);
  const list = between ?? lan;
  const members = (list?.kind === "list" ? list.items : []).flatMap((item, index) => {
    return readMember(context, item, ends(index), ports);
  });
  const netmask = readNetmask(context, child(value, "netmask"));
  const kind = between === undefined ? "lan" : "link";
  if (list?.kind === "list") checkMembers(context, kind, members, list);
  const cost = integerIn(value, "cost") ?? 1;
  return { name: key, kind, netmask, ...(cost === 1 ? {} : { cost }), members, at: keyAt };
}

/** What the file asks of the member at an index, as far as the member does not say it itself. */
type Ends = (index: number) => Pick<LinkMember, "toLink" | "fromLink" | "queue" | "trace">;

function readEnds(context: ReadContext, body: DocumentNode, isLink: boolean): Ends {
  const whole = pathIn(body);
  const trace = traceIn(child(body, "trace"));
  for (const name of isLink ? [] : ["forward", "backward"]) {
    const entry = entryOf(body, name);
    if (entry === undefined) continue;
    const hint = "For a member of a LAN write: { node: a, to: { ... }, from: { ... } }";
    context.findings.error(entry.keyAt, "YAML_LAN_WAY", `a LAN has no ${name} direction`, hint);
  }
  const ways = ["forward", "backward"].map((name) => {
    const way = child(body, name);
    return {
      path: pathIn(way, whole),
      queue: queueIn(child(way, "queue") ?? child(body, "queue")),
    };
  });
  return (index) => {
    const [out, back] = index === 0 ? [ways[0], ways[1]] : [ways[1], ways[0]];
    return {
      toLink: firstHalf(out?.path ?? whole),
      fromLink: secondHalf(back?.path ?? whole),
      ...withQueue(out?.queue),
      ...withTrace(trace),
    };
  };
}

function withQueue(queue: QueueShape | undefined): { readonly queue?: QueueShape } {
  return queue === undefined ? {} : { queue };
}

function withTrace(trace: TraceWish | undefined): { readonly trace?: TraceWish } {
  return trace === undefined ? {} : { trace };
}

function readMember(
  context: ReadContext,
  item: DocumentNode,
  whole: ReturnType<Ends>,
  ports: Map<string, Set<number>>,
): DraftMember[] {
  const reference = item.kind === "map" ? child(item, "node") : item;
  if (reference?.kind !== "text") return [];
  const nodes = context.resolve(reference, ["node"], "link");
  const address = readAddress(context, child(item, "address"));
  const asked = integerIn(item, "port");
  if (nodes.length > 1 && (address !== undefined || asked !== undefined)) {
    const message = `${reference.text} is ${nodes.length} nodes, which cannot share one address`;
    context.findings.error(reference.at, "YAML_ADDRESS", message, "Name the nodes one by one.");
  }
  const toLink = pipeIn(child(item, "to"), whole.toLink);
  const fromLink = pipeIn(child(item, "from"), whole.fromLink);
  const said = child(item, "queue");
  const queue = withQueue(said === undefined ? whole.queue : queueIn(said));
  const trace = withTrace(traceIn(child(item, "trace")) ?? whole.trace);
  return nodes.map((node) => {
    const port = takePort(context, ports, node, asked, reference.at);
    return { node, port, address, toLink, fromLink, ...queue, ...trace };
  });
}

/** One half by itself, taken as it stands. */
function pipeIn(node: DocumentNode | undefined, otherwise: LinkShape): LinkShape {
  return shapeOf(pathIn(node, otherwise));
}

function takePort(
  context: ReadContext,
  ports: Map<string, Set<number>>,
  node: string,
  asked: number | undefined,
  at: SourcePosition,
): number {
  const taken = ports.get(node) ?? new Set();
  ports.set(node, taken);
  const port = asked ?? taken.size;
  if (taken.has(port)) {
    const message = `interface ${port} of ${node} is on another link already`;
    context.findings.error(at, "YAML_PORT", message, "Leave out port, or give each its own.");
  }
  taken.add(port);
  return port;
}

function checkMembers(
  { findings }: ReadContext,
  kind: Link["kind"],
  members: readonly DraftMember[],
  { at, items }: ListNode,
): void {
  const names = members.map(({ node }) => node);
  // Of groups; too long a list has been told already.
  if (kind === "link" && members.length > 2 && items.length <= 2) {
    const message = `a link is between two nodes, and these are ${members.length}`;
    findings.error(at, "YAML_LINK_NODES", message, "For more nodes write lan: [...].");
  }
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) {
    findings.error(at, "YAML_LINK_NODES", `${twice} is on this ${kind} twice`, "Name it once.");
  } else if (kind === "lan" && members.length === 1) {
    findings.error(at, "YAML_LINK_NODES", "a LAN of one node connects nothing", "Add a node.");
  }
}

function octets(text: string): readonly number[] {
  const parts = text.split(".").map(Number);
  return parts.every((part) => part <= 255) ? parts : [];
}

function readAddress(context: ReadContext, node: DocumentNode | undefined): string | undefined {
  const text = textOf(node);
  if (text === undefined || node === undefined) return undefined;
  if (text === "none") return "";
  if (/^[0-9.]+$/.test(text) && octets(text).length !== 4) {
    const hint = "Each of the four numbers is at most 255.";
    context.findings.error(node.at, "YAML_ADDRESS", `${text} is no address`, hint);
  }
  return text;
}

function readNetmask(context: ReadContext, node: DocumentNode | undefined): string {
  const text = textOf(node);
  if (text === undefined || node === undefined) return "255.255.255.0";
  const value = octets(text).reduce((sum, part) => sum * 256 + part, 0);
  const host = 4_294_967_295 - value;
  // A mask is ones, then zeros: its complement plus one is a power of two.
  const isMask = octets(text).length === 4 && (host & (host + 1)) >>> 0 === 0;
  if (!isMask || host < 3) {
    const hint = "Write ones followed by zeros, such as 255.255.255.0.";
    context.findings.error(node.at, "YAML_ADDRESS", `${text} is no netmask`, hint);
  }
  return text;
}
