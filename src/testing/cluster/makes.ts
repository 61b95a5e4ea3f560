// SPDX-License-Identifier: MIT
// Draws those who make quorums and rosters over HTTP, and those who meet there, most with an id:
// between the other steps of a run, which stay what they were.
import { Random } from "../../core/random.ts";
import { withOther } from "./beside.ts";
import type { Ask, AskStep, Step } from "./script.ts";

interface MakesOptions {
  readonly seed: number;
  readonly servers: number;
  readonly names: readonly string[];
  readonly members: readonly string[];
}

/** Of each step, that something is asked for before it. */
const makesChance = 0.08;
const idChance = 0.75;
/** Behind all that other steps have. */
const firstId = 700_000;

export class MakesDrawer {
  readonly #options: MakesOptions;
  readonly #random: Random;
  #lastId = firstId;

  constructor(options: MakesOptions) {
    this.#options = options;
    this.#random = new Random(options.seed ^ 0x3a4e5);
  }

  /** The steps, each when it came, and others among them. */
  among(steps: readonly Step[]): readonly Step[] {
    return steps.flatMap((step) =>
      withOther(step, this.#random, makesChance, () => {
        this.#lastId += 1;
        return { id: this.#lastId, ...this.#draw() };
      }),
    );
  }

  #draw(): AskStep {
    const random = this.#random;
    const { servers, names } = this.#options;
    const ask = this.#drawAsk();
    const by = { door: "http" as const, server: random.below(servers) };
    const isWait = ask.what === "quorum-wait" || ask.what === "roster-arrive";
    const timeout = isWait && random.chance(0.4) ? { timeoutMs: random.below(5_000) } : {};
    const error = isWait && random.chance(0.2) ? random.below(240) : 0;
    const step = { do: "ask" as const, by, barrier: random.pick(names), ask, error, ...timeout };
    if (!random.chance(idChance)) return step;
    // Who makes one is answered at once by a server that serves, and has asked another one before a
    // server that was cut off can say so.
    const patienceMs = isWait ? random.below(4_000) : random.below(1_000);
    const patience = random.chance(0.7) ? { patienceMs } : {};
    return { ...step, again: { server: random.pick([0, 1, 1, 2]), ...patience } };
  }

  #drawAsk(): Ask {
    const random = this.#random;
    const { members } = this.#options;
    const draw = random.below(100);
    if (draw < 35) {
      const count = random.chance(0.5) ? { count: 1 + random.below(2) } : {};
      const percent = random.pick([34, 67, 100]);
      return { what: "quorum-init", percent, explicit: false, ...count };
    }
    if (draw < 60) return { what: "quorum-wait" };
    if (draw < 80) {
      return {
        what: "roster-open",
        members: members.slice(random.below(members.length)),
        phases: 1 + random.below(2),
        whenDead: random.pick(["fail", "shrink", "wait"] as const),
        whenLate: random.pick(["pass", "refuse", "next"] as const),
      };
    }
    return { what: "roster-arrive", member: random.pick(members) };
  }
}
