// SPDX-License-Identifier: MIT
// The planned events of an experiment as the agenda of the core takes them. Pure.
import type { AgendaEvent, AgendaLoad, TimedEvent } from "../core/command.ts";
import type { Experiment, PlannedEvent } from "../experiment/model.ts";

/** Events planned for swap-out (`$ns at swapout`) are not part of it. */
export function planAgenda(scope: string, experiment: Experiment): AgendaLoad {
  return {
    kind: "agenda-load",
    scope,
    main: timedEvents(experiment.events),
    timelines: experiment.timelines.map(({ name, events }) => ({
      name,
      events: timedEvents(events),
    })),
    sequences: experiment.sequences.map(({ name, steps }) => ({
      name,
      steps: steps.map(agendaEvent),
    })),
  };
}

/** How many events of the main timeline will fire by themselves. */
export function countTimedEvents(experiment: Experiment): number {
  return experiment.events.filter(({ atUs }) => atUs !== "swapout").length;
}

function timedEvents(events: readonly PlannedEvent[]): readonly TimedEvent[] {
  return events.flatMap((planned) =>
    planned.atUs === "swapout" ? [] : [{ atUs: planned.atUs, event: agendaEvent(planned) }],
  );
}

function agendaEvent({ index, object, type, event, args }: PlannedEvent): AgendaEvent {
  return { id: index, object, type, event, args };
}
