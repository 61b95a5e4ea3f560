// SPDX-License-Identifier: MIT
// Judges a run of a cluster by its log, by what every server made of it, and by what each client
// heard. What should have been said comes from the naive models; no code of the core takes part.
//
//   K1. Every server reads the same entries in the same order, without gaps (L1).
//   K2. Every server says of an entry what the models say of it, and all servers the same to the
//       letter (B1 to B5, B7, B9, B10, D5, D6).
//   K3. Servers that have read as far have the same state: their digests are equal (D11).
//   K4. A request counts at most once, however often it was sent (B6, D4), and one with an id also
//       when it was sent to several servers (X1 to X3, X5).
//   K5. A client hears one answer, and it is one that the log gave it (B1 to B3).
//   K6. A client that was given an answer hears it, unless its connection or its session may have
//       been lost; nobody is closed without a reason.
//   K7. When nothing breaks any more, nobody waits for ever: what has a deadline ends by it, what
//       is cancelled is told, and all servers take requests.
//   K8. Messages of a topic have the numbers 1, 2, 3, ..., each message one, and a subscriber gets
//       them in order, without gap or repeat (P1, D11).
//   K9. Who looks is told what is open (looks.ts).
import type { Command, LogEntry } from "../../core/command.ts";
import type { Applied, BarrierKind } from "../../core/effect.ts";
import type { Limits } from "../../core/limits.ts";
import { Service } from "../../core/service.ts";
import { NaiveCounts } from "../naive-counts.ts";
import { NaiveLives } from "../naive-lives.ts";
import { NaiveQuorums } from "../naive-quorums.ts";
import { NaiveRosters } from "../naive-rosters.ts";
import type { NaiveSaid, Speaker } from "../naive-said.ts";
import { NaiveStates } from "../naive-states.ts";
import { KeyedRequests } from "./keyed-requests.ts";
import { judgeLooks, type Look } from "./looks.ts";
import { MadeRosters } from "./made-rosters.ts";
import type { Party } from "./party.ts";
import type { SharedLog } from "./shared-log.ts";
import { type Answer, connectionsOf, type Told, toldBy } from "./told.ts";

type Said = NaiveSaid | Applied["addressed"][number];

/** What commands of each kind begin with. */
const prefixes: readonly (readonly [prefix: string, kind: BarrierKind])[] = [
  ["count-", "count"],
  ["state-", "state"],
  ["quorum-", "quorum"],
  ["roster-", "roster"],
  ["peer", "quorum"],
];
/** The first problems say what is wrong; the thousandth says it again. */
const problemsMax = 10;
/** Entries from one comparison of states to the next. */
const digestEveryEntries = 64;

/** What is known of an edge in one of its lives. */
interface Life {
  /** What its connections have begun with, and whose they are. */
  readonly asked: Map<number, BarrierKind>;
  readonly names: Map<number, string>;
}

/** What is changed of the members of a roster. */
export interface Members {
  readonly add: readonly (string | { readonly name: string; readonly group?: string })[];
  readonly remove: readonly string[];
}

interface Judged {
  /** What each server said, to the letter. */
  readonly text: string;
  digest: string | undefined;
}

export interface CheckerOptions {
  readonly limits: Limits;
  /** Has all entries, also those that servers cannot have any more. */
  readonly log: Pick<SharedLog, "read">;
  /** The message with this id, as it was stored. */
  readonly messageOf: (payload: number) => string | undefined;
  /** What a controller says depends on others: the models of one server know nothing of it. */
  readonly isOfTree?: boolean | undefined;
  /** Sees each entry once, when the first server has applied it. */
  readonly onJudged?: ((entry: LogEntry, applied: Applied) => void) | undefined;
}

