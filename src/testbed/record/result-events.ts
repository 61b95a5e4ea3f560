// SPDX-License-Identifier: MIT
// The table of events in a result: those that fired, then those of the main timeline that did not.
// Pure. Steps of sequences and timelines have no planned instant until they are started, so only
// those that fired are listed.
import type { PlannedEvent } from "../../experiment/model.ts";
import type { EventFired, RunModified } from "../run-event.ts";
import type { ResultEvent } from "./result-model.ts";

/** Outcome of an event of the main timeline whose time never came or that was never performed. */
export const notFired = "not fired";

export interface EventTable {
  add(fired: EventFired): void;
  /** Events that were planned while the run went. */
  plan(events: RunModified["events"]): void;
  rows(): readonly ResultEvent[];
}

type Planned = Pick<PlannedEvent, "index" | "object" | "type" | "event" | "args" | "atUs">;

/** Collects fired events and tells which of `planned` are left over. */
export function createEventTable(planned: readonly PlannedEvent[]): EventTable {
  const fired: ResultEvent[] = [];
  const all: Planned[] = [...planned];
  return {
    plan(events) {
      for (const { id, object, objectType, event, args, plannedUs } of events) {
        all.push({ index: id, object, type: objectType, event, args, atUs: plannedUs });
      }
    },
    add(event) {
      fired.push({
        id: event.id,
        object: event.object,
        type: event.objectType,
        event: event.event,
        args: event.args,
        plannedUs: event.plannedUs,
        firedUs: event.firedUs,
        latenessUs: event.latenessUs,
        skewUs: event.skewUs,
        outcome: event.outcome,
      });
    },
    rows: () => [...fired, ...leftOver(all, fired)],
  };
}

/**
 * Takes each fired event off the plan: by its exact instant if there is one, else by its number,
 * so that an event moved by a pause or a swap-out event without an instant is still recognised.
 */
function leftOver(planned: readonly Planned[], fired: readonly ResultEvent[]): ResultEvent[] {
  const left = new Set(planned);
  const byInstant = new Map<string, Planned[]>();
  for (const event of planned) {
    const key = instantKey(event.object, event.event, event.atUs);
    const same = byInstant.get(key);
    if (same === undefined) byInstant.set(key, [event]);
    else same.push(event);
  }
  const unmatched: ResultEvent[] = [];
  for (const event of fired) {
    const match = byInstant.get(instantKey(event.object, event.event, event.plannedUs))?.shift();
    if (match === undefined) unmatched.push(event);
    else left.delete(match);
  }
  const byIndex = new Map([...left].map((event) => [event.index, event]));
  for (const event of unmatched) {
    const match = byIndex.get(event.id);
    if (match?.object === event.object && match.event === event.event) left.delete(match);
  }
  return [...left].map(unfiredRow);
}

function instantKey(object: string, event: string, atUs: number | "swapout" | null): string {
  return `${object}\0${event}\0${atUs}`;
}

function unfiredRow(event: Planned): ResultEvent {
  return {
    id: event.index,
    object: event.object,
    type: event.type,
    event: event.event,
    args: event.args,
    plannedUs: event.atUs === "swapout" ? null : event.atUs,
    firedUs: null,
    latenessUs: null,
    skewUs: null,
    outcome: notFired,
  };
}
