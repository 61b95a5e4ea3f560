// SPDX-License-Identifier: MIT
// What a firing thread and its owner tell each other.
import type { MessagePort } from "node:worker_threads";
import type { FireAction } from "./fire-clock.ts";

/** What the word of an action says. */
export const armedWord = 0;
export const firedWord = 1;
export const revokedWord = 2;

/** Places in the shared words of a thread. */
export const signalAt = 0;
/** When the thread wakes by itself: milliseconds of `wakeWord`. */
export const wakeAt = 1;
/** It does not wake by itself. */
export const neverWakes: number = 2 ** 31 - 1;

/** An instant as the thread tells it: rounded up, so that nothing is left for too late. */
export function wakeWord(us: number, zeroUs: number): number {
  return Math.min(neverWakes, Math.ceil((us - zeroUs) / 1_000));
}

export interface FiringThreadData {
  readonly signal: Int32Array;
  /** What `wakeWord` counts from. */
  readonly zeroUs: number;
  readonly port: MessagePort;
}

export type FiringRequest = ArmRequest | { readonly kind: "stop" };

export interface ArmRequest {
  readonly kind: "arm";
  readonly id: number;
  readonly dueUs: number;
  readonly action: FireAction;
  readonly word: Int32Array;
}

export interface FiredReport {
  readonly id: number;
  readonly firedUs: number;
  readonly error?: string;
}
