// SPDX-License-Identifier: MIT
// What the handles of all kinds of barriers have in common: requests of one participant at one
// barrier, how they end, and how a barrier is ended for everybody.
import type { Participant } from "../core/command.ts";
import type { BarrierDescription } from "../core/description.ts";
import type { BarrierKind, Presence, QuorumStatus, Released } from "../core/effect.ts";
import { defaultLimits } from "../core/limits.ts";
import type { EdgeCommand } from "../wire/link/frames.ts";
import type { Action } from "../wire/link/roles.ts";
import { checkArrival, checkErrorNumber, checkText } from "./check-arguments.ts";
import type { Going } from "./common-clock.ts";
import { MusterError, type PartyFacts, type PartyLists } from "./muster-error.ts";
import { PendingWait, untilAborted } from "./pending-wait.ts";
import type { RequestOptions, WaitOptions } from "./request-options.ts";
import type { Requester, Settle } from "./requester.ts";

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
  readonly leadUs?: number;
}

type Build = (connection: number) => EdgeCommand;
type BuildArrival = (arrival: ArrivalFields, connection: number) => EdgeCommand;

export class BarrierRequests {
  readonly kind: BarrierKind;
  readonly name: string;
  readonly session: Requester;

  constructor(session: Requester, kind: BarrierKind, name: string) {
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
    return name === undefined ? { address: "" } : { address: "", name };
  }

  /** @throws MusterError (invalid) */
  arrival(options: WaitOptions): ArrivalFields {
    checkText("barrier", this.name);
    checkArrival(options);
    const { name, error = 0, timeoutMs } = options;
    const fields = { scope: this.session.scope, barrier: this.name, who: this.who(name), error };
    return timeoutMs === undefined
      ? fields
      : { ...fields, timeoutUs: Math.round(timeoutMs * 1000) };
  }

  /** A request that is answered when it is counted. @throws MusterError */
  ask(action: Action, options: RequestOptions, build: Build): Promise<void> {
    return this.send(options, action, build, countedEnds);
  }

  /**
   * An arrival that waits. @param ends what else it is told of, and what it resolves with.
   * @throws MusterError
   */
  wait<Result extends Crossing>(
    action: Action,
    options: WaitOptions,
    build: BuildArrival,
    ends: WaitEnds<Result>,
  ): Promise<Result> {
    try {
      const arrival = this.arrival(options);
      const { together = false } = options;
      if (together !== false) return this.#waitTogether(action, options, arrival, build, ends);
      return this.send(options, action, (connection) => build(arrival, connection), ends);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #waitTogether<Result extends Crossing>(
    action: Action,
    options: WaitOptions,
    arrival: ArrivalFields,
    build: BuildArrival,
    ends: WaitEnds<Result>,
  ): Promise<Result> {
    const { commonClock } = this.session;
    const { together, signal } = options;
    const release = commonClock.keep();
    try {
      await untilAborted(commonClock.measure(), signal);
      const isOwn = typeof together === "object";
      const leadUs = isOwn ? Math.round(together.leadMs * 1000) : commonClock.leadUs;
      const withLead = (connection: number) => build({ ...arrival, leadUs }, connection);
      return await this.send(options, action, withLead, {
        ...ends,
        released: (pending, effect) => {
          const { outcome, goUs } = effect;
          if (outcome !== "crossed" || goUs === undefined) ends.released(pending, effect);
          else
            void this.#go(goUs).then((go) => pending.resolve({ ...ends.resultOf(effect), ...go }));
        },
      });
    } finally {
      release();
    }
  }

  async #go(goUs: number): Promise<{ readonly go?: Going }> {
    const go = await this.session.commonClock.go(goUs, defaultLimits.togetherLeadUsMax);
    return go === undefined ? {} : { go };
  }

