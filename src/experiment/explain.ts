// SPDX-License-Identifier: MIT
// What an experiment means, as text for people: what each path of a link carries in the end, which
// address is whose, what starts when and why, and where the sync server is.

import { printable } from "../core/text.ts";
import { defaultCatalogue } from "./catalogue.ts";
import { isSameShape, joinShapes } from "./link-shape.ts";
import type {
  BarrierDeclaration,
  Experiment,
  GivenRoute,
  Link,
  LinkMember,
  LinkShape,
  PlannedEvent,
  Program,
  QueueShape,
  Routing,
  StartCondition,
  TraceWish,
  TrafficFlow,
} from "./model.ts";
import { formatBandwidth, formatDuration, formatPercentage } from "./quantities.ts";
import { printWait } from "./yaml/print-events.ts";
import { defaultSyncServer } from "./yaml/read.ts";

/** Members of a LAN up to which each pair is listed; beyond, each member's two ways are. */
const pairsMax = 4;

/**
 * The explanation of an experiment.
 * @param syncServerReason what the reader of the file said about it, when there was one
 */
export function explain(experiment: Experiment, syncServerReason?: string): string {
  const { nodes, links, programs, barriers = [], groups, environment } = experiment;
  const lines = [`${experiment.pid}/${experiment.eid}`];
  const section = (title: string, body: readonly string[]): void => {
    if (body.length > 0) lines.push("", title, ...body.map((line) => `  ${line}`));
  };
  section(
    counted(nodes.length, "node"),
    nodes.map(({ name, hardwareType, osName, failureAction, at }) => {
      const failure = failureAction === "fatal" ? "" : `, ${failureAction} when it fails`;
      const os = osName === "" ? "" : `, ${osName}`;
      return `${name}  ${hardwareType}${os}${failure}${place(at.line)}`;
    }),
  );
  section(counted(links.length, "link"), links.flatMap(explainLink));
  explainRoutes(experiment, section);
  const { traffic = [] } = experiment;
  const flows = traffic.map((flow) => `${describeFlow(flow)}${place(flow.at.line)}`);
  section(`generated traffic, ${counted(flows.length, "flow")}`, flows);
  section(counted(programs.length, "program"), programs.flatMap(explainProgram));
  section(counted(barriers.length, "barrier"), barriers.map(explainBarrier));
  section(
    counted(groups.length, "group"),
    groups.map(({ name, members }) => `${name}: ${members.join(", ")}`),
  );
  explainEvents(experiment, section);
  section(
    "options, as variables of every program",
    environment.map(([name, value]) => `${name}=${value}`),
  );
  const reason = syncServerReason ?? reasonFor(experiment);
  lines.push("", `sync server: ${experiment.syncServer ?? "none"} (${reason})`);
  const { linktestLevel = 0 } = experiment;
  if (linktestLevel > 0) lines.push(`linktest at swap-in: level ${linktestLevel}`);
  return `${lines.map((line) => printable(line).replaceAll("\t", "?")).join("\n")}\n`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function place(line: number): string {
  return `  (line ${line})`;
}

function reasonFor({ nodes, syncServer }: Experiment): string {
  if (syncServer === undefined) return "there is no node for it";
  const isFirst = syncServer === defaultSyncServer(nodes, defaultCatalogue);
  return isFirst ? "the first node by name" : "chosen by the file";
}

function explainLink(link: Link): string[] {
  const { name, kind, netmask, members, cost, at } = link;
  const dear = cost === undefined ? "" : `, cost ${cost}`;
  const width = Math.max(0, ...members.map(({ node }) => node.length));
  return [
    `${name}  ${kind}, netmask ${netmask}${dear}${place(at.line)}`,
    ...members.map(({ node, port, address }) => {
      return `  ${node.padEnd(width)}  ${address === "" ? "no address" : address}  interface ${port}`;
    }),
    ...describePaths(members).map((line) => `  ${line}`),
    ...explainQueues(members).map((line) => `  ${line}`),
    ...explainTraces(members).map((line) => `  ${line}`),
  ];
}

/** Queues that the file asks for. */
function explainQueues(members: readonly LinkMember[]): string[] {
  return members.flatMap(({ node, queue }) =>
    queue === undefined ? [] : [`from ${node}: ${describeQueue(queue)}`],
  );
}

/** What is written down; of all ends at once where they want the same. */
function explainTraces(members: readonly LinkMember[]): string[] {
  const all = members.map(({ node, trace }) => [node, trace && describeTrace(trace)] as const);
  const traced = all.filter(([, words]) => words !== undefined);
  const [first] = traced;
  if (first === undefined) return [];
  const isCommon = all.every(([, words]) => words === first[1]);
  return isCommon ? [`traced: ${first[1]}`] : traced.map(([node, words]) => `at ${node}: ${words}`);
}

/** `packets, 200 bytes of each, of those that are "tcp"`. */
export function describeTrace({ kind, bytes, expression }: TraceWish): string {
  const most = bytes === undefined ? "" : `, ${bytes} bytes of each`;
  return `${kind}${most}${expression === undefined ? "" : `, only ${expression}`}`;
}

/** What of a flow is known before it is started: who sends what to whom. */
export function describeFlow(flow: TrafficFlow): string {
  const { name, kind, protocol, source, sink, packetBytes, rateBps, intervalSeconds } = flow;
  const pace =
    intervalSeconds !== undefined
      ? [`one each ${formatDuration(Math.round(intervalSeconds * 1_000_000))}`]
      : rateBps === undefined
        ? []
        : [formatBandwidth(rateBps)];
  const packets = packetBytes === 0 ? [] : [`packets of ${packetBytes} bytes`];
  const how = [`${kind} over ${protocol}`, ...packets, ...pace].join(", ");
  return `${name}: ${source.node} to ${sink.node}, ${how}`;
}

/** `a to c by b`. */
export function describeRoute({ node, to, by }: GivenRoute): string {
  const end = to.link !== undefined && to.node !== undefined ? ` at ${to.node}` : "";
  return `${node} to ${to.link ?? to.node}${end} by ${by}`;
}

/** What makes the routes; left out, there are those of the file alone. */
function explainRoutes({ routing, routes = [] }: Experiment, section: Section): void {
  const given = routes.map((route) => `${describeRoute(route)}${place(route.at.line)}`);
  section(`routing ${routing ?? "none"}`, [
    ...(routing === undefined ? [] : [routingWords[routing]]),
    ...given,
  ]);
}

const computedWords = "by the routes of least cost; nodes with several links forward";
const routingWords: Readonly<Record<Routing, string>> = {
  static: computedWords,
  "static-ddijk": computedWords,
  "static-old": computedWords,
  session: computedWords,
  manual: "by the routes that are given; nodes with several links forward",
};

/** What a packet meets from node to node: `each way: 10Mbps, delay 5ms, no loss`. */
export function describePaths(members: readonly LinkMember[]): string[] {
  const [first] = members;
  if (first === undefined) return [];
  const isAlike = members.every(
    ({ toLink, fromLink }) =>
      isSameShape(toLink, first.toLink) && isSameShape(fromLink, first.fromLink),
  );
  if (isAlike) return [`each way: ${describePath(first, first)}`];
  if (members.length > pairsMax) {
    return members.flatMap(({ node, toLink, fromLink }) => [
      `${node} to the LAN: ${describeShape(toLink)}`,
      `the LAN to ${node}: ${describeShape(fromLink)}`,
    ]);
  }
  return members.flatMap((from) => {
    const others = members.filter((member) => member !== from);
    return others.map((to) => {
      return `${from.node} to ${to.node}: ${describePath(from, to)}`;
    });
  });
}

function describePath(out: LinkMember, into: LinkMember): string {
  return describeShape(joinShapes(out.toLink, into.fromLink));
}

function describeShape(shape: LinkShape): string {
  const { bandwidthBps, delayUs, loss } = shape;
  const rate = bandwidthBps === 0 ? "any bandwidth" : formatBandwidth(bandwidthBps);
  const lost = loss === 0 ? "no loss" : `loss ${formatShare(loss)}`;
  return [rate, `delay ${formatDuration(delayUs)}`, lost, ...describeExtras(shape)].join(", ");
}

/** What few links have: nothing is said of those that have none. */
export function describeExtras({ jitterUs = 0, duplicate = 0, reorder = 0 }: LinkShape): string[] {
  return [
    ...(jitterUs === 0 ? [] : [`jitter ${formatDuration(jitterUs)}`]),
    ...(duplicate === 0 ? [] : [`${formatShare(duplicate)} come twice`]),
    ...(reorder === 0 ? [] : [`${formatShare(reorder)} overtake`]),
  ];
}

/** Six digits hide the noise of having been split into two. */
function formatShare(share: number): string {
  return formatPercentage(Number(share.toPrecision(6)));
}

/** A queue that a file asks for, in words. */
export function describeQueue(queue: QueueShape): string {
  const { kind, limit, limitUnit, minThreshold, maxThreshold } = queue;
  const holds = `queue of ${limit} ${limitUnit}`;
  if (kind === "drop-tail") return holds;
  const name = kind === "red" ? "RED" : "gentle RED";
  return `${holds}, ${name} from ${minThreshold} to ${maxThreshold} packets`;
}

function explainProgram(program: Program): string[] {
  const { name, node, command, startWhen, environment = [], at } = program;
  const about: string[] = [];
  if (program.isStartCommand) about.push("start command of its node");
  if (program.expectedExitCode !== 0)
    about.push(`expected to end with ${program.expectedExitCode}`);
  if (program.timeoutSeconds !== 0) about.push(`stopped after ${program.timeoutSeconds} s`);
  if (program.directory !== "") about.push(`in ${program.directory}`);
  if (program.shell === "csh") about.push("run by csh");
  if (environment.length > 0) {
    about.push(`with ${environment.map(([key, value]) => `${key}=${value}`).join(" ")}`);
  }
  if (startWhen !== undefined) about.push(`starts ${describeCondition(startWhen)}`);
  const lines = [`${name} on ${node}: ${command}${place(at.line)}`];
  if (about.length > 0) lines.push(`  ${about.join("; ")}`);
  return lines;
}

/** `2s after first ended as expected and barrier ready crossed`. */
export function describeCondition({ after, on, delayUs }: StartCondition): string {
  const names = after.map((one) => one.program);
  const waits = [
    ...(names.length > 0 ? [`${names.join(" and ")} ended as expected`] : []),
    ...(on === undefined ? [] : [printWait(on)]),
  ];
  const later = delayUs === 0 ? "" : `${formatDuration(delayUs)} `;
  return `${later}after ${waits.join(" and ")}`;
}

function explainBarrier(barrier: BarrierDeclaration): string {
  return `${describeDeclaredBarrier(barrier)}${place(barrier.at.line)}`;
}

/** Who meets there, how long it waits, and what its failure means. */
export function describeDeclaredBarrier(barrier: BarrierDeclaration): string {
  const { name, rule, members, deadlineUs, onFailure } = barrier;
  const who = members.length === 0 ? "whoever comes" : members.join(", ");
  const deadline = deadlineUs === 0 ? "no deadline" : `deadline ${formatDuration(deadlineUs)}`;
  const effects = {
    fail: "the run fails at its end",
    stop: "the run is stopped at once",
    continue: "the run continues",
  };
  return (
    `${name}: ${describeRule(rule)} of ${who}; ${deadline}; ` +
    `if it is not crossed, ${effects[onFailure]}`
  );
}

const whenDeadWords = { shrink: "without those that die", wait: "waits for those that die" };

function describeRule(rule: BarrierDeclaration["rule"]): string {
  switch (rule.kind) {
    case "roster":
      return rule.whenDead === undefined ? "all" : `all (${whenDeadWords[rule.whenDead]})`;
    case "count":
      return `${rule.count}`;
    case "quorum":
      return formatPercentage(rule.share);
  }
}

type Section = (title: string, body: readonly string[]) => void;

function explainEvents({ events, sequences, timelines }: Experiment, section: Section): void {
  section(`${counted(events.length, "event")}, in order of time`, inOrder(events));
  for (const { name, steps } of sequences) {
    const body = steps.map((step, index) => `${index + 1}. ${describeAction(step)}`);
    section(`sequence ${name}, each step after the completion of the one before`, body);
  }
  for (const timeline of timelines) {
    section(`timeline ${timeline.name}, from its own start`, inOrder(timeline.events));
  }
}

/** By time; equal times in the order of the file; then what waits, then the end. */
function inOrder(events: readonly PlannedEvent[]): string[] {
  const rank = ({ atUs, on }: PlannedEvent): number => {
    if (atUs === "swapout") return Number.MAX_SAFE_INTEGER;
    return on === undefined ? atUs : Number.MAX_SAFE_INTEGER - 1;
  };
  const sorted = events.toSorted((a, b) => rank(a) - rank(b) || a.index - b.index);
  const times = sorted.map(describeTime);
  const width = Math.min(40, Math.max(0, ...times.map(({ length }) => length)));
  return sorted.map((event, index) => {
    const time = (times[index] ?? "").padStart(width);
    return `${time}  ${describeAction(event)}${place(event.at.line)}`;
  });
}

function describeTime({ atUs, on }: PlannedEvent): string {
  if (atUs === "swapout") return "swapout";
  if (on === undefined) return formatDuration(atUs);
  const later = atUs === 0 ? "" : ` + ${formatDuration(atUs)}`;
  return `${printWait(on)}${later}`;
}

function describeAction({ object, type, event, args }: PlannedEvent): string {
  // The command of a program stands with the program.
  const isPlainStart = type === "PROGRAM" && args.startsWith("COMMAND=");
  return `${object} ${event}${args === "" || isPlainStart ? "" : ` ${args}`}`;
}
