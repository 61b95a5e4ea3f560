// SPDX-License-Identifier: MIT
// The barrier rules once more, as plainly as they can be said: a list of everything that happened,
// and questions that are answered by reading that list from the start. Slow on purpose; it has no
// counters that could drift, no timers that could be stale and no tables that could disagree.
// Written from the description of the sync service and the decisions on time, edges and limits; the
// core is compared with it. [EMULAB-SYNC 3] Knows no agenda and gives no warnings.
import type { Batch, Command, LogEntry, Participant } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";

/** Somebody who came to a barrier. */
interface Party {
  readonly edge: string;
  readonly life: number;
  readonly connection: number;
  readonly scope: string;
  readonly barrier: string;
  /** What an initialiser asks for; undefined for one who only waits. */
  readonly asks: number | undefined;
  readonly stays: boolean;
  readonly error: number;
  readonly who: Participant;
  readonly deadlineUs: number | undefined;
}

type Happening =
  | { readonly what: "came"; readonly party: Party }
  | { readonly what: "went"; readonly party: Party }
  | { readonly what: "ended"; readonly scope: string; readonly barrier: string }
  | { readonly what: "opened"; readonly scope: string }
  | { readonly what: "nodes"; readonly scope: string; readonly nodes: readonly string[] }
  | { readonly what: "closed"; readonly scope: string }
  | { readonly what: "born"; readonly edge: string; readonly life: number }
  | { readonly what: "batch"; readonly edge: string; readonly life: number }
  | { readonly what: "lost"; readonly edge: string; readonly life: number; readonly endsUs: number }
  | { readonly what: "back"; readonly edge: string; readonly life: number }
  | { readonly what: "died"; readonly edge: string; readonly life: number };

/** What the model says; the same words as the core's effects, without the texts of refusals. */
export interface NaiveTold {
  readonly edge: string;
  readonly incarnation: number;
  readonly effect: Exclude<EdgeEffect, { kind: "refused" }> | NaiveRefused;
}

interface NaiveRefused {
  readonly kind: "refused";
  readonly connection: number;
  readonly code: string;
}

/** The record of a barrier that ended, as far as the model keeps it. */
export interface NaiveEnd {
  readonly scope: string;
  readonly barrier: string;
  readonly generation: number;
  readonly outcome: string;
  readonly error: number;
  readonly expected: number;
  readonly closedUs: number;
  readonly participants: readonly string[];
}

const largestCount = 2_147_483_647;

