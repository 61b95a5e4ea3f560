// SPDX-License-Identifier: MIT
// The handle of a roster: participants with names meet at it, once or in phases, by rules for those
// who die and those who come late.
import type { RosterMember } from "../core/barriers/commands.ts";
import type { RosterRules } from "../core/barriers/rules.ts";
import { BarrierHandle } from "./barrier-handle.ts";
import { type Crossing, crossingOf, endsOf } from "./barrier-requests.ts";
import { checkPhase, checkText } from "./check-arguments.ts";
import { type BarrierDeadline, deadlineOf } from "./deadline.ts";
import type { RequestOptions, WaitOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";

export interface RosterOptions extends RequestOptions {
  /** Who is expected. */
  readonly members?: readonly (string | RosterMember)[];
  /** More of them, by the group that they are of. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** How often all meet: 1, the default, is a barrier, 2 a double one; `"endless"`: until ended. */
  readonly phases?: number | "endless";
  /**
   * A member that is dead: `fail`, the default, ends it for all; `shrink` goes on without it;
   * `wait` waits for one of the same name.
   */
  readonly whenDead?: RosterRules["whenDead"];
  /**
   * An arrival in a phase that is over: `refuse`, the default; `pass` tells how that ended; `next`
   * takes it for the phase that is on.
   */
  readonly whenLate?: RosterRules["whenLate"];
  /** Of each phase. */
  readonly deadline?: BarrierDeadline;
}

export interface PhaseOptions extends WaitOptions {
  /** The phase the participant thinks it is in, 1 for the first; absent: the one that is on. */
  readonly phase?: number;
}

export interface PhaseCrossing extends Crossing {
  /** Which phase has crossed; 0 when the roster was over before. */
  readonly phase: number;
}

export class RosterBarrier extends BarrierHandle<PhaseCrossing> {
  constructor(session: Requester, name: string) {
    super(session, "roster", name);
  }

  /** Opens it. @throws MusterError, `invalid` when it is open already */
  async open(options: RosterOptions): Promise<void> {
    const { members = [], groups = {}, phases = 1 } = options;
    const { whenDead = "fail", whenLate = "refuse" } = options;
    if (phases !== "endless") checkPhase("phases", phases);
    const { platform } = this.requests.session;
    const rules: RosterRules = {
      ...{ phases: phases === "endless" ? 0 : phases, whenDead, whenLate },
      ...deadlineOf(options.deadline, platform),
    };
    const named = Object.entries(groups).flatMap(([group, names]) =>
      names.map((name) => ({ name, group })),
    );
    const all = [...members.map(memberOf), ...named.map(memberOf)];
    const [place, who] = [this.requests.place, this.requests.who()];
    await this.requests.ask("init", options, (connection) => ({
      ...{ kind: "roster-open", ...place, connection, who, members: all, rules },
    }));
  }

  /**
   * A member, by its name, arrives and waits for the others.
   * @throws MusterError; of `timeout` and `failed` with `parties`: who had come, who had not
   */
  async arrive(options: PhaseOptions = {}): Promise<PhaseCrossing> {
    const { phase } = options;
    if (phase !== undefined) checkPhase("phase", phase);
    return this.requests.wait<PhaseCrossing>(
      "wait",
      options,
      (arrival, connection) => ({
        ...{ kind: "roster-arrive", ...arrival, connection },
        ...(phase === undefined ? {} : { phase }),
      }),
      phaseEnds,
    );
  }

  /**
   * Enters a double barrier (two phases). What it resolves with leaves it: by `leave`, or at the
   * end of an `await using`. @throws MusterError
   */
  async enter(options: WaitOptions = {}): Promise<Inside> {
    const crossing = await this.arrive({ ...options, phase: 1 });
    return new Inside(this, crossing, options.name);
  }

  /** Expects others, while people wait: first without `remove`, then with `add`. */
  async change(
    { add = [], remove = [] }: RosterChanges,
    options: RequestOptions = {},
  ): Promise<void> {
    const members = add.map(memberOf);
    for (const name of remove) checkText("remove", name);
    const { place } = this.requests;
    await this.requests.ask("init", options, (connection) => ({
      ...{ kind: "roster-change", ...place, connection, add: members, remove },
    }));
  }

  /**
   * Somebody is known to be dead, in all rosters of the scope. Resolves when the server has it in
   * its log. @throws MusterError
   */
  async dead(participant: string, reason: string): Promise<void> {
    checkText("participant", participant);
    checkText("reason", reason);
    const { session } = this.requests;
    const { scope } = session;
    await session.order("cancel", { kind: "roster-dead", scope, participant, reason });
  }
}

export interface RosterChanges {
  readonly add?: readonly (string | RosterMember)[];
  readonly remove?: readonly string[];
}

/** Between the two phases of a double barrier. */
export class Inside implements AsyncDisposable {
  /** That of the entry. */
  readonly crossing: PhaseCrossing;
  readonly #roster: RosterBarrier;
  readonly #name: string | undefined;
  #left: Promise<PhaseCrossing> | undefined;

  constructor(roster: RosterBarrier, crossing: PhaseCrossing, name: string | undefined) {
    this.#roster = roster;
    this.crossing = crossing;
    this.#name = name;
  }

  /** Waits until everybody leaves. @throws MusterError */
  leave(options: Omit<WaitOptions, "name"> = {}): Promise<PhaseCrossing> {
    const name = this.#name;
    this.#left ??= this.#roster.arrive({
      ...{ ...options, phase: 2 },
      ...(name === undefined ? {} : { name }),
    });
    return this.#left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }
}

const phaseEnds = endsOf<PhaseCrossing>((effect) => ({
  ...crossingOf(effect),
  phase: effect.part ?? 0,
}));

/** @throws MusterError (invalid) */
function memberOf(member: string | RosterMember): RosterMember {
  const { name, group, at }: RosterMember = typeof member === "string" ? { name: member } : member;
  checkText("member", name);
  if (group !== undefined) checkText("group", group);
  if (at !== undefined) checkText("at", at);
  return {
    name,
    ...(group === undefined ? {} : { group }),
    ...(at === undefined ? {} : { at }),
  };
}