export class ClusterChecker {
  readonly #options: CheckerOptions;
  readonly #counts: NaiveCounts;
  #models: readonly {
    readonly kind: BarrierKind;
    readonly model: { apply(entry: LogEntry): readonly NaiveSaid[] };
  }[] = [];
  readonly #judged: Judged[] = [];
  /**
   * Which commands count. A batch that comes before one that was lost does not, and what is sent in
   * its place may have other commands: each server says for itself that a message was not stored.
   */
  readonly #counting: NaiveLives;
  /** By edge and incarnation: each entry asks for some, and joining the two is not free. */
  readonly #lives = new Map<string, Map<number, Life>>();
  readonly #counted = new Map<string, number>();
  readonly #told = new Map<string, Told[]>();
  readonly #keyed = new KeyedRequests((text) => this.complain("K4", text));
  readonly #rosters: MadeRosters | undefined;
  readonly #topics = new Map<string, string[]>();
  /**
   * By what they change: who has asked for that over HTTP, the first of those who want the same.
   */
  readonly #changes = new Map<string, string>();
  readonly #entries: LogEntry[] = [];
  readonly #looks: Look[] = [];
  /** By server: the entry that it has to read next. */
  readonly #nextOf = new Map<string, number>();
  readonly problems: string[] = [];

  constructor(options: CheckerOptions) {
    const { limits, isOfTree = false } = options;
    this.#options = options;
    this.#counts = new NaiveCounts(limits);
    this.#counting = new NaiveLives(limits, {
      obey: (speaker, command) => this.#note(speaker, command),
      dies: () => {},
    });
    if (isOfTree) return;
    this.#rosters = new MadeRosters((text) => this.complain("K4", text));
    this.#models = [
      { kind: "count", model: this.#counts },
      { kind: "state", model: new NaiveStates(limits) },
      { kind: "quorum", model: new NaiveQuorums(limits) },
      { kind: "roster", model: new NaiveRosters(limits) },
    ];
  }

  get crossings(): number {
    return this.#counts.crossings;
  }

  get entries(): number {
    return this.#judged.length;
  }

  /** Whose requests these connections are, where the log does not say it. */
  register(edge: string, incarnation: number, connection: number, name: string): void {
    this.#life({ edge, incarnation }).names.set(connection, name);
  }

  /** Requests of this name have an id, at whichever servers they are made. */
  registerId(name: string): void {
    this.#keyed.register(name);
  }

  /** Somebody asks for this over HTTP, of which the log has nothing but what is changed. */
  registerChange(name: string, scope: string, barrier: string, change: Members): void {
    const key = changeKey(scope, barrier, change);
    const first = this.#changes.get(key) ?? name;
    this.#changes.set(key, first);
    // What one of those who want the same was told, another may have been.
    const told = this.#told.get(first) ?? [];
    this.#told.set(first, told).set(name, told);
  }

  /** The newest entry that a server has applied. */
  positionOf(server: string): number {
    return (this.#nextOf.get(server) ?? 1) - 1;
  }

  /** Somebody who has looked was shown something. */
  onLook(look: Look): void {
    this.#looks.push(look);
  }

  /** A server begins to read: behind a snapshot at that entry, or 0. */
  begin(server: string, sequence: number): void {
    this.#nextOf.set(server, sequence + 1);
    if (sequence > this.#judged.length) this.#judgeUnread(sequence);
  }

  /**
   * A follower has read further than all servers before they died, and has made a snapshot: nobody
   * was told of these entries, and what a core says of them is judged.
   */
  #judgeUnread(through: number): void {
    const { limits, log } = this.#options;
    const core = new Service(limits);
    const who = "a follower";
    this.#nextOf.set(who, this.#judged.length + 1);
    const reader = log.read(1, (entries) => {
      for (const entry of entries.slice(0, through)) {
        const applied = core.apply(entry);
        if (entry.sequence <= this.#judged.length) continue;
        this.onEntry(who, entry, applied, () => core.digest());
      }
      reader.stop();
    });
  }

  /** A server has applied an entry. @param digest of the state behind it */
  onEntry(server: string, entry: LogEntry, applied: Applied, digest: () => string): void {
    const index = entry.sequence - 1;
    const next = this.#nextOf.get(server) ?? 1;
    this.#nextOf.set(server, entry.sequence + 1);
    if (entry.sequence !== next) {
      this.complain("K1", `${server} reads entry ${entry.sequence} in place of ${next}`);
      return;
    }
    if (index > this.#judged.length) {
      this.complain(
        "K1",
        `${server} has entry ${entry.sequence} before anybody had the one before`,
      );
      return;
    }
    const { nowUs, addressed } = applied;
    const text = addressed.length === 0 ? `${nowUs}` : JSON.stringify([nowUs, addressed]);
    if (index === this.#judged.length) {
      this.#judged.push({ text, digest: undefined });
      this.#entries.push(entry);
      this.#judge(server, entry, applied);
    }
    const judged = this.#judged[index];
    if (judged === undefined) return;
    if (judged.text !== text) {
      const what = `[${text}], the first to read it [${judged.text}]`;
      this.complain("K2", `entry ${entry.sequence}: ${server} says ${what}`);
    }
    if (entry.sequence % digestEveryEntries !== 0) return;
    const own = digest();
    judged.digest ??= own;
    if (judged.digest !== own) {
      this.complain("K3", `${server} has another state behind entry ${entry.sequence}`);
    }
  }

  /** A subscriber got a message. @param number its number in the topic */
  onMessage(who: string, topic: string, number: number, message: string): void {
    const meant = this.#topics.get(topic)?.[number - 1];
    if (meant === message) return;
    this.complain("K8", `${who}: message ${number} of ${topic} is ${message}, should be ${meant}`);
  }

  /**
   * A client has its answer: nothing leaves before the log says it. @returns the first entry that
   * may have said it, 0 where none need have
   */
  onAnswer({ name, at, asked }: Party, answer: Answer): number {
    const told = this.#told.get(name) ?? [];
    if (!isTold(answer, told)) {
      const who = `${name} at ${at} (${asked})`;
      const what = `${answer.text}, so far it was told ${JSON.stringify(told)}`;
      this.complain("K5", `${who} heard ${what}`);
    }
    return answer.isUntold === true ? 0 : (told.find(answer.fits)?.entry ?? 0);
  }

  /** Everything was cancelled, and there was time enough. */
  finish(parties: Iterable<Party>): void {
    for (const party of parties) {
      const { name, at, asked, end } = party;
      const who = `${name} at ${at} (${asked})`;
      const counted = this.#counted.get(name) ?? 0;
      const told = this.#told.get(name) ?? [];
      // A datagram that comes again to a server that has forgotten the first one is a new request.
      // So is that of one which was refused: it counted nowhere.
      const isRefused = told.some(({ word }) => word === "limit");
      const mayCountAgain = party.isDatagram === true && (party.excuse !== undefined || isRefused);
      // Of one with an id, that its command is in the log says nothing.
      if (counted > 1 && !mayCountAgain && party.hasId !== true)
        this.complain("K4", `${who} counted ${counted} times`);
      if (party.answers > 1 && !mayCountAgain)
        this.complain("K5", `${who} got ${party.answers} answers`);
      if (end?.kind === "answered") {
        if (!isTold(end.answer, told)) {
          const meant = JSON.stringify(told);
          this.complain("K5", `${who} heard ${end.answer.text}, was told ${meant}`);
        }
      } else if (end === undefined) {
        const log = counted === 0 ? "its request is not in the log" : "its request is in the log";
        this.complain("K7", `${who} still waits; ${log}; told ${JSON.stringify(told)}`);
      } else if (end.kind === "closed" && party.excuse === undefined) {
        // Old clients are refused without a word.
        if (isRefused || told.some(isLost)) continue;
        this.complain("K6", `${who} was closed: ${end.why}; told ${JSON.stringify(told)}`);
      }
    }
    const { isOfTree = false, limits } = this.#options;
    if (isOfTree) return;
    for (const text of judgeLooks(this.#looks, this.#entries, limits)) this.complain("K9", text);
  }

  complain(rule: string, text: string): void {
    if (this.problems.length < problemsMax) this.problems.push(`${rule} ${text.slice(0, 2_000)}`);
  }

  #judge(server: string, entry: LogEntry, applied: Applied): void {
    this.#counting.apply(entry);
    const { addressed } = applied;
    const kindsSaid = addressed.map((one) => this.#kindOf(one));
    for (const { kind, model } of this.#models) {
      const meant = model.apply(entry);
      // Of most entries nobody has anything to say of most kinds.
      if (meant.length === 0 && !kindsSaid.includes(kind)) continue;
      const said = this.#textOf(kind, addressed);
      const should = this.#textOf(kind, meant);
      if (said !== should) {
        const what = `${server} says ${differenceOf(said, should)}`;
        this.complain("K2", `entry ${entry.sequence} (${kind}): ${what}`);
      }
    }
    for (const said of addressed) this.#noteTold(entry.sequence, said);
    this.#options.onJudged?.(entry, applied);
  }

  /** Whose request counts, and what it is for. */
  #note({ edge, life: incarnation }: Speaker, command: Command): void {
    if (!("connection" in command) || command.connection === undefined) return;
    const { connection } = command;
    const { asked, names } = this.#life({ edge, incarnation });
    const kind = kindOf(command);
    if (kind !== undefined && !asked.has(connection)) asked.set(connection, kind);
    if (command.kind === "roster-open") {
      this.#rosters?.asked(`${edge} ${incarnation} ${connection}`, command);
    }
    const name = names.get(connection) ?? this.#nameBy(command);
    if (name !== undefined && command.kind === "roster-change") names.set(connection, name);
    if (name === undefined || !("who" in command || command.kind === "publish")) return;
    names.set(connection, name);
    this.#counted.set(name, (this.#counted.get(name) ?? 0) + 1);
    const { version, nowUs } = this.#counting;
    this.#keyed.asked(name, command, version, nowUs);
  }

  #life({ edge, incarnation }: Pick<Said, "edge" | "incarnation">): Life {
    const lives = this.#lives.get(edge) ?? new Map<number, Life>();
    if (lives.size === 0) this.#lives.set(edge, lives);
    const known = lives.get(incarnation);
    if (known !== undefined) return known;
    const life: Life = { asked: new Map(), names: new Map() };
    lives.set(incarnation, life);
    return life;
  }

  /**
   * Clients of old doors are known by where they come from, those who publish by what they say,
   * those who change a roster by the change, members over HTTP by their node.
   */
  #nameBy(command: Command): string | undefined {
    if (command.kind === "publish") return nameIn(this.#options.messageOf(command.payload.id));
    if (command.kind === "roster-change") {
      return this.#changes.get(changeKey(command.scope, command.barrier, command));
    }
    if (!("who" in command)) return undefined;
    const { name, address, node } = command.who;
    return nameIn(name) ?? nameIn(address) ?? nameIn(node);
  }

  #noteTold(entry: number, said: Said): void {
    const { effect } = said;
    const { names } = this.#life(said);
    if (effect.kind === "published") this.#notePublished(names, effect);
    this.#rosters?.told(effect);
    const told = toldBy(entry, effect);
    if (told === undefined) return;
    for (const connection of connectionsOf(effect)) {
      const name = names.get(connection);
      const { nowUs } = this.#counting;
      const isAgain = name !== undefined && this.#keyed.told(name, effect, nowUs);
      this.#rosters?.answered(`${said.edge} ${said.incarnation} ${connection}`, effect, isAgain);
      if (name === undefined) continue;
      const list = this.#told.get(name);
      if (list === undefined) this.#told.set(name, [told]);
      else list.push(told);
    }
  }

  /** K8. */
  #notePublished(
    names: Life["names"],
    effect: Extract<Said["effect"], { kind: "published" }>,
  ): void {
    const { scope, topic, number, connection } = effect;
    const key = `${scope} ${topic}`;
    const messages = this.#topics.get(key) ?? [];
    this.#topics.set(key, messages);
    const message = names.get(connection) ?? "?";
    if (number !== messages.length + 1) {
      this.complain("K8", `message ${number} of ${key} follows ${messages.length}`);
    }
    if (message !== "?" && messages.includes(message)) {
      this.complain("K8", `${message} is in ${key} twice`);
    }
    messages[number - 1] = message;
  }

  /**
   * What is of one kind; the end of an edge is told with the counts. An edge that ends may end
   * several rosters: which first, nobody is promised.
   */
  #textOf(kind: BarrierKind, said: readonly Said[]): string {
    let text = "";
    const ofRosters: { readonly of: string; readonly text: string }[] = [];
    for (const one of said) {
      if (this.#kindOf(one) !== kind) continue;
      const { effect } = one;
      if (kind !== "roster" || effect.kind !== "released") text += textOf(one);
      else ofRosters.push({ of: `${effect.scope} ${effect.barrier}`, text: textOf(one) });
    }
    if (ofRosters.length > 1) ofRosters.sort((a, b) => (a.of === b.of ? 0 : a.of < b.of ? -1 : 1));
    for (const row of ofRosters) text += row.text;
    return text;
  }

  #kindOf(said: Said): BarrierKind | "none" {
    const { effect } = said;
    switch (effect.kind) {
      case "released":
        return effect.barrierKind;
      case "signalled":
        return "state";
      case "quorum-status":
        return "quorum";
      case "revoked":
        return "count";
      case "acknowledged":
      case "moved":
      case "refused":
        return this.#life(said).asked.get(effect.connection) ?? "none";
      default:
        return "none";
    }
  }
}

