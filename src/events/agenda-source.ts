// SPDX-License-Identifier: MIT
// Where a scheduler process has its agenda from: boss's static data, or a run that has written it
// to a file. A scheduler cannot tell which it has.
import { readFileSync } from "node:fs";
import type { AgentRow, StaticData } from "../client/static-data.ts";
import type { AgendaLoad } from "../core/agenda/commands.ts";
import { type LoadedAgenda, loadAgenda } from "./load-agenda.ts";

export interface AgendaSource {
  /** `activating`, `active`, ... [EMULAB-EVENTS 2.2 step 9] */
  state(): Promise<string>;
  agenda(): Promise<SourcedAgenda>;
  /** Records when a timeline began; `""` is the experiment's own. `undefined` takes it back. */
  setStart(timeline: string, startSeconds: number | undefined): Promise<void>;
}

export interface SourcedAgenda extends LoadedAgenda {
  /** As they are named in the log. */
  readonly agents: readonly AgentRow[];
}

/** @param scope of the agenda: `pid/eid` */
export function staticAgenda(scope: string, data: StaticData): AgendaSource {
  return {
    state: () => data.state(),
    setStart: (timeline, seconds) => data.setStart(timeline, seconds),
    async agenda() {
      const agents = await data.agents();
      const [groups, events] = [await data.groups(), await data.events()];
      return { ...loadAgenda(scope, { agents, groups, events }), agents };
    },
  };
}

/** What a run writes for its scheduler. */
export interface RunAgenda {
  readonly load: AgendaLoad;
  /** Object -> control address of its node. */
  readonly addresses: readonly (readonly [object: string, address: string])[];
}

/**
 * The agenda of a run, from its file. The run says itself when time starts, and learns over the bus
 * when a timeline does.
 * @throws Error with a sentence when the file is none of a run
 */
export function runAgendaFile(file: string): AgendaSource {
  const { load, addresses } = readRunAgenda(file);
  const address = new Map(addresses);
  const agents = load.agents.map(({ name, type: objectType, node }): AgentRow => {
    const vnode = node === "" ? "*" : node;
    return { name, objectType, vnode, nodeId: vnode, address: address.get(name) ?? "*" };
  });
  return {
    state: () => Promise.resolve("activating"),
    setStart: () => Promise.resolve(),
    agenda: () => Promise.resolve({ load, addresses: address, problems: [], agents }),
  };
}

function readRunAgenda(file: string): RunAgenda {
  const given = JSON.parse(readFileSync(file, "utf8")) as Partial<RunAgenda> | null;
  if (given?.load?.kind !== "agenda-load" || !Array.isArray(given.addresses)) {
    throw new Error(`${file} is no agenda of a run; muster run --split writes it`);
  }
  return { load: given.load, addresses: given.addresses };
}
