// SPDX-License-Identifier: MIT
// Traffic agents and the applications on them. [EMULAB-NS 6.6]

import type { Command } from "../tcl/script.ts";
import { type NsContext, NsFault } from "./context.ts";
import { type Call, type MethodTable, method, quantity, word } from "./method.ts";
import type { AgentObject, ApplicationObject, NodeObject } from "./objects.ts";
import { parseBandwidth } from "./units.ts";

/** Classes of agents that `new` knows, and what they are. */
export const agentClasses: ReadonlyMap<string, AgentObject["family"]> = new Map([
  ["Agent/UDP", "udp"],
  ["Agent/TCP", "tcp"],
  ["Agent/Null", "null"],
  ["Agent/TCPSink", "tcpsink"],
  ...["", "/Reno", "/Newreno", "/Tahoe", "/Sack"].map(
    (variant) => [`Agent/TCP/FullTcp${variant}`, "fulltcp"] as const,
  ),
]);

/** Classes of applications that `new` knows. */
export const applicationClasses: ReadonlyMap<string, ApplicationObject["family"]> = new Map([
  ["Application/Traffic/CBR", "cbr"],
  ["Application/FTP", "ftp"],
  ["Application/Telnet", "telnet"],
]);

/** Makes an agent. */
export function createAgent(
  context: NsContext,
  site: Command,
  className: string,
  family: AgentObject["family"],
): AgentObject {
  return context.add({
    kind: "agent",
    name: context.nextClassName(className),
    isNamed: false,
    offset: context.offsetOf(site),
    className,
    family,
    node: undefined,
    port: 0,
    role: "",
    proto: "",
    peer: undefined,
    application: undefined,
  });
}

/** Makes an application. */
export function createApplication(
  context: NsContext,
  site: Command,
  className: string,
  family: ApplicationObject["family"],
): ApplicationObject {
  const presets: [string, string][] = [
    ["packetSize_", "210"],
    ["rate_", "100Mbps"],
    ["interval_", ""],
    ["iptos_", ""],
  ];
  return context.add({
    kind: "application",
    name: context.nextClassName(className),
    isNamed: false,
    offset: context.offsetOf(site),
    family,
    agent: undefined,
    fields: new Map(family === "cbr" ? presets : []),
  });
}

/** `$ns attach-agent node agent`: the agent gets the next port of the node. */
export function attachAgent(node: NodeObject, agent: AgentObject): void {
  agent.node = node;
  agent.port = node.nextAgentPort;
  node.nextAgentPort += 1;
  node.agents.push(agent);
}

const isSink = (agent: AgentObject): boolean =>
  agent.family === "null" || agent.family === "tcpsink";

/** `$ns connect source sink`: fixes who sends and by which protocol. */
export function connectAgents(a: AgentObject, b: AgentObject): void {
  a.peer = b;
  b.peer = a;
  const bothOpen = !isSink(a) && !isSink(b);
  a.role = isSink(a) ? "sink" : "source";
  b.role = isSink(b) || bothOpen ? "sink" : "source";
  a.proto = protocolOf(a, b);
  b.proto = protocolOf(b, a);
}

function protocolOf(agent: AgentObject, peer: AgentObject): string {
  switch (agent.family) {
    case "udp":
      return "udp";
    case "tcp":
    case "tcpsink":
    case "fulltcp":
      return "tcp";
    default:
      return peer.family === "udp" ? "udp" : "tcp";
  }
}

function attachApplication({ context, self, argv }: Call<ApplicationObject>): string {
  const agent = context.find(word(argv, 2), ["agent"]);
  if (agent === undefined) throw context.notA("attach-agent", word(argv, 2), 2, "an Agent");
  self.agent = agent;
  agent.application = self;
  return "";
}

function setField({ context, self, argv, site }: Call<ApplicationObject>): string {
  const field = word(argv, 2);
  if (argv.length === 3) return self.fields.get(field) ?? "";
  const value = word(argv, 3);
  if (!self.fields.has(field)) {
    context.warn(site, "NS_UNSUPPORTED", `this application has no field ${field} here`, {
      word: 2,
    });
    return "";
  }
  if (field === "rate_" && value !== "") {
    quantity(parseBandwidth(value, context.options.compat), "NS_BANDWIDTH", 3, value);
  }
  self.fields.set(field, value);
  return value;
}

/** Arguments of the event that sets up a CBR application at time 0. */
export function trafficSetup(application: ApplicationObject, compat: boolean): string {
  const field = (name: string): string => application.fields.get(name) ?? "";
  const rate = parseBandwidth(field("rate_"), compat);
  const kbps = field("rate_") === "" || !rate.ok ? "-1" : `${rate.value}`;
  const or = (text: string): string => (text === "" ? "-1" : text);
  const size = field("packetSize_");
  const rest = `INTERVAL=${or(field("interval_"))} IPTOS=${or(field("iptos_"))}`;
  return `PACKETSIZE=${size} RATE=${kbps} ${rest}`;
}

/** Name of a traffic end in the tables: sources go by their application. */
export function trafficName(agent: AgentObject): string {
  return agent.application?.family === "cbr" ? agent.application.name : agent.name;
}

/** What is missing before an agent can be written out. */
export function trafficFault(agent: AgentObject): NsFault | undefined {
  const missing =
    agent.node === undefined
      ? "node"
      : agent.role === ""
        ? "role"
        : agent.peer === undefined
          ? "destination"
          : undefined;
  const details = { offset: agent.offset };
  if (missing !== undefined) {
    return new NsFault("NS_TRAFFIC", `[updatedb] ${agent.name} has no ${missing}.`, {
      ...details,
      hint: "Attach it to a node with $ns attach-agent and to its peer with $ns connect.",
    });
  }
  const needs = agent.role === "source" && (agent.family === "udp" || agent.family === "tcp");
  if (!needs || agent.application !== undefined) return undefined;
  return new NsFault("NS_TRAFFIC", `[updatedb] ${agent.name} has no application.`, {
    ...details,
    hint: "Make one: set cbr [new Application/Traffic/CBR]; $cbr attach-agent $agent",
  });
}

/** Methods of applications. */
export const applicationMethods: MethodTable<ApplicationObject> = new Map([
  method<ApplicationObject>("attach-agent", "agent", 1, 1, attachApplication),
  method<ApplicationObject>("set", "field ?value?", 1, 2, setField),
]);

/** Methods of agents; `listen` belongs to FullTcp and has no meaning of its own. */
export const agentMethods: MethodTable<AgentObject> = new Map([
  method<AgentObject>("listen", "", 0, 0, () => ""),
  method<AgentObject>("set", "field ?value?", 1, 2, ({ context, argv, site }) => {
    context.warn(site, "NS_UNSUPPORTED", `agents have no field ${word(argv, 2)} here`, { word: 2 });
    return "";
  }),
]);
