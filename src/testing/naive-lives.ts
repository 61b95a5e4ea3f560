// SPDX-License-Identifier: MIT
// What naive models of barriers share: log time, lives of edges, alarms. As plain as it can be
// said: alarms are a list that is searched, lives are a list of what happened. A model says what
// its commands mean; it has no timers or tables of its own.
import type { Batch, Command, LogEntry } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";

export interface NaiveRefused {
  readonly kind: "refused";
  readonly connection: number;
  readonly code: string;
}

/** What a model says; the same words as the core's effects, without the texts of refusals. */
export interface NaiveSaid {
  readonly edge: string;
  readonly incarnation: number;
  readonly effect: Exclude<EdgeEffect, { kind: "refused" }> | NaiveRefused;
}

/** Somebody who speaks: an edge in one of its lives. */
export interface Speaker {
  readonly edge: string;
  readonly life: number;
}

export interface NaiveRules {
  /** A command of a living edge; those the rules know nothing of are for others. */
  obey(speaker: Speaker, command: Command): void;
  /** All its parties are gone at one instant. */
  dies(speaker: Speaker): void;
}

interface Alarm {
  readonly dueUs: number;
  readonly act: () => void;
  readonly isOff: () => boolean;
}

interface Life extends Speaker {
  batches: number;
  state: "attached" | "lost" | "dead";
  /** Counts losses, so that an alarm knows which one it is about. */
  losses: number;
}

export class NaiveLives {
  readonly limits: Limits;
  readonly #rules: NaiveRules;
  readonly #lives: Life[] = [];
  #scopes: string[] = [];
  #alarms: Alarm[] = [];
  #said: NaiveSaid[] = [];
  #nowUs = 0;
  #stampUs: number | undefined;

  constructor(limits: Limits, rules: NaiveRules) {
    this.limits = limits;
    this.#rules = rules;
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  /** What this entry leads to. */
  apply({ stampUs, entry }: LogEntry): readonly NaiveSaid[] {
    this.#said = [];
    const step = stampUs - (this.#stampUs ?? stampUs);
    this.#nowUs += Math.max(0, Math.min(step, 2_000_000));
    this.#stampUs = stampUs;
    for (let alarm = this.#nextDue(); alarm !== undefined; alarm = this.#nextDue()) {
      const rung = alarm;
      this.#alarms = this.#alarms.filter((other) => other !== rung);
      rung.act();
    }
    for (const batch of entry.batches) this.#take(batch);
    return this.#said;
  }

  tell({ edge, life }: Speaker, effect: NaiveSaid["effect"]): void {
    this.#said.push({ edge, incarnation: life, effect });
  }

  refuse(speaker: Speaker, connection: number, code: string): void {
    this.tell(speaker, { kind: "refused", connection, code });
  }

  hasRoomFor(scope: string): boolean {
    return this.#scopes.includes(scope) || this.#scopes.length < this.limits.scopesMax;
  }

  openScope(scope: string): void {
    if (!this.#scopes.includes(scope)) this.#scopes.push(scope);
  }

  closeScope(scope: string): void {
    this.#scopes = this.#scopes.filter((name) => name !== scope);
  }

  /** @param isOff whether there is nothing to ring for any more. */
  ringIn(us: number, act: () => void, isOff: () => boolean): void {
    this.#alarms.push({ dueUs: this.#nowUs + us, act, isOff });
  }

  /** Among what is due the earliest, and of those the one that was set first. */
  #nextDue(): Alarm | undefined {
    this.#alarms = this.#alarms.filter(({ isOff }) => !isOff());
    const due = this.#alarms.filter(({ dueUs }) => dueUs <= this.#nowUs);
    const earliestUs = Math.min(...due.map(({ dueUs }) => dueUs));
    return due.find(({ dueUs }) => dueUs === earliestUs);
  }

  #living(edge: string): Life | undefined {
    return this.#lives.find((life) => life.edge === edge && life.state !== "dead");
  }

  #take({ edge, incarnation, number, commands }: Batch): void {
    let life = this.#living(edge);
    if (life?.life === incarnation) {
      if (number !== life.batches + 1) return;
    } else {
      const isFirst = number === 1 && commands[0]?.kind === "attach";
      const wasHere = this.#lives.some((one) => one.edge === edge && one.life === incarnation);
      if (!isFirst || wasHere) return;
      if (life !== undefined) this.#die(life);
      life = { edge, life: incarnation, batches: 0, state: "attached", losses: 0 };
      this.#lives.push(life);
    }
    life.batches = number;
    for (const command of commands) if (this.#living(edge) === life) this.#obey(life, command);
  }

  #obey(life: Life, command: Command): void {
    if (command.kind === "attach") life.state = "attached";
    else if (command.kind === "end-edge") this.#die(life);
    else if (command.kind === "attached") {
      const back = this.#living(command.edge);
      if (back?.life === command.incarnation) back.state = "attached";
    } else if (command.kind === "detach") this.#lose(command.edge, command.incarnation);
    else this.#rules.obey(life, command);
  }

  #lose(edge: string, incarnation: number): void {
    const life = this.#living(edge);
    if (life?.life !== incarnation || life.state === "lost") return;
    life.state = "lost";
    life.losses += 1;
    const { losses } = life;
    const isOff = (): boolean => life.state !== "lost" || life.losses !== losses;
    this.ringIn(this.limits.edgeLeaseUs, () => this.#die(life), isOff);
  }

  #die(life: Life): void {
    this.#rules.dies(life);
    this.tell(life, { kind: "revoked" });
    life.state = "dead";
  }
}
