// SPDX-License-Identifier: MIT
// Performs one fired event: hands it to the agent that serves its type of objects. Events for
// groups come here once for each member. Holds no state: a modification of the run makes a new one,
// and agents that remember something are made once for the run and handed in.
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { Experiment } from "../../experiment/model.ts";
import type { Clock } from "../../host/clock.ts";
import type { ConsoleAgent } from "./console-agent.ts";
import { ConsoleEvents } from "./console-events.ts";
import type { EarlierArgs } from "./earlier-args.ts";
import {
  type ArmedOrder,
  ignored,
  type ObjectAgent,
  type Performed,
  type PerformOptions,
} from "./performed.ts";
import type { ProgramAgent } from "./program-agent.ts";
import { ProgramEvents } from "./program-events.ts";
import { TrafficEvents } from "./traffic-events.ts";
import type { TrafficAgent } from "./trafgen/traffic-agent.ts";

export interface EventPerformerOptions {
  readonly experiment: Experiment;
  readonly programs: ProgramAgent;
  /** Left out, nodes have no consoles. */
  readonly consoles?: ConsoleAgent;
  /** Left out, nothing generates traffic. */
  readonly traffic?: TrafficAgent;
  /** Obeys events of links; left out, links are not shaped. */
  readonly links?: ObjectAgent;
  /** Obeys events of traces; left out, nothing is traced. */
  readonly traces?: ObjectAgent;
  /** Obeys events of the simulator. */
  readonly simulator?: ObjectAgent;
  /** Obeys events of nodes. */
  readonly nodes?: ObjectAgent;
  /** Tests links. */
  readonly linktest?: ObjectAgent;
  readonly clock: Clock;
  /** What events said before modifications; left out, there were none. */
  readonly earlierArgs?: EarlierArgs;
}

export class EventPerformer {
  readonly #clock: Clock;
  readonly #programs: ProgramEvents;
  /** By type of object. */
  readonly #agents: ReadonlyMap<string, ObjectAgent>;

  constructor(options: EventPerformerOptions) {
    const { simulator, nodes, links, traces, linktest, clock } = options;
    this.#clock = clock;
    this.#programs = new ProgramEvents(options);
    this.#agents = new Map<string, ObjectAgent>([
      ["PROGRAM", this.#programs],
      ["CONSOLE", new ConsoleEvents(options)],
      ["TRAFGEN", new TrafficEvents(options)],
      ...(linktest === undefined ? [] : [["LINKTEST", linktest] as const]),
      ...(simulator === undefined ? [] : [["SIMULATOR", simulator] as const]),
      ...(links === undefined ? [] : [["LINK", links] as const]),
      ...(traces === undefined ? [] : [["LINKTRACE", traces] as const]),
      ...(nodes === undefined ? [] : [["NODE", nodes] as const]),
    ]);
  }

  /** Resolves when the event has been fired; `done` of the result is its completion. */
  async perform(event: AgendaEvent, how: PerformOptions = {}): Promise<Performed> {
    const agent = this.#agents.get(event.type);
    return (await agent?.perform(event, how)) ?? ignored(this.#clock.nowUs(), whyIgnored(event));
  }

  /** Has the event fire at `dueUs`, by who meets an instant better than it can be told of one. */
  arm(event: AgendaEvent, how: PerformOptions): ArmedOrder | undefined {
    return this.#agents.get(event.type)?.arm?.(event, how);
  }

  /** Loads the programs that this event is going to start. */
  async load(event: AgendaEvent): Promise<void> {
    await this.#programs.load(event);
  }
}

function whyIgnored({ type, event }: AgendaEvent): string {
  if (type === "LINK") return "LINK events are not performed: links are not shaped in this run";
  if (type === "LINKTRACE") {
    return "LINKTRACE events are not performed: nothing is traced in this run";
  }
  return `no agent serves ${type} ${event} yet`;
}
