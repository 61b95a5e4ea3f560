// SPDX-License-Identifier: MIT
// What a key means that is asked for again (X1 to X5), told from the list of all that has happened
// to it: who has asked for it, what they were told, and that they have gone. Nothing else is kept;
// who waits, which number its signal has and how it has ended are read out of that list each time.
import type { Command } from "../core/command.ts";
import type { NaiveSaid, Speaker } from "./naive-said.ts";

/** One connection of somebody who speaks. */
export interface Asker extends Speaker {
  readonly connection: number;
}

/** What a model does for those of its kind that have keys. */
export interface NaiveKeyed {
  /** What the commands of the kind begin with. */
  readonly kind: string;
  /** Whether the connection waits already, or drives a barrier. */
  isBusy(asker: Asker): boolean;
  /** Who waits as the one waits as the other from now on. */
  moves(from: Asker, to: Asker): void;
  /** Who asks has heard again how it ended. */
  hearsAgain?(asker: Asker, command: Command, generation: number): void;
}

type Effect = NaiveSaid["effect"];
type Ask = Extract<Command, { barrier: string; connection: number; who: unknown }>;
/** With its key. */
interface KeyedAsk {
  readonly key: string;
  readonly plain: Ask;
}

type What =
  | { readonly what: "asked"; readonly by: Asker }
  | { readonly what: "told"; readonly effect: Effect }
  | { readonly what: "gone" };
type Happening = What & { readonly atUs: number };

/** Of one arrival, from its first request on. */
interface Story {
  readonly scope: string;
  readonly key: string;
  readonly kind: string;
  readonly barrier: string;
  readonly happened: Happening[];
}

interface KeysPort {
  readonly keyed: NaiveKeyed;
  readonly nowUs: () => number;
  readonly tell: (to: Speaker, effect: Effect) => void;
  readonly obey: (speaker: Speaker, command: Command) => void;
}

const keptUs = 30_000_000;
const longestKey = 64;
const missingToldAgain = 16;

export class NaiveKeys {
  readonly #port: KeysPort;
  #stories: Story[] = [];
  /** The one that is being asked for now. */
  #asked: Story | undefined;

  constructor(port: KeysPort) {
    this.#port = port;
  }

  /** The command and its key, if it is of this kind and has one that counts in such a log. */
  keyed(command: Command, version: number): KeyedAsk | undefined {
    if (!command.kind.startsWith(`${this.#port.keyed.kind}-`)) return undefined;
    const { key, once, ...plain } = command as Ask & { key?: string; once?: string };
    if (once !== undefined && version >= 12) return { key: once, plain };
    return key !== undefined && version >= 9 ? { key, plain } : undefined;
  }

