// SPDX-License-Identifier: MIT
// K4 of requests that are asked for again with one key, at whichever servers: as long as the log
// knows what has become of one, nothing else becomes of it. Two ends, or two numbers of one signal,
// are told only where it was counted twice.
import type { NaiveSaid } from "../naive-said.ts";

type Effect = NaiveSaid["effect"];

/** From this version of the log on; before, each server that was asked counted it. */
const keysVersion = 9;
/** Log time for which a log knows what has become of one. */
const keptUs = 30_000_000;

/** What the log has said of one request. */
interface Known {
  number: number | undefined;
  end: string | undefined;
  lastUs: number;
  /** It was asked for before the log knew keys. */
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
  asked(name: string, version: number, nowUs: number): void {
    if (!this.#names.has(name)) return;
    const known = this.#known.get(name);
    const isForgotten = known !== undefined && nowUs >= known.lastUs + keptUs;
    const isOld = version < keysVersion || known?.isOld === true;
    if (known !== undefined && !isForgotten && !isOld) return;
    this.#known.set(name, { number: undefined, end: undefined, lastUs: nowUs, isOld });
  }

  told(name: string, effect: Effect, nowUs: number): void {
    const known = this.#known.get(name);
    if (known === undefined || known.isOld) return;
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
