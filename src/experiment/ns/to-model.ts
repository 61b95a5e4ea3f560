// SPDX-License-Identifier: MIT
// Turns the objects of a finished file into the model the testbed runs.

import { traceBytesMax } from "../limits.ts";
import type {
  Experiment,
  ExperimentNode,
  GivenRoute,
  Link,
  LinkShape,
  PlannedEvent,
  Program,
  QueueShape,
  SourcePosition,
  TraceWish,
  TrafficEnd,
  TrafficFlow,
} from "../model.ts";
import type { AddressPlan } from "./addresses.ts";
import type { NsContext } from "./context.ts";
import { queueFields, queuePresets } from "./link.ts";
import type {
  AgentObject,
  EventRecord,
  LinkObject,
  NodeObject,
  ProgramObject,
  QueueObject,
  Shape,
  TraceSettings,
} from "./objects.ts";
import { trafficName } from "./traffic.ts";
import { parseBandwidth, parseRelativeTime } from "./units.ts";

/** What the model needs besides the objects. */
export interface ModelFacts {
  readonly pid: string;
  readonly eid: string;
  readonly syncServer: string | undefined;
  readonly plan: AddressPlan;
}

/** The experiment of a finished file. */
export function toModel(context: NsContext, facts: ModelFacts): Experiment {
  const at = (offset: number): SourcePosition => context.interp.sources.position(offset);
  const event = (record: EventRecord): PlannedEvent => toEvent(record, at);
  const { linktestLevel, routing } = context.settings;
  const traffic = context.all("agent").flatMap((agent) => toTraffic(agent, facts, at));
  const routes = context.all("node").flatMap((node) => toRoutes(node, at));
  return {
    pid: facts.pid,
    eid: facts.eid,
    nodes: context.all("node").map((node) => toNode(context, node, at)),
    links: context.all("link").map((link) => toLink(link, facts, at)),
    programs: context.all("program").map((program) => toProgram(program, at)),
    events: [...cloudEvents(context), ...context.events].map(event),
    sequences: context.all("sequence").map(({ name, events, onError }) => ({
      name,
      steps: events.map(event),
      ...(onError === undefined ? {} : { onError: onError.name }),
    })),
    timelines: context
      .all("timeline")
      .map(({ name, events }) => ({ name, events: events.map(event) })),
    groups: context
      .all("group")
      .map(({ name, members }) => ({ name, members: members.map((member) => member.name) })),
    ...(traffic.length === 0 ? {} : { traffic }),
    ...(routing === undefined ? {} : { routing }),
    ...(routes.length === 0 ? {} : { routes }),
    syncServer: facts.syncServer,
    ...(linktestLevel === undefined ? {} : { linktestLevel }),
    simulator: context.simulator?.name ?? "ns",
    environment: context.environmentOrder.map(
      (name) => [name, context.environment.get(name) ?? ""] as const,
    ),
  };
}

type Locate = (offset: number) => SourcePosition;

/** [EMULAB-NS 6.1] A cloud is cleared at 0 and created at 1. */
function cloudEvents(context: NsContext): EventRecord[] {
  const base = { vnode: "", objectType: "LINK", args: "", modelArgs: undefined, index: -1 };
  return context.clouds.flatMap(({ name, offset }) =>
    ["CLEAR", "CREATE"].map((eventType, second) => {
      const time = { timeText: `${second}`, atUs: second * 1_000_000 };
      return { ...base, ...time, vname: name, eventType, offset };
    }),
  );
}

/** The flow of a source agent; sinks are its other end. */
function toTraffic(agent: AgentObject, facts: ModelFacts, at: Locate): TrafficFlow[] {
  const { application, peer } = agent;
  if (agent.role !== "source" || application === undefined) return [];
  const source = trafficEnd(agent, facts);
  const sink = peer === undefined ? undefined : trafficEnd(peer, facts);
  if (source === undefined || sink === undefined) return [];
  const field = (name: string): string => application.fields.get(name) ?? "";
  const number = (text: string): number | undefined => (text === "" ? undefined : Number(text));
  const rate = field("rate_") === "" ? undefined : parseBandwidth(field("rate_"));
  return [
    {
      name: application.name,
      kind: application.family,
      protocol: agent.proto === "udp" ? "udp" : "tcp",
      source,
      sink,
      packetBytes: number(field("packetSize_")) ?? 0,
      rateBps: rate?.ok === true ? rate.value * 1000 : undefined,
      intervalSeconds: number(field("interval_")),
      tos: number(field("iptos_")),
      at: at(application.offset),
    },
  ];
}

function trafficEnd(agent: AgentObject, { plan }: ModelFacts): TrafficEnd | undefined {
  const { node, port } = agent;
  if (node === undefined) return undefined;
  const member = node.ports[0]?.link.members.find((one) => one.node === node);
  const address = member === undefined ? "" : plan.of(member);
  return { name: trafficName(agent), node: node.name, port, address };
}