/** An effect as text, and without what differs from model to core: the words of a refusal. */
function textOf({ edge, incarnation, effect }: Said): string {
  const life = `${edge} ${incarnation}`;
  switch (effect.kind) {
    case "released": {
      const { scope, barrier, generation, part = "-", outcome, error, connections } = effect;
      const { missing = [], reason = "" } = effect;
      const where = `${scope} ${barrier} ${generation} ${part}`;
      return `${life} ${where} ${outcome} ${error} ${connections} ${missing} ${reason}\n`;
    }
    case "signalled":
      return `${life} signalled ${effect.connection} ${effect.value}\n`;
    case "quorum-status": {
      const { barrier, generation, connection, status, error, reason = "" } = effect;
      const { missing = [] } = effect;
      const what = `${barrier} ${generation} ${connection} ${status} ${error}`;
      return `${life} ${what} ${missing} ${reason}\n`;
    }
    case "acknowledged":
    case "moved":
      return `${life} ${effect.kind} ${effect.connection}\n`;
    case "refused":
      return `${life} refused ${effect.connection} ${effect.code}\n`;
    default:
      return `${life} ${effect.kind}\n`;
  }
}

/** The rows that are on one side only, in a line; all of them where only their order differs. */
export function differenceOf(said: string, should: string): string {
  const rowsOf = (text: string): readonly string[] =>
    text.split(/\s*\n/).filter((row) => row !== "");
  const [ours, right] = [rowsOf(said), rowsOf(should)];
  const [extra, lacking] = [difference(ours, right), difference(right, ours)];
  const isOrder = extra.length === 0 && lacking.length === 0;
  const [shown, wanted] = isOrder ? [ours, right] : [extra, lacking];
  return `[${shown.join("; ")}], should say [${wanted.join("; ")}]`;
}

