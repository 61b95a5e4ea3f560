// SPDX-License-Identifier: MIT
// Fires actions at planned instants (D8, D15). The interface, and the plain form of it that lives
// on the event loop; the form with a thread of its own is thread-fire-clock.ts.
//
//   F1. An action is performed once, or revoked; who revokes is told which, never a guess.
//   F2. Actions of one instant are performed in the order in which they were given.
//   F3. `firedUs` is read by whoever performs the action, right before it.
import { writeSync } from "node:fs";
import { errorText } from "../../../core/text.ts";
import type { Clock } from "../../../host/clock.ts";
import { LatenessMeter, type LatenessReport } from "./lateness.ts";

export type FireAction =
  /** Tells the caller, on its own thread. */
  | { readonly kind: "tell" }
  /** Writes to a descriptor, which must stay open until this is fired or revoked. */
  | { readonly kind: "write"; readonly descriptor: number; readonly text: string };

export interface Fired {
  /** Monotonic microseconds. */
  readonly firedUs: number;
  /** Why the write failed. */
  readonly error?: string;
}

/** Stops what was not performed yet. The answer is the same however often it is asked. */
export type Revoke = () => "revoked" | "already fired";

export interface FireClock {
  /** Performs `action` at `dueUs` (monotonic microseconds), at once when that is past. */
  at(dueUs: number, action: FireAction, onFired: (fired: Fired) => void): Revoke;
  /** How late actions were performed so far; what was given too late counts from then. */
  lateness(): LatenessReport;
  /** Performs nothing any more; what is armed is revoked. */
  close(): void;
}

/** The longest a timer of the platform can wait. */
const timerMsMax = 2 ** 31 - 1;

/** Fires from timers of a clock: late by what the event loop is busy with. */
export class TimerFireClock implements FireClock {
  readonly #clock: Clock;
  readonly #meter = new LatenessMeter();
  /** In the order of `#isBefore`; timers of equal delay would keep the order, unequal ones not. */
  readonly #armed: Armed[] = [];
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  at(dueUs: number, action: FireAction, onFired: (fired: Fired) => void): Revoke {
    const armed: Armed = {
      dueUs: Math.max(dueUs, this.#clock.nowUs()),
      action,
      onFired,
      state: this.#closed ? "revoked" : "armed",
    };
    if (!this.#closed) this.#insert(armed);
    return () => {
      if (armed.state === "armed") {
        armed.state = "revoked";
        this.#armed.splice(this.#armed.indexOf(armed), 1);
        this.#wait();
      }
      return armed.state === "revoked" ? "revoked" : "already fired";
    };
  }

  lateness(): LatenessReport {
    return this.#meter.report();
  }

  close(): void {
    this.#closed = true;
    for (const armed of this.#armed.splice(0)) armed.state = "revoked";
    this.#cancel();
  }

  #insert(armed: Armed): void {
    const after = this.#armed.findIndex(({ dueUs }) => dueUs > armed.dueUs);
    this.#armed.splice(after < 0 ? this.#armed.length : after, 0, armed);
    this.#wait();
  }

  #wait(): void {
    this.#cancel();
    const [first] = this.#armed;
    if (first === undefined) return;
    const waitMs = Math.max(0, (first.dueUs - this.#clock.nowUs()) / 1_000);
    this.#cancel = this.#clock.after(Math.min(waitMs, timerMsMax), () => this.#fireDue());
  }

  #fireDue(): void {
    for (;;) {
      const [first] = this.#armed;
      if (first === undefined || first.dueUs > this.#clock.nowUs()) break;
      this.#armed.shift();
      first.state = "fired";
      const fired = performAction(first.action, this.#clock.nowUs());
      this.#meter.add(fired.firedUs - first.dueUs);
      first.onFired(fired);
    }
    this.#wait();
  }
}

interface Armed {
  readonly dueUs: number;
  readonly action: FireAction;
  readonly onFired: (fired: Fired) => void;
  state: "armed" | "fired" | "revoked";
}

/** F3: what a program does first is later than `firedUs`. */
export function performAction(action: FireAction, firedUs: number): Fired {
  if (action.kind === "tell") return { firedUs };
  try {
    writeSync(action.descriptor, action.text);
    return { firedUs };
  } catch (error) {
    return { firedUs, error: errorText(error) };
  }
}
