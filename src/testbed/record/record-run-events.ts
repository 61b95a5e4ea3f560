// SPDX-License-Identifier: MIT
// Records the events that are asked for while a run goes on. Where an object is follows the file
// as it was last told, which a modification changes.
import { join } from "node:path";
import type { Experiment } from "../../experiment/model.ts";
import type { Clock } from "../../host/clock.ts";
import type { Host } from "../../host/host.ts";
import { planAgenda } from "../agenda-plan.ts";
import type { TimeBase } from "../time-base.ts";
import { EventRecording } from "./event-recording.ts";

export interface RunEventsRecordedOptions {
  readonly host: Host;
  readonly clock: Clock;
  /** The directory of the run's results. */
  readonly out: string;
  readonly time: TimeBase;
  readonly told: () => Experiment;
  readonly onWarning: (text: string) => void;
}

/** @returns the recording, which has begun. */
export function recordRunEvents(options: RunEventsRecordedOptions): EventRecording {
  const { host, clock, out, time, told, onWarning } = options;
  let known = told();
  let nodes = nodesOfAgents(known);
  const recording = new EventRecording({
    ...{ host, clock, experiment: join(out, "proj") },
    nodeOf: (object) => {
      const now = told();
      if (now !== known) nodes = nodesOfAgents(now);
      known = now;
      return nodes.get(object) ?? "";
    },
    monotonicOf: (plannedUs) => time.zeroMonotonicUs + plannedUs,
    onError: onWarning,
  });
  recording.start();
  return recording;
}

function nodesOfAgents(experiment: Experiment): ReadonlyMap<string, string> {
  return new Map(planAgenda("", experiment).agents.map(({ name, node }) => [name, node]));
}
