// SPDX-License-Identifier: MIT
// What the events of a scope can be addressed to: agents, groups, timelines and sequences, and the
// built-in ones. Owns the definitions, which agents are down, and the words for what is refused;
// does not own what runs (runs.ts).
//
//   O1. The members of a group are agents, timelines or sequences of one type. A group that is
//       nested, mixed or empty is kept with the reason, so that its events are refused with it.
import type { Refusal } from "../refusal.ts";
import { invalid } from "../refusal.ts";
import type {
  AgendaAgent,
  AgendaAmend,
  AgendaEvent,
  AgendaGroup,
  AgendaLoad,
  AgendaSequence,
  TimedEvent,
} from "./commands.ts";
import { eventsOf } from "./event-types.ts";
import { nearestNames } from "./nearest-names.ts";

/** Names that no file can take. [EMULAB-EVENTS 2.2 step 7] */
export const builtIn = {
  /** Runs at the start; then the main timeline starts. */
  sequence: "__ns_sequence",
  /** The main timeline. */
  timeline: "__ns_timeline",
  /** What is planned for swap-out. */
  swapout: "__ns_swapout",
  /** Runs when the agenda is about to go. */
  teardown: "__ns_teardown",
} as const;

/** What a name stands for. */
export type Target =
  | { readonly kind: "single"; readonly type: string; readonly down: string | undefined }
  | { readonly kind: "group"; readonly type: string; readonly members: readonly string[] }
  | { readonly kind: "unusable"; readonly why: string }
  | { readonly kind: "unknown" };

interface Group {
  readonly type: string;
  readonly members: readonly string[];
  /** Why no event can be sent to it; `""` when it can. */
  readonly unusable: string;
}

interface Sequence {
  readonly steps: TimedEvent[];
  readonly onError: string | undefined;
}

/** The definitions as plain data. */
export interface ObjectsSnapshot {
  readonly agents: readonly AgendaAgent[];
  readonly groups: readonly (readonly [string, Group])[];
  readonly timelines: readonly (readonly [string, readonly TimedEvent[]])[];
  readonly sequences: readonly AgendaSequence[];
  readonly down: readonly (readonly [string, string])[];
}

/** How many names are offered instead of a wrong one. */
const nearestMax = 3;
/** How many ends of a link are, instead of one that it has not. */
const endsMax = 8;

export class ObjectTable {
  readonly #agents = new Map<string, AgendaAgent>();
  readonly #groups = new Map<string, Group>();
  readonly #timelines = new Map<string, TimedEvent[]>();
  readonly #sequences = new Map<string, Sequence>();
  /** Agents that cannot obey, and why. */
  readonly #down = new Map<string, string>();

  /** @returns what can never work, a sentence each. */
  load(load: AgendaLoad): readonly string[] {
    this.#clear();
    this.#timelines.set(builtIn.timeline, inOrder(load.main));
    for (const { name, events } of load.timelines) this.#timelines.set(name, inOrder(events));
    for (const name of [builtIn.sequence, builtIn.swapout, builtIn.teardown]) {
      this.#sequences.set(name, { steps: [], onError: undefined });
    }
    for (const { name, steps, onError } of load.sequences) {
      this.#sequences.set(name, { steps: [...steps], onError });
    }
    for (const agent of load.agents) this.#agents.set(agent.name, agent);
    const groupNames = new Set(load.groups.map(({ name }) => name));
    for (const events of [...this.#timelines.values(), ...this.#stepLists()]) {
      for (const { event } of events) this.#declare(event.object, event.type, groupNames);
    }
    return this.#makeGroups(load.groups, groupNames);
  }

  #makeGroups(groups: readonly AgendaGroup[], names: ReadonlySet<string>): readonly string[] {
    const problems: string[] = [];
    for (const group of groups) {
      const made = this.#makeGroup(group, names);
      this.#groups.set(group.name, made);
      if (made.unusable !== "") problems.push(made.unusable);
    }
    return problems;
  }