export class NaiveBarriers {
  readonly #limits: Limits;
  #history: Happening[] = [];
  #stamps: number[] = [];
  /** What `forget` has added up: log time, ends of a name, batches of a life. */
  #forgottenUs = 0;
  readonly #forgottenEnds = new Map<string, number>();
  readonly #forgottenBatches = new Map<string, number>();
  #told: NaiveTold[] = [];
  #ends: NaiveEnd[] = [];

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** What this entry leads to. */
  apply(entry: LogEntry): {
    readonly told: readonly NaiveTold[];
    readonly ends: readonly NaiveEnd[];
  } {
    this.#told = [];
    this.#ends = [];
    this.#stamps.push(entry.stampUs);
    for (let due = this.#nextDue(); due !== undefined; due = this.#nextDue()) due();
    for (const batch of entry.entry.batches) this.#take(batch);
    return { told: this.#told, ends: this.#ends };
  }

  /**
   * Adds up and drops what no question will look at again, so that a long simulation stays quick. A
   * model that never forgets says the same.
   */
  forget(): void {
    // Generations begin anew with a scope; a history with such a turn is kept whole.
    if (this.#history.some(({ what }) => what === "closed")) return;
    this.#forgottenUs = this.nowUs();
    this.#stamps = this.#stamps.slice(-1);
    const kept: Happening[] = [];
    const holds = new Set<Party>();
    for (const { party } of this.#comers()) {
      if (this.#sinceLastEnd(party.scope, party.barrier).some((h) => isOf(h, party))) {
        holds.add(party);
      }
    }
    for (const happening of this.#history) {
      if (happening.what === "ended") {
        add(this.#forgottenEnds, `${happening.scope} ${happening.barrier}`);
      } else if (happening.what === "batch") {
        add(this.#forgottenBatches, `${happening.edge} ${happening.life}`);
      } else if (happening.what === "came" || happening.what === "went") {
        if (holds.has(happening.party)) kept.push(happening);
      } else if (happening.what !== "opened" || !kept.some((h) => isOpening(h, happening.scope))) {
        kept.push(happening);
      }
    }
    this.#history = kept;
  }

  /** Log time: the steps between stamps, none backwards and none above two seconds. */
  nowUs(): number {
    return this.#stamps.reduce((sum, stamp, index) => {
      const step = stamp - (this.#stamps[index - 1] ?? stamp);
      return sum + Math.max(0, Math.min(step, 2_000_000));
    }, this.#forgottenUs);
  }

  // -- deadlines ---------------------------------------------------------------------------------

  /** Among what is due the earliest, and of those the one that was set first. */
  #nextDue(): (() => void) | undefined {
    const found: { dueUs: number; act: () => void }[] = [];
    for (const [index, happening] of this.#history.entries()) {
      if (happening.what === "came") {
        const { party } = happening;
        if (party.deadlineUs === undefined || !this.#waits(party)) continue;
        found.push({ dueUs: party.deadlineUs, act: () => this.#timeOut(party) });
      } else if (happening.what === "lost") {
        const { edge, life, endsUs } = happening;
        const later = this.#history.slice(index + 1);
        const isOver = later.some(
          (next) =>
            (next.what === "back" || next.what === "died") &&
            next.edge === edge &&
            next.life === life,
        );
        if (!isOver) found.push({ dueUs: endsUs, act: () => this.#die(edge, life) });
      }
    }
    const now = this.nowUs();
    const due = found.filter(({ dueUs }) => dueUs <= now);
    const earliestUs = Math.min(...due.map(({ dueUs }) => dueUs));
    return due.find(({ dueUs }) => dueUs === earliestUs)?.act;
  }

  #timeOut(party: Party): void {
    const { scope, barrier } = party;
    const release = {
      kind: "released",
      scope,
      barrier,
      barrierKind: "count",
      generation: this.#generation(scope, barrier),
      outcome: "timeout",
      error: this.#error(scope, barrier),
      connections: [party.connection],
      missing: this.#missing(scope, barrier),
    } as const;
    this.#tell(party.edge, party.life, release);
    this.#go(party, "timeout");
  }

  // -- edges -------------------------------------------------------------------------------------

  #living(edge: string): number | undefined {
    const lives = this.#history.filter((h) => h.what === "born" && h.edge === edge);
    const last = lives.at(-1);
    if (last?.what !== "born") return undefined;
    return this.#isDead(edge, last.life) ? undefined : last.life;
  }

  #isDead(edge: string, life: number): boolean {
    return this.#history.some((h) => h.what === "died" && h.edge === edge && h.life === life);
  }

  #take({ edge, incarnation: life, number, commands }: Batch): void {
    const living = this.#living(edge);
    if (living === life) {
      const taken = this.#history.filter(
        (h) => h.what === "batch" && h.edge === edge && h.life === life,
      );
      const before = this.#forgottenBatches.get(`${edge} ${life}`) ?? 0;
      if (number !== before + taken.length + 1) return;
    } else {
      const isFirst = number === 1 && commands[0]?.kind === "attach";
      if (!isFirst || this.#isDead(edge, life)) return;
      if (living !== undefined) this.#die(edge, living);
      this.#history.push({ what: "born", edge, life });
    }
    this.#history.push({ what: "batch", edge, life });
    for (const command of commands) {
      if (this.#living(edge) === life) this.#obey(edge, life, command);
    }
  }

  #die(edge: string, life: number): void {
    const mine = this.#comers().flatMap(({ party }) =>
      party.edge === edge && party.life === life && this.#waits(party) ? [party] : [],
    );
    const before = mine.map((party) => this.#expected(party.scope, party.barrier));
    for (const party of mine) this.#history.push({ what: "went", party });
    for (const [index, party] of mine.entries()) {
      // The second party of a barrier that has just ended finds nothing to settle.
      if (!this.#open(party.scope).includes(party.barrier)) continue;
      this.#settle(party, "cancelled", before[index] ?? 0);
    }
    this.#tell(edge, life, { kind: "revoked" });
    this.#history.push({ what: "died", edge, life });
  }

  #obey(edge: string, life: number, command: Command): void {
    switch (command.kind) {
      case "attach":
        this.#history.push({ what: "back", edge, life });
        return;
      case "attached":
        if (this.#living(command.edge) === command.incarnation) {
          this.#history.push({ what: "back", edge: command.edge, life: command.incarnation });
        }
        return;
      case "detach":
        this.#lose(command.edge, command.incarnation);
        return;
      case "end-edge":
        this.#die(edge, life);
        return;
      case "leave":
        for (const { party } of this.#comers()) {
          const isIt = party.edge === edge && party.life === life;
          if (isIt && party.connection === command.connection && this.#waits(party)) {
            this.#go(party, "cancelled");
            return;
          }
        }
        return;
      case "cancel-all":
        if ((command.barrierKind ?? "count") !== "count") return;
        for (const barrier of this.#open(command.scope)) {
          this.#end(command.scope, barrier, "cancelled", command.error);
        }
        return;
      case "cancel":
        if ((command.barrierKind ?? "count") !== "count") return;
        if (this.#open(command.scope).includes(command.barrier)) {
          this.#end(command.scope, command.barrier, "cancelled", command.error);
        }
        return;
      case "open-scope":
        if (!this.#hasRoomFor(command.scope)) {
          this.#tell(edge, life, { kind: "refused", connection: 0, code: "limit" });
          return;
        }
        this.#history.push({ what: "opened", scope: command.scope });
        this.#history.push({ what: "nodes", scope: command.scope, nodes: command.nodes });
        return;
      case "close-scope":
        for (const barrier of this.#open(command.scope)) {
          this.#end(command.scope, barrier, "cancelled", command.error);
        }
        this.#history.push({ what: "closed", scope: command.scope });
        return;
      case "count-init":
      case "count-wait":
        this.#come(edge, life, command);
        return;
      case "version":
      case "limits":
        return;
      default:
        if (isOfAnotherKind(command)) return;
        throw new Error(`the model knows no ${command.kind}`);
    }
  }

  /** The lease runs from the first word of the loss, until the edge is back or over. */
  #lose(edge: string, life: number): void {
    if (this.#living(edge) !== life) return;
    const news = this.#history.filter(
      (h) => (h.what === "lost" || h.what === "back") && h.edge === edge && h.life === life,
    );
    if (news.at(-1)?.what === "lost") return;
    const endsUs = this.nowUs() + this.#limits.edgeLeaseUs;
    this.#history.push({ what: "lost", edge, life, endsUs });
  }

  // -- barriers ----------------------------------------------------------------------------------

  #come(
    edge: string,
    life: number,
    command: Extract<Command, { kind: "count-init" | "count-wait" }>,
  ): void {
    const { scope, barrier, connection, who, error, timeoutUs } = command;
    const asks = command.kind === "count-init" ? command.count : undefined;
    const stays = command.kind === "count-wait" || command.waits;
    const deadlineUs = timeoutUs === undefined || !stays ? undefined : this.nowUs() + timeoutUs;
    const party = { edge, life, connection, scope, barrier, asks, stays, error, who, deadlineUs };
    const code = this.#objection(party, timeoutUs);
    if (code !== undefined) {
      this.#tell(edge, life, { kind: "refused", connection, code });
      return;
    }
    this.#history.push({ what: "opened", scope });
    this.#history.push({ what: "came", party });
    if (!stays) this.#tell(edge, life, { kind: "acknowledged", connection });
    if (this.#sum(scope, barrier) === 0) {
      this.#end(scope, barrier, "crossed", this.#error(scope, barrier));
    }
  }

  /** The arrival is taken back; if that makes the sum 0, the barrier ends for the rest. */
  #go(party: Party, outcomeWhenEmpty: string): void {
    const before = this.#expected(party.scope, party.barrier);
    this.#history.push({ what: "went", party });
    this.#settle(party, outcomeWhenEmpty, before);
  }

  /** @param before how many were expected while those who left were there. */
  #settle({ scope, barrier }: Party, outcomeWhenEmpty: string, before: number): void {
    if (this.#sum(scope, barrier) !== 0) return;
    const error = this.#error(scope, barrier);
    const isEmpty = this.#waiting(scope, barrier).length === 0;
    if (isEmpty) this.#end(scope, barrier, outcomeWhenEmpty, error, before);
    else this.#end(scope, barrier, "crossed", error);
  }

  #end(
    scope: string,
    barrier: string,
    outcome: string,
    error: number,
    expected: number = this.#expected(scope, barrier),
  ): void {
    const waiting = this.#waiting(scope, barrier);
    const since = this.#sinceLastEnd(scope, barrier);
    const generation = this.#generation(scope, barrier);
    const stayers = new Set(waiting);
    const goneOrNeverWaited = since.filter(
      (h) => h.what === "went" || (h.what === "came" && !h.party.stays),
    );
    const participants = [
      ...goneOrNeverWaited.map((h) =>
        h.what === "went" || h.what === "came" ? h.party : undefined,
      ),
      ...waiting,
    ];
    this.#ends.push({
      scope,
      barrier,
      generation,
      outcome,
      error,
      expected,
      closedUs: this.nowUs(),
      participants: participants.map((party) => party?.who.address ?? ""),
    });
    this.#history.push({ what: "ended", scope, barrier });
    const edges = [...new Set([...stayers].map(({ edge }) => edge))];
    for (const edge of edges) {
      const mine = waiting.filter((party) => party.edge === edge);
      const connections = mine.map(({ connection }) => connection);
      const facts = { scope, barrier, barrierKind: "count" as const, generation };
      const what = { ...facts, outcome: outcome as "crossed", error };
      this.#tell(edge, mine[0]?.life ?? 0, { kind: "released", ...what, connections });
    }
  }

  #objection(party: Party, timeoutUs: number | undefined): string | undefined {
    const { edge, life, connection, scope, barrier, asks, error } = party;
    const limits = this.#limits;
    if (!this.#hasRoomFor(scope)) return "limit";
    const waitsAlready = this.#comers().some(
      ({ party: other }) =>
        other.edge === edge &&
        other.life === life &&
        other.connection === connection &&
        this.#waits(other),
    );
    if (waitsAlready || barrier === "") return "invalid";
    const { node = "", name = "" } = party.who;
    for (const text of [barrier, node, name]) {
      if (new TextEncoder().encode(text).length > limits.nameBytesMax) return "limit";
    }
    const open = this.#open(scope);
    if (!open.includes(barrier) && open.length >= limits.barriersPerScopeMax) return "limit";
    const isFull = this.#waiting(scope, barrier).length >= limits.waitersPerBarrierMax;
    if (party.stays && isFull) return "limit";
    if (error < 0 || (timeoutUs ?? 0) < 0) return "invalid";
    if (asks === undefined) return undefined;
    if (asks < 0 || asks > largestCount) return "invalid";
    const held = Math.max(this.#sum(scope, barrier), this.#expected(scope, barrier));
    return held + asks > largestCount ? "invalid" : undefined;
  }

  #hasRoomFor(scope: string): boolean {
    const named = new Set<string>();
    for (const happening of this.#history) {
      if (happening.what === "opened") named.add(happening.scope);
      if (happening.what === "closed") named.delete(happening.scope);
    }
    return named.has(scope) || named.size < this.#limits.scopesMax;
  }

  // -- questions to the history ------------------------------------------------------------------

  #comers(): readonly Extract<Happening, { what: "came" }>[] {
    return this.#history.filter((h) => h.what === "came");
  }

  /** What happened at this barrier since it last ended. */
  #sinceLastEnd(scope: string, barrier: string): readonly Happening[] {
    const isEnd = (h: Happening): boolean =>
      h.what === "ended" && h.scope === scope && h.barrier === barrier;
    const after = this.#history.slice(this.#history.findLastIndex(isEnd) + 1);
    return after.filter(
      (h) =>
        (h.what === "came" || h.what === "went") &&
        h.party.scope === scope &&
        h.party.barrier === barrier,
    );
  }

  #waiting(scope: string, barrier: string): readonly Party[] {
    const since = this.#sinceLastEnd(scope, barrier);
    const gone = new Set(since.map((h) => (h.what === "went" ? h.party : undefined)));
    return since.flatMap((h) =>
      h.what === "came" && h.party.stays && !gone.has(h.party) ? [h.party] : [],
    );
  }

  #waits(party: Party): boolean {
    return this.#waiting(party.scope, party.barrier).includes(party);
  }

  /** Those whose arrival still holds: they wait, or never had to. */
  #holding(scope: string, barrier: string): readonly Party[] {
    const waiting = new Set(this.#waiting(scope, barrier));
    return this.#sinceLastEnd(scope, barrier).flatMap((h) =>
      h.what === "came" && (!h.party.stays || waiting.has(h.party)) ? [h.party] : [],
    );
  }

  #sum(scope: string, barrier: string): number {
    return this.#holding(scope, barrier).reduce((sum, { asks }) => sum + (asks ?? -1), 0);
  }

  #expected(scope: string, barrier: string): number {
    return this.#holding(scope, barrier).reduce(
      (sum, { asks, stays }) => sum + (asks === undefined ? 0 : asks + (stays ? 1 : 0)),
      0,
    );
  }

  /** The largest that anybody who waited has brought, those who went included. */
  #error(scope: string, barrier: string): number {
    return this.#sinceLastEnd(scope, barrier).reduce(
      (max, h) => (h.what === "came" && h.party.stays ? Math.max(max, h.party.error) : max),
      0,
    );
  }

  #generation(scope: string, barrier: string): number {
    const start = this.#history.findLastIndex((h) => h.what === "closed" && h.scope === scope);
    const ends = this.#history
      .slice(start + 1)
      .filter((h) => h.what === "ended" && h.scope === scope && h.barrier === barrier);
    const before = start < 0 ? (this.#forgottenEnds.get(`${scope} ${barrier}`) ?? 0) : 0;
    return before + ends.length + 1;
  }

  /** Names of open barriers in the order in which they were first asked for. */
  #open(scope: string): readonly string[] {
    const names = new Set<string>();
    for (const happening of this.#history) {
      if (happening.what === "came" && happening.party.scope === scope) {
        names.add(happening.party.barrier);
      }
      if (happening.what === "ended" && happening.scope === scope) names.delete(happening.barrier);
    }
    return [...names];
  }

  #missing(scope: string, barrier: string): readonly string[] {
    const sum = this.#sum(scope, barrier);
    if (sum === 0) return [];
    const start = this.#history.findLastIndex((h) => h.what === "closed" && h.scope === scope);
    const named = this.#history
      .slice(start + 1)
      .findLast((h) => h.what === "nodes" && h.scope === scope);
    const nodes = named?.what === "nodes" ? named.nodes : [];
    const here = new Set(this.#holding(scope, barrier).map(({ who }) => who.node));
    const absent = nodes.filter((node) => !here.has(node));
    if (sum < 0) return [`somebody to open it for ${-sum}`];
    const which = sum === 1 ? "one" : `${sum}`;
    if (absent.length > sum) return [`${sum} anonymous, from ${which} of ${absent.join(", ")}`];
    const rest = sum - absent.length;
    return [
      ...absent.map((node) => `anonymous, from ${node}`),
      ...(rest > 0 ? [`${rest} more, anonymous`] : []),
    ];
  }

  #tell(edge: string, incarnation: number, effect: NaiveTold["effect"]): void {
    this.#told.push({ edge, incarnation, effect });
  }
}

/** What the naive models of other kinds are asked about. */
function isOfAnotherKind(command: Command): boolean {
  if (command.kind === "fail") return (command.barrierKind ?? "count") !== "count";
  return /^(?:state|quorum|roster|peer)s?-/.test(command.kind);
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function isOf(happening: Happening, party: Party): boolean {
  return happening.what === "came" && happening.party === party;
}

function isOpening(happening: Happening, scope: string): boolean {
  return happening.what === "opened" && happening.scope === scope;
}
