// SPDX-License-Identifier: MIT
// Prints an experiment as YAML. What is printed reads back as the same experiment: short words are
// used where they say everything, and the long form where they would not.

import { type Catalogue, defaultCatalogue } from "../catalogue.ts";
import type {
  Archive,
  BarrierDeclaration,
  Experiment,
  ExperimentNode,
  GivenRoute,
  PlannedEvent,
  Program,
} from "../model.ts";
import { formatDuration, formatPercentage } from "../quantities.ts";
import { emitDocument, type PlainMap, type PlainValue } from "./emit.ts";
import { printEvents, printWait } from "./print-events.ts";
import { printLinks } from "./print-links.ts";
import { printTestground, withoutInstances } from "./print-testground.ts";
import { defaultSyncServer } from "./read.ts";
import { defaultArgs } from "./read-programs.ts";
import { printDestination } from "./read-routes.ts";

type Pairs = (readonly [key: string, value: PlainValue])[];

/** How a file says what it could leave out. */
export interface PrintOptions {
  /** The node of the sync server was chosen: it stays, whatever nodes come later. */
  readonly saysSyncServer?: boolean;
}

/** The text of an experiment file. */
export function printYaml(
  whole: Experiment,
  catalogue: Catalogue = defaultCatalogue,
  { saysSyncServer = false }: PrintOptions = {},
): string {
  const experiment = withoutInstances(whole);
  const { nodes, links, environment, groups, barriers = [], sequences, timelines } = experiment;
  const plan = planStarts(experiment);
  const events = printEvents(experiment);
  const pairs: Pairs = [
    ["project", experiment.pid],
    ["name", experiment.eid],
  ];
  const { routing, syncServer, linktestLevel, simulator } = experiment;
  if (routing !== undefined) pairs.push(["routing", routing]);
  const isOther = syncServer !== defaultSyncServer(nodes, catalogue);
  if (syncServer !== undefined && (saysSyncServer || isOther)) {
    pairs.push(["syncServer", syncServer]);
  }
  if (linktestLevel !== undefined) pairs.push(["linktest", linktestLevel]);
  if (simulator !== "ns") pairs.push(["simulator", simulator]);
  const section = (name: string, isWanted: boolean, value: () => PlainValue): void => {
    if (isWanted) pairs.push([name, value()]);
  };
  section("options", environment.length > 0, () => ({ map: environment }));
  const routes = Map.groupBy(experiment.routes ?? [], ({ node }) => node);
  const said = { starts: plan.nodeStarts, routes, catalogue };
  section("nodes", nodes.length > 0, () => printNodes(nodes, said));
  section("links", links.length > 0, () => printLinks(nodes, links, catalogue));
  section("programs", plan.programs.length > 0, () => ({ map: plan.programs }));
  section("testground", whole.testground !== undefined, () => printTestground(whole, printProcess));
  section("groups", groups.length > 0, () => ({
    map: groups.map(({ name, members }) => [name, { list: members }] as const),
  }));
  section("barriers", barriers.length > 0, () => ({ map: barriers.map(printBarrier) }));
  section("events", plan.events.length > 0, () => events(plan.events, "event"));
  section("sequences", sequences.length > 0, () => ({
    map: sequences.map(({ name, steps }) => [name, events(steps, "step")] as const),
  }));
  section("timelines", timelines.length > 0, () => ({
    map: timelines.map((timeline) => [timeline.name, events(timeline.events, "event")] as const),
  }));
  return emitDocument({ map: pairs });
}

/** Start commands said with their node, starts said with their program, and the events left. */
interface StartPlan {
  readonly nodeStarts: ReadonlyMap<string, string>;
  readonly programs: Pairs;
  readonly events: readonly PlannedEvent[];
}

/** A reader numbers starts before events: only leading events can be said with their program. */
function planStarts({ nodes, programs, events }: Experiment): StartPlan {
  const nodeStarts = new Map<string, string>();
  const order = new Map(nodes.map(({ name }, index) => [name, index]));
  let last = -1;
  for (const [index, program] of programs.entries()) {
    const at = order.get(program.node) ?? -1;
    const event = events[index];
    if (at <= last || !isPlainStartCommand(program) || !startsAt(event, program, 0)) break;
    nodeStarts.set(program.node, program.command);
    last = at;
  }
  let next = nodeStarts.size;
  const printed = programs.slice(next).map((program): Pairs[number] => {
    const event = events[next];
    let start: PlainValue | undefined = "manual";
    if (program.startWhen !== undefined) start = printCondition(program);
    else if (event !== undefined && startsAt(event, program, event.atUs)) {
      start = event.atUs === 0 ? undefined : formatDuration(Number(event.atUs));
      next += 1;
    }
    return [program.name, printProgram(program, start)];
  });
  return { nodeStarts, programs: printed, events: events.slice(next) };
}

function isPlainStartCommand(program: Program): boolean {
  return (
    program.isStartCommand &&
    program.name === `${program.node}_startcmd` &&
    program.directory === "" &&
    program.timeoutSeconds === 0 &&
    program.expectedExitCode === 0 &&
    program.shell !== "csh" &&
    program.environment === undefined &&
    program.startWhen === undefined
  );
}

function startsAt(
  event: PlannedEvent | undefined,
  program: Program,
  atUs: number | "swapout",
): boolean {
  return (
    event !== undefined &&
    event.object === program.name &&
    event.type === "PROGRAM" &&
    event.event === "START" &&
    event.on === undefined &&
    event.atUs === atUs &&
    atUs !== "swapout" &&
    event.args === defaultArgs(program)
  );
}

