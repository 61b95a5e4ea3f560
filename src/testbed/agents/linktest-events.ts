// SPDX-License-Identifier: MIT
// LINKTEST events: refused, because links are not shaped yet and there is nothing to test. Who
// waits for a linktest gets an error, and never the belief that links are as they were asked for.
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { Clock } from "../../host/clock.ts";
import type { ObjectAgent, Performed } from "./performed.ts";
import { refused } from "./program-result.ts";

const why = "linktest is not built yet, and links are not shaped; take it out of the file";

export class LinktestEvents implements ObjectAgent {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async perform(_event: AgendaEvent): Promise<Performed> {
    return refused(this.#clock.nowUs(), why);
  }
}
