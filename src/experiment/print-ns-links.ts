// SPDX-License-Identifier: MIT
// Links and LANs as NS commands. What the commands round or split differently is found by reading
// the text back.

import { wholeOf } from "./link-shape.ts";
import type { Link, LinkMember, LinkShape } from "./model.ts";
import { nsReference, nsWord } from "./print-ns-words.ts";
import { plain } from "./quantities.ts";
import { differencesOf } from "./yaml/queues.ts";
import { isSameTrace } from "./yaml/traces.ts";

/** The commands that make a link. */
export function nsLink(link: Link, ns: string, showAddresses: boolean): string[] {
  const lines = link.kind === "link" ? nsDuplexLink(link, ns) : nsLan(link, ns);
  const self = nsReference(link.name);
  if (link.netmask !== "255.255.255.0") lines.push(`tb-set-netmask ${self} ${link.netmask}`);
  if (link.cost !== undefined) lines.push(`${self} cost ${plain(link.cost, 0)}`);
  lines.push(...link.members.flatMap((member) => nsQueue(self, member)));
  lines.push(...nsTraces(self, link.members));
  for (const { node, address } of showAddresses ? link.members : []) {
    if (address === "") continue;
    lines.push(`tb-set-ip-${link.kind} ${nsReference(node)} ${self} ${address}`);
  }
  return lines;
}

/** What the queue of a member has that one of DropTail has not. */
function nsQueue(link: string, { node, queue }: LinkMember): string[] {
  if (queue === undefined) return [];
  const { kind, limitUnit, ...figures } = differencesOf(queue);
  const settings: (readonly [field: string, value: number | undefined])[] = [
    ["red_", kind === undefined ? undefined : 1],
    ["gentle_", kind === "gentle-red" ? 1 : undefined],
    ["queue-in-bytes_", limitUnit === "bytes" ? 1 : undefined],
    ["limit_", figures.limit],
    ["thresh_", figures.minThreshold],
    ["maxthresh_", figures.maxThreshold],
    ["q_weight_", figures.averageWeight],
    ["linterm_", figures.dropOneIn],
    ["mean_pktsize_", figures.meanPacketBytes],
  ];
  return settings.flatMap(([field, value]) =>
    value === undefined
      ? []
      : [`[${link} queue ${nsReference(node)}] set ${field} ${plain(value, 0)}`],
  );
}

const traceWords = { headers: "header", packets: "packet", counts: "monitor" } as const;

/** What one of them wants, all of them want: so the language is. */
function nsTraces(link: string, members: readonly LinkMember[]): string[] {
  const [first] = members.map(({ trace }) => trace);
  if (first === undefined) return [];
  const { kind, bytes, expression = "", inDatabase } = first;
  const isCommon = members.every(({ trace }) => trace !== undefined && isSameTrace(trace, first));
  const lines = inDatabase === true ? [`${link} trace_mysql 1`] : [];
  if (isCommon) {
    lines.push([link, "trace", traceWords[kind], ...quoted(expression)].join(" "));
    return bytes === undefined ? lines : [...lines, `${link} trace_snaplen ${bytes}`];
  }
  const each = members.flatMap(({ node, trace }) => {
    if (trace === undefined) return [];
    const words = [traceWords[trace.kind], `${trace.bytes ?? 0}`, ...quoted(trace.expression)];
    return [`${link} SetTraceParams ${nsReference(node)} ${words.join(" ")}`];
  });
  return [...lines, ...each];
}

function quoted(expression = ""): string[] {
  return expression === "" ? [] : [nsWord(expression)];
}

function nsDuplexLink({ name, members }: Link, ns: string): string[] {
  const [first, second] = members;
  if (first === undefined || second === undefined) return [];
  const self = nsReference(name);
  const path = halves(first.toLink, second.fromLink);
  const [a, b] = [nsReference(first.node), nsReference(second.node)];
  const ends = `${a} ${b} ${path.bandwidth} ${path.delay}`;
  const lines = [`set ${nsWord(name)} [${ns} duplex-link ${ends} DropTail]`];
  if (isUniform(members)) {
    if (path.loss !== "0") lines.push(`tb-set-link-loss ${self} ${path.loss}`);
    return lines;
  }
  for (const [source, out, into] of [
    [a, first.toLink, second.fromLink],
    [b, second.toLink, first.fromLink],
  ] as const) {
    const { delay, bandwidth, loss } = halves(out, into);
    lines.push(`tb-set-link-simplex-params ${self} ${source} ${delay} ${bandwidth} ${loss}`);
  }
  return lines;
}

function nsLan({ name, members }: Link, ns: string): string[] {
  const [first] = members;
  if (first === undefined) return [];
  const self = nsReference(name);
  const base = first.toLink;
  const isAlike = isUniform(members);
  const path = halves(base, base);
  const nodes = members.map(({ node }) => nsReference(node)).join(" ");
  // Members that differ are set one by one; the delay of the whole must then pass for itself.
  const delay = isAlike ? path.delay : "0ms";
  const lines = [`set ${nsWord(name)} [${ns} make-lan "${nodes}" ${path.bandwidth} ${delay}]`];
  if (isAlike) {
    if (base.loss !== 0) lines.push(`tb-set-lan-loss ${self} ${path.loss}`);
    return lines;
  }
  for (const { node, toLink, fromLink } of members) {
    const values = [...rawShape(toLink), ...rawShape(fromLink)].join(" ");
    lines.push(`tb-set-lan-simplex-params ${self} ${nsReference(node)} ${values}`);
  }
  return lines;
}

function isUniform(members: readonly LinkMember[]): boolean {
  const shapes = members.flatMap(({ toLink, fromLink }) => [toLink, fromLink]);
  const [first] = shapes;
  return shapes.every(
    ({ bandwidthBps, delayUs, loss }) =>
      bandwidthBps === first?.bandwidthBps && delayUs === first.delayUs && loss === first.loss,
  );
}

interface Words {
  readonly bandwidth: string;
  readonly delay: string;
  readonly loss: string;
}

/** Words for the path that two pipes make up. */
function halves(out: LinkShape, into: LinkShape): Words {
  return {
    bandwidth: nsBandwidth(out.bandwidthBps),
    delay: nsDelay(out.delayUs + into.delayUs),
    loss: plain(wholeOf(out.loss), 0),
  };
}

function rawShape({ delayUs, bandwidthBps, loss }: LinkShape): string[] {
  return [nsDelay(delayUs), nsBandwidth(bandwidthBps), plain(loss, 0)];
}

export function nsBandwidth(bps: number): string {
  if (bps === 0) return "*";
  return bps % 1_000_000 === 0 ? `${bps / 1_000_000}Mb` : `${plain(bps, -3)}kb`;
}

function nsDelay(us: number): string {
  return `${plain(us, -3)}ms`;
}
