// SPDX-License-Identifier: MIT
// The rules of count barriers over lives of edges and servers: a list of parties for each barrier
// that is open, and after each change the sum of what they ask for and bring. Says what
// naive-barriers.ts says, and knows servers of a shared log as well, and is quick enough for long
// simulations. [EMULAB-SYNC 3]
import type { Command, LogEntry, Participant } from "../core/command.ts";
import type { BarrierDescription } from "../core/description.ts";
import type { Limits } from "../core/limits.ts";
import type { Asker } from "./naive-keys.ts";
import { NaiveLives } from "./naive-lives.ts";
import type { NaiveSaid, Speaker } from "./naive-said.ts";

interface Party extends Asker {
  /** Since when it waits for whom it waits for now: of all there ever were. */
  readonly id: number;
  /** What an initialiser asks for; undefined for one who only waits. */
  readonly asks: number | undefined;
  readonly who: Participant;
  readonly error: number;
  readonly atUs: number;
}

interface Open {
  readonly scope: string;
  readonly name: string;
  readonly generation: number;
  readonly sinceUs: number;
  /** In the order in which they came; each holds. */
  waiting: Party[];
  /** Asked for by those who went on. */
  asked: { readonly count: number; readonly who: Participant }[];
  /** The largest that anybody who waited has brought, those who went included. */
  error: number;
}

type Outcome = "crossed" | "timeout" | "cancelled" | "failed";
type Arrival = Extract<Command, { kind: "count-init" | "count-wait" }>;

const largestCount = 2_147_483_647;

export class NaiveCounts {
  readonly #lives: NaiveLives;
  readonly #open = new Map<string, Open>();
  readonly #ends = new Map<string, number>();
  readonly #nodes = new Map<string, readonly string[]>();
  #lastId = 0;
  /** How often a barrier has crossed. */
  crossings = 0;