  ask(speaker: Speaker, { key, plain: command }: KeyedAsk): void {
    const nowUs = this.#port.nowUs();
    this.#stories = this.#stories.filter((story) => isKnown(story, nowUs));
    const { scope, kind, barrier, connection } = command;
    const by = { edge: speaker.edge, life: speaker.life, connection };
    const known = this.#stories.find((story) => story.scope === scope && story.key === key);
    const isOther = known !== undefined && (known.kind !== kind || known.barrier !== barrier);
    const isBad = known === undefined && (key === "" || key.length > longestKey);
    if (isBad || isOther || (known !== undefined && this.#port.keyed.isBusy(by))) {
      this.#port.tell(by, { kind: "refused", connection, code: "invalid" });
      return;
    }
    const story = known ?? { scope, key, kind, barrier, happened: [] };
    if (known === undefined) this.#stories.push(story);
    this.#asked = story;
    this.#askFor(story, by, command);
    this.#asked = undefined;
    this.#stories = this.#stories.filter((one) => isKnown(one, nowUs));
  }

  /** Somebody is told something. */
  told({ edge, life }: Speaker, effect: Effect): void {
    if (effect.kind === "released") {
      for (const connection of effect.connections) {
        this.#add(this.#heldBy({ edge, life, connection }), { what: "told", effect });
      }
    } else if (effect.kind === "signalled") {
      const { connection } = effect;
      this.#add(this.#heldBy({ edge, life, connection }), { what: "told", effect });
    } else if (
      effect.kind === "refused" ||
      effect.kind === "acknowledged" ||
      effect.kind === "quorum-status"
    ) {
      // An answer to what was asked just now, whatever else its connection waits for.
      const asker = this.#asked && holderOf(this.#asked);
      const { connection } = effect;
      if (asker !== undefined && isSame(asker, { edge, life, connection })) {
        this.#add(this.#asked, { what: "told", effect });
      }
    }
  }

  leaves({ edge, life }: Speaker, connection: number): void {
    this.#add(this.#heldBy({ edge, life, connection }), { what: "gone" });
  }

  dies({ edge, life }: Speaker): void {
    for (const story of this.#stories) {
      const holder = holderOf(story);
      if (holder?.edge === edge && holder.life === life) this.#add(story, { what: "gone" });
    }
  }

  closes(scope: string): void {
    this.#stories = this.#stories.filter((story) => story.scope !== scope);
  }

  #askFor(story: Story, by: Asker, command: Ask): void {
    const { obey, tell, keyed } = this.#port;
    const { connection } = by;
    const [before, end, value] = [holderOf(story), endOf(story), signalOf(story)];
    const isNew = story.happened.length === 0;
    if (before !== undefined) {
      keyed.moves(before, by);
      tell(before, { kind: "moved", connection: before.connection });
    }
    this.#add(story, { what: "asked", by });
    if (value?.kind === "signalled") tell(by, { ...value, connection });
    if (end?.kind === "acknowledged" || end?.kind === "quorum-status")
      tell(by, { ...end, connection });
    else if (end?.kind === "released") {
      tell(by, againOf(end, connection));
      keyed.hearsAgain?.(by, command, end.generation);
    } else if (isNew) obey(by, command);
    // Its signal has counted, and what it waited for behind that it waits for again.
    else if (before === undefined && end === undefined) {
      obey(by, { ...command, kind: "state-wait" } as Command);
    }
  }

  #heldBy(asker: Asker): Story | undefined {
    return this.#stories.find((story) => {
      const holder = holderOf(story);
      return holder !== undefined && isSame(holder, asker);
    });
  }

  #add(story: Story | undefined, what: What): void {
    story?.happened.push({ ...what, atUs: this.#port.nowUs() });
  }
}

function isEnd({ kind }: Story, { effect }: { readonly effect: Effect }): boolean {
  return effect.kind !== "signalled" || kind === "state-signal";
}

/** Who asked last, unless that has ended or was taken back since. */
function holderOf(story: Story): Asker | undefined {
  const last = story.happened.findLast((one) => one.what !== "told" || isEnd(story, one));
  return last?.what === "asked" ? last.by : undefined;
}

function signalOf(story: Story): Effect | undefined {
  return tellings(story).find((effect) => effect.kind === "signalled");
}

function endOf(story: Story): Effect | undefined {
  return tellings(story).find((effect) => effect.kind !== "refused" && isEnd(story, { effect }));
}

function tellings({ happened }: Story): readonly Effect[] {
  return happened.flatMap((one) => (one.what === "told" ? [one.effect] : []));
}

/** What was taken back or refused, and has given no signal, has not been. */
function isKnown(story: Story, nowUs: number): boolean {
  if (holderOf(story) !== undefined) return true;
  const last = story.happened.at(-1);
  const hasCounted = signalOf(story) !== undefined || endOf(story) !== undefined;
  return last !== undefined && hasCounted && last.atUs + keptUs > nowUs;
}

function againOf(end: Extract<Effect, { kind: "released" }>, connection: number): Effect {
  const { missing } = end;
  const who = missing === undefined ? {} : { missing: missing.slice(0, missingToldAgain) };
  return { ...end, ...who, connections: [connection] };
}

function isSame(one: Asker, other: Asker): boolean {
  const isLife = one.edge === other.edge && one.life === other.life;
  return isLife && one.connection === other.connection;
}
