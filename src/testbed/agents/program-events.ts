// SPDX-License-Identifier: MIT
// PROGRAM events as the program agent takes them. [EMULAB-EVENTS 2.4, 4.4]
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { Experiment } from "../../experiment/model.ts";
import type { Clock } from "../../host/clock.ts";
import { getArg } from "../../wire/event/args.ts";
import { type ProgramArgs, parseProgramArgs } from "../../wire/event/program-args.ts";
import type { EarlierArgs } from "./earlier-args.ts";
import {
  type ArmedOrder,
  begun,
  ignored,
  type ObjectAgent,
  type Performed,
  type PerformOptions,
  succeeded,
} from "./performed.ts";
import type { ProgramAgent } from "./program-agent.ts";
import { nodeOfProgramAgent } from "./program-agent-name.ts";

export interface ProgramEventsOptions {
  readonly experiment: Experiment;
  readonly programs: ProgramAgent;
  readonly clock: Clock;
  /** What events said before modifications; left out, there were none. */
  readonly earlierArgs?: EarlierArgs;
}

export class ProgramEvents implements ObjectAgent {
  readonly #options: ProgramEventsOptions;

  constructor(options: ProgramEventsOptions) {
    this.#options = options;
  }

  async perform(
    { object: name, event, args }: AgendaEvent,
    how: PerformOptions,
  ): Promise<Performed> {
    const { programs, clock } = this.#options;
    const node = nodeOfProgramAgent(name);
    if (node !== undefined && !programs.knows(name)) return this.#ofAgent(node, event);
    switch (event) {
      case "START":
      case "RUN":
        return await programs.start(name, this.#argsOf(name, args), how);
      case "MODIFY":
        return programs.modify(name, this.#argsOf(name, args));
      case "STOP":
        return programs.stop(name);
      case "HALT":
        return programs.halt(name);
      case "KILL":
        return programs.kill(name, getArg(args, "SIGNAL") ?? "TERM");
      default:
        return ignored(clock.nowUs(), `PROGRAM ${event} is not performed yet`);
    }
  }

  /** The firing thread lets a loaded program go by itself. */
  arm({ object: name, event, args }: AgendaEvent, how: PerformOptions): ArmedOrder | undefined {
    if (event !== "START" && event !== "RUN") return undefined;
    return this.#options.programs.arm(name, this.#argsOf(name, args), how);
  }

  /**
   * RELOAD to the agent of a node: what it runs is ended and judged by nobody, and its programs are
   * as the experiment says now. [EMULAB-EVENTS 4.4]
   */
  #ofAgent(node: string, event: string): Performed {
    const { programs, clock } = this.#options;
    const nowUs = clock.nowUs();
    if (event !== "RELOAD") return ignored(nowUs, `PROGRAM ${event} is not for program agents`);
    const done = programs.takeDown(node).then((comesBack) => {
      comesBack();
      return succeeded;
    });
    return begun(nowUs, done);
  }

  /** Loads the programs that this event is going to start. */
  async load({ object, args }: AgendaEvent): Promise<void> {
    const { programs } = this.#options;
    const loads = this.#members(object).map((name) =>
      programs.load(name, this.#argsOf(name, args)),
    );
    await Promise.all(loads);
  }

  /** The wrapper around a start command belongs to the old boot scripts: the inner command runs. */
  #argsOf(name: string, text: string): ProgramArgs {
    const { experiment, earlierArgs } = this.#options;
    const program = experiment.programs.find((candidate) => candidate.name === name);
    const isRenewed = program !== undefined && earlierArgs !== undefined;
    const args = parseProgramArgs(isRenewed ? earlierArgs.renew(program, text) : text);
    if (program === undefined || !program.isStartCommand) return args;
    const { command, ...rest } = args;
    return command === undefined || isWrapped(command, program.command) ? rest : args;
  }

  /** What an event for this object will start: groups are taken apart in the core, but later. */
  #members(object: string): readonly string[] {
    const { experiment, programs } = this.#options;
    if (programs.knows(object)) return [object];
    if (object === "__all_programs") return experiment.programs.map(({ name }) => name);
    const group = experiment.groups.find(({ name }) => name === object);
    return group?.members.filter((name) => programs.knows(name)) ?? [];
  }
}

/** Whether `command` is the start command inside the wrapper that reports its status. */
function isWrapped(command: string, inner: string): boolean {
  return command === `(${inner} ; /usr/local/etc/emulab/startcmddone $?)`;
}
