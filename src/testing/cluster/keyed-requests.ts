// SPDX-License-Identifier: MIT
// K4 of requests that are asked for again with one key, at whichever servers: as long as the log
// knows what has become of one, nothing else becomes of it. Two ends, two numbers of one signal, or
// two barriers that one has made, are told only where it was counted twice.
import type { Command } from "../../core/command.ts";
import type { NaiveSaid } from "../naive-said.ts";

type Effect = NaiveSaid["effect"];

/** From these versions of the log on; before, each server that was asked counted it. */
const keysVersion = 9;
const makesVersion = 12;
/** Log time for which a log knows what has become of one. */
const keptUs = 30_000_000;

/** What the log has said of one request. */
interface Known {
  number: number | undefined;
  end: string | undefined;
  /** The barrier, of one that makes one. */
  made: string | undefined;
  readonly makes: boolean;
  lastUs: number;
  /** It was asked for before the log knew keys of its kind. */
  isOld: boolean;
}

export class KeyedRequests {
  readonly #names = new Set<string>();
  readonly #known = new Map<string, Known>();
  readonly #complain: (text: string) => void;

  constructor(complain: (text: string) => void) {
    this.#complain = complain;
  }

  register(name: string): void {
    this.#names.add(name);
  }

  /** The log has a request of this name. */
  asked(name: string, { kind }: Command, version: number, nowUs: number): void {
    if (!this.#names.has(name)) return;
    const makes = isMaking(kind);
    const known = this.#known.get(name);
    const isForgotten = known !== undefined && nowUs >= known.lastUs + keptUs;
    const isOld = version < (makes ? makesVersion : keysVersion) || known?.isOld === true;
    if (known !== undefined && !isForgotten && !isOld) return;
    const nothing = { number: undefined, end: undefined, made: undefined };
    this.#known.set(name, { ...nothing, makes, lastUs: nowUs, isOld });
  }

  /** @returns whether it is told again only that it has made a barrier */
  told(name: string, effect: Effect, nowUs: number): boolean {
    const known = this.#known.get(name);
    if (known === undefined || known.isOld) return false;
    if (known.makes) return this.#toldMade(name, known, effect, nowUs);
    this.#toldEnd(name, known, effect, nowUs);
    return false;
  }

  #toldMade(name: string, known: Known, effect: Effect, nowUs: number): boolean {
    const { made: before } = known;
    if (effect.kind === "refused" && before !== undefined) {
      this.#complain(`${name} is refused (${effect.code}), and has made ${before}`);
    }
    const made = madeBy(effect);
    if (made === undefined) return false;
    if (before !== undefined && before !== made) {
      this.#complain(`${name} has made ${made} and ${before}`);
    }
    [known.made, known.lastUs] = [made, nowUs];
    return before !== undefined;
  }

  #toldEnd(name: string, known: Known, effect: Effect, nowUs: number): void {
    if (effect.kind === "signalled") {
      const { value } = effect;
      if (known.number !== undefined && known.number !== value) {
        this.#complain(`${name} has given signal ${value} and signal ${known.number}`);
      }
      known.number = value;
    } else if (effect.kind === "released") {
      const { generation, part = "-", outcome, error } = effect;
      const end = `${outcome} of ${generation}, part ${part}, error ${error}`;
      if (known.end !== undefined && known.end !== end) {
        this.#complain(`${name} has ended as ${end} and as ${known.end}`);
      }
      known.end = end;
    } else if (effect.kind !== "acknowledged") return;
    known.lastUs = nowUs;
  }
}

function isMaking(kind: string): boolean {
  return kind === "quorum-init" || kind === "roster-open";
}

/** Which barrier was made; of rosters nobody says that (made-rosters.ts). */
function madeBy(effect: Effect): string | undefined {
  if (effect.kind === "acknowledged") return "a roster";
  if (effect.kind !== "quorum-status" || effect.status !== "initialised") return undefined;
  return `generation ${effect.generation} of ${effect.barrier}`;
}
