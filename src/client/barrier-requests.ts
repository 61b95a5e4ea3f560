// SPDX-License-Identifier: MIT
// What the handles of all kinds of barriers have in common: requests of one participant at one
// barrier, how they end, and how a barrier is ended for everybody.
import type { Command, Participant } from "../core/command.ts";
import type { BarrierDescription } from "../core/description.ts";
import type { BarrierKind, Presence, Released } from "../core/effect.ts";
import { defaultLimits } from "../core/limits.ts";
import type { Action } from "../wire/link/roles.ts";
import { checkArrival, checkErrorNumber, checkText } from "./check-arguments.ts";
import type { Going } from "./common-clock.ts";
import { MusterError, type PartyFacts, type PartyLists } from "./muster-error.ts";
import { PendingWait, untilAborted } from "./pending-wait.ts";
import type { Session, Settle } from "./session.ts";

export interface RequestOptions {
  /** The promise rejects with its reason; what was asked for may have happened (see each call). */
  readonly signal?: AbortSignal;
}

export interface ArrivalOptions {
  /** The participant's name, for reports of who is there; the session's name when absent. */
  readonly name?: string;
  /** An error number brought to the barrier; everybody is told the largest. */
  readonly error?: number;
}

export interface WaitOptions extends ArrivalOptions {
  /** The wait ends with code `timeout` after this much of the server's time. */
  readonly timeoutMs?: number;
  /** Takes the arrival back: the participant leaves. */
  readonly signal?: AbortSignal;
  /**
   * Goes on at one instant of a common clock with all who ask for it, instead of when the news
   * comes. The instant is later than the crossing by the longest lead that one of them asked for:
   * of `true`, four times its way to the server and back, 20 ms at least.
   */
  readonly together?: boolean | { readonly leadMs: number };
}

/** A crossing, the same for everybody who was there. */
export interface Crossing {
  /** How often a barrier of this name has been opened. */
  readonly generation: number;
  /** The largest error number that anybody brought; 0 for none. */
  readonly error: number;
  /** Of one who went together with others: how far off it was. Absent where nobody waited. */
  readonly go?: Going;
}

/** The fields that every arrival has. */
export interface ArrivalFields {
  readonly scope: string;
  readonly barrier: string;
  readonly who: Participant;
  readonly error: number;
  readonly timeoutUs?: number;
}

type Build = (connection: number) => Command;

export class BarrierRequests {
  readonly kind: BarrierKind;
  readonly name: string;
  readonly session: Session;

  constructor(session: Session, kind: BarrierKind, name: string) {
    this.session = session;
    this.kind = kind;
    this.name = name;
  }

  /** What every command about this barrier says. @throws MusterError (invalid) */
  get place(): { readonly scope: string; readonly barrier: string } {
    checkText("barrier", this.name);
    return { scope: this.session.scope, barrier: this.name };
  }

  /** Who asks. Where it comes from is written by the server. */
  who(name: string | undefined = this.session.participantName): Participant {
    return { address: "", ...(name === undefined ? {} : { name }) };
  }

  /** @throws MusterError (invalid) */
  arrival(options: WaitOptions): ArrivalFields {
    checkArrival(options);
    const { name, error = 0, timeoutMs } = options;
    const timeout = timeoutMs === undefined ? {} : { timeoutUs: Math.round(timeoutMs * 1000) };
    return { ...this.place, who: this.who(name), error, ...timeout };
  }

  /** A request that is answered when it is counted. @throws MusterError */
  ask(action: Action, options: RequestOptions, build: Build): Promise<void> {
    return this.send<void>(options, action, build, (pending) => ({
      acknowledged: () => pending.resolve(),
      released: () => pending.resolve(),
    }));
  }

  /** A request that waits. @throws MusterError */
  async wait<Result extends Crossing = Crossing>(
    action: Action,
    options: WaitOptions,
    build: Build,
    resultOf: (effect: Released) => Result = crossingOf as (effect: Released) => Result,
    settleOf: (pending: PendingWait<Result>) => Partial<Settle> = () => ({}),
  ): Promise<Result> {
    const { together = false, signal } = options;
    if (together === false) return this.#wait(options, action, build, resultOf, settleOf);
    const { commonClock } = this.session;
    const release = commonClock.keep();
    try {
      await untilAborted(commonClock.measure(), signal);
      const leadUs = together === true ? commonClock.leadUs : Math.round(together.leadMs * 1000);
      const withLead = (connection: number) => ({ ...build(connection), leadUs }) as Command;
      return await this.#wait(options, action, withLead, resultOf, settleOf);
    } finally {
      release();
    }
  }