  /** Any request. @throws MusterError; the signal's reason when it was aborted */
  send<Result>(
    { signal }: RequestOptions,
    action: Action,
    build: Build,
    ends: Ends<Result>,
  ): Promise<Result> {
    try {
      signal?.throwIfAborted();
      const pending = new PendingWait<Result>(this.session);
      pending.connection = this.session.request(action, build, new Request(pending, ends));
      return pending.wait(signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Ends the barrier for everybody with code `cancelled`, this error number and this reason. That
   * none is open is no error, unless it must be. @throws MusterError
   */
  cancel(error: number, options: EndOptions = {}): Promise<void> {
    const { reason, mustBeOpen = false } = options;
    if (reason !== undefined) checkText("reason", reason);
    const end = this.#end(error);
    const why = reason === undefined ? {} : { reason };
    const build: Build = (connection) => ({ kind: "cancel", ...end, ...why, connection });
    return this.send(options, "cancel", build, mustBeOpen ? countedEnds : cancelledEnds);
  }

  /** Ends it with code `failed`. @throws MusterError, `unknown` when none is open */
  fail(reason: string, options: FailOptions = {}): Promise<void> {
    checkText("reason", reason);
    const end = this.#end(options.error ?? 0);
    const build: Build = (connection) => ({ kind: "fail", ...end, reason, connection });
    return this.send(options, "cancel", build, countedEnds);
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

  /** @throws MusterError (invalid) */
  #end(error: number) {
    checkErrorNumber(error);
    return { ...this.place, barrierKind: this.kind, error };
  }
}

/** One request on its way, as the session knows it. Made for each of many: it is small. */
class Request<Result> implements Settle {
  readonly #pending: PendingWait<Result>;
  readonly #ends: Ends<Result>;

  constructor(pending: PendingWait<Result>, ends: Ends<Result>) {
    this.#pending = pending;
    this.#ends = ends;
  }

  released(effect: Released): void {
    this.#ends.released?.(this.#pending, effect);
  }

  acknowledged(): void {
    this.#ends.acknowledged?.(this.#pending);
  }

  signalled(value: number): boolean {
    return this.#ends.signalled?.(this.#pending, value) ?? false;
  }

  published(number: number): boolean {
    return this.#ends.published?.(this.#pending, number) ?? false;
  }

  statusChanged(status: QuorumStatus): boolean {
    return this.#ends.statusChanged?.(this.#pending, status) ?? false;
  }

  refused(error: unknown): void {
    if (this.#ends.refused === undefined) this.#pending.reject(error);
    else this.#ends.refused(this.#pending, error);
  }

  suspended(): void {
    this.#pending.suspend();
  }
}

/** What a request is told, and what becomes of it then; one value for all requests of a sort. */
export interface Ends<Result> {
  readonly released?: (pending: PendingWait<Result>, effect: Released) => void;
  readonly acknowledged?: (pending: PendingWait<Result>) => void;
  /** @returns whether this was the end; so does the next. */
  readonly signalled?: (pending: PendingWait<Result>, value: number) => boolean;
  readonly published?: (pending: PendingWait<Result>, number: number) => boolean;
  readonly statusChanged?: (pending: PendingWait<Result>, status: QuorumStatus) => boolean;
  /** Absent: the request rejects. */
  readonly refused?: (pending: PendingWait<Result>, error: unknown) => void;
}

/** Of an arrival that waits. */
export interface WaitEnds<Result> extends Ends<Result> {
  readonly released: (pending: PendingWait<Result>, effect: Released) => void;
  readonly resultOf: (effect: Released) => Result;
}

/** @param resultOf what a wait resolves with when it has crossed. */
export function endsOf<Result extends Crossing>(
  resultOf: (effect: Released) => Result,
): WaitEnds<Result> {
  return {
    resultOf,
    released(pending, effect) {
      if (effect.outcome === "crossed") pending.resolve(resultOf(effect));
      else pending.reject(explain(effect));
    },
  };
}

/** Of one that resolves with the crossing alone. */
export const crossingEnds: WaitEnds<Crossing> = endsOf(crossingOf);
const countedEnds: Ends<void> = {
  acknowledged: (pending) => pending.resolve(),
  released: (pending) => pending.resolve(),
};
/** What is not open is over: so it was to be. */
const cancelledEnds: Ends<void> = {
  ...countedEnds,
  refused(pending, error) {
    if (error instanceof MusterError && error.code === "unknown") pending.resolve();
    else pending.reject(error);
  },
};

export interface EndOptions extends RequestOptions {
  /** Told to everybody who waits. */
  readonly reason?: string;
  /** That none is open is an error, `unknown`. */
  readonly mustBeOpen?: boolean;
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
  const message = describeBadEnd(`the barrier ${barrier} was ${outcome}`, { error, reason });
  const code = outcome === "failed" ? "failed" : "cancelled";
  const names = parties.parties?.missing.map(({ name }) => name) ?? [];
  return new MusterError(code, message, { missing: names, reason, ...parties });
}

/**
 * What has become of a barrier, the error number that was brought to it, and why if it is known.
 */
export function describeBadEnd(
  what: string,
  { error, reason }: { readonly error: number; readonly reason?: string | undefined },
): string {
  const number = error === 0 ? "" : ` (error ${error})`;
  return `${what}${number}${reason === undefined ? "" : `: ${reason}`}`;
}

/** The lists of an effect, with how long instead of since when. */
export function partiesOf({ nowUs, arrived, missing, dead }: Presence): PartyLists {
  const facts = ({ sinceUs, ...rest }: Presence["arrived"][number]): PartyFacts => ({
    ...rest,
    forMs: (nowUs - sinceUs) / 1000,
  });
  return { arrived: arrived.map(facts), missing: missing.map(facts), dead: dead.map(facts) };
}