function difference(rows: readonly string[], others: readonly string[]): readonly string[] {
  return rows.filter((row) => !others.includes(row));
}

/** The kind whose model is asked about a command that names it. */
function kindOf(command: Command): BarrierKind | undefined {
  const { kind } = command;
  if (kind === "cancel" || kind === "fail") return command.barrierKind ?? "count";
  if (kind === "refuse") return "count";
  if (kind === "publish") return command.arrival && "state";
  return prefixes.find(([prefix]) => kind.startsWith(prefix))?.[1];
}

/** `c12` of `c12:0/udp`, and of `"c12"`. */
function nameIn(text: string | undefined): string | undefined {
  return /^"?(c\d+)/.exec(text ?? "")?.[1];
}

function changeKey(scope: string, barrier: string, { add, remove }: Members): string {
  const added = add.map((one) =>
    typeof one === "string" ? one : `${one.name} ${one.group ?? ""}`,
  );
  return JSON.stringify([scope, barrier, added.map((one) => one.trim()), remove]);
}

function isTold(answer: Answer, told: readonly Told[]): boolean {
  if (answer.isUntold === true) return true;
  const { fits, alsoFits } = answer;
  return told.some(fits) && (alsoFits === undefined || told.some(alsoFits));
}

/** Whether it is said that nobody can say what has become of it. */
function isLost({ what, word }: Told): boolean {
  return what === "refused" && word === "unavailable";
}
