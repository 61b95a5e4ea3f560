// SPDX-License-Identifier: MIT
// What will come of the link events that a file plans, as far as that can be known before time 0:
// which of them will be refused, and which make links faster than who shapes them carries. Changes
// nothing.
//
//   F1. Events of the main timeline count in the order of their times, each on what those before it
//       have made of the links; so do those of each timeline and sequence, on what the file asks,
//       because nobody knows when they begin. So does each one that waits for a barrier.
//   F2. What is said here is said again when it is due, by whoever is told then: an event may be
//       taken back or changed before.
import type { Experiment, PlannedEvent } from "../experiment/model.ts";
import { describeAmbiguous, findLinkObject, readLinkEvent } from "../network/link-args.ts";
import type { LinkTable } from "../network/link-table.ts";
import type { LinkChange, ShapedLink } from "../network/model.ts";
import { mayOverload } from "../network/overload.ts";
import type { ShapedLinks } from "../network/shaped-links.ts";
import { planGroups } from "./agenda-plan.ts";

/** Each is a line; what is the same of several events is told once. */
const toldMax = 10;

type Judges = Pick<ShapedLinks, "table" | "refusal" | "overload">;

/** What will come of an event for one object. */
export interface Foreseen {
  readonly event: PlannedEvent;
  readonly object: string;
  readonly will: "be refused" | "be too much";
  readonly text: string;
}

/** @param told what has been said of the links as the file asks for them */
export function foreseeLinkEvents(
  experiment: Experiment,
  links: Judges,
  told: readonly string[],
): readonly string[] {
  const known = new Set(told);
  const texts: string[] = [];
  for (const { event, object, will, text } of foresee(experiment, links)) {
    if (known.has(text)) continue;
    known.add(text);
    texts.push(`${whenOf(event)}${event.event} of ${object} will ${will}: ${text}`);
  }
  const more = texts.length - toldMax;
  const rest = more > 0 ? [`${more} more events of links will be refused or too much`] : [];
  return [...texts.slice(0, toldMax), ...rest];
}

/** All of it, in the order of F1. */
export function* foresee(experiment: Experiment, links: Judges): Iterable<Foreseen> {
  const groups = new Map(planGroups(experiment).map(({ name, members }) => [name, members]));
  const all = links.table.names.map((name) => links.table.link(name) as ShapedLink);
  for (const events of linesOf(experiment)) {
    const table = links.table.copy();
    for (const event of events) {
      for (const object of groups.get(event.object) ?? [event.object]) {
        const read = readChanges(all, object, event);
        const problem = typeof read === "string" ? read : links.refusal(read, table);
        if (problem !== undefined) yield { event, object, will: "be refused", text: problem };
        if (problem !== undefined || typeof read === "string") continue;
        commit(table, read);
        if (!mayOverload(read)) continue;
        for (const text of links.overload?.(table) ?? []) {
          yield { event, object, will: "be too much", text };
        }
      }
    }
  }
}

/** F1. Those of links only. */
function linesOf({
  events,
  timelines,
  sequences,
}: Experiment): readonly (readonly PlannedEvent[])[] {
  const ofLinks = events.filter(({ type }) => type === "LINK");
  const main = ofLinks.filter(({ on, atUs }) => on === undefined && atUs !== "swapout");
  const others = [...timelines.map((line) => line.events), ...sequences.map(({ steps }) => steps)];
  return [
    main,
    ...ofLinks.filter((event) => !main.includes(event)).map((event) => [event]),
    ...others.map((line) => line.filter(({ type }) => type === "LINK")),
  ].map((line) => line.toSorted((a, b) => timeOf(a) - timeOf(b) || a.index - b.index));
}

const timeOf = ({ atUs }: PlannedEvent): number => (atUs === "swapout" ? Infinity : atUs);

/** An object that is no link is ignored when it is due, which is not refused. */
function readChanges(
  links: readonly ShapedLink[],
  name: string,
  { event, args }: PlannedEvent,
): readonly LinkChange[] | string {
  const object = findLinkObject(links, name);
  if (object === undefined) return [];
  return describeAmbiguous(links, name) ?? readLinkEvent(object, event, args);
}

function commit(table: LinkTable, changes: readonly LinkChange[]): void {
  const planned = table.plan(changes);
  if (!("problem" in planned)) table.commit(planned);
}

function whenOf({ atUs, on }: PlannedEvent): string {
  if (on !== undefined) return `behind barrier ${on.barrier}, `;
  return atUs === "swapout" ? "at swap-out, " : `at ${atUs / 1_000_000} s, `;
}