function toRoutes({ name, routes }: NodeObject, at: Locate): GivenRoute[] {
  return routes.map(({ dst, nexthop, offset }) => {
    const to =
      dst.kind === "node"
        ? { node: dst.name }
        : dst.kind === "link"
          ? { link: dst.name }
          : { link: dst.link.name, node: dst.member.node.name };
    return { node: name, to, by: nexthop.name, at: at(offset) };
  });
}

/** A queue that the file changed; the others are left to the link. */
function toQueue({ fields }: QueueObject): QueueShape | undefined {
  if (fields === queuePresets) return undefined;
  const isPreset = queueFields.every(([field, , preset]) => fields.get(field) === preset);
  if (isPreset) return undefined;
  const value = (field: string): number => Number(fields.get(field) ?? "0");
  return {
    kind: value("gentle_") === 1 ? "gentle-red" : value("red_") === 1 ? "red" : "drop-tail",
    limit: value("limit_"),
    limitUnit: value("queue-in-bytes_") === 1 ? "bytes" : "packets",
    minThreshold: value("thresh_"),
    maxThreshold: value("maxthresh_"),
    averageWeight: value("q_weight_"),
    dropOneIn: value("linterm_"),
    meanPacketBytes: value("mean_pktsize_"),
  };
}

function toNode(context: NsContext, node: NodeObject, at: Locate): ExperimentNode {
  const shared = context.settings.blobs.map(({ path, action }) => {
    return { directory: action.replace(/^unpack:/, ""), file: path };
  });
  const archives = [...shared, ...(node.archives ?? [])];
  return {
    name: node.name,
    osName: node.osName,
    hardwareType: node.type,
    failureAction: node.failureAction,
    ...(archives.length === 0 ? {} : { archives }),
    ...(node.rpms === "" ? {} : { packages: node.rpms.split(";") }),
    ...(node.fixed === "" ? {} : { machine: node.fixed }),
    at: at(node.offset),
  };
}

function toShape(shape: Shape): LinkShape {
  return {
    bandwidthBps: Number(shape.bandwidth) * 1000,
    delayUs: Math.round(Number(shape.delay) * 1000),
    loss: Number(shape.loss),
  };
}

function toLink(link: LinkObject, facts: ModelFacts, at: Locate): Link {
  const cost = Number(link.columns.get("cost") ?? "1");
  return {
    name: link.name,
    kind: link.isLan ? "lan" : "link",
    netmask: facts.plan.maskOf(link),
    ...(cost > 0 && cost < Number.POSITIVE_INFINITY && cost !== 1 ? { cost } : {}),
    members: link.members.map((member) => ({
      node: member.node.name,
      port: member.port,
      address: facts.plan.of(member),
      toLink: toShape(member.toLink),
      fromLink: toShape(member.fromLink),
      ...withQueue(toQueue(member.queue)),
      ...toTrace(member.trace ?? link.trace),
    })),
    at: at(link.offset),
  };
}

function withQueue(queue: QueueShape | undefined): { readonly queue?: QueueShape } {
  return queue === undefined ? {} : { queue };
}

const traceKinds: ReadonlyMap<string, TraceWish["kind"]> = new Map([
  ["packet", "packets"],
  ["monitor", "counts"],
]);

function toTrace(trace: TraceSettings | undefined): { readonly trace?: TraceWish } {
  if (trace === undefined) return {};
  const bytes = Math.min(Math.trunc(Number(trace.snaplen)), traceBytesMax);
  const expression = trace.expression.replace(/\s+/g, " ").trim();
  const wish: TraceWish = {
    kind: traceKinds.get(trace.type) ?? "headers",
    ...(bytes > 0 ? { bytes } : {}),
    ...(expression === "" ? {} : { expression }),
    ...(trace.database === "1" ? { inDatabase: true } : {}),
  };
  return { trace: wish };
}

function toProgram(program: ProgramObject, at: Locate): Program {
  const timeout = parseRelativeTime(program.timeout);
  return {
    name: program.name,
    node: typeof program.node === "object" ? program.node.name : (program.node ?? ""),
    command: program.innerCommand ?? program.command,
    isStartCommand: program.innerCommand !== undefined,
    // The braces around it are the tables' own.
    directory: program.directory.replace(/^\{(.*)\}$/s, "$1"),
    timeoutSeconds: timeout.ok ? timeout.value.us / 1_000_000 : 0,
    expectedExitCode: Number(program.expectedExitCode === "" ? "0" : program.expectedExitCode),
    at: at(program.offset),
  };
}

function toEvent(record: EventRecord, at: Locate): PlannedEvent {
  return {
    index: record.index,
    atUs: record.atUs,
    object: record.vname,
    type: record.objectType,
    event: record.eventType,
    args: record.modelArgs ?? record.args,
    at: at(record.offset),
  };
}