/** What is said with nodes, and where. */
interface SaidOfNodes {
  readonly starts: ReadonlyMap<string, string>;
  readonly routes: ReadonlyMap<string, readonly GivenRoute[]>;
  readonly catalogue: Catalogue;
}

function printNodes(nodes: readonly ExperimentNode[], said: SaidOfNodes): PlainMap {
  const pairs: Pairs = [];
  for (let index = 0; index < nodes.length; ) {
    const node = nodes[index];
    if (node === undefined) break;
    const body = printNode(node, said);
    const count = runLength(nodes, index, (other) => {
      return JSON.stringify(printNode(other, said)) === JSON.stringify(body);
    });
    const [, base = "", number = ""] = splitName(node.name) ?? [];
    const name = count > 1 ? `${base}{${number}..${Number(number) + count - 1}}` : node.name;
    pairs.push([name, body]);
    index += count;
  }
  return { map: pairs };
}

/** A name that ends in a number without leading zeros. */
function splitName(name: string): RegExpExecArray | null {
  return /^(.*?[A-Za-z-])(0|[1-9][0-9]{0,4})$/.exec(name);
}

/** How many nodes from `index` on differ by a rising number at their end alone. */
function runLength(
  nodes: readonly ExperimentNode[],
  index: number,
  isAlike: (node: ExperimentNode) => boolean,
): number {
  const [, base, number] = splitName(nodes[index]?.name ?? "") ?? [];
  if (base === undefined) return 1;
  let count = 1;
  for (let next = nodes[index + 1]; next !== undefined; next = nodes[index + count]) {
    if (count >= 10_000 || next.name !== `${base}${Number(number) + count}`) break;
    if (!isAlike(next)) break;
    count += 1;
  }
  // Two names are as short as a range.
  return count > 2 ? count : 1;
}

function printNode(node: ExperimentNode, { starts, routes, catalogue }: SaidOfNodes): PlainValue {
  const pairs: Pairs = [];
  if (node.osName !== "") pairs.push(["os", node.osName]);
  if (node.hardwareType !== catalogue.defaultType) pairs.push(["hardware", node.hardwareType]);
  if (node.failureAction !== "fatal") pairs.push(["onFailure", node.failureAction]);
  const command = starts.get(node.name);
  if (command !== undefined) pairs.push(["startCommand", command]);
  const given = routes.get(node.name) ?? [];
  if (given.length > 0) pairs.push(["routes", { list: given.map(printRoute) }]);
  const { archives = [] } = node;
  if (archives.length > 0) pairs.push(["archives", { list: archives.map(printArchive) }]);
  if (node.packages !== undefined) pairs.push(["packages", { list: node.packages }]);
  if (node.machine !== undefined) pairs.push(["machine", node.machine]);
  return pairs.length === 0 ? null : { map: pairs };
}

function printRoute({ to, by }: GivenRoute): PlainMap {
  return {
    map: [
      ["to", printDestination(to)],
      ["by", by],
    ],
  };
}

function printArchive({ directory, file }: Archive): PlainMap {
  return {
    map: [
      ["directory", directory],
      ["file", file],
    ],
  };
}

function printProgram(program: Program, start: PlainValue | undefined): PlainMap {
  const pairs: Pairs = [
    ["node", program.node],
    ["command", program.command],
  ];
  if (start !== undefined) pairs.push(["start", start]);
  pairs.push(...printProcess(program));
  if (program.isStartCommand) pairs.push(["startCommand", true]);
  return { map: pairs };
}

/** What every kind of program may say. */
function printProcess(program: Program): Pairs {
  const pairs: Pairs = [];
  if (program.expectedExitCode !== 0) pairs.push(["expect", program.expectedExitCode]);
  if (program.timeoutSeconds !== 0) {
    pairs.push(["timeout", formatDuration(Math.round(program.timeoutSeconds * 1_000_000))]);
  }
  if (program.directory !== "") pairs.push(["directory", program.directory]);
  if (program.environment !== undefined) pairs.push(["environment", { map: program.environment }]);
  if (program.shell === "csh") pairs.push(["shell", "csh"]);
  return pairs;
}

function printCondition({ startWhen }: Program): PlainValue {
  const pairs: Pairs = [];
  const { after = [], on, delayUs = 0 } = startWhen ?? {};
  if (delayUs !== 0) pairs.push(["at", formatDuration(delayUs)]);
  const [first] = after;
  if (first !== undefined) {
    const names = after.map(({ program }) => program);
    pairs.push(["after", after.length === 1 ? first.program : { list: names }]);
  }
  if (on !== undefined) pairs.push(["when", printWait(on)]);
  return { map: pairs };
}

function printBarrier(barrier: BarrierDeclaration): Pairs[number] {
  const { name, rule, members, deadlineUs, onFailure } = barrier;
  const pairs: Pairs = [];
  if (members.length > 0) pairs.push(["members", { list: members }]);
  if (rule.kind === "count") pairs.push(["count", rule.count]);
  if (rule.kind === "quorum") pairs.push(["quorum", formatPercentage(rule.share)]);
  if (rule.kind === "roster" && rule.whenDead !== undefined)
    pairs.push(["whenDead", rule.whenDead]);
  if (deadlineUs !== 0) pairs.push(["deadline", formatDuration(deadlineUs)]);
  if (onFailure !== "fail") pairs.push(["onFailure", onFailure]);
  return [name, { map: pairs }];
}
