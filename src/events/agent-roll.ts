// SPDX-License-Identifier: MIT
// Which agents are there: each says so again and again, and one that falls silent, or says that it
// goes, is down with all its objects. Objects of which no agent ever spoke are taken to be served:
// old agents say nothing of themselves.
//
//   R1. An object is down exactly while its agent has spoken once and is silent or gone.
//   R2. An agent that was started again has nothing of what it was told before: it was down. So it
//       was for a scheduler that has come back since, which knows the life before from its log.
//   R3. Who is silent is decided when the scheduler has heard its own call over the bus: one that
//       is cut off takes nobody down, and what agents said before the call has been heard.
//   R4. An agent to which the bus could not give everything is told again what it has to do.
import type { Cancel, Clock } from "../host/clock.ts";
import type { Alive } from "../wire/event/orders.ts";
import { eventsTime } from "./events-limits.ts";

export interface AgentRollOptions {
  readonly clock: Clock;
  /** Says over the bus, as an agent of no objects, that the scheduler is there. */
  readonly call: () => void;
  readonly onUp: (objects: readonly string[], by: AgentLife) => void;
  readonly onDown: (objects: readonly string[], reason: string) => void;
  /** R4. */
  readonly onGap: (agent: RecalledAgent) => void;
}

/** An agent, and which start of it. */
export interface AgentLife {
  readonly agent: string;
  readonly life: string;
}

/** What the log says of an agent that was there. */
export interface RecalledAgent extends AgentLife {
  readonly objects: readonly string[];
}

interface Known {
  readonly life: string;
  objects: readonly string[];
  heardUs: number;
  isUp: boolean;
  readonly gaps: number;
}

export class AgentRoll {
  readonly #options: AgentRollOptions;
  readonly #agents = new Map<string, Known>();
  #cancel: Cancel = () => undefined;

  constructor(options: AgentRollOptions) {
    this.#options = options;
  }

  /** From now on agents that fall silent are noticed. */
  start(): void {
    this.#callLater();
  }

  /** The call of the scheduler has come back. */
  heardCall(): void {
    this.#findSilent();
    this.#callLater();
  }

  /**
   * Agents that had spoken to the scheduler before this one: they have as long as others.
   * @param objects of agents whose names an older log does not say
   */
  expect(agents: readonly RecalledAgent[], objects: readonly string[]): void {
    const heardUs = this.#options.clock.nowUs();
    for (const { agent, life, objects: own } of agents)
      this.#agents.set(agent, { objects: own, heardUs, life, isUp: true, gaps: 0 });
    for (const name of objects)
      this.#agents.set(`of ${name}`, { objects: [name], heardUs, life: "", isUp: true, gaps: 0 });
  }

  /** Whether somebody serves it who is there, or is only cut off for a while. */
  isServed(object: string): boolean {
    return [...this.#agents.values()].some(({ isUp, objects }) => isUp && objects.includes(object));
  }

  /** Those that are there, or only cut off for a while. */
  here(): readonly RecalledAgent[] {
    const up = [...this.#agents].filter(([, { isUp, life }]) => isUp && life !== "");
    return up.map(([agent, { life, objects }]) => ({ agent, life, objects }));
  }

  hear({ agent, life, objects, isGoing, gaps }: Alive): void {
    for (const name of objects) this.#agents.delete(`of ${name}`);
    const known = this.#agents.get(agent);
    if (isGoing) {
      if (known?.isUp) this.#takeDown(agent, known, "has ended; start it again");
      return;
    }
    if (known?.isUp && known.life !== life) {
      this.#takeDown(agent, known, "was started again, and knows nothing of what it had to do");
    }
    const heardUs = this.#options.clock.nowUs();
    const isNews = !known?.isUp || objects.join(" ") !== known.objects.join(" ");
    this.#agents.set(agent, { life, objects, heardUs, isUp: true, gaps });
    if (isNews) this.#options.onUp(objects, { agent, life });
    if (known?.isUp && gaps !== known.gaps) this.#options.onGap({ agent, life, objects });
  }

  /** Whether an agent ever spoke for it: such a one reports what it does. */
  speaksFor(object: string): boolean {
    return [...this.#agents.values()].some(({ objects }) => objects.includes(object));
  }

  close(): void {
    this.#cancel();
  }

  /** One call at a time: the next when this one was heard. */
  #callLater(): void {
    const { clock, call } = this.#options;
    this.#cancel();
    this.#cancel = clock.after(eventsTime.rollCallMs, call);
  }

  /** R3. */
  #findSilent(): void {
    const oldestUs = this.#options.clock.nowUs() - eventsTime.silentMs * 1_000;
    const seconds = eventsTime.silentMs / 1_000;
    for (const [agent, known] of this.#agents) {
      if (!known.isUp || known.heardUs >= oldestUs) continue;
      this.#takeDown(agent, known, `has not been heard of for ${seconds} s; is its node up?`);
    }
  }

  #takeDown(agent: string, known: Known, what: string): void {
    known.isUp = false;
    this.#options.onDown(known.objects, `its agent (${agent}) ${what}`);
  }
}
