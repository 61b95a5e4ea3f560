// SPDX-License-Identifier: MIT
// Prints links: the shortest form that reads back as exactly the same shapes and addresses.

import type { Catalogue } from "../catalogue.ts";
import { isSameQueue, isSameShape, wholeOf } from "../link-shape.ts";
import type {
  ExperimentNode,
  Link,
  LinkMember,
  LinkShape,
  QueueShape,
  TraceWish,
} from "../model.ts";
import { formatBandwidth, formatDuration, formatPercentage } from "../quantities.ts";
import { assignAddresses } from "./assign-addresses.ts";
import type { PlainMap, PlainValue } from "./emit.ts";
import { Findings } from "./findings.ts";
import { differencesOf, printQueue } from "./queues.ts";
import { firstHalf, type PathShape, secondHalf } from "./read-links.ts";
import { isSameTrace, printTrace } from "./traces.ts";

type Pairs = (readonly [key: string, value: PlainValue])[];

/** All links as the `links` section. */
export function printLinks(
  nodes: readonly ExperimentNode[],
  links: readonly Link[],
  catalogue: Catalogue,
): PlainMap {
  const showAddresses = !areAddressesAutomatic(nodes, links, catalogue);
  const ports = new Map<string, number>();
  return {
    map: links.map((link) => [link.name, printLink(link, showAddresses, ports)] as const),
  };
}

/** Whether a reader that is told no address would choose these. */
export function areAddressesAutomatic(
  nodes: readonly ExperimentNode[],
  links: readonly Link[],
  catalogue: Catalogue,
): boolean {
  const drafts = links.map((link) => ({
    ...link,
    members: link.members.map((member) => ({ ...member, address: undefined })),
  }));
  const findings = new Findings();
  const automatic = assignAddresses(nodes, drafts, catalogue, findings);
  return automatic.every((link, index) => {
    const members = links[index]?.members ?? [];
    return link.members.every(({ address }, at) => address === members[at]?.address);
  });
}

function printLink(link: Link, showAddresses: boolean, ports: Map<string, number>): PlainMap {
  const [first, second] = link.members;
  const shapes = shapesOf(link);
  const members = link.members.map((member) => {
    return printMember(member, shapes, showAddresses, ports, member === first);
  });
  const isLink = link.kind === "link" && first !== undefined && second !== undefined;
  const pairs: Pairs = [[isLink ? "between" : "lan", { list: members }]];
  pairs.push(...printPath(shapes.whole));
  if (shapes.trace !== undefined) pairs.push(["trace", printTrace(shapes.trace)]);
  if (shapes.queue !== undefined) pairs.push(["queue", printWholeQueue(shapes.queue)]);
  for (const [key, path] of [
    ["forward", shapes.forward],
    ["backward", shapes.backward],
  ] as const) {
    if (path !== undefined) pairs.push([key, { map: printPath(path) }]);
  }
  if (link.netmask !== "255.255.255.0") pairs.push(["netmask", link.netmask]);
  if (link.cost !== undefined) pairs.push(["cost", link.cost]);
  return { map: pairs };
}

/** What is said for the link; members say where they differ. */
interface Shapes {
  readonly whole: PathShape;
  readonly forward?: PathShape;
  readonly backward?: PathShape;
  /** Of all members. */
  readonly queue?: QueueShape;
  /** Of all members. */
  readonly trace?: TraceWish;
}

function shapesOf(link: Link): Shapes {
  const [first, ...others] = link.members.map(({ queue }) => queue);
  const isCommon = others.every(
    (queue) => queue !== undefined && isSameQueue(queue, first ?? queue),
  );
  const [trace, ...traces] = link.members.map((member) => member.trace);
  const isTraced = traces.every((one) => one !== undefined && isSameTrace(one, trace ?? one));
  return {
    ...pathsOf(link),
    ...(first !== undefined && isCommon ? { queue: first } : {}),
    ...(trace !== undefined && isTraced ? { trace } : {}),
  };
}

