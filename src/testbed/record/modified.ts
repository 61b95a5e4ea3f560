// SPDX-License-Identifier: MIT
// What a modification of a run came to, as names for the result and as words for people. Pure.
import type { RunModified } from "../run-event.ts";
import type { ResultModification } from "./result-model.ts";
import { joinNames } from "./words.ts";

export function resultModification(
  event: RunModified & { readonly atUs: number },
): ResultModification {
  const { nodesAdded, programsAdded, programsRestarted, trafficEnded, trafficBegun } = event;
  const { atUs, nodesRemoved, nodesRestarted, nodesLost, programsRemoved } = event;
  const { linksChanged, linksAdded, linksRemoved, sequencesChanged } = event;
  const { events, eventsChanged, eventsRemoved, eventsFired } = event;
  const names = (all: readonly { readonly name: string }[]): string[] =>
    all.map(({ name }) => name);
  const numbers = (rows: RunModified["events"]): number[] => rows.map(({ id }) => id);
  return {
    ...{ atUs, nodesAdded: names(nodesAdded), nodesRemoved, nodesRestarted, nodesLost },
    ...{ programsAdded: names(programsAdded), programsRemoved },
    ...{ programsRestarted: names(programsRestarted), trafficEnded, trafficBegun },
    ...{ linksChanged, linksAdded, linksRemoved },
    ...{ sequencesChanged, eventsAdded: numbers(events), eventsChanged: numbers(eventsChanged) },
    ...{ eventsRemoved, eventsFired: numbers(eventsFired) },
  };
}

/** `nodes added: c; programs removed: p, q`. */
export function describeModification(modification: ResultModification): string {
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ["nodes added", modification.nodesAdded],
    ["nodes removed", modification.nodesRemoved],
    ["nodes restarted", modification.nodesRestarted],
    ["programs added", modification.programsAdded],
    ["programs removed", modification.programsRemoved],
    ["programs changed", modification.programsRestarted],
    ["links changed", modification.linksChanged],
    ["links added", modification.linksAdded],
    ["links removed", modification.linksRemoved],
    ["traffic ended", modification.trafficEnded],
    ["traffic begun", modification.trafficBegun],
    ["sequences and timelines changed", modification.sequencesChanged],
    ["events added", modification.eventsAdded.map(String)],
    ["events changed", modification.eventsChanged.map(String)],
    ["events removed", modification.eventsRemoved.map(String)],
    ["events that had fired", modification.eventsFired.map(String)],
  ];
  const told = parts
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what}: ${joinNames(names)}`);
  return told.join("; ") || "nothing that runs";
}
