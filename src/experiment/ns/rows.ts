// SPDX-License-Identifier: MIT
// Writes an experiment as the table rows of the old system. [EMULAB-NS 13] Order, columns and
// spelling of numbers are the old system's; nothing else in Muster reads them.

import { routerType } from "../router-type.ts";
import type { AddressPlan } from "./addresses.ts";
import type { NsContext } from "./context.ts";
import { queueFields } from "./link.ts";
import type {
  AgentObject,
  ApplicationObject,
  EventRecord,
  GroupObject,
  LinkHandle,
  LinkObject,
  MemberObject,
  NodeObject,
  NsObject,
} from "./objects.ts";
import { byName } from "./sync-server.ts";
import type { Row, Tables } from "./tables.ts";
import { trafficFault, trafficName, trafficSetup } from "./traffic.ts";

class Writer {
  readonly context: NsContext;
  readonly addressOf: (member: MemberObject) => string;
  readonly maskOf: (link: LinkObject) => string;
  readonly tables: Record<string, Row[]> = {};
  constructor(context: NsContext, plan: AddressPlan) {
    this.context = context;
    this.addressOf = plan.of;
    this.maskOf = plan.maskOf;
  }

  row(table: string, row: Row): void {
    this.tables[table] ??= [];
    this.tables[table].push(row);
  }

  agent(vnode: string, vname: string, objecttype: string): void {
    this.row("virt_agents", { vnode, vname, objecttype });
  }

  /** The address of a node's port, or undefined when it has no such port. */
  portAddress(node: NodeObject, port: number): string | undefined {
    const link = node.ports[port]?.link;
    const member = link?.members.find((one) => one.node === node && one.port === port);
    return member === undefined ? undefined : this.addressOf(member);
  }
}

/** All rows of an experiment. */
export function formatRows(
  context: NsContext,
  plan: AddressPlan,
  syncServer: string | undefined,
): Tables {
  const writer = new Writer(context, plan);
  for (const node of byName(context.all("node"))) writeNode(writer, node);
  for (const link of context.inTableOrder("link")) writeLink(writer, link);
  for (const { name, weight, members } of context.settings.vtypes) {
    writer.row("virt_vtypes", { name, weight, members });
  }
  writePrograms(writer);
  writeContainers(writer);
  writeRest(writer);
  writer.row("experiments", context.settings.row(syncServer));
  writer.agent("*", context.simulator?.name ?? "ns", "SIMULATOR");
  writer.agent("*", "linktest", "LINKTEST");
  writer.agent("*", "slothd", "SLOTHD");
  for (const name of context.environmentOrder) {
    const value = context.environment.get(name) ?? "";
    writer.row("virt_user_environment", { name, value });
  }
  for (const event of context.events) writer.row("eventlist", mainEvent(event));
  const { parameters, sourcedFiles, blobs } = context.settings;
  for (const { name, value, description } of parameters) {
    writer.row("virt_parameters", { name, value, description });
  }
  for (const pathname of sourcedFiles) writer.row("external_sourcefiles", { pathname });
  for (const { role, key, value, order } of writer.context.settings.innerAttributes.values()) {
    const row = { role, attrkey: key, attrvalue: value, ordering: order };
    writer.row("elabinelab_attributes", row);
  }
  for (const { path, action } of blobs) writer.row("experiment_blobs", { path, action });
  return writer.tables;
}

