// SPDX-License-Identifier: MIT
// The rules of quorums at one controller once more, plainly: a list of barriers, a list of who
// waits, and after each command the question whether one of them is reached, put to all of them.
// [GNUNET-BARRIERS 3, 5, 10] Knows no tree.
import type { Command, Deadline, LogEntry, Participant, Quorum } from "../core/command.ts";
import type { BarrierDescription } from "../core/description.ts";
import type { Limits } from "../core/limits.ts";
import { NaiveLives } from "./naive-lives.ts";
import type { NaiveSaid, Speaker } from "./naive-said.ts";

interface Driver extends Speaker {
  readonly connection: number;
}

interface Barrier {
  readonly scope: string;
  readonly name: string;
  readonly generation: number;
  readonly sinceUs: number;
  readonly mustAnswer: boolean;
  readonly deadline: Deadline | undefined;
  quorum: Quorum;
  driver: Driver | undefined;
  crossedError: number | undefined;
  /** The largest that anybody who came has brought. */
  error: number;
  /** Counts what moves its deadline. */
  deadlines: number;
}

interface Wait extends Speaker {
  readonly connection: number;
  readonly at: Barrier;
  readonly who: Participant;
  readonly error: number;
  readonly atUs: number;
}

interface End {
  readonly scope: string;
  readonly name: string;
  readonly generation: number;
  readonly outcome: Outcome;
  readonly error: number;
  /** For who comes too late; in logs from version 7 on. */
  readonly reason: string | undefined;
}

type Outcome = "crossed" | "failed" | "timeout" | "cancelled";
type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

/** What a driver hears besides the status. */
interface Told {
  readonly error?: number;
  readonly reason?: string | undefined;
  readonly missing?: readonly string[];
}

export class NaiveQuorums {
  readonly #lives: NaiveLives;
  #barriers: Barrier[] = [];
  #waits: Wait[] = [];
  #ends: End[] = [];
  #peers: { readonly scope: string; readonly name: string }[] = [];
  #unnamed: { readonly scope: string; readonly count: number }[] = [];

