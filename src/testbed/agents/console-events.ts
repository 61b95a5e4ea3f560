// SPDX-License-Identifier: MIT
// CONSOLE events as the console agent takes them. They complete when they are obeyed, in the order
// of their coming for each console; nobody waits for them. [EMULAB-EVENTS 2.8 CONSOLE]
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { Clock } from "../../host/clock.ts";
import { getArg } from "../../wire/event/args.ts";
import type { ConsoleAgent } from "./console-agent.ts";
import { ignored, type ObjectAgent, type Performed } from "./performed.ts";

export interface ConsoleEventsOptions {
  /** Left out, nodes have no consoles. */
  readonly consoles?: ConsoleAgent;
  readonly clock: Clock;
}

export class ConsoleEvents implements ObjectAgent {
  readonly #options: ConsoleEventsOptions;

  constructor(options: ConsoleEventsOptions) {
    this.#options = options;
  }

  async perform({ object, event, args }: AgendaEvent): Promise<Performed> {
    const { consoles, clock } = this.#options;
    if (consoles?.knows(object) !== true) {
      return ignored(clock.nowUs(), `there is no console ${object}`);
    }
    if (event === "START") return await consoles.start(object);
    if (event === "STOP") return await consoles.stop(object, getArg(args, "FILE"));
    return ignored(clock.nowUs(), `CONSOLE ${event} is not performed yet`);
  }
}