function writeNode(writer: Writer, node: NodeObject): void {
  for (const agent of node.agents) {
    if (agent.kind !== "agent" || trafficFault(agent) !== undefined) continue;
    writeTraffic(writer, node, agent);
  }
  for (const agent of node.agents) {
    const application = agent.kind === "agent" ? agent.application : undefined;
    if (application?.family === "cbr") writeSetup(writer, node, application);
  }
  writeSimulated(writer, node);
  for (const { dst, nexthop } of node.routes) writeRoute(writer, node, dst, nexthop);
  const { settings } = writer.context;
  const ips = node.ports.map((_, port) => `${port}:${writer.portAddress(node, port) || "0.0.0.0"}`);
  const role = node.extra.get("inner_elab_role");
  const { inner_elab_role: _, ...extra } = Object.fromEntries(node.extra);
  writer.row("virt_nodes", {
    vname: node.name,
    type: node.type,
    ips: ips.join(" "),
    osname: node.osName,
    cmd_line: node.commandLine,
    rpms: node.rpms,
    startupcmd: node.startup,
    tarfiles: "",
    failureaction: node.failureAction,
    routertype: routerType(settings.routing),
    fixed: node.fixed,
    ...(role === undefined ? {} : { inner_elab_role: role }),
    ...(extra["role"] === undefined ? {} : { role: extra["role"] }),
    plab_plcnet: "none",
    ...extra,
  });
  writeLocation(writer, node);
  for (const [desire, weight] of [...node.desires].sort(([a], [b]) => (a < b ? -1 : 1))) {
    writer.row("virt_node_desires", { vname: node.name, desire, weight });
  }
  writer.agent(node.name, node.name, "NODE");
}

function writeLocation(writer: Writer, node: NodeObject): void {
  if (node.topography === undefined) return;
  writer.row("virt_node_startloc", {
    vname: node.name,
    building: node.topography.area,
    floor: "",
    loc_x: node.location.get("X_") ?? "0.0",
    loc_y: node.location.get("Y_") ?? "0.0",
    orientation: node.location.get("orientation_") ?? "0.0",
  });
}

function generatorOf(agent: AgentObject): "TG" | "NSE" {
  const isPlain = agent.family !== "fulltcp" && agent.peer?.family !== "fulltcp";
  return isPlain ? "TG" : "NSE";
}

function writeTraffic(writer: Writer, node: NodeObject, agent: AgentObject): void {
  const { peer } = agent;
  const generator = generatorOf(agent);
  const target = peer?.node;
  const vname = trafficName(agent);
  writer.row("virt_trafgens", {
    vnode: node.name,
    vname,
    role: agent.role,
    proto: agent.proto,
    port: `${agent.port}`,
    ip: writer.portAddress(node, 0) ?? "",
    target_vnode: target?.name ?? "",
    target_vname: peer === undefined ? "" : trafficName(peer),
    target_port: `${peer?.port ?? ""}`,
    target_ip: target === undefined ? "" : (writer.portAddress(target, 0) ?? ""),
    generator,
  });
  writer.agent(node.name, vname, generator === "TG" ? "TRAFGEN" : "NSE");
  const { application } = agent;
  if (application !== undefined && application.family !== "cbr") {
    writer.agent(node.name, application.name, "NSE");
  }
}

function writeSetup(writer: Writer, node: NodeObject, application: ApplicationObject): void {
  writer.row("eventlist", {
    time: "0",
    vnode: node.name,
    vname: application.name,
    objecttype: "TRAFGEN",
    eventtype: "MODIFY",
    arguments: trafficSetup(application, true),
    atstring: "",
    parent: "__ns_sequence",
  });
}

/** Nodes with simulated agents carry a script for the simulator; Muster runs none. */
function writeSimulated(writer: Writer, node: NodeObject): void {
  const simulated = node.agents.some((one) => one.kind === "agent" && one.family === "fulltcp");
  if (simulated) writer.row("nseconfigs", { vname: node.name, nseconfig: "" });
}

function writeRoute(
  writer: Writer,
  node: NodeObject,
  dst: NodeObject | LinkObject | LinkHandle,
  nexthop: NodeObject,
): void {
  const shared = node.ports.find(({ link }) => nexthop.ports.some((port) => port.link === link));
  const hop = shared?.link.members.find((member) => member.node === nexthop);
  const own = shared?.link.members.find((member) => member.node === node);
  const member =
    dst.kind === "handle"
      ? dst.member
      : dst.kind === "link"
        ? dst.members[0]
        : dst.ports[0]?.link.members.find((one) => one.node === dst);
  const link = dst.kind === "link" ? dst : dst.kind === "handle" ? dst.link : dst.ports[0]?.link;
  writer.row("virt_routes", {
    vname: node.name,
    src: own === undefined ? "" : writer.addressOf(own),
    dst: member === undefined ? "" : writer.addressOf(member),
    nexthop: hop === undefined ? "" : writer.addressOf(hop),
    dst_type: dst.kind === "node" ? "host" : "net",
    dst_mask: link === undefined ? "" : writer.maskOf(link),
  });
}

