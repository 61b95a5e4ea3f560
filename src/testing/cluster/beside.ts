// SPDX-License-Identifier: MIT
// Draws what is asked for between the other steps of a run, which stay what they were: those who
// look at what is open, and over HTTP those who signal and wait with an id, and who change rosters.
import { Random } from "../../core/random.ts";
import { drawRosterChange } from "./changes.ts";
import type { Ask, AskStep, Step, StepWork } from "./script.ts";

interface BesideOptions {
  readonly seed: number;
  readonly servers: number;
  readonly isTree: boolean;
  readonly names: readonly string[];
  readonly members: readonly string[];
}

/** Of each step, that something is asked for before it. */
const besideChance = 0.08;
/** Steps that are drawn beside others, behind all that those have. */
const firstId = 500_000;

/** The step when it came, and perhaps another one before it. */
export function withOther(
  step: Step,
  random: Random,
  chance: number,
  draw: () => StepWork & Pick<Step, "id">,
): readonly Step[] {
  // Sessions are let in before anybody asks.
  if (step.do === "open" || !random.chance(chance)) return [step];
  const beforeUs = random.below(step.afterUs + 1);
  return [
    { afterUs: beforeUs, ...draw() },
    { ...step, afterUs: step.afterUs - beforeUs },
  ];
}

export class BesideDrawer {
  readonly #options: BesideOptions;
  readonly #random: Random;
  readonly #sessions: number[] = [];
  readonly #waits: number[] = [];
  #lastId = firstId;

  constructor(options: BesideOptions) {
    this.#options = options;
    this.#random = new Random(options.seed ^ 0xbe51de);
  }

  /** The steps, each when it came, and others among them. */
  among(steps: readonly Step[]): readonly Step[] {
    return steps.flatMap((step) => {
      if (step.do === "open") this.#sessions.push(step.session);
      else if (step.do === "close") {
        this.#sessions.splice(this.#sessions.indexOf(step.session), 1);
      }
      return withOther(step, this.#random, besideChance, () => {
        this.#lastId += 1;
        return { id: this.#lastId, ...this.#draw() };
      });
    });
  }

  #draw(): StepWork {
    const random = this.#random;
    const { isTree, members } = this.#options;
    const draw = random.below(100);
    if (draw < 15) return this.#ask({ what: "look", ...this.#pageSize() });
    if (draw < 30) return this.#ask({ what: "look-at", ...this.#kind() });
    if (draw < 40) return this.#askBySession({ what: "look" });
    if (draw < 50) return this.#askBySession({ what: "describe" });
    if (draw < 65) {
      const change = drawRosterChange(random, members);
      // The members of a tree are known by their names, and those of HTTP have no place in it.
      return this.#ask(isTree ? change : { ...change, isGrouped: true });
    }
    if (draw < 70 && this.#waits.length > 0) {
      return { do: "leave", step: random.pick(this.#waits.slice(-4)) };
    }
    return this.#drawWait();
  }

  /** Who signals and waits, and asks again. */
  #drawWait(): AskStep {
    const random = this.#random;
    this.#waits.push(this.#lastId);
    const ask = this.#ask({ what: "signal-and-wait", target: random.below(90) });
    const timeout = random.chance(0.3) ? { timeoutMs: random.below(5_000) } : {};
    const patience = random.chance(0.6) ? { patienceMs: random.below(3_000) } : {};
    const again = { server: random.pick([0, 1, 1, 2]), ...patience };
    return { ...ask, error: random.chance(0.8) ? 0 : random.below(240), ...timeout, again };
  }

  #ask(ask: Ask): AskStep {
    const { servers, names } = this.#options;
    const by = { door: "http" as const, server: this.#random.below(servers) };
    return { do: "ask", by, barrier: this.#random.pick(names), ask, error: 0 };
  }

  #askBySession(ask: Ask): AskStep {
    const barrier = this.#random.pick(this.#options.names);
    return {
      do: "ask",
      by: { session: this.#random.pick(this.#sessions) },
      barrier,
      ask,
      error: 0,
    };
  }

  #pageSize(): { readonly max?: number } {
    return this.#random.chance(0.6) ? { max: 1 + this.#random.below(4) } : {};
  }

  #kind() {
    const random = this.#random;
    const kinds = ["count", "state", "quorum", "roster"] as const;
    return random.chance(0.5) ? { kind: random.pick(kinds) } : {};
  }
}
