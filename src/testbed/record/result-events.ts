// SPDX-License-Identifier: MIT
// The table of events in a result: those that fired, then those of the main timeline that did not.
// Pure. Steps of sequences and timelines have no planned instant until they are started, so only
// those that fired are listed.
import type { PlannedEvent } from "../../experiment/model.ts";
import { numberOf } from "../agenda-plan.ts";
import type { EventCancelled, EventFired, RunModified } from "../run-event.ts";
import type { ResultEvent } from "./result-model.ts";

/** Outcome of an event of the main timeline whose time never came or that was never performed. */
export const notFired = "not fired";

/** Outcome of an event that was taken back before it fired. */
export const cancelled = "cancelled";

export interface EventTable {
  add(event: EventFired | EventCancelled): void;
  /** Events that were planned while the run went, or planned otherwise. */
  plan(events: RunModified["events"]): void;
  rows(): readonly ResultEvent[];
}

type Planned = Pick<PlannedEvent, "object" | "type" | "event" | "args" | "atUs"> & {
  readonly id: number;
};

/** Collects fired events and tells which of `planned` are left over. */
export function createEventTable(planned: readonly PlannedEvent[]): EventTable {
  const fired: ResultEvent[] = [];
  const all = new Map<number, Planned>();
  for (const event of planned) {
    // What waits for a barrier has an offset and no instant.
    const atUs = event.on === undefined ? event.atUs : "swapout";
    all.set(numberOf(event), { ...event, atUs, id: numberOf(event) });
  }
  return {
    plan(events) {
      for (const { id, object, objectType, event, args, plannedUs } of events) {
        all.set(id, { id, object, type: objectType, event, args, atUs: plannedUs ?? "swapout" });
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
        ...timesOf(event),
      });
    },
    rows: () => {
      const over = new Set(fired.map(({ id }) => id));
      return [...fired, ...[...all.values()].filter(({ id }) => !over.has(id)).map(unfiredRow)];
    },
  };
}

type Times = Pick<ResultEvent, "firedUs" | "latenessUs" | "skewUs" | "outcome" | "why">;

function timesOf(event: EventFired | EventCancelled): Times {
  if (event.type === "event-cancelled") {
    const outcome = event.isLeftOver === true ? notFired : cancelled;
    const why = event.why === "" ? {} : { why: event.why };
    return { firedUs: null, latenessUs: null, skewUs: null, outcome, ...why };
  }
  const { firedUs, latenessUs, skewUs, outcome } = event;
  return { firedUs, latenessUs, skewUs, outcome };
}

function unfiredRow(event: Planned): ResultEvent {
  return {
    id: event.id,
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
