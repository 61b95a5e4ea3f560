// SPDX-License-Identifier: MIT
// Judges a simulated run by what was put in the log, what the core said to it, and what each client
// heard. Shares no code with the core: what should have been said comes from the naive model.
//
//   J1. The core says what the model says, entry by entry (B1-B5, B7, B9), in every life of it.
//   J2. An arrival counts at most once, however often it was sent (B6).
//   J3. A client hears one answer, and the one that was meant for it (B1-B3).
//   J4. A client that was told something hears it, unless it left or its edge died (B2).
//   J5. Nobody is closed without an answer unless its edge was given up or cut off for long.
//   J6. At the end nobody waits; a wait with a deadline has ended by itself.
//   J7. Who left is not counted any more (B4).

import type { ErrorCode } from "../core/code.ts";
import type { Batch, LogEntry } from "../core/command.ts";
import type { Applied, BarrierKind, Refused } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";
import { NaiveBarriers } from "./naive-barriers.ts";
import { NaiveQuorums } from "./naive-quorums.ts";
import { NaiveRosters } from "./naive-rosters.ts";
import type { NaiveRefused, NaiveSaid } from "./naive-said.ts";
import { NaiveStates } from "./naive-states.ts";
import type { Client } from "./simulated-clients.ts";
import { answerOf, connectionsOf } from "./simulated-kinds.ts";

const kinds: readonly BarrierKind[] = ["count", "state", "quorum", "roster"];
/** A model has no words for a refusal. */
function wordless(refused: NaiveRefused): Refused {
  return { ...refused, code: refused.code as ErrorCode, message: "" };
}

interface Told {
  readonly entry: number;
  /** -1 for a refusal. */
  readonly error: number;
}

/** An effect as text, and without what differs from model to core: the words of a refusal. */
function textOf({ edge, incarnation, effect }: NaiveSaid | Applied["addressed"][number]): string {
  const said = effect.kind === "refused" ? { ...effect, message: "" } : effect;
  // Lists of members are for people; the models say who is missing in words only.
  const keys = Object.keys(said).filter((key) => key !== "presence");
  return `${edge} ${incarnation} ${JSON.stringify(said, keys.sort())}`;
}

export class HistoryChecker {
  readonly #model: NaiveBarriers;
  readonly #states: NaiveStates;
  readonly #quorums: NaiveQuorums;
  readonly #rosters: NaiveRosters;
  /** What the model of each kind said to each entry. */
  readonly #expected: ReadonlyMap<BarrierKind, string>[] = [];
  /** What the connections of a life have asked for. */
  readonly #asked = new Map<string, string>();
  readonly #nameOf = new Map<string, string>();
  /** How often each client's arrival counted, and what it was told. */
  readonly #counted = new Map<string, number>();
  readonly #told = new Map<string, Told[]>();
  readonly #batches = new Set<string>();
  readonly #digests: string[] = [];
  readonly problems: string[] = [];
  crossings = 0;
  #lastBeforeEnd = 0;

  constructor(limits: Limits) {
    this.#model = new NaiveBarriers(limits);
    this.#states = new NaiveStates(limits);
    this.#quorums = new NaiveQuorums(limits);
    this.#rosters = new NaiveRosters(limits);
  }