  /** Definitions and appended events, for the limit. */
  get size(): number {
    let size = 0;
    for (const events of this.#timelines.values()) size += events.length;
    for (const steps of this.#stepLists()) size += steps.length;
    return size;
  }

  resolve(name: string): Target {
    const group = this.#groups.get(name);
    if (group !== undefined) {
      if (group.unusable !== "") return { kind: "unusable", why: group.unusable };
      return { kind: "group", type: group.type, members: group.members };
    }
    const type = this.#typeOf(name);
    if (type === undefined) return { kind: "unknown" };
    return { kind: "single", type, down: this.#down.get(name) };
  }

  /** Why an agent cannot obey; undefined when it can. */
  whyDown(name: string): string | undefined {
    return this.#down.get(name);
  }

  setDown(name: string, reason: string | undefined): void {
    if (reason === undefined) this.#down.delete(name);
    else if (this.#agents.has(name)) this.#down.set(name, reason);
  }

  timeline(name: string): TimedEvent[] | undefined {
    return this.#timelines.get(name);
  }

  sequence(name: string): Sequence | undefined {
    return this.#sequences.get(name);
  }

  /** Adds an event to a timeline, behind those of its instant, or to the end of a sequence. */
  append(name: string, timed: TimedEvent): void {
    this.#sequences.get(name)?.steps.push(timed);
    const events = this.#timelines.get(name);
    if (events === undefined) return;
    let index = events.length;
    while (index > 0 && (events[index - 1]?.atUs ?? 0) > timed.atUs) index -= 1;
    events.splice(index, 0, timed);
  }

  /** What a timeline or sequence holds. */
  stepsOf(name: string): readonly TimedEvent[] {
    return this.#timelines.get(name) ?? this.#sequences.get(name)?.steps ?? [];
  }

  /** @param added to the main timeline. @returns what can never work, a sentence each. */
  amend(change: AgendaAmend, added: readonly TimedEvent[]): readonly string[] {
    const { agents, timelines, sequences, removed, main } = change;
    for (const name of [...removed, ...agents.map((agent) => agent.name)]) {
      for (const table of [this.#agents, this.#timelines, this.#sequences]) table.delete(name);
    }
    for (const name of removed) this.#down.delete(name);
    for (const { name, events } of timelines) this.#timelines.set(name, inOrder(events));
    for (const { name, steps, onError } of sequences) {
      this.#sequences.set(name, { steps: [...steps], onError });
    }
    for (const agent of agents) this.#agents.set(agent.name, agent);
    const dropped = new Set(main.dropped);
    const changed = new Map(main.changed.map((timed) => [timed.event.id, timed]));
    const kept = (this.#timelines.get(builtIn.timeline) ?? [])
      .filter(({ event }) => !dropped.has(event.id))
      .map((timed) => changed.get(timed.event.id) ?? timed);
    this.#timelines.set(builtIn.timeline, inOrder([...kept, ...added]));
    const { groups } = change;
    const groupNames = new Set(groups.map(({ name }) => name));
    for (const { object, type } of this.events()) this.#declare(object, type, groupNames);
    this.#groups.clear();
    return this.#makeGroups(groups, groupNames);
  }

  /** CLEAR. @returns what it has held */
  clear(name: string): readonly TimedEvent[] {
    const events = this.#timelines.get(name) ?? this.#sequences.get(name)?.steps;
    return events?.splice(0) ?? [];
  }

  /** All events that are defined. */
  *events(): Iterable<AgendaEvent> {
    for (const events of [...this.#timelines.values(), ...this.#stepLists()]) {
      for (const { event } of events) yield event;
    }
  }

  /** Why an event cannot be sent, if so: the object, its state, or what it understands. */
  refusal(object: string, event: string): Refusal | undefined {
    const target = this.resolve(object);
    if (target.kind === "unknown") return this.#unknown("object", object, this.#names());
    if (target.kind === "unusable") return invalid(target.why);
    if (target.kind === "single" && target.down !== undefined) {
      return { code: "unavailable", message: `${object} cannot obey now: ${target.down}` };
    }
    const known = eventsOf(target.type);
    if (known === undefined || known.includes(event)) return undefined;
    const events = known.join(", ");
    return invalid(`${object} is a ${target.type} and knows no ${event}; it knows ${events}`);
  }

  /** Why nothing can be added to this timeline or sequence, if so. */
  timelineRefusal(name: string): Refusal | undefined {
    if (this.#timelines.has(name) || this.#sequences.has(name)) return undefined;
    const names = [...this.#timelines.keys(), ...this.#sequences.keys()];
    return this.#unknown("timeline or sequence", name, names);
  }

  /** Rows for the digest. */
  rows(): readonly string[] {
    const { agents, groups, timelines, sequences, down } = this.capture();
    return [
      ...agents.map(({ name, type, node }) => `agent ${name} ${type} ${node}`),
      ...groups.map(([name, group]) => `group ${name} ${group.type} ${group.members.join(" ")}`),
      ...timelines.map(([name, events]) => `timeline ${name} ${events.length}`),
      ...sequences.map(({ name, steps }) => `sequence ${name} ${steps.length}`),
      ...down.map(([name, why]) => `down ${name} ${why}`),
    ];
  }

  capture(): ObjectsSnapshot {
    return {
      agents: [...this.#agents.values()],
      groups: [...this.#groups],
      timelines: [...this.#timelines].map(([name, events]) => [name, [...events]]),
      sequences: [...this.#sequences].map(([name, { steps, onError }]) => ({
        ...{ name, steps: [...steps] },
        ...(onError === undefined ? {} : { onError }),
      })),
      down: [...this.#down],
    };
  }

  restore(snapshot: ObjectsSnapshot): void {
    for (const agent of snapshot.agents) this.#agents.set(agent.name, agent);
    for (const [name, group] of snapshot.groups) this.#groups.set(name, group);
    for (const [name, events] of snapshot.timelines) this.#timelines.set(name, [...events]);
    for (const { name, steps, onError } of snapshot.sequences) {
      this.#sequences.set(name, { steps: [...steps], onError });
    }
    for (const [name, why] of snapshot.down) this.#down.set(name, why);
  }

  #clear(): void {
    const tables = [this.#agents, this.#groups, this.#timelines, this.#sequences];
    for (const table of [...tables, this.#down]) table.clear();
  }

  /** An object that only the plan names is what the plan says it is. */
  #declare(name: string, type: string, groupNames: ReadonlySet<string>): void {
    if (type === "SEQUENCE" || type === "TIMELINE" || groupNames.has(name)) return;
    if (this.#typeOf(name) === undefined) this.#agents.set(name, { name, type, node: "" });
  }

  #makeGroup({ name, members }: AgendaGroup, groupNames: ReadonlySet<string>): Group {
    const type = this.#typeOf(members[0] ?? "") ?? "";
    const unusable = this.#whyUnusable(name, members, groupNames);
    return { type, members: [...new Set(members)], unusable };
  }

  /** O1. */
  #whyUnusable(name: string, members: readonly string[], groupNames: ReadonlySet<string>): string {
    const first = members[0];
    if (first === undefined) return `group ${name} has no members`;
    const type = this.#typeOf(first);
    for (const member of members) {
      if (groupNames.has(member)) {
        return `group ${name} has the group ${member} in it; name its members instead`;
      }
      const other = this.#typeOf(member);
      if (other === undefined) return `group ${name} has ${member} in it, which does not exist`;
      if (other !== type) {
        return `group ${name} is mixed: ${first} is a ${type}, ${member} a ${other}; make two groups`;
      }
    }
    return "";
  }

  #typeOf(name: string): string | undefined {
    if (this.#timelines.has(name)) return "TIMELINE";
    if (this.#sequences.has(name)) return "SEQUENCE";
    return this.#agents.get(name)?.type;
  }

  *#names(): Iterable<string> {
    for (const map of [this.#agents, this.#groups, this.#timelines, this.#sequences]) {
      yield* map.keys();
    }
  }

  #stepLists(): readonly TimedEvent[][] {
    return [...this.#sequences.values()].map(({ steps }) => steps);
  }

  #unknown(what: string, name: string, names: Iterable<string>): Refusal {
    const all = [...names];
    // A program of several nodes is one for each: `p-a`, `p-b`.
    const copies = all.filter((one) => one.startsWith(`${name}-`)).slice(0, nearestMax);
    const near = copies.length > 0 ? copies : nearestNames(name, all, nearestMax);
    const hint =
      near.length === 0 ? this.#endsHint(name, all) : `; did you mean ${near.join(" or ")}?`;
    return { code: "unknown", message: `there is no ${what} ${name}${hint}` };
  }

  /** Of a link that is there, an end that is not: which it has. */
  #endsHint(name: string, all: readonly string[]): string {
    const links = all.filter((one) => name.startsWith(`${one}-`) && this.#typeOf(one) === "LINK");
    const [link] = links.toSorted((a, b) => b.length - a.length);
    if (link === undefined) return "";
    const ends = all.filter((one) => one.startsWith(`${link}-`) && this.#typeOf(one) === "LINK");
    if (ends.length === 0) return "";
    const more = ends.length > endsMax ? ", ..." : "";
    return `; ends of ${link}: ${ends.slice(0, endsMax).join(", ")}${more}`;
  }
}

/** By time; equal times keep source order (`sort` is stable). */
function inOrder(events: readonly TimedEvent[]): TimedEvent[] {
  return [...events].sort((a, b) => a.atUs - b.atUs);
}
