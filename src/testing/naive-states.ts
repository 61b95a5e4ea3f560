// SPDX-License-Identifier: MIT
// The rules of states once more, plainly: the list of all signals, the list of all waits, and after
// each command a look at every wait there is. [TESTGROUND-SYNC 4]
import type { Command, LogEntry, Participant } from "../core/command.ts";
import type { BarrierDescription } from "../core/description.ts";
import type { Limits } from "../core/limits.ts";
import type { Asker } from "./naive-keys.ts";
import { NaiveLives } from "./naive-lives.ts";
import type { NaiveSaid, Speaker } from "./naive-said.ts";

interface Wait extends Speaker {
  /** Of all waits there ever were. */
  readonly id: number;
  /** The id of the wait since which somebody waits for its target. */
  readonly since: number;
  readonly scope: string;
  readonly barrier: string;
  readonly connection: number;
  readonly target: number;
  /** The largest brought to the target since somebody has been waiting for it. */
  readonly error: number;
  readonly who: Participant;
  readonly brought: number;
  readonly atUs: number;
  /** Since when somebody waits for its target. */
  readonly sinceUs: number;
}

interface Arrival {
  readonly scope: string;
  readonly barrier: string;
  readonly connection: number;
  readonly who: Participant;
  readonly error: number;
  readonly timeoutUs?: number;
  readonly target?: number;
}

interface Failure {
  readonly outcome: "failed" | "cancelled";
  readonly error: number;
  readonly reason?: string | undefined;
}

export class NaiveStates {
  readonly #lives: NaiveLives;
  #signals: { readonly scope: string; readonly barrier: string; readonly node: string }[] = [];
  /** Names in the order in which they were first used. */
  #states: { readonly scope: string; readonly barrier: string; readonly sinceUs: number }[] = [];
  #failures: (Failure & { readonly scope: string; readonly barrier: string })[] = [];
  #nodes: { readonly scope: string; readonly nodes: readonly string[] }[] = [];
  #waits: Wait[] = [];
  #lastId = 0;

