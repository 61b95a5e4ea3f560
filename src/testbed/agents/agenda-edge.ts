// SPDX-License-Identifier: MIT
// The performer of agendas: keeps the events it was sent until they are due, has them performed,
// and answers. Owns which events are armed here; does not own what performing one means
// (event-performer.ts) nor how exactly an instant is met (firing/fire-clock.ts).
//
//   V1. An event fires once, never before it is due; equal instants in the order of their coming.
//   V2. A revoke is answered with the truth: an event that has begun to fire has fired.
//   V3. Each event that fires is answered with `agenda-fired` and then completed, each member of a
//       group by itself; one that was revoked is answered with neither.
import type { AgendaCommand, AgendaEvent } from "../../core/agenda/commands.ts";
import type { Fire, Revoke } from "../../core/agenda/effects.ts";
import type { Clock } from "../../host/clock.ts";
import type { FireClock, Revoke as TakeBack } from "./firing/fire-clock.ts";

/** What is to be performed, for one object. */
export interface Performance {
  readonly scope: string;
  readonly token: number;
  readonly event: AgendaEvent;
}

/** What came of an event. `done` resolves with the error number of its completion. */
export interface Performed {
  /** Monotonic microseconds at which it took effect. */
  readonly firedMonotonicUs: number;
  /** `done`, `cancelled`, `unknown: WHY`, `failed: WHY` or `ignored: WHY`. */
  readonly outcome: string;
  readonly done: Promise<number>;
}

export interface AgendaEdgeOptions {
  readonly clock: Clock;
  readonly fire: FireClock;
  /** Never rejects. */
  readonly perform: (performance: Performance) => Promise<Performed>;
  readonly submit: (command: AgendaCommand) => void;
}

export class AgendaEdge {
  readonly #options: AgendaEdgeOptions;
  /** Events that are not due yet, by scope and token. */
  readonly #armed = new Map<string, TakeBack>();
  /** Events that have begun to fire and are not answered yet. */
  readonly #firing = new Set<Promise<void>>();
  #onFewerArmed: () => void = () => undefined;

  constructor(options: AgendaEdgeOptions) {
    this.#options = options;
  }

  fire(fire: Fire): void {
    const key = keyOf(fire);
    const takeBack = this.#options.fire.at(fire.dueStampUs, { kind: "tell" }, () => {
      if (!this.#armed.delete(key)) return;
      const firing = this.#perform(fire).finally(() => this.#firing.delete(firing));
      this.#firing.add(firing);
      this.#onFewerArmed();
    });
    this.#armed.set(key, takeBack);
  }

  /** V2. */
  revoke(revoke: Revoke): void {
    const { scope, token } = revoke;
    const isTakenBack = this.#armed.get(keyOf(revoke))?.() === "revoked";
    // One that the clock has fired already is on its way here.
    if (isTakenBack) this.#armed.delete(keyOf(revoke));
    this.#options.submit({ kind: "agenda-revoked", scope, token, fired: !isTakenBack });
    this.#onFewerArmed();
  }

  /** Resolves when what has begun to fire is answered; completions may still come. */
  async settle(): Promise<void> {
    while (this.#firing.size > 0) await Promise.all(this.#firing);
  }

  /** Resolves when nothing is armed either. */
  async drain(): Promise<void> {
    while (this.#armed.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onFewerArmed = resolve;
      });
    }
    await this.settle();
  }

  /** Nothing fires any more. */
  stop(): void {
    for (const takeBack of this.#armed.values()) takeBack();
    this.#armed.clear();
    this.#onFewerArmed();
  }

  async #perform(fire: Fire): Promise<void> {
    const { clock, perform, submit } = this.#options;
    const { scope, token, event, members } = fire;
    const lateUs = clock.nowUs() - fire.dueStampUs;
    if (fire.whenLate === "skip" && lateUs > fire.toleranceUs) {
      const firedStampUs = clock.nowUs();
      submit({ kind: "agenda-fired", scope, token, firedStampUs, outcome: "skipped" });
      return;
    }
    // All at once: the members of a group are meant to start together.
    const names = members.length === 0 ? [event.object] : members;
    const all = await Promise.all(
      names.map((object) => perform({ scope, token, event: { ...event, object } })),
    );
    // The event has fired when its last member has.
    const firedStampUs = Math.max(...all.map(({ firedMonotonicUs }) => firedMonotonicUs));
    const outcome = outcomeOf(all, members);
    submit({ kind: "agenda-fired", scope, token, firedStampUs, outcome });
    for (const [index, result] of all.entries()) {
      const member = members[index];
      const whose = member === undefined ? {} : { member };
      void result.done.then((error) => {
        const facts = { scope, token, error, ...whose, ...textOf(result.outcome) };
        submit({ kind: "agenda-complete", ...facts });
      });
    }
  }
}

function keyOf({ scope, token }: Pick<Fire, "scope" | "token">): string {
  return `${scope} ${token}`;
}

/** Why it failed, or that nobody knows (D7). */
function textOf(outcome: string): { readonly text?: string; readonly unknown?: boolean } {
  const found = /^(failed|unknown): (.*)/s.exec(outcome);
  if (found === null) return {};
  const [, kind, text = ""] = found;
  return kind === "unknown" ? { text, unknown: true } : { text };
}

/** The first member that was not done, by name: `failed: agent2: it is still running`. */
function outcomeOf(all: readonly Performed[], members: readonly string[]): string {
  const index = all.findIndex(({ outcome }) => outcome !== "done");
  if (index < 0) return "done";
  const outcome = all[index]?.outcome ?? "";
  const member = members[index];
  return member === undefined ? outcome : outcome.replace(": ", `: ${member}: `);
}