  constructor(limits: Limits) {
    this.#lives = new NaiveLives(limits, {
      obey: (speaker, command) => this.#obey(speaker, command),
      dies: (speaker) => this.#dies(speaker),
      keyed: {
        kind: "quorum",
        isBusy: (asker) => this.#isBusy(asker, asker.connection),
        moves: (from, to) => {
          const wait = this.#waits.find((one) => isIt(one, from, from.connection));
          if (wait !== undefined) Object.assign(wait, to);
        },
      },
    });
  }

  apply(entry: LogEntry): readonly NaiveSaid[] {
    return this.#lives.apply(entry);
  }

  /** What is open, as whoever looks is told. */
  describe(scope: string): readonly BarrierDescription[] {
    const here = this.#barriers.filter((barrier) => barrier.scope === scope);
    return here.map((barrier) => {
      const { name, generation, error, sinceUs, quorum, crossedError } = barrier;
      const waits = this.#at(barrier);
      const expected = this.#needed(barrier);
      const status = crossedError === undefined ? "open" : "crossed";
      return {
        ...{ scope, kind: "quorum", name, generation, expected, error, sinceUs },
        ...{ count: Math.max(0, expected - waits.length), arrived: waits.length },
        ...{ missing: this.#missing(barrier) },
        waiting: waits.map((wait) => ({ who: wait.who, error: wait.error, arrivedUs: wait.atUs })),
        quorum: { quorum, status, peers: this.#size(scope), controllers: [] },
      };
    });
  }

  #obey(speaker: Speaker, command: Command): void {
    switch (command.kind) {
      case "quorum-init":
        this.#init(speaker, command);
        break;
      case "quorum-wait":
        this.#wait(speaker, command);
        break;
      case "quorum-echo":
        this.#echo(speaker, command);
        break;
      case "quorum-change":
        this.#change(speaker, command);
        break;
      case "peer-register":
      case "peer-deregister":
      case "peers-set":
        this.#setPeers(speaker, command);
        break;
      case "leave":
        this.#leave(speaker, command.connection);
        break;
      case "open-scope":
        if (this.#lives.hasRoomFor(command.scope)) this.#lives.openScope(command.scope);
        else this.#lives.refuse(speaker, 0, "limit");
        break;
      case "cancel":
      case "fail":
        this.#endOne(speaker, command);
        break;
      case "cancel-all":
      case "close-scope":
        this.#endAll(command);
        break;
      default:
        break;
    }
    for (const barrier of [...this.#barriers]) this.#look(barrier);
  }

  #init(speaker: Speaker, command: Of<"quorum-init">): void {
    const { scope, barrier: name, connection, quorum, echo, deadline } = command;
    const isOpen = this.#find(scope, name) !== undefined;
    const isFull = !isOpen && this.#openIn(scope) >= this.#lives.limits.barriersPerScopeMax;
    const code =
      this.#objection(speaker, command, isFull) ??
      (isOpen || !isGood(quorum) || (deadline?.us ?? 0) < 0 ? "invalid" : undefined);
    if (code !== undefined) {
      this.#lives.refuse(speaker, connection, code);
      return;
    }
    this.#lives.openScope(scope);
    const generation =
      this.#ends.filter((end) => end.scope === scope && end.name === name).length + 1;
    const { edge, life } = speaker;
    const barrier: Barrier = {
      ...{ scope, name, generation, sinceUs: this.#lives.nowUs, deadline, quorum },
      mustAnswer: echo === "explicit",
      ...{ driver: { edge, life, connection }, crossedError: undefined, error: 0, deadlines: 0 },
    };
    this.#barriers.push(barrier);
    this.#tellDriver(barrier, "initialised", {});
    if (deadline?.since === "opening") this.#ringDeadline(barrier);
  }

  #wait(speaker: Speaker, command: Of<"quorum-wait">): void {
    const { scope, barrier: name, connection, who, error, timeoutUs } = command;
    const at = this.#find(scope, name);
    const isFull =
      at !== undefined && this.#at(at).length >= this.#lives.limits.waitersPerBarrierMax;
    const isBad = error < 0 || (timeoutUs ?? 0) < 0;
    const last = this.#ends.findLast((end) => end.scope === scope && end.name === name);
    const code =
      this.#objection(speaker, command, isFull) ??
      (isBad ? "invalid" : at === undefined && last === undefined ? "unknown" : undefined);
    if (code !== undefined) {
      this.#lives.refuse(speaker, connection, code);
      return;
    }
    if (at === undefined) {
      const late = { ...speaker, connection };
      if (last !== undefined) this.#release([late], last, last.outcome, { reason: last.reason });
      return;
    }
    const { edge, life } = speaker;
    const wait: Wait = { edge, life, connection, at, who, error, atUs: this.#lives.nowUs };
    this.#waits.push(wait);
    at.error = Math.max(at.error, error);
    const isOff = (): boolean => !this.#waits.includes(wait);
    if (timeoutUs !== undefined) this.#lives.ringIn(timeoutUs, () => this.#timeOut(wait), isOff);
    const since = at.deadline?.since;
    if (at.crossedError !== undefined || since === undefined) return;
    if (since === "last-arrival") at.deadlines += 1;
    const isFirst = this.#at(at).length === 1;
    if (since === "last-arrival" || (since === "first-arrival" && isFirst)) this.#ringDeadline(at);
  }

  #timeOut(wait: Wait): void {
    const missing = this.#missing(wait.at);
    this.#waits = this.#waits.filter((one) => one !== wait);
    this.#release([wait], wait.at, "timeout", { missing });
    this.#nobody(wait.at);
  }

  #ringDeadline(barrier: Barrier): void {
    const { deadlines, deadline } = barrier;
    const isOff = (): boolean =>
      !this.#barriers.includes(barrier) ||
      barrier.crossedError !== undefined ||
      barrier.deadlines !== deadlines;
    const reason = "its deadline has passed";
    const act = (): void => this.#end(barrier, "timeout", { error: barrier.error, reason });
    this.#lives.ringIn(deadline?.us ?? 0, act, isOff);
  }

  #echo(speaker: Speaker, { scope, barrier: name, connection }: Of<"quorum-echo">): void {
    const barrier = this.#find(scope, name);
    if (barrier === undefined) this.#lives.refuse(speaker, connection, "unknown");
    else if (!isIt(barrier.driver, speaker, connection) || barrier.crossedError === undefined) {
      this.#lives.refuse(speaker, connection, "invalid");
    } else this.#end(barrier, "crossed", { error: barrier.crossedError });
  }

  #change(speaker: Speaker, command: Of<"quorum-change">): void {
    const { scope, barrier: name, connection, quorum } = command;
    const barrier = this.#find(scope, name);
    if (!isGood(quorum)) {
      this.#lives.refuse(speaker, connection, "invalid");
    } else if (barrier === undefined) this.#lives.refuse(speaker, connection, "unknown");
    else if (barrier.crossedError !== undefined) this.#lives.refuse(speaker, connection, "invalid");
    else {
      this.#lives.tell(speaker, { kind: "acknowledged", connection });
      barrier.quorum = quorum;
    }
  }

  #setPeers(
    speaker: Speaker,
    command: Of<"peer-register" | "peer-deregister"> | Of<"peers-set">,
  ): void {
    const { scope, connection } = command;
    const { nameBytesMax, peersPerScopeMax } = this.#lives.limits;
    const named = this.#peers.filter((peer) => peer.scope === scope);
    const name = command.kind === "peers-set" ? "" : command.peer;
    const isKnown = named.some((peer) => peer.name === name);
    let code = this.#lives.hasRoomFor(scope) ? undefined : "limit";
    if (command.kind === "peers-set") {
      if (command.count < 0) code ??= "invalid";
      if (named.length + command.count > peersPerScopeMax) code ??= "limit";
    } else if (command.kind === "peer-register") {
      if (name === "" || isKnown) code ??= "invalid";
      if (bytes(name) > nameBytesMax || this.#size(scope) >= peersPerScopeMax) code ??= "limit";
    } else if (!isKnown) code ??= "unknown";
    if (code !== undefined) {
      this.#lives.refuse(speaker, connection, code);
      return;
    }
    this.#lives.openScope(scope);
    if (command.kind === "peers-set") this.#unnamed.push({ scope, count: command.count });
    else if (command.kind === "peer-register") this.#peers.push({ scope, name });
    else this.#peers = this.#peers.filter((peer) => peer.scope !== scope || peer.name !== name);
    this.#lives.tell(speaker, { kind: "acknowledged", connection });
  }

  #leave(speaker: Speaker, connection: number): void {
    const wait = this.#waits.find((one) => isIt(one, speaker, connection));
    const driven = this.#barriers.find(({ driver }) => isIt(driver, speaker, connection));
    if (wait !== undefined) {
      this.#waits = this.#waits.filter((one) => one !== wait);
      this.#nobody(wait.at);
    } else if (driven !== undefined) this.#driverLost(driven);
  }

  #dies({ edge, life }: Speaker): void {
    const mine = this.#waits.filter((wait) => wait.edge === edge && wait.life === life);
    this.#waits = this.#waits.filter((wait) => !mine.includes(wait));
    for (const { at } of mine) this.#nobody(at);
    for (const barrier of [...this.#barriers]) {
      const { driver } = barrier;
      if (driver?.edge === edge && driver.life === life) this.#driverLost(barrier);
    }
  }

  #driverLost(barrier: Barrier): void {
    barrier.driver = undefined;
    if (barrier.mustAnswer) {
      this.#end(barrier, "failed", { error: 0, reason: "its driver was lost" });
    }
  }

  /** A deadline since an arrival does not run while nobody waits. */
  #nobody(barrier: Barrier): void {
    const since = barrier.deadline?.since;
    if (this.#at(barrier).length === 0 && since !== "opening") barrier.deadlines += 1;
  }

  /** The question: is it reached? */
  #look(barrier: Barrier): void {
    if (!this.#barriers.includes(barrier) || barrier.crossedError !== undefined) return;
    if (this.#at(barrier).length < this.#needed(barrier)) return;
    barrier.crossedError = barrier.error;
    this.#tellDriver(barrier, "crossed", { error: barrier.error });
    if (barrier.driver === undefined || !barrier.mustAnswer) {
      this.#end(barrier, "crossed", { error: barrier.error });
      return;
    }
    const us = this.#lives.limits.quorumEchoUs;
    const reason = `its driver did not answer within ${us / 1e6} s`;
    const isOff = (): boolean => !this.#barriers.includes(barrier);
    this.#lives.ringIn(us, () => this.#end(barrier, "failed", { error: 0, reason }), isOff);
  }

  /** By trying: the smallest number from 1 on for which it is true. */
  #needed({ scope, quorum }: Barrier): number {
    if (quorum.kind === "count") return quorum.count;
    const size = this.#size(scope);
    if (size === 0) return 0;
    let count = 1;
    while (count * 100 < quorum.percent * size) count += 1;
    return count;
  }

  #endOne(speaker: Speaker, command: Of<"cancel"> | Of<"fail">): void {
    if (command.barrierKind !== "quorum") return;
    const { scope, barrier: name, connection, error, reason } = command;
    const barrier = this.#find(scope, name);
    if (barrier === undefined) {
      if (connection !== undefined) this.#lives.refuse(speaker, connection, "unknown");
      return;
    }
    this.#end(barrier, command.kind === "fail" ? "failed" : "cancelled", { error, reason });
    if (connection !== undefined) this.#lives.tell(speaker, { kind: "acknowledged", connection });
  }

  #endAll(command: Of<"cancel-all"> | Of<"close-scope">): void {
    const isAll = command.kind === "close-scope" || command.barrierKind === undefined;
    if (!isAll && command.barrierKind !== "quorum") return;
    const { scope, error } = command;
    const reason = command.kind === "cancel-all" ? command.reason : undefined;
    for (const barrier of this.#barriers.filter((one) => one.scope === scope)) {
      this.#end(barrier, "cancelled", { error, reason });
    }
    if (command.kind === "cancel-all") return;
    const isOther = (row: { readonly scope: string }): boolean => row.scope !== scope;
    this.#ends = this.#ends.filter(isOther);
    this.#peers = this.#peers.filter(isOther);
    this.#unnamed = this.#unnamed.filter(isOther);
    this.#lives.closeScope(scope);
  }

  #end(
    barrier: Barrier,
    outcome: Outcome,
    { error, reason }: { readonly error: number; readonly reason?: string | undefined },
  ): void {
    const { scope, name, generation } = barrier;
    const missing = this.#missing(barrier);
    const waits = this.#at(barrier);
    this.#waits = this.#waits.filter((wait) => !waits.includes(wait));
    this.#barriers = this.#barriers.filter((one) => one !== barrier);
    const kept = this.#lives.version >= 7 ? reason : undefined;
    this.#ends.push({ scope, name, generation, outcome, error, reason: kept });
    const rest = outcome === "timeout" ? { missing } : {};
    this.#release(waits, { scope, name, generation, error }, outcome, { reason, ...rest });
    const status = outcome === "crossed" ? "released" : outcome;
    const who = status === "failed" || status === "timeout" ? { missing } : {};
    this.#tellDriver(barrier, status, { error, reason, ...who });
  }

  #missing(barrier: Barrier): readonly string[] {
    const { scope } = barrier;
    const waits = this.#at(barrier);
    const count = this.#needed(barrier) - waits.length;
    if (count <= 0) return [];
    const absent = this.#peers
      .filter((peer) => peer.scope === scope)
      .map(({ name }) => name)
      .filter((name) => !waits.some(({ who }) => who.name === name || who.node === name));
    const which = count === 1 ? "one" : `${count}`;
    if (absent.length > count) return [`${count} anonymous, from ${which} of ${absent.join(", ")}`];
    const rest = count - absent.length;
    const named = absent.map((name) => `anonymous, from ${name}`);
    return rest > 0 ? [...named, `${rest} more, anonymous`] : named;
  }

  #release(
    waits: readonly (Speaker & { readonly connection: number })[],
    { scope, name, generation, error }: Omit<End, "outcome" | "reason">,
    outcome: Outcome,
    rest: { readonly missing?: readonly string[]; readonly reason?: string | undefined },
  ): void {
    for (const edge of new Set(waits.map((wait) => wait.edge))) {
      const mine = waits.filter((wait) => wait.edge === edge);
      const life = mine[0]?.life ?? 0;
      const facts = { scope, barrier: name, barrierKind: "quorum", generation, outcome } as const;
      const { missing, reason } = rest;
      this.#lives.tell(
        { edge, life },
        {
          ...{ kind: "released", ...facts, error },
          connections: mine.map(({ connection }) => connection),
          ...(missing === undefined ? {} : { missing }),
          ...(reason === undefined ? {} : { reason }),
        },
      );
    }
  }

  #tellDriver(
    { scope, name, generation, driver }: Barrier,
    status: "initialised" | "crossed" | "released" | "failed" | "cancelled" | "timeout",
    { error = 0, reason, missing }: Told = {},
  ): void {
    if (driver === undefined) return;
    const facts = {
      scope,
      barrier: name,
      generation,
      connection: driver.connection,
      status,
      error,
    };
    const why = reason === undefined ? {} : { reason };
    const who = missing === undefined ? {} : { missing };
    this.#lives.tell(driver, { kind: "quorum-status", ...facts, ...why, ...who });
  }

  #objection(
    speaker: Speaker,
    command: Of<"quorum-init"> | Of<"quorum-wait">,
    isFull: boolean,
  ): string | undefined {
    const { scope, barrier, connection, who } = command;
    if (!this.#lives.hasRoomFor(scope)) return "limit";
    if (this.#isBusy(speaker, connection)) return "invalid";
    if (barrier === "") return "invalid";
    const texts = [barrier, who.node ?? "", who.name ?? ""];
    if (texts.some((text) => bytes(text) > this.#lives.limits.nameBytesMax)) return "limit";
    return isFull ? "limit" : undefined;
  }

  #isBusy(speaker: Speaker, connection: number): boolean {
    const all = [...this.#waits, ...this.#barriers.map(({ driver }) => driver)];
    return all.some((one) => isIt(one, speaker, connection));
  }

  #size(scope: string): number {
    const named = this.#peers.filter((peer) => peer.scope === scope).length;
    return named + (this.#unnamed.findLast((row) => row.scope === scope)?.count ?? 0);
  }

  #openIn(scope: string): number {
    return this.#barriers.filter((barrier) => barrier.scope === scope).length;
  }

  #find(scope: string, name: string): Barrier | undefined {
    return this.#barriers.find((barrier) => barrier.scope === scope && barrier.name === name);
  }

  #at(barrier: Barrier): readonly Wait[] {
    return this.#waits.filter(({ at }) => at === barrier);
  }
}

function isIt(one: Driver | undefined, { edge, life }: Speaker, connection: number): boolean {
  return one?.edge === edge && one.life === life && one.connection === connection;
}

function isGood(quorum: Quorum): boolean {
  const number = quorum.kind === "percent" ? quorum.percent : quorum.count;
  if (!Number.isSafeInteger(number)) return false;
  return quorum.kind === "percent" ? number >= 0 && number <= 100 : number >= 1;
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
