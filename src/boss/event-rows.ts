// SPDX-License-Identifier: MIT
// Agents, groups and events of an experiment, from its virtual tables: those the file names and
// those that come without being asked for. Pure. [EMULAB-EVENTS 2.3]
//
//   R1. What the tables name is never replaced or doubled by what comes by itself.
import type { AgentRow, EventRow, GroupRow } from "../client/static-data.ts";
import type { Tables } from "../experiment/index.ts";

type Row = Readonly<Record<string, string>>;

/** Where a node is now. */
export interface Place {
  readonly nodeId: string;
  readonly address: string;
}

/** @param placeOf undefined for a node that the experiment does not have now */
export function agentRows(
  tables: Tables,
  placeOf: (vnode: string) => Place | undefined,
): readonly AgentRow[] {
  const named = rowsOf(tables, "virt_agents").map(({ vname = "", vnode = "", objecttype = "" }) => {
    return { name: vname, vnode, objectType: objecttype };
  });
  const known = new Set(named.map(({ name }) => name));
  const automatic = automaticAgents(tables).filter(({ name }) => !known.has(name)); // R1.
  return [...named, ...automatic].map((agent) => {
    const everywhere = { nodeId: "*", address: "*" };
    const place = agent.vnode === "*" ? everywhere : placeOf(agent.vnode);
    return { ...agent, nodeId: place?.nodeId ?? "", address: place?.address ?? "" };
  });
}

type Agent = Pick<AgentRow, "name" | "vnode" | "objectType">;

function automaticAgents(tables: Tables): readonly Agent[] {
  const lans = rowsOf(tables, "virt_lan_lans").map(({ vname = "" }) => vname);
  const members = rowsOf(tables, "virt_lans");
  return [
    ...lans.map((lan): Agent => ({ name: lan, vnode: "*", objectType: "LINK" })),
    ...members.map((member): Agent => ({ name: endOf(member), vnode: "*", objectType: "LINK" })),
    ...members.filter(isTraced).map((member): Agent => {
      return { name: tracerOf(member), vnode: member["vnode"] ?? "", objectType: "LINKTRACE" };
    }),
    ...programNodes(tables).map((vnode): Agent => {
      return { name: programAgentOf(vnode), vnode, objectType: "PROGRAM" };
    }),
  ];
}

export function groupRows(tables: Tables): readonly GroupRow[] {
  const named = rowsOf(tables, "event_groups").map(({ group_name = "", agent_name = "" }) => {
    return { group: group_name, agent: agent_name };
  });
  const known = new Set(named.map(({ group }) => group));
  return [...named, ...automaticGroups(tables).filter(({ group }) => !known.has(group))]; // R1.
}

function automaticGroups(tables: Tables): readonly GroupRow[] {
  const programs = rowsOf(tables, "virt_programs");
  const lans = rowsOf(tables, "virt_lan_lans");
  const traced = rowsOf(tables, "virt_lans").filter(isTraced);
  const group = (name: string, agents: readonly string[]): readonly GroupRow[] =>
    agents.map((agent) => ({ group: name, agent }));
  return [
    ...group(
      "__all_programs",
      programs.map(({ vname = "" }) => vname),
    ),
    ...group("__all_program-agents", programNodes(tables).map(programAgentOf)),
    ...group(
      "__all_lans",
      lans.map(({ vname = "" }) => vname),
    ),
    ...group("__all_tracemon", traced.map(tracerOf)),
    // The old parser wrote these names with a stray brace behind them, out of everybody's reach.
    ...traced.map((member) => ({
      group: `${member["vname"] ?? ""}-tracemon`,
      agent: tracerOf(member),
    })),
  ];
}

/** Events, without those of type TIME, which are records of when time began. */
export function eventRows(tables: Tables): readonly EventRow[] {
  return rowsOf(tables, "eventlist")
    .map((row, index) => ({
      index: index + 1,
      timeSeconds: Number(row["time"] ?? 0),
      name: row["vname"] ?? "",
      objectType: row["objecttype"] ?? "",
      eventType: row["eventtype"] ?? "",
      args: row["arguments"] ?? "",
      parent: row["parent"] ?? "",
      trigger: row["triggertype"] ?? "TIMER",
    }))
    .filter(({ objectType }) => objectType !== "TIME")
    .sort((a, b) => a.timeSeconds - b.timeSeconds || a.index - b.index);
}

function rowsOf(tables: Tables, name: string): readonly Row[] {
  return tables[name] ?? [];
}

function programNodes(tables: Tables): readonly string[] {
  const nodes = rowsOf(tables, "virt_programs").map(({ vnode = "" }) => vnode);
  return [...new Set(nodes)].filter((vnode) => vnode !== "");
}

const programAgentOf = (vnode: string): string => `__${vnode}_program-agent`;
const isTraced = (member: Row): boolean => member["traced"] === "1";

function endOf({ vname = "", vnode = "" }: Row): string {
  return `${vname}-${vnode}`;
}

function tracerOf(member: Row): string {
  return `${endOf(member)}-tracemon`;
}
