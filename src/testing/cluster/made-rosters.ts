// SPDX-License-Identifier: MIT
// K4 of rosters: there are never more of a name than there were requests that made one, however
// often each was asked for. Who makes one is told no generation, and those who meet there are.
import type { Command } from "../../core/command.ts";
import type { NaiveSaid } from "../naive-said.ts";

type Effect = NaiveSaid["effect"];

export class MadeRosters {
  /** By scope and name: how many. */
  readonly #made = new Map<string, number>();
  /** What those have asked for who have no answer, by edge, life and connection. */
  readonly #asked = new Map<string, string>();
  readonly #complain: (text: string) => void;

  constructor(complain: (text: string) => void) {
    this.#complain = complain;
  }

  asked(who: string, { scope, barrier }: Extract<Command, { kind: "roster-open" }>): void {
    this.#asked.set(who, `${scope} ${barrier}`);
  }

  /** @param isAgain whether its roster was made before */
  answered(who: string, { kind }: Effect, isAgain: boolean): void {
    const place = this.#asked.get(who);
    if (place === undefined || (kind !== "acknowledged" && kind !== "refused")) return;
    this.#asked.delete(who);
    if (kind === "refused" || isAgain) return;
    this.#made.set(place, (this.#made.get(place) ?? 0) + 1);
  }

  /** Those who meet are told how often a roster of that name was made. */
  told(effect: Effect): void {
    if (effect.kind !== "released" || effect.barrierKind !== "roster") return;
    const { scope, barrier, generation } = effect;
    const made = this.#made.get(`${scope} ${barrier}`) ?? 0;
    if (generation <= made) return;
    const what = `there is generation ${generation} of roster ${scope} ${barrier}`;
    this.#complain(`${what}, and requests have made ${made}`);
  }
}
