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
import type { LogEntry } from "../core/command.ts";
import type { Applied } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";
import type { NaiveTold } from "./naive-barriers.ts";
import { NaiveBarriers } from "./naive-barriers.ts";
import type { Client } from "./simulated-clients.ts";

interface Told {
  readonly entry: number;
  /** -1 for a refusal. */
  readonly error: number;
}

/** An effect as text, and without what differs from model to core: the words of a refusal. */
function textOf({ edge, incarnation, effect }: NaiveTold | Applied["addressed"][number]): string {
  const said = effect.kind === "refused" ? { ...effect, message: "" } : effect;
  return `${edge} ${incarnation} ${JSON.stringify(said, Object.keys(said).sort())}`;
}

export class HistoryChecker {
  readonly #model: NaiveBarriers;
  /** What the model said to each entry. */
  readonly #expected: (readonly string[])[] = [];
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
  }

  /** An entry was applied, for the first time or again after a restart. */
  onEntry(entry: LogEntry, applied: Applied, digest: string): void {
    const index = entry.sequence - 1;
    if (index === this.#expected.length) this.#judge(entry);
    const said = applied.addressed.map(textOf);
    const expected = this.#expected[index] ?? [];
    if (said.join("\n") !== expected.join("\n")) {
      this.#complain("J1", `entry ${entry.sequence}: said [${said}], should be [${expected}]`);
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
    this.#model.forget();
    const { told, ends } = this.#model.apply(entry);
    this.#expected.push(told.map(textOf));
    this.crossings += ends.filter(({ outcome }) => outcome === "crossed").length;
    for (const batch of entry.entry.batches) {
      const key = `${batch.edge} ${batch.incarnation}`;
      const isRepeat = this.#batches.has(`${key} ${batch.number}`);
      this.#batches.add(`${key} ${batch.number}`);
      for (const command of batch.commands) {
        if (isRepeat || !("who" in command)) continue;
        const name = command.who.address.replace("/tcp", "");
        this.#nameOf.set(`${key} ${command.connection}`, name);
        this.#counted.set(name, (this.#counted.get(name) ?? 0) + 1);
      }
    }
    for (const { edge, incarnation, effect } of told) {
      const { kind } = effect;
      if (kind !== "released" && kind !== "refused" && kind !== "acknowledged") continue;
      const error = kind === "released" ? effect.error : kind === "refused" ? -1 : 0;
      const connections = kind === "released" ? effect.connections : [effect.connection];
      for (const connection of connections) {
        const name = this.#nameOf.get(`${edge} ${incarnation} ${connection}`) ?? "?";
        const list = this.#told.get(name) ?? [];
        list.push({ entry: entry.sequence, error });
        this.#told.set(name, list);
      }
    }
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