  constructor(limits: Limits) {
    this.#lives = new NaiveLives(limits, {
      obey: (speaker, command) => this.#obey(speaker, command),
      dies: ({ edge, life }) => {
        this.#waits = this.#waits.filter((wait) => wait.edge !== edge || wait.life !== life);
      },
      keyed: {
        kind: "state",
        isBusy: (asker) => this.#waits.some((wait) => isOf(wait, asker, asker.connection)),
        moves: (from, to) => this.#move(from, to),
      },
    });
  }

  apply(entry: LogEntry): readonly NaiveSaid[] {
    return this.#lives.apply(entry);
  }

  /** What is open, as whoever looks is told: who waits for the smallest target, and how many. */
  describe(scope: string): readonly BarrierDescription[] {
    const here = this.#states.filter((row) => row.scope === scope);
    return here.map(({ barrier: name, sinceUs }) => {
      const waits = this.#at(scope, name);
      const value = this.#value(scope, name);
      const targets = [...new Set(waits.map(({ target }) => target))].sort((a, b) => a - b);
      const [expected = 0] = targets;
      const first = waits.filter(({ target }) => target === expected);
      const count = first.length === 0 ? 0 : Math.max(0, expected - value);
      const ofTarget = (target: number): number =>
        waits.filter((wait) => wait.target === target).length;
      return {
        ...{ scope, kind: "state", name, generation: 1, expected, count, arrived: waits.length },
        ...{ error: first[0]?.error ?? 0, sinceUs: first[0]?.sinceUs ?? sinceUs },
        missing: count === 0 ? [] : this.#missing(scope, name, count),
        waiting: first.map(({ who, brought, atUs }) => ({ who, error: brought, arrivedUs: atUs })),
        state: { value, targets: targets.map((target) => ({ target, waiting: ofTarget(target) })) },
      };
    });
  }

  #obey(speaker: Speaker, command: Command): void {
    switch (command.kind) {
      case "state-signal":
      case "state-wait":
      case "state-signal-and-wait":
        this.#come(speaker, command.kind, command as Arrival);
        return;
      case "publish": {
        // Both happen, or neither; what is against the message is not this model's affair.
        const { arrival, scope, connection } = command;
        if (arrival === undefined) return;
        this.#come(speaker, arrival.kind, { ...arrival, scope, connection });
        return;
      }
      case "leave":
        this.#waits = this.#waits.filter((wait) => !isOf(wait, speaker, command.connection));
        return;
      case "open-scope":
        if (this.#lives.hasRoomFor(command.scope)) {
          this.#lives.openScope(command.scope);
          this.#nodes.push({ scope: command.scope, nodes: command.nodes });
        } else this.#lives.refuse(speaker, 0, "limit");
        return;
      case "cancel-all":
      case "close-scope": {
        const isAll = command.kind === "close-scope" || command.barrierKind === undefined;
        if (!isAll && command.barrierKind !== "state") return;
        const failure = { reason: undefined, ...command, outcome: "cancelled" as const };
        for (const { scope, barrier } of this.#states) {
          if (scope === command.scope) this.#end(scope, barrier, failure);
        }
        if (command.kind === "close-scope") this.#close(command.scope);
        return;
      }
      case "cancel":
      case "fail":
        this.#endOne(speaker, command);
        return;
      default:
        return;
    }
  }

  #come(speaker: Speaker, kind: string, arrival: Arrival): void {
    const { scope, barrier, connection, who, target = 0, timeoutUs } = arrival;
    const waits = kind !== "state-signal";
    const code = this.#objection(speaker, arrival, waits);
    if (code !== undefined) {
      this.#lives.refuse(speaker, connection, code);
      return;
    }
    this.#lives.openScope(scope);
    const atUs = this.#lives.nowUs;
    if (!this.#isKnown(scope, barrier)) this.#states.push({ scope, barrier, sinceUs: atUs });
    const before = this.#value(scope, barrier);
    if (kind !== "state-wait") {
      const named = this.#nodes.findLast((row) => row.scope === scope)?.nodes ?? [];
      const node = who.node !== undefined && named.includes(who.node) ? who.node : "";
      this.#signals.push({ scope, barrier, node });
      const value = before + 1;
      this.#lives.tell(speaker, { kind: "signalled", scope, barrier, connection, value });
    }
    const value = this.#value(scope, barrier);
    const failure = this.#failures.find((row) => row.scope === scope && row.barrier === barrier);
    const { edge, life } = speaker;
    this.#lastId += 1;
    const id = this.#lastId;
    const came = { brought: arrival.error, atUs, sinceUs: atUs };
    const wait = { id, since: id, edge, life, ...arrival, ...came, target };
    const isLate = kind === "state-wait" ? target <= value : target < value;
    const isFailed = failure !== undefined && target > value;
    // Who reaches its own target is among those it is reached for; who is late comes after them.
    if (waits && !isLate && !isFailed) this.#wait(wait, timeoutUs);
    if (waits && isFailed) this.#release([wait], "failed", failure);
    this.#releaseReached(scope, barrier);
    if (waits && isLate) this.#release([wait], "crossed");
  }

  #wait(wait: Wait, timeoutUs: number | undefined): void {
    const { scope, barrier, target } = wait;
    const others = this.#at(scope, barrier).filter((other) => other.target === target);
    const error = Math.max(wait.error, ...others.map((other) => other.error));
    const { since, sinceUs } = others[0] ?? wait;
    const mine: Wait = { ...wait, error, since, sinceUs };
    // Everybody who waits for it is told the largest.
    this.#waits = this.#waits.map((other) =>
      others.includes(other) ? { ...other, error } : other,
    );
    this.#waits.push(mine);
    if (timeoutUs === undefined) return;
    const current = (): Wait | undefined => this.#waits.find(({ id }) => id === wait.id);
    const isOff = (): boolean => current() === undefined;
    this.#lives.ringIn(timeoutUs, () => this.#timeOut(current()), isOff);
  }

  #move(from: Asker, to: Asker): void {
    this.#waits = this.#waits.map((wait) =>
      isOf(wait, from, from.connection) ? { ...wait, ...to } : wait,
    );
  }

  #timeOut(wait: Wait | undefined): void {
    if (wait === undefined) return;
    const { scope, barrier, target } = wait;
    const missing = this.#missing(scope, barrier, target - this.#value(scope, barrier));
    this.#waits = this.#waits.filter((one) => one !== wait);
    this.#release([wait], "timeout", { missing });
  }

  #releaseReached(scope: string, barrier: string): void {
    const value = this.#value(scope, barrier);
    const reached = this.#at(scope, barrier).filter(({ target }) => target <= value);
    if (reached.length === 0) return;
    this.#waits = this.#waits.filter((wait) => !reached.includes(wait));
    const targets = [...new Set(reached.map(({ target }) => target))].sort((a, b) => a - b);
    for (const target of targets) {
      this.#release(
        reached.filter((wait) => wait.target === target),
        "crossed",
      );
    }
  }

  /** One effect for each edge, in the order in which their first came. */
  #release(
    waits: readonly Wait[],
    outcome: "crossed" | "failed" | "cancelled" | "timeout",
    rest: { readonly missing?: readonly string[]; readonly error?: number; reason?: unknown } = {},
  ): void {
    for (const edge of new Set(waits.map((wait) => wait.edge))) {
      const mine = waits.filter((wait) => wait.edge === edge);
      const [first] = mine;
      if (first === undefined) continue;
      const { scope, barrier, target, life } = first;
      const facts = { scope, barrier, barrierKind: "state", generation: 1, outcome } as const;
      this.#lives.tell(
        { edge, life },
        {
          kind: "released",
          ...facts,
          part: target,
          error: rest.error ?? first.error,
          connections: mine.map(({ connection }) => connection),
          ...(rest.missing === undefined ? {} : { missing: rest.missing }),
          ...(rest.reason === undefined ? {} : { reason: String(rest.reason) }),
        },
      );
    }
  }

  #endOne(speaker: Speaker, command: Extract<Command, { kind: "cancel" | "fail" }>): void {
    if (command.barrierKind !== "state") return;
    const { scope, barrier, connection, error, reason } = command;
    if (!this.#isKnown(scope, barrier)) {
      if (connection !== undefined) this.#lives.refuse(speaker, connection, "unknown");
      return;
    }
    const outcome = command.kind === "fail" ? "failed" : "cancelled";
    if (outcome === "failed") {
      this.#failures = this.#failures.filter((f) => f.scope !== scope || f.barrier !== barrier);
      this.#failures.push({ scope, barrier, outcome, error, reason });
    }
    this.#end(scope, barrier, { outcome, error, reason });
    if (connection !== undefined) this.#lives.tell(speaker, { kind: "acknowledged", connection });
  }

  /** Target by target, in the order in which they were first waited for. */
  #end(scope: string, barrier: string, { outcome, error, reason }: Failure): void {
    const waits = this.#at(scope, barrier);
    this.#waits = this.#waits.filter((wait) => !waits.includes(wait));
    const bySince = [...waits].sort((a, b) => a.since - b.since);
    for (const target of new Set(bySince.map((wait) => wait.target))) {
      const mine = waits.filter((wait) => wait.target === target);
      this.#release(mine, outcome, { error, reason });
    }
  }

  #close(scope: string): void {
    const isOther = (row: { readonly scope: string }): boolean => row.scope !== scope;
    this.#signals = this.#signals.filter(isOther);
    this.#states = this.#states.filter(isOther);
    this.#failures = this.#failures.filter(isOther);
    this.#nodes = this.#nodes.filter(isOther);
    this.#lives.closeScope(scope);
  }

  #objection(
    { edge, life }: Speaker,
    { scope, barrier, connection, who, error, timeoutUs = 0, target }: Arrival,
    waits: boolean,
  ): string | undefined {
    const { limits } = this.#lives;
    if (!this.#lives.hasRoomFor(scope)) return "limit";
    if (this.#waits.some((wait) => isOf(wait, { edge, life }, connection))) return "invalid";
    if (barrier === "") return "invalid";
    for (const text of [barrier, who.node ?? "", who.name ?? ""]) {
      if (new TextEncoder().encode(text).length > limits.nameBytesMax) return "limit";
    }
    const open = this.#states.filter((row) => row.scope === scope);
    const isNew = !this.#isKnown(scope, barrier);
    if (isNew && open.length >= limits.barriersPerScopeMax) return "limit";
    if (!waits) return undefined;
    if (this.#at(scope, barrier).length >= limits.waitersPerBarrierMax) return "limit";
    return error < 0 || timeoutUs < 0 || !Number.isSafeInteger(target) ? "invalid" : undefined;
  }

  #missing(scope: string, barrier: string, count: number): readonly string[] {
    const nodes = this.#nodes.findLast((row) => row.scope === scope)?.nodes ?? [];
    const seen = this.#signals.filter((s) => s.scope === scope && s.barrier === barrier);
    const absent = nodes.filter((node) => !seen.some((signal) => signal.node === node));
    const which = count === 1 ? "one" : `${count}`;
    if (absent.length > count) return [`${count} anonymous, from ${which} of ${absent.join(", ")}`];
    const rest = count - absent.length;
    const named = absent.map((node) => `anonymous, from ${node}`);
    return rest > 0 ? [...named, `${rest} more, anonymous`] : named;
  }

  #value(scope: string, barrier: string): number {
    let value = 0;
    for (const one of this.#signals) {
      if (one.scope === scope && one.barrier === barrier) value += 1;
    }
    return value;
  }

  #at(scope: string, barrier: string): readonly Wait[] {
    return this.#waits.filter((wait) => wait.scope === scope && wait.barrier === barrier);
  }

  #isKnown(scope: string, barrier: string): boolean {
    return this.#states.some((row) => row.scope === scope && row.barrier === barrier);
  }
}

function isOf(wait: Wait, { edge, life }: Speaker, connection: number): boolean {
  return wait.edge === edge && wait.life === life && wait.connection === connection;
}
