// SPDX-License-Identifier: MIT
// The barriers that an experiment file declares. An edge of its own opens them before time 0, so
// that nobody comes too early, and tells rosters which of their members have died. What their ends
// mean for the run is said to whoever made this.

import type { BarrierCommand } from "../core/barriers/commands.ts";
import type { Deadline } from "../core/barriers/rules.ts";
import type { BarrierClosed, BarrierKind, EdgeEffect } from "../core/effect.ts";
import type { MemberBarrier, MemberBarriers } from "../edges/syncd/index.ts";
import type { BarrierDeclaration, Experiment } from "../experiment/model.ts";
import type { ConnectEdge, CoreLink } from "../host/core-link.ts";

export interface DeclaredBarriersOptions {
  readonly connect: ConnectEdge;
  readonly scope: string;
  readonly barriers: readonly BarrierDeclaration[];
  /** The core does not take one of them, so that nobody could meet there. */
  readonly onRefused: (message: string) => void;
}

/** Who opens them: no party. */
export const fileParticipant = { address: "the experiment file" } as const;
const who = fileParticipant;

export class DeclaredBarriers {
  readonly #options: DeclaredBarriersOptions;
  readonly #byName: ReadonlyMap<string, BarrierDeclaration>;
  /** Those that have ended since they were opened. */
  readonly #ended = new Set<string>();
  #link: CoreLink | undefined;
  /** What the core has had no room for yet. */
  readonly #unsent: BarrierCommand[] = [];
  #lastConnection = 0;

  constructor(options: DeclaredBarriersOptions) {
    this.#options = options;
    this.#byName = new Map(options.barriers.map((one) => [one.name, one]));
  }

  /** The declaration that this barrier is of. */
  of({
    barrier,
    barrierKind,
  }: Pick<BarrierClosed, "barrier" | "barrierKind">): BarrierDeclaration | undefined {
    const declared = this.#byName.get(barrier);
    return declared !== undefined && declared.rule.kind === barrierKind ? declared : undefined;
  }

  open(): void {
    for (const barrier of this.#options.barriers) this.#open(barrier);
  }

  /** Event time begins again: those that are over are there again. */
  openAgain(): void {
    for (const name of this.#ended) {
      const barrier = this.#byName.get(name);
      if (barrier !== undefined) this.#open(barrier);
    }
    this.#ended.clear();
  }

  /** @returns whether it is one of them whose deadline runs: somebody waits there. */
  isTimed({ name, kind, arrived }: { name: string; kind: BarrierKind; arrived: number }): boolean {
    const declared = this.of({ barrier: name, barrierKind: kind });
    return declared !== undefined && declared.deadlineUs > 0 && arrived > 0;
  }

  ended({ barrier }: Pick<BarrierClosed, "barrier">): void {
    this.#ended.add(barrier);
  }

  /**
   * It cannot arrive any more.
   * @param unlessArrived where it waits it stays: it has only ended
   */
  memberDied(participant: string, reason: string, unlessArrived = false): void {
    const { scope, barriers } = this.#options;
    const isMember = barriers.some(
      ({ rule, members }) => rule.kind === "roster" && members.includes(participant),
    );
    if (!isMember) return;
    const death = { kind: "roster-dead", scope, participant, reason } as const;
    this.#submit(unlessArrived ? { ...death, unlessArrived } : death);
  }

  async close(): Promise<void> {
    this.#unsent.splice(0);
    await this.#link?.close();
  }

  #open({ name: barrier, rule, members, deadlineUs: us }: BarrierDeclaration): void {
    const deadline: { deadline?: Deadline } =
      us === 0 ? {} : { deadline: { since: "first-arrival", us } };
    switch (rule.kind) {
      case "count": {
        const facts = { who, error: 0, waits: false, count: rule.count };
        this.#submit({ kind: "count-init", ...this.#facts(), barrier, ...facts, ...deadline });
        return;
      }
      case "quorum": {
        // A number, which does not depend on the peers that the core knows of.
        const quorum = { kind: "count", count: neededOf(rule.share, members.length) } as const;
        const facts = { who, quorum, echo: "automatic" } as const;
        this.#submit({ kind: "quorum-init", ...this.#facts(), barrier, ...facts, ...deadline });
        return;
      }
      case "roster": {
        const { whenDead = "fail" } = rule;
        const rules = { phases: 1, whenDead, whenLate: "pass", ...deadline } as const;
        const facts = { who, members: members.map((name) => ({ name })), rules };
        this.#submit({ kind: "roster-open", ...this.#facts(), barrier, ...facts });
        return;
      }
    }
  }

  #facts(): { readonly scope: string; readonly connection: number } {
    this.#lastConnection += 1;
    return { scope: this.#options.scope, connection: this.#lastConnection };
  }

  #submit(command: BarrierCommand): void {
    this.#link ??= this.#options.connect("experiment-file", {
      onEffects: (effects) => {
        for (const effect of effects) this.#hear(effect);
      },
      onRoom: () => this.#drain(),
    });
    this.#unsent.push(command);
    this.#drain();
  }

  #drain(): void {
    const link = this.#link;
    let sent = 0;
    for (const command of this.#unsent) {
      if (link?.submit(command) !== true) break;
      sent += 1;
    }
    this.#unsent.splice(0, sent);
  }

  #hear(effect: EdgeEffect): void {
    if (effect.kind === "refused") this.#options.onRefused(effect.message);
  }
}

/** The barriers of the file that are for members, and where each member is. */
export function memberBarriersOf({ barriers = [], nodes, programs }: Experiment): MemberBarriers {
  const placeOf = new Map(programs.map(({ name, node }) => [name, node]));
  for (const { name } of nodes) placeOf.set(name, name);
  return new Map(
    barriers.flatMap(({ name, rule: { kind }, members }): [string, MemberBarrier][] => {
      if (kind === "count") return [];
      const byNode = new Map<string, string[]>();
      for (const member of members) {
        const node = placeOf.get(member) ?? "";
        const there = byNode.get(node);
        if (there === undefined) byNode.set(node, [member]);
        // A node comes before its programs.
        else if (node === member) there.unshift(member);
        else there.push(member);
      }
      return [[name, { kind, members: byNode }]];
    }),
  );
}

/**
 * How many are this part of so many, at least one.
 * @param share 0 to 1, read from a decimal: what a product is off by is not one more
 */
export function neededOf(share: number, members: number): number {
  return Math.max(1, Math.ceil(share * members - 1e-9));
}
