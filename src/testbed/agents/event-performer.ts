// SPDX-License-Identifier: MIT
// Performs one fired event: finds the agent that serves its object and says what came of it. Events
// for groups come here once for each member.
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { Experiment } from "../../experiment/model.ts";
import type { Clock } from "../../host/clock.ts";
import { getArg } from "../../wire/event/args.ts";
import type { ProgramArgs } from "../../wire/event/program-args.ts";
import { parseProgramArgs } from "../../wire/event/program-args.ts";
import type { ConsoleAgent } from "./console-agent.ts";
import type { ProgramAgent, ProgramResult, StartOptions } from "./program-agent.ts";
import type { TrafficAgent, TrafficResult } from "./trafgen/traffic-agent.ts";

export interface EventPerformerOptions {
  readonly experiment: Experiment;
  readonly programs: ProgramAgent;
  /** Left out, nodes have no consoles. */
  readonly consoles?: ConsoleAgent;
  /** Left out, nothing generates traffic. */
  readonly traffic?: TrafficAgent;
  readonly clock: Clock;
  /** `$ns terminate`, `halt` and `swapout`. */
  readonly onTerminate: () => void;
  /** `$ns message` and `log`. */
  readonly onMessage: (text: string) => void;
}

export class EventPerformer {
  readonly #options: EventPerformerOptions;

  constructor(options: EventPerformerOptions) {
    this.#options = options;
  }

  /** Resolves when the event has been fired; `done` of the result is its completion. */
  async perform(event: AgendaEvent, how: StartOptions = {}): Promise<ProgramResult> {
    switch (event.type) {
      case "PROGRAM":
        return this.#performOnProgram(event.object, event, how);
      case "SIMULATOR":
        return this.#performOnSimulator(event);
      case "CONSOLE":
        return this.#performOnConsole(event);
      case "TRAFGEN":
        return this.#performOnTraffic(event, how);
      case "LINK":
      case "LINKTRACE":
        return this.#ignored(`${event.type} events are not performed: links are not shaped yet`);
      default:
        return this.#ignored(`no agent serves ${event.type} ${event.event} yet`);
    }
  }

  /** Loads the programs that this event is going to start. */
  async load({ object, args }: AgendaEvent): Promise<void> {
    const { programs } = this.#options;
    const loads = this.#members(object).map((name) =>
      programs.load(name, this.#programArgs(name, args)),
    );
    await Promise.all(loads);
  }

  #performOnProgram(
    name: string,
    { event, args }: AgendaEvent,
    how: StartOptions,
  ): Promise<ProgramResult> | ProgramResult {
    const { programs } = this.#options;
    switch (event) {
      case "START":
      case "RUN":
        return programs.start(name, this.#programArgs(name, args), how);
      case "MODIFY":
        return programs.modify(name, this.#programArgs(name, args));
      case "STOP":
        return programs.stop(name);
      case "HALT":
        return programs.halt(name);
      case "KILL":
        return programs.kill(name, getArg(args, "SIGNAL") ?? "TERM");
      default:
        return this.#ignored(`PROGRAM ${event} is not performed yet`);
    }
  }

  async #performOnConsole({ object, event, args }: AgendaEvent): Promise<ProgramResult> {
    const { consoles } = this.#options;
    if (consoles?.knows(object) !== true) return this.#ignored(`there is no console ${object}`);
    if (event === "START") return await consoles.start(object);
    if (event === "STOP") return await consoles.stop(object, getArg(args, "FILE"));
    return this.#ignored(`CONSOLE ${event} is not performed yet`);
  }

  /** Nobody waits for traffic: the completion is that the event was obeyed. [EMULAB-EVENTS 2.8] */
  async #performOnTraffic(
    { object, event, args }: AgendaEvent,
    how: StartOptions,
  ): Promise<ProgramResult> {
    const { traffic } = this.#options;
    if (traffic?.knows(object) !== true) return this.#ignored(`${object} generates no traffic`);
    const result = await performOnFlow(traffic, object, { event, args, how });
    if (result === undefined) return this.#ignored(`TRAFGEN ${event} is not performed yet`);
    return { ...result, done: Promise.resolve(0) };
  }

  /** The wrapper around a start command belongs to the old boot scripts: the inner command runs. */
  #programArgs(name: string, text: string): ProgramArgs {
    const args = parseProgramArgs(text);
    const program = this.#options.experiment.programs.find((candidate) => candidate.name === name);
    if (program === undefined || !program.isStartCommand) return args;
    const { command, ...rest } = args;
    return command === undefined || isWrapped(command, program.command) ? rest : args;
  }

  async #performOnSimulator({ event, args }: AgendaEvent): Promise<ProgramResult> {
    const firedMonotonicUs = this.#options.clock.nowUs();
    switch (event) {
      case "HALT":
      case "SWAPOUT":
        this.#options.onTerminate();
        break;
      case "MESSAGE":
      case "LOG":
        this.#options.onMessage(args);
        break;
      default:
        return this.#ignored(`SIMULATOR ${event} is not performed yet`);
    }
    return { firedMonotonicUs, outcome: "done", done: Promise.resolve(0) };
  }

  /** What an event for this object will start: groups are taken apart in the core, but later. */
  #members(object: string): readonly string[] {
    const { experiment, programs } = this.#options;
    if (programs.knows(object)) return [object];
    if (object === "__all_programs") return experiment.programs.map(({ name }) => name);
    const group = experiment.groups.find(({ name }) => name === object);
    return group?.members.filter((name) => programs.knows(name)) ?? [];
  }

  #ignored(why: string): ProgramResult {
    const firedMonotonicUs = this.#options.clock.nowUs();
    return { firedMonotonicUs, outcome: `ignored: ${why}`, done: Promise.resolve(0) };
  }
}

function performOnFlow(
  traffic: TrafficAgent,
  name: string,
  { event, args, how }: { event: string; args: string; how: StartOptions },
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

/** Whether `command` is the start command inside the wrapper that reports its status. */
function isWrapped(command: string, inner: string): boolean {
  return command === `(${inner} ; /usr/local/etc/emulab/startcmddone $?)`;
}