  /** An entry was applied, for the first time or again after a restart. */
  onEntry(entry: LogEntry, applied: Applied, digest: string): void {
    const index = entry.sequence - 1;
    if (index === this.#expected.length) this.#judge(entry);
    const expected = this.#expected[index];
    for (const kind of kinds) {
      // Kinds know nothing of each other, and so nothing of the order between them.
      const said = this.#saidOf(kind, applied.addressed);
      const meant = expected?.get(kind) ?? "";
      if (said !== meant) {
        const what = `entry ${entry.sequence} (${kind}): said [${said}], should be [${meant}]`;
        this.#complain("J1", what);
      }
    }
    this.#digests[index] ??= digest;
    if (this.#digests[index] !== digest) {
      this.#complain("J1", `entry ${entry.sequence} leads to another state than before`);
    }
  }

  /** The run is over. `isExcused`: its edge died, was given up or cut off for long. */
  finish(clients: Iterable<Client>, isExcused: (client: Client) => boolean): void {
    for (const client of clients) {
      const counted = this.#counted.get(client.name) ?? 0;
      const who = `${client.name} at ${client.edge} (${client.asked})`;
      if (counted > 1) this.#complain("J2", `${who} counted ${counted} times`);
      if (client.answers > 1) this.#complain("J3", `${who} got ${client.answers} answers`);
      const late = this.#told.get(client.name)?.some(({ entry }) => entry > this.#lastBeforeEnd);
      if (client.ending?.kind === "left" && late) {
        this.#complain("J7", `${who} left, and was still counted at the end`);
      }
      if (client.ending?.kind === "answered") this.#judgeAnswer(client, who);
      else if (client.ending?.kind !== "left" && !isExcused(client)) {
        const told = this.#told.get(client.name) ?? [];
        const what = client.ending === undefined ? "still waits" : "was closed";
        const rule = told.length > 0 ? "J4" : client.ending === undefined ? "J6" : "J5";
        const log = counted === 0 ? "its arrival is not in the log" : "its arrival is in the log";
        this.#complain(rule, `${who} ${what}; ${log}; told ${JSON.stringify(told)}`);
      }
    }
  }

  /** J6, before the barriers that are left are cancelled. */
  checkDeadlines(clients: Iterable<Client>): void {
    this.#lastBeforeEnd = this.#expected.length;
    for (const client of clients) {
      if (!client.hasDeadline || client.ending !== undefined) continue;
      this.#complain("J6", `${client.name} (${client.asked}) still waits after its deadline`);
    }
  }

  #judge(entry: LogEntry): void {
    for (const batch of entry.entry.batches) this.#note(batch);
    this.#model.forget();
    const { told: ofCounts, ends } = this.#model.apply(entry);
    const told: ReadonlyMap<BarrierKind, readonly NaiveSaid[]> = new Map([
      ["count", ofCounts],
      ["state", this.#states.apply(entry)],
      ["quorum", this.#quorums.apply(entry)],
      ["roster", this.#rosters.apply(entry)],
    ] as const);
    const texts = kinds.map((kind) => [kind, this.#saidOf(kind, told.get(kind) ?? [])] as const);
    this.#expected.push(new Map(texts));
    this.crossings += ends.filter(({ outcome }) => outcome === "crossed").length;
    for (const said of [...told.values()].flat()) this.#noteTold(entry.sequence, said);
  }

  /** Whose arrivals are in the log. */
  #note(batch: Batch): void {
    const key = `${batch.edge} ${batch.incarnation}`;
    const isRepeat = this.#batches.has(`${key} ${batch.number}`);
    this.#batches.add(`${key} ${batch.number}`);
    for (const command of batch.commands) {
      if (isRepeat || !("connection" in command) || command.connection === undefined) continue;
      const connection = `${key} ${command.connection}`;
      // What follows on the connection of an arrival belongs to it, and may be in the log before
      // it, in a batch out of turn.
      const isFirst = "who" in command || !this.#asked.has(connection);
      if (isFirst && command.kind !== "leave") this.#asked.set(connection, command.kind);
      if (!("who" in command)) continue;
      const name = command.who.address.replace("/tcp", "");
      this.#nameOf.set(connection, name);
      this.#counted.set(name, (this.#counted.get(name) ?? 0) + 1);
    }
  }

  #noteTold(entry: number, { edge, incarnation, effect }: NaiveSaid): void {
    const plain = effect.kind === "refused" ? wordless(effect) : effect;
    for (const connection of connectionsOf(plain)) {
      const key = `${edge} ${incarnation} ${connection}`;
      const error = answerOf(plain, this.#asked.get(key) ?? "");
      if (error === undefined) continue;
      const name = this.#nameOf.get(key) ?? "?";
      const list = this.#told.get(name) ?? [];
      list.push({ entry, error });
      this.#told.set(name, list);
    }
  }

  /** What is of one kind, as text; the end of an edge is told with the counts. */
  #saidOf(kind: BarrierKind, said: readonly (NaiveSaid | Applied["addressed"][number])[]): string {
    return said
      .filter((one) => this.#kindOf(one) === kind)
      .map(textOf)
      .join("\n");
  }

  #kindOf({ edge, incarnation, effect }: NaiveSaid | Applied["addressed"][number]): BarrierKind {
    if (effect.kind === "released") return effect.barrierKind;
    if (!("connection" in effect)) return "count";
    const asked = this.#asked.get(`${edge} ${incarnation} ${effect.connection}`) ?? "";
    const kind = kinds.find((each) => asked.startsWith(each));
    return kind ?? (asked.startsWith("peer") ? "quorum" : "count");
  }

  #judgeAnswer(client: Client, who: string): void {
    if (client.ending?.kind !== "answered") return;
    const told = this.#told.get(client.name) ?? [];
    const { value } = client.ending;
    if (told.length === 0) this.#complain("J3", `${who} got ${value}, nobody said so`);
    const meant = client.saysOutcome ? told.map(({ error }) => error) : [1];
    if (told.length > 0 && !meant.includes(value)) {
      this.#complain("J3", `${who} got ${value}, was told ${meant.join()}`);
    }
  }

  /** A rule of the world around the core was broken. */
  complain(rule: string, text: string): void {
    this.#complain(rule, text);
  }

  #complain(rule: string, text: string): void {
    // The first problems say what is wrong; the thousandth says it again.
    if (this.problems.length < 20) this.problems.push(`${rule} ${text}`);
  }
}
