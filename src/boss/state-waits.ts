// SPDX-License-Identifier: MIT
// Waits for states of nodes and experiments. Fed by the state daemon with what it hears on the bus;
// knows neither bus nor database.
//
//   W1. Every wait ends: reached, out of time, cancelled, or ended because what it waits for has
//       failed. An end that is not `reached` says who is missing and what state each is in.
//   W2. A state that is there when the wait begins, or comes after, is never missed: waits begin
//       and are fed in the same turn of the event loop as the state is read.
import type { Clock } from "../host/clock.ts";
import { BossError } from "./boss-error.ts";

export interface WaitOptions {
  /** All of these. */
  readonly names: readonly string[];
  /** Any of these. */
  readonly states: readonly string[];
  /** Undefined: as long as it takes. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

export type WaitOutcome =
  | { readonly kind: "reached"; readonly states: ReadonlyMap<string, string> }
  | { readonly kind: "timed-out"; readonly missing: ReadonlyMap<string, string> }
  | {
      readonly kind: "ended";
      readonly reason: string;
      readonly missing: ReadonlyMap<string, string>;
    };

/** What callers see. */
export interface StateWaits {
  /** Names are node ids. @throws BossError (LIMIT) */
  nodes(options: WaitOptions): Promise<WaitOutcome>;
  /** Names are `pid/eid`. @throws BossError (LIMIT) */
  experiments(options: WaitOptions): Promise<WaitOutcome>;
}

export interface WaitersOptions {
  readonly clock: Clock;
  readonly waitsMax: number;
  /** The state of somebody now; undefined for nobody. */
  readonly read: (name: string) => string | undefined;
  /** Why a wait for something else is hopeless when this state comes. */
  readonly hopeless: (state: string) => string | undefined;
}

/** The waits for one kind of thing. */
export class Waiters {
  readonly #options: WaitersOptions;
  readonly #waits = new Set<Wait>();

  constructor(options: WaitersOptions) {
    this.#options = options;
  }

  /** @throws BossError (LIMIT) */
  async wait(options: WaitOptions): Promise<WaitOutcome> {
    const { clock, waitsMax, read, hopeless } = this.#options;
    if (this.#waits.size >= waitsMax) {
      const message = `${waitsMax} callers wait for states (limit waitsMax); try again later`;
      throw new BossError("LIMIT", message);
    }
    const wait = new Wait(options, read, hopeless);
    if (wait.outcome !== undefined) return wait.outcome;
    this.#waits.add(wait);
    const { timeoutMs, signal } = options;
    const cancel = timeoutMs === undefined ? () => undefined : clock.after(timeoutMs, wait.timeOut);
    signal.addEventListener("abort", wait.abort);
    try {
      return await wait.ended;
    } finally {
      cancel();
      signal.removeEventListener("abort", wait.abort);
      this.#waits.delete(wait);
    }
  }

  /** Somebody has gone to a state. */
  observe(name: string, state: string): void {
    for (const wait of this.#waits) wait.observe(name, state);
  }

  /** After a gap in what was heard: what holds now is what counts. */
  readAgain(): void {
    for (const wait of this.#waits) wait.readAgain();
  }

  /** Ends all waits. */
  close(reason: string): void {
    for (const wait of this.#waits) wait.end(reason);
  }
}

class Wait {
  readonly ended: Promise<WaitOutcome>;
  outcome: WaitOutcome | undefined;
  readonly #states: readonly string[];
  readonly #read: WaitersOptions["read"];
  readonly #hopeless: WaitersOptions["hopeless"];
  readonly #pending: Set<string>;
  readonly #reached = new Map<string, string>();
  #settle: (outcome: WaitOutcome) => void = () => undefined;

  constructor(
    { names, states, signal }: WaitOptions,
    read: WaitersOptions["read"],
    hopeless: WaitersOptions["hopeless"],
  ) {
    this.#states = states;
    this.#read = read;
    this.#hopeless = hopeless;
    this.#pending = new Set(names);
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.readAgain(); // W2.
    if (signal.aborted) this.abort();
  }

  observe(name: string, state: string): void {
    if (!this.#pending.has(name)) return;
    if (this.#states.includes(state)) this.#arrive(name, state);
    else {
      const why = this.#hopeless(state);
      if (why !== undefined) this.end(`${name} ${why}`);
    }
  }

  readAgain(): void {
    for (const name of [...this.#pending]) {
      const state = this.#read(name);
      if (state !== undefined && this.#states.includes(state)) this.#arrive(name, state);
    }
  }

  readonly timeOut = (): void => this.#finish({ kind: "timed-out", missing: this.#missing() });

  readonly abort = (): void => this.end("the caller has gone");

  end(reason: string): void {
    this.#finish({ kind: "ended", reason, missing: this.#missing() });
  }

  #arrive(name: string, state: string): void {
    this.#pending.delete(name);
    this.#reached.set(name, state);
    if (this.#pending.size === 0) this.#finish({ kind: "reached", states: this.#reached });
  }

  #missing(): ReadonlyMap<string, string> {
    return new Map([...this.#pending].map((name) => [name, this.#read(name) ?? "gone"] as const));
  }

  #finish(outcome: WaitOutcome): void {
    this.outcome ??= outcome;
    this.#settle(outcome);
  }
}
