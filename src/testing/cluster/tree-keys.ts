// SPDX-License-Identifier: MIT
// What ids of requests mean at one controller of a tree, told once more: of all that are asked with
// one id one counts. Whether a request counts, moves somebody who waits, or asks how it ended is
// told from what was asked and told before; what it is told then has to be that.
//
//   T9. Asked again, who waits is told that it has moved, and nobody else is; who asks is told the
//       end, or the number of the signal, that there was, and no other (X1 to X4).
import type { Command } from "../../core/command.ts";
import type { AddressedEffect, EdgeEffect, Released } from "../../core/effect.ts";

/** Log time for which a log knows what has become of one. */
const keptUs = 30_000_000;
/** So many names are told again of who was missing. */
const missingToldAgain = 16;
/** From this version of the log on; before, each counts. */
const keysVersion = 9;

type KeyedCommand = Extract<Command, { readonly key?: string }> & { readonly key: string };

/** All requests with one id, from the first that counts on. */
interface Keyed {
  readonly name: string;
  readonly kind: string;
  /** Edge, life and connection that are told of it; undefined when nobody is any more. */
  holder: string | undefined;
  value: number | undefined;
  end: string | undefined;
  /** Who waited behind its signal has left before that had its number. */
  hasLeft: boolean;
  /** Log time until which it is known, when nobody is told of it any more. */
  untilUs: number;
}

/** What a request comes to. */
export type Meaning =
  /** As if it had no id. */
  | { readonly kind: "counts"; readonly command: Command }
  | { readonly kind: "moves"; readonly from: string }
  | { readonly kind: "is-told" };

export class TreeKeys {
  readonly #complain: (text: string) => void;
  readonly #known = new Map<string, Keyed>();
  /** Whoever has asked for one, also before others did. */
  readonly #asked = new Map<string, Keyed>();
  /** What the entry that is looked at says: to whom that it has ended, and that it was refused. */
  readonly #ended = new Set<string>();
  /** Whose signal has its number by it: from then on it is kept as one that has been counted. */
  readonly #numbered = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #moved = new Set<string>();
  /** Who has to be told something yet, within it. */
  readonly #dueMoves = new Set<string>();
  readonly #dueEnds = new Set<string>();
  readonly #dueValues = new Set<string>();

  constructor(complain: (text: string) => void) {
    this.#complain = complain;
  }

