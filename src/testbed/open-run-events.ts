// SPDX-License-Identifier: MIT
// The event system of a run, in one process or in two; the run cannot tell which it has.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EventsOfRun, eventServerFile, RunEvents } from "./run-events.ts";
import { SplitRunEvents, type SplitRunEventsOptions } from "./run-events-split.ts";
import type { SplitOptions } from "./run-scheduler.ts";

export interface OpenRunEventsOptions extends Omit<SplitRunEventsOptions, "split" | "directory"> {
  /** Undefined: the scheduler is in this process. */
  readonly split: SplitOptions | undefined;
  /** Directory of the run. */
  readonly out: string;
  /** Told of a scheduler that can be stopped and started. */
  readonly onControl?: ((control: EventControl) => void) | undefined;
}

/** What can be asked of the scheduler of a run. */
export type EventControl = Pick<SplitRunEvents, "control">;

/** Programs find the key and the bus from here on. @throws Error with a sentence for the user */
export async function openRunEvents(options: OpenRunEventsOptions): Promise<EventsOfRun> {
  const { split, out, eventKey } = options;
  const project = join(out, "proj");
  writeFileSync(join(project, "tbdata/eventkey"), eventKey, { mode: 0o600 });
  const events =
    split === undefined
      ? await RunEvents.open(options)
      : await openSplit({ ...options, split, directory: join(out, "scheduler") });
  const { address } = events;
  if (address !== undefined) writeFileSync(join(project, eventServerFile), `${address}\n`);
  return events;
}

async function openSplit(
  options: SplitRunEventsOptions & Pick<OpenRunEventsOptions, "onControl">,
): Promise<SplitRunEvents> {
  const events = await SplitRunEvents.open(options);
  if (options.split.launch !== undefined) options.onControl?.(events);
  return events;
}
