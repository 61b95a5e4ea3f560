// SPDX-License-Identifier: MIT
// An election: of all who stand for it one leads, until it resigns or its session ends; then
// another. A quorum of the same name, which nobody can reach: its driver is the leader, the others
// wait at it for the end.
//
//   Promise: the server knows one leader at a time, and each has a term that is larger than all
//   before it. Limits: a leader whose connection is cut learns that it leads no more when its own
//   lease is over, which can be a moment later than the server's. What leaders write has to carry
//   the term, and whoever takes it to refuse a smaller one than it has seen.
import { barrierCountMax } from "../core/limits.ts";
import type { Crossing } from "./barrier-requests.ts";
import { MusterError } from "./muster-error.ts";
import { QuorumBarrier, type QuorumDriver } from "./quorum-barrier.ts";
import type { RequestOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";

export interface CandidateOptions extends RequestOptions {
  /** As of an arrival. */
  readonly name?: string;
}

export class Election {
  readonly name: string;
  readonly #quorum: QuorumBarrier;

  constructor(session: Requester, name: string) {
    this.name = name;
    this.#quorum = new QuorumBarrier(session, name);
  }

  /**
   * Stands for it until it leads. When the server's log is away it rejects with `unavailable`, and
   * the candidate keeps its place: `resume` goes on for the same one.
   * @throws MusterError; the signal's reason when it was aborted
   */
  async campaign(options: CandidateOptions = {}): Promise<Leadership> {
    return this.#goOn(this.#stand(options), options);
  }

  /** Waits on for a campaign that ended because the server's log was away. @throws MusterError */
  async resume(error: MusterError, { signal }: RequestOptions = {}): Promise<Leadership> {
    if (error.resume === undefined) throw error;
    return (await error.resume(signal)) as Leadership;
  }

  /** Whether anybody leads. @throws MusterError */
  async isLed(): Promise<boolean> {
    return (await this.#quorum.describe()) !== undefined;
  }

  /**
   * A campaign is a request after the other. One that is suspended is still in its place: a new
   * one would find itself in its own way, and wait for a leader who does not know that he leads.
   */
  async #goOn(begun: Step, options: CandidateOptions): Promise<Leadership> {
    let step = begun;
    for (;;) {
      try {
        if (step.kind === "stand") return new Leadership(await step.driver);
        await step.vacant;
        step = this.#stand(options);
      } catch (error) {
        const suspended = resumable(error);
        if (suspended !== undefined) throw this.#suspended(step.kind, suspended, options);
        if (step.kind === "stand" && isCode(error, "invalid")) step = this.#wait(options);
        else if (step.kind === "wait" && isOver(error)) step = this.#stand(options);
        else throw error;
      }
    }
  }

  #suspended(kind: Step["kind"], error: Resumable, { name }: CandidateOptions): MusterError {
    const resume = (signal?: AbortSignal): Promise<Leadership> => {
      const end = error.resume(signal);
      const step: Step =
        kind === "stand"
          ? { kind, driver: end as Promise<QuorumDriver> }
          : { kind, vacant: end as Promise<Crossing> };
      const who = name === undefined ? {} : { name };
      return this.#goOn(step, signal === undefined ? who : { ...who, signal });
    };
    return new MusterError("unavailable", error.message, { resume });
  }

  #stand(options: CandidateOptions): Step {
    const size = { count: barrierCountMax };
    return { kind: "stand", driver: this.#quorum.init(size, { ...options, echo: "explicit" }) };
  }

  #wait(options: CandidateOptions): Step {
    return { kind: "wait", vacant: this.#quorum.wait(options) };
  }
}

/** Where a campaign is: it stands for it, or waits until nobody leads. */
type Step =
  | { readonly kind: "stand"; readonly driver: Promise<QuorumDriver> }
  | { readonly kind: "wait"; readonly vacant: Promise<Crossing> };

/** One's time as the leader. */
export class Leadership implements AsyncDisposable {
  /** Larger than those of all before it; 1 for the first. */
  readonly term: number;
  /** Rejects with why, when somebody else ended it: the session is over, or a `cancel`. */
  readonly lost: Promise<never>;
  readonly #driver: QuorumDriver;

  constructor(driver: QuorumDriver) {
    this.#driver = driver;
    this.term = driver.generation;
    this.lost = driver.ended.then(() => {
      throw new MusterError("ended", "the barrier under this election was crossed");
    });
    this.lost.catch(() => undefined);
  }

  /** Whether this client knows nothing to the contrary. */
  get isLeading(): boolean {
    return !this.#driver.hasEnded;
  }

  /** Another may lead. @throws MusterError */
  resign(): Promise<void> {
    return this.#driver[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resign();
  }
}

function isCode(error: unknown, code: MusterError["code"]): boolean {
  return error instanceof MusterError && error.code === code;
}

type Resumable = MusterError & { readonly resume: NonNullable<MusterError["resume"]> };

function resumable(error: unknown): Resumable | undefined {
  const isSuspended = isCode(error, "unavailable") && (error as MusterError).resume !== undefined;
  return isSuspended ? (error as Resumable) : undefined;
}

/** Whoever led has gone, or had gone already. */
function isOver(error: unknown): boolean {
  return isCode(error, "failed") || isCode(error, "cancelled") || isCode(error, "unknown");
}
