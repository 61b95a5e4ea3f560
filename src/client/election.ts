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

  /** Stands for it until it leads. @throws MusterError; the signal's reason when it was aborted */
  async campaign(options: CandidateOptions = {}): Promise<Leadership> {
    const who = options.name === undefined ? {} : { name: options.name };
    const until = options.signal === undefined ? {} : { signal: options.signal };
    for (;;) {
      try {
        const size = { count: barrierCountMax };
        const driver = await this.#quorum.init(size, { ...who, ...until, echo: "explicit" });
        return new Leadership(driver);
      } catch (error) {
        if (!isCode(error, "invalid")) throw error;
      }
      await this.#untilVacant({ ...who, ...until });
    }
  }

  /** Whether anybody leads. @throws MusterError */
  async isLed(): Promise<boolean> {
    return (await this.#quorum.describe()) !== undefined;
  }

  async #untilVacant(options: CandidateOptions): Promise<void> {
    try {
      await this.#quorum.wait(options);
    } catch (error) {
      const isOver = isCode(error, "failed") || isCode(error, "cancelled");
      if (!isOver && !isCode(error, "unknown")) throw error;
    }
  }
}

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