  constructor(limits: Limits) {
    this.#lives = new NaiveLives(limits, {
      obey: (speaker, command) => this.#obey(speaker, command),
      dies: (speaker) => this.#dies(speaker),
      keyed: {
        kind: "count",
        isBusy: (asker) => this.#partyOf(asker) !== undefined,
        moves: (from, to) => this.#move(from, to),
      },
    });
  }

  apply(entry: LogEntry): readonly NaiveSaid[] {
    return this.#lives.apply(entry);
  }

  /** What is open, as whoever looks is told. */
  describe(scope: string): readonly BarrierDescription[] {
    const here = [...this.#open.values()].filter((open) => open.scope === scope);
    return here.map((open) => ({
      ...{ scope, kind: "count", name: open.name, generation: open.generation },
      ...{ expected: expectedOf(open), count: missingOf(open), arrived: open.waiting.length },
      ...{ error: open.error, sinceUs: open.sinceUs, missing: this.#missing(open) },
      waiting: open.waiting.map(({ who, error, atUs }) => ({ who, error, arrivedUs: atUs })),
    }));
  }

  #obey(speaker: Speaker, command: Command): void {
    switch (command.kind) {
      case "count-init":
      case "count-wait":
        this.#come(speaker, command);
        return;
      case "count-change":
        this.#change(speaker, command);
        return;
      case "leave": {
        for (const open of this.#open.values()) {
          const party = open.waiting.find((one) => isIt(one, speaker, command.connection));
          if (party === undefined) continue;
          this.#leave(open, [party], "cancelled");
          return;
        }
        return;
      }
      case "refuse":
        this.#lives.refuse(speaker, command.connection, command.code);
        return;
      case "open-scope":
        if (this.#lives.hasRoomFor(command.scope)) {
          this.#lives.openScope(command.scope);
          this.#nodes.set(command.scope, command.nodes);
        } else this.#lives.refuse(speaker, 0, "limit");
        return;
      case "cancel":
      case "fail":
        this.#endOne(speaker, command);
        return;
      case "cancel-all":
      case "close-scope":
        this.#endAll(command);
        return;
      default:
        return;
    }
  }

  #come(speaker: Speaker, command: Arrival): void {
    const { scope, barrier: name, connection, who, error, timeoutUs } = command;
    const code = this.#objection(speaker, command);
    if (code !== undefined) {
      this.#lives.refuse(speaker, connection, code);
      return;
    }
    this.#lives.openScope(scope);
    const open = this.#find(scope, name) ?? this.#create(scope, name);
    const asks = command.kind === "count-init" ? command.count : undefined;
    if (command.kind === "count-init" && !command.waits) {
      open.asked.push({ count: command.count, who });
      this.#lives.tell(speaker, { kind: "acknowledged", connection });
    } else {
      const { edge, life } = speaker;
      this.#lastId += 1;
      const atUs = this.#lives.nowUs;
      const facts = { asks, who, error, atUs };
      const party: Party = { id: this.#lastId, edge, life, connection, ...facts };
      open.waiting.push(party);
      open.error = Math.max(open.error, error);
      const isOff = (): boolean => !open.waiting.includes(party);
      if (timeoutUs !== undefined) {
        this.#lives.ringIn(timeoutUs, () => this.#timeOut(open, party), isOff);
      }
    }
    if (missingOf(open) === 0) this.#end(open, "crossed", {});
  }

  #partyOf(asker: Asker): Party | undefined {
    const parties = [...this.#open.values()].flatMap(({ waiting }) => waiting);
    return parties.find((one) => isIt(one, asker, asker.connection));
  }

  /** It keeps its place among those who wait. */
  #move(from: Asker, to: Asker): void {
    this.#lastId += 1;
    const party = this.#partyOf(from);
    if (party !== undefined) Object.assign(party, { ...to, id: this.#lastId });
  }

  #timeOut(open: Open, party: Party): void {
    this.#release(open, [party], "timeout", { missing: this.#missing(open) });
    this.#leave(open, [party], "timeout");
  }

  /** @param emptied what has become of it if nobody is left and nothing is asked for */
  #leave(open: Open, parties: readonly Party[], emptied: Outcome): void {
    open.waiting = open.waiting.filter((one) => !parties.includes(one));
    if (missingOf(open) !== 0) return;
    this.#end(open, open.waiting.length === 0 ? emptied : "crossed", {});
  }

  /** They go at one instant; told of it is in the order in which the first of each came. */
  #dies({ edge, life }: Speaker): void {
    const gone = [...this.#open.values()].flatMap((open) => {
      const mine = open.waiting.filter((one) => one.edge === edge && one.life === life);
      return mine.length === 0 ? [] : [{ open, mine, first: mine[0]?.id ?? 0 }];
    });
    gone.sort((a, b) => a.first - b.first);
    for (const { open, mine } of gone) this.#leave(open, mine, "cancelled");
  }

  #change(speaker: Speaker, command: Extract<Command, { kind: "count-change" }>): void {
    const { scope, barrier, connection, expected } = command;
    const open = this.#find(scope, barrier);
    const before = open === undefined ? 0 : expectedOf(open);
    const here = open === undefined ? 0 : before - missingOf(open);
    const isBad = expected < 0 || before === 0 || expected < here;
    if (open === undefined || isBad) {
      this.#lives.refuse(speaker, connection, open === undefined ? "unknown" : "invalid");
      return;
    }
    this.#lives.tell(speaker, { kind: "acknowledged", connection });
    open.asked.push({ count: expected - before, who: { address: "" } });
    if (missingOf(open) === 0) this.#end(open, "crossed", {});
  }

  #endOne(speaker: Speaker, command: Extract<Command, { kind: "cancel" | "fail" }>): void {
    if ((command.barrierKind ?? "count") !== "count") return;
    const { scope, barrier, connection, error, reason } = command;
    const open = this.#find(scope, barrier);
    if (open === undefined) {
      if (connection !== undefined) this.#lives.refuse(speaker, connection, "unknown");
      return;
    }
    open.error = error;
    this.#end(open, command.kind === "fail" ? "failed" : "cancelled", { reason });
    if (connection !== undefined) this.#lives.tell(speaker, { kind: "acknowledged", connection });
  }

  #endAll(command: Extract<Command, { kind: "cancel-all" | "close-scope" }>): void {
    const { scope, error } = command;
    const isScope = command.kind === "close-scope";
    if (!isScope && (command.barrierKind ?? "count") !== "count") return;
    for (const open of [...this.#open.values()].filter((one) => one.scope === scope)) {
      open.error = error;
      this.#end(open, "cancelled", { reason: isScope ? undefined : command.reason });
    }
    if (!isScope) return;
    for (const key of this.#ends.keys()) {
      if (key.startsWith(`${scope} `)) this.#ends.delete(key);
    }
    this.#nodes.delete(scope);
    this.#lives.closeScope(scope);
  }

  #end(open: Open, outcome: Outcome, rest: { readonly reason?: string | undefined }): void {
    const key = `${open.scope} ${open.name}`;
    this.#open.delete(key);
    this.#ends.set(key, (this.#ends.get(key) ?? 0) + 1);
    if (outcome === "crossed") this.crossings += 1;
    const { waiting } = open;
    open.waiting = [];
    this.#release(open, waiting, outcome, rest);
  }

  /** One effect for each edge, in the order in which their first came. */
  #release(
    { scope, name, generation, error }: Open,
    parties: readonly Party[],
    outcome: Outcome,
    rest: { readonly missing?: readonly string[]; readonly reason?: string | undefined },
  ): void {
    for (const edge of new Set(parties.map((party) => party.edge))) {
      const mine = parties.filter((party) => party.edge === edge);
      const facts = { scope, barrier: name, barrierKind: "count", generation, outcome } as const;
      this.#lives.tell(
        { edge, life: mine[0]?.life ?? 0 },
        {
          ...{ kind: "released", ...facts, error },
          connections: mine.map(({ connection }) => connection),
          ...(rest.missing === undefined ? {} : { missing: rest.missing }),
          ...(rest.reason === undefined ? {} : { reason: rest.reason }),
        },
      );
    }
  }

  #objection(speaker: Speaker, command: Arrival): string | undefined {
    const { scope, barrier, connection, who, error, timeoutUs = 0 } = command;
    const { limits } = this.#lives;
    if (!this.#lives.hasRoomFor(scope)) return "limit";
    for (const open of this.#open.values()) {
      if (open.waiting.some((one) => isIt(one, speaker, connection))) return "invalid";
    }
    if (barrier === "") return "invalid";
    for (const text of [barrier, who.node ?? "", who.name ?? ""]) {
      if (Buffer.byteLength(text) > limits.nameBytesMax) return "limit";
    }
    const open = this.#find(scope, barrier);
    if (open === undefined && this.#openIn(scope) >= limits.barriersPerScopeMax) return "limit";
    const stays = command.kind === "count-wait" || command.waits;
    if (stays && (open?.waiting.length ?? 0) >= limits.waitersPerBarrierMax) return "limit";
    if (error < 0 || timeoutUs < 0) return "invalid";
    if (command.kind === "count-wait") return undefined;
    const { count } = command;
    if (count < 0 || count > largestCount) return "invalid";
    const held = open === undefined ? 0 : Math.max(missingOf(open), expectedOf(open));
    return held + count > largestCount ? "invalid" : undefined;
  }

  #missing(open: Open): readonly string[] {
    const count = missingOf(open);
    if (count === 0) return [];
    if (count < 0) return [`somebody to open it for ${-count}`];
    const nodes = this.#nodes.get(open.scope) ?? [];
    const here = new Set([...open.asked, ...open.waiting].map(({ who }) => who.node));
    const absent = nodes.filter((node) => !here.has(node));
    const which = count === 1 ? "one" : `${count}`;
    if (absent.length > count) return [`${count} anonymous, from ${which} of ${absent.join(", ")}`];
    const rest = count - absent.length;
    const named = absent.map((node) => `anonymous, from ${node}`);
    return rest > 0 ? [...named, `${rest} more, anonymous`] : named;
  }

  #create(scope: string, name: string): Open {
    const key = `${scope} ${name}`;
    const generation = (this.#ends.get(key) ?? 0) + 1;
    const sinceUs = this.#lives.nowUs;
    const open: Open = { scope, name, generation, sinceUs, waiting: [], asked: [], error: 0 };
    this.#open.set(key, open);
    return open;
  }

  #find(scope: string, name: string): Open | undefined {
    return this.#open.get(`${scope} ${name}`);
  }

  #openIn(scope: string): number {
    return [...this.#open.values()].filter((open) => open.scope === scope).length;
  }
}

/** Parties asked for, initialisers that wait included. */
function expectedOf({ waiting, asked }: Open): number {
  const ofWaiting = waiting.reduce((sum, { asks }) => sum + (asks === undefined ? 0 : asks + 1), 0);
  return asked.reduce((sum, { count }) => sum + count, ofWaiting);
}

/** How many have still to come; negative when more have come than were asked for. */
function missingOf({ waiting, asked }: Open): number {
  const ofWaiting = waiting.reduce((sum, { asks }) => sum + (asks ?? -1), 0);
  return asked.reduce((sum, { count }) => sum + count, ofWaiting);
}

function isIt(one: Party, { edge, life }: Speaker, connection: number): boolean {
  return one.edge === edge && one.life === life && one.connection === connection;
}
