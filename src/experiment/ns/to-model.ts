// SPDX-License-Identifier: MIT
// Turns the objects of a finished file into the model the testbed runs.

import type {
  Experiment,
  ExperimentNode,
  Link,
  LinkShape,
  PlannedEvent,
  Program,
  SourcePosition,
} from "../model.ts";
import type { NsContext } from "./context.ts";
import type {
  EventRecord,
  LinkObject,
  MemberObject,
  NodeObject,
  ProgramObject,
  Shape,
} from "./objects.ts";
import { parseRelativeTime } from "./units.ts";

/** What the model needs besides the objects. */
export interface ModelFacts {
  readonly pid: string;
  readonly eid: string;
  readonly syncServer: string | undefined;
  readonly addressOf: (member: MemberObject) => string;
}

/** The experiment of a finished file. */
export function toModel(context: NsContext, facts: ModelFacts): Experiment {
  const at = (offset: number): SourcePosition => context.interp.sources.position(offset);
  const event = (record: EventRecord): PlannedEvent => toEvent(record, at);
  return {
    pid: facts.pid,
    eid: facts.eid,
    nodes: context.all("node").map((node) => toNode(node, at)),
    links: context.all("link").map((link) => toLink(link, facts, at)),
    programs: context.all("program").map((program) => toProgram(program, at)),
    events: context.events.map(event),
    sequences: context
      .all("sequence")
      .map(({ name, events }) => ({ name, steps: events.map(event) })),
    timelines: context
      .all("timeline")
      .map(({ name, events }) => ({ name, events: events.map(event) })),
    groups: context
      .all("group")
      .map(({ name, members }) => ({ name, members: members.map((member) => member.name) })),
    syncServer: facts.syncServer,
    simulator: context.simulator?.name ?? "ns",
    environment: context.environmentOrder.map(
      (name) => [name, context.environment.get(name) ?? ""] as const,
    ),
  };
}

type Locate = (offset: number) => SourcePosition;

function toNode(node: NodeObject, at: Locate): ExperimentNode {
  return {
    name: node.name,
    osName: node.osName,
    hardwareType: node.type,
    failureAction: node.failureAction,
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
  return {
    name: link.name,
    kind: link.isLan ? "lan" : "link",
    netmask: link.netmask,
    members: link.members.map((member) => ({
      node: member.node.name,
      port: member.port,
      address: facts.addressOf(member),
      toLink: toShape(member.toLink),
      fromLink: toShape(member.fromLink),
    })),
    at: at(link.offset),
  };
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
