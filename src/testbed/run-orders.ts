// SPDX-License-Identifier: MIT
// What a run does when one of its events is due: the order goes to the agent that obeys it, unless
// what it is for was removed or changed before. Knows the agents of the run and what the experiment
// is now; when an order comes is the scheduler's.
import type { AgendaEvent, AgendaLoad } from "../core/agenda/commands.ts";
import type { ErrorRecord } from "../core/agenda/effects.ts";
import type { ArmedOrder, Performed } from "../events/index.ts";
import type { Experiment } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import type { ConsoleAgent } from "./agents/console-agent.ts";
import { EarlierArgs } from "./agents/earlier-args.ts";
import { EventPerformer } from "./agents/event-performer.ts";
import { Preloader } from "./agents/preloader.ts";
import type { ProgramAgent } from "./agents/program-agent.ts";
import type { TrafficAgent } from "./agents/trafgen/traffic-agent.ts";
import type { LocalAgents } from "./local-agents.ts";
import type { RunAgenda } from "./run-agenda.ts";
import { eventOf, howOf, type RunOrder } from "./run-events.ts";
import type { RunLinkAgents } from "./run-link-agents.ts";
import { SenderTokens } from "./sender-tokens.ts";

/** The agents of a run; they are made once. */
export interface RunAgents {
  readonly programs: ProgramAgent;
  readonly consoles: ConsoleAgent;
  /** Undefined where nothing generates traffic. */
  readonly traffic: TrafficAgent | undefined;
  readonly links: RunLinkAgents;
  readonly local: LocalAgents;
}

export class RunOrders {
  readonly #clock: Clock;
  readonly #agenda: RunAgenda;
  readonly #earlierArgs = new EarlierArgs();
  readonly #senderTokens = new SenderTokens();
  #agents: RunAgents | undefined;
  #performer: EventPerformer | undefined;

  constructor(clock: Clock, agenda: RunAgenda) {
    this.#clock = clock;
    this.#agenda = agenda;
  }

  /** The agents are there; orders that came before are ignored. */
  begin(experiment: Experiment, agents: RunAgents): void {
    this.#agents = agents;
    this.#perform(experiment, agents);
  }

  /** The experiment is another one now. */
  adopt(to: Experiment, from: Experiment): void {
    this.#earlierArgs.add(from.programs);
    if (this.#agents !== undefined) this.#perform(to, this.#agents);
  }

  async perform(order: RunOrder): Promise<Performed> {
    this.#senderTokens.note(order);
    this.#agenda.noteDue(order.eventId);
    const performer = this.#performer;
    const isRetired = this.#agenda.isRetired(order.eventId, order.objname);
    if (performer === undefined || isRetired) return this.#notPerformed();
    return performer.perform(eventOf(order), howOf(order));
  }

  /** What is dropped later is let go by its program, and asked for again when it is due. */
  arm(order: RunOrder, dueUs: number): ArmedOrder | undefined {
    if (this.#agenda.isRetired(order.eventId, order.objname)) return undefined;
    return this.#performer?.arm(eventOf(order), { ...howOf(order), dueUs });
  }

  /** What loads the programs of an agenda before they are due. */
  preloader(agenda: AgendaLoad): Preloader {
    const load = async (event: AgendaEvent): Promise<void> => {
      if (!this.#agenda.isDropped(event)) await this.#performer?.load(event);
    };
    return new Preloader({ clock: this.#clock, agenda, load });
  }

  /** Loads what an agenda that is added starts first; what it gives loads the rest. */
  beginPreloading(agenda: Pick<AgendaLoad, "main" | "timelines">): Promise<Preloader> {
    const load = async (event: AgendaEvent): Promise<void> => this.#performer?.load(event);
    return Preloader.begun({ clock: this.#clock, agenda, load });
  }

  /** The same errors, by the TOKEN that agents and senders know. */
  name(errors: readonly ErrorRecord[]): readonly ErrorRecord[] {
    return this.#senderTokens.name(errors);
  }

  #perform(experiment: Experiment, agents: RunAgents): void {
    const { programs, consoles, traffic, links, local } = agents;
    this.#performer = new EventPerformer({
      ...{ experiment, programs, consoles, clock: this.#clock, earlierArgs: this.#earlierArgs },
      ...{ simulator: local.simulator, nodes: local.nodes, linktest: local.linktest },
      ...(traffic === undefined ? {} : { traffic }),
      ...(links.events === undefined ? {} : { links: links.events }),
      ...(links.traces === undefined ? {} : { traces: links.traces }),
    });
  }

  #notPerformed(): Performed {
    const outcome = "ignored: its program was removed or changed before";
    return { firedMonotonicUs: this.#clock.nowUs(), outcome, done: Promise.resolve(0) };
  }
}