const linkColumns: readonly (readonly [column: string, preset: string])[] = [
  ["cost", "1"],
  ["widearea", "0"],
  ["emulated", "0"],
  ["uselinkdelay", "0"],
  ["nobwshaping", "0"],
  ["encap_style", "default"],
];

/** Columns that are there only when set. */
const optionalColumns = ["layer", "implemented_by_path", "implemented_by_link"];

function writeLink(writer: Writer, link: LinkObject): void {
  writer.row("virt_lan_lans", { vname: link.name, failureaction: link.failureAction });
  for (const [capkey, capval] of link.settings) {
    writer.row("virt_lan_settings", { vname: link.name, capkey, capval });
  }
  for (const { node, port, settings } of link.members) {
    for (const [capkey, capval] of settings ?? []) {
      const member = `${node.name}:${port}`;
      writer.row("virt_lan_member_settings", { vname: link.name, member, capkey, capval });
    }
  }
  link.members.forEach((member, index) => {
    writer.row("virt_lans", memberRow(writer, link, member, index));
  });
}

function memberRow(writer: Writer, link: LinkObject, member: MemberObject, index: number): Row {
  const { node, port, toLink, fromLink, queue, extra } = member;
  const column = (name: string, preset: string): string => link.columns.get(name) ?? preset;
  const estimates = toLink.estimate ?? fromLink.estimate;
  return {
    vname: link.name,
    member: `${node.name}:${port}`,
    mask: writer.maskOf(link),
    delay: toLink.delay,
    rdelay: fromLink.delay,
    bandwidth: toLink.bandwidth,
    rbandwidth: fromLink.bandwidth,
    backfill: toLink.backfill,
    rbackfill: fromLink.backfill,
    lossrate: toLink.loss,
    rlossrate: fromLink.loss,
    ...Object.fromEntries(linkColumns.map(([name, preset]) => [name, column(name, preset)])),
    ...Object.fromEntries(
      queueFields.map(([field, name]) => [name, queue.fields.get(field) ?? ""]),
    ),
    trivial_ok: column("trivial_ok", "1"),
    protocol: column("protocol", "ethernet"),
    ...(link.isLan ? { is_accesspoint: extra.get("is_accesspoint") ?? "0" } : {}),
    vnode: node.name,
    vport: `${port}`,
    ip: writer.addressOf(member),
    mustdelay: link.mustDelay ? "1" : "0",
    ...(estimates === undefined
      ? {}
      : { est_bandwidth: toLink.estimate ?? "", rest_bandwidth: fromLink.estimate ?? "" }),
    ...traceColumns(link, member),
    ...(extra.has("fixed_iface") ? { fixed_iface: extra.get("fixed_iface") ?? "" } : {}),
    ...Object.fromEntries(
      optionalColumns.flatMap((name) => {
        const value = link.columns.get(name);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    ...(node.isBridge ? { bridge_vname: node.name } : {}),
    ofenabled: column("ofenabled", "0"),
    ofcontroller: column("ofcontroller", ""),
    vindex: `${index}`,
  };
}

function traceColumns(link: LinkObject, member: MemberObject): Row {
  const trace = member.trace ?? link.trace;
  if (trace === undefined) return {};
  return {
    traced: "1",
    trace_type: trace.type,
    trace_expr: trace.expression,
    trace_snaplen: trace.snaplen,
    trace_endnode: trace.endnode,
    trace_db: trace.database,
  };
}

function writePrograms(writer: Writer): void {
  const programs = writer.context.inTableOrder("program").filter(({ node }) => node !== undefined);
  for (const program of programs) {
    const vnode = typeof program.node === "object" ? program.node.name : (program.node ?? "");
    writer.row("virt_programs", {
      vnode,
      vname: program.name,
      command: program.command,
      dir: program.directory,
      timeout: program.timeout,
      expected_exit_code: program.expectedExitCode,
    });
    writer.agent(vnode, program.name, "PROGRAM");
  }
  for (const program of programs) {
    writer.row("event_groups", { group_name: "__all_programs", agent_name: program.name });
  }
  for (const group of writer.context.inTableOrder("group")) writeGroup(writer, group);
}

function writeGroup(writer: Writer, group: GroupObject): void {
  for (const member of group.members) {
    writer.row("event_groups", { group_name: group.name, agent_name: agentName(member) });
  }
}

function agentName(object: NsObject): string {
  return object.kind === "queue"
    ? `${object.link?.name ?? ""}-${object.node?.name ?? ""}`
    : object.name;
}

function writeContainers(writer: Writer): void {
  for (const { name, type, style, rules } of writer.context.inTableOrder("firewall")) {
    writer.row("virt_firewalls", { fwname: name, type, style });
    writer.row("virt_nodes", firewallNode(writer.context, name));
    for (const { number, rule } of rules) {
      writer.row("firewall_rules", { fwname: name, ruleno: number, rule });
    }
  }
  for (const timeline of writer.context.inTableOrder("timeline")) {
    writer.agent("*", timeline.name, "TIMELINE");
    for (const event of timeline.events) {
      writer.row("eventlist", { time: event.timeText, ...innerEvent(event, timeline.name) });
    }
  }
  for (const sequence of writer.context.inTableOrder("sequence")) {
    writer.agent("*", sequence.name, "SEQUENCE");
    for (const event of sequence.events) writer.row("eventlist", innerEvent(event, sequence.name));
  }
}

/** [EMULAB-NS 6.7] A firewall is a machine, too. */
function firewallNode({ options }: NsContext, vname: string): Row {
  return {
    vname,
    type: options.catalogue.defaultType,
    ips: "",
    osname: "",
    cmd_line: "",
    rpms: "",
    startupcmd: "",
    tarfiles: "",
    failureaction: "fatal",
    routertype: "none",
    fixed: "",
  };
}

function innerEvent(event: EventRecord, parent: string): Row {
  return {
    vnode: event.vnode,
    vname: event.vname,
    objecttype: event.objectType,
    eventtype: event.eventType,
    triggertype: event.atUs === "swapout" ? "SWAPOUT" : "TIMER",
    arguments: event.args,
    atstring: "",
    parent,
  };
}

function mainEvent(event: EventRecord): Row {
  return {
    time: event.timeText,
    vnode: event.vnode,
    vname: event.vname,
    objecttype: event.objectType,
    eventtype: event.eventType,
    arguments: event.args,
    atstring: "",
    triggertype: event.atUs === "swapout" ? "SWAPOUT" : "TIMER",
  };
}

function writeRest(writer: Writer): void {
  for (const terminal of writer.context.inTableOrder("console")) {
    writer.agent(terminal.node?.name ?? "*", terminal.name, "CONSOLE");
  }
  for (const { node, console } of writer.context.settings.tunnels) {
    writer.row("virt_tiptunnels", { host: node, vnode: console });
  }
  for (const topography of writer.context.inTableOrder("topography")) {
    writer.agent("*", topography.name, "TOPOGRAPHY");
  }
  for (const path of writer.context.inTableOrder("path")) {
    path.links.forEach((link, index) => {
      writer.row("virt_paths", {
        pathname: path.name,
        segmentname: link.name,
        segmentindex: `${index}`,
        layer: link.columns.get("layer") ?? "0",
      });
    });
  }
  for (const lan of writer.context.clouds) {
    ["CLEAR", "CREATE"].forEach((eventtype, time) => {
      const base = { time: `${time}`, vnode: "", vname: lan.name, objecttype: "LINK", eventtype };
      writer.row("eventlist", { ...base, arguments: "", atstring: "", triggertype: "TIMER" });
    });
  }
}