  /** Another entry is looked at, and this is what is said of it. */
  begin(addressed: readonly AddressedEffect[]): void {
    for (const said of [this.#ended, this.#numbered, this.#refused, this.#moved]) said.clear();
    if (this.#asked.size === 0 && addressed.length === 0) return;
    for (const { edge, incarnation, effect } of addressed) {
      const at = `${edge} ${incarnation}`;
      if (effect.kind === "released") {
        for (const connection of effect.connections) this.#ended.add(`${at} ${connection}`);
      } else if (effect.kind === "acknowledged") this.#ended.add(`${at} ${effect.connection}`);
      else if (effect.kind === "signalled") this.#numbered.add(`${at} ${effect.connection}`);
      else if (effect.kind === "refused") this.#refused.add(`${at} ${effect.connection}`);
      else if (effect.kind === "moved") this.#moved.add(`${at} ${effect.connection}`);
    }
  }

  /** Whether the command has an id that counts. */
  isKeyed(command: Command, version: number): command is KeyedCommand {
    return "key" in command && command.key !== undefined && version >= keysVersion;
  }

  /** Whether the request was refused, and not what it took over and waited for within the entry. */
  isRefused(who: string, { scope, key }: KeyedCommand): boolean {
    const holder = this.#known.get(`${scope} ${key}`)?.holder;
    return this.#refused.has(who) && !(holder !== undefined && this.#moved.has(holder));
  }

  /** Somebody asks, and is not refused. */
  ask(who: string, command: KeyedCommand, nowUs: number): Meaning {
    const { key, ...plain } = command;
    const name = `${command.scope} ${key}`;
    const known = this.#look(name, nowUs);
    if (known === undefined) {
      const fresh = { name, kind: command.kind, holder: who, hasLeft: false, untilUs: 0 };
      const keyed: Keyed = { ...fresh, value: undefined, end: undefined };
      this.#known.set(name, keyed);
      this.#asked.set(who, keyed);
      return { kind: "counts", command: plain as Command };
    }
    this.#asked.set(who, known);
    // Its number, or its end, may have come within this entry, before: else who asks now has it.
    const isNumbered = known.holder !== undefined && this.#numbered.has(known.holder);
    if (known.value !== undefined || isNumbered) this.#dueValues.add(who);
    if (this.#hasEnded(known, isNumbered)) {
      if (known.kind !== "state-signal") this.#dueEnds.add(who);
      known.untilUs = nowUs + keptUs;
      return { kind: "is-told" };
    }
    const holder = isNumbered && known.hasLeft ? undefined : known.holder;
    known.holder = who;
    if (holder === undefined) {
      known.hasLeft = false;
      return { kind: "counts", command: { ...plain, kind: "state-wait" } as Command };
    }
    this.#dueMoves.add(holder);
    return { kind: "moves", from: holder };
  }

  /** Somebody has left, or its edge has ended. */
  leave(isIt: (who: string) => boolean, nowUs: number): void {
    for (const keyed of [...this.#known.values()]) {
      const { holder, kind, value } = keyed;
      // Of one that has ended before there is nothing to leave.
      if (holder === undefined || !isIt(holder) || this.#ended.has(holder)) continue;
      const isSignal = kind === "state-signal" || kind === "state-signal-and-wait";
      if (isSignal && value === undefined) keyed.hasLeft = kind === "state-signal-and-wait";
      else this.#takeBack(keyed, nowUs);
    }
  }

  /** Somebody is told something. @returns whether that is told again only */
  hear(who: string, effect: EdgeEffect, nowUs: number): boolean {
    const keyed = this.#asked.get(who);
    if (effect.kind === "moved") {
      if (!this.#dueMoves.delete(who)) this.#complain(`tells ${who} that it has moved`);
      return true;
    }
    if (keyed === undefined) return false;
    if (effect.kind === "signalled") return this.#hearValue(keyed, who, effect.value, nowUs);
    if (effect.kind === "refused") {
      if (keyed.holder === who) this.#takeBack(keyed, nowUs);
      return false;
    }
    const isAgain = this.#dueEnds.delete(who);
    const end = endIn(effect, isAgain ? Number.POSITIVE_INFINITY : missingToldAgain);
    if (end === undefined) return false;
    if (isAgain) {
      if (keyed.end !== end) this.#differs(keyed, who, end, keyed.end ?? "nothing");
      return true;
    }
    this.#end(keyed, end, nowUs);
    return false;
  }

  /** All that is said of the entry was heard. */
  finishEntry(): void {
    for (const who of this.#dueMoves) this.#complain(`does not tell ${who} that it has moved`);
    for (const who of [...this.#dueEnds, ...this.#dueValues]) {
      this.#complain(`does not tell ${who} again what became of ${this.#asked.get(who)?.name}`);
    }
    for (const due of [this.#dueMoves, this.#dueEnds, this.#dueValues]) due.clear();
  }

  /** What is known of it: no more of one that is over its time, or was lost within the entry. */
  #look(name: string, nowUs: number): Keyed | undefined {
    const known = this.#known.get(name);
    if (known === undefined) return undefined;
    const { holder, untilUs } = known;
    const isOver = holder === undefined && untilUs <= nowUs;
    const isLost = holder !== undefined && this.#refused.has(holder);
    if (!isOver && !isLost) return known;
    this.#known.delete(name);
    return undefined;
  }

  #hasEnded({ kind, end, holder }: Keyed, isNumbered: boolean): boolean {
    if (end !== undefined || (isNumbered && kind === "state-signal")) return true;
    return holder !== undefined && this.#ended.has(holder);
  }

  #hearValue(keyed: Keyed, who: string, value: number, nowUs: number): boolean {
    this.#dueValues.delete(who);
    // Its wait was over before the root gave it its number: that is not kept with how it ended.
    if (keyed.value === undefined && keyed.end !== undefined) return false;
    if (keyed.value !== undefined) {
      if (keyed.value !== value) this.#differs(keyed, who, `${value}`, `${keyed.value}`);
      return true;
    }
    keyed.value = value;
    if (keyed.kind === "state-signal") this.#end(keyed, "signalled", nowUs);
    else if (keyed.hasLeft) this.#keep(keyed, nowUs);
    return false;
  }

  #differs({ name }: Keyed, who: string, says: string, should: string): void {
    this.#complain(`tells ${who} again of ${name}: ${says}, and it was ${should}`);
  }

  #takeBack(keyed: Keyed, nowUs: number): void {
    if (keyed.value !== undefined) this.#keep(keyed, nowUs);
    else if (this.#known.get(keyed.name) === keyed) this.#known.delete(keyed.name);
  }

  #end(keyed: Keyed, end: string, nowUs: number): void {
    keyed.end = end;
    this.#keep(keyed, nowUs);
  }

  #keep(keyed: Keyed, nowUs: number): void {
    keyed.holder = undefined;
    keyed.untilUs = nowUs + keptUs;
  }
}

/** @param namesMax of who was missing */
function endIn(effect: EdgeEffect, namesMax: number): string | undefined {
  if (effect.kind === "acknowledged") return "acknowledged";
  return effect.kind === "released" ? endOf(effect, namesMax) : undefined;
}

function endOf({ generation, part, outcome, error, missing }: Released, namesMax: number): string {
  const names = missing?.slice(0, namesMax).join("; ") ?? "";
  return `${outcome} of ${generation}, part ${part ?? "-"}, error ${error}, without [${names}]`;
}