  #wait<Result extends Crossing>(
    options: WaitOptions,
    action: Action,
    build: Build,
    resultOf: (effect: Released) => Result,
    settleOf: (pending: PendingWait<Result>) => Partial<Settle>,
  ): Promise<Result> {
    const isTogether = (options.together ?? false) !== false;
    return this.send<Result>(options, action, build, (pending) => ({
      ...settleOf(pending),
      released: (effect) => {
        const { outcome, goUs } = effect;
        if (outcome !== "crossed") pending.reject(explain(effect));
        else if (!isTogether || goUs === undefined) pending.resolve(resultOf(effect));
        else void this.#go(goUs).then((go) => pending.resolve({ ...resultOf(effect), ...go }));
      },
    }));
  }

  async #go(goUs: number): Promise<{ readonly go?: Going }> {
    const go = await this.session.commonClock.go(goUs, defaultLimits.togetherLeadUsMax);
    return go === undefined ? {} : { go };
  }

  /** @param settleOf how the request ends, beside the ways in which every request may. */
  async send<Result>(
    { signal }: RequestOptions,
    action: Action,
    build: Build,
    settleOf: (pending: PendingWait<Result>) => Partial<Settle>,
  ): Promise<Result> {
    signal?.throwIfAborted();
    const { session } = this;
    let connection = 0;
    const pending = new PendingWait<Result>(() => session.leave(connection));
    connection = session.request(action, build, {
      acknowledged: () => undefined,
      released: () => undefined,
      refused: (error) => pending.reject(error),
      suspended: () => pending.suspend(),
      ...settleOf(pending),
    });
    return pending.wait(signal);
  }

  /**
   * Ends the barrier for everybody with code `cancelled`, this error number and this reason. That
   * none is open is no error. @throws MusterError
   */
  cancel(error: number, { reason, signal }: EndOptions = {}): Promise<void> {
    return this.#end(
      { signal },
      error,
      (pending) => ({
        refused: (refusal) => {
          if (refusal instanceof MusterError && refusal.code === "unknown") pending.resolve();
          else pending.reject(refusal);
        },
      }),
      (end) => ({ kind: "cancel", ...end, ...(reason === undefined ? {} : { reason }) }),
    );
  }

  /** Ends it with code `failed`. @throws MusterError, `unknown` when none is open */
  fail(reason: string, { error = 0, signal }: FailOptions = {}): Promise<void> {
    checkText("reason", reason);
    return this.#end(
      { signal },
      error,
      () => ({}),
      (end) => ({ kind: "fail", ...end, reason }),
    );
  }

  /** Waits on for a request that ended because the server's log was away; it has counted once. */
  async resume<Result>(error: MusterError, { signal }: RequestOptions): Promise<Result> {
    if (error.resume === undefined) throw error;
    return (await error.resume(signal)) as Result;
  }

  /** What is known of it; undefined when none is open. @throws MusterError (unavailable) */
  async describe(): Promise<BarrierDescription | undefined> {
    const { barriers } = await this.session.describe(this.name);
    return barriers.find(({ kind }) => kind === this.kind);
  }

  async #end(
    { signal }: { readonly signal: AbortSignal | undefined },
    error: number,
    settleOf: (pending: PendingWait<void>) => Partial<Settle>,
    build: (end: EndFields) => Command,
  ): Promise<void> {
    checkErrorNumber(error);
    const end = { ...this.place, barrierKind: this.kind, error };
    await this.send<void>(
      signal === undefined ? {} : { signal },
      "cancel",
      (connection) => build({ ...end, connection }),
      (pending) => ({ acknowledged: () => pending.resolve(), ...settleOf(pending) }),
    );
  }
}

interface EndFields {
  readonly scope: string;
  readonly barrier: string;
  readonly barrierKind: BarrierKind;
  readonly error: number;
  readonly connection: number;
}

export interface EndOptions extends RequestOptions {
  /** Told to everybody who waits. */
  readonly reason?: string;
}

export interface FailOptions extends RequestOptions {
  /** The error number that everybody is told. */
  readonly error?: number;
}

export function crossingOf({ generation, error }: Released): Crossing {
  return { generation, error };
}

/** Why a wait has not ended by a crossing. */
export function explain(effect: Released): MusterError {
  const { outcome, barrier, missing = [], error, reason, presence } = effect;
  const parties = presence === undefined ? {} : { parties: partiesOf(presence) };
  if (outcome === "timeout") {
    const who = missing.length === 0 ? "nobody is known to be missing" : missing.join(", ");
    const message = `the wait at ${barrier} timed out; missing: ${who}`;
    return new MusterError("timeout", message, { missing, ...parties });
  }
  const why = reason === undefined ? "" : `: ${reason}`;
  const message = `the barrier ${barrier} was ${outcome} (error ${error})${why}`;
  const code = outcome === "failed" ? "failed" : "cancelled";
  const names = parties.parties?.missing.map(({ name }) => name) ?? [];
  return new MusterError(code, message, { missing: names, reason, ...parties });
}

function partiesOf({ nowUs, arrived, missing, dead }: Presence): PartyLists {
  const facts = ({ sinceUs, ...rest }: Presence["arrived"][number]): PartyFacts => ({
    ...rest,
    forMs: (nowUs - sinceUs) / 1000,
  });
  return { arrived: arrived.map(facts), missing: missing.map(facts), dead: dead.map(facts) };
}