function pathsOf({ kind, members }: Link): Shapes {
  const [first, second] = members;
  if (kind === "link" && first !== undefined && second !== undefined) {
    const forward = pathOf(first.toLink, second.fromLink);
    const backward = pathOf(second.toLink, first.fromLink);
    if (forward !== undefined && backward !== undefined) {
      return isSame(forward, backward) ? { whole: forward } : { whole: {}, forward, backward };
    }
    return { whole: {} };
  }
  const common = members.map(({ toLink, fromLink }) => pathOf(toLink, fromLink));
  return { whole: common.find((path) => path !== undefined) ?? {} };
}

function isSame(a: PathShape, b: PathShape): boolean {
  return isSameShape(firstHalf(a), firstHalf(b)) && isSameShape(secondHalf(a), secondHalf(b));
}

/** The path whose halves these are, or undefined when there is none. */
function pathOf(out: LinkShape, into: LinkShape): PathShape | undefined {
  const path = {
    bandwidthBps: out.bandwidthBps,
    delayUs: out.delayUs + into.delayUs,
    loss: wholeOf(out.loss),
    jitterUs: (out.jitterUs ?? 0) + (into.jitterUs ?? 0),
    duplicate: wholeOf(out.duplicate),
    reorder: wholeOf(out.reorder),
  };
  const isWhole = isSameShape(firstHalf(path), out) && isSameShape(secondHalf(path), into);
  return isWhole ? path : undefined;
}

function printPath(path: PathShape): Pairs {
  return printDifferences(path, {});
}

function printMember(
  member: LinkMember,
  { whole, forward, backward, queue, trace }: Shapes,
  showAddress: boolean,
  ports: Map<string, number>,
  isFirst: boolean,
): PlainValue {
  const pairs: Pairs = [["node", member.node]];
  if (showAddress) pairs.push(["address", member.address === "" ? "none" : member.address]);
  const automatic = ports.get(member.node) ?? 0;
  ports.set(member.node, automatic + 1);
  if (member.port !== automatic) pairs.push(["port", member.port]);
  const [out = whole, back = whole] = isFirst ? [forward, backward] : [backward, forward];
  const to = printDifferences(member.toLink, firstHalf(out));
  const from = printDifferences(member.fromLink, secondHalf(back));
  if (to.length > 0) pairs.push(["to", { map: to }]);
  if (from.length > 0) pairs.push(["from", { map: from }]);
  if (member.queue !== undefined && queue === undefined) {
    pairs.push(["queue", printWholeQueue(member.queue)]);
  }
  if (member.trace !== undefined && trace === undefined) {
    pairs.push(["trace", printTrace(member.trace)]);
  }
  return pairs.length === 1 ? member.node : { map: pairs };
}

function printWholeQueue(queue: QueueShape): PlainValue {
  return printQueue(differencesOf(queue));
}

/** What is said of a shape that is not so anyway. */
function printDifferences(shape: PathShape, said: PathShape): Pairs {
  return shapeWords.flatMap(([word, key, format]): Pairs => {
    const value = shape[key] ?? 0;
    return value === (said[key] ?? 0) ? [] : [[word, format(value)]];
  });
}

/** Everything that is said of a shape. */
export function printChanges(change: PathShape): Pairs {
  return shapeWords.flatMap(([word, key, format]): Pairs => {
    const value = change[key];
    return value === undefined ? [] : [[word, format(value)]];
  });
}

type ShapeWord = readonly [word: string, key: keyof PathShape, format: (value: number) => string];

/** In the order in which people say them. */
const shapeWords: readonly ShapeWord[] = [
  ["bandwidth", "bandwidthBps", formatBandwidth],
  ["delay", "delayUs", formatDuration],
  ["loss", "loss", formatPercentage],
  ["jitter", "jitterUs", formatDuration],
  ["duplicate", "duplicate", formatPercentage],
  ["reorder", "reorder", formatPercentage],
];
