// SPDX-License-Identifier: MIT
// TRAFGEN events as the traffic agent takes them. Nobody waits for traffic: the completion is that
// the event was obeyed. [EMULAB-EVENTS 2.8]
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { Clock } from "../../host/clock.ts";
import { ignored, type ObjectAgent, type Performed, type PerformOptions } from "./performed.ts";
import type { TrafficAgent, TrafficResult } from "./trafgen/traffic-agent.ts";

export interface TrafficEventsOptions {
  /** Left out, nothing generates traffic. */
  readonly traffic?: TrafficAgent;
  readonly clock: Clock;
}

export class TrafficEvents implements ObjectAgent {
  readonly #options: TrafficEventsOptions;

  constructor(options: TrafficEventsOptions) {
    this.#options = options;
  }

  async perform(event: AgendaEvent, how: PerformOptions): Promise<Performed> {
    const { traffic, clock } = this.#options;
    const { object } = event;
    if (traffic?.knows(object) !== true) {
      return ignored(clock.nowUs(), `${object} generates no traffic`);
    }
    const result = await obey(traffic, event, how);
    if (result === undefined) {
      return ignored(clock.nowUs(), `TRAFGEN ${event.event} is not performed yet`);
    }
    return { ...result, done: Promise.resolve(0) };
  }
}

function obey(
  traffic: TrafficAgent,
  { object: name, event, args }: AgendaEvent,
  how: PerformOptions,
): Promise<TrafficResult> | undefined {
  switch (event) {
    case "START":
      return traffic.start(name, args, how);
    case "STOP":
      return traffic.stop(name);
    case "MODIFY":
      return traffic.modify(name, args);
    case "RESET":
      return traffic.reset(name);
    default:
      return undefined;
  }
}
