// SPDX-License-Identifier: MIT
// Prints links: the shortest form that reads back as exactly the same shapes and addresses.

import type { Catalogue } from "../catalogue.ts";
import type { ExperimentNode, Link, LinkMember, LinkShape } from "../model.ts";
import { assignAddresses } from "./assign-addresses.ts";
import type { PlainMap, PlainValue } from "./emit.ts";
import { Findings } from "./findings.ts";
import { formatBandwidth, formatDuration, formatPercentage } from "./quantities.ts";
import { firstHalf, type PathShape, secondHalf } from "./read-links.ts";

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
  for (const [key, path] of [
    ["forward", shapes.forward],
    ["backward", shapes.backward],
  ] as const) {
    if (path !== undefined) pairs.push([key, { map: printPath(path) }]);
  }
  if (link.netmask !== "255.255.255.0") pairs.push(["netmask", link.netmask]);
  return { map: pairs };
}

/** What is said for the link; members say where they differ. */
interface Shapes {
  readonly whole: PathShape;
  readonly forward?: PathShape;
  readonly backward?: PathShape;
}

function shapesOf({ kind, members }: Link): Shapes {
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
  return a.bandwidthBps === b.bandwidthBps && a.delayUs === b.delayUs && a.loss === b.loss;
}

/** The path whose halves these are, or undefined when there is none. */
function pathOf(out: LinkShape, into: LinkShape): PathShape | undefined {
  const { bandwidthBps } = out;
  const loss = wholeLoss(out.loss);
  const path = { bandwidthBps, delayUs: out.delayUs + into.delayUs, loss };
  return isShape(firstHalf(path), out) && isShape(secondHalf(path), into) ? path : undefined;
}

function isShape(a: LinkShape, b: LinkShape): boolean {
  return a.bandwidthBps === b.bandwidthBps && a.delayUs === b.delayUs && a.loss === b.loss;
}

/** The shortest loss over both halves that gives exactly this half; else one that does not. */
export function wholeLoss(half: number): number {
  const exact = half + half - half * half;
  for (let digits = 1; digits <= 17; digits += 1) {
    const candidate = Number(exact.toPrecision(digits));
    if (candidate <= 1 && firstHalf({ loss: candidate }).loss === half) return candidate;
  }
  return exact;
}

function printPath({ bandwidthBps = 0, delayUs = 0, loss = 0 }: PathShape): Pairs {
  const pairs: Pairs = [];
  if (bandwidthBps !== 0) pairs.push(["bandwidth", formatBandwidth(bandwidthBps)]);
  if (delayUs !== 0) pairs.push(["delay", formatDuration(delayUs)]);
  if (loss !== 0) pairs.push(["loss", formatPercentage(loss)]);
  return pairs;
}

function printMember(
  member: LinkMember,
  { whole, forward, backward }: Shapes,
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
  const to = difference(member.toLink, firstHalf(out));
  const from = difference(member.fromLink, secondHalf(back));
  if (to.length > 0) pairs.push(["to", { map: to }]);
  if (from.length > 0) pairs.push(["from", { map: from }]);
  return pairs.length === 1 ? member.node : { map: pairs };
}

function difference(shape: LinkShape, said: LinkShape): Pairs {
  const pairs: Pairs = [];
  const { bandwidthBps, delayUs, loss } = shape;
  if (bandwidthBps !== said.bandwidthBps) pairs.push(["bandwidth", formatBandwidth(bandwidthBps)]);
  if (delayUs !== said.delayUs) pairs.push(["delay", formatDuration(delayUs)]);
  if (loss !== said.loss) pairs.push(["loss", formatPercentage(loss)]);
  return pairs;
}
