// SPDX-License-Identifier: MIT
// The agenda of an experiment from its static data. Pure. What comes in by the way, agents that are
// skipped and rows that mean nothing, is said. [EMULAB-EVENTS 2.3, 2.5]
import type { AgentRow, EventRow, GroupRow } from "../client/static-data.ts";
import type { AgendaEvent, AgendaLoad, TimedEvent } from "../core/agenda/commands.ts";
import { builtIn } from "../core/agenda/object-table.ts";

export interface StaticRows {
  readonly agents: readonly AgentRow[];
  readonly groups: readonly GroupRow[];
  readonly events: readonly EventRow[];
}

export interface LoadedAgenda {
  readonly load: AgendaLoad;
  /** Object -> control address of its node, or `*`. */
  readonly addresses: ReadonlyMap<string, string>;
  /** A sentence each. */
  readonly problems: readonly string[];
}

/** @param scope of the agenda: `pid/eid` */
export function loadAgenda(scope: string, { agents, groups, events }: StaticRows): LoadedAgenda {
  const problems: string[] = [];
  // An agent without an address could never be told anything. [EMULAB-EVENTS 2.3]
  const reachable = agents.filter(({ name, vnode, address }) => {
    if (address === "") problems.push(`${name} is left out: its node ${vnode} is not there`);
    return address !== "";
  });
  const parents = new Set(events.map(({ parent }) => parent));
  const typeOf = (name: string): string | undefined =>
    agents.find((agent) => agent.name === name)?.objectType;
  const isSequence = (name: string): boolean => typeOf(name) === "SEQUENCE";
  const byParent = (parent: string): readonly TimedEvent[] =>
    events
      .filter((event) => event.parent === parent && event.trigger !== "SWAPOUT")
      .map((event) => timed(event));
  const own = new Set<string>([...Object.values(builtIn), ""]);
  const named = [...new Set([...parents, ...ofType(agents, "SEQUENCE", "TIMELINE")])].filter(
    (name) => !own.has(name),
  );
  const atSwapout = events.filter(({ trigger }) => trigger === "SWAPOUT").map(timed);
  const sequences = [
    ...named.filter(isSequence).map((name) => ({ name, steps: byParent(name) })),
    { name: builtIn.sequence, steps: byParent(builtIn.sequence) },
    { name: builtIn.swapout, steps: [...byParent(builtIn.swapout), ...atSwapout] },
    { name: builtIn.teardown, steps: byParent(builtIn.teardown) },
  ];
  const timelines = named
    .filter((name) => !isSequence(name))
    .map((name) => ({ name, events: byParent(name) }));
  const load: AgendaLoad = {
    ...{ kind: "agenda-load", scope, sequences, timelines, groups: groupsOf(groups) },
    agents: reachable
      .filter(({ objectType }) => !["SEQUENCE", "TIMELINE", "GROUP"].includes(objectType))
      .map(({ name, objectType: type, vnode }) => ({
        name,
        type,
        node: vnode === "*" ? "" : vnode,
      })),
    main: [...byParent(""), ...byParent(builtIn.timeline)],
  };
  const addresses = new Map(reachable.map(({ name, address }) => [name, address]));
  return { load, addresses, problems };
}

function ofType(agents: readonly AgentRow[], ...types: readonly string[]): readonly string[] {
  return agents.filter(({ objectType }) => types.includes(objectType)).map(({ name }) => name);
}

function groupsOf(rows: readonly GroupRow[]): AgendaLoad["groups"] {
  const members = new Map<string, string[]>();
  for (const { group, agent } of rows) {
    const known = members.get(group);
    if (known === undefined) members.set(group, [agent]);
    else known.push(agent);
  }
  return [...members].map(([name, names]) => ({ name, members: names }));
}

function timed({ index, timeSeconds, name, objectType, eventType, args }: EventRow): TimedEvent {
  const event: AgendaEvent = { id: index, object: name, type: objectType, event: eventType, args };
  return { atUs: Math.round(timeSeconds * 1_000_000), event };
}
